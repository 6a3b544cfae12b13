/* migrate/child.h: a command of ferry's run as a process of its own, by the same program
 * (/proc/self/exe).
 *
 * It has a process group of its own, so that Ctrl-C on the terminal reaches the runner alone, which
 * then asks each child once. When the runner dies, the kernel sends the child SIGTERM: it stops at
 * its next safe point, and a server that minds clients that vanish sees it leave in order. Of the
 * environment it has everything but FERRY_*, the passwords excepted. Its standard error comes line
 * by line to the runner, its standard output goes to a file. One thread: the one that starts a
 * child must live as long as the runner. */
#ifndef FERRY_MIGRATE_CHILD_H
#define FERRY_MIGRATE_CHILD_H

#include "common/base/strbuf.h"

#include <stdbool.h>
#include <sys/types.h>

struct child {
    pid_t pid;          /* 0: none */
    int lines;          /* read end of its standard error; -1: none */
    struct strbuf line; /* the part of a line that has come */
};
#define CHILD_INIT                                                                                 \
    {                                                                                              \
        .lines = -1                                                                                \
    }

/* `argv` is NULL-terminated, argv[0] the program's name; `out` is replaced. */
MUST_CHECK enum err_code child_start(struct child *c, const char *const *argv, const char *out,
                                     struct err *err);
typedef void child_line_fn(void *ctx, const char *line);
/* Hands over the lines that have come. *ended: it is gone and reaped; *status as of waitpid. */
void child_look(struct child *c, child_line_fn *fn, void *ctx, bool *ended, int *status);
void child_signal(const struct child *c, int number);

#endif
