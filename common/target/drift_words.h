/* common/target/drift_words.h: the enums of drift.h as they stand in the table. */
#ifndef FERRY_TARGET_DRIFT_WORDS_H
#define FERRY_TARGET_DRIFT_WORDS_H

#include "common/target/drift.h"

#define DRIFT_KINDS 3
#define DRIFT_MADES 3
#define DRIFT_DONES 4
static const char *const drift_kind_words[DRIFT_KINDS] = {
    [DRIFT_MISSING] = "missing", [DRIFT_THERE] = "there", [DRIFT_DIFFERS] = "differs"};
static const char *const drift_made_words[DRIFT_MADES] = {
    [DRIFT_INSERT] = "insert", [DRIFT_UPDATE] = "update", [DRIFT_DELETE] = "delete"};
static const char *const drift_done_words[DRIFT_DONES] = {[DRIFT_STOPPED] = "stopped",
                                                          [DRIFT_LOGGED] = "logged",
                                                          [DRIFT_REPAIRED] = "repaired",
                                                          [DRIFT_REMOVED] = "removed"};

#endif
