#include "dumper/xa.h"

#include "common/base/log.h"

#include <stdlib.h>

#define NAMED_MAX 4 /* that a message names */
#define NAME_BYTES 64

/* gtrid and bqual, as far as they are text. */
static void xa_name(const struct row *row, struct strbuf *out)
{
    unsigned long gtrid = row->cell[1] ? strtoul(row->cell[1], NULL, 10) : 0;
    unsigned long len = row->cell[3] ? row->len[3] : 0;

    strbuf_addch(out, '\'');
    for (unsigned long i = 0; i < len && i < NAME_BYTES; i++) {
        const char c = row->cell[3][i];

        if (i == gtrid)
            strbuf_addstr(out, "','");
        strbuf_add(out, c > ' ' && c < 0x7f && c != '\'' ? &c : "?", 1);
    }
    strbuf_addch(out, '\'');
}

enum err_code xa_prepared(struct dump_run *run, struct strbuf *out, struct err *err)
{
    struct result *r = NULL;
    struct row row;
    bool more = true;
    unsigned found = 0;
    enum err_code rc = conn_queryz(run->control, "XA RECOVER", &r, err);

    strbuf_reset(out);
    if (rc && conn_usable(run->control)) {
        log_event(LOG_INFO, "dump.xa.unknown", F_STR("cause", err->msg),
                  F_STR("message",
                        "whether there are prepared XA transactions cannot be seen (MySQL: "
                        "GRANT XA_RECOVER_ADMIN ON *.*); nothing is wrong if nobody uses "
                        "XA"));
        err_clear(err);
        return ERR_OK;
    }
    while (!rc) {
        rc = result_next(r, &row, &more, err);
        if (rc || !more)
            break;
        if (++found > NAMED_MAX)
            continue;
        strbuf_addstr(out, found > 1 ? ", " : "");
        if (row.count >= 4)
            xa_name(&row, out);
    }
    result_free(r);
    if (found > NAMED_MAX)
        strbuf_addf(out, " and %u more", found - NAMED_MAX);
    return rc;
}
