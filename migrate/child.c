#include "migrate/child.h"

#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES (64 << 20) /* longer ones are cut; a closing line names every table */

extern char **environ; // NOLINT: POSIX leaves its declaration to us

static bool env_goes_along(const char *pair)
{
    static const char *const kept[] = {
        "FERRY_SOURCE_PASSWORD=", "FERRY_TARGET_PASSWORD=", "FERRY_FAULT=", "FERRY_FAULT_PAUSE="};

    if (strncmp(pair, "FERRY_", 6) != 0)
        return true;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (strncmp(pair, kept[i], strlen(kept[i])) == 0)
            return true;
    return false;
}

/* What options come from the environment is the job file's to say: a job is the same wherever it is
 * resumed. The list is heap, its texts are borrowed. */
static char **env_list(void)
{
    size_t count = 0;
    char **list;
    size_t n = 0;

    while (environ[count])
        count++;
    list = xcalloc(count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++)
        if (env_goes_along(environ[i]))
            list[n++] = environ[i];
    return list;
}

struct child_files {
    int in, out, err;
};

/* Behind fork of a process that has threads: nothing but system calls. */
static void child_become(const struct child_files *f, char **args, char **env, pid_t parent)
{
    (void)setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
        _exit(127);
    if (dup2(f->in, 0) < 0 || dup2(f->out, 1) < 0 || dup2(f->err, 2) < 0)
        _exit(127);
    (void)execve("/proc/self/exe", args, env);
    _exit(127);
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

enum err_code child_start(struct child *c, const char *const *argv, const char *out,
                          struct err *err)
{
    int fds[] = {-1, -1, -1, -1}; /* null, out, the pipe's ends */
    const pid_t self = getpid();
    size_t count = 0;
    char **env = NULL;
    char **args;
    pid_t pid = -1;

    while (argv[count])
        count++;
    args = xcalloc(count + 1, sizeof *args);
    memcpy(args, argv, count * sizeof *args);
    fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    fds[1] = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fds[0] < 0 || fds[1] < 0 || pipe(fds + 2) != 0)
        goto out;
    if (fcntl(fds[2], F_SETFD, FD_CLOEXEC) != 0 || fcntl(fds[3], F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(fds[2], F_SETFL, O_NONBLOCK) != 0)
        goto out;
    env = env_list();
    pid = fork();
    if (pid == 0)
        child_become(&(struct child_files){fds[0], fds[1], fds[3]}, args, env, self);
out:
    if (pid < 0) {
        const enum err_code code = fds[1] < 0 ? err_code_of_errno(errno) : ERR_FAILED;

        (void)err_set_errno(err, code, errno, "starting ferry %s, output '%s'", argv[1], out);
        close_all(fds, 4);
    } else {
        const int rest[] = {fds[0], fds[1], fds[3]};

        c->pid = pid;
        c->lines = fds[2];
        strbuf_reset(&c->line);
        close_all(rest, 3);
    }
    free(env);
    free(args);
    return pid < 0 ? err->code : ERR_OK;
}

static void lines_take(struct child *c, const char *buf, size_t len, child_line_fn *fn, void *ctx)
{
    for (size_t i = 0; i < len; i++) {
        if (buf[i] != '\n') {
            if (c->line.len < LINE_MAX_BYTES)
                strbuf_addch(&c->line, buf[i]);
            continue;
        }
        fn(ctx, strbuf_str(&c->line));
        strbuf_reset(&c->line);
    }
}

static void lines_read(struct child *c, child_line_fn *fn, void *ctx)
{
    char buf[16384];

    for (;;) {
        ssize_t n = c->lines >= 0 ? read(c->lines, buf, sizeof buf) : 0;

        if (n <= 0)
            return;
        lines_take(c, buf, (size_t)n, fn, ctx);
    }
}

void child_look(struct child *c, child_line_fn *fn, void *ctx, bool *ended, int *status)
{
    const pid_t pid = c->pid;

    *ended = false;
    if (!pid)
        return;
    lines_read(c, fn, ctx);
    if (waitpid(pid, status, WNOHANG) != pid)
        return;
    lines_read(c, fn, ctx); /* what it said at its end */
    if (c->line.len)
        fn(ctx, strbuf_str(&c->line));
    if (c->lines >= 0)
        (void)close(c->lines);
    strbuf_release(&c->line);
    *c = (struct child)CHILD_INIT;
    *ended = true;
}

void child_signal(const struct child *c, int number)
{
    if (c->pid)
        (void)kill(c->pid, number);
}
