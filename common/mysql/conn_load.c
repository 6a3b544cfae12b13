#include "common/mysql/conn.h"
#include "common/mysql/conn_driver.h"

#include <errmsg.h>
#include <stdio.h>

/* The server asks, perhaps again within one statement: each time it gets the data from its start,
 * since what it has done with the first answer is undone. */
static int feed_open(void **file, const char *name, void *ctx)
{
    struct conn_feed *feed = ctx;

    *file = feed;
    if (!feed->buf) {
        (void)snprintf(feed->refused, sizeof(feed->refused),
                       "the server asked for the local file '%.80s', which no statement of ferry "
                       "names; refused",
                       name ? name : "");
        return 1;
    }
    feed->given = 0;
    feed->asked++;
    return 0;
}

static int feed_read(void *file, char *buf, unsigned len)
{
    struct conn_feed *feed = file;
    size_t n = feed->len - feed->given;

    if (n > len)
        n = len;
    memcpy(buf, feed->buf + feed->given, n);
    feed->given += n;
    return (int)n;
}

static void feed_close(void *file)
{
    (void)file;
}

static int feed_error(void *file, char *msg, unsigned len)
{
    const struct conn_feed *feed = file;

    (void)snprintf(msg, len, "%s", feed ? feed->refused : "local file refused");
    return CR_UNKNOWN_ERROR;
}

struct compat_infile conn_feed_infile(struct conn_feed *feed)
{
    return (struct compat_infile){.open = feed_open,
                                  .read = feed_read,
                                  .close = feed_close,
                                  .error = feed_error,
                                  .ctx = feed};
}

/* "Records: 3  Deleted: 0  Skipped: 1  Warnings: 1", in whatever language: four numbers, each
 * behind a colon. */
static bool load_parse_info(const char *text, struct load_info *info)
{
    uint64_t *const numbers[] = {&info->records, &info->deleted, &info->skipped, &info->warnings};
    unsigned n = 0;

    while (text && (text = strchr(text, ':')) != NULL) {
        uint64_t value = 0;

        text += strspn(text, ": ");
        if (n == 4 || *text < '0' || *text > '9')
            return false;
        for (; *text >= '0' && *text <= '9'; text++)
            value = value * 10 + (uint64_t)(*text - '0');
        *numbers[n++] = value;
    }
    return n == 4;
}

/* Statement `n` has been answered. */
static enum err_code load_take_answer(struct conn *c, const struct load_params *p, unsigned n,
                                      struct load_info *info, struct err *err)
{
    const char *words;

    if (mysql_field_count(c->mysql) != 0)
        return err_set(err, ERR_INTERNAL, "a statement beside LOAD DATA gave rows");
    p->affected[n] = mysql_affected_rows(c->mysql);
    if (n != p->load_index)
        return ERR_OK;
    info->affected = p->affected[n];
    words = mysql_info(c->mysql);
    if (!c->feed.asked)
        return err_set(err, ERR_INTERNAL, "the server did not ask for the rows of LOAD DATA");
    if (!load_parse_info(words, info))
        return err_set(err, ERR_SERVER_UNSUPPORTED,
                       "the server's answer to LOAD DATA cannot be understood: '%s'",
                       words ? words : "");
    return ERR_OK;
}

static enum err_code load_run(struct conn *c, const struct load_params *p, struct load_info *info,
                              struct err *err)
{
    int next = mysql_real_query(c->mysql, p->sql, p->sql_len) ? 1 : 0;
    unsigned n = 0;

    for (; next == 0 && n < p->count; n++) {
        const enum err_code rc = load_take_answer(c, p, n, info, err);

        if (rc)
            return rc;
        next = conn_next(c);
    }
    if (next > 0)
        return conn_fail(c, err);
    if (next == 0 || n < p->count)
        return err_set(err, ERR_INTERNAL, "not %u statements were answered", p->count);
    return ERR_OK;
}

enum err_code conn_load(struct conn *c, const struct load_params *p, struct load_info *info,
                        struct err *err)
{
    struct load_info found = {0};
    enum err_code rc;

    c->feed = (struct conn_feed){.buf = p->len ? p->buf : "", .len = p->len};
    rc = load_run(c, p, &found, err);
    found.asked = c->feed.asked;
    c->feed.buf = NULL;
    /* What the server has read of the stream, and what it does next, is not known: measured, it
     * closes the connection in many cases, and an open transaction must not live on. */
    if (rc)
        c->broken = true;
    else
        *info = found;
    return rc;
}
