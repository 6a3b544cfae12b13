/* ferry help [COMMAND | errors | checks]: the same words as --help; `errors` prints docs/errors.md,
 * `checks` docs/check.md. */
#include "cli/opt_common.h"

#include "check/check.h"

#include <stdio.h>
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

enum err_code command_help_words(struct command_context *ctx, struct err *err)
{
    static char help[] = "--help";
    char *argv[] = {ctx->argc > 1 ? ctx->argv[1] : NULL, help, NULL};
    struct command_context inner = {.argc = 2, .argv = argv, .cancel = ctx->cancel};
    const struct command *command;

    if (ctx->argc < 2) {
        command_usage(stdout);
        return ERR_OK;
    }
    if (strcmp(ctx->argv[1], "errors") == 0) {
        errors_print();
        return ERR_OK;
    }
    if (strcmp(ctx->argv[1], "checks") == 0) {
        checks_print();
        return ERR_OK;
    }
    command = command_find(ctx->argv[1]);
    if (!command || command->run == command_help_words)
        return err_set(err, ERR_USAGE, "there is no help for '%s'", ctx->argv[1]);
    return command->run(&inner, err);
}
