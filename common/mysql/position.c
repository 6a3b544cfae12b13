#include "common/mysql/position.h"

#include "common/base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NOT_LOGGING 1381 /* ER_NO_BINARY_LOGGING */

/* The columns that both names of the statement give. */
enum { COLUMN_FILE, COLUMN_OFFSET, COLUMN_GTID = 4 };

static char *position_cell(const struct row *row, unsigned column)
{
    if (column >= row->count || !row->cell[column])
        return xstrdup("");
    return xstrndup(row->cell[column], row->len[column]);
}

/* A MySQL server breaks a long set into lines. */
static void position_one_line(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++)
        if (*from != '\n' && *from != '\r')
            *to++ = *from;
    *to = '\0';
}

static enum err_code position_take(const struct row *row, struct position *p, struct err *err)
{
    char *end;

    if (row->count < 2 || !row->cell[COLUMN_FILE] || !row->cell[COLUMN_OFFSET])
        return err_set(err, ERR_SERVER_UNSUPPORTED, "the server's position cannot be understood");
    p->file = position_cell(row, COLUMN_FILE);
    p->offset = strtoull(row->cell[COLUMN_OFFSET], &end, 10);
    p->gtid = position_cell(row, COLUMN_GTID);
    position_one_line(p->gtid);
    if (*end || !*p->file)
        return err_set(err, ERR_SERVER_UNSUPPORTED, "the server's position cannot be understood");
    return ERR_OK;
}

static enum err_code position_show(struct conn *c, struct position *p, struct err *err)
{
    const bool renamed = flavour_at_least(conn_flavour(c), VENDOR_MYSQL, 80200);
    struct result *r = NULL;
    struct row row;
    bool more = false;
    enum err_code rc;

    rc = conn_queryz(c, renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS", &r, err);
    if (rc == ERR_PRIVILEGE)
        return err_wrap(err, "reading the position needs GRANT %s ON *.*",
                        flavour_at_least(conn_flavour(c), VENDOR_MARIADB, 100502)
                            ? "BINLOG MONITOR"
                            : "REPLICATION CLIENT");
    if (rc && err->server_errno == NOT_LOGGING) {
        err_clear(err);
        return ERR_OK;
    }
    if (rc)
        return rc;
    rc = result_next(r, &row, &more, err);
    if (!rc && more)
        rc = position_take(&row, p, err);
    result_free(r);
    return rc;
}

enum err_code position_read(struct conn *c, struct position *out, struct err *err)
{
    struct position p = {0};
    char *gtid = NULL;
    enum err_code rc;

    rc = position_show(c, &p, err);
    if (!rc && p.file && conn_flavour(c)->vendor == VENDOR_MARIADB &&
        conn_flavour(c)->version >= 100002) {
        rc = conn_value(c, "SELECT @@gtid_binlog_pos", &gtid, err);
        free(p.gtid);
        p.gtid = gtid ? gtid : xstrdup("");
    }
    if (rc) {
        position_release(&p);
        return rc;
    }
    if (!p.gtid)
        p.gtid = xstrdup("");
    *out = p;
    return ERR_OK;
}

static bool position_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* NAME is no UUID's part: it has a dot. */
bool position_place_parse(const char *text, char **file, uint64_t *offset)
{
    const char *colon = strrchr(text, ':');
    char *end;

    if (!colon || !isdigit((unsigned char)colon[1]) || !strchr(text, '.') || strchr(text, ','))
        return false;
    *offset = strtoull(colon + 1, &end, 10);
    if (*end)
        return false;
    *file = xstrndup(text, (size_t)(colon - text));
    return true;
}

bool position_equal(const struct position *a, const struct position *b)
{
    return position_same_text(a->file, b->file) && a->offset == b->offset &&
           position_same_text(a->gtid, b->gtid);
}

void position_release(struct position *p)
{
    free(p->file);
    free(p->gtid);
    *p = (struct position){0};
}

/* One row of SHOW GLOBAL VARIABLES. */
static void identity_take(struct source_identity *id, char **log_bin, const char *name,
                          const char *value)
{
    const struct {
        const char *name;
        char **field;
    } fields[] = {
        {"server_uuid", &id->server_uuid},
        {"server_id", &id->server_id},
        {"hostname", &id->hostname},
        {"version", &id->version},
        {"log_bin", log_bin},
        {"binlog_format", &id->binlog_format},
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (strcasecmp(name, fields[i].name) == 0) {
            free(*fields[i].field);
            *fields[i].field = xstrdup(value);
        }
}

enum err_code source_identity_read(struct conn *c, struct source_identity *out, struct err *err)
{
    struct source_identity id = {0};
    struct result *r = NULL;
    struct row row;
    char *log_bin = NULL;
    bool more = true;
    enum err_code rc;

    /* Not by @@name: which of these a server has differs. */
    rc = conn_queryz(c,
                     "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'server_id', "
                     "'hostname', 'version', 'log_bin', 'binlog_format')",
                     &r, err);
    while (!rc && more) {
        rc = result_next(r, &row, &more, err);
        if (!rc && more && row.count >= 2 && row.cell[0] && row.cell[1])
            identity_take(&id, &log_bin, row.cell[0], row.cell[1]);
    }
    result_free(r);
    if (rc) {
        source_identity_release(&id);
        free(log_bin);
        return rc;
    }
    if (!log_bin || (strcasecmp(log_bin, "ON") != 0 && strcmp(log_bin, "1") != 0)) {
        free(id.binlog_format);
        id.binlog_format = NULL;
    } else if (!id.binlog_format) {
        id.binlog_format = xstrdup("ROW"); /* the variable goes away when it is the only one */
    }
    if (conn_flavour(c)->vendor != VENDOR_MYSQL) { /* TiDB has one of zeros */
        free(id.server_uuid);
        id.server_uuid = NULL;
    }
    free(log_bin);
    *out = id;
    return ERR_OK;
}

void source_identity_release(struct source_identity *id)
{
    free(id->server_uuid);
    free(id->server_id);
    free(id->hostname);
    free(id->version);
    free(id->binlog_format);
    *id = (struct source_identity){0};
}
