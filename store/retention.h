/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long what is kept: a row of the database that its owner writes (spendlog.retention). A
 * process may keep rows longer than it says, never shorter.
 */
#ifndef STORE_RETENTION_H
#define STORE_RETENTION_H

#include "core/err.h"

#include <stdint.h>

#define RETENTION_DAYS_MIN 7
#define RETENTION_DAYS_MAX 36500
#define RETENTION_TEXT_MAX 256

struct retention {
    int64_t keep_days;      /* of rows; 0: for ever, as the next */
    int64_t keep_sums_days; /* of the sums that dropped days leave */
    int64_t days_per_day;   /* at most so many days are dropped within 24 hours */
    int64_t days_stored, days_due;
    int64_t set_at_us;
    char set_by[64];
};

bool retention_read(const char *conninfo, struct retention *retention, struct err *err) MUST_CHECK;
/* The owner's to do. The numbers of *retention that are below 0 stay as they are in the database;
 * it is read back. ERR_INPUT: a number out of range. */
bool retention_set(const char *conninfo, struct retention *retention, struct err *err) MUST_CHECK;

struct pg;
/* What an operator should know of a process that keeps rows for so many days (0: for ever) and of
 * its clock; "" when both agree with the database. */
bool retention_compare(struct pg *pg, unsigned process_days, char text[RETENTION_TEXT_MAX],
                       struct err *err) MUST_CHECK;

#endif
