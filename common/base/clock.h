/* common/base/clock.h: the two clocks, and waiting. */
#ifndef FERRY_BASE_CLOCK_H
#define FERRY_BASE_CLOCK_H

#include "common/base/pool.h"

#include <stdint.h>

uint64_t clock_mono_us(void); /* microseconds, never goes back; for durations */
int64_t clock_utc_us(void); /* UTC microseconds since 1970; for records only, never for decisions */
#define CLOCK_TEXT_MAX 32
/* "2026-11-23T10:20:33.123456Z" */
void clock_utc_text(int64_t utc_us, char out[CLOCK_TEXT_MAX]);
/* Local time "2026-11-23 10:20:33", as Dumpling's metadata has it. */
void clock_local_text(int64_t utc_us, char out[CLOCK_TEXT_MAX]);
/* Sleeps, at most 100 ms past a cancel. false: cancelled. `cancel` may be NULL. */
bool clock_sleep(uint64_t us, const struct cancel *cancel);

/* Exponential backoff with jitter, for retries. Zero-initialised is ready. */
struct backoff {
    unsigned tries;
};
/* 0.1 s, 0.2 s, ... at most 10 s, times 0.5 to 1.5; false: cancelled. */
bool backoff_wait(struct backoff *b, const struct cancel *cancel);

#endif
