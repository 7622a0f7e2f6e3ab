/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that this database has given out are not given out again. */
#ifndef STORE_NUMBERS_H
#define STORE_NUMBERS_H

#include "store/pg.h"

/* Sets sequences that lie behind the numbers in use forward, and tells of it. */
bool numbers_forward(struct pg *pg, struct err *err) MUST_CHECK;

#endif
