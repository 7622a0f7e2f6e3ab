/* SPDX-License-Identifier: Apache-2.0 */
/* What stands on a page beside the report itself: what moved, meters, what is not settled. */
#ifndef CLI_REPORT_SECTIONS_H
#define CLI_REPORT_SECTIONS_H

#include "core/buf.h"
#include "store/report_page.h"

/* A figure as people read it, cut to four decimals. */
void report_add_short(struct buf *to, struct slice figure);

/* Each adds nothing where there is nothing to tell. */
void report_add_movers(struct buf *to, const struct report_page *page);
void report_add_meters(struct buf *to, const struct report_page *page);
void report_add_suspense(struct buf *to, const struct report_page *page);

#endif
