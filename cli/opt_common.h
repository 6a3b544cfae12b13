/* cli/opt_common.h: the options that every command shares, and what they start: log, progress,
 * signals, the server's URL. */
#ifndef FERRY_CLI_OPT_COMMON_H
#define FERRY_CLI_OPT_COMMON_H

#include "common/base/opt.h"
#include "common/base/pool.h"
#include "common/base/progress.h"
#include "common/mysql/server_url.h"

#include <stdio.h>

struct general_opts {
    unsigned verbose;
    bool quiet, help;
    const char *config, *log_file;
    int log_format; /* enum log_format */
    int progress;   /* enum progress_mode, PROGRESS_AUTO.. as listed in the table */
};
extern const struct opt general_opts_table[];

/* One server, as a URL or as the mysql client's options. */
struct server_opts {
    const char *url, *host, *user, *socket, *password, *defaults_file;
    unsigned port;
    bool ask_password;
};
extern const struct opt source_opts_table[]; /* --source, FERRY_SOURCE_PASSWORD */
extern const struct opt target_opts_table[]; /* --target, FERRY_TARGET_PASSWORD */

/* Puts URL, options, environment, option file (group [source] or [target], else [client]) and
 * prompt together. `role` is "source" or "target". Without any word of a server: ERR_USAGE. */
MUST_CHECK enum err_code server_opts_resolve(const struct server_opts *opts, const char *role,
                                             struct server_url *url, struct err *err);
/* Starts the log as asked. */
MUST_CHECK enum err_code general_opts_apply(const struct general_opts *opts, struct err *err);
enum progress_mode general_opts_progress(const struct general_opts *opts);

/* What --help makes of a command's options. */
enum help_form { HELP_TEXT, HELP_MAN, HELP_COMPLETION };
/* What main hands to a command. */
#define EXIT_LEFT_OUT 6 /* done, with objects or rows left out as asked */
struct command_context {
    int argc;
    char **argv; /* argv[0] is the command's name */
    const struct cancel *cancel;
    int exit_status; /* for a command that succeeds with less than all: 3, 4 or 6 */
    enum help_form help_form;
};
typedef enum err_code command_fn(struct command_context *ctx, struct err *err);
struct command {
    const char *name, *usage, *summary;
    command_fn *run;
};
/* The table of commands (commands.c), in the order of --help. */
const struct command *command_list(size_t *count);
/* NULL: no such command. */
const struct command *command_find(const char *name);
void command_usage(FILE *out);
enum err_code command_check(struct command_context *ctx, struct err *err);
enum err_code command_verify(struct command_context *ctx, struct err *err);
enum err_code command_position(struct command_context *ctx, struct err *err);
enum err_code command_conflicts(struct command_context *ctx, struct err *err);
enum err_code command_status(struct command_context *ctx, struct err *err);
enum err_code command_help_words(struct command_context *ctx, struct err *err);
enum err_code command_dump(struct command_context *ctx, struct err *err);
enum err_code command_load(struct command_context *ctx, struct err *err);
enum err_code command_copy(struct command_context *ctx, struct err *err);
enum err_code command_migrate(struct command_context *ctx, struct err *err);
enum err_code command_job(struct command_context *ctx, struct err *err);
enum err_code command_follow(struct command_context *ctx, struct err *err);

/* A command's line: what --help says of it, and the options it may have. */
struct command_line {
    const char *usage, *text; /* "dump --source URL ..."; sentences, each line ended */
    const struct opt_table *tables;
    size_t table_count;
    const struct general_opts *general; /* the config of one of the tables */
};
/* Reads the line and starts the log; or, with general->help set, prints "usage: ferry ..." and the
 * tables to stdout: then there is nothing else to do. `*set` owns the options' strings, and is
 * freed by the caller even after an error. `*arg` gets the argument that is not an option, and is
 * left alone where there is none; NULL for `arg`: the command takes none. ERR_USAGE names one too
 * many. */
MUST_CHECK enum err_code command_start(const struct command_line *line,
                                       const struct command_context *ctx, struct opt_set **set,
                                       const char **arg, struct err *err);
/* As command_start, for a command with several words: the first one's index in ctx->argv. */
MUST_CHECK enum err_code command_words(const struct command_line *line,
                                       const struct command_context *ctx, struct opt_set **set,
                                       int *first, struct err *err);

#endif
