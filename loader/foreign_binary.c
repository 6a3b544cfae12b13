/* Dumpling's --csv-output-dialect writes bytes as hexadecimal digits or as base64, and nothing in
 * the dump says so. It holds for a whole dump: one value that is neither shows that bytes are
 * written as they are. Where all that is looked at could be either, the user has to say it. */
#include "loader/load_inner.h"

#include "common/base/mem.h"

#include <ctype.h>
#include <string.h>

#define LOOK_ROWS 200 /* of a table's first file that has rows */
#define LOOK_BYTES ((size_t)1 << 20)

struct binary_look {
    bool raw;           /* a value that is neither */
    const char *label;  /* of the first table with a doubtful value; NULL: none */
    const char *column; /* of that value */
};

static bool is_hex(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isxdigit((unsigned char)p[i]))
            return false;
    return len % 2 == 0;
}

static bool is_base64(const char *p, size_t len)
{
    size_t letters = len;

    while (letters > 0 && len - letters < 2 && p[letters - 1] == '=')
        letters--;
    for (size_t i = 0; i < letters; i++)
        if (!isalnum((unsigned char)p[i]) && p[i] != '+' && p[i] != '/')
            return false;
    return len % 4 == 0;
}

static bool has_bytes(const struct dump_table *t)
{
    for (unsigned i = 0; i < t->shape.count; i++)
        if (t->shape.forms[i] == CELL_BYTES || t->shape.forms[i] == CELL_BIT)
            return true;
    return false;
}

static size_t look_row(const struct load_table *t, const struct row *row, struct binary_look *look)
{
    const struct row_shape *shape = &t->dump->chunks[0].table->shape; /* the file's */
    size_t bytes = 0;

    for (unsigned i = 0; i < row->count; i++) {
        bytes += row->len[i];
        if ((shape->forms[i] != CELL_BYTES && shape->forms[i] != CELL_BIT) || !row->cell[i] ||
            row->len[i] == 0)
            continue;
        if (!is_hex(row->cell[i], row->len[i]) && !is_base64(row->cell[i], row->len[i])) {
            look->raw = true;
        } else if (!look->label) {
            look->label = t->label;
            look->column = shape->columns[i];
        }
    }
    return bytes;
}

static enum err_code look_table(const struct load_run *run, const struct load_table *t,
                                struct binary_look *look, struct err *err)
{
    struct decoder *decoder = NULL;
    size_t bytes = 0;
    bool more = true;
    enum err_code rc = dump_open_chunk(run->dump, &t->dump->chunks[0], 0, 0, &decoder, err);

    for (unsigned i = 0; !rc && more && !look->raw && i < LOOK_ROWS && bytes < LOOK_BYTES; i++) {
        struct row row;

        rc = decoder_next(decoder, &row, &more, err);
        if (!rc && more)
            bytes += look_row(t, &row, look);
    }
    decoder_free(decoder);
    return rc;
}

enum err_code foreign_binary(const struct load_run *run, struct err *err)
{
    const struct dump *d = run->dump;
    struct binary_look look = {0};

    if (!d->foreign || strcmp(d->foreign, "Dumpling") != 0 || strcmp(d->info.format, "csv") != 0 ||
        run->config->binary_raw)
        return ERR_OK;
    for (size_t i = 0; i < run->table_count && !look.raw; i++) {
        const struct load_table *t = &run->tables[i];

        if (t->dump->chunk_count > 0 && has_bytes(t->dump) && look_table(run, t, &look, err))
            return err->code;
    }
    if (look.raw || !look.label)
        return ERR_OK;
    return err_set(err, ERR_USAGE,
                   "%s: column '%s' holds bytes, and all that was looked at could be hexadecimal "
                   "digits or base64, which %s writes with --csv-output-dialect and does not say: "
                   "if these are the bytes themselves, say --input-binary raw; else dump again "
                   "without it",
                   look.label, look.column, d->foreign);
}
