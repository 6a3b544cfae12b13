/* Triggers, routines and events: created after the rows, which a trigger would change and an event
 * disturb, over a connection of their own, since each stands behind the settings of its own.
 *
 * TiDB has none of them; and where the names of a database change, what is said in their bodies
 * cannot be followed. Then they are handed to the user, with the reason. */
#include "loader/load_inner.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/ddl.h"
#include "common/target/facts.h"
#include "formats/file_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

#define DELIMITER_MAX 16
#define ER_TRG_ALREADY_EXISTS 1359
#define ER_SP_ALREADY_EXISTS 1304
#define ER_EVENT_ALREADY_EXISTS 1537
#define ER_WRONG_VALUE_FOR_VAR 1231
#define PROGRAM_MADE "made"
#define PROGRAM_FOUND "found"

struct program_file {
    struct load_run *run;
    struct conn *conn;
    const char *path;
    char delimiter[DELIMITER_MAX + 1];
    struct err unset; /* a setting of the next object that the target refused */
};

/* ---- the text of a file, as the mysql client cuts it ---- */

static const char *line_end(const char *p, const char *end)
{
    const char *newline = memchr(p, '\n', (size_t)(end - p));

    return newline ? newline : end;
}

/* A DELIMITER line at `p`; behind it, or `p`. */
static const char *delimiter_line(struct program_file *f, const char *p, const char *end)
{
    const char *last = line_end(p, end);
    size_t len;

    if (end - p < 10 || strncasecmp(p, "DELIMITER ", 10) != 0)
        return p;
    len = (size_t)(last - p) - 10;
    while (len > 0 && (p[10 + len - 1] == '\r' || p[10 + len - 1] == ' '))
        len--;
    if (len == 0 || len > DELIMITER_MAX)
        return p;
    memcpy(f->delimiter, p + 10, len);
    f->delimiter[len] = '\0';
    return last < end ? last + 1 : end;
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && strchr(" \t\r\n", *p))
        p++;
    return p;
}

/* The next statement under the delimiter in force; false: none is left. */
static bool program_next(struct program_file *f, const char **pos, const char *end,
                         struct ddl_statement *st)
{
    const char *p = skip_space(*pos, end);
    const char *next = delimiter_line(f, p, end);
    size_t mark;

    while (next != p) {
        p = skip_space(next, end);
        next = delimiter_line(f, p, end);
    }
    *pos = p;
    if (p == end)
        return false;
    if (strcmp(f->delimiter, ";") == 0)
        return ddl_next(pos, end, st);
    mark = strlen(f->delimiter);
    for (next = p; next < end; next++)
        if ((size_t)(end - next) >= mark && memcmp(next, f->delimiter, mark) == 0)
            break;
    *st = (struct ddl_statement){p, (size_t)(next - p), DDL_OTHER};
    while (st->len > 0 && strchr(" \t\r\n", p[st->len - 1]))
        st->len--;
    *pos = next < end ? next + mark : end;
    return true;
}

/* ---- running ---- */

/* A mode of older servers, without meaning on those that lack it. */
static char *without_old_mode(const char *sql)
{
    static const char mode[] = "NO_AUTO_CREATE_USER";
    const char *at = strstr(sql, mode);
    struct strbuf sb = {0};
    const char *rest;
    size_t before;

    if (!at)
        return NULL;
    rest = at + strlen(mode);
    before = (size_t)(at - sql);
    if (*rest == ',')
        rest++;
    else if (before > 0 && sql[before - 1] == ',')
        before--;
    strbuf_add(&sb, sql, before);
    strbuf_addstr(&sb, rest);
    return strbuf_detach(&sb);
}

static enum err_code program_set(struct program_file *f, const char *sql, struct err *err)
{
    enum err_code rc = conn_exec(f->conn, sql, strlen(sql), NULL, err);
    char *other = NULL;

    err_clear(&f->unset);
    if (rc && err->server_errno == ER_WRONG_VALUE_FOR_VAR)
        other = without_old_mode(sql);
    if (other) {
        err_clear(err);
        rc = conn_exec(f->conn, other, strlen(other), NULL, err);
        free(other);
    }
    if (!rc || err_info(rc)->retryable)
        return rc;
    f->unset = *err;
    err_clear(err);
    return ERR_OK;
}

static bool program_exists(const struct err *err)
{
    return err->server_errno == ER_TRG_ALREADY_EXISTS ||
           err->server_errno == ER_SP_ALREADY_EXISTS ||
           err->server_errno == ER_EVENT_ALREADY_EXISTS;
}

/* Puts on record that this load has made the object, or has found it there. *made: an earlier run
 * has made it. One that was killed right behind its CREATE has not said so: then it is found. */
static enum err_code program_note(const struct program_file *f, const char *sql, const char *value,
                                  bool *made, struct err *err)
{
    struct fact fact;
    struct fact_difference differs;
    const XXH64_hash_t sum =
        XXH3_64bits_withSeed(sql, strlen(sql), XXH3_64bits(f->path, strlen(f->path)));

    (void)snprintf(fact.name, sizeof fact.name, "program %016" PRIx64, (uint64_t)sum);
    (void)snprintf(fact.value, sizeof fact.value, "%s", value);
    if (facts_hold(f->run->conn, &f->run->state, &fact, 1, &differs, err))
        return err->code;
    *made = differs.index == 0 && strcmp(differs.was, PROGRAM_MADE) == 0;
    return ERR_OK;
}

static enum err_code program_left_out(struct program_file *f, const char *sql, struct err *err)
{
    const struct load_run *run = f->run;

    if (program_exists(err)) {
        struct err noting = ERR_INIT;
        bool made = false;

        if (program_note(f, sql, PROGRAM_FOUND, &made, &noting)) {
            *err = noting;
            return err->code;
        }
        if (made) {
            err_clear(err);
            return ERR_OK;
        }
    }
    if (err->code == ERR_SQL)
        err->code = ERR_LOAD_SCHEMA;
    if (!schema_error_of_object(run, err->code))
        return err_wrap(err, "'%s': %.100s", f->path, sql);
    run->report->objects_failed++;
    log_event(LOG_ERROR, "load.object.left-out", F_STR("file", f->path), F_STR("cause", err->msg),
              F_STR("statement", sql),
              F_STR("message", "left out: it cannot be created; the same command tries it again"));
    err_clear(err);
    return ERR_OK;
}

static enum err_code program_create(struct program_file *f, const char *sql, struct err *err)
{
    const struct load_run *run = f->run;
    const struct convert_params params = {.source = &run->source,
                                          .target = &run->flavour,
                                          .definers = run->config->strip_definers ? DEFINER_STRIP
                                                                                  : DEFINER_KEEP};
    struct converted c = {0};
    bool made = false;
    enum err_code rc;

    if (f->unset.code) {
        *err = f->unset;
        rc = err->code;
    } else if (run->config->strip_definers || run->source.vendor != run->flavour.vendor) {
        rc = convert_definition(sql, OBJECT_ROUTINE, &params, &c, err);
        if (!rc)
            rc = conn_exec(f->conn, c.sql, strlen(c.sql), NULL, err);
        else
            err->code = rc = ERR_LOAD_SCHEMA;
    } else {
        rc = conn_exec(f->conn, sql, strlen(sql), NULL, err);
    }
    converted_release(&c);
    if (rc)
        return err_info(rc)->retryable ? rc : program_left_out(f, sql, err);
    return program_note(f, sql, PROGRAM_MADE, &made, err);
}

static enum err_code program_statement(struct program_file *f, const struct ddl_statement *st,
                                       struct err *err)
{
    char *sql = xstrndup(st->text, st->len);
    enum err_code rc = ERR_OK;

    if (strncasecmp(sql, "SET ", 4) == 0)
        rc = program_set(f, sql, err);
    else if (strncasecmp(sql, "ALTER DATABASE ", 15) == 0)
        rc = conn_exec(f->conn, sql, st->len, NULL, err);
    else
        rc = program_create(f, sql, err);
    free(sql);
    return rc;
}

static enum err_code programs_create(struct load_run *run, const char *path, const char *db,
                                     const struct strbuf *text, struct err *err)
{
    struct program_file f = {.run = run, .path = path, .delimiter = ";"};
    const char *pos = strbuf_str(text);
    const char *end = pos + text->len;
    struct ddl_statement st;
    struct strbuf use = {0};
    enum err_code rc = conn_open(run->url, CONN_TARGET, "load", &f.conn, err);

    strbuf_addstr(&use, "USE ");
    strbuf_add_ident(&use, db);
    if (!rc)
        rc = conn_exec(f.conn, use.str, use.len, NULL, err);
    while (!rc && program_next(&f, &pos, end, &st))
        rc = program_statement(&f, &st, err);
    strbuf_release(&use);
    conn_close(f.conn);
    return rc;
}

/* ---- which files, and what becomes of them ---- */

/* Why the file's objects are not created; NULL: they are. */
static const char *programs_why_not(const struct load_run *run, const char *db)
{
    if (run->flavour.vendor == VENDOR_TIDB)
        return "TiDB has no triggers, routines and events: what they do must move into the "
               "application";
    if (run->config->programs_to_file)
        return "as asked";
    if (route_names_database(run->route, db))
        return "names in their bodies are not renamed: change them by hand";
    return NULL;
}

bool programs_created(const struct load_run *run)
{
    bool any = false;

    if (run->flavour.vendor == VENDOR_TIDB || run->config->programs_to_file ||
        run->config->no_schemas || run->config->no_data)
        return false;
    for (size_t i = 0; !any && i < run->dump->file_count; i++) {
        struct file_name name = {0};

        file_name_parse(run->dump->files[i].path, &name);
        any = name.kind == FILE_POST;
        file_name_release(&name);
    }
    return any;
}

static void programs_hand_over(struct load_run *run, const char *path, const char *db,
                               const char *why, const struct strbuf *text)
{
    struct strbuf *out = &run->report->programs;

    out->max = SIZE_MAX / 4;
    strbuf_addf(out, "-- %s: not created: %s\nUSE ", path, why);
    strbuf_add_ident(out, route_database(run->route, db));
    strbuf_addstr(out, ";\n");
    strbuf_add(out, strbuf_str(text), text->len);
    strbuf_addch(out, '\n');
    log_event(LOG_WARN, "load.objects.left-out", F_STR("file", path), F_STR("why", why),
              F_STR("message", "triggers, routines or events are not created"));
}

/* Routines and events belong to a database, triggers to a table, which must be there. */
static bool programs_wanted(const struct load_run *run, const struct file_name *name)
{
    if (name->kind == FILE_POST)
        return filter_match_db(run->filter, name->db);
    for (size_t i = 0; name->kind == FILE_TRIGGERS && i < run->table_count; i++)
        if (strcmp(run->tables[i].dump->db, name->db) == 0 && name->table &&
            strcmp(run->tables[i].dump->name, name->table) == 0)
            return !atomic_load(&run->tables[i].failed);
    return false;
}

static enum err_code programs_file(struct load_run *run, const char *path,
                                   const struct file_name *name, struct err *err)
{
    const char *why = programs_why_not(run, name->db);
    struct strbuf text = {0};
    enum err_code rc = dump_read_schema(run->dump, path, &text, err);

    if (!rc && why)
        programs_hand_over(run, path, name->db, why, &text);
    else if (!rc)
        rc = programs_create(run, path, name->db, &text, err);
    strbuf_release(&text);
    return rc;
}

enum err_code programs_run(struct load_run *run, struct err *err)
{
    static const enum file_kind order[] = {FILE_POST, FILE_TRIGGERS}; /* triggers call routines */
    enum err_code rc = ERR_OK;

    if (run->config->no_schemas)
        return ERR_OK;
    strbuf_reset(&run->report->programs);
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; !rc && i < run->dump->file_count; i++) {
            struct file_name name = {0};

            file_name_parse(run->dump->files[i].path, &name);
            if (name.kind == order[k] && programs_wanted(run, &name))
                rc = programs_file(run, run->dump->files[i].path, &name, err);
            file_name_release(&name);
        }
    return rc;
}
