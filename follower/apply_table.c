#include "follower/apply_table.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct column *column_copy(struct arena *a, const struct column *c)
{
    struct column *copy = arena_alloc(a, sizeof *copy);

    *copy = *c;
    copy->name = arena_strdup(a, c->name);
    copy->type_text = arena_strdup(a, c->type_text ? c->type_text : "");
    copy->charset = c->charset ? arena_strdup(a, c->charset) : NULL;
    copy->collation = c->collation ? arena_strdup(a, c->collation) : NULL;
    copy->default_text = NULL;
    copy->extra = "";
    return copy;
}

/* ---- which key ---- */

static bool key_fits(const struct applier_table *from, const struct key *key)
{
    if (!key->unique || !key->not_null || key->kind != KEY_BTREE || key->part_count == 0)
        return false;
    for (unsigned i = 0; i < key->part_count; i++) {
        const struct key_part *part = &key->parts[i];

        if (part->expression || part->prefix_len || from->source[part->column] < 0)
            return false;
    }
    return true;
}

/* The primary key comes first in the table's list. */
static const struct key *key_choose(const struct applier_table *from)
{
    for (unsigned i = 0; i < from->def->key_count; i++)
        if (key_fits(from, &from->def->keys[i]))
            return &from->def->keys[i];
    return NULL;
}

static void key_copy(struct apply_table *t, const struct applier_table *from,
                     struct column *const *copies)
{
    const struct key *key = key_choose(from);

    if (!key)
        return;
    t->key_name = arena_strdup(t->arena, key->name);
    t->key = arena_alloc(t->arena, key->part_count * sizeof *t->key);
    t->key_count = key->part_count;
    for (unsigned i = 0; i < key->part_count; i++) {
        const unsigned column = key->parts[i].column;

        t->key[i] = (struct apply_column){copies[column], from->source[column]};
    }
}

/* ---- indexes ---- */

static uint64_t space_hash(uint64_t sum, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        sum = (sum ^ *p) * UINT64_C(0x100000001b3);
    return (sum ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint64_t table_space(const struct apply_table *t, const char *index)
{
    return space_hash(space_hash(space_hash(UINT64_C(0xcbf29ce484222325), t->db), t->name), index);
}

static void index_copy(struct apply_table *t, const struct applier_table *from,
                       const struct key *key, struct column *const *copies)
{
    struct apply_index *x = &t->indexes[t->index_count++];

    *x = (struct apply_index){.space = table_space(t, key->name),
                              .name = arena_strdup(t->arena, key->name),
                              .part_count = key->part_count};
    x->parts = arena_alloc(t->arena, (key->part_count + 1) * sizeof *x->parts);
    for (unsigned i = 0; i < key->part_count; i++) {
        const struct key_part *part = &key->parts[i];

        if (part->expression || from->source[part->column] < 0) {
            x->closed = true;
            x->parts[i] = (struct apply_part){.source = -1};
        } else {
            x->parts[i] = (struct apply_part){copies[part->column], from->source[part->column],
                                              part->prefix_len};
        }
    }
}

/* The columns of a foreign key, on either side. */
static void reference_copy(struct apply_table *t, const struct applier_table *from,
                           const struct apply_foreign *k, char *const *names, bool shared,
                           struct column *const *copies)
{
    struct apply_index *x = &t->indexes[t->index_count];

    for (unsigned i = 0; !shared && i < t->index_count; i++)
        if (t->indexes[i].space == k->space && !t->indexes[i].shared)
            return; /* several children */
    *x = (struct apply_index){
        .space = k->space, .part_count = k->count, .reference = true, .shared = shared};
    x->parts = arena_alloc(t->arena, (k->count + 1) * sizeof *x->parts);
    for (unsigned i = 0; i < k->count; i++) {
        const struct column *c = table_column(from->def, names[i]);
        const int at = c ? from->source[c - from->def->columns] : -1;

        x->parts[i] = (struct apply_part){.source = at};
        if (at < 0)
            x->closed = true;
        else
            x->parts[i].def = copies[c - from->def->columns];
    }
    t->index_count++;
}

static void references_copy(struct apply_table *t, const struct applier_table *from,
                            const struct apply_foreigns *foreigns, struct column *const *copies)
{
    for (size_t i = 0; foreigns && i < foreigns->count; i++) {
        const struct apply_foreign *k = &foreigns->foreign[i];

        if (strcasecmp(k->db, t->db) == 0 && strcasecmp(k->name, t->name) == 0)
            reference_copy(t, from, k, k->columns, true, copies);
        if (strcasecmp(k->parent_db, t->db) == 0 && strcasecmp(k->parent, t->name) == 0)
            reference_copy(t, from, k, k->parent_columns, false, copies);
    }
}

static void indexes_copy(struct apply_table *t, const struct applier_table *from,
                         const struct apply_foreigns *foreigns, struct column *const *copies)
{
    const size_t references = foreigns ? 2 * foreigns->count : 0;

    t->indexes =
        arena_alloc(t->arena, (from->def->key_count + 1 + references) * sizeof *t->indexes);
    for (unsigned i = 0; i < from->def->key_count; i++)
        if (from->def->keys[i].unique)
            index_copy(t, from, &from->def->keys[i], copies);
    references_copy(t, from, foreigns, copies);
    if (t->key)
        return;
    /* Its rows cannot be told apart: one change after the other. */
    t->indexes[t->index_count++] =
        (struct apply_index){.space = table_space(t, ""), .closed = true};
}

/* ---- statements ---- */

static void column_list(const struct apply_table *t, struct strbuf *sb)
{
    for (unsigned i = 0; i < t->column_count; i++) {
        strbuf_addstr(sb, i ? "," : " (");
        strbuf_add_ident(sb, t->columns[i].def->name);
    }
    strbuf_addch(sb, ')');
}

static char *write_head(const struct apply_table *t, const char *word)
{
    struct strbuf sb = {0};
    char *text;

    strbuf_addstr(&sb, word);
    strbuf_addstr(&sb, " INTO ");
    strbuf_add_table(&sb, t->db, t->name);
    column_list(t, &sb);
    strbuf_addstr(&sb, " VALUES ");
    text = arena_strdup(t->arena, strbuf_str(&sb));
    strbuf_release(&sb);
    return text;
}

static char *load_head(const struct apply_table *t)
{
    struct strbuf sb = {0};
    char *text;

    strbuf_addstr(&sb, "LOAD DATA LOCAL INFILE 'ferry' INTO TABLE ");
    strbuf_add_table(&sb, t->db, t->name);
    strbuf_addstr(&sb, " CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' "
                       "LINES TERMINATED BY '\\n'");
    column_list(t, &sb);
    text = arena_strdup(t->arena, strbuf_str(&sb));
    strbuf_release(&sb);
    return text;
}

static char *erase_head(const struct apply_table *t)
{
    struct strbuf sb = {0};
    char *text;

    strbuf_addstr(&sb, "DELETE FROM ");
    strbuf_add_table(&sb, t->db, t->name);
    strbuf_addstr(&sb, " WHERE ");
    text = arena_strdup(t->arena, strbuf_str(&sb));
    strbuf_release(&sb);
    return text;
}

static enum err_code columns_copy(struct apply_table *t, const struct applier_table *from,
                                  struct column **copies, struct err *err)
{
    const struct table *def = from->def;

    t->columns = arena_alloc(t->arena, (def->column_count + 1) * sizeof *t->columns);
    t->forms = arena_alloc(t->arena, (def->column_count + 1) * sizeof *t->forms);
    for (unsigned i = 0; i < def->column_count; i++) {
        const struct column *c = &def->columns[i];

        copies[i] = column_copy(t->arena, c);
        if (from->source[i] >= (int)t->source_count)
            t->source_count = (unsigned)from->source[i] + 1;
        if (c->generated != GENERATED_NO || c->row_start_end)
            continue;
        if (from->source[i] < 0)
            return err_set(err, ERR_LOAD_TABLE_SHAPE,
                           "%s.%s: the target's column '%s' is not in the source: an update would "
                           "lose its value",
                           t->db, t->name, c->name);
        t->forms[t->column_count] = column_form(c);
        t->columns[t->column_count++] = (struct apply_column){copies[i], from->source[i]};
    }
    if (t->column_count == 0)
        return err_set(err, ERR_LOAD_TABLE_SHAPE, "%s.%s has no column that could be written",
                       t->db, t->name);
    return ERR_OK;
}

enum err_code apply_table_new(const struct applier_table *from,
                              const struct apply_foreigns *foreigns, unsigned id,
                              struct apply_table **out, struct err *err)
{
    struct apply_table *t = xcalloc(1, sizeof *t);
    struct column **copies = xcalloc(from->def->column_count + 1, sizeof *copies);
    enum err_code rc;

    t->arena = arena_new();
    t->id = id;
    t->db = arena_strdup(t->arena, from->db);
    t->name = arena_strdup(t->arena, from->name);
    rc = columns_copy(t, from, copies, err);
    if (!rc) {
        key_copy(t, from, copies);
        indexes_copy(t, from, foreigns, copies);
        t->insert = write_head(t, "INSERT");
        t->replace = write_head(t, "REPLACE");
        t->erase = erase_head(t);
        t->load = load_head(t);
        *out = t;
    } else {
        apply_table_free(t);
    }
    free(copies);
    return rc;
}

void apply_table_free(struct apply_table *t)
{
    if (!t)
        return;
    arena_free(t->arena);
    free(t);
}

/* ---- packing ---- */

static void cell_pack(const struct row *row, int source, struct strbuf *out)
{
    const char *cell = row->cell[source];
    const uint32_t mark = cell ? (uint32_t)row->len[source] + 1 : 0;

    strbuf_add(out, &mark, sizeof mark);
    if (cell)
        strbuf_add(out, cell, row->len[source]);
}

static uint32_t columns_pack(const struct apply_column *columns, unsigned count,
                             const struct row *row, struct strbuf *out)
{
    const size_t before = out->len;

    for (unsigned i = 0; i < count; i++)
        cell_pack(row, columns[i].source, out);
    return (uint32_t)(out->len - before);
}

static enum err_code image_whole(const struct apply_table *t, const struct row *row,
                                 const uint8_t *has, struct err *err)
{
    if (row->count < t->source_count)
        return err_set(err, ERR_BINLOG_SCHEMA, "%s.%s: a row of %u columns, %u are wanted", t->db,
                       t->name, row->count, t->source_count);
    for (unsigned i = 0; i < t->column_count; i++)
        if (!row_change_has(has, (unsigned)t->columns[i].source))
            return err_set(err, ERR_BINLOG_UNSUPPORTED,
                           "%s.%s: a row without column '%s': the source wrote it without "
                           "binlog_row_image=FULL",
                           t->db, t->name, t->columns[i].def->name);
    for (unsigned i = 0; t->key && i < t->key_count; i++)
        if (!row_change_has(has, (unsigned)t->key[i].source) || !row->cell[t->key[i].source])
            return err_set(err, ERR_BINLOG_UNSUPPORTED,
                           "%s.%s: a row without a value of column '%s' of key '%s'", t->db,
                           t->name, t->key[i].def->name, t->key_name);
    return ERR_OK;
}

static enum err_code change_whole(const struct apply_table *t, enum applier_mode mode,
                                  const struct row_change *change, struct err *err)
{
    if (!t->key && mode != APPLY_EXACT)
        return err_set(err, ERR_BINLOG_UNSUPPORTED,
                       "%s.%s has no key by which a row could be found, so its changes cannot be "
                       "applied twice",
                       t->db, t->name);
    if (change->kind != ROW_INSERT && image_whole(t, &change->before, change->before_has, err))
        return err->code;
    if (change->kind != ROW_DELETE && image_whole(t, &change->after, change->after_has, err))
        return err->code;
    return ERR_OK;
}

static size_t image_bytes(const struct row *row)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < row->count; i++)
        bytes += sizeof(uint32_t) + (row->cell[i] ? row->len[i] : 0);
    return bytes;
}

enum err_code apply_pack(const struct apply_table *t, enum applier_mode mode,
                         const struct row_change *change, struct strbuf *out, struct err *err)
{
    const struct apply_column *key = t->key ? t->key : t->columns;
    const unsigned key_count = t->key ? t->key_count : t->column_count;
    const bool old = t->whole_before && t->key && mode == APPLY_EXACT && change->kind != ROW_INSERT;
    const size_t start = out->len;
    struct change_head h = {.table = t->id, .kind = (uint8_t)change->kind, .mode = (uint8_t)mode};

    if (change_whole(t, mode, change, err) ||
        strbuf_reserve(
            out, sizeof h + 2 * image_bytes(&change->before) + 2 * image_bytes(&change->after),
            err))
        return err->code;
    strbuf_add(out, &h, sizeof h);
    if (change->kind != ROW_INSERT)
        h.before = columns_pack(key, key_count, &change->before, out);
    if (change->kind != ROW_DELETE) {
        if (t->key)
            h.after = columns_pack(key, key_count, &change->after, out);
        h.image = columns_pack(t->columns, t->column_count, &change->after, out);
    }
    if (old)
        h.old = columns_pack(t->columns, t->column_count, &change->before, out);
    h.size = (uint32_t)(out->len - start);
    memcpy(out->str + start, &h, sizeof h);
    return ERR_OK;
}

struct change_head apply_head(const char *bytes)
{
    struct change_head h;

    memcpy(&h, bytes, sizeof h);
    return h;
}

const char *apply_cells(const char *bytes, unsigned count, const char **cell, unsigned long *len)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t mark;

        memcpy(&mark, bytes, sizeof mark);
        bytes += sizeof mark;
        cell[i] = mark ? bytes : NULL;
        len[i] = mark ? mark - 1 : 0;
        bytes += len[i];
    }
    return bytes;
}
