/* What a replay will need, looked for while there is still time to do something about it. */
#include "dumper/capture.h"

#include "common/base/mem.h"
#include "common/mysql/binlog_stream.h"
#include "common/mysql/charset_map.h"
#include "formats/file_names.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CHARSETS_MAX 256 /* more than any server has */

struct prove { /* variables of the source; NULL: it does not know them */
    char *format, *image, *json;
};

static void prove_release(struct prove *p)
{
    free(p->format);
    free(p->image);
    free(p->json);
}

static void prove_variable(struct prove *p, const struct row *row)
{
    char **to = NULL;

    if (row->count < 2 || !row->cell[0] || !row->cell[1])
        return;
    if (strcasecmp(row->cell[0], "binlog_format") == 0)
        to = &p->format;
    else if (strcasecmp(row->cell[0], "binlog_row_image") == 0)
        to = &p->image;
    else if (strcasecmp(row->cell[0], "binlog_row_value_options") == 0)
        to = &p->json;
    if (!to)
        return;
    free(*to);
    *to = xstrdup(row->cell[1]);
}

static enum err_code prove_read(struct dump_run *run, struct prove *p, struct err *err)
{
    struct result *r = NULL;
    struct row row;
    bool more = true;
    enum err_code rc =
        conn_queryz(run->control, "SHOW GLOBAL VARIABLES LIKE 'binlog\\_%'", &r, err);

    while (!rc && more) {
        rc = result_next(r, &row, &more, err);
        if (!rc && more)
            prove_variable(p, &row);
    }
    result_free(r);
    return rc;
}

enum err_code dumper_rows_logged(struct dump_run *run, struct err *err)
{
    struct prove p = {0};
    enum err_code rc = prove_read(run, &p, err);

    if (!rc && p.format && strcasecmp(p.format, "ROW") != 0)
        rc = err_set(err, ERR_BINLOG_UNSUPPORTED,
                     "the source has binlog_format=%s: only rows can be replayed exactly (SET "
                     "GLOBAL binlog_format=ROW, and let sessions from before end)",
                     p.format);
    if (!rc && p.image && strcasecmp(p.image, "FULL") != 0)
        rc = err_set(err, ERR_BINLOG_UNSUPPORTED,
                     "the source has binlog_row_image=%s: a replay needs whole rows (SET GLOBAL "
                     "binlog_row_image=FULL, and let sessions from before end)",
                     p.image);
    if (!rc && p.json && p.json[0])
        rc = err_set(err, ERR_BINLOG_UNSUPPORTED,
                     "the source has binlog_row_value_options=%s: parts of JSON values cannot be "
                     "replayed (SET GLOBAL binlog_row_value_options='', and let sessions from "
                     "before end)",
                     p.json);
    prove_release(&p);
    return rc ? rc : dumper_logs_all(run, err);
}

enum err_code dumper_cascades_logged(struct dump_run *run, struct err *err)
{
    struct result *r = NULL;
    struct row row;
    bool more = false;
    enum err_code rc = conn_queryz(
        run->control, "SHOW GLOBAL VARIABLES LIKE 'innodb\\_native\\_foreign\\_keys'", &r, err);

    if (!rc)
        rc = result_next(r, &row, &more, err);
    if (!rc)
        run->cascades_logged =
            more && row.count > 1 && row.cell[1] && strcasecmp(row.cell[1], "OFF") == 0;
    result_free(r);
    return rc;
}

enum err_code dumper_capture_prove(struct dump_run *run, struct err *err)
{
    const struct binlog_stream_config config = {.url = run->source};
    struct binlog_source *stream = NULL;
    struct position at = {0};
    struct binlog_start start;
    enum err_code rc;

    if (!run->config->with_binlog)
        return ERR_OK;
    rc = position_read(run->control, &at, err);
    if (!rc && !at.file)
        rc = err_set(err, ERR_BINLOG_UNSUPPORTED,
                     "the source writes no binlog: there is nothing that --with-binlog could keep");
    if (!rc)
        rc = dumper_rows_logged(run, err);
    start = (struct binlog_start){.file = at.file, .offset = at.offset};
    if (!rc)
        rc = binlog_stream_open(&config, &start, &stream, err);
    binlog_source_free(stream);
    position_release(&at);
    return rc ? err_wrap(err, "--with-binlog") : ERR_OK;
}

/* One character set, unless the dump has it, or it is Unicode's. */
static enum err_code charset_keep(struct dump_run *run, struct charset_maps *maps,
                                  const char *charset, struct err *err)
{
    const struct compression zstd = {codec_find("zstd"), 3};
    const struct charset_map *map = NULL;
    struct strbuf path = {0};
    struct strbuf text = {0};
    bool there;
    enum err_code rc = ERR_OK;

    file_name_charset(&path, charset);
    pthread_mutex_lock(&run->lock);
    there = ledger_find_file(run->ledger, strbuf_str(&path)) != NULL;
    pthread_mutex_unlock(&run->lock);
    if (!there)
        rc = charset_maps_find(maps, charset, &map, err);
    if (map)
        charset_map_text(map, &text);
    if (!rc && map && strchr(strbuf_str(&text), '\n')[1])
        rc = dumper_put_file(run, strbuf_str(&path), &zstd, &text, err);
    strbuf_release(&path);
    strbuf_release(&text);
    return rc;
}

/* NOLINTNEXTLINE(readability-function-cognitive-complexity): two loops over the schema */
enum err_code dumper_capture_charsets(struct dump_run *run, struct err *err)
{
    const struct schema *s = run->plan.schema;
    struct charset_maps *maps;
    const char **names;
    size_t count = 0;
    enum err_code rc = ERR_OK;

    if (!run->config->with_binlog)
        return ERR_OK;
    names = xcalloc(CHARSETS_MAX, sizeof(*names));
    for (size_t i = 0; i < s->table_count; i++) {
        const struct table *t = &s->tables[i];

        for (unsigned k = 0; k < t->column_count; k++) {
            const char *name = t->columns[k].charset;
            size_t n = 0;

            if (!name || t->kind == TABLE_VIEW)
                continue;
            while (n < count && strcmp(names[n], name) != 0)
                n++;
            if (n == count && count < CHARSETS_MAX)
                names[count++] = name;
        }
    }
    maps = charset_maps_new(run->control);
    for (size_t i = 0; !rc && i < count; i++)
        rc = charset_keep(run, maps, names[i], err);
    charset_maps_free(maps);
    free(names);
    return rc;
}
