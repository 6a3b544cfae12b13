/* What of a job file goes together: each refusal names the line that is to be changed. */
#include "migrate/spec_inner.h"

#include "common/mysql/gtid_set.h"
#include "common/mysql/position.h"
#include "common/mysql/route.h"

#include <stdlib.h>
#include <string.h>

static unsigned line_of_section(const struct job_spec *s, const char *section)
{
    for (size_t i = 0; i < s->ini.count; i++)
        if (strcmp(s->ini.lines[i].section, section) == 0)
            return s->ini.lines[i].number;
    return s->ini.count ? s->ini.lines[s->ini.count - 1].number : 1;
}

static unsigned line_of(const struct job_spec *s, const char *section, const char *key)
{
    for (size_t i = s->ini.count; i-- > 0;)
        if (strcmp(s->ini.lines[i].section, section) == 0 && s->ini.lines[i].key &&
            strcmp(s->ini.lines[i].key, key) == 0)
            return s->ini.lines[i].number;
    return line_of_section(s, section);
}

static bool has_section(const struct job_spec *s, const char *section)
{
    for (size_t i = 0; i < s->ini.count; i++)
        if (strcmp(s->ini.lines[i].section, section) == 0)
            return true;
    return false;
}

/* A profile's endpoint takes the place of the inline one. */
static enum err_code server_settle(struct job_spec *s, const char *jobs_dir, bool target,
                                   unsigned *at, struct err *err)
{
    const char *section = target ? "target" : "source";
    struct endpoint *e = target ? &s->target : &s->source;
    struct profile *p = target ? &s->target_profile : &s->source_profile;
    struct strbuf url = {0};
    enum err_code rc;

    *at = line_of_section(s, section);
    if (!has_section(s, section))
        return err_set(err, ERR_USAGE, "there is no [%s]", section);
    if (e->profile && (e->base || e->param_count || e->has_kind || e->region))
        return err_set(err, ERR_USAGE,
                       "[%s] has a profile, and says itself what a profile does: one of the two",
                       section);
    if (!e->profile && !e->base)
        return err_set(err, ERR_USAGE, "[%s] has neither profile nor url", section);
    if (e->profile) {
        *at = line_of(s, section, "profile");
        rc = profile_read(jobs_dir, e->profile, p, err);
        if (rc)
            return rc == ERR_STORE_NOT_FOUND ? err_set(err, ERR_USAGE, "%s", err->msg) : rc;
        *e = p->endpoint;
    }
    rc = endpoint_url(e, &url, err);
    if (rc)
        strbuf_release(&url);
    else if (target)
        s->target_url = strbuf_detach(&url);
    else
        s->source_url = strbuf_detach(&url);
    return rc;
}

/* Sections that the mode has no use for, and what it cannot do without. */
static enum err_code mode_check(const struct job_spec *s, unsigned *at, struct err *err)
{
    const char *word = job_mode_name(s->mode);

    if (s->mode == MODE_FULL && has_section(s, "follow")) {
        *at = line_of_section(s, "follow");
        return err_set(err, ERR_USAGE, "[follow] and mode = full: nothing is followed");
    }
    for (int i = 0; s->mode == MODE_INCREMENTAL && i < 2; i++) {
        const char *section = i ? "load" : "dump";

        if (has_section(s, section)) {
            *at = line_of_section(s, section);
            return err_set(err, ERR_USAGE,
                           "[%s] and mode = incremental: no rows are dumped or loaded", section);
        }
    }
    if (s->mode == MODE_INCREMENTAL && !spec_option(s, COMMAND_FOLLOW, "from")) {
        *at = has_section(s, "follow") ? line_of_section(s, "follow") : line_of(s, "job", "mode");
        return err_set(err, ERR_USAGE,
                       "mode = incremental needs a start: from = now, FILE:POS or a GTID set, in "
                       "[follow]");
    }
    if (s->mode == MODE_INCREMENTAL && !s->filters.count) {
        *at = line_of(s, "job", "mode");
        return err_set(err, ERR_USAGE,
                       "mode = incremental needs to know what is followed: filter in [objects]");
    }
    if (s->mode != MODE_INCREMENTAL && spec_option(s, COMMAND_FOLLOW, "from")) {
        *at = line_of(s, "follow", "from");
        return err_set(err, ERR_USAGE,
                       "from and mode = %s: the dump's position is where it is followed from",
                       word);
    }
    return ERR_OK;
}

/* A set of one of both forms. */
static bool gtids_of(const char *text, enum gtid_kind kind)
{
    struct gtid_set *set = gtid_set_new(kind);
    struct err err = ERR_INIT;
    const bool good = gtid_set_parse(set, text, &err) == ERR_OK && !gtid_set_empty(set);

    gtid_set_free(set);
    return good;
}

static enum err_code from_check(const struct job_spec *s, unsigned *at, struct err *err)
{
    const char *from = spec_option(s, COMMAND_FOLLOW, "from");
    char *file = NULL;
    uint64_t offset = 0;
    const bool place = from && position_place_parse(from, &file, &offset);

    free(file);
    if (!from || place || strcmp(from, "now") == 0 || gtids_of(from, GTID_MYSQL) ||
        gtids_of(from, GTID_MARIADB))
        return ERR_OK;
    *at = line_of(s, "follow", "from");
    return err_set(err, ERR_USAGE, "from: '%s' is neither now, FILE:POS nor a GTID set", from);
}

/* A dump that nothing can be followed after. */
static enum err_code followed_check(const struct job_spec *s, unsigned *at, struct err *err)
{
    static const char *const partial[] = {"where", "columns", "rows-limit", "no-data",
                                          "no-schemas"};
    const char *consistency = spec_option(s, COMMAND_DUMP, "consistency");

    if (s->mode != MODE_BOTH)
        return ERR_OK;
    for (size_t i = 0; i < sizeof(partial) / sizeof(partial[0]); i++)
        if (spec_option(s, COMMAND_DUMP, partial[i])) {
            *at = line_of(s, "dump", partial[i]);
            return err_set(err, ERR_USAGE,
                           "%s and mode = both: what is dumped in part cannot be followed",
                           partial[i]);
        }
    if (consistency && strcmp(consistency, "none") == 0) {
        *at = line_of(s, "dump", "consistency");
        return err_set(err, ERR_USAGE,
                       "consistency = none and mode = both: without one moment there is no place "
                       "to follow from");
    }
    return ERR_OK;
}

static enum err_code load_check(const struct job_spec *s, unsigned *at, struct err *err)
{
    const char *exists = spec_option(s, COMMAND_LOAD, "if-table-exists");
    const char *yes = spec_option(s, COMMAND_LOAD, "yes");
    const bool said = yes && (strcmp(yes, "true") == 0 || strcmp(yes, "yes") == 0);

    if (exists && (strcmp(exists, "truncate") == 0 || strcmp(exists, "drop") == 0) && !said) {
        *at = line_of(s, "load", "if-table-exists");
        return err_set(err, ERR_USAGE,
                       "if-table-exists = %s destroys rows on the target: say yes = true with it",
                       exists);
    }
    return ERR_OK;
}

enum err_code spec_check(struct job_spec *s, const char *jobs_dir, unsigned *at, struct err *err)
{
    const char **rules = xcalloc(s->renames.count + 1, sizeof *rules);
    struct route *route = NULL;
    enum err_code rc;

    if (!s->verify_said)
        s->verify = s->mode != MODE_FULL; /* whose source goes on */
    *at = line_of_section(s, "job");
    if (!has_section(s, "job"))
        rc = err_set(err, ERR_USAGE, "there is no [job]");
    else if (!s->name)
        rc = err_set(err, ERR_USAGE, "[job] has no name");
    else if (strcmp(s->name, "profiles") == 0)
        rc = err_set(err, ERR_USAGE, "'profiles' is the folder of the profiles, not a job's name");
    else
        rc = server_settle(s, jobs_dir, false, at, err);
    if (!rc)
        rc = server_settle(s, jobs_dir, true, at, err);
    if (!rc && strcmp(s->source_url, s->target_url) == 0) {
        *at = line_of_section(s, "target");
        rc = err_set(err, ERR_USAGE, "the target is the source");
    }
    if (!rc)
        rc = mode_check(s, at, err);
    if (!rc)
        rc = from_check(s, at, err);
    if (!rc)
        rc = followed_check(s, at, err);
    if (!rc)
        rc = load_check(s, at, err);
    for (size_t i = 0; i < s->renames.count; i++)
        rules[i] = s->renames.items[i].value;
    if (!rc && s->renames.count) {
        *at = s->renames.items[s->renames.count - 1].line;
        rc = route_new(rules, s->renames.count, &route, err);
    }
    route_free(route);
    free(rules);
    return rc;
}

void spec_shape(const struct job_spec *s, struct strbuf *out)
{
    const char *output = spec_option(s, COMMAND_DUMP, "output");
    const char *from = spec_option(s, COMMAND_FOLLOW, "from");

    strbuf_addf(out, "mode=%s\nsource=%s\ntarget=%s\nmeta-schema=%s\noutput=%s\nfrom=%s\n",
                job_mode_name(s->mode), s->source_url, s->target_url,
                s->meta_schema ? s->meta_schema : "", output ? output : "", from ? from : "");
    for (size_t i = 0; i < s->filters.count; i++)
        strbuf_addf(out, "filter=%s\n", s->filters.items[i].value);
    for (size_t i = 0; i < s->renames.count; i++)
        strbuf_addf(out, "rename=%s\n", s->renames.items[i].value);
    strbuf_addf(out, "case-sensitive=%d\n", s->case_sensitive);
}
