/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened on all connections of the process, for metrics: counted by store/pg*.c in whichever
 * thread has the connection, since the process began, without a lock.
 */
#ifndef STORE_PG_COUNT_H
#define STORE_PG_COUNT_H

#include <stdint.h>

/* Connections made, and failures by class: the first two characters of an SQLSTATE, "none" for a
 * connection that was lost or refused without one. */
void pg_count_connect(void);
void pg_count_failure(const char *sqlstate);

int64_t pg_count_connects(void);
void pg_count_each(void (*each)(const char *class, int64_t failures, void *context), void *context);

#endif
