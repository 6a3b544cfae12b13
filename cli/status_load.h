/* cli/status_load.h: ferry status of a target: its loads, and the machines at them. */
#ifndef FERRY_CLI_STATUS_LOAD_H
#define FERRY_CLI_STATUS_LOAD_H

#include "cli/opt_common.h"

/* Prints to stdout. `schema` NULL: ferry_meta. */
MUST_CHECK enum err_code status_load_print(const struct server_opts *target, const char *schema,
                                           bool json, struct err *err);

#endif
