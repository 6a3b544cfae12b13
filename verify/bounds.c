/* Where chunks begin and end. The order of keys is the server's; what can be seen without it is
 * whether each range begins with the very bytes at which the one before it ended, and for integers
 * whether the rows lie between. */
#include "verify/verify_inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A bound has a cell for each column of the key, or is open. */
static bool bound_fits(const struct bound *b, unsigned parts)
{
    return b->count == 0 || b->count == parts;
}

static void chunks_look(struct verify_run *run, const struct dump_table *t, unsigned parts)
{
    for (size_t i = 0; i < t->chunk_count; i++) {
        const struct dump_chunk *c = &t->chunks[i];

        if (!bound_fits(&c->lo, parts) || !bound_fits(&c->hi, parts))
            verify_fault(run, c->path, "has bounds of another number of columns than the key's %u",
                         parts);
        else if (c->lo.count && dump_bound_equal(&c->lo, &c->hi))
            verify_fault(run, c->path, "has rows, but its range holds no key");
    }
}

/* `next` NULL: the table's end follows. */
static void span_look(struct verify_run *run, const struct dump_table *t, const struct dump_span *s,
                      const struct dump_span *next)
{
    static const struct bound open = {0};
    const struct bound *to = next ? &next->lo : &open;

    if (s->apart)
        verify_table_fault(
            run, t,
            "the chunks of span %u do not join up at %s: it does not begin where the "
            "one before it ended, so keys are missing or twice",
            s->span, s->apart);
    if (next && !next->lo.count)
        verify_table_fault(run, t, "span %u begins nowhere, but stands behind span %u", next->span,
                           s->span);
    if (!s->ended && run->dump->complete)
        verify_table_fault(run, t, "span %u has no end: keys are missing", s->span);
    if (s->ended && !s->apart && !dump_bound_equal(&s->hi, to))
        verify_table_fault(run, t,
                           "span %u does not end where %s: keys between them are missing or twice",
                           s->span, next ? "the next one begins" : "the table ends");
}

void verify_spans(struct verify_run *run, const struct dump_table *t)
{
    const unsigned parts = t->model.key_count ? t->model.keys[0].part_count : 0;

    if (t->span_count && t->spans[0].lo.count)
        verify_table_fault(run, t, "its first span does not begin at the table's begin");
    for (size_t i = 0; i < t->span_count; i++)
        span_look(run, t, &t->spans[i], i + 1 < t->span_count ? &t->spans[i + 1] : NULL);
    chunks_look(run, t, parts);
}

/* ---- rows of integer keys ---- */

static bool signed_read(const char *text, int64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoll(text, &end, 10);
    return !errno && end != text && !*end;
}

static bool unsigned_read(const char *text, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 10);
    return !errno && end != text && !*end && *text != '-';
}

static bool type_is_integer(enum column_type type)
{
    return type == TYPE_TINYINT || type == TYPE_SMALLINT || type == TYPE_MEDIUMINT ||
           type == TYPE_INT || type == TYPE_BIGINT;
}

/* The bounds of the first key column; a descending key has them the other way round. */
static bool range_read(struct verify_range *r, const char *lo, const char *hi)
{
    if (r->is_unsigned) {
        uint64_t high;

        if (!unsigned_read(lo, &r->ulo) || !unsigned_read(hi, &high))
            return false;
        r->ulow = r->ulo < high ? r->ulo : high;
        r->uhigh = r->ulo < high ? high : r->ulo;
    } else {
        int64_t high;

        if (!signed_read(lo, &r->lo) || !signed_read(hi, &high))
            return false;
        r->low = r->lo < high ? r->lo : high;
        r->high = r->lo < high ? high : r->lo;
    }
    return true;
}

void verify_range_init(struct verify_range *r, const struct dump_chunk *c)
{
    const struct dump_table *t = c->table;
    const struct key *key = t->model.key_count ? &t->model.keys[0] : NULL;
    const struct column *column;

    *r = (struct verify_range){0};
    if (!key || !key->part_count || !c->lo.count || !c->hi.count)
        return;
    column = &t->model.columns[key->parts[0].column];
    while (r->cell < t->shape.count && t->dumped[r->cell] != key->parts[0].column)
        r->cell++;
    r->is_unsigned = column->is_unsigned;
    r->single = key->part_count == 1;
    r->known = r->cell < t->shape.count && type_is_integer(column->type) &&
               range_read(r, c->lo.cell[0], c->hi.cell[0]);
}

bool verify_range_holds(const struct verify_range *r, const struct row *row)
{
    char text[24]; /* a sign, 20 digits, the NUL */
    size_t len;

    if (!r->known || !row->cell[r->cell])
        return true;
    len = row->len[r->cell];
    if (len >= sizeof(text))
        return true; /* ZEROFILL with a large width */
    memcpy(text, row->cell[r->cell], len);
    text[len] = '\0';
    if (r->is_unsigned) {
        uint64_t v = 0;

        return unsigned_read(text, &v) && v >= r->ulow && v <= r->uhigh &&
               !(r->single && v == r->ulo);
    } else {
        int64_t v = 0;

        return signed_read(text, &v) && v >= r->low && v <= r->high && !(r->single && v == r->lo);
    }
}
