#include "common/target/finding.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/finding_words.h"

#include <inttypes.h>

#define LOAD_BYTES ((size_t)256 << 10) /* of text, so that TiDB takes a LOAD in one piece */
#define PIECE_BYTES ((size_t)1 << 20)  /* of `existing`, so that TiDB takes the row */

void finding_writer_init(struct finding_writer *w, struct conn *c, const struct state *s,
                         size_t max_statement)
{
    *w = (struct finding_writer){.conn = c,
                                 .state = s,
                                 .sql.max = SIZE_MAX / 4,
                                 .max_statement = max_statement,
                                 .text.max = SIZE_MAX / 4};
}

void finding_writer_release(struct finding_writer *w)
{
    strbuf_release(&w->sql);
    strbuf_release(&w->text);
}

static void add_text(struct strbuf *sql, const char *text)
{
    strbuf_addch(sql, ',');
    if (text)
        strbuf_add_quotedz(sql, text);
    else
        strbuf_addstr(sql, "NULL");
}

/* The next piece of a UTF-8 text. */
static size_t piece_len(const char *text, size_t len)
{
    size_t n = PIECE_BYTES;

    if (len <= n)
        return len;
    while (((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static void add_id(const struct finding_writer *w, const struct finding *r, struct strbuf *sql)
{
    strbuf_addf(sql, "(%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%u", w->state->job, r->chunk, r->row,
                r->key_no);
}

static enum err_code write_pieces(struct finding_writer *w, const struct finding *r, size_t from,
                                  struct err *err)
{
    for (unsigned part = 1; from < r->existing_len; part++) {
        size_t n = piece_len(r->existing + from, r->existing_len - from);
        enum err_code rc;

        strbuf_reset(&w->sql);
        strbuf_addstr(&w->sql, "REPLACE INTO ");
        state_add_name(&w->sql, w->state, "conflict_more");
        strbuf_addstr(&w->sql, " (job,chunk,row_no,key_no,part,existing) VALUES ");
        add_id(w, r, &w->sql);
        strbuf_addf(&w->sql, ",%u,", part);
        strbuf_add_quoted(&w->sql, r->existing + from, n);
        strbuf_addch(&w->sql, ')');
        rc = conn_exec(w->conn, w->sql.str, w->sql.len, NULL, err);
        if (rc)
            return rc;
        from += n;
    }
    strbuf_reset(&w->sql);
    return ERR_OK;
}

/* Grows with time, whoever writes: that of the store where there are several servers. */
static const char *ord_sql(bool tidb)
{
    return tidb ? "@@tidb_current_ts" : "UUID_SHORT()";
}

static void add_record(struct finding_writer *w, const struct finding *r, size_t first,
                       unsigned parts)
{
    const bool tidb = conn_flavour(w->conn)->vendor == VENDOR_TIDB;
    struct strbuf *sql = &w->sql;

    add_id(w, r, sql);
    strbuf_addf(sql, ",'%s','%s'", finding_kind_words[r->kind], finding_done_words[r->done]);
    add_text(sql, r->db);
    add_text(sql, r->table);
    add_text(sql, r->key);
    add_text(sql, r->key_values);
    add_text(sql, r->key_where);
    add_text(sql, r->incoming);
    strbuf_addch(sql, ',');
    if (r->existing)
        strbuf_add_quoted(sql, r->existing, first);
    else
        strbuf_addstr(sql, "NULL");
    strbuf_addf(sql, ",%u,%d", parts, r->identical);
    add_text(sql, r->differs);
    add_text(sql, r->words);
    add_text(sql, r->file);
    strbuf_addf(sql, ",%s,UTC_TIMESTAMP())", ord_sql(tidb));
}

/* ---- by LOAD DATA ---- */

static void cell_add(struct strbuf *text, const char *cell, size_t len)
{
    if (text->len > 0 && text->str[text->len - 1] != '\n')
        strbuf_addch(text, '\t');
    if (!cell)
        strbuf_addstr(text, "\\N");
    for (size_t from = 0; cell && from < len; from++) {
        static const char special[] = "\t\n\r\\", letter[] = "tnr\\";
        const size_t plain = strcspn(cell + from, special);
        const char *found;

        strbuf_add(text, cell + from, plain < len - from ? plain : len - from);
        from += plain;
        if (from >= len)
            break;
        found = cell[from] ? strchr(special, cell[from]) : NULL;
        strbuf_addch(text, '\\');
        strbuf_add(text, found ? &letter[found - special] : "0", 1);
    }
}

static void cell_addz(struct strbuf *text, const char *cell)
{
    cell_add(text, cell, cell ? strlen(cell) : 0);
}

static void line_add(struct finding_writer *w, const struct finding *r)
{
    struct strbuf *text = &w->text;

    strbuf_addf(text, "%" PRIu64 "\t%" PRIu64 "\t%u", r->chunk, r->row, r->key_no);
    cell_addz(text, finding_kind_words[r->kind]);
    cell_addz(text, finding_done_words[r->done]);
    cell_addz(text, r->db);
    cell_addz(text, r->table);
    cell_addz(text, r->key);
    cell_addz(text, r->key_values);
    cell_addz(text, r->key_where);
    cell_addz(text, r->incoming);
    cell_add(text, r->existing, r->existing_len);
    strbuf_addf(text, "\t%d", r->identical);
    cell_addz(text, r->differs);
    cell_addz(text, r->words);
    cell_addz(text, r->file);
    strbuf_addch(text, '\n');
    w->text_rows++;
}

static enum err_code load_flush(struct finding_writer *w, struct err *err)
{
    const bool tidb = conn_flavour(w->conn)->vendor == VENDOR_TIDB;
    const unsigned rows = w->text_rows;
    struct load_info info = {0};
    struct strbuf sql = {0};
    uint64_t affected = 0;
    struct load_params params = {
        .buf = w->text.str, .len = w->text.len, .affected = &affected, .count = 1};
    enum err_code rc;

    if (rows == 0)
        return ERR_OK;
    strbuf_addstr(&sql, "LOAD DATA LOCAL INFILE 'ferry' INTO TABLE ");
    state_add_name(&sql, w->state, "conflict");
    strbuf_addf(&sql,
                " CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES "
                "TERMINATED BY '\\n' (chunk,row_no,key_no,kind,done,db_name,name,key_name,"
                "key_values,key_where,incoming,existing,identical,differs,words,file) SET "
                "job=%" PRIu64 ",parts=0,at=UTC_TIMESTAMP(),ord=%s",
                w->state->job, ord_sql(tidb));
    params.sql = sql.str;
    params.sql_len = sql.len;
    rc = conn_load(w->conn, &params, &info, err);
    strbuf_release(&sql);
    strbuf_reset(&w->text);
    w->text_rows = 0;
    if (!rc && (info.affected != rows || info.records != rows || info.skipped || info.deleted ||
                info.warnings))
        return err_set(err, ERR_INTERNAL, "%u records of conflicts were not taken as they are",
                       rows);
    return rc;
}

/* The record goes by LOAD, where what is gathered before it leaves room. *taken false: it is too
 * large. */
static enum err_code line_write(struct finding_writer *w, const struct finding *r, bool *taken,
                                struct err *err)
{
    const size_t before = w->text.len;

    line_add(w, r);
    *taken = w->text.len - before <= LOAD_BYTES;
    if (*taken && w->text.len <= LOAD_BYTES)
        return ERR_OK;
    strbuf_setlen(&w->text, before);
    w->text_rows--;
    if (load_flush(w, err))
        return err->code;
    if (*taken)
        line_add(w, r);
    return ERR_OK;
}

enum err_code finding_flush(struct finding_writer *w, struct err *err)
{
    enum err_code rc = load_flush(w, err);

    if (!rc && w->sql.len > 0)
        rc = conn_exec(w->conn, w->sql.str, w->sql.len, NULL, err);
    strbuf_reset(&w->sql);
    return rc;
}

enum err_code finding_write(struct finding_writer *w, const struct finding *r, struct err *err)
{
    size_t first = r->existing ? piece_len(r->existing, r->existing_len) : 0;
    unsigned parts = 0;
    bool taken = false;

    for (size_t at = first; r->existing && at < r->existing_len; parts++)
        at += piece_len(r->existing + at, r->existing_len - at);
    if (w->load && parts == 0 && line_write(w, r, &taken, err))
        return err->code;
    if (taken)
        return ERR_OK;
    if (parts > 0 && (finding_flush(w, err) || write_pieces(w, r, first, err)))
        return err->code;
    if (w->sql.len == 0) {
        /* Only what stopped a run can be there from a try whose answer was lost. */
        strbuf_addstr(&w->sql, r->done == FINDING_STOPPED ? "REPLACE INTO " : "INSERT INTO ");
        state_add_name(&w->sql, w->state, "conflict");
        strbuf_addstr(&w->sql,
                      " (job,chunk,row_no,key_no,kind,done,db_name,name,key_name,key_values,"
                      "key_where,incoming,existing,parts,identical,differs,words,file,ord,at)"
                      " VALUES ");
    } else {
        strbuf_addch(&w->sql, ',');
    }
    add_record(w, r, first, parts);
    return w->sql.len > w->max_statement / 2 ? finding_flush(w, err) : ERR_OK;
}
