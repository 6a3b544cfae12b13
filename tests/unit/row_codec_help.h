/* tests/unit/row_codec_help.h: rows in memory, sources with short reads, whole files at once. */
#ifndef FERRY_TESTS_ROW_CODEC_HELP_H
#define FERRY_TESTS_ROW_CODEC_HELP_H

#include "common/base/mem.h"
#include "formats/row_codec.h"

/* A copy of rows, with where each ended in the file. */
struct row_list {
    struct arena *arena;
    struct row *rows;
    uint64_t *offsets; /* decoder_offset behind each */
    size_t count, cap;
};

void row_list_init(struct row_list *l);
void row_list_release(struct row_list *l);
void row_list_add(struct row_list *l, const struct row *row, uint64_t offset);
/* Asserts that the rows of `got` are those of `want` from `skip` on. */
void row_list_expect(const struct row_list *got, const struct row_list *want, size_t skip);

/* Bytes of memory, `step` at most a read (0: any); `buf` is borrowed. */
struct source *slow_source_new(const void *buf, size_t len, size_t step);

/* Everything from p->start_off on; `text` is what is behind p->raw_off. */
MUST_CHECK enum err_code decode_all(const struct decoder_params *p, const char *text, size_t len,
                                    size_t step, struct row_list *out, struct err *err);
/* A file with all of `rows`. */
void encode_all(enum row_format format, const struct row_shape *shape, size_t statement_bytes,
                const struct row_list *rows, struct strbuf *out);

/* A numbers' source for tests that can be repeated. */
unsigned test_random(uint64_t *seed);

#endif
