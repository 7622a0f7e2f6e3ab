/* SPDX-License-Identifier: Apache-2.0 */
/* One topic, one group; in place of ingest/kafka*.c. */
#ifndef TESTS_SIM_BROKER_H
#define TESTS_SIM_BROKER_H

#include "tests/sim/load.h"

#define PARTITIONS_MAX 4

/* What of a log was produced, or dealt with. */
struct books {
    int64_t messages, events, rejected, skipped;
};

struct log {
    struct log *older; /* of the topic that was there before */
    struct sent **at;  /* by offset; NULL: none there */
    int64_t low, high, capacity;
    int64_t committed, began; /* -1 = none */
    /* The checker's: */
    struct books *before, gone; /* by offset; what compaction took, read or not */
    int64_t booked, booked_capacity;
};
extern struct log *broker_log[PARTITIONS_MAX];

void broker_reset(void);
void broker_append(int32_t partition, struct sent *message);
void broker_skip(int32_t partition, unsigned offsets); /* marks of transactions, compaction */
void broker_retain(int32_t partition, int64_t low);
void broker_compact(int32_t partition);
/* The topic is deleted, and made again with so many partitions: its offsets begin at 0. */
void broker_make_again(unsigned partitions);
void broker_rebalance(void);
/* Who is silent is not a member any longer. */
void broker_tick(void);

#endif
