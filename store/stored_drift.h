/* SPDX-License-Identifier: Apache-2.0 */
/* Stored rows whose spend is apart from the gateway's own figure: core/drift.h, from the database.
 */
#ifndef STORE_STORED_DRIFT_H
#define STORE_STORED_DRIFT_H

#include "core/drift.h"
#include "core/err.h"

/* One line for each provider, model and call type that is an alarm, the largest sum first, 100 at
 * most. Rows started from since_us on and before until_us; INT64_MIN, INT64_MAX: no limit. */
bool drift_stored(const char *conninfo, const struct config_drift *limits, int64_t since_us,
                  int64_t until_us, void (*each)(const char *text, void *context), void *context,
                  struct err *err) MUST_CHECK;

#endif
