/* --rate: what comes behind a transaction waits for the transaction's bytes. What was given to the
 * applier is never waited for, so that a stop finds little to be ended. */
#include "follower/follow_inner.h"

#include "common/base/clock.h"

#define LOOK_US UINT64_C(100000)

static uint64_t row_bytes(const struct row *row)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < row->count; i++)
        bytes += row->cell[i] ? row->len[i] : 0;
    return bytes;
}

uint64_t rate_bytes(const struct row_change *change)
{
    return row_bytes(&change->before) + row_bytes(&change->after);
}

enum err_code rate_keep(struct follow_run *run, struct err *err)
{
    uint64_t now = clock_mono_us();
    const uint64_t until = now + rate_take(run->rate, run->txn_bytes, now);

    run->txn_bytes = 0;
    for (; now < until && !run->ended; now = clock_mono_us()) {
        if (!clock_sleep(until - now < LOOK_US ? until - now : LOOK_US, run->cancel))
            return err_set(err, ERR_INTERRUPTED, "stopped");
        follow_going(run);
    }
    return ERR_OK;
}
