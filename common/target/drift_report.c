/* Records of drift as files and lines for people. */
#include "common/mysql/ident.h"
#include "common/target/drift_words.h"
#include "common/target/finding_file.h"

#include <errno.h>
#include <inttypes.h>
#include <strings.h>

#define SHOWN_MAX 200 /* bytes of the key's values in a line */

static void member(const char *name, const char *json, struct strbuf *out)
{
    strbuf_addf(out, ",\"%s\":%s", name, json ? "" : "null");
    if (json)
        strbuf_addstr(out, json);
}

static void member_text(const char *name, const char *text, struct strbuf *out)
{
    strbuf_addf(out, "%s\"%s\":", out->len > 0 && out->str[out->len - 1] == '{' ? "" : ",", name);
    if (text)
        finding_json_string(text, strlen(text), out);
    else
        strbuf_addstr(out, "null");
}

void drift_json_line(const struct drift *d, struct strbuf *out)
{
    struct strbuf place = {0};

    strbuf_addf(&place, "%s:%" PRIu64, d->file, d->pos);
    strbuf_addch(out, '{');
    member_text("schema", d->db, out);
    member_text("table", d->table, out);
    member_text("change", drift_made_words[d->made], out);
    member_text("drift", drift_kind_words[d->kind], out);
    member_text("done", drift_done_words[d->done], out);
    member_text("key", d->key, out);
    member("key_values", d->key_values, out);
    member("incoming", d->incoming, out);
    member("existing", d->existing, out);
    member("expected", d->expected, out);
    strbuf_addf(out, ",\"identical\":%s", d->identical ? "true" : "false");
    member("differs", d->differs, out);
    member_text("position", strbuf_str(&place), out);
    member_text("gtid", d->gtid && *d->gtid ? d->gtid : NULL, out);
    strbuf_addf(out, ",\"row\":%" PRIu64, d->row);
    member_text("time", d->at, out);
    strbuf_addstr(out, "}\n");
    strbuf_release(&place);
}

static void csv_cell(const char *text, struct strbuf *out)
{
    if (!text)
        return;
    strbuf_addch(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            strbuf_addch(out, '"');
        strbuf_addch(out, *text);
    }
    strbuf_addch(out, '"');
}

static void csv_line(const struct drift *d, struct strbuf *out)
{
    const char *const first[] = {d->db,
                                 d->table,
                                 drift_made_words[d->made],
                                 drift_kind_words[d->kind],
                                 drift_done_words[d->done],
                                 d->key,
                                 d->key_values,
                                 d->incoming,
                                 d->existing,
                                 d->expected,
                                 d->identical ? "true" : "false",
                                 d->differs};

    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        csv_cell(first[i], out);
        strbuf_addch(out, ',');
    }
    strbuf_addf(out, "\"%s:%" PRIu64 "\",", d->file, d->pos);
    csv_cell(d->gtid && *d->gtid ? d->gtid : NULL, out);
    strbuf_addf(out, ",%" PRIu64 ",", d->row);
    csv_cell(d->at, out);
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

void drift_text_line(const struct drift *d, struct strbuf *out)
{
    static const char *const what[DRIFT_KINDS] = {[DRIFT_MISSING] = "is not there",
                                                  [DRIFT_THERE] = "is in the way",
                                                  [DRIFT_DIFFERS] = "differs"};

    strbuf_add_name(out, d->db, d->table);
    strbuf_addf(out, ": %s at %s:%" PRIu64 " row %" PRIu64 ": the row of key %s ",
                drift_made_words[d->made], d->file, d->pos, d->row, d->key ? d->key : "?");
    add_cut(out, d->key_values ? d->key_values : d->expected ? d->expected : "");
    strbuf_addf(out, " %s", what[d->kind]);
    if (d->kind == DRIFT_THERE && d->identical) {
        strbuf_addstr(out, ", identical");
    } else if (d->differs) {
        strbuf_addstr(out, d->kind == DRIFT_DIFFERS ? " in " : ", differs in ");
        add_cut(out, d->differs);
    }
    if (d->words) {
        strbuf_addstr(out, ": ");
        add_cut(out, d->words);
    }
    strbuf_addf(out, " (%s)", drift_done_words[d->done]);
}

struct report_file {
    struct conn *conn;
    const struct state *state;
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

static enum err_code report_record(void *ctx, const struct drift *d, struct err *err)
{
    struct report_file *to = ctx;

    if (to->csv)
        csv_line(d, &to->line);
    else
        drift_json_line(d, &to->line);
    to->count++;
    return file_line(to, err);
}

static enum err_code report_body(const struct finding_query *q, FILE *f, const char *path,
                                 void *ctx, struct err *err)
{
    struct report_file *to = ctx;
    enum err_code rc = ERR_OK;

    (void)q;
    to->f = f;
    to->path = path;
    to->line = (struct strbuf){.max = SIZE_MAX / 4};
    if (to->csv) {
        strbuf_addstr(&to->line, "schema,table,change,drift,done,key,key_values,incoming,existing,"
                                 "expected,identical,differs,position,gtid,row,time\r\n");
        rc = file_line(to, err);
    }
    if (!rc)
        rc = drift_each(to->conn, to->state, report_record, to, err);
    strbuf_release(&to->line);
    return rc;
}

enum err_code drift_report(struct conn *c, const struct state *s, const char *path, uint64_t *count,
                           struct err *err)
{
    const size_t len = strlen(path);
    struct report_file to = {
        .conn = c, .state = s, .csv = len >= 4 && strcasecmp(path + len - 4, ".csv") == 0};
    struct finding_file_body body = {report_body, &to};
    const enum err_code rc = finding_file_write(NULL, path, &body, err);

    *count = to.count;
    return rc;
}
