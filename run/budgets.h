/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the budgets stand at, for the metrics page: the database is asked every half minute, so that
 * who scrapes does not wait for it.
 */
#ifndef RUN_BUDGETS_H
#define RUN_BUDGETS_H

#include "core/buf.h"

struct budgets;

/* ERR_FATAL: no memory, no thread; *budgets is to be stopped all the same. */
bool budgets_start(struct budgets **budgets, const char *conninfo, struct err *err) MUST_CHECK;
void budgets_stop(struct budgets *budgets);

/* The metrics of the last answer; nothing where there was none, or `budgets` is NULL. */
void budgets_print(struct budgets *budgets, struct buf *page);

#endif
