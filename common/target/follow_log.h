/* common/target/follow_log.h: when each binlog file that was followed had been begun, kept in the
 * target beside the follower's state (follow_state.h).
 *
 *   follow_log (job, file, created, PK (job, file))
 *
 * RESET, or another server, makes names and offsets return; the time at which a file was begun, in
 * its format description, does not. Functions work over the caller's connection and may be said
 * again after a retryable error. */
#ifndef FERRY_TARGET_FOLLOW_LOG_H
#define FERRY_TARGET_FOLLOW_LOG_H

#include "common/target/state.h"

#define FOLLOW_LOG_TABLE "follow_log"
#define FOLLOW_LOG_COLUMNS                                                                         \
    "job BIGINT UNSIGNED NOT NULL,"                                                                \
    "file VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,"                        \
    "created BIGINT UNSIGNED NOT NULL,"                                                            \
    "PRIMARY KEY (job,file)"

/* *created 0: not noted yet; else seconds, UTC. */
MUST_CHECK enum err_code follow_log_read(struct conn *c, const struct state *s, const char *file,
                                         uint64_t *created, struct err *err);
/* Of a file that has no note. */
MUST_CHECK enum err_code follow_log_note(struct conn *c, const struct state *s, const char *file,
                                         uint64_t created, struct err *err);

#endif
