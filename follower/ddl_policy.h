/* follower/ddl_policy.h: which statements of DDL are done, passed over or stopped at: --ddl.
 *
 * ACTION[=WHAT], the last one that fits decides: apply, skip or stop. WHAT is a pattern of
 * common/mysql/filter.h ("shop.log_*"), the statement's first words ("drop table"), or both ("drop
 * table on shop.*"). Immutable once made: any thread. */
#ifndef FERRY_FOLLOWER_DDL_POLICY_H
#define FERRY_FOLLOWER_DDL_POLICY_H

#include "common/base/err.h"
#include "follower/ddl_plan.h"

#include <stddef.h>

enum ddl_action { DDL_APPLY, DDL_SKIP, DDL_STOP };
struct ddl_policy;
/* ERR_USAGE names a rule that cannot be understood. */
MUST_CHECK enum err_code ddl_policy_new(const char *const *rules, size_t count,
                                        struct ddl_policy **out, struct err *err);
void ddl_policy_free(struct ddl_policy *p); /* NULL is fine */
/* *rule: the one that decides, as it was written; "" for none. A table's drop by DROP DATABASE is
 * also "drop table". NULL: everything is done. */
enum ddl_action ddl_policy_of(const struct ddl_policy *p, const struct ddl_step *s,
                              const char **rule);

#endif
