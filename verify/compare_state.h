/* verify/compare_state.h: which chunks were compared, in a file, so that a comparison that was
 * stopped or killed goes on where it was.
 *
 * Lines of JSON. The first says what is compared with what, and how; a file of something else is
 * refused. Each other line is a chunk: its table, its bounds, and whether it was equal. Chunks that
 * were not are compared again by the run that goes on, within the same bounds, so that its reports
 * hold all that differs; equal ones are taken as they were when they were looked at. A table whose
 * columns or key have changed begins anew. The file is removed when all was compared.
 *
 * Written by the workers under a lock of its own, synced every second and at the end: what a crash
 * cuts off is compared again. */
#ifndef FERRY_VERIFY_COMPARE_STATE_H
#define FERRY_VERIFY_COMPARE_STATE_H

#include "verify/compare_inner.h"

struct compare_state;
/* Opens or makes config->state and takes what it says into run->pairs (`lo`, `again`, `given_out`)
 * and the report; *state NULL when none is wanted. ERR_USAGE: it is of another comparison, or not
 * such a file; ERR_IO. */
MUST_CHECK enum err_code compare_state_open(struct compare *run, struct compare_state **state,
                                            struct err *err);
/* A chunk of a pair is done: (lo, hi]. NULL `state`: nothing to do. */
MUST_CHECK enum err_code compare_state_note(struct compare_state *state, const struct pair *p,
                                            const struct bound range[2], const struct sum *rows,
                                            bool equal, struct err *err);
/* `finished`: the file is removed. NULL is fine. */
MUST_CHECK enum err_code compare_state_close(struct compare_state *state, bool finished,
                                             struct err *err);

#endif
