/* follower/cutover.h: the end of following: the source read-only, the target proven to hold all of
 * it. cutover.c has the essay; the files cutover*.c share this. One thread, follow_run's. */
#ifndef FERRY_FOLLOWER_CUTOVER_H
#define FERRY_FOLLOWER_CUTOVER_H

#include "common/mysql/position.h"
#include "common/target/follow_cutover.h"

#include <jansson.h>

struct follow_run;
struct follow_table;

struct cutover {                  /* of a follow_run */
    struct cutover_record record; /* what was done to the source, as the target has it */
    bool near;                    /* it has caught up once */
    bool at_known;                /* the source is read-only, and was at `at` then */
    struct position at;
    uint64_t at_us, since_us;    /* monotonic: when `at` was read; when it was first read-only */
    uint64_t looked_us;          /* when the source was last asked */
    const char *said;            /* what the user was last told, at said_us */
    uint64_t said_us, tried_us;  /* when read-only was last tried */
    uint64_t open_us;            /* since when open transactions are waited for */
    unsigned moved;              /* how often the source moved though it was read-only */
    bool xa_unseen, open_unseen; /* prepared, open transactions: the right to see them is missing */
    bool unseen_said;
    bool proven;
};

/* ---- cutover_source.c ---- */
struct cut_look { /* at the source */
    bool read_only, super, has_super;
    char *unfit; /* owned; NULL, or why read_only says nothing here, and what to do */
};
MUST_CHECK enum err_code cut_look(struct follow_run *run, struct cut_look *l, struct err *err);
/* How the user makes this source read-only, as a statement or a command. */
const char *cut_advice(const struct follow_run *run);
/* Whether transactions that have written are open, or XA transactions prepared; *who (owned) names
 * them for people, NULL where there are none or they cannot be seen (run->cut.*_unseen). */
MUST_CHECK enum err_code cut_open(struct follow_run *run, bool *xa, char **who, struct err *err);
/* Accounts that may write though the server is read-only: owned text, "" where none can be seen. */
char *cut_privileged(struct follow_run *run);
/* One attempt of some seconds. *set false: something holds it up, to be tried again. */
MUST_CHECK enum err_code cut_set(struct follow_run *run, const struct cut_look *l, bool *set,
                                 struct err *err);
/* The source as it was before, by a connection of its own. */
MUST_CHECK enum err_code cut_undo(struct follow_run *run, struct err *err);

/* ---- cutover_proof.c ---- */
/* Counts rows on both sides, raises what the target will number from, and reads the target's own
 * position: members of *proof (a new JSON object). ERR_FOLLOW_CUTOVER: the counts differ. */
MUST_CHECK enum err_code cut_prove(struct follow_run *run, json_t *proof, struct err *err);

/* ---- cutover.c ---- */
/* Reads what an earlier run has left, and says it. */
MUST_CHECK enum err_code cutover_start(struct follow_run *run, struct err *err);
/* Between two transactions; `at_end`: the source has nothing more just now; `behind_s`: how long
 * ago, by the source's clock, what was just read was committed. Ends the run once it is proven. */
MUST_CHECK enum err_code cutover_step(struct follow_run *run, bool at_end, int64_t behind_s,
                                      struct err *err);
/* The run ends: the source is given back unless the cut-over is proven. */
void cutover_end(struct follow_run *run);
void cutover_release(struct cutover *c);

#endif
