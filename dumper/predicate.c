#include "dumper/predicate.h"

/* Of the columns before the last one, which decide alone only where they differ. */
static enum key_order predicate_strict(enum key_order order)
{
    return order == KEY_GREATER || order == KEY_GREATER_EQUAL ? KEY_GREATER : KEY_LESS;
}

static void predicate_part(const struct table *t, const struct key *key, enum key_order order,
                           const struct bound *b, unsigned part, struct strbuf *out)
{
    key_compare_expr(&t->columns[key->parts[part].column], order, b->cell[part], b->len[part], out);
}

void predicate_compare(const struct table *t, const struct key *key, enum key_order order,
                       const struct bound *b, struct strbuf *out)
{
    if (b->count == 1) {
        predicate_part(t, key, order, b, 0, out);
        return;
    }
    /* what the OR below implies, said once more for optimizers that do not see it */
    predicate_part(t, key,
                   predicate_strict(order) == KEY_GREATER ? KEY_GREATER_EQUAL : KEY_LESS_EQUAL, b,
                   0, out);
    strbuf_addstr(out, " AND (");
    for (unsigned last = 0; last < b->count; last++) {
        strbuf_addstr(out, last ? " OR (" : "(");
        for (unsigned part = 0; part < last; part++) {
            predicate_part(t, key, KEY_EQUAL, b, part, out);
            strbuf_addstr(out, " AND ");
        }
        predicate_part(t, key, last + 1 == b->count ? order : predicate_strict(order), b, last,
                       out);
        strbuf_addch(out, ')');
    }
    strbuf_addch(out, ')');
}

void predicate_range(const struct table *t, const struct key *key, const struct bound *lo,
                     const struct bound *hi, struct strbuf *out)
{
    if (lo->count || hi->count)
        strbuf_addstr(out, " WHERE ");
    if (lo->count)
        predicate_compare(t, key, KEY_GREATER, lo, out);
    if (lo->count && hi->count)
        strbuf_addstr(out, " AND ");
    if (hi->count)
        predicate_compare(t, key, KEY_LESS_EQUAL, hi, out);
}
