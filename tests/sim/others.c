/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repricing, by update and by swap, dropped days: what these commands' statements leave in the
 * tables, and the locks that they hold meanwhile. They give way to whoever is at a row.
 */
#include "tests/sim/others.h"

#include "tests/sim/member.h"
#include "tests/sim/pq.h"
#include "tests/sim/task.h"

#include <string.h>

/* --- prices --------------------------------------------------------------------------------- */

/* One of the books that are stored; *n is its number for book_price(). */
static const struct row *book_pick(unsigned *n)
{
    *n = sim_below(books_count());
    for (const struct row *b = db.first[TABLE_BOOKS]; b; b = b->next)
        if (row_is_seen(b, NULL) && b->v.book.hash.bytes == strlen(book_hash(*n)) &&
            memcmp(b->v.book.hash.p, book_hash(*n), b->v.book.hash.bytes) == 0)
            return b;
    return NULL;
}

/* The row anew, with the price of a book, and what its sums differ by. */
static void row_reprice(struct tx *tx, struct row *row, const struct row *book, unsigned n)
{
    struct row *anew = db_add(tx, TABLE_ROWS, row->hash), *delta = db_add(tx, TABLE_DELTAS, 0);
    anew->v = row->v;
    anew->v.row.book = book->v.book.id;
    anew->v.row.spend = row->v.row.input_tokens * book_price(n);
    delta->v.delta.spend = anew->v.row.spend - row->v.row.spend;
    db_end(tx, row);
}

static void commit(struct tx *tx)
{
    tx_commit(tx);
    sim_committed();
}

static void rows_reprice(void)
{
    unsigned n;
    const struct row *book = book_pick(&n);
    if (!book)
        return;
    struct tx *tx = tx_begin(NULL, 0);
    for (struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (row_is_seen(r, NULL) && !row_in_way(r, tx) && r->made != tx && sim_below(3) == 0)
            row_reprice(tx, r, book, n);
    if (tx->count > 0)
        sim_happened(HAPPENED_REPRICED);
    sim_trace("reprice: %zu rows", tx->count / 3);
    commit(tx);
}

/* --- days ----------------------------------------------------------------------------------- */

static struct row *day_pick(const struct tx *tx)
{
    struct row *day = db.first[TABLE_DAYS];
    for (unsigned skip = sim_below(4); day && skip > 0 && day->next; skip--)
        day = day->next;
    return day && !row_in_way(day, tx) && row_is_seen(day, tx) ? day : NULL;
}

static bool day_is_in_use(const struct tx *tx, int32_t day)
{
    for (const struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (r->v.row.day == day && row_in_way(r, tx))
            return true;
    return false;
}

const struct row *others_drop_a_day(struct tx *tx)
{
    struct row *day = day_pick(tx);
    if (!day || day_is_in_use(tx, day->v.day.day))
        return NULL;
    for (struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (r->v.row.day == day->v.day.day && row_is_seen(r, tx)) {
            db_add(tx, TABLE_DROPPED, 0)->v = r->v;
            db_end(tx, r);
        }
    sim_trace("server: day %d is dropped", (int)day->v.day.day);
    db_end(tx, day);
    return day;
}

static void day_drop(void)
{
    struct tx *tx = tx_begin(NULL, 0);
    if (others_drop_a_day(tx))
        sim_happened(HAPPENED_DAY_DROPPED);
    commit(tx);
}

/* Holds the day for a while, then all its rows are in another table; whoever writes to it waits. */
static void day_swap(void)
{
    unsigned n, went_back = db.went_back;
    const struct row *book = book_pick(&n);
    struct tx *tx = tx_begin(NULL, 0);
    struct row *day = book ? day_pick(tx) : NULL;
    if (!day)
        return;
    day->locker = tx;
    task_sleep(1 + sim_below(3000));
    if (went_back != db.went_back || server_is_down() || day_is_in_use(tx, day->v.day.day)) {
        tx_abort(tx);
        return;
    }
    for (struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (r->v.row.day == day->v.day.day && r->made != tx && row_is_seen(r, NULL))
            row_reprice(tx, r, book, n);
    sim_happened(HAPPENED_SWAPPED);
    sim_trace("reprice: day %d is swapped", (int)day->v.day.day);
    commit(tx);
}

void others_turn(void)
{
    const struct dials *d = &sim.dials;
    if (server_is_down())
        return;
    if (sim_chance(d->drop_day))
        day_drop();
    if (sim_chance(d->reprice))
        rows_reprice();
    if (sim_chance(d->swap))
        day_swap();
}
