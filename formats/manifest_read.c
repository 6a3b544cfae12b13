#include "formats/file_names.h"
#include "formats/record_inner.h"

#include "common/base/mem.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_MAX_BYTES ((size_t)512 << 20) /* far more than a writer puts into one */
#define SEGMENT_NAME_MAX 32                   /* 20 digits, ".jsonl", NUL */

struct segment_list {
    uint64_t *numbers;
    size_t count, cap;
};

static void segment_name(uint64_t number, char name[SEGMENT_NAME_MAX])
{
    (void)snprintf(name, SEGMENT_NAME_MAX, "%06" PRIu64 ".jsonl", number);
}

/* Objects with other names are not ours. */
static enum err_code segment_listed(void *ctx, const char *path, const struct store_info *info,
                                    struct err *err)
{
    struct segment_list *list = ctx;
    const char *name = path + sizeof MANIFEST_FOLDER - 1;
    char expected[SEGMENT_NAME_MAX];
    uint64_t number;

    (void)info;
    (void)err;
    if (!isdigit((unsigned char)name[0]))
        return ERR_OK;
    number = strtoull(name, NULL, 10);
    segment_name(number, expected);
    if (number == 0 || strcmp(name, expected) != 0)
        return ERR_OK;
    if (list->count == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 64;
        list->numbers = xreallocarray(list->numbers, list->cap, sizeof *list->numbers);
    }
    list->numbers[list->count++] = number;
    return ERR_OK;
}

static int number_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static enum err_code line_read(const char *line, size_t len, manifest_read_fn *fn, void *ctx,
                               struct err *err)
{
    struct record r;
    bool skip = false;
    enum err_code rc = record_parse_line(line, len, &r, &skip, err);

    if (rc || skip)
        return rc;
    return fn(ctx, &r, err);
}

static enum err_code lines_read(const struct strbuf *text, manifest_read_fn *fn, void *ctx,
                                unsigned *number, struct err *err)
{
    const char *line = strbuf_str(text);
    const char *end = line + text->len;

    if (line == end)
        return err_set(err, ERR_CORRUPT, "no records");
    for (*number = 1; line < end; (*number)++) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        enum err_code rc;

        if (!newline)
            return err_set(err, ERR_CORRUPT, "cut short");
        rc = line_read(line, (size_t)(newline - line), fn, ctx, err);
        if (rc)
            return rc;
        line = newline + 1;
    }
    return ERR_OK;
}

static enum err_code segment_read(struct store *s, uint64_t number, struct strbuf *text,
                                  manifest_read_fn *fn, void *ctx, struct err *err)
{
    char name[SEGMENT_NAME_MAX];
    char path[sizeof MANIFEST_FOLDER + SEGMENT_NAME_MAX];
    unsigned line = 0;
    enum err_code rc;

    segment_name(number, name);
    (void)snprintf(path, sizeof path, MANIFEST_FOLDER "%s", name);
    strbuf_reset(text);
    rc = store_get(s, path, text, SEGMENT_MAX_BYTES, err);
    if (rc == ERR_STORE_NOT_FOUND)
        return err_set(err, ERR_CORRUPT, "manifest segment '%s' is missing", name);
    if (rc)
        return rc; /* names the path */
    rc = lines_read(text, fn, ctx, &line, err);
    if (rc && line)
        return err_wrap(err, "manifest segment '%s' line %u", name, line);
    return rc ? err_wrap(err, "manifest segment '%s'", name) : ERR_OK;
}

enum err_code manifest_read(struct store *s, manifest_read_fn *fn, void *ctx,
                            uint64_t *last_segment, struct err *err)
{
    struct segment_list list = {0};
    struct strbuf text = {.max = SEGMENT_MAX_BYTES + 1};
    enum err_code rc = store_list(s, MANIFEST_FOLDER, NULL, segment_listed, &list, err);

    if (rc)
        goto out;
    if (list.count) /* a million segments is seven digits: not the byte order of the listing */
        qsort(list.numbers, list.count, sizeof *list.numbers, number_compare);
    for (size_t i = 0; !rc && i < list.count; i++) {
        char name[SEGMENT_NAME_MAX];

        segment_name(i + 1, name);
        if (list.numbers[i] == i + 1)
            rc = segment_read(s, i + 1, &text, fn, ctx, err);
        else
            rc = err_set(err, ERR_CORRUPT, "manifest segment '%s' is missing", name);
    }
    if (!rc)
        *last_segment = list.count;
out:
    strbuf_release(&text);
    free(list.numbers);
    return rc;
}
