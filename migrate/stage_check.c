/* The check: which stages it looks at, and what its answer means. */
#include "migrate/runner.h"

#include "common/base/log.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX ((size_t)16 << 20)

void check_plan(struct runner *r)
{
    const struct stage_state *st = r->record->stages;
    const enum job_mode mode = r->run->spec->mode;
    const bool begun = st[STAGE_DUMP].runs || st[STAGE_LOAD].runs || st[STAGE_FOLLOW].runs;

    r->check_first = !begun;
    if (!begun)
        r->check_for = mode == MODE_INCREMENTAL ? "follow" : "migrate";
    else if (mode != MODE_INCREMENTAL && st[STAGE_DUMP].status != STAGE_DONE)
        r->check_for = "dump";
    else if (mode != MODE_FULL && st[STAGE_CUTOVER].status != STAGE_DONE)
        r->check_for = "follow";
    else
        r->check_for = ""; /* the load looks for itself at what it needs */
}

static bool accepted(const struct runner *r, const char *id)
{
    const json_t *word;
    size_t i;

    json_array_foreach(r->record->accepted, i, word)
    {
        const char *text = json_string_value(word);

        if (text && (strcmp(text, id) == 0 || strcmp(text, "all") == 0))
            return true;
    }
    return spec_accepts(r->run->spec, id);
}

/* Items that speak of following alone are nothing to a job that does not. */
static bool concerns(const struct runner *r, const json_t *item)
{
    const char *stages = json_string_value(json_object_get(item, "stages"));

    return r->run->spec->mode != MODE_FULL || !stages || strcmp(stages, "follow") != 0;
}

struct tally {
    struct strbuf failed, warned; /* ids */
    unsigned failures, warnings;
    const char
        *away; /* what is said of a server that may come back; borrowed; NULL: none is away */
};

static void item_take(struct runner *r, json_t *item, struct tally *t)
{
    const char *id = json_string_value(json_object_get(item, "id"));
    const char *result = json_string_value(json_object_get(item, "result"));
    const bool failed = result && strcmp(result, "Failed") == 0;

    if (!id || !result || (!failed && strcmp(result, "Warning") != 0) || !concerns(r, item))
        return;
    (void)json_object_set_new(item, "accepted", json_boolean(!failed && accepted(r, id)));
    (void)json_array_append(r->record->checks, item);
    if (failed && json_is_true(json_object_get(item, "may_pass")))
        t->away = json_string_value(json_object_get(item, "found"));
    if (failed)
        strbuf_addf(&t->failed, "%s%s", t->failures++ ? ", " : "", id);
    else if (!accepted(r, id))
        strbuf_addf(&t->warned, "%s%s", t->warnings++ ? "," : "", id);
}

static void items_judge(struct runner *r, const struct tally *t)
{
    char *message;

    if (t->away && !r->check_first) { /* at first it may as well be a wrong address */
        stage_error_of(r, STAGE_CHECK, ERR_CONNECT, t->away);
        return;
    }
    if (t->failures)
        message = xasprintf("failed: %s%s%s", strbuf_str(&t->failed),
                            t->warnings ? "; warnings that are not accepted: " : "",
                            strbuf_str(&t->warned));
    else
        message = xasprintf("warnings that are not accepted: %s", strbuf_str(&t->warned));
    stage_error_of(r, STAGE_CHECK, ERR_JOB_CHECK, message);
    free(message);
}

/* Says in the stage's error what stands in the way; none: nothing does. */
static void answer_take(struct runner *r, json_t *answer, bool *blocked)
{
    struct tally t = {0};
    json_t *item;
    size_t i;

    (void)json_array_clear(r->record->checks);
    json_array_foreach(json_object_get(answer, "items"), i, item) item_take(r, item, &t);
    *blocked = t.failures || (t.warnings && r->check_first);
    if (*blocked)
        items_judge(r, &t);
    else if (t.warnings)
        log_event(LOG_WARN, "job.check", F_STR("warnings", strbuf_str(&t.warned)));
    strbuf_release(&t.failed);
    strbuf_release(&t.warned);
}

bool check_answer(struct runner *r, bool *blocked)
{
    char *text = text_read(r, "check.out", 0, ANSWER_MAX);
    json_t *answer = text ? json_loads(text, 0, NULL) : NULL;
    const bool is_answer =
        json_is_array(json_object_get(answer, "items")) && !json_object_get(answer, "error");

    if (is_answer)
        answer_take(r, answer, blocked);
    json_decref(answer);
    free(text);
    return is_answer;
}
