/* A report as text, as JSON, and the list of items as a page. */
#include "check/check_inner.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 10 /* objects in the text */

/* ---- text ---- */

static void indented(const char *head, const char *text, struct strbuf *out)
{
    const char *at = text;

    while (*at) {
        const size_t len = strcspn(at, "\n");

        strbuf_addf(out, "    %-6s %.*s\n", at == text ? head : "", (int)len, at);
        at += len;
        at += *at == '\n';
    }
}

static void outcome_text(const struct check_outcome *o, bool all, struct strbuf *out)
{
    const bool quiet = o->result == CHECK_PASSED || o->result == CHECK_SKIPPED;

    if (quiet && !all)
        return;
    strbuf_addf(out, "%-7s %s: %s%s\n", check_result_name(o->result), o->info->id, o->info->title,
                o->ignored ? " (ignored)" : "");
    if (o->found.len)
        indented("found", o->found.str, out);
    if (quiet)
        return;
    for (size_t i = 0; i < o->object_count && i < SHOWN_MAX; i++)
        indented(i ? "" : "where", o->object[i], out);
    if (o->objects > SHOWN_MAX)
        strbuf_addf(out, "    %-6s and %" PRIu64 " more (--json lists up to %d)\n", "",
                    o->objects - SHOWN_MAX, CHECK_OBJECTS_MAX);
    indented("why", o->info->why, out);
    if (o->mend.len)
        indented("mend", o->mend.str, out);
}

void check_report_text(const struct check_report *r, bool all, struct strbuf *out)
{
    for (size_t i = 0; i < r->count; i++)
        outcome_text(&r->outcomes[i], all, out);
    strbuf_addf(out, "%zu checks in %.1f s: %u passed, %u warnings, %u failed, %u skipped",
                r->count, (double)r->us / 1e6, r->passed, r->warnings, r->failed, r->skipped);
    strbuf_addf(out, r->ignored ? ", %u ignored\n" : "\n", r->ignored);
}

/* ---- JSON ---- */

/* The servers' words need not be UTF-8, which JSON must be. */
static json_t *json_text(const char *text)
{
    struct strbuf clean = {0};
    json_t *value;

    if (!text)
        return json_null();
    value = json_string(text);
    if (value)
        return value;
    for (; *text; text++)
        strbuf_add(&clean, (unsigned char)*text < 0x80 ? text : "?", 1);
    value = json_string(strbuf_str(&clean));
    strbuf_release(&clean);
    return value;
}

static json_t *json_lines(const struct strbuf *text)
{
    json_t *lines = json_array();
    const char *at = strbuf_str(text);

    while (*at) {
        const size_t len = strcspn(at, "\n");
        char *line = xstrndup(at, len);

        (void)json_array_append_new(lines, json_text(line));
        free(line);
        at += len;
        at += *at == '\n';
    }
    return lines;
}

static json_t *json_outcome(const struct check_outcome *o)
{
    json_t *item = json_object();
    json_t *objects = json_array();
    struct strbuf stages = {0};

    check_stages_text(o->info->stages, &stages);
    (void)json_object_set_new(item, "id", json_text(o->info->id));
    (void)json_object_set_new(item, "title", json_text(o->info->title));
    (void)json_object_set_new(item, "stages", json_text(strbuf_str(&stages)));
    (void)json_object_set_new(item, "result", json_text(check_result_name(o->result)));
    (void)json_object_set_new(item, "ignored", json_boolean(o->ignored));
    (void)json_object_set_new(item, "may_pass", json_boolean(o->may_pass));
    (void)json_object_set_new(item, "asks", json_text(o->info->asks));
    (void)json_object_set_new(item, "found", json_text(strbuf_str(&o->found)));
    (void)json_object_set_new(item, "why", json_text(o->info->why));
    (void)json_object_set_new(item, "mend", json_lines(&o->mend));
    for (size_t i = 0; i < o->object_count; i++)
        (void)json_array_append_new(objects, json_text(o->object[i]));
    (void)json_object_set_new(item, "objects", objects);
    (void)json_object_set_new(item, "object_count", json_integer((json_int_t)o->objects));
    strbuf_release(&stages);
    return item;
}

static void json_print(json_t *root, struct strbuf *out)
{
    char *text = json_dumps(root, JSON_INDENT(2));

    strbuf_addstr(out, text ? text : "{}");
    strbuf_addch(out, '\n');
    free(text);
    json_decref(root);
}

static json_t *json_server(const char *url, const char *version)
{
    json_t *server = json_object();

    if (!url) {
        json_decref(server);
        return json_null();
    }
    (void)json_object_set_new(server, "url", json_text(url));
    (void)json_object_set_new(server, "version", json_text(version));
    return server;
}

void check_report_json(const struct check_report *r, struct strbuf *out)
{
    json_t *root = json_object();
    json_t *items = json_array();
    struct strbuf stages = {0};
    const struct {
        const char *name;
        unsigned number;
    } counts[] = {{"passed", r->passed},
                  {"warnings", r->warnings},
                  {"failed", r->failed},
                  {"skipped", r->skipped},
                  {"ignored", r->ignored}};

    check_stages_text(r->stages, &stages);
    (void)json_object_set_new(root, "stages", json_text(strbuf_str(&stages)));
    (void)json_object_set_new(root, "source", json_server(r->source, r->source_version));
    (void)json_object_set_new(root, "target", json_server(r->target, r->target_version));
    for (size_t i = 0; i < r->count; i++)
        (void)json_array_append_new(items, json_outcome(&r->outcomes[i]));
    (void)json_object_set_new(root, "items", items);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        (void)json_object_set_new(root, counts[i].name, json_integer(counts[i].number));
    (void)json_object_set_new(root, "seconds", json_real((double)r->us / 1e6));
    strbuf_release(&stages);
    json_print(root, out);
}

void check_error_json(const struct err *error, struct strbuf *out)
{
    json_t *root = json_object();
    json_t *inner = json_object();

    (void)json_object_set_new(inner, "name", json_text(err_info(error->code)->name));
    (void)json_object_set_new(inner, "message", json_text(error->msg));
    (void)json_object_set_new(root, "error", inner);
    (void)json_object_set_new(root, "items", json_array());
    json_print(root, out);
}

/* ---- the page ---- */

void check_list_markdown(struct strbuf *out)
{
    strbuf_addstr(
        out,
        "# Checks\n\n"
        "What `ferry check` looks at. Made by `ferry help checks` from check/check_items.c; the "
        "names are stable, for\n"
        "`--ignore` and for scripts. Each is Passed, Warning (it can be accepted), Failed (exit "
        "status 4) or Skipped, with\n"
        "the reason; what does not pass comes with what was found, where, and the statement that "
        "mends it, on RDS and\n"
        "Aurora in their form.\n\n"
        "`--json` prints one object, whatever happens: `source` and `target` (`url`, `version`), "
        "`stages`, `items` (`id`, `title`,\n"
        "`stages`, `result`, `ignored`, `may_pass` (it failed as a server is away), `asks`, "
        "`found`, `why`, `mend` and `objects` as lists of lines, `object_count`), the counts\n"
        "`passed`, `warnings`, `failed`, `skipped`, `ignored`, and `seconds`. A run that cannot "
        "look at anything, as for a wrong\n"
        "option, has `error` (`name`, `message`) and no items.\n\n"
        "| name | stages | what is true when it passes | what is asked | what goes wrong otherwise "
        "|\n| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < check_item_count; i++) {
        const struct check_info *info = &check_items[i].info;
        struct strbuf stages = {0};

        check_stages_text(info->stages, &stages);
        strbuf_addf(out, "| `%s` | %s | %s | %s | %s |\n", info->id, strbuf_str(&stages),
                    info->title, info->asks, info->why);
        strbuf_release(&stages);
    }
}
