/* check/check.h: what would not work, said before it is tried.
 *
 * One function an item, all listed in one table (check_items.c). Nothing is changed on any server;
 * the output, if one is named, gets a small file that is removed again. Servers that cannot be
 * reached, or go away meanwhile, are outcomes, not errors: the report is always whole. */
#ifndef FERRY_CHECK_CHECK_H
#define FERRY_CHECK_CHECK_H

#include "common/base/pool.h"
#include "common/base/strbuf.h"
#include "common/mysql/server_url.h"

#include <stdint.h>

enum check_stage { /* bits */
                   CHECK_DUMP = 1,
                   CHECK_LOAD = 2,
                   CHECK_FOLLOW = 4,
                   CHECK_MIGRATE = CHECK_DUMP | CHECK_LOAD | CHECK_FOLLOW
};

enum check_result { CHECK_PASSED, CHECK_WARNING, CHECK_FAILED, CHECK_SKIPPED };

struct check_info {    /* static */
    const char *id;    /* stable: for --ignore and scripts */
    const char *title; /* what is true when it passes */
    const char *asks;  /* what is read on which server */
    const char *why;   /* what goes wrong otherwise */
    unsigned stages;   /* enum check_stage bits */
};
size_t check_count(void);
const struct check_info *check_info(size_t i);

/* const while check_run works; everything is borrowed. */
struct check_config {
    unsigned stages;
    const struct server_url *source, *target; /* either may be NULL */
    const char *const *filters;
    size_t filter_count;
    bool case_sensitive;
    const char *const *renames;
    size_t rename_count;
    const char *output; /* storage URL; NULL: not looked at */
    const char *const *ignore;
    size_t ignore_count;         /* ids; "all": whatever only warns */
    unsigned threads;            /* of the dump; the load has four times as many */
    unsigned load_threads;       /* of load and follow */
    uint32_t server_id;          /* of the follower; 0: it takes a free one */
    bool collisions;             /* look for rows that would collide: reads whole tables */
    bool key_collation_nearest;  /* as the load's --key-collation nearest */
    size_t max_definitions;      /* SHOW CREATE for so many objects at most; 0: for all */
    const struct cancel *cancel; /* may be NULL */
};

struct check_outcome {
    const struct check_info *info;
    enum check_result result;
    bool ignored;        /* it did not pass, and does not count */
    bool may_pass;       /* failed as a server is away: the same check may pass later */
    struct strbuf found; /* sentences */
    struct strbuf mend;  /* statements or commands, one a line; empty: nothing to mend */
    char **object;       /* "shop.orders.note: utf8mb3 becomes ..."; at most CHECK_OBJECTS_MAX */
    size_t object_count; /* of those that are held */
    uint64_t objects;    /* in all */
};
#define CHECK_OBJECTS_MAX 1000

struct check_report { /* owned by the caller: check_report_release */
    struct check_outcome *outcomes;
    size_t count;
    unsigned passed, warnings, failed, skipped; /* ignored ones are none of these */
    unsigned ignored;
    unsigned stages;
    char *source, *target;                 /* URLs without secrets; NULL: not given */
    char *source_version, *target_version; /* NULL: unknown */
    uint64_t us;
};

/* ERR_USAGE for an id, filter or rename that is none; ERR_INTERRUPTED. */
MUST_CHECK enum err_code check_run(const struct check_config *config, struct check_report *report,
                                   struct err *err);
void check_report_release(struct check_report *report);

const char *check_result_name(enum check_result r); /* "Passed", ... */
/* Appends "dump, load". */
void check_stages_text(unsigned stages, struct strbuf *out);
/* For people; with `all`, what has passed too. */
void check_report_text(const struct check_report *report, bool all, struct strbuf *out);
/* One JSON object, and a newline. */
void check_report_json(const struct check_report *report, struct strbuf *out);
/* The object for a run that ended with an error, so that a reader of JSON always gets some. */
void check_error_json(const struct err *error, struct strbuf *out);
/* docs/check.md. */
void check_list_markdown(struct strbuf *out);

#endif
