/* cli/position_target.h: ferry position of a target: where its follower is. */
#ifndef FERRY_CLI_POSITION_TARGET_H
#define FERRY_CLI_POSITION_TARGET_H

#include "cli/opt_common.h"
#include "formats/dump_position.h"

/* Appends to `out`. ERR_FOLLOW_STATE: the target is not at one place of the binlog. `schema` NULL:
 * ferry_meta. */
MUST_CHECK enum err_code position_of_target(const struct server_opts *target, const char *schema,
                                            enum position_form form, struct strbuf *out,
                                            struct err *err);

#endif
