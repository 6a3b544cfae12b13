#include "common/store/lease.h"
#include "common/store/lease_owner.h"

#include <stdio.h>

#define VIEW_MAX_BYTES 65536
#define VIEW_STALE_US ((uint64_t)60000000)

/* The object goes with its owner at any moment. */
static enum err_code view_gone(enum err_code rc, struct lease_view *v, struct err *err)
{
    if (rc != ERR_STORE_NOT_FOUND)
        return rc;
    err_clear(err);
    *v = (struct lease_view){0};
    return ERR_OK;
}

enum err_code lease_view_read(struct store *s, const char *path, struct lease_view *v,
                              struct err *err)
{
    struct strbuf text = {.max = VIEW_MAX_BYTES + 1};
    struct store_info info;
    struct lease_owner o;
    int64_t now = 0;
    enum err_code rc = store_get(s, path, &text, VIEW_MAX_BYTES, err);

    *v = (struct lease_view){.held = true};
    if (!rc)
        rc = store_stat(s, path, &info, err);
    if (!rc)
        rc = store_now(s, &now, err);
    if (!rc) {
        lease_owner_read(strbuf_str(&text), text.len, &o);
        v->pid = o.pid;
        v->age_us = now > info.mtime_us ? (uint64_t)(now - info.mtime_us) : 0;
        v->gone = v->age_us > VIEW_STALE_US || lease_owner_gone(&o);
        (void)snprintf(v->what, sizeof v->what, "%s", o.what);
        (void)snprintf(v->host, sizeof v->host, "%s", o.host);
    }
    strbuf_release(&text);
    return view_gone(rc, v, err);
}
