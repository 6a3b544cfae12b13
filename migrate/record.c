#include "migrate/record.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE_FORMAT "ferry.job/1"
#define STATE_FILE "state.json"

static const char *const stage_words[] = {"check", "dump", "load", "follow", "cutover", "verify"};
static const char *const status_words[] = {"waiting",   "running", "retrying", "stopped",
                                           "needs-you", "done",    "not-part"};
static const char *const job_words[] = {"new", "running", "paused", "needs-you", "done"};

const char *stage_word(enum stage_name s)
{
    return stage_words[s];
}

const char *stage_status_word(enum stage_status s)
{
    return status_words[s];
}

const char *job_status_word(enum job_status s)
{
    return job_words[s];
}

static char *dup_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

void stage_error_clear(struct stage_error *e)
{
    free(e->name);
    free(e->message);
    free(e->hint);
    *e = (struct stage_error){0};
}

void stage_error_set(struct stage_error *e, const char *name, const char *message, const char *hint,
                     int exit_status)
{
    const struct stage_error set = {dup_or_null(name), dup_or_null(message), dup_or_null(hint),
                                    exit_status};

    stage_error_clear(e);
    *e = set;
}

void job_record_init(struct job_record *s, const char *name)
{
    *s = (struct job_record){.name = xstrdup(name),
                             .created_us = clock_utc_us(),
                             .checks = json_array(),
                             .accepted = json_array()};
    for (int i = 0; i < STAGE_COUNT; i++)
        s->stages[i].left_s = -1;
}

void job_record_release(struct job_record *s)
{
    for (int i = 0; i < STAGE_COUNT; i++) {
        stage_error_clear(&s->stages[i].error);
        json_decref(s->stages[i].closing);
        free(s->stages[i].warning);
        free(s->stages[i].warning_time);
    }
    json_decref(s->checks);
    json_decref(s->accepted);
    json_decref(s->follow);
    json_decref(s->runner);
    free(s->name);
    free(s->id);
    free(s->shape);
    free(s->mode);
    free(s->size);
    free(s->dump_uuid);
    free(s->position);
    *s = (struct job_record){0};
}

/* ---- to JSON ---- */

json_t *json_any_text(const char *text)
{
    json_t *json = text ? json_string(text) : json_null();
    char *ascii;

    if (json)
        return json;
    ascii = xstrdup(text);
    for (char *c = ascii; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    json = json_string(ascii);
    free(ascii);
    return json;
}

static void put(json_t *to, const char *key, json_t *value)
{
    (void)json_object_set_new(to, key, value ? value : json_null());
}

static void put_count(json_t *to, const char *key, uint64_t value)
{
    put(to, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

static json_t *time_json(int64_t us)
{
    char text[CLOCK_TEXT_MAX];

    if (!us)
        return json_null();
    clock_utc_text(us, text);
    return json_string(text);
}

static json_t *error_json(const struct stage_error *e)
{
    json_t *json;

    if (!e->name)
        return json_null();
    json = json_object();
    put(json, "name", json_any_text(e->name));
    put(json, "message", json_any_text(e->message));
    put(json, "hint", json_any_text(e->hint));
    put(json, "exit_status", json_integer(e->exit_status));
    return json;
}

static json_t *warning_json(const struct stage_state *s)
{
    json_t *json;

    if (!s->warning)
        return json_null();
    json = json_object();
    put(json, "time", json_any_text(s->warning_time));
    put(json, "message", json_any_text(s->warning));
    return json;
}

static json_t *stage_json(enum stage_name name, const struct stage_state *s)
{
    const bool again = s->status == STAGE_RETRYING;
    json_t *json = json_object();

    put(json, "stage", json_string(stage_word(name)));
    put(json, "state", json_string(stage_status_word(s->status)));
    put_count(json, "runs", s->runs);
    put_count(json, "tries", s->tries);
    put(json, "tries_max", again && s->tries_max ? json_integer(s->tries_max) : json_null());
    put(json, "again", again ? time_json(s->again_us) : json_null());
    put(json, "began", time_json(s->began_us));
    put(json, "ended", time_json(s->ended_us));
    put(json, "wall_seconds", json_real((double)s->wall_us / 1e6));
    put_count(json, "rows", s->rows);
    put_count(json, "bytes", s->bytes);
    put_count(json, "total_bytes", s->total_bytes);
    put(json, "bytes_per_second", json_real(s->rate));
    put(json, "seconds_left", s->left_s < 0 ? json_null() : json_integer(s->left_s));
    put(json, "pid", s->pid ? json_integer(s->pid) : json_null());
    put(json, "left_out", json_boolean(s->left_out));
    put(json, "error", error_json(&s->error));
    put(json, "warning", warning_json(s));
    put(json, "closing", json_incref(s->closing));
    return json;
}

json_t *job_record_json(const struct job_record *s)
{
    json_t *json = json_object();
    json_t *stages = json_array();

    for (int i = 0; i < STAGE_COUNT; i++)
        (void)json_array_append_new(stages, stage_json((enum stage_name)i, &s->stages[i]));
    put(json, "format", json_string(STATE_FORMAT));
    put(json, "name", json_any_text(s->name));
    put(json, "id", json_any_text(s->id));
    put(json, "mode", json_any_text(s->mode));
    put(json, "spec", json_any_text(s->size));
    put(json, "state", json_string(job_status_word(s->status)));
    put(json, "created", time_json(s->created_us));
    put(json, "updated", time_json(s->updated_us));
    put(json, "runner", json_incref(s->runner));
    put(json, "stages", stages);
    put(json, "checks", json_incref(s->checks));
    put(json, "accepted", json_incref(s->accepted));
    put(json, "follow", json_incref(s->follow));
    put(json, "cutover_asked", json_boolean(s->cutover));
    put(json, "read_only_asked", json_boolean(s->read_only));
    put(json, "position", json_any_text(s->position));
    put(json, "dump_uuid", json_any_text(s->dump_uuid));
    put_count(json, "target_job", s->target_job);
    put(json, "tables_claimed", json_boolean(s->claimed));
    put(json, "shape", json_any_text(s->shape));
    return json;
}

/* ---- the file ---- */

static enum err_code write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        text += n;
        len -= (size_t)n;
    }
    return fsync(fd) == 0 ? ERR_OK : ERR_IO;
}

static bool folder_sync(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        (void)close(fd);
    return good;
}

enum err_code file_replace(const char *dir, const char *name, const char *text, size_t len,
                           struct err *err)
{
    char *path = xasprintf("%s/%s", dir, name);
    char *temp = xasprintf("%s/.%s.tmp", dir, name);
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good = fd >= 0 && write_all(fd, text, len) == ERR_OK;
    const int errnum = errno;
    enum err_code rc = ERR_OK;

    if (fd >= 0)
        good = close(fd) == 0 && good;
    if (!good) {
        (void)unlink(temp); /* part of it would take the room that the next attempt needs */
        rc = err_set_errno(err, err_code_of_errno(errnum), errnum, "writing '%s'", temp);
    }
    if (good && (rename(temp, path) != 0 || !folder_sync(dir)))
        rc = err_set_errno(err, err_code_of_errno(errno), errno, "replacing '%s'", path);
    free(path);
    free(temp);
    return rc;
}

enum err_code job_record_write(const char *dir, struct job_record *s, struct err *err)
{
    json_t *json;
    char *text;
    enum err_code rc;

    s->updated_us = clock_utc_us();
    json = job_record_json(s);
    text = json_dumps(json, JSON_INDENT(1));
    rc = text ? file_replace(dir, STATE_FILE, text, strlen(text), err)
              : err_set(err, ERR_INTERNAL, "the job's state cannot be written as JSON");
    free(text);
    json_decref(json);
    return rc;
}

/* ---- from JSON ---- */

/* "2026-11-23T10:20:33.123456Z" back to microseconds; 0: none. */
static int64_t time_of(const json_t *json)
{
    const char *text = json_string_value(json);
    int year, month, day, hour, minute, second, us;
    int64_t y, m, days;

    if (!text || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ", &year, &month, &day, &hour, &minute,
                        &second, &us) != 7)
        return 0;
    y = month > 2 ? year : year - 1; /* days of the Gregorian calendar, years counted from March */
    m = month > 2 ? month - 3 : month + 9;
    days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
    return ((((days * 24 + hour) * 60 + minute) * 60) + second) * 1000000 + us;
}

static int word_index(const char *const *words, int count, const json_t *json)
{
    const char *text = json_string_value(json);

    for (int i = 0; text && i < count; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    return -1;
}

static uint64_t count_of(const json_t *from, const char *key)
{
    const json_int_t n = json_integer_value(json_object_get(from, key));

    return n > 0 ? (uint64_t)n : 0;
}

static char *text_of(const json_t *from, const char *key)
{
    return dup_or_null(json_string_value(json_object_get(from, key)));
}

static bool stage_of(struct stage_state *s, const json_t *json)
{
    const json_t *error = json_object_get(json, "error");
    const json_t *left = json_object_get(json, "seconds_left");
    json_t *closing = json_object_get(json, "closing");
    const int status = word_index(status_words, STAGE_NOT_PART + 1, json_object_get(json, "state"));

    if (status < 0)
        return false;
    s->status = (enum stage_status)status;
    s->runs = (unsigned)count_of(json, "runs");
    s->tries = (unsigned)count_of(json, "tries");
    s->tries_max = (unsigned)count_of(json, "tries_max");
    s->again_us = time_of(json_object_get(json, "again"));
    s->began_us = time_of(json_object_get(json, "began"));
    s->ended_us = time_of(json_object_get(json, "ended"));
    s->wall_us = (uint64_t)(json_number_value(json_object_get(json, "wall_seconds")) * 1e6 + 0.5);
    s->rows = count_of(json, "rows");
    s->bytes = count_of(json, "bytes");
    s->total_bytes = count_of(json, "total_bytes");
    s->rate = json_number_value(json_object_get(json, "bytes_per_second"));
    s->left_s = json_is_integer(left) ? json_integer_value(left) : -1;
    s->pid = json_integer_value(json_object_get(json, "pid"));
    s->left_out = json_is_true(json_object_get(json, "left_out"));
    if (json_is_object(error))
        s->error = (struct stage_error){
            text_of(error, "name"), text_of(error, "message"), text_of(error, "hint"),
            (int)json_integer_value(json_object_get(error, "exit_status"))};
    s->warning = text_of(json_object_get(json, "warning"), "message");
    s->warning_time = text_of(json_object_get(json, "warning"), "time");
    if (json_is_object(closing))
        s->closing = json_incref(closing);
    return true;
}

static json_t *kept(const json_t *from, const char *key, bool array)
{
    json_t *json = json_object_get(from, key);

    if (array)
        return json_is_array(json) ? json_incref(json) : json_array();
    return json_is_object(json) ? json_incref(json) : NULL;
}

static bool state_of(struct job_record *s, const json_t *json)
{
    const char *format = json_string_value(json_object_get(json, "format"));
    const json_t *stages = json_object_get(json, "stages");
    const int status = word_index(job_words, JOB_OVER + 1, json_object_get(json, "state"));

    if (!format || strcmp(format, STATE_FORMAT) != 0 || status < 0)
        return false;
    s->status = (enum job_status)status;
    s->name = text_of(json, "name");
    s->id = text_of(json, "id");
    s->mode = text_of(json, "mode");
    s->size = text_of(json, "spec");
    s->shape = text_of(json, "shape");
    s->position = text_of(json, "position");
    s->dump_uuid = text_of(json, "dump_uuid");
    s->created_us = time_of(json_object_get(json, "created"));
    s->updated_us = time_of(json_object_get(json, "updated"));
    s->target_job = count_of(json, "target_job");
    s->cutover = json_is_true(json_object_get(json, "cutover_asked"));
    s->read_only = json_is_true(json_object_get(json, "read_only_asked"));
    s->claimed = json_is_true(json_object_get(json, "tables_claimed"));
    s->checks = kept(json, "checks", true);
    s->accepted = kept(json, "accepted", true);
    s->follow = kept(json, "follow", false);
    s->runner = kept(json, "runner", false);
    for (int i = 0; i < STAGE_COUNT; i++)
        if (!stage_of(&s->stages[i], json_array_get(stages, (size_t)i)))
            return false;
    return s->name != NULL && s->id != NULL;
}

enum err_code job_record_read(const char *dir, struct job_record *s, struct err *err)
{
    char *path = xasprintf("%s/" STATE_FILE, dir);
    FILE *f = fopen(path, "re");
    json_error_t where;
    json_t *json = NULL;
    enum err_code rc = ERR_OK;

    if (!f)
        rc = err_set_errno(err, err_code_of_errno(errno), errno, "no state of a job: '%s'", path);
    else
        json = json_loadf(f, 0, &where);
    if (f && (!json || !state_of(s, json)))
        rc = err_set(err, ERR_FORMAT, "'%s' is not the state of a job that this ferry can read%s%s",
                     path, json ? "" : ": ", json ? "" : where.text);
    if (f)
        (void)fclose(f);
    json_decref(json);
    free(path);
    if (rc)
        job_record_release(s);
    return rc;
}
