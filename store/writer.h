/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing batches: one PostgreSQL connection per lane, one transaction per batch, offsets in it by
 * compare-and-set. All of libpq is inside store/.
 *
 * The way of writer_commit(): duplicates of this batch and of recent ones are dropped; partitions
 * of the days ensured, in a transaction of their own; BEGIN; lock the offset rows (sorted, under
 * lock_timeout); binary COPY straight into spend_logs; offsets, counters, ingest_batches; COMMIT.
 *
 * When the COPY meets a key that is there, the transaction is rolled back and begun again, now
 * asking first which keys of the batch are there; the writer keeps asking while duplicates keep
 * coming. A row that PostgreSQL refuses is found by bisection and becomes a rejected event.
 */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include "core/seal.h"
#include "store/batch.h"

#include <stdatomic.h>

struct writer;

struct writer_options {
    const char *conninfo;
    const char *group_id;
    const char *cluster_id; /* NULL: set later, before the first offset row is read */
    /* Members that end each other's frozen backends share all of it up to the last space:
     * "spendlog lane 0", "spendlog lane 1". */
    const char *application_name;
    const char *member; /* what its batches and counters are booked under; NULL: application_name */
    unsigned lock_timeout_ms;      /* 0 = 2000 */
    unsigned statement_timeout_ms; /* 0 = 30000 */
    bool tell_retention; /* on the first connect, when retain_days is not the database's */
    unsigned retain_days;
    const struct seal_keys *payload_keys; /* not copied; NULL: messages are stored as they are */
    const atomic_bool *stop;              /* when it is set no further work is begun; may be NULL */
};

/* Does not connect yet; copies the options. NULL: out of memory. */
struct writer *writer_new(const struct writer_options *options);
void writer_free(struct writer *writer);

void writer_set_cluster_id(struct writer *writer, const char *cluster_id);
const char *writer_cluster_id(const struct writer *writer); /* "" until set */

/* Connects if need be. ERR_UNAVAILABLE: server away; ERR_CONFIG: authentication, no schema, schema
 * of another version ("run spendlog migrate"). */
bool writer_connect(struct writer *writer, struct err *err) MUST_CHECK;

/* Forgets what is believed of the database beside the offset rows: recent keys, the price book's
 * number, the days that have a partition. To be called whenever it may be another database than it
 * was; connecting does so by itself. writer_put_book() has to follow. */
void writer_forget(struct writer *writer);

/* Reads the offset row of a partition, making it on first sight (start_offset, then re-read). The
 * newest incarnation counts. Fills *state but for topic. start_offset < 0 only looks: state->id is
 * 0 when there is no row. */
bool writer_offset_load(struct writer *writer, const char *topic, int32_t partition,
                        int64_t start_offset, struct partition_state *state,
                        struct err *err) MUST_CHECK;

/* Makes the offset rows of partitions 0 to count - 1 that have none, all at once: nobody sees some
 * of them. */
bool writer_topic_begin(struct writer *writer, const char *topic, const int64_t start[],
                        size_t count, struct err *err) MUST_CHECK;

/* Whether the group has an offset row for any partition of the topic. */
bool writer_topic_known(struct writer *writer, const char *topic, bool *known,
                        struct err *err) MUST_CHECK;

/* The topic was recreated or its log's start overtook us: books a gap, and moves on: a new
 * incarnation at `next_offset` (recreated), or the same one at `next_offset`. Updates *state.
 * ERR_RETRY: the row is not where *state says. */
bool writer_offset_gap(struct writer *writer, struct partition_state *state, bool new_incarnation,
                       int64_t next_offset, const char *why, struct err *err) MUST_CHECK;

/* Whether the database still holds these partitions as far as their states say. *stand false: it
 * went back, or their rows are gone. */
bool writer_offsets_stand(struct writer *writer, struct partition_state *const state[],
                          size_t count, bool *stand, struct err *err) MUST_CHECK;

/* Notes that the database went back: `known_offset` had been stored, state->next_offset is there.
 */
bool writer_setback(struct writer *writer, const struct partition_state *state,
                    int64_t known_offset, struct err *err) MUST_CHECK;

/* ERR_RETRY: fenced, an offset row was not where the batch starts: drop the batch, reload,
 * re-assign (deadlocks and frozen members have been dealt with inside). ERR_UNAVAILABLE: the
 * outcome may be unknown: reconnect, reload the offset rows, compare, go on. On success the
 * partition states are advanced and the batch's ranges hold the final counts. */
bool writer_commit(struct writer *writer, struct batch *batch, struct err *err) MUST_CHECK;

/* There is time: merges some of the sums that were appended (docs/storage.md). */
void writer_idle(struct writer *writer);

/* --- told to who watches: writer_watch.c */

/* What it keeps of the database, in entries; each has its ceiling. */
struct writer_caches {
    size_t recent_keys, calls, callers, days;
};
void writer_caches(const struct writer *writer, struct writer_caches *caches);

/* What the database does beside ingest. */
struct database_state {
    int64_t sums_deltas;        /* not merged yet; above 100,000: about so many */
    int64_t sums_merged_age_us; /* since a compactor came by, of whatever member */
};
/* Asks over the connection of the batches, between two of them; connects nothing. */
bool writer_database_state(struct writer *writer, struct database_state *state,
                           struct err *err) MUST_CHECK;

/* --- price books */

/* A book must be in price_books before the first batch that names it. Idempotent. Each batch looks
 * in its own transaction whether the number still means that book. */
bool writer_put_book(struct writer *writer, const char *book_id, struct slice json,
                     struct err *err) MUST_CHECK;
/* Whether that was done, as far as the writer knows. */
bool writer_has_book(const struct writer *writer, const char *book_id);

#endif
