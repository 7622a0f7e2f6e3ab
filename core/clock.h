/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: microseconds since 1970, UTC, in the proleptic Gregorian calendar, without leap seconds.
 * SPENDLOG_NOW="2026-01-31T12:00:00Z" in the environment, or clock_fix() in a test, stops the wall
 * clock there; the monotonic one always runs.
 *
 * Whoever wants to know the time or to wait asks here: a test links its own in place of clock.c.
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include "core/err.h"
#include "core/slice.h"

#include <stdint.h>

#define CLOCK_TEXT_MAX 40 /* bytes of the longest formatted instant, NUL included */
#define CLOCK_SECOND_US INT64_C(1000000)
#define CLOCK_DAY_US (86400 * CLOCK_SECOND_US)

int64_t clock_now_us(void);
int64_t clock_monotonic_us(void);
/* Of the last tick of the kernel, up to 10 ms ago: for deadlines, looked at with every message. */
int64_t clock_monotonic_ms(void);
void clock_fix(int64_t us);
/* Waits that long, or until a signal comes. */
void clock_sleep_ms(unsigned ms);

/* --- instants as dates and texts: clock_text.c */

/* RFC 3339 section 5.6, years 0000 to 9999; also with a space for the T and, as many programs write
 * it, without offset, which means UTC. Digits beyond microseconds are cut; second 60 is the next
 * minute's 0. false: no such text, or no such day. */
bool clock_parse(struct slice text, int64_t *us) MUST_CHECK;

/* "2026-01-31T12:00:00.25Z": the fraction without trailing zeros, none when it is 0. Returns the
 * length. */
size_t clock_format(int64_t us, char text[CLOCK_TEXT_MAX]);

/* The same with three digits of the fraction, always: lines begin alike. */
size_t clock_format_ms(int64_t us, char text[CLOCK_TEXT_MAX]);

struct civil {
    int64_t year;
    unsigned month, day; /* from 1 */
};

/* Days since 1970-01-01 and back; the date need not be checked for existing days. */
int64_t clock_days(struct civil date);
struct civil clock_civil(int64_t days);
/* The day an instant is in. */
static inline int64_t clock_day_of(int64_t us)
{
    return us / CLOCK_DAY_US - (us % CLOCK_DAY_US < 0);
}

#endif
