#include "tests/unit/row_codec_help.h"

#include "tests/unit/cmocka_all.h"

#include <stdlib.h>

void row_list_init(struct row_list *l)
{
    *l = (struct row_list){.arena = arena_new()};
}

void row_list_release(struct row_list *l)
{
    arena_free(l->arena);
    free(l->rows);
    free(l->offsets);
    *l = (struct row_list){0};
}

void row_list_add(struct row_list *l, const struct row *row, uint64_t offset)
{
    const char **cell = arena_alloc(l->arena, row->count * sizeof *cell);
    unsigned long *len = arena_alloc(l->arena, row->count * sizeof *len);

    for (unsigned i = 0; i < row->count; i++) {
        cell[i] = row->cell[i] ? arena_memdup(l->arena, row->cell[i], row->len[i]) : NULL;
        len[i] = row->cell[i] ? row->len[i] : 0;
    }
    if (l->count == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 16;
        l->rows = xreallocarray(l->rows, l->cap, sizeof *l->rows);
        l->offsets = xreallocarray(l->offsets, l->cap, sizeof *l->offsets);
    }
    l->offsets[l->count] = offset;
    l->rows[l->count++] = (struct row){.cell = cell, .len = len, .count = row->count};
}

void row_list_expect(const struct row_list *got, const struct row_list *want, size_t skip)
{
    assert_int_equal(got->count, want->count - skip);
    for (size_t r = 0; r < got->count; r++) {
        const struct row *g = &got->rows[r];
        const struct row *w = &want->rows[r + skip];

        assert_int_equal(g->count, w->count);
        for (unsigned i = 0; i < g->count; i++) {
            if (!w->cell[i]) {
                assert_null(g->cell[i]);
                continue;
            }
            assert_non_null(g->cell[i]);
            assert_int_equal(g->len[i], w->len[i]);
            assert_memory_equal(g->cell[i], w->cell[i], w->len[i]);
        }
    }
}

struct slow_source {
    struct source base;
    const char *buf;
    size_t left, step;
};

static enum err_code slow_source_read(struct source *self, void *buf, size_t cap, size_t *got,
                                      struct err *err)
{
    struct slow_source *s = (struct slow_source *)self;
    size_t n = cap < s->left ? cap : s->left;

    (void)err;
    if (s->step && n > s->step)
        n = s->step;
    memcpy(buf, s->buf, n);
    s->buf += n;
    s->left -= n;
    *got = n;
    return ERR_OK;
}

static void slow_source_free(struct source *self)
{
    free(self);
}

static const struct source_ops slow_source_ops = {"slow", slow_source_read, slow_source_free};

struct source *slow_source_new(const void *buf, size_t len, size_t step)
{
    struct slow_source *s = xcalloc(1, sizeof *s);

    *s = (struct slow_source){
        .base.ops = &slow_source_ops, .buf = len > 0 ? buf : "", .left = len, .step = step};
    return &s->base;
}

enum err_code decode_all(const struct decoder_params *p, const char *text, size_t len, size_t step,
                         struct row_list *out, struct err *err)
{
    struct decoder *d = decoder_new(p, slow_source_new(text, len, step), "t.x");
    struct row row = {0};
    bool more = true;
    enum err_code rc = ERR_OK;

    while (!rc) {
        rc = decoder_next(d, &row, &more, err);
        if (rc || !more)
            break;
        row_list_add(out, &row, decoder_offset(d));
        assert_int_equal(decoder_rows(d), p->start_row + out->count);
    }
    decoder_free(d);
    return rc;
}

void encode_all(enum row_format format, const struct row_shape *shape, size_t statement_bytes,
                const struct row_list *rows, struct strbuf *out)
{
    struct encoder *e = encoder_new(format, shape, statement_bytes);
    struct err err = ERR_INIT;

    assert_int_equal(encoder_begin(e, out, &err), ERR_OK);
    for (size_t i = 0; i < rows->count; i++)
        assert_int_equal(encoder_row(e, &rows->rows[i], out, &err), ERR_OK);
    assert_int_equal(encoder_end(e, out, &err), ERR_OK);
    encoder_free(e);
}

unsigned test_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(*seed >> 33);
}
