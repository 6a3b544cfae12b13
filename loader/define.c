/* Definitions: the dump's schema files as the target takes them, under the names they have there,
 * and what is said of the changes. Nothing is kept: who needs a definition again reads it again. */
#include "loader/load_inner.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/rename.h"
#include "common/target/ddl.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAID_MAX 100 /* changes that may behave otherwise; what is lost is always said */

void definition_release(struct definition *d)
{
    converted_release(&d->converted);
    strbuf_release(&d->sql);
    free(d->indexes);
    for (size_t i = 0; i < d->foreign_key_count; i++)
        free(d->foreign_keys[i]);
    free(d->foreign_keys);
    free(d->doubt);
    *d = (struct definition){0};
}

struct definer_of { /* which definition is being made */
    const struct load_run *run;
    enum object_kind kind;
    const char *db; /* on the source */
    bool split;     /* non-unique indexes are kept apart */
};

static enum err_code define_rename(const struct definer_of *of, const struct flavour *flavour,
                                   const char *sql, struct strbuf *out, struct err *err)
{
    const struct rename_params p = {
        .route = of->run->route, .flavour = flavour, .db = of->db, .kind = of->kind};

    if (route_is_empty(of->run->route)) {
        strbuf_addstr(out, sql);
        return ERR_OK;
    }
    return rename_definition(sql, &p, out, err);
}

static enum err_code define_rename_dup(const struct definer_of *of, const char *sql, char **out,
                                       struct err *err)
{
    struct strbuf sb = {0};
    enum err_code rc = define_rename(of, &of->run->flavour, sql, &sb, err);

    if (rc)
        strbuf_release(&sb);
    else
        *out = strbuf_detach(&sb);
    return rc;
}

/* A text that is not understood is the target's to judge, but cannot be renamed. */
static enum err_code define_as_it_is(const struct definer_of *of, const char *sql,
                                     struct definition *d, struct err *err)
{
    if (err->code != ERR_FORMAT)
        return err->code;
    if (!route_is_empty(of->run->route)) {
        err->code = ERR_LOAD_SCHEMA;
        return err_wrap(err, "the definition cannot be understood, and so not be renamed");
    }
    d->doubt = xstrdup(err->msg);
    err_clear(err);
    strbuf_addstr(&d->sql, sql);
    return ERR_OK;
}

static enum err_code define_create(const struct definer_of *of, const char *sql,
                                   struct definition *d, struct err *err)
{
    const struct load_run *run = of->run;
    const struct convert_params params = {
        .source = &run->source,
        .target = &run->flavour,
        .spatial_bytes = run->config->spatial_bytes,
        .key_collation =
            run->config->key_collation_nearest ? KEY_COLLATION_NEAREST : KEY_COLLATION_SAFE,
        .split_indexes = of->split,
        .max_key_bytes = run->limits.max_key_bytes,
        .max_keys = run->limits.max_keys,
        .max_columns = run->limits.max_columns,
        .definers = run->config->strip_definers ? DEFINER_STRIP : DEFINER_KEEP};
    struct converted *c = &d->converted;

    if (c->arena || d->doubt)
        return err_set(err, ERR_LOAD_SCHEMA, "the file holds two CREATE statements");
    if (convert_definition(sql, of->kind, &params, c, err))
        return define_as_it_is(of, sql, d, err);
    if (c->refused)
        return ERR_OK;
    if (define_rename(of, &run->flavour, c->sql, &d->sql, err))
        return define_as_it_is(of, sql, d, err);
    if (c->indexes && define_rename_dup(of, c->indexes, &d->indexes, err))
        return err->code;
    if (c->foreign_key_count > 0)
        d->foreign_keys = xcalloc(c->foreign_key_count, sizeof *d->foreign_keys);
    for (; d->foreign_key_count < c->foreign_key_count; d->foreign_key_count++)
        if (define_rename_dup(of, c->foreign_keys[d->foreign_key_count],
                              &d->foreign_keys[d->foreign_key_count], err))
            return err->code;
    return ERR_OK;
}

static enum err_code define_statement(const struct definer_of *of, const struct ddl_statement *st,
                                      struct definition *d, struct err *err)
{
    char *sql;
    enum err_code rc;

    if (st->kind == DDL_SET || st->kind == DDL_DROP)
        return ERR_OK;
    sql = xstrndup(st->text, st->len);
    if (st->kind == DDL_CREATE)
        rc = define_create(of, sql, d, err);
    else if (st->kind == DDL_SEQUENCE)
        rc = define_rename(of, &of->run->source, sql, &d->sql, err);
    else
        rc = err_set(err, ERR_LOAD_SCHEMA, "a statement that is no CREATE: %.80s", sql);
    strbuf_addstr(&d->sql, ";\n");
    free(sql);
    return rc;
}

static enum err_code define(const struct definer_of *of, const struct strbuf *text,
                            struct definition *d, struct err *err)
{
    const char *pos = strbuf_str(text);
    const char *end = pos + text->len;
    struct ddl_statement st;

    while (ddl_next(&pos, end, &st))
        if (define_statement(of, &st, d, err))
            return err->code;
    if (!d->converted.arena && !d->doubt)
        return err_set(err, ERR_LOAD_SCHEMA, "the file holds no CREATE statement");
    return ERR_OK;
}

static enum err_code define_file(const struct definer_of *of, const char *path,
                                 struct definition *out, struct err *err)
{
    struct strbuf text = {0};
    enum err_code rc = dump_read_schema(of->run->dump, path, &text, err);

    if (!rc)
        rc = define(of, &text, out, err);
    strbuf_release(&text);
    return rc;
}

enum err_code definition_of_table(const struct load_run *run, const struct load_table *t,
                                  bool split, struct definition *out, struct err *err)
{
    const struct definer_of of = {.run = run,
                                  .split = split,
                                  .db = t->dump->db,
                                  .kind = t->dump->kind == TABLE_VIEW       ? OBJECT_VIEW
                                          : t->dump->kind == TABLE_SEQUENCE ? OBJECT_SEQUENCE
                                                                            : OBJECT_TABLE};

    *out = (struct definition){0};
    if (define_file(&of, t->dump->schema_file, out, err))
        return err_wrap(err, "%s", t->label);
    return ERR_OK;
}

/* Where the dump says nothing of the database, or a table's rule leads to one of its own. */
static void define_database_plain(const char *to, struct strbuf *sql)
{
    strbuf_addstr(sql, "CREATE DATABASE IF NOT EXISTS ");
    strbuf_add_ident(sql, to);
    strbuf_addstr(sql, ";\n");
}

enum err_code definition_of_database(const struct load_run *run, const struct dump_database *db,
                                     const char *to, struct definition *out, struct err *err)
{
    const struct definer_of of = {.run = run, .db = db->name, .kind = OBJECT_DATABASE};
    enum err_code rc = ERR_OK;

    *out = (struct definition){0};
    if (!db->schema_file || strcmp(route_database(run->route, db->name), to) != 0)
        define_database_plain(to, &out->sql);
    else
        rc = define_file(&of, db->schema_file, out, err);
    return rc ? err_wrap(err, "database `%s`", to) : ERR_OK;
}

enum err_code definition_allowed(const struct definition *d, struct err *err)
{
    const struct converted *c = &d->converted;

    for (size_t i = 0; c->refused && i < c->change_count; i++)
        if (c->changes[i].severity == CHANGE_REFUSED)
            return err_set(err, ERR_LOAD_SCHEMA, "%s%s%s%s%s", change_part_name(c->changes[i].part),
                           *c->changes[i].name ? " `" : "", c->changes[i].name,
                           *c->changes[i].name ? "`: " : ": ", c->changes[i].meaning);
    return ERR_OK;
}

/* ---- the report ---- */

struct define_report {
    struct load_run *run;
    bool print;
    size_t said;
};

static void report_print(const char *kind, const char *label, const struct change *c)
{
    (void)printf("%-8s %s %s: %s%s%s", change_severity_name(c->severity), kind, label,
                 change_part_name(c->part), *c->name ? " " : "", c->name);
    if (*c->was || *c->is)
        (void)printf(": %s -> %s", *c->was ? c->was : "(nothing)", *c->is ? c->is : "(nothing)");
    (void)printf(": %s\n", c->meaning);
}

/* Everything, an object a line: to stdout where that is what was asked for, else where progress
 * goes. */
static void report_json(const struct define_report *r, const char *kind, const char *label,
                        const struct change *c)
{
    json_t *line = json_pack("{s:{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}}", "change", "severity",
                             change_severity_name(c->severity), "kind", kind, "object", label,
                             "part", change_part_name(c->part), "name", c->name, "was", c->was,
                             "is", c->is, "meaning", c->meaning);
    char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;

    /* one write a line: other threads print, too */
    if (text)
        (void)fprintf(r->print ? stdout : stderr, "%s\n", text);
    free(text);
    json_decref(line);
}

static void report_log(struct define_report *r, const char *kind, const char *label,
                       const struct change *c)
{
    static const enum log_level levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_WARN};
    enum log_level level = levels[c->severity];

    if (c->severity == CHANGE_WARNING && ++r->said > SAID_MAX)
        level = LOG_DEBUG;
    log_event(level, "load.convert", F_STR("severity", change_severity_name(c->severity)),
              F_STR(kind, label), F_STR("part", change_part_name(c->part)), F_STR("name", c->name),
              F_STR("was", c->was), F_STR("is", c->is), F_STR("message", c->meaning));
}

static void report_changes(struct define_report *r, const char *kind, const char *label,
                           const struct definition *d)
{
    struct change doubt = {CHANGE_WARNING, PART_OBJECT, "", "", "", d->doubt};

    for (size_t i = 0; i < d->converted.change_count + (d->doubt ? 1 : 0); i++) {
        const struct change *c = d->doubt ? &doubt : &d->converted.changes[i];

        r->run->report->changes[c->severity]++;
        if (r->run->config->changes_json)
            report_json(r, kind, label, c);
        else if (r->print)
            report_print(kind, label, c);
        else
            report_log(r, kind, label, c);
    }
}

static const char *report_kind(enum table_kind kind)
{
    return kind == TABLE_VIEW ? "view" : kind == TABLE_SEQUENCE ? "sequence" : "table";
}

static enum err_code report_table(struct define_report *r, struct load_table *t, struct err *err)
{
    struct definition d;
    enum err_code rc = definition_of_table(r->run, t, false, &d, err);

    if (!rc)
        report_changes(r, report_kind(t->dump->kind), t->label, &d);
    t->said = true;
    definition_release(&d);
    if (rc != ERR_LOAD_SCHEMA)
        return rc;
    /* That is said when the table is to be created. */
    log_event(LOG_DEBUG, "load.convert", F_STR("message", err->msg));
    err_clear(err);
    return ERR_OK;
}

static enum err_code report_tables(struct define_report *r, struct err *err)
{
    for (size_t i = 0; i < r->run->table_count; i++) {
        struct load_table *t = &r->run->tables[i];

        if ((!t->create && !r->print) || !t->dump->schema_file || t->said)
            continue;
        if (report_table(r, t, err))
            return err->code;
    }
    return ERR_OK;
}

static enum err_code report_databases(struct define_report *r, struct err *err)
{
    struct load_run *run = r->run;

    for (size_t i = 0; i < run->dump->database_count; i++) {
        const struct dump_database *db = &run->dump->databases[i];
        struct definition d;
        enum err_code rc;

        if (!filter_match_db(run->filter, db->name) ||
            (!r->print && schema_has_database(run, route_database(run->route, db->name))))
            continue;
        rc = definition_of_database(run, db, route_database(run->route, db->name), &d, err);
        if (!rc)
            report_changes(r, "database", db->name, &d);
        definition_release(&d);
        if (rc && rc != ERR_LOAD_SCHEMA)
            return rc;
        err_clear(err);
    }
    return ERR_OK;
}

enum err_code definitions_report(struct load_run *run, bool print, struct err *err)
{
    struct define_report r = {.run = run, .print = print};

    if ((!run->said_databases && report_databases(&r, err)) || report_tables(&r, err))
        return err->code;
    run->said_databases = true;
    if (r.said > SAID_MAX)
        log_event(LOG_INFO, "load.convert", F_U64("more", r.said - SAID_MAX),
                  F_STR("message", "more changes: --convert report prints all of them"));
    return ERR_OK;
}
