/* SPDX-License-Identifier: Apache-2.0 */
/* Two variables, which waiting moves. */
#include "tests/fakes/clock.h"

#define BEGIN_US INT64_C(1752566400000000)
#define BEGIN_MONOTONIC_MS INT64_C(3600000)

static int64_t passed_ms;

void fake_clock_reset(void)
{
    passed_ms = 0;
}

void fake_clock_pass_ms(int64_t ms)
{
    passed_ms += ms;
}

int64_t clock_now_us(void)
{
    return BEGIN_US + passed_ms * 1000;
}

int64_t clock_monotonic_us(void)
{
    return (BEGIN_MONOTONIC_MS + passed_ms) * 1000;
}

int64_t clock_monotonic_ms(void)
{
    return BEGIN_MONOTONIC_MS + passed_ms;
}

void clock_fix(int64_t us)
{
    passed_ms = (us - BEGIN_US) / 1000;
}

void clock_sleep_ms(unsigned ms)
{
    fake_clock_pass_ms(ms);
}
