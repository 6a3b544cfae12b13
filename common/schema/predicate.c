#include "common/schema/predicate.h"

#include <stdlib.h>

struct keyed { /* a table's key, for short */
    const struct table *table;
    const struct key *key;
};

static bool order_is_lower(enum key_order order) /* a lower bound */
{
    return order == KEY_GREATER || order == KEY_GREATER_EQUAL;
}

/* Of the columns before the last one, which decide alone only where they differ. */
static enum key_order order_strict(enum key_order order)
{
    return order_is_lower(order) ? KEY_GREATER : KEY_LESS;
}

static const struct column *keyed_column(const struct keyed *k, unsigned part)
{
    return &k->table->columns[k->key->parts[part].column];
}

static void predicate_part(const struct keyed *k, enum key_order order, const struct bound *b,
                           unsigned part, struct strbuf *out)
{
    key_compare_expr(keyed_column(k, part), order, b->cell[part], b->len[part], out);
}

/* The columns from `first` on; those before are equal. */
static void predicate_compare(const struct keyed *k, const struct predicate *p, unsigned first,
                              struct strbuf *out)
{
    const struct bound *b = p->bound;
    const char *before = "";

    if (b->count == first + 1) {
        predicate_part(k, p->order, b, first, out);
        return;
    }
    /* what the OR below implies, said once more for optimizers that do not see it */
    predicate_part(k, order_is_lower(p->order) ? KEY_GREATER_EQUAL : KEY_LESS_EQUAL, b, first, out);
    strbuf_addstr(out, " AND (");
    for (unsigned last = first; last < b->count; last++, before = " OR ") {
        strbuf_addstr(out, before);
        strbuf_addch(out, '(');
        for (unsigned part = first; part < last; part++) {
            predicate_part(k, KEY_EQUAL, b, part, out);
            strbuf_addstr(out, " AND ");
        }
        predicate_part(k, last + 1 == b->count ? p->order : order_strict(p->order), b, last, out);
        strbuf_addch(out, ')');
    }
    strbuf_addch(out, ')');
}

unsigned bound_common(const struct bound *a, const struct bound *b)
{
    unsigned n = 0;

    while (n < a->count && n < b->count && a->len[n] == b->len[n] &&
           memcmp(a->cell[n], b->cell[n], a->len[n]) == 0)
        n++;
    return n;
}

/* Leading columns that a lower bound alone fixes: no ENUM is above its last label. */
static unsigned bound_last_labels(const struct keyed *k, const struct bound *b)
{
    unsigned n = 0;

    for (; n < b->count; n++) {
        const struct column *c = keyed_column(k, n);
        char number[16] = "";

        if (c->type != TYPE_ENUM || !c->precision || b->len[n] >= sizeof(number))
            break;
        memcpy(number, b->cell[n], b->len[n]);
        if (strtoul(number, NULL, 10) != c->precision)
            break;
    }
    return n;
}

/* The bound whose first *count columns have no other value under all of the list; NULL: none. */
static const struct bound *predicate_fixed(const struct keyed *k, const struct predicate *list,
                                           unsigned count, unsigned *fixed)
{
    const struct bound *best = NULL;

    *fixed = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct bound *lower = list[i].bound;
        unsigned n;

        if (!order_is_lower(list[i].order))
            continue;
        n = bound_last_labels(k, lower);
        for (unsigned j = 0; j < count; j++)
            if (!order_is_lower(list[j].order) && bound_common(lower, list[j].bound) > n)
                n = bound_common(lower, list[j].bound);
        if (n > *fixed) {
            *fixed = n;
            best = lower;
        }
    }
    return best;
}

unsigned predicate_where(const struct table *t, const struct key *key, const struct predicate *list,
                         unsigned count, struct strbuf *out)
{
    const struct keyed k = {t, key};
    const char *before = " WHERE ";
    unsigned fixed;
    const struct bound *equal = predicate_fixed(&k, list, count, &fixed);

    for (unsigned part = 0; part < fixed; part++, before = " AND ") {
        strbuf_addstr(out, before);
        predicate_part(&k, KEY_EQUAL, equal, part, out);
    }
    for (unsigned i = 0; i < count; i++) {
        const struct bound *b = list[i].bound;
        bool shares = fixed && bound_common(b, equal) >= fixed;
        bool closed = list[i].order == KEY_GREATER_EQUAL || list[i].order == KEY_LESS_EQUAL;

        if (!b->count || (shares && b->count == fixed && closed))
            continue; /* true, or said by the equalities */
        strbuf_addstr(out, before);
        before = " AND ";
        predicate_compare(&k, &list[i], shares && b->count > fixed ? fixed : 0, out);
    }
    return fixed;
}
