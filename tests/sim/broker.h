/* SPDX-License-Identifier: Apache-2.0 */
/* One topic, one group; in place of ingest/kafka*.c. */
#ifndef TESTS_SIM_BROKER_H
#define TESTS_SIM_BROKER_H

#include "tests/sim/load.h"

#define PARTITIONS_MAX 4

struct log {
    struct sent **at; /* by offset; NULL: none there */
    int64_t low, high, capacity;
    int64_t committed, began; /* -1 = none */
};
extern struct log broker_log[PARTITIONS_MAX];

void broker_reset(void);
void broker_append(int32_t partition, struct sent *message);
void broker_skip(int32_t partition, unsigned offsets); /* marks of transactions, compaction */
void broker_retain(int32_t partition, int64_t low);
void broker_rebalance(void);
/* Who is silent is not a member any longer. */
void broker_tick(void);

#endif
