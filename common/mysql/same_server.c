#include "common/mysql/same_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define LOCK_NAME_MAX 64

/* *value NULL where the server refuses the question. */
static enum err_code ask(struct conn *c, const char *sql, char **value, struct err *err)
{
    *value = NULL;
    if (conn_value(c, sql, value, err) && !conn_usable(c))
        return err->code;
    err_clear(err);
    return ERR_OK;
}

static enum err_code ask_lock(struct conn *c, const char *function, const char *name, char **value,
                              struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addf(&sql, "SELECT %s('%s'%s)", function, name,
                strcmp(function, "GET_LOCK") == 0 ? ", 0" : "");
    rc = ask(c, strbuf_str(&sql), value, err);
    strbuf_release(&sql);
    return rc;
}

static enum err_code same_by_lock(struct conn *a, struct conn *b, bool *same, struct err *err)
{
    char name[LOCK_NAME_MAX];
    uint64_t number = 0;
    char *taken = NULL;
    char *holder = NULL;
    char *given = NULL;
    enum err_code rc;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        return err_set(err, ERR_INTERNAL, "no random number for a lock's name");
    (void)snprintf(name, sizeof(name), "ferry-same-%" PRIx64, number);
    rc = ask_lock(a, "GET_LOCK", name, &taken, err);
    if (!rc && taken && strcmp(taken, "1") == 0) {
        rc = ask_lock(b, "IS_USED_LOCK", name, &holder, err);
        *same = holder != NULL; /* by whom TiDB does not say; the name is ours alone */
        if (!rc)
            rc = ask_lock(a, "RELEASE_LOCK", name, &given, err);
    }
    free(taken);
    free(holder);
    free(given);
    return rc;
}

enum err_code server_same(struct conn *a, struct conn *b, bool *same, struct err *err)
{
    char *x = NULL;
    char *y = NULL;
    bool one = false;
    enum err_code rc = same_by_lock(a, b, &one, err);

    if (!rc && !one && conn_flavour(a)->vendor == VENDOR_MYSQL &&
        conn_flavour(b)->vendor == VENDOR_MYSQL) {
        rc = ask(a, "SELECT @@server_uuid", &x, err);
        if (!rc)
            rc = ask(b, "SELECT @@server_uuid", &y, err);
        one = x && y && *x && strcmp(x, y) == 0;
    }
    free(x);
    free(y);
    if (!rc)
        *same = one;
    return rc;
}
