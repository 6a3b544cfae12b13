/* migrate/spec_inner.h: what spec.c and spec_check.c share. */
#ifndef FERRY_MIGRATE_SPEC_INNER_H
#define FERRY_MIGRATE_SPEC_INNER_H

#include "migrate/spec.h"

/* The parts together, and the profiles. `*at` is the line to be named with an error. */
MUST_CHECK enum err_code spec_check(struct job_spec *s, const char *jobs_dir, unsigned *at,
                                    struct err *err);

#endif
