/* DM: https://docs.pingcap.com/tidb/stable/task-configuration-file-full (task-mode incremental and
 * its meta: binlog-name, binlog-pos, binlog-gtid). MySQL: CHANGE REPLICATION SOURCE TO; with GTIDs
 * the replica's gtid_purged is what it holds already. MariaDB: gtid_slave_pos. */
#include "formats/dump_position.h"

#include "common/base/clock.h"
#include "common/mysql/ident.h"
#include "formats/segments.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static bool text_equal(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* NULL: none. */
static const char *gtid_of(const struct epoch_record *e)
{
    return e->gtid && *e->gtid ? e->gtid : NULL;
}

/* After a restart of the server the file is another one; the GTID set tells that nothing was
 * written in between. */
static bool same_place(const struct epoch_record *a, const struct epoch_record *b)
{
    if (!text_equal(a->gtid, b->gtid))
        return false;
    if (!text_equal(a->log_file, b->log_file))
        return gtid_of(a) && a->log_file && b->log_file;
    return a->log_pos == b->log_pos;
}

bool dump_one_position(const struct dump *d, unsigned from, unsigned to)
{
    for (unsigned i = from; i >= 1 && i <= to && i <= d->epoch_count; i++) /* many moments */
        if (strcmp(d->epochs[i - 1].consistency, "binlog") == 0 && d->binlog_count)
            return false;
    for (unsigned i = from; i >= 1 && i < to && i < d->epoch_count; i++)
        if (!same_place(&d->epochs[from - 1], &d->epochs[i]))
            return false;
    return true;
}

static bool one_position(const struct dump *d)
{
    return dump_one_position(d, 1, d->epoch_count);
}

/* Made with --where, --columns or --rows-limit. */
static bool is_partial(const struct dump *d)
{
    json_t *options = d->info.options ? json_loads(d->info.options, 0, NULL) : NULL;
    bool partial = json_is_true(json_object_get(options, "partial"));

    json_decref(options);
    return partial;
}

/* ---- text ---- */

static void epoch_text(const struct epoch_record *e, struct strbuf *out)
{
    char at[CLOCK_TEXT_MAX];

    clock_utc_text(e->at_us, at);
    strbuf_addf(out, "epoch %u: %s, consistency %s, ", e->epoch, at, e->consistency);
    if (e->log_file)
        strbuf_addf(out, "%s:%" PRIu64, e->log_file, e->log_pos);
    else
        strbuf_addstr(out, "no position");
    if (gtid_of(e))
        strbuf_addf(out, ", GTID %s", gtid_of(e));
    strbuf_addch(out, '\n');
}

static void place_text(const struct dump *d, struct strbuf *out)
{
    const struct epoch_record *first = d->epoch_count ? &d->epochs[0] : NULL;

    if (!first) {
        strbuf_addstr(out, "position: none yet (no snapshot was taken)\n");
        return;
    }
    if (!first->log_file)
        strbuf_addstr(out, "position: none (the source wrote no binlog)\n");
    else if (one_position(d))
        strbuf_addf(out, "position: %s:%" PRIu64 "%s%s\n", first->log_file, first->log_pos,
                    gtid_of(first) ? ", GTID " : "", gtid_of(first) ? gtid_of(first) : "");
    else
        strbuf_addf(
            out, "position: %u of them%s; changes are to be applied from the first one on\n",
            d->epoch_count,
            strcmp(first->consistency, "binlog") == 0 ? ", each chunk of a moment of its own" : "");
}

static void captured_text(const struct dump *d, struct strbuf *out)
{
    struct segments_place from;
    struct segments_place to;

    if (!segments_range(d, &from, &to))
        return;
    strbuf_addf(out, "captured binlog: %s:%" PRIu64 " to %s:%" PRIu64 "%s%s%s\n", from.log_file,
                from.log_pos, to.log_file, to.log_pos, to.gtid && *to.gtid ? ", GTID " : "",
                to.gtid ? to.gtid : "", d->complete ? "" : ", so far");
}

static void position_text(const struct dump *d, struct strbuf *out)
{
    strbuf_addf(out, "dump %s of %s %s on %s%s%s\n", d->info.uuid,
                d->info.vendor ? d->info.vendor : "a server",
                d->info.source_version ? d->info.source_version : "",
                d->info.source_host ? d->info.source_host : "an unknown host",
                d->complete ? "" : ", not finished", is_partial(d) ? ", partial" : "");
    place_text(d, out);
    for (unsigned i = 0; i < d->epoch_count; i++)
        epoch_text(&d->epochs[i], out);
    captured_text(d, out);
}

/* ---- JSON ---- */

static json_t *place_json(const struct epoch_record *e)
{
    if (!e->log_file)
        return json_null();
    return json_pack("{s:s, s:I, s:s}", "file", e->log_file, "offset", (json_int_t)e->log_pos,
                     "gtid", e->gtid ? e->gtid : "");
}

/* Of which epochs each table's rows are: from the position of the first one on its changes are to
 * be applied, up to the last one's in a form that can be repeated. */
static json_t *tables_json(const struct dump *d)
{
    json_t *tables = json_array();

    for (size_t i = 0; i < d->table_count; i++) {
        const struct dump_table *t = &d->tables[i];

        if (t->from)
            (void)json_array_append_new(
                tables, json_pack("{s:s, s:s, s:I, s:I}", "db", t->db, "name", t->name, "from",
                                  (json_int_t)t->from, "to", (json_int_t)t->to));
    }
    return tables;
}

static void position_json(const struct dump *d, struct strbuf *out)
{
    json_t *epochs = json_array();
    json_t *whole;
    char *text;

    for (unsigned i = 0; i < d->epoch_count; i++) {
        const struct epoch_record *e = &d->epochs[i];
        char at[CLOCK_TEXT_MAX];

        clock_utc_text(e->at_us, at);
        (void)json_array_append_new(epochs, json_pack("{s:I, s:s, s:s, s:o}", "epoch",
                                                      (json_int_t)e->epoch, "at", at, "consistency",
                                                      e->consistency, "position", place_json(e)));
    }
    whole = json_pack(
        "{s:s, s:b, s:b, s:o, s:o, s:o, s:{s:s?, s:s?, s:s?, s:s?}}", "dump", d->info.uuid,
        "complete", (int)d->complete, "one_position", (int)(d->epoch_count > 0 && one_position(d)),
        "position", d->epoch_count ? place_json(&d->epochs[0]) : json_null(), "epochs", epochs,
        "tables", tables_json(d), "source", "vendor", d->info.vendor, "version",
        d->info.source_version, "uuid", d->info.source_uuid, "host", d->info.source_host);
    text = whole ? json_dumps(whole, JSON_INDENT(2)) : NULL;
    strbuf_addf(out, "%s\n", text ? text : "{}");
    free(text);
    json_decref(whole);
}

/* ---- for replication tools ---- */

static enum err_code position_refuse(const struct dump *d, struct err *err)
{
    if (!d->complete)
        return err_set(err, ERR_DUMP_INCOMPLETE,
                       "the dump is not finished: replication cannot go on from it yet");
    if (!d->epoch_count || !d->epochs[0].log_file)
        return err_set(err, ERR_DUMP_CONSISTENCY,
                       "the dump has no position: the source wrote no binlog when it was made");
    if (is_partial(d))
        return err_set(err, ERR_DUMP_CONSISTENCY,
                       "the dump is partial (--where, --columns, --rows-limit): the changes that "
                       "follow are of rows and columns that it does not have");
    if (d->left_out_count)
        return err_set(err, ERR_DUMP_CONSISTENCY,
                       "the dump does without '%s.%s' and %zu other tables, which could not be "
                       "read: the changes that follow would fail on them",
                       d->left_out[0].db, d->left_out[0].name, d->left_out_count - 1);
    for (unsigned i = 0; i < d->epoch_count; i++)
        if (strcmp(d->epochs[i].consistency, "none") == 0)
            return err_set(err, ERR_DUMP_CONSISTENCY,
                           "epoch %u was read with --consistency none: no position belongs to its "
                           "rows",
                           d->epochs[i].epoch);
    return ERR_OK;
}

static enum err_code position_refuse_several(const struct dump *d, struct err *err)
{
    enum err_code rc = position_refuse(d, err);

    if (rc || one_position(d))
        return rc;
    return err_set(
        err, ERR_DUMP_CONSISTENCY,
        "the dump was read in %u snapshots of different positions%s: a replica that starts "
        "at one of them would miss rows or meet them twice; load it, replay the binlog up "
        "to the last one, and take the position of the target",
        d->epoch_count,
        strcmp(d->epochs[0].consistency, "binlog") == 0 ? ", each chunk of another moment" : "");
}

/* A YAML string in double quotes. */
static void yaml_add(struct strbuf *out, const char *text)
{
    strbuf_addch(out, '"');
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            strbuf_addf(out, "\\%c", *text);
        else if ((unsigned char)*text < ' ')
            strbuf_addf(out, "\\x%02x", (unsigned)*text);
        else
            strbuf_addch(out, *text);
    strbuf_addch(out, '"');
}

static void position_dm(const struct dump *d, struct strbuf *out)
{
    const struct epoch_record *first = &d->epochs[0];
    const struct segments_place last = segments_epoch_to(d, d->epoch_count);
    const bool several = !one_position(d);

    strbuf_addf(
        out,
        "# Task of TiDB Data Migration: goes on where the dump %s ends.\n"
        "# To be filled in: target-database, source-id, and which tables (block-allow-list).\n",
        d->info.uuid);
    if (several)
        strbuf_addf(out,
                    "# The dump was read at several positions: safe mode must stay on until "
                    "%s:%" PRIu64 "\n# has been passed.\n",
                    last.log_file, last.log_pos);
    strbuf_addf(out,
                "name: \"ferry-%.8s\"\n"
                "task-mode: \"incremental\"\n"
                "timezone: \"+00:00\"\n"
                "target-database:\n"
                "  host: \"\"\n"
                "  port: 4000\n"
                "  user: \"root\"\n"
                "mysql-instances:\n"
                "  - source-id: \"\"\n"
                "    meta:\n"
                "      binlog-name: ",
                d->info.uuid);
    yaml_add(out, first->log_file);
    strbuf_addf(out, "\n      binlog-pos: %" PRIu64 "\n", first->log_pos);
    if (gtid_of(first)) {
        strbuf_addstr(out, "      binlog-gtid: ");
        yaml_add(out, gtid_of(first));
        strbuf_addch(out, '\n');
    }
    strbuf_addf(out,
                "    syncer-config-name: \"ferry\"\n"
                "syncers:\n"
                "  ferry:\n"
                "    safe-mode: %s\n",
                several ? "true" : "false");
}

/* "SOURCE" or "MASTER" is the word that tells the dialects' options apart. */
static void change_file(const struct dump *d, const char *statement, const char *word,
                        const char *lead, struct strbuf *out)
{
    const struct epoch_record *e = &d->epochs[0];

    strbuf_addf(out, "%s%s\n%s  ", lead, statement, lead);
    if (d->info.source_host) {
        strbuf_addf(out, "%s_HOST=", word);
        strbuf_add_quotedz(out, d->info.source_host);
        strbuf_addstr(out, ", ");
    }
    strbuf_addf(out, "%s_LOG_FILE=", word);
    strbuf_add_quotedz(out, e->log_file);
    strbuf_addf(out, ", %s_LOG_POS=%" PRIu64 ";\n", word, e->log_pos);
}

static void change_gtid(const struct dump *d, const char *statement, const char *word,
                        const char *how, struct strbuf *out)
{
    strbuf_addf(out, "%s\n  ", statement);
    if (d->info.source_host) {
        strbuf_addf(out, "%s_HOST=", word);
        strbuf_add_quotedz(out, d->info.source_host);
        strbuf_addstr(out, ", ");
    }
    strbuf_addf(out, "%s;\n", how);
}

static bool source_is(const struct dump *d, const char *vendor)
{
    return d->info.vendor && strcmp(d->info.vendor, vendor) == 0;
}

static void position_mysql(const struct dump *d, struct strbuf *out)
{
    static const char statement[] = "CHANGE REPLICATION SOURCE TO";
    const char *gtid = source_is(d, "MySQL") ? gtid_of(&d->epochs[0]) : NULL;

    if (!gtid) {
        change_file(d, statement, "SOURCE", "", out);
        return;
    }
    strbuf_addstr(out,
                  "-- By GTID, on a replica that holds the dump and nothing else (before MySQL "
                  "8.2: RESET MASTER):\n"
                  "RESET BINARY LOGS AND GTIDS;\n"
                  "SET GLOBAL gtid_purged=");
    strbuf_add_quotedz(out, gtid);
    strbuf_addstr(out, ";\n");
    change_gtid(d, statement, "SOURCE", "SOURCE_AUTO_POSITION=1", out);
    strbuf_addstr(out, "-- Or by file and offset:\n");
    change_file(d, statement, "SOURCE", "-- ", out);
}

static void position_mariadb(const struct dump *d, struct strbuf *out)
{
    static const char statement[] = "CHANGE MASTER TO";
    const char *gtid = source_is(d, "MariaDB") ? gtid_of(&d->epochs[0]) : NULL;

    if (!gtid) {
        change_file(d, statement, "MASTER", "", out);
        return;
    }
    strbuf_addstr(out, "-- By GTID:\nSET GLOBAL gtid_slave_pos=");
    strbuf_add_quotedz(out, gtid);
    strbuf_addstr(out, ";\n");
    change_gtid(d, statement, "MASTER", "MASTER_USE_GTID=slave_pos", out);
    strbuf_addstr(out, "-- Or by file and offset:\n");
    change_file(d, statement, "MASTER", "-- ", out);
}

enum err_code dump_position(const struct dump *d, enum position_form form, struct strbuf *out,
                            struct err *err)
{
    enum err_code rc = ERR_OK;

    if (form == POSITION_DM)
        rc = position_refuse(d, err);
    else if (form == POSITION_MYSQL || form == POSITION_MARIADB)
        rc = position_refuse_several(d, err);
    if (rc)
        return rc;
    switch (form) {
    case POSITION_TEXT:
        position_text(d, out);
        break;
    case POSITION_JSON:
        position_json(d, out);
        break;
    case POSITION_DM:
        position_dm(d, out);
        break;
    case POSITION_MYSQL:
        position_mysql(d, out);
        break;
    case POSITION_MARIADB:
        position_mariadb(d, out);
        break;
    }
    return ERR_OK;
}
