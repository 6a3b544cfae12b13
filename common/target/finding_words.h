/* common/target/finding_words.h: the enums of finding.h as they stand in the tables. */
#ifndef FERRY_TARGET_FINDING_WORDS_H
#define FERRY_TARGET_FINDING_WORDS_H

#include "common/target/finding.h"

#define FINDING_KINDS 2
#define FINDING_DONES 5
static const char *const finding_kind_words[FINDING_KINDS] = {
    [FINDING_CONFLICT] = "conflict", [FINDING_BAD_VALUE] = "bad value"};
static const char *const finding_done_words[FINDING_DONES] = {[FINDING_STOPPED] = "stopped",
                                                              [FINDING_IGNORED] = "ignored",
                                                              [FINDING_REPLACED] = "replaced",
                                                              [FINDING_CHECKED] = "checked",
                                                              [FINDING_SKIPPED] = "skipped"};

#endif
