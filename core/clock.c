/* SPDX-License-Identifier: Apache-2.0 */
/* What time it is, and waiting: all that is asked of the machine's clock. */
#include "core/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CLOCK_RUNS INT64_MIN

static _Atomic int64_t fixed_us = CLOCK_RUNS;

static void environment_read(void)
{
    const char *text = getenv("SPENDLOG_NOW");
    int64_t us;
    if (!text || !text[0])
        return;
    if (!clock_parse(slice_of(text), &us)) {
        fputs("SPENDLOG_NOW: not an RFC 3339 time\n", stderr);
        exit(err_exit_code(ERR_CONFIG));
    }
    atomic_store(&fixed_us, us);
}

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return now.tv_sec * CLOCK_SECOND_US + now.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, environment_read);
    int64_t us = atomic_load_explicit(&fixed_us, memory_order_relaxed);
    return us == CLOCK_RUNS ? read_us(CLOCK_REALTIME) : us;
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
    return read_us(CLOCK_MONOTONIC_COARSE) / 1000;
}

void clock_fix(int64_t us)
{
    clock_now_us(); /* the environment does not come later and win */
    atomic_store(&fixed_us, us);
}

void clock_sleep_ms(unsigned ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&left, NULL);
}
