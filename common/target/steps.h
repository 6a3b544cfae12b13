/* common/target/steps.h: what is still to be done to a table that a job has made: its indexes and
 * foreign keys, which come after the rows. Kept in the target beside the job's state (state.h):
 *
 *   ddl (job, tbl, step, number, state, PK (job, tbl, step, number))
 *
 * Written down before the table is created, so that none is forgotten by whoever goes on. */
#ifndef FERRY_TARGET_STEPS_H
#define FERRY_TARGET_STEPS_H

#include "common/target/state.h"

enum step_kind { STEP_INDEXES, STEP_FOREIGN_KEY };
struct step {
    uint64_t table; /* dump_table.id */
    enum step_kind kind;
    unsigned number; /* of the foreign key in the definition, from 0 */
};
/* Replaces what was noted of the table. */
MUST_CHECK enum err_code steps_note(struct conn *c, const struct state *s, uint64_t table,
                                    bool indexes, unsigned foreign_keys, struct err *err);
/* Those that are not done, by table, indexes first. *steps is the caller's, free(). */
MUST_CHECK enum err_code steps_read(struct conn *c, const struct state *s, struct step **steps,
                                    size_t *count, struct err *err);
MUST_CHECK enum err_code steps_done(struct conn *c, const struct state *s, const struct step *step,
                                    struct err *err);

#endif
