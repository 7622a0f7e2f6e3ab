/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The price book in force, swapped whole. The main thread publishes, lanes take over between two
 * batches; an old book lives until no lane uses it any more.
 */
#ifndef RUN_BOOK_SLOT_H
#define RUN_BOOK_SLOT_H

#include "pricing/book.h"

#include <pthread.h>

struct book_ref {
    struct book *book;
    int64_t loaded_us; /* wall clock */
    struct buf json;   /* book_dump(): what price_books stores */
    unsigned users;    /* lanes holding it, plus one while it is the current one */
};

struct book_slot {
    pthread_mutex_t lock; /* taken once per batch */
    struct book_ref *current;
};

/* Loads, dumps and publishes; on error the slot keeps what it had. */
bool book_slot_load(struct book_slot *slot, const struct book_options *options,
                    struct err *err) MUST_CHECK;
void book_slot_free(struct book_slot *slot);

/* The current book, held until book_release(). */
struct book_ref *book_acquire(struct book_slot *slot);
void book_release(struct book_slot *slot, struct book_ref *ref);

#endif
