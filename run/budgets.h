/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the budgets stand at, for the metrics page: a thread asks the database every half minute, on
 * a connection of its own, so that neither a lane nor who scrapes waits for it.
 */
#ifndef RUN_BUDGETS_H
#define RUN_BUDGETS_H

#include "core/buf.h"

struct budgets;

/* ERR_FATAL: no memory, no thread. */
bool budgets_start(struct budgets **budgets, const char *conninfo, struct err *err) MUST_CHECK;
void budgets_stop(struct budgets *budgets);

/* The metrics of the last answer; nothing where there was none, or `budgets` is NULL. */
void budgets_print(struct budgets *budgets, struct buf *page);

#endif
