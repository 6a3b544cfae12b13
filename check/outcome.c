/* What an item has found, and what mends it. */
#include "check/check_inner.h"

#include "common/mysql/ident.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void PRINTF_LIKE(3, 0)
    add_line(struct strbuf *out, const char *between, const char *fmt, va_list args)
{
    va_list again;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len < 0)
        return;
    if (out->len)
        strbuf_addstr(out, between);
    strbuf_grow(out, (size_t)len);
    (void)vsnprintf(out->str + out->len, (size_t)len + 1, fmt, args);
    out->len += (size_t)len;
}

void say(struct check_outcome *o, enum check_result r, const char *fmt, ...)
{
    va_list args;

    if (r > o->result)
        o->result = r;
    va_start(args, fmt);
    add_line(&o->found, "; ", fmt, args);
    va_end(args);
}

void list(struct check_outcome *o, const char *fmt, ...)
{
    struct strbuf text = {0};
    va_list args;

    o->objects++;
    if (o->object_count == CHECK_OBJECTS_MAX)
        return;
    va_start(args, fmt);
    add_line(&text, "", fmt, args);
    va_end(args);
    if (!o->object)
        o->object = xcalloc(CHECK_OBJECTS_MAX, sizeof(*o->object));
    o->object[o->object_count++] = strbuf_detach(&text);
}

void mend(struct check_outcome *o, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add_line(&o->mend, "\n", fmt, args);
    va_end(args);
}

enum err_code skip(struct check_outcome *o, const char *fmt, ...)
{
    va_list args;

    o->result = CHECK_SKIPPED;
    va_start(args, fmt);
    add_line(&o->found, "; ", fmt, args);
    va_end(args);
    return ERR_OK;
}

/* A parameter group takes what SET GLOBAL is refused for. */
static void mend_managed(struct check_outcome *o, const struct flavour *f, const char *name,
                         const char *value, enum mend_how how)
{
    const bool aurora = f->managed == MANAGED_AURORA;

    mend(o,
         "aws rds modify-db-%sparameter-group --db-%sparameter-group-name GROUP "
         "--parameters 'ParameterName=%s,ParameterValue=%s,ApplyMethod=%s'",
         aurora ? "cluster-" : "", aurora ? "cluster-" : "", name, value,
         how == MEND_RESTART || aurora ? "pending-reboot" : "immediate");
    if (how == MEND_RESTART || aurora)
        mend(o, "aws rds reboot-db-instance --db-instance-identifier INSTANCE");
}

void mend_variable(struct check_outcome *o, const struct flavour *f, const char *name,
                   const char *value, enum mend_how how)
{
    const bool number = strspn(value, "0123456789") == strlen(value) && *value;
    const char *quote = number ? "" : "'";

    if (f->managed != MANAGED_NONE) {
        mend_managed(o, f, name, value, how);
        return;
    }
    if (f->vendor == VENDOR_TIDB) {
        mend(o, "SET GLOBAL %s = %s%s%s;", name, quote, value, quote);
    } else if (flavour_at_least(f, VENDOR_MYSQL, 80000)) {
        mend(o, "SET PERSIST%s %s = %s%s%s;", how == MEND_RESTART ? "_ONLY" : "", name, quote,
             value, quote);
        if (how == MEND_RESTART)
            mend(o, "RESTART;");
    } else {
        if (how == MEND_NOW)
            mend(o, "SET GLOBAL %s = %s%s%s;", name, quote, value, quote);
        mend(o, "%s = %s   -- in the server's option file, below [mysqld]%s", name, value,
             how == MEND_RESTART ? "; then restart it" : "");
    }
}

void mend_grant(struct check_outcome *o, const struct check_side *s, const char *rights,
                const char *scope)
{
    const char *account = s->grants ? grants_account(s->grants) : "";

    mend(o, "GRANT %s ON %s TO %s;", rights, scope, *account ? account : "CURRENT_USER()");
}

void mend_database(struct check_outcome *o, const struct check_side *s, const char *rights,
                   const char *db)
{
    struct strbuf name = {0};
    struct strbuf scope = {0};

    grants_scope(s->grants, db, &name);
    strbuf_add_ident(&scope, strbuf_str(&name));
    strbuf_addstr(&scope, ".*");
    mend_grant(o, s, rights, strbuf_str(&scope));
    strbuf_release(&name);
    strbuf_release(&scope);
}

const char *check_result_name(enum check_result r)
{
    static const char *const names[] = {"Passed", "Warning", "Failed", "Skipped"};

    return names[r];
}

void check_stages_text(unsigned stages, struct strbuf *out)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{CHECK_DUMP, "dump"}, {CHECK_LOAD, "load"}, {CHECK_FOLLOW, "follow"}};
    const char *between = "";

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (stages & names[i].bit) {
            strbuf_addf(out, "%s%s", between, names[i].name);
            between = ", ";
        }
}
