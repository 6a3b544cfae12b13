/* ferry help [COMMAND | errors | checks | man [COMMAND] | completion]: the same words as --help;
 * `errors` prints docs/errors.md, `checks` docs/check.md. */
#include "cli/help_forms.h"

#include "check/check.h"
#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void errors_print(void)
{
    (void)puts(
        "# Errors\n\n"
        "Made by `ferry help errors` from common/base/errors.def. The names are stable. Exit "
        "status: 0 done; 1 failed;\n"
        "2 usage; 3 stopped by conflicts or drift, or differences found; 4 a check failed; "
        "5 the dump is incomplete or\n"
        "corrupt; 6 done, with rows or objects left out as asked; 75 try again (a fault that "
        "may pass outlasted its\n"
        "retries); 130 interrupted, and the same command goes on.\n\n"
        "| name | exit | cause | what to do |\n| --- | --- | --- | --- |");
    for (int code = ERR_OK + 1; code < ERR_COUNT; code++) {
        const struct err_info *info = err_info((enum err_code)code);

        (void)printf("| `%s` | %d | %s | %s |\n", info->name, info->exit_status, info->cause,
                     info->remedy[0] ? info->remedy : "the message says it");
    }
}

static void checks_print(void)
{
    struct strbuf out = {0};

    check_list_markdown(&out);
    (void)fputs(strbuf_str(&out), stdout);
    strbuf_release(&out);
}

/* As if the command were said with --help. */
static enum err_code command_said(const struct command_context *ctx, const char *name,
                                  enum help_form form, struct err *err)
{
    static char help[] = "--help";
    const struct command *command = command_find(name);
    char *argv[] = {NULL, help, NULL};
    struct command_context inner = {
        .argc = 2, .argv = argv, .cancel = ctx->cancel, .help_form = form};
    char *said;
    enum err_code rc;

    if (!command || command->run == command_help_words)
        return err_set(err, ERR_USAGE, "there is no help for '%s'", name);
    said = xstrdup(name);
    argv[0] = said;
    rc = command->run(&inner, err);
    free(said);
    return rc;
}

static void print(struct strbuf *out)
{
    (void)fputs(strbuf_str(out), stdout);
    strbuf_release(out);
}

static enum err_code man_print(const struct command_context *ctx, const char *name, struct err *err)
{
    struct strbuf out = {0};
    size_t count;
    const struct command *commands = command_list(&count);

    if (name)
        return command_said(ctx, name, HELP_MAN, err);
    help_man_program(&out, commands, count);
    print(&out);
    return ERR_OK;
}

static enum err_code completion_print(const struct command_context *ctx, struct err *err)
{
    struct strbuf out = {0};
    size_t count;
    const struct command *commands = command_list(&count);

    help_completion_begin(&out, commands, count);
    print(&out);
    for (size_t i = 0; i < count; i++)
        if (commands[i].run != command_help_words &&
            command_said(ctx, commands[i].name, HELP_COMPLETION, err))
            return err->code;
    help_completion_end(&out);
    print(&out);
    return ERR_OK;
}

enum err_code command_help_words(struct command_context *ctx, struct err *err)
{
    const char *word = ctx->argc > 1 ? ctx->argv[1] : NULL;

    if (!word) {
        command_usage(stdout);
        return ERR_OK;
    }
    if (strcmp(word, "errors") == 0) {
        errors_print();
        return ERR_OK;
    }
    if (strcmp(word, "checks") == 0) {
        checks_print();
        return ERR_OK;
    }
    if (strcmp(word, "man") == 0)
        return man_print(ctx, ctx->argc > 2 ? ctx->argv[2] : NULL, err);
    if (strcmp(word, "completion") == 0)
        return completion_print(ctx, err);
    return command_said(ctx, word, HELP_TEXT, err);
}
