/* The options of each stage's command, as a --config file in the job's folder. */
#include "migrate/runner.h"

#include <stdlib.h>
#include <string.h>

static void put(struct strbuf *out, const char *key, const char *value)
{
    if (value)
        strbuf_addf(out, "%s = \"%s\"\n", key, value);
}

static void put_file(struct strbuf *out, const struct runner *r, const char *key, const char *file)
{
    strbuf_addf(out, "%s = \"%s/%s\"\n", key, r->run->home->dir, file);
}

static void put_number(struct strbuf *out, const char *key, unsigned value)
{
    strbuf_addf(out, "%s = %u\n", key, value);
}

static void put_all(struct strbuf *out, const char *key, const struct job_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++)
        put(out, key, pairs->items[i].value);
}

void conf_output(const struct runner *r, struct strbuf *out)
{
    const char *output = spec_option(r->run->spec, COMMAND_DUMP, "output");

    if (!output)
        output = "dump";
    if (*output == '/' || strstr(output, "://"))
        strbuf_addstr(out, output);
    else
        strbuf_addf(out, "%s/%s", r->run->home->dir, output);
}

static void put_output(struct strbuf *out, const struct runner *r, const char *key)
{
    struct strbuf url = {0};

    conf_output(r, &url);
    put(out, key, strbuf_str(&url));
    strbuf_release(&url);
}

/* Of [follow], what only the cut-over takes. */
static bool of_cutover(const char *key)
{
    return strcmp(key, "cutover-timeout") == 0 || strcmp(key, "counts") == 0;
}

/* What the user says comes last and so wins; a relative output has been made absolute. */
static void put_options(struct strbuf *out, const struct job_spec *s, enum job_command command)
{
    const struct job_pairs *p = &s->options[command];

    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->items[i].key, "output") != 0 && !of_cutover(p->items[i].key))
            put(out, p->items[i].key, p->items[i].value);
}

static void put_cutover(struct strbuf *out, const struct runner *r)
{
    const struct job_pairs *p = &r->run->spec->options[COMMAND_FOLLOW];

    put(out, "cutover", "true");
    if (r->record->read_only)
        put(out, "set-read-only", "true");
    for (size_t i = 0; i < p->count; i++)
        if (of_cutover(p->items[i].key))
            put(out, p->items[i].key, p->items[i].value);
}

static void put_objects(struct strbuf *out, const struct job_spec *s)
{
    put_all(out, "filter", &s->filters);
    put_all(out, "rename", &s->renames);
    if (s->case_sensitive)
        put(out, "case-sensitive", "true");
}

static void conf_check(const struct runner *r, struct strbuf *out)
{
    const struct job_spec *s = r->run->spec;
    const struct job_preset *preset = job_preset(s->size);
    const char *threads = spec_option(s, COMMAND_DUMP, "threads");
    const char *load = spec_option(s, COMMAND_LOAD, "threads");

    put(out, "source", s->source_url);
    if (strcmp(r->check_for, "dump") != 0)
        put(out, "target", s->target_url);
    put_objects(out, s);
    put(out, "for", r->check_for);
    put(out, "json", "true");
    put_number(out, "threads", preset->dump_threads);
    put(out, "threads", threads);
    put_number(out, "load-threads", preset->load_threads);
    put(out, "load-threads", load);
    put(out, "server-id", spec_option(s, COMMAND_FOLLOW, "server-id"));
    if (s->mode != MODE_INCREMENTAL)
        put_output(out, r, "output");
}

static void conf_dump(const struct runner *r, struct strbuf *out)
{
    const struct job_spec *s = r->run->spec;
    const struct job_preset *preset = job_preset(s->size);

    put(out, "source", s->source_url);
    put_output(out, r, "output");
    put_all(out, "filter", &s->filters);
    if (s->case_sensitive)
        put(out, "case-sensitive", "true");
    put_number(out, "threads", preset->dump_threads);
    put(out, "rate", preset->dump_rate);
    put_options(out, s, COMMAND_DUMP);
}

static void conf_load(const struct runner *r, struct strbuf *out)
{
    const struct job_spec *s = r->run->spec;
    const struct job_preset *preset = job_preset(s->size);

    put(out, "target", s->target_url);
    put(out, "source", s->source_url);
    put_output(out, r, "input");
    put_all(out, "rename", &s->renames);
    put(out, "meta-schema", s->meta_schema);
    put_number(out, "threads", preset->load_threads);
    put(out, "rate", preset->load_rate);
    put_file(out, r, "programs-file", "programs.sql");
    put_file(out, r, "conflict-report", "conflicts.jsonl");
    put_options(out, s, COMMAND_LOAD);
}

static void conf_follow(const struct runner *r, struct strbuf *out)
{
    const struct job_spec *s = r->run->spec;

    put(out, "source", s->source_url);
    put(out, "target", s->target_url);
    put(out, "meta-schema", s->meta_schema);
    put_number(out, "threads", job_preset(s->size)->follow_threads);
    put_options(out, s, COMMAND_FOLLOW);
    if (s->mode == MODE_INCREMENTAL) {
        put(out, "loaded-elsewhere", "true");
        put_objects(out, s);
    } else {
        put_output(out, r, "input");
    }
}

static void conf_verify(const struct runner *r, struct strbuf *out)
{
    const struct job_spec *s = r->run->spec;

    put(out, "source", s->source_url);
    put(out, "target", s->target_url);
    put_objects(out, s);
    put_number(out, "threads", job_preset(s->size)->verify_threads);
    put_file(out, r, "state", "verify.state");
    put_file(out, r, "report", "differences.jsonl");
    put_file(out, r, "fix-sql", "mend.sql");
    put_options(out, s, COMMAND_VERIFY);
}

enum err_code conf_write(const struct runner *r, enum stage_name stage, struct err *err)
{
    char *name = xasprintf("%s.conf", stage_word(stage));
    struct strbuf text = {0};
    enum err_code rc;

    strbuf_addf(&text, "# made by ferry migrate from job.ini at each start\n");
    switch (stage) {
    case STAGE_CHECK:
        conf_check(r, &text);
        break;
    case STAGE_DUMP:
        conf_dump(r, &text);
        break;
    case STAGE_LOAD:
        conf_load(r, &text);
        break;
    case STAGE_FOLLOW:
    case STAGE_CUTOVER:
        conf_follow(r, &text);
        break;
    case STAGE_VERIFY:
        conf_verify(r, &text);
        break;
    case STAGE_COUNT:
        break;
    }
    if (stage == STAGE_CUTOVER)
        put_cutover(&text, r);
    put(&text, "defaults-file", r->run->spec->defaults_file);
    put(&text, "log-format", "json");
    put(&text, "progress", "json");
    strbuf_addf(&text, "log-file = \"%s/%s.log\"\n", r->run->home->dir, stage_word(stage));
    rc = file_replace(r->run->home->dir, name, strbuf_str(&text), text.len, err);
    strbuf_release(&text);
    free(name);
    return rc;
}
