/* common/target/finding_file.h: a file that appears when it is whole. */
#ifndef FERRY_TARGET_FINDING_FILE_H
#define FERRY_TARGET_FINDING_FILE_H

#include "common/target/finding.h"

struct finding_file_body {
    enum err_code (*write)(const struct finding_query *q, FILE *f, const char *path, void *ctx,
                           struct err *err);
    void *ctx;
};
/* Written beside `path` first, then renamed. */
MUST_CHECK enum err_code finding_file_write(const struct finding_query *q, const char *path,
                                            struct finding_file_body *body, struct err *err);

#endif
