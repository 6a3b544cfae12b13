#include "common/schema/model.h"

#include <string.h>
#include <strings.h>

void schema_free(struct schema *s)
{
    if (!s)
        return;
    arena_free(s->arena);
    free(s);
}

const struct table *schema_find(const struct schema *s, const char *db, const char *name)
{
    size_t low = 0;
    size_t high = s->table_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct table *t = &s->tables[mid];
        int order = strcmp(t->db, db);

        if (order == 0)
            order = strcmp(t->name, name);
        if (order == 0)
            return t;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const struct column *table_column(const struct table *t, const char *name)
{
    for (unsigned i = 0; i < t->column_count; i++) {
        if (strcasecmp(t->columns[i].name, name) == 0)
            return &t->columns[i];
    }
    return NULL;
}

/* A character set `binary` makes bytes of text. */
static enum cell_form text_form(const struct column *c)
{
    return c->charset && strcmp(c->charset, "binary") == 0 ? CELL_BYTES : CELL_TEXT;
}

enum cell_form column_form(const struct column *c)
{
    switch (c->type) {
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_MEDIUMINT:
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_DECIMAL:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_YEAR:
        return CELL_NUMBER;
    case TYPE_BIT:
        return CELL_BIT;
    case TYPE_JSON:
        return CELL_JSON;
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_UUID:
    case TYPE_INET4:
    case TYPE_INET6:
        return CELL_TEXT;
    case TYPE_CHAR:
    case TYPE_VARCHAR:
    case TYPE_TINYTEXT:
    case TYPE_TEXT:
    case TYPE_MEDIUMTEXT:
    case TYPE_LONGTEXT:
    case TYPE_ENUM:
    case TYPE_SET:
        return text_form(c);
    case TYPE_VECTOR: /* TiDB prints text and has a character set in the model */
        return c->charset ? text_form(c) : CELL_BYTES;
    case TYPE_BINARY:
    case TYPE_VARBINARY:
    case TYPE_TINYBLOB:
    case TYPE_BLOB:
    case TYPE_MEDIUMBLOB:
    case TYPE_LONGBLOB:
    case TYPE_GEOMETRY:
    case TYPE_OTHER:
    case TYPE_COUNT:
        break;
    }
    return CELL_BYTES;
}

/* Bytes that a key's value takes at most, roughly: text by its characters. */
static uint64_t column_key_bytes(const struct column *c)
{
    static const uint8_t number_bytes[TYPE_COUNT] = {
        [TYPE_TINYINT] = 1,  [TYPE_SMALLINT] = 2, [TYPE_MEDIUMINT] = 3, [TYPE_INT] = 4,
        [TYPE_BIGINT] = 8,   [TYPE_FLOAT] = 4,    [TYPE_DOUBLE] = 8,    [TYPE_BIT] = 8,
        [TYPE_DATE] = 3,     [TYPE_TIME] = 6,     [TYPE_DATETIME] = 8,  [TYPE_TIMESTAMP] = 7,
        [TYPE_YEAR] = 1,     [TYPE_ENUM] = 2,     [TYPE_SET] = 8,       [TYPE_UUID] = 16,
        [TYPE_DECIMAL] = 30, [TYPE_INET4] = 4,    [TYPE_INET6] = 16,
    };

    return number_bytes[c->type] ? number_bytes[c->type] : c->length;
}

static bool key_is_usable(const struct table *t, const struct key *k)
{
    if (!k->unique || k->kind != KEY_BTREE || !k->not_null || k->part_count == 0)
        return false;
    for (unsigned i = 0; i < k->part_count; i++) {
        const struct key_part *p = &k->parts[i];

        if (p->expression || p->prefix_len || p->column >= t->column_count)
            return false;
    }
    return true;
}

static uint64_t key_bytes(const struct table *t, const struct key *k)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < k->part_count; i++)
        sum += column_key_bytes(&t->columns[k->parts[i].column]);
    return sum;
}

static bool key_is_better(const struct table *t, const struct key *a, const struct key *b)
{
    if (a->primary != b->primary)
        return a->primary;
    if (a->invisible != b->invisible) /* the optimizer takes no invisible key */
        return b->invisible;
    if (a->part_count != b->part_count)
        return a->part_count < b->part_count;
    return key_bytes(t, a) < key_bytes(t, b);
}

const struct key *table_best_key(const struct table *t)
{
    const struct key *best = NULL;

    for (unsigned i = 0; i < t->key_count; i++) {
        const struct key *k = &t->keys[i];

        if (key_is_usable(t, k) && (!best || key_is_better(t, k, best)))
            best = k;
    }
    return best;
}

bool column_enum_has_empty(const struct column *c)
{
    const char *p = strchr(c->type_text, '(');

    while (p && (p = strchr(p, '\'')) != NULL) {
        size_t len = 0;

        for (p++; *p && (*p != '\'' || p[1] == '\''); p++, len++)
            p += *p == '\'';
        if (len == 0)
            return true;
        p += *p == '\'';
    }
    return false;
}
