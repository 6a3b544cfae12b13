#include "cli/opt_common.h"

#include "cli/help_forms.h"

#include "common/base/log.h"
#include "common/base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX 1024

static const char *const log_format_words[] = {"text", "json", NULL};
static const char *const progress_words[] = {"auto", "plain", "json", "none", NULL};

#define FIELD(f) offsetof(struct general_opts, f)
const struct opt general_opts_table[] = {
    {"verbose", 'v', OPT_COUNT, FIELD(verbose), NULL, "log more; twice: log everything", NULL, 0, 0,
     false},
    {"quiet", 'q', OPT_BOOL, FIELD(quiet), NULL, "only errors; no progress, no closing table", NULL,
     0, 0, false},
    {"log-file", 'L', OPT_STRING, FIELD(log_file), "FILE",
     "append the log to FILE (default: standard error)", NULL, 0, 0, false},
    {"log-format", 0, OPT_ENUM, FIELD(log_format), "text|json", "form of the log (text)",
     log_format_words, 0, 0, false},
    {"progress", 0, OPT_ENUM, FIELD(progress), "auto|plain|json|none",
     "live line on a terminal, else a line every 10 s (auto)", progress_words, 0, 0, false},
    {"config", 0, OPT_STRING, FIELD(config), "FILE", "read options from FILE: long-name = value",
     NULL, 0, 0, false},
    {"help", '?', OPT_BOOL, FIELD(help), NULL, "print this and exit", NULL, 0, 0, false},
    {.kind = OPT_END}};
#undef FIELD

#define FIELD(f) offsetof(struct server_opts, f)
/* The two roles differ in two names only. */
#define SERVER_OPTS(url_name, password_name)                                                       \
    {url_name,   0,     OPT_STRING,                                                                \
     FIELD(url), "URL", "mysql://user@host:port/?ssl-mode=... or mysql://user@/?socket=PATH",      \
     NULL,       0,     0,                                                                         \
     false},                                                                                       \
        {"host", 'h', OPT_STRING, FIELD(host), "HOST", "host, where the URL names none",           \
         NULL,   0,   0,          false},                                                          \
        {"port", 'P', OPT_UINT, FIELD(port), "PORT", "port (3306)", NULL, 1, 65535, false},        \
        {"user", 'u', OPT_STRING, FIELD(user), "USER", "user", NULL, 0, 0, false},                 \
        {"socket", 'S', OPT_STRING, FIELD(socket), "PATH", "unix socket instead of host and port", \
         NULL,     0,   0,          false},                                                        \
        {"ask-password",                                                                           \
         'p',                                                                                      \
         OPT_BOOL,                                                                                 \
         FIELD(ask_password),                                                                      \
         NULL,                                                                                     \
         "ask for the password on the terminal",                                                   \
         NULL,                                                                                     \
         0,                                                                                        \
         0,                                                                                        \
         false},                                                                                   \
        {password_name,                                                                            \
         0,                                                                                        \
         OPT_STRING,                                                                               \
         FIELD(password),                                                                          \
         "WORD",                                                                                   \
         "the password; only in the environment or the config file",                               \
         NULL,                                                                                     \
         0,                                                                                        \
         0,                                                                                        \
         true},                                                                                    \
        {"defaults-file",                                                                          \
         0,                                                                                        \
         OPT_STRING,                                                                               \
         FIELD(defaults_file),                                                                     \
         "FILE",                                                                                   \
         "the mysql client's option file; groups [source], [target], [client]",                    \
         NULL,                                                                                     \
         0,                                                                                        \
         0,                                                                                        \
         false},                                                                                   \
    {                                                                                              \
        .kind = OPT_END                                                                            \
    }

const struct opt source_opts_table[] = {SERVER_OPTS("source", "source-password")};
const struct opt target_opts_table[] = {SERVER_OPTS("target", "target-password")};
#undef FIELD

enum err_code general_opts_apply(const struct general_opts *opts, struct err *err)
{
    struct log_config log = {
        .level = LOG_INFO, .format = (enum log_format)opts->log_format, .file = opts->log_file};

    if (opts->verbose)
        log.level = opts->verbose > 1 ? LOG_TRACE : LOG_DEBUG;
    if (opts->quiet)
        log.level = LOG_ERROR;
    return log_init(&log, err);
}

enum progress_mode general_opts_progress(const struct general_opts *opts)
{
    return opts->quiet ? PROGRESS_NONE : (enum progress_mode)opts->progress;
}

static void replace_string(char **field, const char *value)
{
    if (!value)
        return;
    free(*field);
    *field = xstrdup(value);
}

/* Reads a line from the terminal with its echo off. */
static enum err_code password_prompt(const char *role, char **password, struct err *err)
{
    char line[PASSWORD_MAX];
    struct termios shown, hidden;
    FILE *tty = fopen("/dev/tty", "r+");
    bool is_terminal, got;

    if (!tty)
        return err_set(err, ERR_USAGE,
                       "no terminal to ask for the password on: use FERRY_%s_PASSWORD",
                       role[0] == 's' ? "SOURCE" : "TARGET");
    (void)fprintf(tty, "Password for the %s: ", role);
    (void)fflush(tty);
    is_terminal = tcgetattr(fileno(tty), &shown) == 0;
    if (is_terminal) {
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(fileno(tty), TCSAFLUSH, &hidden);
    }
    got = fgets(line, sizeof(line), tty) != NULL;
    if (is_terminal)
        (void)tcsetattr(fileno(tty), TCSAFLUSH, &shown);
    (void)fputc('\n', tty);
    (void)fclose(tty);
    if (!got)
        return err_set(err, ERR_USAGE, "no password was given");
    line[strcspn(line, "\r\n")] = '\0';
    replace_string(password, line);
    memset(line, 0, sizeof(line));
    return ERR_OK;
}

enum err_code server_opts_resolve(const struct server_opts *opts, const char *role,
                                  struct server_url *url, struct err *err)
{
    enum err_code rc = ERR_OK;

    memset(url, 0, sizeof(*url));
    if (!opts->url && !opts->host && !opts->socket && !opts->defaults_file)
        return err_set(err, ERR_USAGE, "no %s: give --%s mysql://user@host:port/, or --host", role,
                       role);
    if (opts->url)
        rc = server_url_parse(opts->url, url, err);
    if (rc)
        return rc;
    if (!url->host && !url->socket) {
        replace_string(&url->host, opts->host);
        replace_string(&url->socket, opts->socket);
    }
    if (!url->user)
        replace_string(&url->user, opts->user);
    if (!url->port)
        url->port = opts->port;
    replace_string(&url->password, opts->password);
    if (opts->defaults_file)
        rc = server_url_defaults(url, opts->defaults_file, role, err);
    if (!rc && opts->ask_password)
        rc = password_prompt(role, &url->password, err);
    if (rc)
        server_url_release(url);
    return rc;
}

static void command_help(const struct command_line *line, const struct command_context *ctx)
{
    struct strbuf sb = {0};

    switch (ctx->help_form) {
    case HELP_TEXT:
        strbuf_addf(&sb, "usage: ferry %s\n\n%s\n", line->usage, line->text);
        opt_help(&sb, line->tables, line->table_count);
        break;
    case HELP_MAN:
        help_man_command(&sb, line, command_find(ctx->argv[0])->summary);
        break;
    case HELP_COMPLETION:
        help_completion_command(&sb, line);
        break;
    }
    (void)fputs(strbuf_str(&sb), stdout);
    strbuf_release(&sb);
}

enum err_code command_words(const struct command_line *line, const struct command_context *ctx,
                            struct opt_set **set, int *first, struct err *err)
{
    enum err_code rc =
        opt_parse(set, line->tables, line->table_count, ctx->argc, ctx->argv, first, err);

    if (rc)
        return rc;
    if (line->general->help) {
        command_help(line, ctx);
        return ERR_OK;
    }
    return general_opts_apply(line->general, err);
}

enum err_code command_start(const struct command_line *line, const struct command_context *ctx,
                            struct opt_set **set, const char **arg, struct err *err)
{
    int first = 0;
    enum err_code rc =
        opt_parse(set, line->tables, line->table_count, ctx->argc, ctx->argv, &first, err);

    if (rc)
        return rc;
    if (line->general->help) {
        command_help(line, ctx);
        return ERR_OK;
    }
    if (arg && first < ctx->argc)
        *arg = ctx->argv[first++];
    if (first < ctx->argc && ctx->argv[first])
        return err_set(err, ERR_USAGE, "'%s' is not an option of ferry %s", ctx->argv[first],
                       ctx->argv[0]);
    return general_opts_apply(line->general, err);
}
