/* SPDX-License-Identifier: Apache-2.0 */
/* Deltas of the sums (spend_sums), merged: fewer lines, the same sums. */
#ifndef STORE_COMPACT_H
#define STORE_COMPACT_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

struct compact_status {
    int64_t deltas;       /* not merged yet */
    int64_t merged_lines; /* per quarter of an hour and per day */
    int64_t days_due;     /* merged days with more lines added than they had */
};

bool compact_status(const char *conninfo, struct compact_status *status,
                    struct err *err) MUST_CHECK;

/* Merges, some thousand deltas in each transaction, until a pass finds fewer than it could take and
 * no day that needs it. *taken deltas became *made lines. ERR_RETRY: another session is at it. */
bool compact_run(const char *conninfo, int64_t *taken, int64_t *made, struct err *err) MUST_CHECK;

#endif
