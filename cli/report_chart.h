/* SPDX-License-Identifier: Apache-2.0 */
/* Spend over time as bars, stacked by the largest names, in SVG that needs nothing beside it. */
#ifndef CLI_REPORT_CHART_H
#define CLI_REPORT_CHART_H

#include "core/buf.h"
#include "store/report.h"

#define CHART_SERIES 8 /* the last one is all others */

/* `answer` is by time (day or hour) and by name. Nothing where nothing was spent. */
void report_add_chart(struct buf *to, const struct report_answer *answer, const char *title);

#endif
