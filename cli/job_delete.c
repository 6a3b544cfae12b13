/* ferry job delete: the runner is asked to stop, then the job's traces go: on the target first, so
 * that what was cut off can be said again. */
#include "cli/job_verbs.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "formats/dump_status.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_US ((uint64_t)30 * 1000000)

static enum err_code ask(const struct job_opts *o, const struct job_home *home, struct err *err)
{
    char answer[16] = "";

    if (o->yes)
        return ERR_OK;
    if (!isatty(STDIN_FILENO))
        return err_set(err, ERR_USAGE, "job '%s' would be deleted%s: say --yes", home->name,
                       o->purge ? ", its dump and its progress on the target, too" : "");
    (void)fprintf(stderr, "Delete job '%s'%s? (yes/no) ", home->name,
                  o->purge ? ", its dump and its progress on the target" : "");
    if (!fgets(answer, sizeof answer, stdin) || strncmp(answer, "yes", 3) != 0)
        return err_set(err, ERR_INTERRUPTED, "job '%s' was not deleted", home->name);
    return ERR_OK;
}

struct paths {
    char **items;
    size_t count;
};

static enum err_code path_take(void *ctx, const char *path, const struct store_info *info,
                               struct err *err)
{
    struct paths *p = ctx;

    (void)info;
    (void)err;
    p->items = xreallocarray(p->items, p->count + 1, sizeof *p->items);
    p->items[p->count++] = xstrdup(path);
    return ERR_OK;
}

/* The one folder that a dump makes below its output, empty now; an object store has none. */
static void folder_remove(const char *url)
{
    const char *path = strncmp(url, "file://", 7) == 0 ? url + 7 : url;
    char *manifest = xasprintf("%s/ferry.manifest", path);

    if (*path == '/')
        (void)rmdir(manifest);
    free(manifest);
}

/* Only what is certainly this job's dump; the manifest goes last, so that it can be said again. */
static enum err_code dump_remove(const char *url, const char *uuid, struct err *err)
{
    struct store *store = NULL;
    struct dump_status status;
    struct paths paths = {0};
    enum err_code rc = store_open(url, false, &store, err);

    if (!rc)
        rc = dump_status_read(store, &status, err);
    if (rc == ERR_STORE_NOT_FOUND) {
        store_free(store);
        err_clear(err);
        return ERR_OK;
    }
    if (!rc && (!uuid || strcmp(status.uuid, uuid) != 0))
        rc = err_set(err, ERR_JOB_STATE,
                     "'%s' holds dump %s, and the job's is %s: it is left alone; remove it by hand",
                     url, status.uuid, uuid ? uuid : "not known");
    if (!rc)
        rc = store_list(store, "", NULL, path_take, &paths, err);
    for (int last = 0; last < 2; last++)
        for (size_t i = 0; !rc && i < paths.count; i++)
            if ((strncmp(paths.items[i], "ferry.manifest/", 15) == 0) == (last == 1))
                rc = store_remove(store, paths.items[i], err);
    for (size_t i = 0; i < paths.count; i++)
        free(paths.items[i]);
    free(paths.items);
    store_free(store);
    if (!rc)
        folder_remove(url);
    return rc;
}

static enum err_code target_clean(const struct job_opts *o, const struct job_spec *spec,
                                  const struct job_record *r, struct err *err)
{
    const struct job_release release = {.id = r->id,
                                        .dump_uuid = r->dump_uuid,
                                        .schema = spec->meta_schema,
                                        .target_job = r->target_job,
                                        .rows_too = o->purge};
    struct server_url url = {0};
    enum err_code rc = job_resolve(spec->target_url, "target", spec->defaults_file, &url, err);

    if (!rc)
        rc = job_release(&url, &release, err);
    server_url_release(&url);
    return rc;
}

/* The dump's URL as the stages have it; in the job's folder: removed with it. */
static enum err_code dump_clean(const struct job_home *home, const struct job_spec *spec,
                                const struct job_record *r, struct err *err)
{
    const char *output = spec_option(spec, COMMAND_DUMP, "output");
    char *url;
    enum err_code rc;

    if (!output || spec->mode == MODE_INCREMENTAL)
        return ERR_OK;
    if (*output == '/' || strstr(output, "://"))
        url = xstrdup(output);
    else
        url = home_path(home, output);
    rc = dump_remove(url, r->dump_uuid, err);
    free(url);
    return rc;
}

static enum err_code traces_remove(const struct job_opts *o, const struct job_home *home,
                                   const struct job_record *r, struct err *err)
{
    struct job_spec spec = {0};
    char *file = home_path(home, "job.ini");
    struct err spec_err = ERR_INIT;
    enum err_code rc = spec_read(file, home->root, &job_commands_table, &spec, &spec_err);

    if (rc && (o->purge || r->claimed))
        rc = err_set(err, spec_err.code, "%s", spec_err.msg);
    else if (rc)
        rc = ERR_OK; /* nothing but the folder is known of it */
    else if (r->claimed || o->purge)
        rc = target_clean(o, &spec, r, err);
    if (!rc && o->purge && spec.target_url)
        rc = dump_clean(home, &spec, r, err);
    if (rc)
        (void)err_wrap(err, "job '%s' is not deleted yet; say it again", home->name);
    spec_release(&spec);
    free(file);
    return rc;
}

/* The dump's UUID, where the dump has not come to its end: the record does not know it then. */
static void uuid_find(const struct job_home *home, struct job_record *r)
{
    char *conf = home_path(home, "dump.conf");
    FILE *f = fopen(conf, "re");
    char line[4096];
    struct err err = ERR_INIT;

    while (f && !r->dump_uuid && fgets(line, sizeof line, f)) {
        struct store *store = NULL;
        struct dump_status status;
        char *end = strrchr(line, '"');

        if (strncmp(line, "output = \"", 10) != 0 || !end || end < line + 10)
            continue;
        *end = '\0';
        if (store_open(line + 10, false, &store, &err) == ERR_OK &&
            dump_status_read(store, &status, &err) == ERR_OK && *status.uuid)
            r->dump_uuid = xstrdup(status.uuid);
        store_free(store);
    }
    if (f)
        (void)fclose(f);
    free(conf);
}

enum err_code job_delete(const struct job_opts *o, struct job_home *home,
                         const struct cancel *cancel, struct err *err)
{
    struct job_record r = {0};
    char *dump = home_path(home, "dump");
    enum err_code rc = ask(o, home, err);

    if (!rc)
        rc = home_ask(home, REQUEST_DELETE, "", err);
    if (!rc)
        rc = home_lock(home, STOP_US, cancel, err);
    if (!rc)
        rc = job_record_read(home->dir, &r, err);
    if (!rc)
        uuid_find(home, &r);
    if (!rc)
        rc = traces_remove(o, home, &r, err);
    if (!rc)
        rc = home_remove(home, o->purge, err);
    if (rc)
        home_answered(home, REQUEST_DELETE);
    if (!rc && o->json)
        json_answer(json_pack("{s:s,s:b}", "deleted", home->name, "purged", o->purge));
    else if (!rc && access(dump, F_OK) == 0)
        (void)printf("job %s is deleted; its dump stays: %s\n", home->name, dump);
    else if (!rc)
        (void)printf("job %s is deleted\n", home->name);
    job_record_release(&r);
    free(dump);
    return rc;
}
