/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the rows of days that are over (day_names), by which one call is found: made here. */
#ifndef STORE_NAMES_H
#define STORE_NAMES_H

#include "core/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Step by step, a transaction each, until nothing is left to do, another session is at it, or
 * *stop, which may be NULL; a step is about a million rows at most. */
bool names_make(const char *conninfo, const atomic_bool *stop, int64_t *steps,
                struct err *err) MUST_CHECK;

#endif
