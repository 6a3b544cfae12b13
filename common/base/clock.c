#include "common/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define US_PER_S 1000000
#define SLEEP_STEP_US ((uint64_t)50000) /* how soon a cancel is seen */

#define BACKOFF_FIRST_US ((uint64_t)100000)
#define BACKOFF_MAX_US ((uint64_t)10000000)

uint64_t clock_mono_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * US_PER_S + (uint64_t)ts.tv_nsec / 1000;
}

int64_t clock_utc_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

/* Whole seconds, rounded down, also before 1970; `*us` gets the rest. */
static time_t clock_split(int64_t utc_us, unsigned *us)
{
    int64_t rest = utc_us % US_PER_S;

    if (rest < 0)
        rest += US_PER_S;
    *us = (unsigned)rest;
    return (time_t)((utc_us - rest) / US_PER_S);
}

void clock_utc_text(int64_t utc_us, char out[CLOCK_TEXT_MAX])
{
    unsigned us;
    time_t seconds = clock_split(utc_us, &us);
    struct tm tm;
    size_t len = 0;

    if (gmtime_r(&seconds, &tm))
        len = strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + len, CLOCK_TEXT_MAX - len, ".%06uZ", us);
}

void clock_local_text(int64_t utc_us, char out[CLOCK_TEXT_MAX])
{
    unsigned us;
    time_t seconds = clock_split(utc_us, &us);
    struct tm tm;

    tzset(); /* localtime_r need not read TZ itself */
    if (!localtime_r(&seconds, &tm) || !strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &tm))
        out[0] = '\0';
}

bool clock_sleep(uint64_t us, const struct cancel *cancel)
{
    uint64_t end = clock_mono_us() + us;

    for (;;) {
        uint64_t now = clock_mono_us();
        uint64_t step;
        struct timespec ts;

        if (cancel && cancel_asked(cancel))
            return false;
        if (now >= end)
            return true;
        step = end - now;
        if (cancel && step > SLEEP_STEP_US)
            step = SLEEP_STEP_US;
        ts.tv_sec = (time_t)(step / US_PER_S);
        ts.tv_nsec = (long)(step % US_PER_S * 1000);
        (void)nanosleep(&ts, NULL); /* woken early: the loop looks at the clock */
    }
}

/* A number that differs between threads and calls; no secret depends on it. splitmix64. */
static uint64_t backoff_noise(const struct backoff *b)
{
    uint64_t x = clock_mono_us() * 1000003u + (uint64_t)(uintptr_t)b;

    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

bool backoff_wait(struct backoff *b, const struct cancel *cancel)
{
    uint64_t us = BACKOFF_MAX_US;

    if (b->tries < 7)
        us = BACKOFF_FIRST_US << b->tries;
    if (us > BACKOFF_MAX_US)
        us = BACKOFF_MAX_US;
    b->tries++;
    return clock_sleep(us / 2 + backoff_noise(b) % us, cancel);
}
