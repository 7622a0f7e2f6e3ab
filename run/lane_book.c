/* SPDX-License-Identifier: Apache-2.0 */
/* The price book in force, taken over from the slot of the group and put into the database. */
#include "run/lane_impl.h"

#include "core/log.h"
#include "core/must.h"

bool lane_take_book(struct lane *lane, struct err *err)
{
    struct book_slot *books = lane->group->books;
    MUST(lane->batch.range_count == 0, lane->batch.range_count); /* a batch has one book */
    struct book_ref *ref = book_acquire(books);
    MUST((lane->book != NULL) == (lane->pricer != NULL));
    if (ref == lane->book && writer_has_book(lane->writer, book_id(ref->book))) {
        book_release(books, ref);
        return true;
    }
    struct pricer *pricer = pricer_new(ref->book);
    if (!pricer || !writer_put_book(lane->writer, book_id(ref->book), buf_slice(&ref->json), err)) {
        pricer_free(pricer);
        book_release(books, ref);
        return err_set(err, ERR_FATAL, "out of memory");
    }
    if (ref != lane->book)
        log_info("price book %.12s", book_id(ref->book));
    pricer_free(lane->pricer);
    if (lane->book)
        book_release(books, lane->book);
    lane->book = ref;
    lane->pricer = pricer;
    return true;
}
