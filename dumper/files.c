/* The output's listing against the ledger. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "dumper/run.h"
#include "formats/file_names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SEEN ((uint64_t)1 << 63) /* no file is as long */

bool dumper_owns(const char *path, bool *manifest)
{
    struct file_name name = {0};
    enum file_kind kind;

    file_name_parse(path, &name);
    kind = name.kind;
    file_name_release(&name);
    *manifest = kind == FILE_MANIFEST;
    return kind != FILE_OTHER;
}

struct paths {
    char **path;
    size_t count;
};

static void paths_add(struct paths *p, const char *path)
{
    if ((p->count & (p->count + 1)) == 0) /* full at 0, 1, 3, 7, ... */
        p->path = xreallocarray(p->path, p->count * 2 + 1, sizeof(char *));
    p->path[p->count++] = xstrdup(path);
}

static void paths_release(struct paths *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->path[i]);
    free(p->path);
}

struct wipe {
    struct paths files, segments;
};

static enum err_code wipe_list(void *ctx, const char *path, const struct store_info *info,
                               struct err *err)
{
    struct wipe *w = ctx;
    bool manifest = false;

    (void)info;
    (void)err;
    if (dumper_owns(path, &manifest) && strcmp(path, LOCK_FILE) != 0)
        paths_add(manifest ? &w->segments : &w->files, path);
    return ERR_OK;
}

/* The first segment goes last: as long as anything is there, it is known as a dump. */
enum err_code dumper_wipe(struct dump_run *run, struct err *err)
{
    struct wipe w = {0};
    enum err_code rc = store_list(run->output, "", NULL, wipe_list, &w, err);

    for (size_t i = 0; !rc && i < w.files.count; i++)
        rc = store_remove(run->output, w.files.path[i], err);
    for (size_t i = w.segments.count; !rc && i > 0; i--)
        rc = store_remove(run->output, w.segments.path[i - 1], err);
    paths_release(&w.files);
    paths_release(&w.segments);
    return rc;
}

struct check { /* one listing under way */
    struct dump_run *run;
    struct paths orphans;
    struct strbuf path; /* scratch */
};

static enum err_code check_length(const struct dump_run *run, const char *path, uint64_t recorded,
                                  uint64_t found, struct err *err)
{
    if (recorded == found)
        return ERR_OK;
    return err_set(err, ERR_CORRUPT, "%s/%s has %" PRIu64 " bytes, recorded are %" PRIu64,
                   run->output->text, path, found, recorded);
}

/* *known: the file has a record. */
static enum err_code check_data(struct check *c, const char *path, const struct file_name *name,
                                uint64_t size, bool *known, struct err *err)
{
    const struct dump_config *config = c->run->config;
    struct ledger_table *t = ledger_find(c->run->ledger, name->db, name->table);
    uint64_t *recorded;

    if (!t || !name->number || name->number > t->file_cap ||
        t->file_bytes[name->number - 1] == FILE_ABSENT)
        return ERR_OK;
    strbuf_reset(&c->path);
    file_name_data(&c->path, name->db, name->table, name->number,
                   config->format == ROW_FORMAT_SQL ? "sql" : "csv",
                   config->compression.codec->extension);
    if (strcmp(strbuf_str(&c->path), path) != 0)
        return ERR_OK;
    *known = true;
    recorded = &t->file_bytes[name->number - 1];
    if (check_length(c->run, path, *recorded & ~FILE_SEEN, size, err))
        return err->code;
    *recorded |= FILE_SEEN;
    return ERR_OK;
}

/* The definition of a table without a table record, or of one that is voided, is written again, and
 * may be in any state. */
static bool check_schema_fixed(const struct check *c, const struct file_name *name)
{
    const struct ledger_table *t = NULL;

    if (name->db && name->table)
        t = ledger_find(c->run->ledger, name->db, name->table);
    return name->kind == FILE_DATABASE || name->kind == FILE_POST || name->kind == FILE_TRIGGERS ||
           name->kind == FILE_BINLOG || (t && t->recorded && !t->voided);
}

static enum err_code check_file(void *ctx, const char *path, const struct store_info *info,
                                struct err *err)
{
    struct check *c = ctx;
    struct file_name name = {0};
    struct ledger_file *f;
    bool known = false;
    enum err_code rc = ERR_OK;

    file_name_parse(path, &name);
    switch (name.kind) {
    case FILE_OTHER:
    case FILE_MANIFEST:
    case FILE_METADATA:
    case FILE_LOCK:
        known = true;
        break;
    case FILE_DATA:
        rc = check_data(c, path, &name, info->size, &known, err);
        break;
    case FILE_DATABASE:
    case FILE_TABLE:
    case FILE_VIEW:
    case FILE_POST:
    case FILE_TRIGGERS:
    case FILE_SEQUENCE:
    case FILE_BINLOG:
        f = ledger_find_file(c->run->ledger, path);
        known = f != NULL;
        if (f && check_schema_fixed(c, &name))
            rc = check_length(c->run, path, f->bytes, info->size, err);
        if (f)
            f->seen = true;
        break;
    }
    file_name_release(&name);
    if (!rc && !known)
        paths_add(&c->orphans, path);
    return rc;
}

static enum err_code check_missing_data(struct check *c, const struct ledger_table *t,
                                        struct err *err)
{
    const struct dump_config *config = c->run->config;

    for (size_t i = 0; i < t->file_cap; i++) {
        if (t->file_bytes[i] == FILE_ABSENT)
            continue;
        if (config->spool) { /* the load knows whether it is done with what is not there */
            t->file_bytes[i] &= ~FILE_SEEN;
            continue;
        }
        if (t->file_bytes[i] & FILE_SEEN) {
            t->file_bytes[i] &= ~FILE_SEEN;
            continue;
        }
        strbuf_reset(&c->path);
        file_name_data(&c->path, t->db, t->name, i + 1,
                       config->format == ROW_FORMAT_SQL ? "sql" : "csv",
                       config->compression.codec->extension);
        return err_set(err, ERR_DUMP_FILE_MISSING, "%s/%s is recorded and not there",
                       c->run->output->text, strbuf_str(&c->path));
    }
    return ERR_OK;
}

static enum err_code check_missing(struct check *c, struct err *err)
{
    struct ledger *l = c->run->ledger;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < l->table_count; i++)
        rc = check_missing_data(c, l->tables[i], err);
    for (size_t i = 0; !rc && i < l->file_count; i++) {
        struct file_name name = {0};

        file_name_parse(l->files[i].path, &name);
        if (!l->files[i].seen && check_schema_fixed(c, &name))
            rc = err_set(err, ERR_DUMP_FILE_MISSING, "%s/%s is recorded and not there",
                         c->run->output->text, l->files[i].path);
        file_name_release(&name);
        l->files[i].seen = false;
    }
    return rc;
}

enum err_code dumper_check_files(struct dump_run *run, struct err *err)
{
    struct check c = {.run = run};
    enum err_code rc;

    ledger_sort(run->ledger);
    rc = store_list(run->output, "", NULL, check_file, &c, err);
    if (!rc)
        rc = check_missing(&c, err);
    for (size_t i = 0; !rc && i < c.orphans.count; i++) {
        log_event(LOG_DEBUG, "dump.file.orphan", F_STR("path", c.orphans.path[i]),
                  F_STR("message", "deleted: no record speaks of it"));
        rc = store_remove(run->output, c.orphans.path[i], err);
    }
    paths_release(&c.orphans);
    strbuf_release(&c.path);
    return rc;
}
