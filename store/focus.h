/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cost and usage in the columns of FinOps FOCUS, as CSV that is handed on line by line: however
 * long the period is, no more than a line of it is in memory. docs/focus.md has the columns.
 */
#ifndef STORE_FOCUS_H
#define STORE_FOCUS_H

#include "store/report.h"

struct focus_sink {
    /* A line with its end, the names of the columns first; false: nobody takes any more. */
    bool (*take)(void *context, struct slice line);
    void *context;
};

/* What is not in it. */
struct focus_beside {
    int64_t unpriced; /* calls of the same days without a price */
    struct report_dropped dropped;
};

/* Of `options` the period and the zone count. ERR_USAGE: no such version, no such period. */
bool focus_run(const char *conninfo, const struct report_options *options, const char *version,
               const struct focus_sink *sink, struct focus_beside *beside,
               struct err *err) MUST_CHECK;

#endif
