#include "common/store/lease_owner.h"

#include "common/base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROC_STAT_MAX 1024

/* Names become part of JSON and of messages: printable ASCII, and cut to what there is room for. */
static void owner_set_text(char out[LEASE_TEXT_MAX], const char *text, size_t len)
{
    size_t n = 0;

    for (; n < len && n < LEASE_TEXT_MAX - 1 && text[n] && text[n] != '\n'; n++)
        if (text[n] >= ' ' && text[n] <= '~')
            out[n] = text[n];
        else
            out[n] = '?';
    out[n] = '\0';
}

/* The bytes of a small file; 0: it cannot be read. */
static size_t owner_read_file(const char *path, char *buf, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return 0;
    n = read(fd, buf, cap);
    (void)close(fd);
    return n > 0 ? (size_t)n : 0;
}

struct owner_process {
    char state;       /* 'Z': dead, but its parent has not asked for it */
    uint64_t threads; /* those that have not ended */
    uint64_t start;   /* clock ticks since the boot */
};

/* From /proc, where there is one. The fields are counted from behind the command's name, which may
 * hold anything: state is the third, threads the 20th, start the 22nd. */
static bool owner_process(int64_t pid, struct owner_process *p)
{
    char path[64]; /* "/proc/" + 20 digits + "/stat" */
    char buf[PROC_STAT_MAX];
    const char *at;
    char *end;
    size_t len;

    (void)snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    len = owner_read_file(path, buf, sizeof buf - 1);
    buf[len] = '\0';
    at = strrchr(buf, ')');
    if (!at || strlen(at) < 4)
        return false;
    p->state = at[2];
    at += 3;
    for (int field = 4; field <= 22; field++) {
        uint64_t value = strtoull(at, &end, 10);

        if (end == at)
            return false;
        at = end;
        if (field == 20)
            p->threads = value;
        if (field == 22)
            p->start = value;
    }
    return true;
}

void lease_owner_self(struct lease_owner *o, const char *what)
{
    char buf[LEASE_TEXT_MAX] = "";
    struct owner_process p;
    ssize_t n;

    *o = (struct lease_owner){.pid = (int64_t)getpid()};
    owner_set_text(o->what, what, strlen(what));
    if (gethostname(buf, sizeof buf - 1) == 0)
        owner_set_text(o->host, buf, strlen(buf));
    owner_set_text(o->boot, buf,
                   owner_read_file("/proc/sys/kernel/random/boot_id", buf, sizeof buf));
    n = readlink("/proc/self/ns/pid", buf, sizeof buf);
    owner_set_text(o->pid_space, buf, n > 0 ? (size_t)n : 0);
    if (owner_process(o->pid, &p))
        o->start = p.start;
}

enum err_code lease_token_new(char token[LEASE_TOKEN_MAX], struct err *err)
{
    unsigned char random[(LEASE_TOKEN_MAX - 1) / 2];

    if (RAND_bytes(random, sizeof random) != 1)
        return err_set(err, ERR_INTERNAL, "no random bytes");
    *bytes_to_hex(token, random, sizeof random) = '\0';
    return ERR_OK;
}

void lease_owner_write(const struct lease_owner *o, struct strbuf *out)
{
    /* The texts are ASCII: packing cannot fail but for memory. */
    json_t *json = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s}", "what", o->what, "token",
                             o->token, "host", o->host, "pid", (json_int_t)o->pid, "start",
                             (json_int_t)o->start, "boot", o->boot, "pid_space", o->pid_space);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    strbuf_addf(out, "%s\n", text ? text : "{}");
    free(text);
    json_decref(json);
}

static void owner_get_text(const json_t *json, const char *key, char out[LEASE_TEXT_MAX])
{
    const char *text = json_string_value(json_object_get(json, key));

    owner_set_text(out, text ? text : "", text ? strlen(text) : 0);
}

void lease_owner_read(const char *text, size_t len, struct lease_owner *o)
{
    json_t *json = json_loadb(text, len, 0, NULL);
    const char *token = json_string_value(json_object_get(json, "token"));
    size_t n = token ? strspn(token, "0123456789abcdef") : 0;

    *o = (struct lease_owner){.token = "unknown"};
    if (n == LEASE_TOKEN_MAX - 1 && token[n] == '\0') {
        memcpy(o->token, token, n + 1);
        owner_get_text(json, "what", o->what);
        owner_get_text(json, "host", o->host);
        owner_get_text(json, "boot", o->boot);
        owner_get_text(json, "pid_space", o->pid_space);
        o->pid = json_integer_value(json_object_get(json, "pid"));
        o->start = (uint64_t)json_integer_value(json_object_get(json, "start"));
    }
    json_decref(json);
}

bool lease_owner_gone(const struct lease_owner *o)
{
    struct lease_owner self;
    struct owner_process p;

    lease_owner_self(&self, "");
    /* Hosts may share a name, and containers a host: the pid must mean the same here. */
    if (o->pid <= 0 || !*self.boot || !*self.pid_space || strcmp(o->host, self.host) != 0 ||
        strcmp(o->boot, self.boot) != 0 || strcmp(o->pid_space, self.pid_space) != 0)
        return false;
    if (kill((pid_t)o->pid, 0) != 0 && errno == ESRCH)
        return true;
    if (!owner_process(o->pid, &p))
        return false;
    if (p.state == 'Z' && p.threads <= 1)
        return true;
    return o->start != 0 && p.start != o->start; /* another process has its number now */
}
