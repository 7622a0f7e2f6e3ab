/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libpq waits for without a limit, waited for with one. A backend that does not answer while
 * its kernel does (a frozen machine, a storage that hangs) is noticed by nothing else: neither by
 * statement_timeout, which it keeps itself, nor by keepalives and tcp_user_timeout, which the
 * kernel answers. Its socket is shut down then, and libpq finds a connection that is lost.
 *
 * A connection without statement_timeout (struct pg_options) waits as libpq does. Internal to
 * store/.
 */
#ifndef STORE_PG_WAIT_H
#define STORE_PG_WAIT_H

#include "store/pg.h"

/* Of a connection that is there; sets how long it is waited for. */
bool pg_wait_begin(struct pg *pg, const struct pg_options *options) MUST_CHECK;

/* What an earlier statement has left is gone; false when that is a COPY, or the connection is lost.
 */
bool pg_results_discard(struct pg *pg) MUST_CHECK;
/* PQgetResult(); NULL also of a connection that is closed. */
PGresult *pg_result(struct pg *pg);
/* As PQexec(): the last result of what was sent, or the one that begins a COPY. */
PGresult *pg_result_last(struct pg *pg);
/* PQexec(), with libpq's failures too. */
PGresult *pg_exec(struct pg *pg, const char *sql);
/* PQputCopyData(), all of it sent. */
bool pg_copy_put(struct pg *pg, const char *p, size_t bytes) MUST_CHECK;
/* PQgetCopyData(): bytes, -1 at the end, -2 */
int pg_copy_get(struct pg *pg, char **message);

#endif
