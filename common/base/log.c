/* One line an event, written whole by one write(2) under the sink's lock, so lines of different
 * threads never mix. A line is built before the lock is taken. */
#include "common/base/log.h"

#include "common/base/clock.h"
#include "common/base/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#define LOG_NAME_MAX 16 /* bytes, the NUL included */

struct log_sink {
    pthread_mutex_t lock; /* guards fd and live */
    int fd;
    char live[LOG_LIVE_MAX]; /* what the live line shows; "": none */
    atomic_int level;
    atomic_int format;
};

/* The one sink of the process (style: the only mutable state besides the signal flag). */
static struct log_sink log_sink = { // NOLINT(*-avoid-non-const-global-variables)
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .fd = STDERR_FILENO,
    .level = LOG_INFO,
    .format = LOG_FORMAT_TEXT};
// NOLINTNEXTLINE(*-avoid-non-const-global-variables)
static _Thread_local char log_thread[LOG_NAME_MAX] = "main";

static const char *const log_level_names[] = {"error", "warn", "info", "debug", "trace"};

static void log_set_fd(int fd)
{
    int old;

    pthread_mutex_lock(&log_sink.lock);
    old = log_sink.fd;
    log_sink.fd = fd;
    pthread_mutex_unlock(&log_sink.lock);
    if (old != STDERR_FILENO && old != fd)
        (void)close(old);
}

enum err_code log_init(const struct log_config *config, struct err *err)
{
    int fd = STDERR_FILENO;

    if (config->file) {
        fd = open(config->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (fd < 0) {
            int errnum = errno;

            return err_set_errno(err, err_code_of_errno(errnum), errnum,
                                 "cannot open log file '%s'", config->file);
        }
    }
    atomic_store(&log_sink.level, (int)config->level);
    atomic_store(&log_sink.format, (int)config->format);
    log_set_fd(fd);
    return ERR_OK;
}

void log_close(void)
{
    log_set_fd(STDERR_FILENO);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_sink.level, memory_order_relaxed);
}

void log_thread_name(const char *name)
{
    (void)snprintf(log_thread, sizeof log_thread, "%s", name);
#ifdef __linux__
    (void)prctl(PR_SET_NAME, log_thread); /* for top -H and debuggers */
#endif
}

/* A fault in writing the log has nobody to be told to. */
static void log_write_fd(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno != EINTR)
            return;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
}

static void log_emit(const char *line, size_t len)
{
    pthread_mutex_lock(&log_sink.lock);
    if (log_sink.fd == STDERR_FILENO && log_sink.live[0]) {
        struct strbuf all = {0};

        strbuf_addstr(&all, "\r\033[K");
        strbuf_add(&all, line, len);
        strbuf_addstr(&all, log_sink.live);
        log_write_fd(log_sink.fd, all.str, all.len);
        strbuf_release(&all);
    } else {
        log_write_fd(log_sink.fd, line, len);
    }
    pthread_mutex_unlock(&log_sink.lock);
}

void log_live_line(const char *line)
{
    char out[LOG_LIVE_MAX + 8];
    int len;

    pthread_mutex_lock(&log_sink.lock);
    (void)snprintf(log_sink.live, sizeof log_sink.live, "%s", line ? line : "");
    len = snprintf(out, sizeof out, "\r\033[K%s", log_sink.live);
    log_write_fd(STDERR_FILENO, out, (size_t)len);
    pthread_mutex_unlock(&log_sink.lock);
}

/* Adds text without control characters, so that no value can fake a log line. */
static void log_add_escaped(struct strbuf *out, const char *str, bool quoted)
{
    for (; *str; str++) {
        unsigned char c = (unsigned char)*str;

        if (c == '\n')
            strbuf_addstr(out, "\\n");
        else if (c < 0x20 || c == 0x7f)
            strbuf_addf(out, "\\x%02x", c);
        else if (quoted && (c == '"' || c == '\\'))
            strbuf_addf(out, "\\%c", c);
        else
            strbuf_addch(out, *str);
    }
}

static void log_add_str(struct strbuf *out, const char *str)
{
    static const char special[] = " \"=\\\t\n\r\v\f";

    if (!str) {
        strbuf_addstr(out, "null");
        return;
    }
    if (*str && !strpbrk(str, special)) {
        log_add_escaped(out, str, false);
        return;
    }
    strbuf_addch(out, '"');
    log_add_escaped(out, str, true);
    strbuf_addch(out, '"');
}

static void log_add_value(struct strbuf *out, const struct log_field *f)
{
    switch (f->kind) {
    case LOG_FIELD_STR:
        log_add_str(out, f->str);
        break;
    case LOG_FIELD_U64:
        strbuf_addf(out, "%llu", (unsigned long long)f->u64);
        break;
    case LOG_FIELD_I64:
        strbuf_addf(out, "%lld", (long long)f->i64);
        break;
    case LOG_FIELD_F64:
        strbuf_addf(out, "%g", f->f64);
        break;
    case LOG_FIELD_BOOL:
        strbuf_addstr(out, f->u64 ? "true" : "false");
        break;
    case LOG_FIELD_END:
        break;
    }
}

static bool log_is_message(const struct log_field *f)
{
    return f->kind == LOG_FIELD_STR && f->str && strcmp(f->key, "message") == 0;
}

static void log_text(struct strbuf *out, enum log_level level, const char *event,
                     const struct log_field *fields)
{
    char now[CLOCK_TEXT_MAX];

    clock_utc_text(clock_utc_us(), now);
    /* milliseconds do: the first 23 bytes of the microsecond form */
    strbuf_addf(out, "%.23sZ %-5s [%s] %s", now, log_level_names[level], log_thread, event);
    for (const struct log_field *f = fields; f->kind != LOG_FIELD_END; f++)
        if (log_is_message(f)) {
            strbuf_addstr(out, ": ");
            log_add_escaped(out, f->str, false);
        }
    for (const struct log_field *f = fields; f->kind != LOG_FIELD_END; f++)
        if (!log_is_message(f)) {
            strbuf_addf(out, " %s=", f->key);
            log_add_value(out, f);
        }
    strbuf_addch(out, '\n');
}

/* Text that is not UTF-8 (a value quoted by a server's message) gets '?' for its high bytes. */
static json_t *log_json_str(const char *str)
{
    json_t *json = str ? json_string(str) : json_null();
    struct strbuf ascii = {0};

    if (json)
        return json;
    strbuf_addstr(&ascii, str);
    for (size_t i = 0; i < ascii.len; i++)
        if ((unsigned char)ascii.str[i] >= 0x80)
            ascii.str[i] = '?';
    json = json_string(strbuf_str(&ascii));
    strbuf_release(&ascii);
    return json;
}

static json_t *log_json_value(const struct log_field *f)
{
    switch (f->kind) {
    case LOG_FIELD_STR:
        return log_json_str(f->str);
    case LOG_FIELD_U64:
        /* JSON integers are signed here: beyond them, a string keeps every digit */
        if (f->u64 > INT64_MAX)
            return json_sprintf("%llu", (unsigned long long)f->u64);
        return json_integer((json_int_t)f->u64);
    case LOG_FIELD_I64:
        return json_integer((json_int_t)f->i64);
    case LOG_FIELD_F64:
        return json_real(f->f64);
    case LOG_FIELD_BOOL:
        return json_boolean(f->u64);
    case LOG_FIELD_END:
        break;
    }
    return NULL;
}

static void log_json_put(json_t *line, const char *key, json_t *value)
{
    (void)json_object_set_new(line, key, value ? value : json_null());
}

static void log_json(struct strbuf *out, enum log_level level, const char *event,
                     const struct log_field *fields)
{
    json_t *line = json_object();
    char now[CLOCK_TEXT_MAX];
    char *text;

    clock_utc_text(clock_utc_us(), now);
    log_json_put(line, "time", json_string(now));
    log_json_put(line, "level", json_string(log_level_names[level]));
    log_json_put(line, "thread", log_json_str(log_thread));
    log_json_put(line, "event", json_string(event));
    for (const struct log_field *f = fields; f->kind != LOG_FIELD_END; f++)
        log_json_put(line, f->key, log_json_value(f));
    text = json_dumps(line, JSON_COMPACT);
    if (text)
        strbuf_addf(out, "%s\n", text);
    free(text);
    json_decref(line);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct strbuf line = {0};

    if (atomic_load_explicit(&log_sink.format, memory_order_relaxed) == LOG_FORMAT_JSON)
        log_json(&line, level, event, fields);
    else
        log_text(&line, level, event, fields);
    log_emit(strbuf_str(&line), line.len);
    strbuf_release(&line);
}

void log_error(const char *event, const struct err *err)
{
    const struct err_info *info = err_info(err->code);
    struct log_field fields[4] = {F_STR("message", err->msg), F_STR("error", info->name)};

    if (info->remedy[0])
        fields[2] = F_STR("hint", info->remedy);
    if (log_enabled(LOG_ERROR))
        log_write(LOG_ERROR, event, fields);
}
