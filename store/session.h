/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of a session that exactness rests on. An operator's ALTER ROLE or ALTER DATABASE ...
 * SET gives a session other defaults than PostgreSQL's; so each one that matters is set when we
 * connect, read back, and a session that does not have it is not used.
 */
#ifndef STORE_SESSION_H
#define STORE_SESSION_H

#include "store/pg.h"

/* ERR_CONFIG: a setting is not ours to change. */
bool session_pin(struct pg *pg, const struct pg_options *options, struct err *err) MUST_CHECK;

#endif
