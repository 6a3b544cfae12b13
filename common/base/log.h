/* common/base/log.h: events with typed fields, as text or JSON lines, on stderr and in --log-file.
 *
 *     log_event(LOG_INFO, "dump.table.done", F_STR("table", name), F_U64("rows", n));
 *
 * The sink is chosen once by log_init; call sites never know text from JSON. Secrets never reach a
 * field: URLs are logged through server_url_text. Safe from any thread. */
#ifndef FERRY_BASE_LOG_H
#define FERRY_BASE_LOG_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

enum log_field_kind {
    LOG_FIELD_END = 0,
    LOG_FIELD_STR,
    LOG_FIELD_U64,
    LOG_FIELD_I64,
    LOG_FIELD_F64,
    LOG_FIELD_BOOL
};
struct log_field {
    enum log_field_kind kind;
    const char *key;
    const char *str; /* UTF-8; NULL is printed as null */
    uint64_t u64;
    int64_t i64;
    double f64;
};

#define F_STR(k, v) ((struct log_field){.kind = LOG_FIELD_STR, .key = (k), .str = (v)})
#define F_U64(k, v) ((struct log_field){.kind = LOG_FIELD_U64, .key = (k), .u64 = (v)})
#define F_I64(k, v) ((struct log_field){.kind = LOG_FIELD_I64, .key = (k), .i64 = (v)})
#define F_F64(k, v) ((struct log_field){.kind = LOG_FIELD_F64, .key = (k), .f64 = (v)})
#define F_BOOL(k, v) ((struct log_field){.kind = LOG_FIELD_BOOL, .key = (k), .u64 = (v)})

struct log_config {
    enum log_level level; /* events above it are dropped */
    enum log_format format;
    const char *file; /* appended to instead of stderr; NULL: stderr */
};

MUST_CHECK enum err_code log_init(const struct log_config *config, struct err *err);
void log_close(void);
bool log_enabled(enum log_level level);

/* `event` is dotted lower case; what a person should read goes into a field "message". */
#define log_event(level, event, ...)                                                               \
    do {                                                                                           \
        if (log_enabled(level))                                                                    \
            log_write((level), (event),                                                            \
                      (const struct log_field[]){__VA_ARGS__, {.kind = LOG_FIELD_END}});           \
    } while (0)
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* The error's stable name, message and hint, as one event. */
void log_error(const char *event, const struct err *err);
/* Names the calling thread in its log lines: "dump-3". Kept for the thread's life, cut to 15 bytes.
 */
void log_thread_name(const char *name);

#define LOG_LIVE_MAX 512 /* bytes, the NUL included; a longer line is cut */
/* Redraws the one live line on stderr (progress); log lines on stderr are put above it. NULL erases
 * it. Only for a terminal. */
void log_live_line(const char *line);

#endif
