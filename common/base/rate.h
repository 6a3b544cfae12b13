/* common/base/rate.h: a limit of bytes per second that several threads share.
 *
 * A token bucket that is kept as the instant at which it will be empty: whoever takes bytes moves
 * it on, and waits until then. So large takers do not starve small ones, and the sum over all
 * threads holds, but for a burst of RATE_BURST_US after a pause. */
#ifndef FERRY_BASE_RATE_H
#define FERRY_BASE_RATE_H

#include <stdint.h>

#define RATE_BURST_US ((uint64_t)200000)

struct rate;
/* `bytes_per_second` 0: no limit, NULL. */
struct rate *rate_new(uint64_t bytes_per_second);
/* Takes `bytes` at the instant `now_us` (clock_mono_us); returns for how many microseconds the
 * caller is to wait before it goes on. Any thread; NULL: 0. */
uint64_t rate_take(struct rate *r, uint64_t bytes, uint64_t now_us);
void rate_free(struct rate *r); /* NULL is fine */

#endif
