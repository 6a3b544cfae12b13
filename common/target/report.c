#include "common/target/report.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define VALUE_SHOWN_MAX 64 /* bytes */

void refusal_release(struct refusal *r)
{
    free(r->db);
    free(r->table);
    free(r->key);
    free(r->key_values);
    free(r->words);
    free(r->file);
    *r = (struct refusal){0};
}

void refusal_text(const struct refusal *r, struct strbuf *out)
{
    strbuf_add_name(out, r->db, r->table);
    strbuf_addf(out, ": row %" PRIu64 " of '%s': ", r->row, r->file ? r->file : "");
    if (r->key) {
        strbuf_addf(out, "duplicate key %s", r->key);
        if (r->key_values && r->key_values[0])
            strbuf_addf(out, " %s", r->key_values);
    } else {
        strbuf_addstr(out, "value refused");
    }
    if (r->words && r->words[0])
        strbuf_addf(out, ": %s", r->words);
}

/* Where the last "' for key '" ends: the entry may hold anything, the name comes behind it. */
static const char *key_name_start(const char *words)
{
    static const char before[] = "' for key '";
    const char *found = NULL;

    for (const char *at = strstr(words, before); at; at = strstr(at + 1, before))
        found = at + sizeof before - 1;
    return found;
}

char *refusal_key_of_message(const char *words, const char *table)
{
    const char *name = key_name_start(words);
    size_t table_len = strlen(table);
    const char *end;

    if (!name)
        return NULL;
    end = strrchr(name, '\'');
    if (!end || end == name)
        return NULL;
    if ((size_t)(end - name) > table_len + 1 && strncasecmp(name, table, table_len) == 0 &&
        name[table_len] == '.')
        name += table_len + 1;
    return xstrndup(name, (size_t)(end - name));
}

/* The longest prefix of `len` bytes, up to `max`, that does not end inside a UTF-8 character. */
static size_t text_prefix(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    for (len = max; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
        len--;
    return len;
}

static void value_text(const struct column *c, const char *cell, size_t len, struct strbuf *out)
{
    enum cell_form form = column_form(c);
    size_t shown = len < VALUE_SHOWN_MAX ? len : VALUE_SHOWN_MAX;

    switch (form) {
    case CELL_NUMBER:
        strbuf_add(out, cell, shown);
        break;
    case CELL_BYTES:
    case CELL_BIT:
        strbuf_add_hex_literal(out, cell, shown);
        break;
    case CELL_TEXT:
    case CELL_JSON:
        shown = text_prefix(cell, len, VALUE_SHOWN_MAX);
        strbuf_add_quoted(out, cell, shown);
        break;
    }
    if (shown < len)
        strbuf_addstr(out, "...");
}

void refusal_key_values(const struct table *t, const struct key *key, const int *cell_of,
                        const struct row *row, struct strbuf *out)
{
    strbuf_addch(out, '(');
    for (unsigned i = 0; i < key->part_count; i++) {
        const struct key_part *part = &key->parts[i];
        int cell = part->expression ? -1 : cell_of[part->column];

        if (i > 0)
            strbuf_addch(out, ',');
        if (cell < 0 || (unsigned)cell >= row->count)
            strbuf_addch(out, '?');
        else if (!row->cell[cell])
            strbuf_addstr(out, "NULL");
        else
            value_text(&t->columns[part->column], row->cell[cell], row->len[cell], out);
    }
    strbuf_addch(out, ')');
}
