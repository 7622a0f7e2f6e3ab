/* SPDX-License-Identifier: Apache-2.0 */
/* A report as one HTML page that needs nothing beside it: bars, a table that sorts, dark mode,
 * phones. */
#ifndef CLI_REPORT_HTML_H
#define CLI_REPORT_HTML_H

#include "cli/report_text.h"

#define REPORT_HTML_MAX_BYTES (256u << 20)

void report_add_html(struct buf *to, const struct report_view *view);

#endif
