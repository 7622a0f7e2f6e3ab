/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the simulated PostgreSQL: versions, journals, and the list of what was committed.
 */
#include "tests/sim/db.h"

#include "core/clock.h"
#include "tests/sim/check.h"
#include "tests/sim/task.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096

struct db db;
static struct row *bucket[BUCKETS];

void db_reset(void)
{
    db = (struct db){0};
    memset(bucket, 0, sizeof(bucket));
}

uint64_t db_hash(uint64_t hash, const void *p, size_t bytes)
{
    const unsigned char *c = p;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ c[i]) * UINT64_C(0x100000001b3);
    return hash * UINT64_C(0x9e3779b97f4a7c15);
}

uint64_t db_hash_int(uint64_t hash, int64_t v)
{
    return db_hash(hash, &v, sizeof(v));
}

uint64_t db_place_hash(int64_t partition_id, int64_t offset, int64_t index)
{
    return db_hash_int(db_hash_int(db_hash_int(5, partition_id), offset), index);
}

static struct row **bucket_of(enum table table, uint64_t hash)
{
    hash ^= (uint64_t)table * UINT64_C(0xd6e8feb86659fd93);
    return &bucket[(hash ^ hash >> 32) % BUCKETS];
}

struct row *db_bucket(enum table table, uint64_t hash)
{
    return *bucket_of(table, hash);
}

/* --- versions ------------------------------------------------------------------------------- */

static void journal_add(struct tx *tx, struct row *row, bool made)
{
    if (tx->count == tx->capacity) {
        size_t capacity = tx->capacity ? 2 * tx->capacity : 16;
        struct journal *larger = sim_alloc(capacity * sizeof(*larger));
        if (tx->count)
            memcpy(larger, tx->journal, tx->count * sizeof(*larger));
        tx->journal = larger;
        tx->capacity = capacity;
    }
    tx->journal[tx->count++] = (struct journal){row, made};
}

struct row *db_add(struct tx *tx, enum table table, uint64_t hash)
{
    struct row *row = sim_alloc(sizeof(*row)), **chain = bucket_of(table, hash);
    row->table = table;
    row->hash = hash;
    row->made = tx;
    row->chain = *chain;
    *chain = row;
    row->next = db.first[table];
    if (row->next)
        row->next->prev = row;
    db.first[table] = row;
    journal_add(tx, row, true);
    return row;
}

void db_end(struct tx *tx, struct row *row)
{
    row->gone = tx;
    journal_add(tx, row, false);
}

static void row_remove(struct row *row)
{
    struct row **chain = bucket_of(row->table, row->hash);
    while (*chain != row)
        chain = &(*chain)->chain;
    *chain = row->chain;
    if (row->next)
        row->next->prev = row->prev;
    if (row->prev)
        row->prev->next = row->next;
    else
        db.first[row->table] = row->next;
}

static bool is_done_by(const struct tx *of, const struct tx *tx, int64_t snapshot)
{
    return of == tx || (tx_is_done(of) && (snapshot < 0 || of->seq <= snapshot));
}

bool row_is_in(const struct row *row, const struct tx *tx, int64_t snapshot)
{
    return is_done_by(row->made, tx, snapshot) &&
           !(row->gone && is_done_by(row->gone, tx, snapshot));
}

struct tx *row_in_way(const struct row *row, const struct tx *tx)
{
    if (row->made != tx && row->made->state == TX_OPEN)
        return row->made;
    if (row->gone && row->gone != tx && row->gone->state == TX_OPEN)
        return row->gone;
    if (row->locker && row->locker != tx && row->locker->state == TX_OPEN)
        return row->locker;
    return NULL;
}

/* --- transactions --------------------------------------------------------------------------- */

struct tx *tx_begin(const struct pg_conn *conn, int pid)
{
    struct tx *tx = sim_alloc(sizeof(*tx));
    tx->conn = conn;
    tx->pid = pid;
    tx->at_us = clock_now_us() + ++db.clock % 1000;
    tx->snapshot = -1;
    return tx;
}

static void take_back(struct tx *tx, size_t to)
{
    while (tx->count > to) {
        struct journal *last = &tx->journal[--tx->count];
        if (last->made)
            row_remove(last->row);
        else
            last->row->gone = NULL;
    }
}

void tx_commit(struct tx *tx)
{
    tx->state = TX_DONE;
    tx->seq = ++db.tx_seq;
    task_wake_waiting();
    if (tx->count == 0)
        return;
    tx->batch_seq = db.batch_seq;
    tx->partition_seq = db.partition_seq;
    tx->book_seq = db.book_seq;
    tx->before = db.last;
    db.last = tx;
    db.committed++;
    check_journal(tx, false);
}

void tx_abort(struct tx *tx)
{
    take_back(tx, 0);
    tx->state = TX_GONE;
    task_wake_waiting();
}

void tx_savepoint(struct tx *tx)
{
    if (tx->savepoints == SAVEPOINTS_MAX)
        abort();
    tx->savepoint[tx->savepoints++] = tx->count;
}

void tx_release(struct tx *tx)
{
    tx->savepoints--;
}

void tx_back_to_savepoint(struct tx *tx)
{
    take_back(tx, tx->savepoint[tx->savepoints - 1]);
    task_wake_waiting();
}

void db_go_back(size_t transactions)
{
    for (; transactions > 0 && db.last; transactions--) {
        struct tx *tx = db.last;
        check_journal(tx, true);
        take_back(tx, 0);
        tx->state = TX_GONE;
        db.last = tx->before;
        db.committed--;
    }
    db.batch_seq = db.last ? db.last->batch_seq : 0;
    db.partition_seq = db.last ? db.last->partition_seq : 0;
    db.book_seq = db.last ? db.last->book_seq : 0;
    db.went_back++;
}
