/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Days from before lean rows (docs/storage.md) into the lean form, one after another, beside
 * ingest. Nothing that rows say changes, which the database proves row by row before a day takes
 * the place of the old one. What was interrupted begins anew with its day.
 */
#ifndef STORE_CARRY_H
#define STORE_CARRY_H

#include "core/err.h"

#include <stdint.h>

struct carried_day {
    char day[11]; /* 2026-10-03 */
    int64_t rows, wide;
    const char *held; /* who works on it: it stays for another time; NULL: it is carried over */
};

typedef void carry_fn(const struct carried_day *day, void *context);

/* All days that are left; `told` is called for each. */
bool carry_run(const char *conninfo, carry_fn *told, void *context, struct err *err) MUST_CHECK;

#endif
