/* cli/cmd_follow.h: what `ferry follow` shares with jobs. */
#ifndef FERRY_CLI_CMD_FOLLOW_H
#define FERRY_CLI_CMD_FOLLOW_H

#include "common/base/opt.h"

/* Its own options; their offsets are those of a struct of cmd_follow.c. */
extern const struct opt follow_opts_table[];

#endif
