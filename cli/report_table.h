/* SPDX-License-Identifier: Apache-2.0 */
/* A report as a table for a terminal: figures aligned, with separators, and bars where asked for.
 */
#ifndef CLI_REPORT_TABLE_H
#define CLI_REPORT_TABLE_H

#include "cli/report_text.h"

void report_add_table(struct buf *to, const struct report_view *view, bool bars);

#endif
