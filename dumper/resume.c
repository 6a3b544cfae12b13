/* What an output holds, and whether this command may go on with it. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "dumper/run.h"
#include "formats/file_names.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum err_code dumper_stop_error(const struct dump_run *run, struct err *err)
{
    if (cancel_asked(run->cancel))
        return err_set(err, ERR_INTERRUPTED, "interrupted; what is finished is kept");
    return err_set(err, ERR_FAILED, "stopped");
}

struct look { /* what a first listing finds */
    bool manifest;
    char *foreign, *ours; /* one name of each, apart from the manifest and the lease */
};

static enum err_code look_at(void *ctx, const char *path, const struct store_info *info,
                             struct err *err)
{
    struct look *look = ctx;
    bool manifest = false;

    (void)info;
    (void)err;
    if (strcmp(path, LOCK_FILE) == 0)
        return ERR_OK;
    if (!dumper_owns(path, &manifest)) {
        if (!look->foreign)
            look->foreign = xstrdup(path);
    } else if (manifest) {
        look->manifest = true;
    } else if (!look->ours) {
        look->ours = xstrdup(path);
    }
    return ERR_OK;
}

/* Its files would lie among those of the other dump, for which they are foreign. */
static enum err_code look_above(const struct dump_run *run, struct err *err)
{
    char *above = store_above(run->output, MANIFEST_FOLDER "000001.jsonl");

    if (!above)
        return ERR_OK;
    (void)err_set(err, ERR_DUMP_OUTPUT_USED,
                  "%s lies in %s, which holds a dump: write to a folder outside of it",
                  run->output->text, above);
    free(above);
    return err->code;
}

enum err_code dumper_look(const struct dump_run *run, struct err *err)
{
    struct look look = {0};
    const char *other;
    enum err_code rc = store_list(run->output, "", NULL, look_at, &look, err);

    other = look.foreign ? look.foreign : look.ours;
    if (!rc && !look.manifest && other)
        rc = err_set(err, ERR_DUMP_OUTPUT_USED, "%s holds '%s' and no dump of ferry's",
                     run->output->text, other);
    else if (!rc && run->config->restart && look.foreign)
        rc = err_set(err, ERR_DUMP_OUTPUT_USED,
                     "%s holds '%s', which is not of a dump: --restart would leave it there",
                     run->output->text, look.foreign);
    if (!rc && !look.manifest)
        rc = look_above(run, err);
    free(look.foreign);
    free(look.ours);
    return rc;
}

static json_t *options_list(const char *const *items, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_string(items[i]));
    return list;
}

/* Only what was asked for: a dump without any of it is whole. */
static void options_partial(json_t *o, const char *name, const struct dump_list *list)
{
    if (!list->count)
        return;
    (void)json_object_set_new(o, name, options_list(list->items, list->count));
    (void)json_object_set_new(o, "partial", json_true());
}

/* Only what is not the default's: older dumps have none of it. */
static void options_dialect(json_t *o, const struct csv_dialect *d)
{
    const char separator[] = {d->separator, '\0'};
    const char quote[] = {d->quote, '\0'};

    if (d->no_header)
        (void)json_object_set_new(o, "header", json_false());
    if (csv_dialect_default_rows(d))
        return;
    (void)json_object_set_new(o, "csv-delimiter", json_string(quote));
    (void)json_object_set_new(o, "csv-escape", json_string(d->backslash ? "backslash" : "none"));
    (void)json_object_set_new(o, "csv-line-terminator", json_string(d->lf ? "lf" : "crlf"));
    (void)json_object_set_new(o, "csv-null", json_string(d->null_text));
    (void)json_object_set_new(o, "csv-separator", json_string(separator));
}

/* By their names on the command line, so that a message can name one. */
char *dumper_options(const struct dump_config *config)
{
    json_t *o = json_object();
    char *text;
    char *copy;

    (void)json_object_set_new(o, "case-sensitive", json_boolean(config->case_sensitive));
    (void)json_object_set_new(o, "compress", json_string(config->compression.codec->name));
    (void)json_object_set_new(o, "filter", options_list(config->filters, config->filter_count));
    (void)json_object_set_new(o, "format",
                              json_string(config->format == ROW_FORMAT_SQL ? "sql" : "csv"));
    options_partial(o, "columns", &config->columns);
    options_partial(o, "rows-limit", &config->rows_limit);
    options_partial(o, "where", &config->where);
    if (config->format == ROW_FORMAT_CSV)
        options_dialect(o, &config->dialect);
    (void)json_object_set_new(o, "definer",
                              json_string(config->definer.text ? config->definer.text : "keep"));
    (void)json_object_set_new(o, "events", json_boolean(!config->no_events));
    (void)json_object_set_new(o, "no-data", json_boolean(config->no_data));
    (void)json_object_set_new(o, "no-schemas", json_boolean(config->no_schemas));
    (void)json_object_set_new(o, "no-views", json_boolean(config->no_views));
    (void)json_object_set_new(o, "routines", json_boolean(!config->no_routines));
    if (config->spool) /* what it holds is not a dump that stays */
        (void)json_object_set_new(o, "spool", json_true());
    (void)json_object_set_new(o, "triggers", json_boolean(!config->no_triggers));
    if (config->with_binlog) /* older dumps have none */
        (void)json_object_set_new(o, "with-binlog", json_true());
    text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    copy = xstrdup(text ? text : "{}");
    free(text);
    json_decref(o);
    return copy;
}

static enum err_code options_differ(const char *name, const json_t *then, const json_t *now,
                                    struct err *err)
{
    char *before = then ? json_dumps(then, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    char *after = now ? json_dumps(now, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

    (void)err_set(err, ERR_DUMP_OPTIONS, "--%s was %s when this dump began and is %s now", name,
                  before ? before : "not said", after ? after : "not said");
    free(before);
    free(after);
    return err->code;
}

static enum err_code resume_check_options(const struct dump_run *run, struct err *err)
{
    json_error_t bad;
    json_t *then = json_loads(run->ledger->dump.options ? run->ledger->dump.options : "", 0, &bad);
    json_t *now = json_loads(run->options, 0, &bad);
    const char *name;
    json_t *value;
    enum err_code rc = ERR_OK;

    if (!json_is_object(then))
        rc = err_set(err, ERR_CORRUPT, "the dump record's options are no JSON object");
    json_object_foreach(now, name, value)
    {
        const json_t *before = json_object_get(then, name);

        if (!rc && !json_equal(before, value))
            rc = options_differ(name, before, value, err);
    }
    json_object_foreach(then, name, value)
    {
        if (!rc && !json_object_get(now, name))
            rc = options_differ(name, value, NULL, err);
    }
    json_decref(then);
    json_decref(now);
    return rc;
}

/* The consistency of the epochs there are; a snapshot and no snapshot do not mix. */
static enum err_code resume_check_consistency(const struct dump_run *run, struct err *err)
{
    const char *then = run->ledger->first.consistency;
    const bool none = run->config->consistency == CONSISTENCY_NONE;

    if (run->ledger->epochs && (strcmp(then, "none") == 0) != none)
        return err_set(err, ERR_DUMP_OPTIONS,
                       "--consistency was '%s' when this dump began and is '%s' now", then,
                       none ? "none" : "one with snapshots");
    return ERR_OK;
}

static enum err_code resume_read(struct dump_run *run, struct err *err)
{
    ledger_free(run->ledger);
    run->ledger = ledger_new();
    return ledger_read(run->ledger, run->output, err);
}

enum err_code dumper_resume(struct dump_run *run, struct err *err)
{
    enum err_code rc;

    rc = store_discard_unfinished(run->output, "", err);
    if (!rc && run->config->restart)
        rc = dumper_wipe(run, err);
    if (!rc)
        rc = resume_read(run, err);
    if (rc || !run->ledger->begun)
        return rc;
    if (run->ledger->ended && run->config->spool && resume_check_options(run, err))
        return err->code; /* what is left to be loaded was asked for in other words */
    if (run->ledger->ended)
        return err_set(err, ERR_DUMP_FINISHED, "%s holds the finished dump %s", run->output->text,
                       run->ledger->dump.uuid);
    if (run->config->no_resume)
        return err_set(err, ERR_DUMP_OUTPUT_USED,
                       "%s holds the unfinished dump %s, and --no-resume was said",
                       run->output->text, run->ledger->dump.uuid);
    if (!run->ledger->epochs && resume_check_options(run, err)) {
        err_clear(err); /* it had not begun to read: nothing is lost */
        rc = dumper_wipe(run, err);
        return rc ? rc : resume_read(run, err);
    }
    rc = resume_check_options(run, err);
    if (!rc)
        rc = resume_check_consistency(run, err);
    if (!rc)
        rc = dumper_check_files(run, err);
    if (!rc)
        log_event(LOG_INFO, "dump.continue", F_STR("dump", run->ledger->dump.uuid),
                  F_U64("epochs", run->ledger->epochs),
                  F_STR("message", "going on with the unfinished dump"));
    return rc;
}

enum err_code dumper_read_back(struct dump_run *run, struct err *err)
{
    enum err_code rc = resume_read(run, err);

    return rc ? rc : dumper_check_files(run, err);
}
