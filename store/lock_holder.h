/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who keeps us waiting: a DBA's LOCK, VACUUM FULL, REINDEX, pg_dump, a forgotten transaction. Asked
 * after a lock timeout, outside of the transaction that ran into it; a wait is told in one line,
 * with its reason and its holder, again every ten seconds or when the holder is another.
 */
#ifndef STORE_LOCK_HOLDER_H
#define STORE_LOCK_HOLDER_H

#include "store/pg.h"

#define HOLDER_TEXT_MAX 320

struct lock_holder {
    char text[HOLDER_TEXT_MAX]; /* told last */
    int64_t told_ms;            /* monotonic; 0 = never */
};

/* Adds the holder to an error that is a lock timeout, if anybody is to be seen. Does nothing for
 * other errors, or inside a transaction. */
void lock_holder_blame(struct pg *pg, struct err *err);

/* Logs that we are paused, unless it said so a moment ago. */
void lock_holder_tell(struct lock_holder *holder, const struct err *why);

/* For what only reads, and would wait without a word: waits until spend_logs and its days can be
 * read, telling who is in the way. Outside of a transaction. */
bool lock_holder_await_rows(struct pg *pg, struct err *err) MUST_CHECK;

#endif
