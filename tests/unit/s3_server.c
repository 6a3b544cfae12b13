#include "tests/unit/s3_server.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/unit/store_folder.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define START_TRIES 200

static int loopback(unsigned port, struct sockaddr_in *at)
{
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static unsigned free_port(void)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    int fd = loopback(0, &at);
    unsigned port = 0;

    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
        getsockname(fd, (struct sockaddr *)&at, &len) == 0)
        port = ntohs(at.sin_port);
    (void)close(fd);
    return port;
}

static bool answers(unsigned port)
{
    struct sockaddr_in at;
    int fd = loopback(port, &at);
    bool yes = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0;

    (void)close(fd);
    return yes;
}

static void server_exec(const struct s3_server *s)
{
    char *port = xasprintf("127.0.0.1:%u", s->port);
    int null = open("/dev/null", O_RDWR);

    (void)dup2(null, 0);
    (void)dup2(null, 1);
    (void)dup2(null, 2);
    (void)setenv("ROOT_ACCESS_KEY", "testkey", 1);
    (void)setenv("ROOT_SECRET_KEY", "testsecret", 1);
    (void)execlp("versitygw", "versitygw", "--port", port, "--quiet", "posix", s->folder, NULL);
    _exit(127);
}

bool s3_server_start(struct s3_server *s)
{
    char *endpoint, *bucket;
    int status;

    s->port = free_port();
    s->folder = folder_new();
    bucket = xasprintf("%s/bucket", s->folder);
    (void)mkdir(bucket, 0777);
    free(bucket);
    (void)fflush(NULL);
    s->pid = fork();
    if (s->pid == 0)
        server_exec(s);
    endpoint = xasprintf("http://127.0.0.1:%u", s->port);
    (void)setenv("AWS_ENDPOINT_URL", endpoint, 1);
    (void)setenv("AWS_ACCESS_KEY_ID", "testkey", 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", "testsecret", 1);
    (void)setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
    (void)setenv("AWS_CONFIG_FILE", "/dev/null", 1);
    free(endpoint);
    for (int i = 0; i < START_TRIES; i++) {
        if (answers(s->port))
            return true;
        if (waitpid(s->pid, &status, WNOHANG) == s->pid)
            break;
        (void)clock_sleep(50000, NULL);
    }
    (void)printf("skipped: no versitygw on PATH, or it does not start\n");
    folder_free(s->folder);
    return false;
}

void s3_server_stop(struct s3_server *s)
{
    (void)kill(s->pid, SIGTERM);
    (void)waitpid(s->pid, NULL, 0);
    folder_free(s->folder);
}
