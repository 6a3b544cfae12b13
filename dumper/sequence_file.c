/* A sequence's definition and where it is.
 *
 * The statement that creates it begins where the sequence is now, so that at no moment, not even
 * after a kill between two statements, values come again that were given out. A second statement
 * puts its own START back, which only RESTART looks at. Only a sequence that has run out of values
 * cannot begin where it is: SETVAL takes it there. */
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "dumper/objects.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct sequence { /* owned texts */
    char *next;   /* the value to give out next */
    char *last;   /* no value is left, and this was the last; NULL: there are some */
};

static void sequence_release(struct sequence *s)
{
    free(s->next);
    free(s->last);
}

/* MariaDB's sequence is a table of one row. */
static enum err_code sequence_read(struct dump_run *run, const struct table *t, struct sequence *s,
                                   struct err *err)
{
    struct strbuf sql = {0};
    struct result *r = NULL;
    struct row row;
    bool more = false;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT next_not_cached_value, "
                        "IF(next_not_cached_value > maximum_value, maximum_value, "
                        "IF(next_not_cached_value < minimum_value, minimum_value, NULL)) FROM ");
    strbuf_add_table(&sql, t->db, t->name);
    rc = conn_queryz(run->control, strbuf_str(&sql), &r, err);
    if (!rc)
        rc = result_next(r, &row, &more, err);
    if (!rc && !more)
        rc = err_set(err, ERR_DUMP_TABLE, "the sequence shows no row");
    if (!rc && row.cell[0])
        s->next = xstrndup(row.cell[0], row.len[0]);
    if (!rc && row.cell[1])
        s->last = xstrndup(row.cell[1], row.len[1]);
    result_free(r);
    strbuf_release(&sql);
    return rc;
}

/* TiDB says the next value, among the counters of a table. */
static enum err_code sequence_read_tidb(struct dump_run *run, const struct table *t,
                                        struct sequence *s, struct err *err)
{
    struct strbuf sql = {0};
    struct result *r = NULL;
    struct row row;
    bool more = true;
    enum err_code rc;

    strbuf_addstr(&sql, "SHOW TABLE ");
    strbuf_add_table(&sql, t->db, t->name);
    strbuf_addstr(&sql, " NEXT_ROW_ID");
    rc = conn_queryz(run->control, strbuf_str(&sql), &r, err);
    while (!rc && more) {
        rc = result_next(r, &row, &more, err);
        if (!rc && more && row.count >= 5 && row.cell[3] && row.cell[4] && !s->next &&
            strcasecmp(row.cell[4], "SEQUENCE") == 0)
            s->next = xstrndup(row.cell[3], row.len[3]);
    }
    result_free(r);
    strbuf_release(&sql);
    return rc;
}

static size_t number_length(const char *text)
{
    return strspn(text, "-0123456789");
}

enum err_code dumper_sequence_text(struct dump_run *run, const struct table *t, const char *sql,
                                   struct strbuf *text, struct err *err)
{
    static const char start[] = " start with ";
    const char *at = strstr(sql, start);
    struct sequence s = {0};
    enum err_code rc;

    rc = run->flavour.vendor == VENDOR_TIDB ? sequence_read_tidb(run, t, &s, err)
                                            : sequence_read(run, t, &s, err);
    if (!rc && (!at || !s.next))
        rc =
            err_set(err, ERR_DUMP_TABLE, "the sequence's definition cannot be understood: %s", sql);
    if (rc)
        goto out;
    at += strlen(start);
    if (s.last) {
        strbuf_addstr(text, sql);
        strbuf_addstr(text, ";\nDO SETVAL(");
        strbuf_add_ident(text, t->name);
        strbuf_addf(text, ",%s);\n", s.last);
        goto out;
    }
    strbuf_add(text, sql, (size_t)(at - sql));
    strbuf_addstr(text, s.next);
    strbuf_addstr(text, at + number_length(at));
    strbuf_addstr(text, ";\n");
    if (strlen(s.next) != number_length(at) || strncmp(s.next, at, strlen(s.next)) != 0) {
        strbuf_addstr(text, "ALTER SEQUENCE ");
        strbuf_add_ident(text, t->name);
        strbuf_addstr(text, " START WITH ");
        strbuf_add(text, at, number_length(at));
        strbuf_addstr(text, ";\n");
    }
out:
    sequence_release(&s);
    return rc;
}
