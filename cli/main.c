/* ferry: one program, one command a run. main is a list of steps; a command's own file holds its
 * options. */
#include "cli/opt_common.h"

#include "common/base/log.h"
#include "common/mysql/conn.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef FERRY_VERSION
#define FERRY_VERSION "0.1.0"
#endif

/* Everything that the signal thread touches. */
struct signals {
    sigset_t set;
    struct cancel cancel;
    atomic_bool ended;
};

/* The first signal asks all work to stop at its next safe point; the second does not wait for it.
 */
static void *signal_thread(void *arg)
{
    struct signals *s = arg;
    int number = 0;
    bool asked = false;

    while (sigwait(&s->set, &number) == 0 && !atomic_load(&s->ended)) {
        if (asked)
            _exit(130);
        asked = true;
        cancel_ask(&s->cancel);
        log_event(LOG_WARN, "interrupted",
                  F_STR("message", "stopping at the next safe point; once more stops at once"));
    }
    return NULL;
}

/* A key in a storage URL's parameter that is not overwritten yet, as argv_secret. */
static char *argv_storage_key(char *arg, size_t *len)
{
    static const char *const names[] = {"access-key=", "session-token="};

    for (char *p = strstr(arg, "s3://"); p && *p; p++)
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            size_t n = strlen(names[i]);

            if (strncasecmp(p, names[i], n) != 0)
                continue;
            *len = strcspn(p + n, "&*");
            if (*len)
                return p + n;
        }
    return NULL;
}

/* The password's first byte in one argument, and how many bytes it has; NULL: there is none. */
static char *argv_secret(char *arg, size_t *len)
{
    static const char *const prefixes[] = {
        "--password=", "--source-password=", "--target-password="};
    char *url = strstr(arg, "mysql://");
    char *at = url ? strrchr(url, '@') : NULL;
    char *colon = at ? memchr(url + 8, ':', (size_t)(at - url - 8)) : NULL;

    if (colon) {
        *len = (size_t)(at - colon - 1);
        return colon + 1;
    }
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t n = strlen(prefixes[i]);

        *len = strlen(arg) - (strlen(arg) < n ? strlen(arg) : n);
        if (strncmp(arg, prefixes[i], n) == 0)
            return arg + n;
    }
    *len = strlen(arg) > 2 ? strlen(arg) - 2 : 0;
    return strncmp(arg, "-p", 2) == 0 && *len ? arg + 2 : NULL;
}

/* Passwords in argv can be seen by everyone on the machine: they are overwritten at once, and
 * refused. */
static enum err_code argv_scrub(int argc, char **argv, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (int i = 1; i < argc; i++) {
        size_t len = 0;
        char *secret = argv_secret(argv[i], &len);

        if (!secret)
            continue;
        memset(secret, '*', len);
        rc = err_set(err, ERR_USAGE,
                     "a password on the command line can be seen by everyone: use "
                     "FERRY_SOURCE_PASSWORD, FERRY_TARGET_PASSWORD, --defaults-file or -p (asks)");
    }
    for (int i = 1; i < argc; i++) {
        size_t len = 0;

        for (char *key = argv_storage_key(argv[i], &len); key;
             key = argv_storage_key(argv[i], &len)) {
            memset(key, '*', len);
            rc = err_set(err, ERR_USAGE,
                         "a key in a storage URL can be seen by everyone: use AWS_ACCESS_KEY_ID, "
                         "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or a profile");
        }
    }
    return rc;
}

static enum err_code command_run(struct command_context *ctx, int argc, char **argv,
                                 struct err *err)
{
    const struct command *command;
    enum err_code rc;

    rc = argv_scrub(argc, argv, err);
    if (rc)
        return rc;
    command = command_find(argv[1]);
    if (!command)
        return err_set(err, ERR_USAGE, "'%s' is not a command: see ferry --help", argv[1]);
    return command->run(ctx, err);
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    struct signals signals = {0};
    struct command_context ctx = {.argc = argc - 1, .argv = argv + 1, .cancel = &signals.cancel};
    pthread_t thread;
    int status;

    if (argc < 2) {
        command_usage(stderr);
        return err_info(ERR_USAGE)->exit_status;
    }
    if (strcmp(argv[1], "--help") == 0) {
        command_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("ferry " FERRY_VERSION);
        return 0;
    }
    (void)prctl(PR_SET_DUMPABLE, 0); /* passwords and keys are held: no core file of them */
    (void)sigemptyset(&signals.set);
    (void)sigaddset(&signals.set, SIGINT);
    (void)sigaddset(&signals.set, SIGTERM);
    (void)sigaddset(&signals.set, SIGUSR1); /* wakes the signal thread at the end */
    (void)pthread_sigmask(SIG_BLOCK, &signals.set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (conn_library_init(&err) || pthread_create(&thread, NULL, signal_thread, &signals)) {
        log_error("failed", &err);
        return 1;
    }
    if (command_run(&ctx, argc, argv, &err) == ERR_OK) {
        status = ctx.exit_status;
    } else {
        status = err_info(err.code)->exit_status;
        log_error("failed", &err);
    }
    atomic_store(&signals.ended, true);
    (void)pthread_kill(thread, SIGUSR1);
    (void)pthread_join(thread, NULL);
    conn_library_end();
    log_close();
    return status;
}
