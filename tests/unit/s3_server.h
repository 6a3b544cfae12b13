/* tests/unit/s3_server.h: a real S3 server (versitygw on PATH) on a folder of its own. */
#ifndef FERRY_TESTS_S3_SERVER_H
#define FERRY_TESTS_S3_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct s3_server {
    pid_t pid;
    unsigned port;
    char *folder; /* the bucket "bucket" is a folder of it */
};
/* Starts it, and sets the AWS variables that reach it (AWS_ENDPOINT_URL and keys). false: there is
 * no such program, or it does not start; says so. */
bool s3_server_start(struct s3_server *s);
void s3_server_stop(struct s3_server *s);

#endif
