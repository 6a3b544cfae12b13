/* What a cut-over will ask of the source: `ferry follow --cutover --set-read-only`, and the rights
 * by which its proof sees open transactions (docs/follow.md). */
#include "check/check_inner.h"

static void add_right(struct strbuf *out, const char *right)
{
    strbuf_addf(out, "%s%s", out->len ? ", " : "", right);
}

static bool has(const struct check_side *s, const char *right)
{
    return grants_global(s->grants, right);
}

/* MariaDB's SHOW GRANTS writes what GRANT calls READ ONLY ADMIN with an underscore. Before 10.11
 * SUPER includes it. */
static bool mariadb_may_set(const struct check_side *s)
{
    return has(s, "READ_ONLY ADMIN") || has(s, "READ ONLY ADMIN") ||
           (!flavour_at_least(&s->flavour, VENDOR_MARIADB, 101100) && has(s, "SUPER"));
}

/* What SET GLOBAL read_only, and super_read_only, take. */
static void setting_rights(const struct check_side *s, struct strbuf *out)
{
    if (flavour_at_least(&s->flavour, VENDOR_MYSQL, 80000)) {
        if (has(s, "SUPER"))
            return;
        if (!has(s, "SYSTEM_VARIABLES_ADMIN"))
            add_right(out, "SYSTEM_VARIABLES_ADMIN");
        if (!has(s, "CONNECTION_ADMIN"))
            add_right(out, "CONNECTION_ADMIN");
    } else if (flavour_at_least(&s->flavour, VENDOR_MARIADB, 100502)) {
        if (!mariadb_may_set(s))
            add_right(out, "READ ONLY ADMIN");
    } else if (!has(s, "SUPER")) {
        add_right(out, "SUPER");
    }
}

/* What shows the transactions that are still open, and those that are prepared. */
static void seeing_rights(const struct check_side *s, struct strbuf *out)
{
    if (!has(s, "PROCESS"))
        add_right(out, "PROCESS");
    if (flavour_at_least(&s->flavour, VENDOR_MYSQL, 80000) && !has(s, "XA_RECOVER_ADMIN"))
        add_right(out, "XA_RECOVER_ADMIN");
}

/* Nobody may set it there: a parameter group does, and RDS gives XA_RECOVER_ADMIN to no account. */
static void managed_cutover(const struct check_side *s, struct check_outcome *o)
{
    const bool aurora = s->flavour.managed == MANAGED_AURORA;
    const char *cluster = aurora ? "cluster-" : "";

    say(o, CHECK_PASSED,
        "no account may set it on a managed server: leave --set-read-only out, and when the "
        "cut-over asks for it say: aws rds modify-db-%sparameter-group --db-%sparameter-group-name "
        "GROUP --parameters ParameterName=read_only,ParameterValue=1,ApplyMethod=immediate",
        cluster, cluster);
    if (has(s, "PROCESS"))
        return;
    say(o, CHECK_WARNING, "PROCESS is missing: open transactions are not seen, and not waited for");
    mend_grant(o, s, "PROCESS", "*.*");
}

enum err_code check_cutover(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct check_side *s = &c->side[SOURCE];
    struct strbuf set = {0};
    struct strbuf see = {0};

    (void)err;
    if (s->flavour.managed != MANAGED_NONE) {
        managed_cutover(s, o);
        return ERR_OK;
    }
    setting_rights(s, &set);
    seeing_rights(s, &see);
    if (!set.len && !see.len)
        say(o, CHECK_PASSED, "granted");
    if (set.len) {
        say(o, CHECK_WARNING,
            "missing: %s; without it --set-read-only is refused, and somebody else makes the "
            "source read-only when the cut-over asks for it",
            strbuf_str(&set));
        mend_grant(o, s, strbuf_str(&set), "*.*");
    }
    if (see.len) {
        say(o, CHECK_WARNING,
            "missing: %s; transactions that are open or prepared at the cut-over are not seen, and "
            "not waited for",
            strbuf_str(&see));
        mend_grant(o, s, strbuf_str(&see), "*.*");
    }
    strbuf_release(&set);
    strbuf_release(&see);
    return ERR_OK;
}
