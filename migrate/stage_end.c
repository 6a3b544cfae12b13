/* What a stage's process says while it runs, and what its end means for the job. */
#include "migrate/runner.h"

#include "common/base/log.h"
#include "common/mysql/ident.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_TAIL 65536
#define LOG_MAX ((size_t)1 << 20)
#define EXIT_CHECK 4
#define EXIT_LEFT_OUT 6
#define EXIT_INTERRUPTED 130

char *text_read(const struct runner *r, const char *file, uint64_t from, size_t max)
{
    char *path = home_path(r->run->home, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *text = NULL;

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= 0) {
        const uint64_t size = (uint64_t)st.st_size;
        size_t len = 0;

        if (size > from + max)
            from = size - max;
        text = xmalloc(max + 1);
        while (len < max) {
            ssize_t n = pread(fd, text + len, max - len, (off_t)(from + len));

            if (n <= 0)
                break;
            len += (size_t)n;
        }
        text[len] = '\0';
    }
    if (fd >= 0)
        (void)close(fd);
    free(path);
    return text;
}

static void progress_take(struct runner *r, enum stage_name s, const json_t *line)
{
    struct stage_state *st = &r->record->stages[s];
    const json_t *left = json_object_get(line, "seconds_left");
    uint64_t rows = (uint64_t)json_integer_value(json_object_get(line, "rows"));

    st->bytes = (uint64_t)json_integer_value(json_object_get(line, "bytes"));
    retry_progress(r, s, rows + st->bytes);
    if (s == STAGE_FOLLOW || s == STAGE_CUTOVER)
        rows += r->stage[s].rows_before;
    st->rows = rows;
    st->total_bytes = (uint64_t)json_integer_value(json_object_get(line, "total_bytes"));
    st->rate = json_number_value(json_object_get(line, "bytes_per_second"));
    if (json_object_get(line, "lag_seconds")) {
        if (!r->record->follow)
            r->record->follow = json_object();
        (void)json_object_set(r->record->follow, "lag_seconds",
                              json_object_get(line, "lag_seconds"));
    }
    st->left_s = json_is_integer(left) ? json_integer_value(left) : -1;
    if (st->rows > 0)
        r->stage[s].reads = true;
    r->dirty = true;
}

static void log_append(const struct runner *r, enum stage_name s, const char *line)
{
    char *file = xasprintf("%s/%s.log", r->run->home->dir, stage_word(s));
    FILE *f = fopen(file, "ae");

    if (f) {
        (void)fprintf(f, "%s\n", line);
        (void)fclose(f);
    }
    free(file);
}

/* A follower counts the rows of one run; the stage's are those of all its runs. */
static void followed_take(struct runner *r, enum stage_name s, const json_t *line)
{
    const json_t *rows = json_object_get(line, "rows");

    if (!json_is_integer(rows))
        return;
    r->record->stages[s].rows = r->stage[s].rows_before + (uint64_t)json_integer_value(rows);
    r->dirty = true;
}

void stage_line(struct runner *r, enum stage_name s, const char *line)
{
    json_t *json = *line == '{' ? json_loads(line, 0, NULL) : NULL;
    json_t *closing = json_object_get(json, "closing");

    if (closing) {
        json_decref(r->record->stages[s].closing);
        r->record->stages[s].closing = json_incref(closing);
        if (s == STAGE_FOLLOW || s == STAGE_CUTOVER)
            followed_take(r, s, closing);
    } else if (json_object_get(json, "stage") && json_object_get(json, "seconds")) {
        progress_take(r, s, json);
    } else if (*line) {
        strbuf_reset(&r->stage[s].said);
        strbuf_addstr(&r->stage[s].said, line);
        log_append(r, s, line);
    }
    json_decref(json);
}

/* The last error in what the process has added to its log; else its last words. */
static void error_find(struct runner *r, enum stage_name s, int exit_status)
{
    struct stage_error *e = &r->record->stages[s].error;
    char *file = xasprintf("%s.log", stage_word(s));
    char *text = text_read(r, file, r->stage[s].log_from, LOG_TAIL);
    json_t *last = NULL;

    for (char *at = text; at && *at;) {
        char *end = strchr(at, '\n');
        json_t *line;
        const char *event;

        if (end)
            *end = '\0';
        line = json_loads(at, 0, NULL);
        event = json_string_value(json_object_get(line, "event"));
        if (event && strcmp(event, "failed") == 0) {
            json_decref(last);
            last = json_incref(line);
        }
        json_decref(line);
        at = end ? end + 1 : NULL;
    }
    if (last) {
        stage_error_set(e, json_string_value(json_object_get(last, "error")),
                        json_string_value(json_object_get(last, "message")),
                        json_string_value(json_object_get(last, "hint")), exit_status);
    } else {
        char words[128];

        if (exit_status < 0)
            (void)snprintf(words, sizeof words, "the process was ended by signal %d", -exit_status);
        else
            (void)snprintf(words, sizeof words, "the process ended with exit status %d",
                           exit_status);
        stage_error_set(e, err_info(ERR_FAILED)->name,
                        r->stage[s].said.len && exit_status > 0 ? strbuf_str(&r->stage[s].said)
                                                                : words,
                        NULL, exit_status);
    }
    json_decref(last);
    free(text);
    free(file);
}

/* Which of the target's loads is the follower's, where there is no dump to know it by: as it says
 * itself. Any other one may be another job's, which a delete would destroy. */
void target_job_find(struct runner *r)
{
    const bool wanted = r->run->spec->mode == MODE_INCREMENTAL && !r->record->target_job;
    char *text =
        wanted ? text_read(r, "follow.log", r->stage[STAGE_FOLLOW].log_from, LOG_MAX) : NULL;

    for (char *at = text; at && *at && !r->record->target_job;) {
        char *end = strchr(at, '\n');
        json_t *line;
        const char *event;

        if (end)
            *end = '\0';
        line = json_loads(at, 0, NULL);
        event = json_string_value(json_object_get(line, "event"));
        if (event && strcmp(event, "follow.job") == 0) {
            r->record->target_job = (uint64_t)json_integer_value(json_object_get(line, "job"));
            r->dirty = true;
        }
        json_decref(line);
        at = end ? end + 1 : NULL;
    }
    free(text);
}

static bool error_is(const struct stage_error *e, enum err_code code)
{
    return e->name && strcmp(e->name, err_info(code)->name) == 0;
}

bool stage_blocks(const struct runner *r)
{
    for (int i = 0; i < STAGE_COUNT; i++)
        if (r->record->stages[i].status == STAGE_NEEDS_YOU)
            return true;
    return false;
}

static bool going_on(const struct runner *r, enum stage_name s)
{
    const enum stage_status st = r->record->stages[s].status;

    return st == STAGE_RUNNING || st == STAGE_RETRYING;
}

/* A load that came before there was anything to load. */
static bool too_early(const struct runner *r, enum stage_name s)
{
    const struct stage_error *e = &r->record->stages[STAGE_LOAD].error;

    return s == STAGE_LOAD && going_on(r, STAGE_DUMP) &&
           (error_is(e, ERR_STORE_NOT_FOUND) || error_is(e, ERR_DUMP_INCOMPLETE) ||
            error_is(e, ERR_DUMP_WAIT));
}

static void needs_you(struct runner *r, enum stage_name s)
{
    const struct stage_state *st = &r->record->stages[s];

    r->record->stages[s].status = STAGE_NEEDS_YOU;
    log_event(LOG_ERROR, "job.needs-you", F_STR("stage", stage_word(s)),
              F_STR("error", st->error.name), F_STR("message", st->error.message),
              F_STR("hint", st->error.hint ? st->error.hint : ""));
}

void stage_error_of(struct runner *r, enum stage_name s, enum err_code code, const char *message)
{
    const struct err_info *info = err_info(code);
    struct strbuf hint = {0};

    for (const char *at = info->remedy; *at;) { /* "ferry job status NAME" */
        const char *name = strstr(at, "NAME");

        strbuf_addf(&hint, "%.*s%s", name ? (int)(name - at) : (int)strlen(at), at,
                    name ? r->record->name : "");
        at = name ? name + 4 : at + strlen(at);
    }
    stage_error_set(&r->record->stages[s].error, info->name, message, strbuf_str(&hint),
                    info->exit_status);
    strbuf_release(&hint);
}

void stage_fails(struct runner *r, enum stage_name s, const struct err *err)
{
    stage_error_of(r, s, err->code, err->msg);
    if (err_info(err->code)->exit_status == EXIT_INTERRUPTED)
        r->record->stages[s].status = STAGE_STOPPED;
    else if (!retry_may(&r->record->stages[s].error) || !retry_or_not(r, s, true))
        needs_you(r, s);
    r->dirty = true;
}

static void stage_done(struct runner *r, enum stage_name s)
{
    struct stage_state *st = &r->record->stages[s];

    st->status = STAGE_DONE;
    st->tries = 0;
    st->left_s = -1;
    if (!st->left_out)
        stage_error_clear(&st->error);
    r->stage[s].done_now = true;
    if (s == STAGE_CUTOVER)
        r->record->stages[STAGE_FOLLOW].status = STAGE_DONE;
    log_event(LOG_INFO, "job.stage.done", F_STR("stage", stage_word(s)), F_U64("rows", st->rows),
              F_F64("seconds", (double)st->wall_us / 1e6));
}

/* exit_status negative: that signal. */
static void stage_judge(struct runner *r, enum stage_name s, int exit_status)
{
    struct stage_state *st = &r->record->stages[s];

    if (exit_status == EXIT_INTERRUPTED || (exit_status != 0 && r->stage[s].asked)) {
        st->status = STAGE_STOPPED;
        return;
    }
    if (exit_status == 0 && s == STAGE_FOLLOW) {
        st->status = STAGE_STOPPED; /* it ends by being asked to; then it is started again */
        return;
    }
    if (exit_status == 0) {
        stage_done(r, s);
        return;
    }
    error_find(r, s, exit_status);
    if (s == STAGE_DUMP && error_is(&st->error, ERR_DUMP_FINISHED)) {
        stage_error_clear(&st->error); /* whoever had said so was killed */
        stage_done(r, s);
    } else if (exit_status == EXIT_LEFT_OUT) {
        st->left_out = true;
        stage_error_set(&st->error, "left-out",
                        "done, with objects or rows left out: the stage's log names them",
                        "resume goes on without them", exit_status);
        stage_done(r, s);
    } else {
        const bool early = too_early(r, s); /* that is no fault of it */

        if (!(early || retry_may(&st->error)) || !retry_or_not(r, s, !early))
            needs_you(r, s);
    }
}

/* Which tables differ, and by how many rows or objects, from the report: into the closing. */
static void differences_take(struct runner *r)
{
    char *path = home_path(r->run->home, "differences.jsonl");
    json_t *differing = json_object();
    FILE *f = fopen(path, "re");
    struct strbuf name = {0};
    char *text = NULL;
    size_t cap = 0;

    while (f && getline(&text, &cap, f) >= 0) {
        json_t *line = json_loads(text, 0, NULL);
        const char *db = json_string_value(json_object_get(line, "schema"));
        const char *table = json_string_value(json_object_get(line, "table"));

        if (db && table) {
            strbuf_reset(&name);
            strbuf_add_name(&name, db, table);
            (void)json_object_set_new(
                differing, strbuf_str(&name),
                json_integer(json_integer_value(json_object_get(differing, strbuf_str(&name))) +
                             1));
        }
        json_decref(line);
    }
    if (f)
        (void)fclose(f);
    if (r->record->stages[STAGE_VERIFY].closing)
        (void)json_object_set(r->record->stages[STAGE_VERIFY].closing, "differing", differing);
    json_decref(differing);
    strbuf_release(&name);
    free(text);
    free(path);
}

static void check_judge(struct runner *r)
{
    bool blocked = false;

    if (!check_answer(r, &blocked))
        error_find(r, STAGE_CHECK, EXIT_CHECK);
    else if (!blocked) {
        stage_done(r, STAGE_CHECK);
        return;
    }
    if (!retry_may(&r->record->stages[STAGE_CHECK].error) || !retry_or_not(r, STAGE_CHECK, true))
        needs_you(r, STAGE_CHECK);
}

void stage_ended(struct runner *r, enum stage_name s, int status)
{
    struct stage_state *st = &r->record->stages[s];
    const int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);

    st->wall_us += clock_mono_us() - r->stage[s].began_us;
    st->ended_us = clock_utc_us();
    st->pid = 0;
    st->rate = 0;
    st->left_s = -1;
    if (s == STAGE_CHECK && (exit_status == 0 || exit_status == EXIT_CHECK))
        check_judge(r);
    else
        stage_judge(r, s, exit_status);
    if (s == STAGE_VERIFY)
        differences_take(r);
    if (s == STAGE_FOLLOW)
        target_job_find(r);
    r->stage[s].asked = false;
    r->dirty = true;
}
