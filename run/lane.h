/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane: one thread with one consumer of the group, one PostgreSQL connection and one loop. Lanes
 * share nothing that changes but the counters below; more throughput is more lanes.
 *
 * The loop: poll, map, price and encode each message as it comes into the batch; when the batch is
 * full or old enough, write it in one transaction together with the offsets. All branching on
 * failure is here. Whatever goes wrong, there is one way back: drop the batch, read the offset rows
 * again and assign from them. A lost COMMIT answer, a fenced batch and a database that was away are
 * the same case.
 */
#ifndef RUN_LANE_H
#define RUN_LANE_H

#include "core/drift.h"
#include "run/book_slot.h"
#include "run/health.h"
#include "run/topics.h"

#include <stdatomic.h>

struct lane_counters {
    _Atomic int64_t messages, rows, duplicates, rejected, skipped, batches, recoveries, gaps,
        flagged, doubtful, setback_messages;
    _Atomic int64_t by_status[CHARGE_STATUS_COUNT]; /* of the rows */
};

/* What the lanes of a process share. */
struct lane_group {
    const struct config *config;
    const struct topics *topics;
    struct book_slot *books;
    struct drift *drift;
    struct health *health;
    unsigned lane_count;
    bool exit_eof;
    atomic_bool stop;
    atomic_bool rejoin;    /* partitions belong to nobody: lane 0 has them shared out anew */
    atomic_uint caught_up; /* lanes whose partitions have all reached their end */
    atomic_uint failed;    /* lanes that ended with an error */
    atomic_bool halted;    /* a partition waits for the operator: kafka_gap: stop */
    atomic_int exit_code;  /* of the first lane that failed */
    _Atomic int64_t reload_failures;
    struct lane_counters counters;
};

struct lane;

struct lane *lane_start(struct lane_group *group, unsigned number, struct err *err);
void lane_join(struct lane *lane); /* waits for its end and frees it */

#endif
