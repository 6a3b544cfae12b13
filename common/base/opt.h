/* common/base/opt.h: one table a command yields parsing, --help, environment and config-file names.
 *
 * Precedence: the struct's defaults < config file (key = value, keys are long names) < environment
 * (FERRY_ + long name in capitals, '-' as '_') < command line. Strings are copied into the set.
 *
 * The config file is the one that an OPT_STRING named "config" gives. Its lines before the first
 * [section] are for every command, those in [dump] for `dump` alone, those in [table PATTERN] are
 * the OPT_TABLES of the tables that the pattern names, for commands that have any, in the file's
 * order; '#' and ';' begin comments. An
 * empty environment variable counts as unset. A list replaces the list of a weaker place; in the
 * environment it has one item a line. */
#ifndef FERRY_BASE_OPT_H
#define FERRY_BASE_OPT_H

#include "common/base/err.h"
#include "common/base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

enum opt_kind {
    OPT_BOOL,     /* bool; --name, --no-name, --name=true|false */
    OPT_UINT,     /* unsigned */
    OPT_SIZE,     /* uint64_t bytes: 64MiB, 1GB, 1000 */
    OPT_DURATION, /* uint64_t microseconds: 10s, 500ms, 2h */
    OPT_STRING,   /* const char *, owned by the opt_set */
    OPT_LIST,     /* struct opt_list, repeatable */
    OPT_TABLES,   /* the same, of "PATTERN=VALUE"; [table PATTERN] in the file has "name = VALUE" */
    OPT_ENUM,     /* int, an index into `words` */
    OPT_COUNT,    /* unsigned, raised each time it is said: -v -v */
    OPT_END
};

struct opt_list {
    const char **items; /* owned by the opt_set */
    size_t count;
};

struct opt {
    const char *name; /* long name, without dashes */
    char letter;      /* 0: none */
    enum opt_kind kind;
    size_t field;     /* offsetof in the command's config struct */
    const char *arg;  /* name of the argument in --help; NULL for OPT_BOOL and OPT_COUNT */
    const char *help; /* one sentence, lower case, no full stop, the default in parentheses; NULL:
                         not listed in --help */
    const char *const *words; /* OPT_ENUM: NULL-terminated */
    uint64_t min, max;        /* OPT_UINT, OPT_SIZE, OPT_DURATION; 0: no bound */
    bool secret;              /* never shown, and not allowed on the command line */
};

/* Several tables serve one command: its own, then the shared ones. Each ends with {.kind =
 * OPT_END}. */
struct opt_table {
    const char *title; /* heading in --help */
    const struct opt *opts;
    void *config; /* the struct that `field` is an offset into */
};

struct opt_set; /* owns the strings; lives as long as the config */

/* Parses; `argv[0]` is the command's name. `*args` gets the first positional argument's index in
 * argv order (argv is permuted so that positional ones come last, NULL-terminated). */
MUST_CHECK enum err_code opt_parse(struct opt_set **set, const struct opt_table *tables,
                                   size_t table_count, int argc, char **argv, int *args,
                                   struct err *err);
/* true: the option was given (command line, environment or file), not defaulted. */
bool opt_given(const struct opt_set *set, const char *name);
/* Adds FERRY_ and the long name in capitals, '-' as '_'. */
void opt_add_env_name(struct strbuf *out, const struct opt *opt);
void opt_help(struct strbuf *out, const struct opt_table *tables, size_t table_count);
void opt_set_free(struct opt_set *set);

/* Whether `value` may stand for `name` in a config file of a command with these tables (their
 * `config` is not looked at): nothing is kept. ERR_USAGE speaks of the option or the value, not of
 * the place. *found: the option; NULL for an unknown one. */
MUST_CHECK enum err_code opt_check_pair(const struct opt_table *tables, size_t table_count,
                                        const char *name, const char *value,
                                        const struct opt **found, struct err *err);

MUST_CHECK enum err_code opt_parse_size(const char *text, uint64_t *bytes, struct err *err);
MUST_CHECK enum err_code opt_parse_duration(const char *text, uint64_t *us, struct err *err);

#endif
