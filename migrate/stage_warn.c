/* What a stage that runs has warned of last, from its log: what it waits for, above all. */
#include "migrate/runner.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TAIL_MAX ((size_t)64 << 10)

static const char *word(const json_t *line, const char *key)
{
    return json_string_value(json_object_get(line, key));
}

static void warning_take(struct runner *r, enum stage_name s, const json_t *line)
{
    struct stage_state *st = &r->record->stages[s];
    const char *level = word(line, "level");
    const char *message = word(line, "message");
    const char *detail = word(line, "detail");

    if (!level || strcmp(level, "warn") != 0 || !message)
        return;
    free(st->warning);
    free(st->warning_time);
    st->warning = detail ? xasprintf("%s: %s", message, detail) : xstrdup(message);
    st->warning_time = xstrdup(word(line, "time") ? word(line, "time") : "");
    r->dirty = true;
}

void warning_clear(struct stage_state *st)
{
    free(st->warning);
    free(st->warning_time);
    st->warning = st->warning_time = NULL;
}

void warnings_look(struct runner *r, enum stage_name s)
{
    struct running *run = &r->stage[s];
    char *file = xasprintf("%s.log", stage_word(s));
    char *path = home_path(r->run->home, file);
    struct stat st;
    const uint64_t size = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    char *text = size > run->log_seen ? text_read(r, file, run->log_seen, TAIL_MAX) : NULL;

    for (char *at = text; at && *at;) {
        char *end = strchr(at, '\n');
        json_t *line;

        if (!end)
            break; /* it is being written */
        *end = '\0';
        line = json_loads(at, 0, NULL);
        warning_take(r, s, line);
        json_decref(line);
        run->log_seen += (uint64_t)(end + 1 - at);
        at = end + 1;
    }
    if (text && size > run->log_seen + TAIL_MAX)
        run->log_seen = size; /* one line that is longer than all */
    free(text);
    free(path);
    free(file);
}
