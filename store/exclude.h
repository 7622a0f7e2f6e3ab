/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that are set aside: the row stays, what it comes to leaves all sums by a recorded entry
 * (spendlog.exclusions) and comes back by another. The database works out both.
 */
#ifndef STORE_EXCLUDE_H
#define STORE_EXCLUDE_H

#include "core/err.h"
#include "core/slice.h"

#include <stdint.h>

struct exclude_request {
    const char *request_id; /* the provider's or the gateway's id; or NULL */
    const char *identity;   /* uuid; or NULL. One of the two */
    const char *why;
    bool restore;
};

/* An entry; texts live until the callback returns. */
struct exclusion {
    int64_t exclusion_id;
    int64_t start_time_us, done_at_us;
    struct slice identity, request_id, action, counts_on;
    struct slice spend; /* what was added to the sums; empty: the row had none */
    struct slice why, done_by;
    bool in_force; /* the row is set aside by this entry now */
};

typedef void exclusion_fn(const struct exclusion *exclusion, void *context);

/* ERR_INPUT: there is no such row, several, or it is excluded (restored) already. ERR_RETRY: its
 * day is being worked on. Tells the entry it made. */
bool exclude_run(const char *conninfo, const struct exclude_request *request, exclusion_fn *made,
                 void *context, struct err *err) MUST_CHECK;
/* All entries, oldest first. */
bool exclude_list(const char *conninfo, exclusion_fn *each, void *context,
                  struct err *err) MUST_CHECK;

/* Those of one row; `start_time` as PostgreSQL has it, in microseconds since 2000. */
struct pg;
bool exclude_of_row(struct pg *pg, int64_t start_time, struct slice identity, exclusion_fn *each,
                    void *context, struct err *err) MUST_CHECK;

#endif
