#include "follower/place.h"

#include "common/base/mem.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

void place_release(struct place *p)
{
    free(p->file);
    gtid_set_free(p->gtids);
    *p = (struct place){0};
}

enum err_code place_set(struct place *p, const char *file, uint64_t offset, enum gtid_kind kind,
                        const char *gtids, struct err *err)
{
    struct gtid_set *set = NULL;
    enum err_code rc = ERR_OK;

    if (gtids && *gtids && kind != GTID_NONE) {
        set = gtid_set_new(kind);
        rc = gtid_set_parse(set, gtids, err);
    }
    if (rc) {
        gtid_set_free(set);
        return rc;
    }
    place_release(p);
    *p = (struct place){.file = file ? xstrdup(file) : NULL, .offset = offset, .gtids = set};
    return ERR_OK;
}

void place_text(const struct place *p, struct strbuf *out)
{
    if (p->file)
        strbuf_addf(out, "%s:%" PRIu64, p->file, p->offset);
    else if (p->gtids)
        gtid_set_text(p->gtids, out);
    else
        strbuf_addstr(out, "the beginning");
}

/* Where the digits at the name's end begin, leading zeros passed over. */
static const char *file_number(const char *name)
{
    const char *at = name + strlen(name);

    while (at > name && isdigit((unsigned char)at[-1]))
        at--;
    while (*at == '0')
        at++;
    return at;
}

int log_file_order(const char *a, const char *b)
{
    const char *x = file_number(a);
    const char *y = file_number(b);
    const size_t xlen = strlen(x);
    const size_t ylen = strlen(y);

    if (xlen != ylen)
        return xlen < ylen ? -1 : 1;
    return strcmp(x, y);
}

bool place_covers(const struct place *p, bool by_gtid, const char *file, uint64_t start,
                  const struct gtid *gtid)
{
    int order;

    if (p->gtids && gtid && gtid->kind == gtid_set_kind(p->gtids) && (by_gtid || !p->file))
        return gtid_set_contains(p->gtids, gtid);
    if (!p->file || !file)
        return false;
    order = log_file_order(file, p->file);
    return order < 0 || (order == 0 && start < p->offset);
}
