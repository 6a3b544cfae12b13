/* The values of unique keys, as the scheduler compares them: two that the target might call equal
 * have the same hash. Errs to "equal". */
#include "follower/apply_table.h"

#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define NUMBER_MAX 64 /* bytes of a FLOAT's text: 17 digits, sign, point, exponent */

void apply_keys_release(struct apply_keys *k)
{
    free(k->key);
    strbuf_release(&k->scratch);
    *k = (struct apply_keys){0};
}

/* Collations of single languages take more for equal than letters of two cases: Roman has I = J and
 * U = V, Lithuanian I = Y, some V = W. */
static char letter_fold(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        c = (unsigned char)(c + ('a' - 'A'));
    if (c == 'j' || c == 'y')
        return 'i';
    if (c == 'v' || c == 'w')
        return 'u';
    return (char)c;
}

/* Control characters have no weight in Unicode's collations, wherever they stand; spaces at the end
 * have none in those that pad. */
static bool text_fold(const char *cell, size_t len, unsigned prefix, struct strbuf *out)
{
    const size_t start = out->len;

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)cell[i] >= 0x80)
            return false;
    for (size_t i = 0; i < len && !(prefix && i >= prefix); i++)
        if ((unsigned char)cell[i] >= 0x20 && cell[i] != 0x7f)
            strbuf_addch(out, letter_fold((unsigned char)cell[i]));
    while (out->len > start && out->str[out->len - 1] == ' ')
        strbuf_setlen(out, out->len - 1);
    return true;
}

/* -0 is 0. */
static bool double_fold(const char *cell, size_t len, struct strbuf *out)
{
    char text[NUMBER_MAX];
    double value;

    if (len >= sizeof text)
        return false;
    memcpy(text, cell, len);
    text[len] = '\0';
    value = strtod(text, NULL);
    strbuf_addf(out, "%.9g", value == 0 ? 0.0 : value); /* FLOAT has no more digits */
    return true;
}

bool apply_fold(const struct column *c, const char *cell, size_t len, unsigned prefix,
                struct strbuf *out)
{
    switch (column_form(c)) {
    case CELL_NUMBER:
        if (c->type == TYPE_FLOAT || c->type == TYPE_DOUBLE)
            return double_fold(cell, len, out);
        strbuf_add(out, cell, len);
        return true;
    case CELL_BYTES:
        strbuf_add(out, cell, prefix && prefix < len ? prefix : len);
        return true;
    case CELL_BIT:
        while (len > 0 && *cell == '\0') {
            cell++;
            len--;
        }
        strbuf_add(out, cell, len);
        return true;
    case CELL_TEXT:
    case CELL_JSON:
        break;
    }
    return text_fold(cell, len, prefix, out);
}

static void key_push(struct apply_keys *k, struct apply_key key)
{
    if (k->count == k->cap) {
        k->cap = k->cap ? 2 * k->cap : 64;
        k->key = xreallocarray(k->key, k->cap, sizeof *k->key);
    }
    k->key[k->count++] = key;
}

static void image_key(struct apply_keys *k, const struct apply_index *x, const struct row *row,
                      const uint8_t *has)
{
    struct apply_key key = {.space = x->space, .all = x->closed, .shared = x->shared};

    strbuf_reset(&k->scratch);
    for (unsigned i = 0; i < x->part_count && !key.all; i++) {
        const struct apply_part *part = &x->parts[i];
        const unsigned at = (unsigned)part->source;

        if (!row_change_has(has, at)) {
            key.all = true;
        } else if (!row->cell[at]) {
            return; /* NULL is equal to nothing */
        } else {
            key.all =
                !apply_fold(part->def, row->cell[at], row->len[at], part->prefix, &k->scratch);
            strbuf_addch(&k->scratch, '\0'); /* a value with zeros may meet another: no harm */
        }
    }
    if (!key.all)
        key.hash = XXH3_64bits_withSeed(strbuf_str(&k->scratch), k->scratch.len, x->space);
    key_push(k, key);
}

/* A row of a parent or a child that keeps the columns of the foreign key meets nobody by them. */
static bool reference_stays(const struct apply_index *x, const struct row_change *change)
{
    if (!x->reference || x->closed || change->kind != ROW_UPDATE)
        return false;
    for (unsigned i = 0; i < x->part_count; i++) {
        const unsigned at = (unsigned)x->parts[i].source;
        const char *before = change->before.cell[at], *after = change->after.cell[at];
        const size_t len = change->before.len[at];

        if (!row_change_has(change->before_has, at) || !row_change_has(change->after_has, at) ||
            !before != !after)
            return false;
        if (before && (len != change->after.len[at] || memcmp(before, after, len) != 0))
            return false;
    }
    return true;
}

void apply_keys_add(struct apply_keys *k, const struct apply_table *t,
                    const struct row_change *change)
{
    for (unsigned i = 0; i < t->index_count; i++) {
        if (reference_stays(&t->indexes[i], change))
            continue;
        if (change->kind != ROW_INSERT)
            image_key(k, &t->indexes[i], &change->before, change->before_has);
        if (change->kind != ROW_DELETE)
            image_key(k, &t->indexes[i], &change->after, change->after_has);
    }
}
