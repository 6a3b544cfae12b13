/* The source's clock, as seen from here. */
#include "common/base/clock.h"
#include "follower/follow_inner.h"

#include <stdlib.h>

enum err_code source_clock(struct conn *source, int64_t *offset_us, struct err *err)
{
    const uint64_t before = clock_mono_us();
    char *now = NULL;
    enum err_code rc =
        conn_value(source, "SELECT CAST(UNIX_TIMESTAMP(NOW(6))*1000000 AS SIGNED)", &now, err);
    const uint64_t after = clock_mono_us();

    /* It was read somewhere between the two: in the middle, for all that is known. */
    if (!rc && now)
        *offset_us = strtoll(now, NULL, 10) - (int64_t)(before + (after - before) / 2);
    free(now);
    return rc;
}
