/* ferry job log: what the stages' processes have logged (JSON lines), for people or as JSON. */
#include "cli/job_verbs.h"

#include "common/base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *line, const char *key)
{
    const char *text = json_string_value(json_object_get(line, key));

    return text ? text : "";
}

/* time level event: message name=value ... */
static void line_print(json_t *line)
{
    static const char *const first[] = {"time", "level", "thread", "event", "message"};
    const char *key;
    json_t *value;

    (void)printf("%s %-5s %s", text_of(line, "time"), text_of(line, "level"),
                 text_of(line, "event"));
    if (*text_of(line, "message"))
        (void)printf(": %s", text_of(line, "message"));
    json_object_foreach(line, key, value)
    {
        bool said = false;
        char *text;

        for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
            said = said || strcmp(first[i], key) == 0;
        text = said ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        if (text)
            (void)printf(" %s=%s", key, text);
        free(text);
    }
    (void)puts("");
}

static void stage_log(const struct job_home *home, const char *stage, json_t *all)
{
    char *name = xasprintf("%s.log", stage);
    char *path = home_path(home, name);
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t cap = 0;

    if (f && !all)
        (void)printf("== %s\n", stage);
    while (f && getline(&text, &cap, f) >= 0) {
        json_t *line;

        text[strcspn(text, "\n")] = '\0';
        line = json_loads(text, 0, NULL);
        if (all) {
            json_t *item =
                line ? json_incref(line) : json_pack("{s:o}", "text", json_any_text(text));

            (void)json_object_set_new(item, "stage", json_string(stage));
            (void)json_array_append_new(all, item);
        } else if (line) {
            line_print(line);
        } else {
            (void)puts(text);
        }
        json_decref(line);
    }
    if (f)
        (void)fclose(f);
    free(text);
    free(path);
    free(name);
}

enum err_code job_log(const struct job_opts *o, const struct job_home *home, struct err *err)
{
    json_t *all = o->json ? json_array() : NULL;
    bool found = !o->stage;

    for (int i = 0; i < STAGE_COUNT; i++) {
        const char *word = stage_word((enum stage_name)i);

        if (o->stage && strcmp(o->stage, word) != 0)
            continue;
        found = true;
        stage_log(home, word, all);
    }
    if (found && all)
        json_answer(json_pack("{s:O}", "log", all));
    json_decref(all);
    return found
               ? ERR_OK
               : err_set(err, ERR_USAGE,
                         "'%s' is no stage: check, dump, load, follow, cutover, verify", o->stage);
}
