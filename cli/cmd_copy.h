/* cli/cmd_copy.h: what ferry copy takes from the commands dump and load: their options, by the
 * names that it has too, and their closing tables. */
#ifndef FERRY_CLI_CMD_COPY_H
#define FERRY_CLI_CMD_COPY_H

#include "cli/opt_common.h"
#include "cli/replay.h"
#include "dumper/dump.h"
#include "loader/load.h"

struct dump_opts; /* cmd_dump.c */
struct load_opts; /* cmd_load.c */

extern const struct opt dump_opts_table[];
extern const struct opt load_opts_table[];

/* With the defaults; heap, for free(). */
struct dump_opts *dump_opts_new(void);
struct load_opts *load_opts_new(void);
/* As the command would have it with this --output; *yes: --yes was said. With this --input, and
 * `yes`. */
MUST_CHECK enum err_code dump_opts_config(struct dump_opts *o, const char *output,
                                          struct dump_config *config, bool *yes, struct err *err);
MUST_CHECK enum err_code load_opts_config(struct load_opts *o, const char *input, bool yes,
                                          struct load_config *config, struct err *err);
/* The options that are the replay's. */
void load_opts_replay(const struct load_opts *o, struct replay *replay);
/* --session and --skip-binlog. */
void load_opts_session(const struct load_opts *o, struct server_url *target);

/* What the commands print at their end. */
void dump_print(const struct dump_report *r);
/* All of it, however the load has ended; `rc` is how. Writes the triggers and the like that were
 * not created to their file. */
MUST_CHECK enum err_code load_print(const struct load_opts *o, const struct load_config *config,
                                    const struct load_report *r, bool quiet, enum err_code rc,
                                    struct err *err);

#endif
