/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clock that stands until somebody waits: in place of core/clock.c. Waiting for a message in the
 * fake of Kafka, and clock_sleep_ms(), let that time pass at once.
 */
#ifndef TESTS_FAKES_CLOCK_H
#define TESTS_FAKES_CLOCK_H

#include "core/clock.h"

/* 2025-07-15 08:00 UTC; the monotonic clock begins at an hour. */
void fake_clock_reset(void);
void fake_clock_pass_ms(int64_t ms);

#endif
