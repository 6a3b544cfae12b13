/* Records as files and lines for people. */
#include "common/target/finding.h"

#include "common/mysql/ident.h"
#include "common/target/finding_file.h"
#include "common/target/finding_words.h"

#include <errno.h>
#include <inttypes.h>
#include <strings.h>
#include <unistd.h>

#define SHOWN_MAX 200 /* bytes of the key's values in a line */

static void json_or_null(const char *json, struct strbuf *out)
{
    strbuf_addstr(out, json ? json : "null");
}

static void json_text(const char *name, const char *text, struct strbuf *out)
{
    strbuf_addf(out, "\"%s\":", name);
    if (text)
        finding_json_string(text, strlen(text), out);
    else
        strbuf_addstr(out, "null");
}

void finding_json_line(const struct finding *r, struct strbuf *out)
{
    strbuf_addch(out, '{');
    json_text("schema", r->db, out);
    strbuf_addch(out, ',');
    json_text("table", r->table, out);
    strbuf_addch(out, ',');
    json_text("key", r->key, out);
    strbuf_addstr(out, ",\"key_values\":");
    json_or_null(r->key_values, out);
    strbuf_addstr(out, ",\"incoming\":");
    json_or_null(r->incoming, out);
    strbuf_addstr(out, ",\"existing\":");
    json_or_null(r->existing, out);
    strbuf_addf(out, ",\"identical\":%s,\"differs\":", r->identical ? "true" : "false");
    json_or_null(r->differs, out);
    strbuf_addch(out, ',');
    json_text("file", r->file, out);
    strbuf_addf(out, ",\"row\":%" PRIu64 ",", r->row);
    json_text("time", r->at, out);
    strbuf_addstr(out, "}\n");
}

static void csv_cell(const char *text, struct strbuf *out)
{
    strbuf_addch(out, '"');
    for (; text && *text; text++) {
        if (*text == '"')
            strbuf_addch(out, '"');
        strbuf_addch(out, *text);
    }
    strbuf_addch(out, '"');
}

void finding_csv_head(struct strbuf *out)
{
    strbuf_addstr(out, "schema,table,key,key_values,incoming,existing,identical,differs,file,row,"
                       "time\r\n");
}

void finding_csv_line(const struct finding *r, struct strbuf *out)
{
    const char *const before[] = {r->db, r->table, r->key, r->key_values, r->incoming, r->existing};

    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        if (before[i])
            csv_cell(before[i], out);
        strbuf_addch(out, ',');
    }
    strbuf_addf(out, "%s,", r->identical ? "true" : "false");
    if (r->differs)
        csv_cell(r->differs, out);
    strbuf_addch(out, ',');
    csv_cell(r->file, out);
    strbuf_addf(out, ",%" PRIu64 ",", r->row);
    csv_cell(r->at, out);
    strbuf_addstr(out, "\r\n");
}

static void add_cut(struct strbuf *out, const char *text)
{
    size_t len = strlen(text);
    size_t n = len < SHOWN_MAX ? len : SHOWN_MAX;

    while (n < len && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    strbuf_add(out, text, n);
    if (n < len)
        strbuf_addstr(out, "...");
}

void finding_text_line(const struct finding *r, struct strbuf *out)
{
    strbuf_add_name(out, r->db, r->table);
    strbuf_addf(out, ": row %" PRIu64 " of '%s': ", r->row, r->file);
    if (r->kind == FINDING_BAD_VALUE) {
        strbuf_addstr(out, "value refused");
    } else {
        strbuf_addf(out, "duplicate key %s ", r->key);
        add_cut(out, r->key_values ? r->key_values : "");
        if (r->identical)
            strbuf_addstr(out, ", identical");
        else if (r->differs)
            strbuf_addstr(out, ", differs in ");
        if (!r->identical && r->differs)
            add_cut(out, r->differs);
    }
    if (r->words) {
        strbuf_addstr(out, ": ");
        add_cut(out, r->words);
    }
    strbuf_addf(out, " (%s)", finding_done_words[r->done]);
}

struct report_file {
    FILE *f;
    const char *path;
    struct strbuf line;
    bool csv;
    uint64_t count;
};

static enum err_code file_line(struct report_file *to, struct err *err)
{
    if (fwrite(strbuf_str(&to->line), 1, to->line.len, to->f) != to->line.len)
        return err_set_errno(err, err_code_of_errno(errno), errno, "cannot write '%s'", to->path);
    strbuf_reset(&to->line);
    return ERR_OK;
}

static enum err_code report_record(void *ctx, const struct finding *r, struct err *err)
{
    struct report_file *to = ctx;

    if (to->csv)
        finding_csv_line(r, &to->line);
    else
        finding_json_line(r, &to->line);
    to->count++;
    return file_line(to, err);
}

static bool has_end(const char *path, const char *end)
{
    size_t len = strlen(path), n = strlen(end);

    return len >= n && strcasecmp(path + len - n, end) == 0;
}

enum err_code finding_file_write(const struct finding_query *q, const char *path,
                                 struct finding_file_body *body, struct err *err)
{
    struct strbuf part = {0};
    FILE *f;
    enum err_code rc;

    strbuf_addf(&part, "%s.part", path);
    f = fopen(strbuf_str(&part), "we");
    if (!f) {
        rc = err_set_errno(err, err_code_of_errno(errno), errno, "cannot write '%s'", path);
        goto out;
    }
    rc = body->write(q, f, path, body->ctx, err);
    if (!rc && (fflush(f) || fsync(fileno(f))))
        rc = err_set_errno(err, err_code_of_errno(errno), errno, "cannot write '%s'", path);
    if (fclose(f) && !rc)
        rc = err_set_errno(err, err_code_of_errno(errno), errno, "cannot write '%s'", path);
    if (!rc && rename(strbuf_str(&part), path))
        rc = err_set_errno(err, err_code_of_errno(errno), errno, "cannot write '%s'", path);
    if (rc)
        (void)unlink(strbuf_str(&part));
out:
    strbuf_release(&part);
    return rc;
}

static enum err_code report_body(const struct finding_query *q, FILE *f, const char *path,
                                 void *ctx, struct err *err)
{
    struct report_file to = {
        .f = f, .path = path, .csv = has_end(path, ".csv"), .line.max = SIZE_MAX / 4};
    enum err_code rc = ERR_OK;

    if (to.csv) {
        finding_csv_head(&to.line);
        rc = file_line(&to, err);
    }
    if (!rc)
        rc = finding_each(q, report_record, &to, err);
    strbuf_release(&to.line);
    *(uint64_t *)ctx = to.count;
    return rc;
}

enum err_code finding_report(const struct finding_query *q, const char *path, uint64_t *count,
                             struct err *err)
{
    struct finding_file_body body = {report_body, count};

    *count = 0;
    return finding_file_write(q, path, &body, err);
}
