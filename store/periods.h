/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closed periods: months (UTC) whose books are closed. Their rows are changed no more; what
 * repricing finds is posted to an open day (store/reprice.h). Rows of such a month that arrive
 * later are stored as ever, and seen in the list as calls that the sums of the month have more than
 * at the closing.
 */
#ifndef STORE_PERIODS_H
#define STORE_PERIODS_H

#include "core/sum.h"

struct period {
    char month[8]; /* 2026-10 */
    int64_t rows;
    bool late_known; /* not when sums of its days are gone */
    int64_t late_rows;
    struct sum spend;  /* when it was closed */
    struct sum posted; /* corrections of its rows since, which count elsewhere */
    int64_t closed_at_us;
    char closed_by[64];
};

/* ERR_INPUT: not over, or closed already. ERR_RETRY: a day of it is being repriced. */
bool period_close(const char *conninfo, int year, unsigned month, struct err *err) MUST_CHECK;

typedef void period_fn(const struct period *period, void *context);
bool period_list(const char *conninfo, period_fn *each, void *context, struct err *err) MUST_CHECK;

#endif
