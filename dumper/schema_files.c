/* Definitions: of tables as their first worker comes to them, of databases, views and sequences by
 * the main thread meanwhile.
 *
 * A table's definition is read when the worker's transaction has opened the table, so that it
 * cannot change any more, and must be the one that was planned with. Its SHA-256 is recorded, and a
 * later epoch must find the same. */
#include "common/base/bytes.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/read.h"
#include "dumper/objects.h"
#include "formats/dump_write.h"
#include "formats/file_names.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define SHA256_HEX 65

/* Of the statement without its AUTO_INCREMENT counter, which moves without any definition. */
static enum err_code schema_hash(const char *sql, char hex[SHA256_HEX], struct err *err)
{
    static const char counter[] = " AUTO_INCREMENT=";
    const char *options = strstr(sql, "\n)");
    const char *cut = options ? strstr(options, counter) : NULL;
    const char *rest = cut ? cut + strlen(counter) : sql;
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool good;

    if (cut)
        rest += strspn(rest, "0123456789");
    good = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) &&
           (!cut || EVP_DigestUpdate(md, sql, (size_t)(cut - sql))) &&
           EVP_DigestUpdate(md, rest, strlen(rest)) && EVP_DigestFinal_ex(md, digest, NULL);
    EVP_MD_CTX_free(md);
    if (!good)
        return err_set(err, ERR_FAILED, "SHA-256 cannot be computed");
    *bytes_to_hex(hex, digest, DIGEST_SHA256_BYTES) = '\0';
    return ERR_OK;
}

enum err_code dumper_put_file(struct dump_run *run, const char *path,
                              const struct compression *compression, const struct strbuf *text,
                              struct err *err)
{
    struct record record = {.kind = RECORD_FILE};
    struct sink *sink = NULL;
    uint64_t raw = 0;
    enum err_code rc;

    rc = dump_file_open(run->output, path, compression, &raw, &record.u.file.digest, &sink, err);
    if (!rc)
        rc = sink_write(sink, strbuf_str(text), text->len, err);
    if (!rc)
        rc = sink_finish(sink, err);
    sink_free(sink);
    if (!rc) {
        record.u.file.path = xstrdup(path);
        rc = manifest_append(run->manifest, &record, err);
    }
    if (!rc) {
        pthread_mutex_lock(&run->lock);
        ledger_add_file(run->ledger, path, record.u.file.digest.bytes);
        pthread_mutex_unlock(&run->lock);
    }
    record_release(&record);
    return rc;
}

enum err_code dumper_put_schema(struct dump_run *run, const char *path, const struct strbuf *text,
                                struct err *err)
{
    return dumper_put_file(run, path, &run->config->compression, text, err);
}

static void schema_header(struct strbuf *text)
{
    strbuf_addstr(text, "/*!40014 SET FOREIGN_KEY_CHECKS=0*/;\n/*!40101 SET NAMES utf8mb4*/;\n");
}

static enum err_code schema_changed(const struct table *t, const char *what, struct err *err)
{
    return err_set(err, ERR_DUMP_TABLE,
                   "'%s.%s' has changed while the dump began (%s): say the command again", t->db,
                   t->name, what);
}

/* Whether the column's line of SHOW CREATE TABLE begins with this name and type. A word in small
 * letters or a comment behind it may belong to the type: unsigned, a compressed column. */
static bool schema_line_is(const char *line, const struct column *c)
{
    struct strbuf begin = {0};
    bool same;

    strbuf_addstr(&begin, "  ");
    strbuf_add_ident(&begin, c->name);
    strbuf_addch(&begin, ' ');
    strbuf_addstr(&begin, c->type_text);
    same = strncmp(line, strbuf_str(&begin), begin.len) == 0;
    line += same ? begin.len : 0;
    strbuf_release(&begin);
    return same &&
           (*line == ',' || *line == '\n' || (*line == ' ' && line[1] >= 'A' && line[1] <= 'Z'));
}

/* Whether SHOW CREATE TABLE has the columns of the plan. false: perhaps not. */
static bool schema_text_agrees(const char *sql, const struct table *t)
{
    const char *line = strchr(sql, '\n');

    for (unsigned i = 0; line && i < t->column_count; i++) {
        if (!schema_line_is(line + 1, &t->columns[i]))
            return false;
        line = strchr(line + 1, '\n');
    }
    return line && strncmp(line + 1, "  `", 3) != 0;
}

/* The server's columns are those of the plan: its definition mostly says so, and is at hand. */
static enum err_code schema_compare(struct worker *w, const struct table *t, const char *sql,
                                    struct err *err)
{
    struct result *r = NULL;
    struct row row;
    unsigned i = 0;
    bool more = true;
    enum err_code rc;

    if (schema_text_agrees(sql, t))
        return ERR_OK;
    strbuf_reset(&w->sql);
    strbuf_addstr(&w->sql, "SELECT COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS WHERE "
                           "TABLE_SCHEMA = ");
    strbuf_add_quotedz(&w->sql, t->db);
    strbuf_addstr(&w->sql, " AND TABLE_NAME = ");
    strbuf_add_quotedz(&w->sql, t->name);
    strbuf_addstr(&w->sql, " ORDER BY ORDINAL_POSITION");
    rc = conn_query(w->conn, strbuf_str(&w->sql), w->sql.len, false, &r, err);
    while (!rc && more) {
        rc = result_next(r, &row, &more, err);
        if (rc || !more)
            break;
        if (i >= t->column_count || strcmp(row.cell[0], t->columns[i].name) != 0 ||
            strcmp(row.cell[1], t->columns[i].type_text) != 0)
            rc = schema_changed(t, row.cell[0], err);
        i++;
    }
    if (!rc && i != t->column_count)
        rc = schema_changed(t, "columns are gone", err);
    result_free(r);
    return rc;
}

static const char *schema_kind(const struct table *t)
{
    if (t->kind == TABLE_VIEW)
        return "view";
    return t->kind == TABLE_SEQUENCE ? "sequence" : "table";
}

static char *text_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static enum err_code schema_record(struct dump_run *run, struct plan_table *p, const char *path,
                                   const char *sha256, struct err *err)
{
    const struct table *t = p->table;
    struct ledger_table *l = p->ledger;
    struct record record = {.kind = RECORD_TABLE};
    struct table_record *r = &record.u.table;
    enum err_code rc;

    r->table = l->id;
    r->epoch = run->epoch;
    r->db = xstrdup(t->db);
    r->name = xstrdup(t->name);
    r->kind = xstrdup(schema_kind(t));
    r->schema_file = text_or_null(path);
    r->sha256 = xstrdup(sha256);
    r->data_bytes = t->data_bytes;
    r->columns = xcalloc(t->column_count + 1, sizeof(*r->columns));
    for (unsigned i = 0; i < t->column_count; i++) {
        const struct column *c = &t->columns[i];

        if (c->left_out)
            continue;
        r->columns[r->column_count++] = (struct column_record){
            .name = xstrdup(c->name),
            .type_text = xstrdup(c->type_text),
            .charset = text_or_null(c->charset),
            .collation = text_or_null(c->collation),
            .nullable = c->nullable,
            .is_generated = !column_is_dumped(c),
            .invisible = c->invisible,
            .auto_increment = c->auto_increment,
        };
    }
    if (p->key) {
        r->key = xstrdup(p->key->name);
        r->key_column_count = p->key->part_count;
        r->key_columns = xcalloc(p->key->part_count, sizeof(*r->key_columns));
        for (unsigned i = 0; i < p->key->part_count; i++)
            r->key_columns[i] = xstrdup(t->columns[p->key->parts[i].column].name);
    }
    rc = manifest_append(run->manifest, &record, err);
    record_release(&record);
    pthread_mutex_lock(&run->lock);
    l->recorded = !rc;
    free(l->sha256);
    l->sha256 = xstrdup(sha256);
    pthread_mutex_unlock(&run->lock);
    fault_point("dump.table-record");
    return rc;
}

/* As the table is now, in the worker's transaction. */
static enum err_code table_definition(struct worker *w, struct plan_table *p, char **sql,
                                      char sha256[SHA256_HEX], struct err *err)
{
    const struct table *t = p->table;
    enum err_code rc = dumper_probe(w, p, err);

    if (!rc)
        rc = schema_create_table(w->conn, t, sql, err);
    if (!rc)
        rc = schema_compare(w, t, *sql, err);
    if (!rc)
        rc = schema_hash(*sql, sha256, err);
    return rc ? dumper_table_error(t, err) : ERR_OK;
}

enum err_code dumper_same_definition(struct dump_run *run, const struct table *t,
                                     const char *recorded, bool *same, struct err *err)
{
    char sha256[SHA256_HEX];
    char *sql = NULL;
    enum err_code rc = schema_create_table(run->control, t, &sql, err);

    if (!rc)
        rc = schema_hash(sql, sha256, err);
    *same = !rc && strcmp(sha256, recorded) == 0;
    free(sql);
    if (rc && (rc == ERR_SQL || rc == ERR_DUMP_TABLE) && conn_usable(run->control)) {
        err_clear(err); /* it is gone, or is no table any more */
        return ERR_OK;
    }
    return rc;
}

enum err_code dumper_begin_table(struct worker *w, struct plan_table *p, struct err *err)
{
    struct dump_run *run = w->run;
    const struct table *t = p->table;
    struct strbuf path = {0};
    struct strbuf text = {0};
    char sha256[SHA256_HEX];
    char *sql = NULL;
    enum err_code rc = table_definition(w, p, &sql, sha256, err);

    if (!rc)
        rc = dumper_check_text(w, p, err);
    if (rc)
        goto out;
    if (p->ledger->recorded && !p->ledger->voided) {
        if (p->ledger->sha256 && strcmp(sha256, p->ledger->sha256) != 0)
            rc = err_set(err, ERR_DUMP_MOVED, "the definition of '%s.%s' has changed", t->db,
                         t->name);
        goto out;
    }
    if (!run->config->no_schemas) {
        file_name_schema(&path, FILE_TABLE, t->db, t->name,
                         run->config->compression.codec->extension);
        schema_header(&text);
        strbuf_addstr(&text, sql);
        strbuf_addstr(&text, ";\n");
        rc = dumper_put_schema(run, strbuf_str(&path), &text, err);
    }
    if (!rc)
        rc = schema_record(run, p, path.str, sha256, err);
out:
    free(sql);
    strbuf_release(&path);
    strbuf_release(&text);
    return rc;
}

static enum err_code database_write(struct dump_run *run, const char *db, struct err *err)
{
    struct strbuf path = {0};
    struct strbuf text = {0};
    char *sql = NULL;
    enum err_code rc = ERR_OK;
    bool there;

    file_name_schema(&path, FILE_DATABASE, db, NULL, run->config->compression.codec->extension);
    pthread_mutex_lock(&run->lock);
    there = ledger_find_file(run->ledger, strbuf_str(&path)) != NULL;
    pthread_mutex_unlock(&run->lock);
    if (there)
        goto out;
    rc = schema_create_database(run->control, db, &sql, err);
    if (rc)
        goto out;
    schema_header(&text);
    strbuf_addstr(&text, sql);
    strbuf_addstr(&text, ";\n");
    rc = dumper_put_schema(run, strbuf_str(&path), &text, err);
out:
    free(sql);
    strbuf_release(&path);
    strbuf_release(&text);
    return rc ? err_wrap(err, "database '%s'", db) : ERR_OK;
}

/* A table in the view's place, as Dumpling writes one: readers that go by names want it, and views
 * that look at each other can be made in any order. */
static enum err_code view_placeholder(struct dump_run *run, const struct table *t, struct err *err)
{
    struct strbuf path = {0};
    struct strbuf text = {0};
    enum err_code rc;

    file_name_schema(&path, FILE_TABLE, t->db, t->name, run->config->compression.codec->extension);
    schema_header(&text);
    strbuf_addstr(&text, "CREATE TABLE ");
    strbuf_add_ident(&text, t->name);
    strbuf_addstr(&text, "(\n");
    for (unsigned i = 0; i < t->column_count; i++) {
        strbuf_addstr(&text, i ? ",\n" : "");
        strbuf_add_ident(&text, t->columns[i].name);
        strbuf_addstr(&text, " int");
    }
    strbuf_addstr(&text, t->column_count ? "\n)ENGINE=MyISAM;\n" : "`none` int\n)ENGINE=MyISAM;\n");
    rc = dumper_put_schema(run, strbuf_str(&path), &text, err);
    strbuf_release(&path);
    strbuf_release(&text);
    return rc;
}

/* The collation that the view's literals were read with. */
static enum err_code view_collation(struct dump_run *run, const struct table *t, char **collation,
                                    struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT COLLATION_CONNECTION FROM information_schema.VIEWS WHERE "
                        "TABLE_SCHEMA = ");
    strbuf_add_quotedz(&sql, t->db);
    strbuf_addstr(&sql, " AND TABLE_NAME = ");
    strbuf_add_quotedz(&sql, t->name);
    rc = conn_value(run->control, strbuf_str(&sql), collation, err);
    strbuf_release(&sql);
    return rc;
}

static enum err_code view_text(struct dump_run *run, const struct table *t, const char *sql,
                               struct strbuf *text, struct err *err)
{
    char *collation = NULL;
    enum err_code rc = view_collation(run, t, &collation, err);

    if (rc)
        return rc;
    strbuf_addstr(text, "/*!40101 SET NAMES utf8mb4*/;\nDROP TABLE IF EXISTS ");
    strbuf_add_ident(text, t->name);
    strbuf_addstr(text, ";\nDROP VIEW IF EXISTS ");
    strbuf_add_ident(text, t->name);
    strbuf_addstr(text, ";\nSET @PREV_COLLATION_CONNECTION=@@COLLATION_CONNECTION;\n");
    if (collation)
        strbuf_addf(text, "SET collation_connection = %s;\n", collation);
    definer_rewrite(&run->config->definer, sql, strlen(sql), text);
    strbuf_addstr(text, ";\nSET collation_connection = @PREV_COLLATION_CONNECTION;\n");
    free(collation);
    return ERR_OK;
}

static enum err_code other_write(struct dump_run *run, struct plan_table *p, struct err *err)
{
    const struct table *t = p->table;
    bool view = t->kind == TABLE_VIEW;
    struct strbuf path = {0};
    struct strbuf text = {0};
    char sha256[SHA256_HEX];
    char *sql = NULL;
    enum err_code rc;

    rc = view ? dumper_check_view(run, t, err) : ERR_OK;
    if (!rc)
        rc = schema_create_table(run->control, t, &sql, err);
    if (!rc)
        rc = schema_hash(sql, sha256, err);
    if (!rc && !view)
        schema_header(&text);
    if (!rc)
        rc = view ? view_text(run, t, sql, &text, err)
                  : dumper_sequence_text(run, t, sql, &text, err);
    if (rc && view)
        rc = dumper_leave_out(run, "VIEW", t->db, t->name, err);
    if (rc || !text.len)
        goto out;
    if (view)
        rc = view_placeholder(run, t, err);
    file_name_schema(&path, view ? FILE_VIEW : FILE_SEQUENCE, t->db, t->name,
                     run->config->compression.codec->extension);
    if (!rc)
        rc = dumper_put_schema(run, strbuf_str(&path), &text, err);
    if (!rc)
        rc = schema_record(run, p, strbuf_str(&path), sha256, err);
out:
    free(sql);
    strbuf_release(&path);
    strbuf_release(&text);
    return rc ? err_wrap(err, "%s '%s.%s'", schema_kind(t), t->db, t->name) : ERR_OK;
}

static enum err_code other_done(struct dump_run *run, struct plan_table *p, struct err *err)
{
    const struct record done = {.kind = RECORD_TABLE_DONE,
                                .u.table_done = {.table = p->ledger->id}};

    p->ledger->done = true;
    return manifest_append(run->manifest, &done, err);
}

enum err_code dumper_write_schemas(struct dump_run *run, struct err *err)
{
    const struct schema *s = run->plan.schema;
    enum err_code rc = ERR_OK;

    if (run->config->no_schemas)
        return ERR_OK;
    for (size_t i = 0; !rc && i < s->database_count && !dumper_stopped(run); i++)
        rc = database_write(run, s->databases[i].name, err);
    for (size_t i = 0; !rc && i < run->plan.other_count && !dumper_stopped(run); i++) {
        struct plan_table *p = &run->plan.others[i];

        if (!p->ledger->recorded)
            rc = other_write(run, p, err);
        if (!rc && p->ledger->recorded && !p->ledger->done)
            rc = other_done(run, p, err);
    }
    if (!rc && !dumper_stopped(run))
        rc = dumper_write_objects(run, err);
    return rc;
}
