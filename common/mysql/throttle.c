#include "common/mysql/throttle.h"

#include "common/base/log.h"
#include "common/base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_EVERY_S 1

struct throttle {
    const struct throttle_rule *rule;
    const struct server_url *server;
    enum conn_profile role;
    struct conn *conn; /* the thread's; NULL: to be made anew */
    atomic_bool pauses;
    pthread_t thread;
    pthread_mutex_t lock; /* stop */
    pthread_cond_t changed;
    bool stop;
};

static const struct {
    const char *sign;
    enum throttle_op op;
} ops[] = {{"<=", THROTTLE_LESS_EQUAL},
           {">=", THROTTLE_MORE_EQUAL},
           {"<", THROTTLE_LESS},
           {">", THROTTLE_MORE}};

static const char *spaces_skip(const char *p)
{
    while (*p == ' ')
        p++;
    return p;
}

static const char *op_parse(const char *p, enum throttle_op *op)
{
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        size_t len = strlen(ops[i].sign);

        if (strncmp(p, ops[i].sign, len) != 0)
            continue;
        *op = ops[i].op;
        return p + len;
    }
    return NULL;
}

enum err_code throttle_parse(const char *text, struct throttle_rule *rule, struct err *err)
{
    const char *p = spaces_skip(text);
    struct throttle_rule r = {.value = 0};
    size_t len = 0;
    char *end = NULL;

    while (isalnum((unsigned char)p[len]) || p[len] == '_')
        len++;
    if (len && len < sizeof(r.name)) {
        memcpy(r.name, p, len);
        p = op_parse(spaces_skip(p + len), &r.op);
        errno = 0;
        if (p)
            r.value = strtod(p, &end);
        if (p && end != p && !errno && !*spaces_skip(end)) {
            *rule = r;
            return ERR_OK;
        }
    }
    return err_set(err, ERR_USAGE,
                   "'%s' is no rule for --throttle: name a status value, < <= > or >=, and a "
                   "number, as in 'Threads_running<40'",
                   text);
}

static bool rule_holds(const struct throttle_rule *r, double value)
{
    switch (r->op) {
    case THROTTLE_LESS:
        return value < r->value;
    case THROTTLE_LESS_EQUAL:
        return value <= r->value;
    case THROTTLE_MORE:
        return value > r->value;
    case THROTTLE_MORE_EQUAL:
        return value >= r->value;
    }
    return true;
}

/* The value's text; NULL: the server has none of that name. */
static enum err_code value_read(struct throttle *t, char **text, struct err *err)
{
    struct strbuf sql = {0};
    struct result *r = NULL;
    struct row row;
    bool more = false;
    enum err_code rc = ERR_OK;

    if (!t->conn)
        rc = conn_open(t->server, t->role, "throttle", &t->conn, err);
    if (rc)
        return rc;
    /* a name holds no other bytes than throttle_parse lets through */
    strbuf_addf(&sql, "SHOW GLOBAL STATUS WHERE Variable_name = '%s'", t->rule->name);
    rc = conn_query(t->conn, strbuf_str(&sql), sql.len, false, &r, err);
    strbuf_release(&sql);
    if (!rc)
        rc = result_next(r, &row, &more, err);
    if (!rc)
        *text = more && row.count > 1 && row.cell[1] ? xstrdup(row.cell[1]) : NULL;
    result_free(r);
    if (rc) {
        conn_close(t->conn);
        t->conn = NULL;
    }
    return rc;
}

static enum err_code throttle_look(struct throttle *t, struct err *err)
{
    char *text = NULL;
    char *end = NULL;
    double value;
    bool pauses;
    enum err_code rc = value_read(t, &text, err);

    if (rc)
        return rc;
    value = text ? strtod(text, &end) : 0;
    if (!text || end == text || *end)
        rc = err_set(err, ERR_USAGE, "--throttle: the server's status has no number '%s'",
                     t->rule->name);
    free(text);
    if (rc)
        return rc;
    pauses = !rule_holds(t->rule, value);
    if (pauses != atomic_exchange(&t->pauses, pauses))
        log_event(LOG_INFO, pauses ? "throttle.paused" : "throttle.resumed",
                  F_STR("status", t->rule->name), F_I64("value", (int64_t)value));
    return ERR_OK;
}

/* Until the next look. true: stop. */
static bool throttle_wait(struct throttle *t)
{
    struct timespec until;
    bool stop;
    int rc = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_EVERY_S;
    pthread_mutex_lock(&t->lock);
    while (!t->stop && rc == 0)
        rc = pthread_cond_timedwait(&t->changed, &t->lock, &until);
    stop = t->stop;
    pthread_mutex_unlock(&t->lock);
    return stop;
}

static void *throttle_main(void *arg)
{
    struct throttle *t = arg;
    bool lost = false;

    log_thread_name("throttle");
    conn_thread_init();
    while (!throttle_wait(t)) {
        struct err err = ERR_INIT;
        enum err_code rc = throttle_look(t, &err);

        if (rc)
            atomic_store(&t->pauses, false);
        if (rc && !lost)
            log_event(LOG_WARN, "throttle.blind", F_STR("cause", err.msg),
                      F_STR("message", "work goes on without a look at the server's load"));
        lost = rc != ERR_OK;
    }
    conn_close(t->conn);
    t->conn = NULL;
    conn_thread_end();
    return NULL;
}

static void throttle_free(struct throttle *t)
{
    conn_close(t->conn);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

enum err_code throttle_start(const struct throttle_rule *rule, const struct server_url *server,
                             enum conn_profile role, struct throttle **out, struct err *err)
{
    pthread_condattr_t attr;
    struct throttle *t;
    enum err_code rc;
    int errnum;

    *out = NULL;
    if (!*rule->name)
        return ERR_OK;
    t = xcalloc(1, sizeof(*t));
    t->rule = rule;
    t->server = server;
    t->role = role;
    atomic_init(&t->pauses, false);
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->changed, &attr);
    pthread_condattr_destroy(&attr);
    rc = throttle_look(t, err);
    if (!rc) {
        errnum = pthread_create(&t->thread, NULL, throttle_main, t);
        if (errnum)
            rc = err_set_errno(err, ERR_FAILED, errnum, "cannot start the throttle's thread");
    }
    if (rc)
        throttle_free(t);
    else
        *out = t;
    return rc;
}

bool throttle_pauses(const struct throttle *t)
{
    return t && atomic_load_explicit(&t->pauses, memory_order_relaxed);
}

void throttle_stop(struct throttle *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
    (void)pthread_join(t->thread, NULL);
    throttle_free(t);
}
