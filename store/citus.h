/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Citus, where a database has its extension. The schema is made on the coordinator alone, and then
 * the rows are spread over the workers: what two roles make in one transaction would be two
 * connections to a worker, which do not see each other.
 */
#ifndef STORE_CITUS_H
#define STORE_CITUS_H

#include "core/err.h"

struct pg;

bool citus_find(struct pg *pg, bool *there, struct err *err) MUST_CHECK;

/* Before migrations: what an empty database gets is the coordinator's own. */
bool citus_begin(struct pg *pg, struct err *err) MUST_CHECK;

/* After them: store/citus.sql. */
bool citus_spread(struct pg *pg, struct err *err) MUST_CHECK;

#endif
