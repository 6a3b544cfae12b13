/* cli/cutover_print.h: the proof of a cut-over, for people and for scripts. */
#ifndef FERRY_CLI_CUTOVER_PRINT_H
#define FERRY_CLI_CUTOVER_PRINT_H

#include "follower/follow.h"

/* To stdout; where no cut-over was proven nothing, or {"proven":false}. As JSON: one line,
 * docs/follow.md. */
void cutover_print(const struct follow_report *r, bool json, bool quiet);

#endif
