/* common/base/opt_driver.h: what the parts of opt share; not for callers of opt.h. */
#ifndef FERRY_BASE_OPT_DRIVER_H
#define FERRY_BASE_OPT_DRIVER_H

#include "common/base/mem.h"
#include "common/base/opt.h"

/* Where a value comes from; a later one replaces an earlier one. */
enum opt_from { OPT_FROM_DEFAULT, OPT_FROM_FILE, OPT_FROM_ENV, OPT_FROM_ARGV };

/* One option of the command. */
struct opt_entry {
    const struct opt *opt;
    char *config; /* the struct that opt->field is an offset into */
    enum opt_from from;
};

/* Stores `value` in the config. Text is copied into `arena`. The message speaks of the value alone
 * (a secret one is not shown): the caller says which option it was. On failure the config is as it
 * was. */
MUST_CHECK enum err_code opt_value_set(struct opt_entry *e, enum opt_from from, const char *value,
                                       struct arena *arena, struct err *err);

#endif
