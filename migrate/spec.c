/* Reading is one pass over the lines, each looked at alone; then what goes together is looked at
 * (spec_check.c). */
#include "migrate/spec_inner.h"

#include "check/check.h"
#include "common/mysql/filter.h"
#include "common/mysql/route.h"

#include <stdlib.h>
#include <string.h>

static const char *const mode_names[] = {"full", "incremental", "both", NULL};
static const char *const size_names[] = {"small", "medium", "large", NULL};
static const char *const command_names[] = {"dump", "load", "follow", "verify"};

/* Memory: dump 24 MiB and 5 a thread, load 30 and 6, follow 60 and 2, as docs/job.md says. */
static const struct job_preset presets[] = {{2, 4, 4, 2, "20MiB", "20MiB", 256},
                                            {4, 16, 16, 4, NULL, NULL, 512},
                                            {16, 64, 64, 16, NULL, NULL, 1536}};

/* What the job says itself, or what a job has no use for. */
static const char *const own_keys[COMMAND_COUNT][20] = {
    {"source", "filter", "case-sensitive", "restart", "yes", "dry-run", "resume", "take-over",
     "host", "port", "user", "socket", "ask-password", "defaults-file", "metadata", NULL},
    {"target", "input", "filter", "case-sensitive", "rename", "dry-run", "check-conflicts",
     "convert", "resume", "source", "meta-schema", "no-data", "host", "port", "user", "socket",
     "ask-password", "defaults-file", NULL},
    {"source", "target", "input", "loaded-elsewhere", "filter", "case-sensitive", "rename", "until",
     "meta-schema", "defaults-file", "cutover", "set-read-only", "json", NULL},
    {"source", "target", "input", "filter", "case-sensitive", "rename", "state", "report",
     "fix-sql", "defaults-file", NULL}};

const char *job_mode_name(enum job_mode m)
{
    return mode_names[m];
}

const char *job_size_name(enum job_size s)
{
    return size_names[s];
}

const struct job_preset *job_preset(enum job_size s)
{
    return &presets[s];
}

static void pairs_add(struct job_pairs *pairs, const struct ini_line *line)
{
    pairs->items = xreallocarray(pairs->items, pairs->count + 1, sizeof *pairs->items);
    pairs->items[pairs->count++] = (struct job_pair){line->key, line->value, line->number};
}

const char *spec_option(const struct job_spec *spec, enum job_command command, const char *key)
{
    const struct job_pairs *p = &spec->options[command];

    for (size_t i = p->count; i-- > 0;)
        if (strcmp(p->items[i].key, key) == 0)
            return p->items[i].value;
    return NULL;
}

bool spec_accepts(const struct job_spec *spec, const char *id)
{
    const size_t len = strlen(id);

    for (size_t i = 0; i < spec->accepted.count; i++)
        for (const char *at = spec->accepted.items[i].value; *at;) {
            const size_t n = strcspn(at, ", ");

            if ((n == len && strncmp(at, id, n) == 0) || (n == 3 && strncmp(at, "all", 3) == 0))
                return true;
            at += n;
            at += strspn(at, ", ");
        }
    return false;
}

static bool check_known(const char *id, size_t len)
{
    for (size_t i = 0; i < check_count(); i++)
        if (strlen(check_info(i)->id) == len && strncmp(check_info(i)->id, id, len) == 0)
            return true;
    return len == 3 && strncmp(id, "all", 3) == 0;
}

enum err_code accepted_check(const char *ids, struct err *err)
{
    for (const char *at = ids; *at;) {
        const size_t n = strcspn(at, ", ");

        if (n && !check_known(at, n))
            return err_set(err, ERR_USAGE,
                           "there is no check '%.*s' (ferry help checks lists them)", (int)n, at);
        at += n;
        at += strspn(at, ", ");
    }
    return ERR_OK;
}

/* ---- one line ---- */

/* Two values for one thing: nobody would know which one is taken. */
static enum err_code once(const struct job_spec *s, const struct ini_line *l, struct err *err)
{
    for (const struct ini_line *before = s->ini.lines; before < l; before++)
        if (before->key && strcmp(before->section, l->section) == 0 &&
            strcmp(before->key, l->key) == 0)
            return err_set(err, ERR_USAGE, "'%s' is said in line %u already", l->key,
                           before->number);
    return ERR_OK;
}

static enum err_code word_of(const char *const *words, const char *value, int *out, struct err *err)
{
    struct strbuf all = {0};

    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], value) == 0) {
            *out = i;
            strbuf_release(&all);
            return ERR_OK;
        }
        strbuf_addf(&all, "%s%s", i ? ", " : "", words[i]);
    }
    (void)err_set(err, ERR_USAGE, "'%s' is none of %s", value, strbuf_str(&all));
    strbuf_release(&all);
    return err->code;
}

static enum err_code bool_of(const char *value, bool *out, struct err *err)
{
    static const char *const words[] = {"no", "yes", "false", "true", "0", "1", NULL};
    int word = 0;
    enum err_code rc = word_of(words, value, &word, err);

    if (!rc)
        *out = word % 2 == 1;
    return rc;
}

static enum err_code job_line(struct job_spec *s, const struct ini_line *l, struct err *err)
{
    int word = 0;
    enum err_code rc = ERR_OK;

    if (strcmp(l->key, "name") == 0) {
        s->name = l->value;
        return name_check("job", l->value, err);
    }
    if (strcmp(l->key, "mode") == 0) {
        rc = word_of(mode_names, l->value, &word, err);
        s->mode = (enum job_mode)word;
    } else if (strcmp(l->key, "spec") == 0) {
        rc = word_of(size_names, l->value, &word, err);
        s->size = (enum job_size)word;
    } else if (strcmp(l->key, "verify") == 0) {
        s->verify_said = true;
        rc = bool_of(l->value, &s->verify, err);
    } else if (strcmp(l->key, "accepted") == 0) {
        pairs_add(&s->accepted, l);
        rc = accepted_check(l->value, err);
    } else if (strcmp(l->key, "defaults-file") == 0) {
        s->defaults_file = l->value;
    } else if (strcmp(l->key, "retries") == 0) {
        char *end;
        unsigned long n = strtoul(l->value, &end, 10);

        if (*end || n > 1000000 || *l->value == '-')
            return err_set(err, ERR_USAGE, "retries: '%s' is no number up to 1000000", l->value);
        s->retries = (unsigned)n;
        s->retries_said = true;
    } else {
        return err_set(err, ERR_USAGE,
                       "unknown key '%s' in [job]: name, mode, spec, accepted, verify, retries, "
                       "defaults-file",
                       l->key);
    }
    return rc ? err_wrap(err, "%s", l->key) : ERR_OK;
}

static enum err_code server_line(struct job_spec *s, const struct ini_line *l, bool target,
                                 struct err *err)
{
    struct endpoint *e = target ? &s->target : &s->source;
    bool mine = true;
    enum err_code rc;

    if (strcmp(l->key, "profile") == 0) {
        e->profile = l->value;
        return name_check("profile", l->value, err);
    }
    if (target && strcmp(l->key, "meta-schema") == 0) {
        s->meta_schema = l->value;
        return ERR_OK;
    }
    rc = endpoint_line(e, l, &mine, err);
    if (!rc && !mine)
        rc = err_set(err, ERR_USAGE,
                     "unknown key '%s' in [%s]: profile, url, type, region, ssl-mode, ssl-ca, "
                     "ssl-capath, ssl-cert, ssl-key, tls-version, connect-timeout%s",
                     l->key, l->section, target ? ", meta-schema" : "");
    return rc;
}

/* A pattern whose database is spelt out, and is the server's own. */
static enum err_code filter_line(const struct ini_line *l, struct err *err)
{
    const char *const one[] = {l->value};
    struct filter *f = NULL;
    char db[65] = "";
    size_t n = 0;
    enum err_code rc = filter_new(one, 1, false, &f, err);

    filter_free(f);
    if (rc)
        return rc;
    for (const char *c = l->value; *c && *c != '.' && n < sizeof(db) - 1; c++)
        if (*c != '`' && *c != '"')
            db[n++] = *c;
    db[n] = '\0';
    if (*l->value != '!' && filter_is_system(db))
        return err_set(err, ERR_USAGE, "`%s` is a system schema: these are never moved", db);
    return ERR_OK;
}

static enum err_code objects_line(struct job_spec *s, const struct ini_line *l, struct err *err)
{
    if (strcmp(l->key, "filter") == 0) {
        pairs_add(&s->filters, l);
        return filter_line(l, err);
    }
    if (strcmp(l->key, "rename") == 0) {
        const char *const one[] = {l->value};
        struct route *r = NULL;
        enum err_code rc = route_new(one, 1, &r, err);

        route_free(r);
        pairs_add(&s->renames, l);
        return rc;
    }
    if (strcmp(l->key, "case-sensitive") == 0)
        return bool_of(l->value, &s->case_sensitive, err);
    return err_set(err, ERR_USAGE, "unknown key '%s' in [objects]: filter, rename, case-sensitive",
                   l->key);
}

static enum err_code option_line(struct job_spec *s, const struct ini_line *l,
                                 enum job_command command, const struct job_commands *commands,
                                 struct err *err)
{
    const struct opt *found = NULL;
    size_t count = 0;
    enum err_code rc;

    for (const char *const *own = own_keys[command]; *own; own++)
        if (strcmp(*own, l->key) == 0)
            return err_set(err, ERR_USAGE,
                           "'%s' is not for [%s]: the job says it to the command itself, from "
                           "[job], [source], [target] and [objects], or it has no place in a job",
                           l->key, l->section);
    while (count < 4 && commands->tables[command][count].opts)
        count++;
    if (strstr(l->key, "password"))
        return err_set(err, ERR_USAGE,
                       "'%s': no secrets in a job file: use FERRY_SOURCE_PASSWORD and "
                       "FERRY_TARGET_PASSWORD",
                       l->key);
    rc = opt_check_pair(commands->tables[command], count, l->key, l->value, &found, err);
    if (rc && found)
        return err_wrap(err, "%s", l->key);
    if (rc)
        return err_wrap(err, "[%s]", l->section);
    pairs_add(&s->options[command], l);
    return found->kind == OPT_LIST || found->kind == OPT_TABLES ? ERR_OK : once(s, l, err);
}

static enum err_code spec_line(struct job_spec *s, const struct ini_line *l,
                               const struct job_commands *commands, struct err *err)
{
    static const char *const known[] = {"job", "source", "target", "objects"};
    int section = -1;

    for (int i = 0; i < 4; i++)
        if (strcmp(l->section, known[i]) == 0)
            section = i;
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(l->section, command_names[i]) == 0)
            section = 4 + i;
    if (section < 0)
        return err_set(err, ERR_USAGE,
                       "unknown section [%s]: job, source, target, objects, dump, load, follow, "
                       "verify",
                       l->section);
    if (!l->key) {
        if (section == 1)
            s->source.line = l->number;
        if (section == 2)
            s->target.line = l->number;
        return ERR_OK;
    }
    if (section < 4 && strcmp(l->key, "accepted") != 0 && strcmp(l->key, "filter") != 0 &&
        strcmp(l->key, "rename") != 0 && once(s, l, err))
        return err->code;
    if (section == 0)
        return job_line(s, l, err);
    if (section == 1 || section == 2)
        return server_line(s, l, section == 2, err);
    if (section == 3)
        return objects_line(s, l, err);
    return option_line(s, l, (enum job_command)(section - 4), commands, err);
}

enum err_code spec_read(const char *path, const char *jobs_dir, const struct job_commands *commands,
                        struct job_spec *spec, struct err *err)
{
    unsigned at = 1;
    enum err_code rc = ini_read(path, &spec->ini, err);

    if (rc)
        return rc;
    spec->mode = MODE_BOTH;
    spec->size = SIZE_MEDIUM;
    spec->verify = true;
    spec->retries = 10;
    for (size_t i = 0; !rc && i < spec->ini.count; i++) {
        at = spec->ini.lines[i].number;
        rc = spec_line(spec, &spec->ini.lines[i], commands, err);
    }
    if (!rc)
        rc = spec_check(spec, jobs_dir, &at, err);
    if (rc) {
        if (at)
            (void)err_wrap(err, "'%s' line %u", path, at);
        spec_release(spec);
    }
    return rc;
}

void spec_release(struct job_spec *spec)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        free(spec->options[i].items);
    free(spec->filters.items);
    free(spec->renames.items);
    free(spec->accepted.items);
    free(spec->source_url);
    free(spec->target_url);
    profile_release(&spec->source_profile);
    profile_release(&spec->target_profile);
    ini_release(&spec->ini);
    *spec = (struct job_spec){0};
}
