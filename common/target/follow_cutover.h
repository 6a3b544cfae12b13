/* common/target/follow_cutover.h: how far a cut-over is, kept in the target beside the follower's
 * state (follow_state.h), so that whoever goes on after a kill knows what was done to the source.
 *
 *   follow_cutover (job PK, stage, was_read_only, was_super, file, pos, gtids, proof, at)
 *
 * A row is written before the source is made read-only, and says what it was before. Functions work
 * over the caller's connection and may be said again after a retryable error. */
#ifndef FERRY_TARGET_FOLLOW_CUTOVER_H
#define FERRY_TARGET_FOLLOW_CUTOVER_H

#include "common/target/state.h"

#define FOLLOW_CUTOVER_TABLE "follow_cutover"
#define FOLLOW_CUTOVER_COLUMNS                                                                     \
    "job BIGINT UNSIGNED NOT NULL,"                                                                \
    "stage VARCHAR(16) NOT NULL,"                                                                  \
    "was_read_only TINYINT NOT NULL,"                                                              \
    "was_super TINYINT NOT NULL,"                                                                  \
    "file VARCHAR(512) NOT NULL,"                                                                  \
    "pos BIGINT UNSIGNED NOT NULL,"                                                                \
    "gtids LONGTEXT NOT NULL,"                                                                     \
    "proof LONGTEXT NOT NULL,"                                                                     \
    "at DATETIME(6) NOT NULL,"                                                                     \
    "PRIMARY KEY (job)"

enum cutover_mark {
    CUTOVER_NONE,   /* no cut-over, or one that was undone */
    CUTOVER_SET,    /* the source is being made, or was made, read-only: to be undone */
    CUTOVER_PROVEN, /* the target has taken over at file:offset; the source stays as it is */
    CUTOVER_KEPT    /* as PROVEN, and the source was made read-only on the way */
};
struct cutover_record {
    enum cutover_mark mark;
    bool was_read_only, was_super; /* of the source, before */
    char *file;                    /* owned; of PROVEN and KEPT, else "" */
    uint64_t offset;
    char *gtids, *proof; /* owned; JSON, without the tables */
};
void cutover_record_release(struct cutover_record *r);
/* CUTOVER_NONE where there is no row, or no such table yet. */
MUST_CHECK enum err_code cutover_record_read(struct conn *c, const struct state *s,
                                             struct cutover_record *r, struct err *err);
/* NULL texts are taken for "". */
MUST_CHECK enum err_code cutover_record_write(struct conn *c, const struct state *s,
                                              const struct cutover_record *r, struct err *err);

#endif
