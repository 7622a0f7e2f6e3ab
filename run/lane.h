/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane: one consumer of the group, one PostgreSQL connection and one loop. Lanes share nothing
 * that changes but the counters below; more throughput is more lanes.
 *
 * A turn of the loop: poll one message, map, price and encode its records into the batch; when the
 * batch is full or old enough, write it in one transaction together with the offsets. Whatever goes
 * wrong, there is one way back: drop the batch, read the offset rows again and assign from them. A
 * lost COMMIT answer, a fenced batch and a database that was away are the same case. The states are
 * in run/lane_state.h.
 *
 * Its life: lane_start() makes it and gives it a thread of its own, which takes turns until
 * group->stop or an error; lane_join() waits for that and frees it. Who has other threads in mind
 * (a test) uses lane_new(), lane_turn() until it says no, lane_end() and lane_free().
 *
 *     struct lane *lane = lane_new(&group, 0, &err);
 *     while (lane_turn(lane))
 *         ;
 *     lane_end(lane);
 *     lane_free(lane);
 */
#ifndef RUN_LANE_H
#define RUN_LANE_H

#include "core/drift.h"
#include "run/book_slot.h"
#include "run/health.h"
#include "run/progress.h"
#include "run/topics.h"

#include <stdatomic.h>

/* Of all lanes, since the process started; only ever go up. */
struct lane_counters {
    _Atomic int64_t messages, rows, duplicates, rejected, skipped, batches, recoveries, gaps,
        flagged, doubtful, setback_messages;
    _Atomic int64_t by_status[CHARGE_STATUS_COUNT]; /* of the rows */
};

/* What the lanes of a process share. Everything that is pointed to outlives them. */
struct lane_group {
    const struct config *config;
    const struct topics *topics;
    struct book_slot *books;
    struct drift *drift;
    struct health *health;
    struct progress *progress;
    struct budgets *budgets; /* NULL: nobody asks for metrics */
    unsigned lane_count;
    bool exit_eof;
    atomic_bool stop;      /* set by the main thread, never taken back */
    atomic_bool rejoin;    /* partitions belong to nobody: lane 0 has them shared out anew */
    atomic_uint caught_up; /* lanes whose partitions have all reached their end */
    atomic_uint failed;    /* lanes that ended with an error */
    atomic_bool halted;    /* a partition waits for the operator: kafka_gap: stop */
    atomic_int exit_code;  /* of the first lane that failed */
    _Atomic int64_t reload_failures;
    struct lane_counters counters;
};

struct lane;

/* A lane with a thread. ERR_CONFIG, ERR_FATAL. */
struct lane *lane_start(struct lane_group *group, unsigned number, struct err *err);
void lane_join(struct lane *lane); /* waits for its end and frees it */

/* A lane without a thread: nothing is opened yet. ERR_CONFIG, ERR_FATAL. */
struct lane *lane_new(struct lane_group *group, unsigned number, struct err *err);
/* One turn, which waits for a message for a tenth of a second at most. false: no more turns. */
bool lane_turn(struct lane *lane);
/* Writes what was gathered, tells the group an error that ended it, and leaves Kafka's group. */
void lane_end(struct lane *lane);
void lane_free(struct lane *lane);

enum lane_state lane_state(const struct lane *lane);
/* Why it ended; kind ERR_NONE: it has not, or without an error. */
const struct err *lane_error(const struct lane *lane);

#endif
