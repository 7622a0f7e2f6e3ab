/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Poolers that give a session away between two transactions, or two statements. Ours rests on its
 * session: settings, prepared statements, locks. So such a pooler is recognised when we connect,
 * before a setting of ours could come to others, and refused. One that keeps a session whole does
 * no harm.
 */
#ifndef STORE_POOLER_H
#define STORE_POOLER_H

#include "store/pg.h"

/* ERR_CONFIG: it does. */
bool pooler_check(struct pg *pg, const struct pg_options *options, struct err *err) MUST_CHECK;

#endif
