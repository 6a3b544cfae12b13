/* cli/help_forms.h: a command's options in the forms that other programs read, from the same tables
 * that yield parsing and --help: a man page (man(7) macros) and the cases of a completion script
 * for bash. All are appended to `out`. */
#ifndef FERRY_CLI_HELP_FORMS_H
#define FERRY_CLI_HELP_FORMS_H

#include "cli/opt_common.h"
#include "common/base/strbuf.h"

/* The page ferry-COMMAND(1). `summary` is command's line in the list of commands. */
void help_man_command(struct strbuf *out, const struct command_line *line, const char *summary);
/* The page ferry(1). */
void help_man_program(struct strbuf *out, const struct command *commands, size_t count);

/* The script, but for the commands' cases, which stand between the two. */
void help_completion_begin(struct strbuf *out, const struct command *commands, size_t count);
void help_completion_command(struct strbuf *out, const struct command_line *line);
void help_completion_end(struct strbuf *out);

#endif
