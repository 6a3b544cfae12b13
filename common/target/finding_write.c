#include "common/target/finding.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/finding_words.h"

#include <inttypes.h>

#define PIECE_BYTES ((size_t)1 << 20) /* of `existing`, so that TiDB takes the row */

void finding_writer_init(struct finding_writer *w, struct conn *c, const struct state *s,
                         size_t max_statement)
{
    *w = (struct finding_writer){
        .conn = c, .state = s, .sql.max = SIZE_MAX / 4, .max_statement = max_statement};
}

void finding_writer_release(struct finding_writer *w)
{
    strbuf_release(&w->sql);
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
    /* Both grow with time, whoever writes: of the store where there are several servers. */
    strbuf_addstr(sql,
                  tidb ? ",@@tidb_current_ts,UTC_TIMESTAMP())" : ",UUID_SHORT(),UTC_TIMESTAMP())");
}

enum err_code finding_flush(struct finding_writer *w, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (w->sql.len > 0)
        rc = conn_exec(w->conn, w->sql.str, w->sql.len, NULL, err);
    strbuf_reset(&w->sql);
    return rc;
}

enum err_code finding_write(struct finding_writer *w, const struct finding *r, struct err *err)
{
    size_t first = r->existing ? piece_len(r->existing, r->existing_len) : 0;
    unsigned parts = 0;

    for (size_t at = first; r->existing && at < r->existing_len; parts++)
        at += piece_len(r->existing + at, r->existing_len - at);
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
