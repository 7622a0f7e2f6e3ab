/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a report share: report.c (groups of a period), report_dropped.c (what is not in
 * it), report_period.c, report_page.c (all that a page shows, in one snapshot) and focus.c. */
#ifndef STORE_REPORT_IMPL_H
#define STORE_REPORT_IMPL_H

#include "store/pg.h"
#include "store/report.h"

struct report_answer {
    PGresult *rows, *doubtful;
    size_t keys;
    struct report_period period;
    bool overlaps, metered, summed; /* from the sums */
    bool gone;                      /* options.gone */
    struct report_dropped dropped;
};

/* The period that the options name: begin and end, and those of the one before. ERR_USAGE. */
bool report_period_find(struct pg *pg, const struct report_options *options,
                        struct report_period *period, struct err *err) MUST_CHECK;
/* Begin and end of the period and of the one before, four arguments; NULL: open, or there is none.
 */
void report_args_period(struct pg_args *args, const struct report_period *period);
/* What retention took of the period from a report that reads sums, or rows. */
bool report_dropped_ask(struct pg *pg, const struct report_period *period, bool summed,
                        struct report_dropped *dropped, struct err *err) MUST_CHECK;
bool report_open(struct pg *pg, const char *conninfo, struct err *err) MUST_CHECK;
bool report_ask(struct pg *pg, const struct report_options *options, struct report_answer **answer,
                struct err *err) MUST_CHECK;

#endif
