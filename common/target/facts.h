/* common/target/facts.h: what a load has found its input to be, so that the same load does not go
 * on with another: the sizes of files that have no checksums, an option that changes what is read.
 *
 *   fact (job, name, value, PK (job, name)): written once, by the run that comes first
 *
 * The table is made when it is needed. Functions work over the caller's connection and may be said
 * again after a retryable error. */
#ifndef FERRY_TARGET_FACTS_H
#define FERRY_TARGET_FACTS_H

#include "common/target/state.h"

#define FACT_TEXT_MAX 64

struct fact { /* ASCII of at most FACT_TEXT_MAX bytes each */
    char name[FACT_TEXT_MAX + 1];
    char value[FACT_TEXT_MAX + 1];
};
struct fact_difference {
    size_t index;                /* of the fact whose recorded value is another; `count`: of none */
    char was[FACT_TEXT_MAX + 1]; /* what is recorded; "" if all are the same */
};
/* Records those of `facts` (no name twice) that are new to the job and compares the others. */
MUST_CHECK enum err_code facts_hold(struct conn *c, const struct state *s, const struct fact *facts,
                                    size_t count, struct fact_difference *differs, struct err *err);

#endif
