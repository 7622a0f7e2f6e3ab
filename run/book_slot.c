/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A book is loaded outside of the lock; under it only a pointer and counts of users change. Whoever
 * gives up the last use frees the book.
 */
#include "run/book_slot.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/must.h"

#include <stdlib.h>

#define BOOK_JSON_MAX (256u << 20)

static void log_finding(enum finding_level level, const char *text, void *context)
{
    (void)context;
    if (level == FINDING_WARNING)
        log_warn("prices: %s", text);
    else
        log_debug("prices: %s", text);
}

static void ref_free(struct book_ref *ref)
{
    buf_free(&ref->json);
    book_free(ref->book);
    free(ref);
}

bool book_slot_load(struct book_slot *slot, const struct book_options *options, struct err *err)
{
    struct book_ref *ref = calloc(1, sizeof(*ref));
    if (!ref)
        return err_set(err, ERR_FATAL, "out of memory");
    buf_init(&ref->json, BOOK_JSON_MAX);
    ref->book = book_load(options, log_finding, NULL, err);
    if (!ref->book || !book_dump(ref->book, &ref->json, err)) {
        ref_free(ref);
        return false;
    }
    ref->users = 1;
    ref->loaded_us = clock_now_us();

    pthread_mutex_lock(&slot->lock);
    struct book_ref *old = slot->current;
    slot->current = ref;
    pthread_mutex_unlock(&slot->lock);
    if (old)
        book_release(slot, old);
    return true;
}

void book_slot_free(struct book_slot *slot)
{
    struct book_ref *last = slot->current;
    slot->current = NULL;
    if (last)
        book_release(slot, last);
}

struct book_ref *book_acquire(struct book_slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    struct book_ref *ref = slot->current;
    MUST(ref && ref->users > 0, ref ? ref->users : 0);
    ref->users++;
    pthread_mutex_unlock(&slot->lock);
    return ref;
}

void book_release(struct book_slot *slot, struct book_ref *ref)
{
    pthread_mutex_lock(&slot->lock);
    MUST(ref->users > 0, ref->users);
    bool last = --ref->users == 0;
    MUST(!last || ref != slot->current);
    pthread_mutex_unlock(&slot->lock);
    if (last)
        ref_free(ref);
}
