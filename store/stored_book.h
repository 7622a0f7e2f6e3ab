/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Price books in PostgreSQL: every row names the one that priced it, and its text is enough to make
 * it again. store/ keeps the text and does not look into it.
 */
#ifndef STORE_STORED_BOOK_H
#define STORE_STORED_BOOK_H

#include "store/pg.h"

#define BOOK_HASH_DIGITS 64

/* Stores the book unless it is there; either way *id is its number. */
bool stored_book_put(struct pg *pg, const char *hash, struct slice json, int32_t *id,
                     struct err *err) MUST_CHECK;

/* By its hash or the beginning of it. ERR_INPUT: none, and *id is 0, or several. */
bool stored_book_find(struct pg *pg, const char *hash, int32_t *id, struct err *err) MUST_CHECK;

/* ERR_INPUT: there is no such number. `json` is emptied first. */
bool stored_book_read(struct pg *pg, int32_t id, char hash[BOOK_HASH_DIGITS + 1], struct buf *json,
                      struct err *err) MUST_CHECK;

#endif
