/* A job for people. */
#include "migrate/job.h"

#include "common/base/clock.h"

#define OLD_US ((int64_t)30 * 1000000) /* a runner writes its state each 10 s at least */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void left_text(int64_t s, struct strbuf *out)
{
    if (s >= 3600)
        strbuf_addf(out, ", %" PRId64 "h%02" PRId64 "m left", s / 3600, s / 60 % 60);
    else if (s >= 60)
        strbuf_addf(out, ", %" PRId64 "m%02" PRId64 "s left", s / 60, s % 60);
    else if (s >= 0)
        strbuf_addf(out, ", %" PRId64 "s left", s);
}

static void amounts_text(const struct stage_state *s, struct strbuf *out)
{
    char size[SIZE_TEXT_MAX];

    if (!s->rows && !s->bytes)
        return;
    size_text(s->bytes, size);
    strbuf_addf(out, ", %" PRIu64 " rows", s->rows);
    if (s->bytes) /* a follower counts none */
        strbuf_addf(out, ", %s", size);
    if (s->total_bytes && s->status != STAGE_DONE) {
        const double share = 100.0 * (double)s->bytes / (double)s->total_bytes;

        strbuf_addf(out, " (%.1f%%)", share > 99.9 ? 99.9 : share);
    }
    if (s->status == STAGE_RUNNING) {
        size_text((uint64_t)s->rate, size);
        strbuf_addf(out, ", %s/s", size);
    }
}

static void follow_text(const json_t *f, struct strbuf *out)
{
    const char *file = json_string_value(json_object_get(f, "file"));
    const char *gtid = json_string_value(json_object_get(f, "gtid"));
    const json_t *behind = json_object_get(f, "behind_seconds");

    if (!file)
        return;
    strbuf_addf(out, "            at %s:%lld%s%s", file,
                (long long)json_integer_value(json_object_get(f, "offset")),
                gtid && *gtid ? ", GTID " : "", gtid ? gtid : "");
    if (json_integer_value(json_object_get(f, "source_time")))
        strbuf_addf(out, "; the last transaction was committed on the source %lld s ago",
                    (long long)json_integer_value(behind));
    strbuf_addch(out, '\n');
}

/* ", tries again in 8 s (try 5 of 10)" */
static void again_text(const struct stage_state *s, struct strbuf *out)
{
    const int64_t us = s->again_us - clock_utc_us();

    strbuf_addf(out, ", tries again in %" PRId64 " s (try %u", us > 0 ? us / 1000000 + 1 : 0,
                s->tries + 1);
    if (s->tries_max)
        strbuf_addf(out, " of %u)", s->tries_max + 1);
    else
        strbuf_addstr(out, ", without end)");
}

/* A command's own hint speaks of its options and of saying it again. */
static void then_text(const struct job_record *r, enum stage_name name, struct strbuf *out)
{
    if (name == STAGE_CHECK) /* its hint says it */
        return;
    strbuf_addf(
        out,
        "            then: ferry job resume %s; an option of this stage goes into [%s] of the "
        "job's file\n",
        r->name, name == STAGE_CUTOVER ? "follow" : stage_word(name));
}

/* What has ended it; of a process that has been started again, what ended the one before. */
static void error_text(const struct stage_state *s, bool running, struct strbuf *out)
{
    const bool before = running && s->status == STAGE_RUNNING;

    if (s->error.name && s->status != STAGE_DONE)
        strbuf_addf(out, "            %s%s: %s\n", before ? "before: " : "", s->error.name,
                    s->error.message);
    if (s->error.name && s->left_out)
        strbuf_addf(out, "            %s\n", s->error.message);
    if (s->error.hint && *s->error.hint && s->status == STAGE_NEEDS_YOU)
        strbuf_addf(out, "            hint: %s\n", s->error.hint);
}

static void stage_text(const struct job_record *r, enum stage_name name, bool running,
                       struct strbuf *out)
{
    const struct stage_state *s = &r->stages[name];
    const bool stale = !running && (s->status == STAGE_RUNNING || s->status == STAGE_RETRYING);

    if (s->status == STAGE_NOT_PART)
        return;
    strbuf_addf(out, "  %-8s  %s", stage_word(name),
                stale ? "stopped" : stage_status_word(s->status));
    amounts_text(s, out);
    if (s->wall_us)
        strbuf_addf(out, ", %.1f s", (double)s->wall_us / 1e6);
    if (s->status == STAGE_RUNNING && running)
        left_text(s->left_s, out);
    if (s->status == STAGE_RETRYING && running)
        again_text(s, out);
    if (s->runs > 1)
        strbuf_addf(out, ", run %u times", s->runs);
    strbuf_addch(out, '\n');
    error_text(s, running, out);
    if (s->status == STAGE_NEEDS_YOU)
        then_text(r, name, out);
    if (s->warning && running && s->status == STAGE_RUNNING)
        strbuf_addf(out, "            %.19sZ: %s\n", s->warning_time, s->warning);
    if (name == STAGE_FOLLOW)
        follow_text(r->follow, out);
}

static void checks_text(const struct job_record *r, struct strbuf *out)
{
    const json_t *item;
    size_t i;

    json_array_foreach(r->checks, i, item)
    {
        const json_t *mend = json_object_get(item, "mend");
        const json_t *line;
        size_t k;

        strbuf_addf(out, "  %s %s: %s%s\n", json_string_value(json_object_get(item, "result")),
                    json_string_value(json_object_get(item, "id")),
                    json_string_value(json_object_get(item, "found")),
                    json_is_true(json_object_get(item, "accepted")) ? " (accepted)" : "");
        if (json_is_true(json_object_get(item, "accepted")))
            continue;
        json_array_foreach(mend, k, line) if (json_is_string(line))
            strbuf_addf(out, "      %s\n", json_string_value(line));
    }
}

static const char *state_text(const struct job_record *r, bool running)
{
    if (r->status == JOB_RUNNING && !running)
        return "stopped: its process has ended without a word; ferry job resume goes on";
    if (running && r->status != JOB_RUNNING)
        return "starting or ending";
    return job_status_word(r->status);
}

void job_text(const struct job_record *r, bool running, struct strbuf *out)
{
    strbuf_addf(out, "job %s (%s, %s): %s\n", r->name, r->mode, r->size, state_text(r, running));
    if (running && r->status == JOB_RUNNING && clock_utc_us() - r->updated_us > OLD_US)
        strbuf_addf(out,
                    "what follows is of %" PRId64 " s ago: state.json has not been written since; "
                    "is there room on its disk? The stages' logs go on.\n",
                    (clock_utc_us() - r->updated_us) / 1000000);
    for (int i = 0; i < STAGE_COUNT; i++)
        stage_text(r, (enum stage_name)i, running, out);
    if (json_array_size(r->checks)) {
        strbuf_addstr(out, "what the check found:\n");
        checks_text(r, out);
    }
    if (r->position)
        strbuf_addf(out, "position: %s\n", r->position);
}

void job_line_text(const struct job_record *r, struct strbuf *out)
{
    strbuf_addf(out, "job %s", r->name);
    for (int i = 0; i < STAGE_COUNT; i++) {
        const struct stage_state *s = &r->stages[i];

        if (s->status != STAGE_RUNNING && s->status != STAGE_RETRYING)
            continue;
        strbuf_addf(out, "  %s%s", stage_word((enum stage_name)i),
                    s->status == STAGE_RETRYING ? " retrying" : "");
        amounts_text(s, out);
        left_text(s->left_s, out);
    }
}

/* ---- the closing table ---- */

/* What load says of a table's conflicts; 0: none. */
static json_int_t conflicts_of(const json_t *load, const char *table)
{
    const json_t *c;
    size_t i;

    json_array_foreach(json_object_get(load, "conflicts"), i, c)
    {
        const char *name = json_string_value(json_object_get(c, "table"));

        if (name && strcmp(name, table) == 0)
            return json_integer_value(json_object_get(c, "rows"));
    }
    return 0;
}

/* "equal", "different", or "-" where it was not compared. */
static const char *equality(const json_t *verify, const char *table)
{
    const json_t *differing = json_object_get(verify, "differing");

    if (!differing)
        return "-";
    return json_object_get(differing, table) ? "different" : "equal";
}

static void tables_text(const struct job_record *r, struct strbuf *out)
{
    const json_t *load = r->stages[STAGE_LOAD].closing;
    const json_t *verify = r->stages[STAGE_VERIFY].closing;
    const json_t *tables = json_object_get(load, "tables");
    const json_t *t;
    size_t i;

    if (!json_array_size(tables))
        return;
    strbuf_addf(out, "%-40s %14s %10s  %s\n", "table", "rows", "conflicts", "checksum");
    json_array_foreach(tables, i, t)
    {
        const char *name = json_string_value(json_object_get(t, "table"));

        strbuf_addf(out, "%-40s %14lld %10lld  %s\n", name ? name : "?",
                    (long long)json_integer_value(json_object_get(t, "rows")),
                    (long long)conflicts_of(load, name ? name : ""),
                    equality(verify, name ? name : ""));
    }
}

void job_closing_text(const struct job_record *r, struct strbuf *out)
{
    char size[SIZE_TEXT_MAX];
    char rate[SIZE_TEXT_MAX];

    strbuf_addf(out, "%-10s %10s %14s %12s %14s\n", "stage", "seconds", "rows", "bytes", "rate");
    for (int i = 0; i < STAGE_COUNT; i++) {
        const struct stage_state *s = &r->stages[i];
        const double seconds = (double)s->wall_us / 1e6;

        if (s->status == STAGE_NOT_PART || !s->runs)
            continue;
        size_text(s->bytes, size);
        size_text(seconds > 0 ? (uint64_t)((double)s->bytes / seconds) : 0, rate);
        strbuf_addf(out, "%-10s %10.1f %14" PRIu64 " %12s %12s/s\n", stage_word((enum stage_name)i),
                    seconds, s->rows, size, rate);
    }
    tables_text(r, out);
    if (r->position)
        strbuf_addf(out, "position: %s\n", r->position);
}
