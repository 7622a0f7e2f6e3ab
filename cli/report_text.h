/* SPDX-License-Identifier: Apache-2.0 */
/* What the table and the page of a report have in common: figures as people read them, the period,
 * and notes. */
#ifndef CLI_REPORT_TEXT_H
#define CLI_REPORT_TEXT_H

#include "core/buf.h"
#include "store/report.h"
#include "store/report_page.h"

struct report_view {
    const struct report_answer *answer;
    const struct report_page *page; /* of HTML; else NULL */
    const char *const *by;
    size_t by_count;
    const char *zone;
};

/* The key of a line; of the others and the total a word in its place. */
struct slice report_key(const struct report_row *row, size_t k, const struct report_view *view);
/* 1234567.5 as 1,234,567.5; "-" for none. */
void report_add_figure(struct buf *to, struct slice figure);
/* 12.5 as 12.5 %, with a sign before it; "-" for none. */
void report_add_percent(struct buf *to, struct slice percent, bool with_sign);
double report_number(struct slice figure); /* for bars and order alone; 0 for none */
/* "2026-10-01 00:00 to ... UTC, beside ..."; nothing where all time is asked for. */
void report_add_period(struct buf *to, const struct report_view *view);
/* "12 calls of 2026-10-01 to 2026-10-03, 1.5 USD, ..."; nothing where all is in the figures. */
void report_add_dropped(struct buf *to, const struct report_dropped *dropped);
/* The same on stderr, for output that other programs read. */
void report_warn_dropped(const struct report_dropped *dropped);
/* What is not in the figures, or twice: a line each. */
void report_add_notes(struct buf *to, const struct report_view *view);

#endif
