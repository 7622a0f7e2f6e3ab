/* SPDX-License-Identifier: Apache-2.0 */
/* A report for other programs: FinOps FOCUS, as CSV on stdout, line by line. */
#ifndef CLI_REPORT_FOCUS_H
#define CLI_REPORT_FOCUS_H

#include "core/config.h"
#include "store/report.h"

/* What is left out is told on stderr. */
bool report_focus(const struct config *config, const struct report_options *query,
                  const char *version, struct err *err) MUST_CHECK;

#endif
