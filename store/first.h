/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statements before a session's settings are ours: an operator's statement_timeout of a few
 * milliseconds ends them on a server that is slow for a moment. They change nothing, so each is
 * tried again.
 */
#ifndef STORE_FIRST_H
#define STORE_FIRST_H

#include "store/pg.h"

/* Whether a failed statement ended at that timeout and is worth another try; err is empty then.
 * *tries starts at 0. */
bool first_again(struct pg *pg, int *tries, struct err *err) MUST_CHECK;

#endif
