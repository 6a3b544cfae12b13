/* What lies in the store against what the records name. */
#include "verify/verify_inner.h"

#include "common/base/mem.h"
#include "formats/file_names.h"
#include "formats/metadata.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define METADATA_MAX ((size_t)16 << 20)

struct path_set {
    const char **paths; /* sorted */
    size_t count;
    struct verify_run *run;
};

static int path_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool path_in(const struct path_set *set, const char *path)
{
    return set->count && bsearch(&path, set->paths, set->count, sizeof(*set->paths), path_order);
}

/* Names that tools which do not know the manifest would take for a part of the dump. */
static bool name_is_read(const char *path)
{
    struct file_name name;
    bool is;

    file_name_parse(path, &name);
    is = name.kind != FILE_OTHER && name.kind != FILE_METADATA && name.kind != FILE_MANIFEST &&
         name.kind != FILE_BINLOG && name.kind != FILE_LOCK;
    file_name_release(&name);
    return is;
}

static enum err_code listed(void *ctx, const char *path, const struct store_info *info,
                            struct err *err)
{
    struct path_set *set = ctx;

    (void)info;
    (void)err;
    if (name_is_read(path) && !path_in(set, path))
        verify_fault(set->run, path, "is named by no record: other tools would read it");
    return ERR_OK;
}

static void set_fill(struct path_set *set)
{
    const struct verify_run *run = set->run;

    set->paths = xcalloc(run->chunk_count + run->dump->file_count + run->dump->binlog_count + 1,
                         sizeof(*set->paths));
    for (size_t i = 0; i < run->chunk_count; i++)
        set->paths[set->count++] = run->chunks[i]->path;
    for (size_t i = 0; i < run->dump->file_count; i++)
        set->paths[set->count++] = run->dump->files[i].path;
    for (size_t i = 0; i < run->dump->binlog_count; i++)
        set->paths[set->count++] = run->dump->binlog[i].path;
    if (set->count)
        qsort(set->paths, set->count, sizeof(*set->paths), path_order);
    for (size_t i = 1; i < set->count; i++)
        if (strcmp(set->paths[i - 1], set->paths[i]) == 0)
            verify_fault(set->run, set->paths[i], "is the file of two records");
}

static void schemas_check(const struct path_set *set)
{
    const struct dump *d = set->run->dump;

    for (size_t i = 0; i < d->table_count; i++)
        if (d->tables[i].schema_file && !path_in(set, d->tables[i].schema_file))
            verify_table_fault(set->run, &d->tables[i],
                               "its definition, %s, is in no record of the manifest",
                               d->tables[i].schema_file);
}

/* The position in `metadata` is the first epoch's. In mydumper's form it is looked for as text. */
static void metadata_compare(struct verify_run *run, char *text)
{
    const struct epoch_record *first = &run->dump->epochs[0];
    struct metadata m = {0};
    struct err err = ERR_INIT;

    if (!first->log_file)
        return;
    if (strstr(text, "[source]") || strstr(text, "[master]")) {
        if (!strstr(text, first->log_file))
            verify_fault(run, METADATA_FILE, "does not name %s, the manifest's first position",
                         first->log_file);
        return;
    }
    if (metadata_parse(text, &m, &err))
        verify_fault(run, METADATA_FILE, "%s", err.msg);
    else if (!m.source.file || strcmp(m.source.file, first->log_file) != 0 ||
             m.source.offset != first->log_pos)
        verify_fault(run, METADATA_FILE,
                     "has the position %s:%" PRIu64 ", the manifest's first one is %s:%" PRIu64,
                     m.source.file ? m.source.file : "none", m.source.offset, first->log_file,
                     first->log_pos);
}

static enum err_code metadata_check(struct verify_run *run, struct err *err)
{
    struct strbuf text = {.max = METADATA_MAX + 1};
    struct err found = ERR_INIT;
    enum err_code rc = store_get(run->dump->store, METADATA_FILE, &text, METADATA_MAX, &found);

    if (rc == ERR_STORE_NOT_FOUND) {
        verify_fault(run, METADATA_FILE, "is missing");
        rc = ERR_OK;
    } else if (rc) {
        *err = found;
    } else if (run->dump->epoch_count) {
        char *copy = xstrdup(strbuf_str(&text));

        metadata_compare(run, copy);
        free(copy);
    }
    strbuf_release(&text);
    return rc;
}

enum err_code verify_listing(struct verify_run *run, struct err *err)
{
    struct path_set set = {.run = run};
    enum err_code rc = ERR_OK;

    if (run->dump->foreign) /* there are no records: the listing made the dump */
        return ERR_OK;
    set_fill(&set);
    schemas_check(&set);
    /* a dump that is being written has files whose records are still to come */
    if (run->dump->complete) {
        rc = store_list(run->dump->store, "", NULL, listed, &set, err);
        if (!rc)
            rc = metadata_check(run, err);
    }
    free(set.paths);
    return rc;
}
