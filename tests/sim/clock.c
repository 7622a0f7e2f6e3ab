/* SPDX-License-Identifier: Apache-2.0 */
/* In place of core/clock.c: the time of the simulation. */
#include "core/clock.h"
#include "tests/sim/member.h"
#include "tests/sim/task.h"

#define BEGIN_US INT64_C(1752566400000000) /* 2025-07-15 08:00 UTC */
#define BEGIN_MONOTONIC_MS INT64_C(3600000)
#define DAY_US INT64_C(86400000000)

int64_t clock_now_us(void)
{
    /* So that yesterday is old enough to be rewritten while events of it still come. */
    int64_t ahead_us = sim.dials.swap > 0 && operator_is_self() ? DAY_US : 0;
    return BEGIN_US + sim.now_ms * 1000 + sim.wall_step_us + ahead_us;
}

int64_t clock_monotonic_us(void)
{
    return (BEGIN_MONOTONIC_MS + sim.now_ms) * 1000;
}

int64_t clock_monotonic_ms(void)
{
    return BEGIN_MONOTONIC_MS + sim.now_ms;
}

void clock_fix(int64_t us)
{
    (void)us;
}

void clock_sleep_ms(unsigned ms)
{
    task_sleep(ms);
}
