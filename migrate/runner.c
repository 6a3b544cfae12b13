/* The loop. Who starts whom: this thread starts each stage's process and one short-lived helper;
 * nothing is queued; it ends when no process is left and nothing may be started. */
#include "migrate/runner.h"

#include "common/base/log.h"
#include "common/store/lease_owner.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_US 100000
#define WRITE_US 1000000
#define SAY_US 10000000
#define SAY_SELDOM_US 60000000
#define HELPER_US 3000000
#define AT_ONCE_US 7000000 /* asked once more: it stops where it is, which it can go on from */
#define KILL_US 9000000

static const char *const self[] = {"ferry", NULL};

static enum stage_status status_of(const struct runner *r, enum stage_name s)
{
    return r->record->stages[s].status;
}

/* ---- starting ---- */

/* Over, for those that come behind it. */
static bool over(const struct runner *r, enum stage_name s)
{
    return status_of(r, s) == STAGE_DONE || status_of(r, s) == STAGE_NOT_PART;
}

/* Done with things left out, which the user has not seen yet: a resumed job has. */
static bool unseen(const struct runner *r)
{
    for (int i = 0; i < STAGE_COUNT; i++)
        if (r->record->stages[i].left_out && r->stage[i].done_now)
            return true;
    return false;
}

static bool load_ready(const struct runner *r)
{
    const bool dumping = r->stage[STAGE_DUMP].child.pid && r->stage[STAGE_DUMP].reads;

    return over(r, STAGE_DUMP) || dumping;
}

static bool stage_ready(const struct runner *r, enum stage_name s)
{
    const enum stage_status st = status_of(r, s);
    const bool checked = r->stage[STAGE_CHECK].done_now && r->record->claimed;

    if (r->stage[s].child.pid || st == STAGE_NEEDS_YOU || st == STAGE_NOT_PART ||
        (st == STAGE_DONE && s != STAGE_CHECK) || clock_mono_us() < r->stage[s].again_us)
        return false;
    if (s != STAGE_DUMP && (stage_blocks(r) || unseen(r)))
        return false;
    switch (s) {
    case STAGE_CHECK:
        return !r->stage[s].done_now;
    case STAGE_DUMP:
        return checked;
    case STAGE_LOAD:
        return checked && load_ready(r);
    case STAGE_FOLLOW:
        return checked && over(r, STAGE_LOAD) && !r->record->cutover;
    case STAGE_CUTOVER:
        return checked && over(r, STAGE_LOAD) && r->record->cutover &&
               !r->stage[STAGE_FOLLOW].child.pid;
    case STAGE_VERIFY:
        return checked && over(r, STAGE_LOAD) && over(r, STAGE_CUTOVER);
    case STAGE_COUNT:
        break;
    }
    return false;
}

static uint64_t log_size(const struct runner *r, enum stage_name s)
{
    char *path = xasprintf("%s/%s.log", r->run->home->dir, stage_word(s));
    struct stat st;
    const uint64_t size = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;

    free(path);
    return size;
}

static enum err_code stage_spawn(struct runner *r, enum stage_name s, struct err *err)
{
    const char *command = s == STAGE_CUTOVER ? "follow" : stage_word(s);
    char *conf = xasprintf("%s/%s.conf", r->run->home->dir, stage_word(s));
    char *out = xasprintf("%s/%s.out", r->run->home->dir, stage_word(s));
    const char *const argv[] = {self[0], command, "--config", conf, NULL};
    enum err_code rc = conf_write(r, s, err);

    if (!rc)
        rc = child_start(&r->stage[s].child, argv, out, err);
    free(conf);
    free(out);
    return rc;
}

static void stage_start(struct runner *r, enum stage_name s)
{
    struct stage_state *st = &r->record->stages[s];
    struct err err = ERR_INIT;

    if (s == STAGE_CHECK) {
        check_plan(r);
        if (!*r->check_for) {
            r->stage[s].done_now = true;
            st->status = STAGE_DONE;
            return;
        }
    }
    r->stage[s].log_from = r->stage[s].log_seen = log_size(r, s);
    warning_clear(st);
    r->stage[s].rows_before = st->rows;
    r->stage[s].first_place = 0;
    r->stage[s].placed = false;
    r->stage[s].began_us = clock_mono_us();
    strbuf_reset(&r->stage[s].said);
    if (stage_spawn(r, s, &err)) {
        stage_fails(r, s, &err);
        return;
    }
    st->status = STAGE_RUNNING;
    st->runs++;
    st->pid = r->stage[s].child.pid;
    if (!st->began_us)
        st->began_us = clock_utc_us();
    st->ended_us = 0;
    r->dirty = true;
    log_event(LOG_INFO, "job.stage.begins", F_STR("stage", stage_word(s)), F_U64("run", st->runs));
}

/* Between check and dump, once: which tables of the target are this job's. */
static void claim(struct runner *r)
{
    struct err err = ERR_INIT;

    if (r->record->claimed || !r->stage[STAGE_CHECK].done_now || stage_blocks(r) || r->stopping ||
        clock_mono_us() < r->stage[STAGE_CHECK].again_us)
        return;
    if (job_claim(r->run, r->record->id, &err)) {
        r->stage[STAGE_CHECK].done_now = false; /* looked at again */
        stage_fails(r, STAGE_CHECK, &err);
        return;
    }
    r->record->claimed = true;
    r->dirty = true;
}

/* ---- the follower's place ---- */

static void no_line(void *ctx, const char *line)
{
    (void)ctx;
    (void)line;
}

static void follow_take(struct runner *r)
{
    char *text = text_read(r, "status.out", 0, (size_t)4 << 20);
    json_t *answer = text ? json_loads(text, 0, NULL) : NULL;
    const json_t *loads = json_object_get(answer, "loads");
    const json_t *load;
    size_t i;

    target_job_find(r);
    json_array_foreach(loads, i, load)
    {
        const char *uuid = json_string_value(json_object_get(load, "dump"));
        const json_int_t job = json_integer_value(json_object_get(load, "job"));
        json_t *follow = json_object_get(load, "follow");
        const bool mine = r->record->dump_uuid ? uuid && strcmp(uuid, r->record->dump_uuid) == 0
                                               : job > 0 && (uint64_t)job == r->record->target_job;

        if (!mine || !json_is_object(follow))
            continue; /* the last one is the latest */
        if (!r->record->follow)
            r->record->follow = json_object();
        (void)json_object_update(r->record->follow, follow);
        r->record->target_job = (uint64_t)job;
        r->dirty = true;
    }
    json_decref(answer);
    free(text);
}

static void helper_look(struct runner *r)
{
    const bool wanted = r->stage[STAGE_FOLLOW].child.pid || r->stage[STAGE_CUTOVER].child.pid;
    bool ended = false;
    int status = 0;

    child_look(&r->helper, no_line, NULL, &ended, &status);
    if (ended && status == 0)
        follow_take(r);
    if (wanted && !r->helper.pid && !r->stopping && clock_mono_us() - r->helper_us > HELPER_US) {
        const char *schema = r->run->spec->meta_schema;
        char *out = home_path(r->run->home, "status.out");
        const char *defaults = r->run->spec->defaults_file;
        const char *argv[10] = {self[0], "status", r->run->spec->target_url, "--json"};
        struct err err = ERR_INIT;
        size_t n = 4;

        if (schema) {
            argv[n++] = "--meta-schema";
            argv[n++] = schema;
        }
        if (defaults) {
            argv[n++] = "--defaults-file";
            argv[n++] = defaults;
        }
        r->helper_us = clock_mono_us();
        if (child_start(&r->helper, argv, out, &err))
            log_error("job.status", &err);
        free(out);
    }
}

/* ---- stopping ---- */

static void stage_stop(struct runner *r, enum stage_name s)
{
    struct running *run = &r->stage[s];
    const uint64_t since = clock_mono_us() - run->asked_us;

    if (!run->child.pid)
        return;
    if (!run->asked) {
        run->asked = true;
        run->asked_us = clock_mono_us();
        child_signal(&run->child, SIGINT);
    } else if (since > KILL_US) {
        child_signal(&run->child, SIGKILL);
    } else if (since > AT_ONCE_US && since < AT_ONCE_US + 2 * LOOK_US) {
        child_signal(&run->child, SIGINT);
    }
}

static void requests_look(struct runner *r)
{
    if (cancel_asked(r->run->cancel) && !r->stopping)
        r->stopping = r->interrupted = true;
    if (home_asked(r->run->home, REQUEST_DELETE))
        r->stopping = r->deleted = true;
    if (home_asked(r->run->home, REQUEST_PAUSE))
        r->stopping = true;
    if (!r->record->cutover && home_asked(r->run->home, REQUEST_CUTOVER)) {
        char *text = text_read(r, "cutover", 0, 4096);

        r->record->cutover = true;
        r->record->read_only = text && strstr(text, "set-read-only");
        r->dirty = true;
        free(text);
    }
}

static void stops_look(struct runner *r)
{
    const bool blocked = stage_blocks(r);

    for (int i = 0; i < STAGE_COUNT; i++) {
        const enum stage_name s = (enum stage_name)i;

        if (r->stopping || (blocked && s != STAGE_DUMP) ||
            (s == STAGE_FOLLOW && r->record->cutover))
            stage_stop(r, s);
    }
}

/* ---- the loop ---- */

struct line_ctx {
    struct runner *r;
    enum stage_name stage;
};

static void take_line(void *ctx, const char *line)
{
    const struct line_ctx *c = ctx;

    stage_line(c->r, c->stage, line);
}

static void uuid_take(struct runner *r)
{
    const json_t *closing = r->record->stages[STAGE_DUMP].closing;
    const char *uuid = json_string_value(json_object_get(closing, "uuid"));

    if (uuid && !r->record->dump_uuid)
        r->record->dump_uuid = xstrdup(uuid);
}

static void children_look(struct runner *r)
{
    const bool look = clock_mono_us() - r->warned_us > WRITE_US;

    if (look)
        r->warned_us = clock_mono_us();
    for (int i = 0; i < STAGE_COUNT; i++) {
        struct line_ctx ctx = {r, (enum stage_name)i};
        bool ended = false;
        int status = 0;

        child_look(&r->stage[i].child, take_line, &ctx, &ended, &status);
        if (ended || look)
            warnings_look(r, ctx.stage);
        if (ended)
            stage_ended(r, ctx.stage, status);
    }
    uuid_take(r);
}

static bool anything_runs(const struct runner *r)
{
    for (int i = 0; i < STAGE_COUNT; i++)
        if (r->stage[i].child.pid)
            return true;
    return false;
}

/* Nothing runs, and nothing may be started, now or after a pause. */
static bool at_end(const struct runner *r)
{
    if (anything_runs(r))
        return false;
    if (r->stopping)
        return true;
    for (int i = 0; i < STAGE_COUNT; i++)
        if (status_of(r, (enum stage_name)i) == STAGE_RETRYING &&
            (i == STAGE_DUMP || !stage_blocks(r)))
            return false;
    for (int i = 0; i < STAGE_COUNT; i++)
        if (stage_ready(r, (enum stage_name)i))
            return false;
    return true;
}

/* What is followed goes on for weeks: a line a minute then. */
static void progress_say(struct runner *r)
{
    const uint64_t now = clock_mono_us();
    const uint64_t pause_us = r->run->progress == PROGRESS_JSON       ? WRITE_US
                              : r->stage[STAGE_FOLLOW].child.pid != 0 ? SAY_SELDOM_US
                                                                      : SAY_US;
    struct strbuf line = {0};

    if (r->run->progress == PROGRESS_NONE || now - r->said_us < pause_us)
        return;
    r->said_us = now;
    if (r->run->progress == PROGRESS_JSON) {
        json_t *json = job_record_json(r->record);
        char *text = json_dumps(json, JSON_COMPACT);

        strbuf_addstr(&line, text ? text : "{}");
        free(text);
        json_decref(json);
    } else {
        job_line_text(r->record, &line);
        if (r->said && strcmp(r->said, strbuf_str(&line)) == 0) { /* nothing has moved */
            strbuf_release(&line);
            return;
        }
        free(r->said);
        r->said = xstrdup(strbuf_str(&line));
    }
    (void)dprintf(STDERR_FILENO, "%s\n", strbuf_str(&line));
    strbuf_release(&line);
}

static void parts_of_mode(struct runner *r)
{
    const struct job_spec *s = r->run->spec;
    struct stage_state *st = r->record->stages;

    for (int i = 0; i < STAGE_COUNT; i++) {
        const bool part = i == STAGE_CHECK || (i <= STAGE_LOAD && s->mode != MODE_INCREMENTAL) ||
                          (i >= STAGE_FOLLOW && i <= STAGE_CUTOVER && s->mode != MODE_FULL) ||
                          (i == STAGE_VERIFY && s->verify);

        if (!part)
            st[i].status = STAGE_NOT_PART;
        else if (st[i].status == STAGE_NOT_PART)
            st[i].status = STAGE_WAITING;
        else if (st[i].status != STAGE_DONE && st[i].status != STAGE_WAITING)
            st[i].status = STAGE_STOPPED; /* that of a run that has ended, however it did */
        st[i].tries = 0;
        st[i].pid = 0;
        r->stage[i].child = (struct child)CHILD_INIT;
    }
}

static void runner_sign(struct runner *r)
{
    struct lease_owner me;
    struct strbuf text = {0};

    lease_owner_self(&me, "job");
    lease_owner_write(&me, &text);
    json_decref(r->record->runner);
    r->record->runner = json_loads(strbuf_str(&text), 0, NULL);
    strbuf_release(&text);
}

static enum err_code loop(struct runner *r, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (!rc) {
        children_look(r);
        requests_look(r);
        claim(r);
        for (int i = 0; !r->stopping && i < STAGE_COUNT; i++)
            if (stage_ready(r, (enum stage_name)i)) {
                stage_start(r, (enum stage_name)i);
                if (keep(r, true, err))
                    return err->code;
            }
        stops_look(r);
        helper_look(r);
        rc = keep(r, false, err);
        progress_say(r);
        if (!rc && at_end(r))
            break;
        (void)clock_sleep(LOOK_US, NULL);
    }
    return rc;
}

/* After an error of the runner's own (its folder cannot be written): its children stop in order. */
static void children_end(struct runner *r)
{
    r->stopping = true;
    while (anything_runs(r)) {
        children_look(r);
        stops_look(r);
        (void)clock_sleep(LOOK_US, NULL);
    }
    if (r->helper.pid)
        child_signal(&r->helper, SIGTERM);
    while (r->helper.pid) {
        bool ended = false;
        int status = 0;

        child_look(&r->helper, no_line, NULL, &ended, &status);
        (void)clock_sleep(LOOK_US, NULL);
    }
}

static bool all_over(const struct runner *r)
{
    for (int i = 0; i < STAGE_COUNT; i++)
        if (!over(r, (enum stage_name)i))
            return false;
    return true;
}

static enum err_code code_of_name(const char *name)
{
    for (int i = 1; i < ERR_COUNT; i++)
        if (name && strcmp(err_info((enum err_code)i)->name, name) == 0)
            return (enum err_code)i;
    return ERR_FAILED;
}

/* The job's state, and the error that its end is for the caller. */
static enum err_code verdict(struct runner *r, bool *left_out, struct err *err)
{
    struct job_record *rec = r->record;

    for (int i = 0; i < STAGE_COUNT; i++) {
        *left_out = *left_out || rec->stages[i].left_out;
        if (rec->stages[i].status == STAGE_RETRYING)
            rec->stages[i].status = STAGE_STOPPED; /* nobody tries it again now */
    }
    if (all_over(r)) {
        rec->status = JOB_OVER;
        return ERR_OK;
    }
    for (int i = 0; i < STAGE_COUNT; i++)
        if (rec->stages[i].status == STAGE_NEEDS_YOU) {
            const struct stage_error *e = &rec->stages[i].error;

            rec->status = JOB_NEEDS_YOU;
            return err_set(err, code_of_name(e->name), "job '%s', stage %s: %s", rec->name,
                           stage_word((enum stage_name)i), e->message);
        }
    if (unseen(r) && !r->stopping) {
        rec->status = JOB_NEEDS_YOU;
        return ERR_OK;
    }
    rec->status = JOB_PAUSED;
    return err_set(err, ERR_INTERRUPTED, "job '%s' %s: ferry job resume %s goes on", rec->name,
                   r->interrupted ? "was interrupted" : "is paused", rec->name);
}

static void position_keep(struct runner *r)
{
    const struct stage_state *cut = &r->record->stages[STAGE_CUTOVER];
    const json_t *place =
        cut->status == STAGE_DONE ? json_object_get(cut->closing, "position") : NULL;
    const char *file = json_string_value(json_object_get(place, "file"));
    const char *gtid = json_string_value(json_object_get(place, "gtid"));

    if (!file)
        return;
    free(r->record->position);
    r->record->position = xasprintf("%s:%lld%s%s", file,
                                    (long long)json_integer_value(json_object_get(place, "offset")),
                                    gtid && *gtid ? ", GTID " : "", gtid ? gtid : "");
}

/* The state that stays; where it cannot be written, state.json is of before, and says "running" of
 * a job without a process: then this is said behind what has ended the run. */
static enum err_code last_words(struct runner *r, enum err_code rc, struct err *err)
{
    struct err why = ERR_INIT;
    struct strbuf all = {0};
    enum err_code code = rc;

    if (!keep_last(r, &why))
        return rc;
    if (rc) {
        strbuf_addf(&all, "%s; and state.json does not say so: %s", err->msg, why.msg);
    } else {
        code = why.code;
        strbuf_addf(&all, "job '%s': state.json is not of now: %s", r->record->name, why.msg);
    }
    err_clear(err);
    (void)err_set(err, code, "%s", strbuf_str(&all));
    strbuf_release(&all);
    return code;
}

enum err_code job_run(const struct job_run *run, struct job_record *record, bool *left_out,
                      struct err *err)
{
    struct runner r = {.run = run, .record = record, .helper = CHILD_INIT};
    const enum job_status was = record->status;
    enum err_code rc;

    *left_out = false;
    parts_of_mode(&r);
    runner_sign(&r);
    record->status = JOB_RUNNING;
    r.said_us = clock_mono_us();
    rc = keep_first(&r, err);
    if (rc) {
        record->status = was;
        return err_wrap(err, "job '%s' does not begin, as its state cannot be written",
                        record->name);
    }
    rc = loop(&r, err);
    children_end(&r);
    if (!rc) {
        position_keep(&r);
        rc = verdict(&r, left_out, err);
    } else {
        record->status = JOB_NEEDS_YOU;
    }
    home_answered(run->home, REQUEST_PAUSE);
    rc = last_words(&r, rc, err);
    for (int i = 0; i < STAGE_COUNT; i++)
        strbuf_release(&r.stage[i].said);
    free(r.said);
    return rc;
}
