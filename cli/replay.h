/* cli/replay.h: the end of `ferry load`: the source's binlog applied behind the rows. */
#ifndef FERRY_CLI_REPLAY_H
#define FERRY_CLI_REPLAY_H

#include "follower/follow.h"

struct replay {                      /* borrowed, but for the report */
    const struct server_url *source; /* NULL: not named */
    const struct server_url *target;
    struct store *input;
    const char *meta_schema;
    unsigned threads;
    bool accept_conflicts, any_cascades;
    const struct cancel *cancel;
    bool ran;
    struct follow_report report; /* to be released */
};
/* A load_replay_fn; `ctx` is a struct replay. */
MUST_CHECK enum err_code replay_run(void *ctx, const char *renames, bool captured, struct err *err);
/* Where the target is now. */
void replay_print(const struct follow_report *r);

#endif
