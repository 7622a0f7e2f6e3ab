/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker in memory, in place of ingest/kafka.c: the logs of one topic, one group, one consumer. A
 * test writes the logs and says what the next poll finds; callbacks come inside consumer_poll() and
 * consumer_close(), as librdkafka's do.
 */
#ifndef TESTS_FAKES_KAFKA_H
#define TESTS_FAKES_KAFKA_H

#include "ingest/kafka.h"

#define FAKE_TOPIC "usage"
#define FAKE_PARTITIONS 4

struct fake_kafka {
    /* So many calls fail from now on. */
    unsigned fail_cluster_id, fail_subscribe, fail_assign, fail_watermarks, fail_committed;
    unsigned fail_unowned, fail_missing;
    unsigned watermarks_before; /* answers of watermarks before the first that fails */
    int32_t unowned;            /* partitions that belong to nobody */
    const char *missing;        /* a topic that does not exist */
    const char *error;          /* POLL_ERROR by the next poll */
    const char *fatal;          /* POLL_FATAL by the next poll */
    struct envelope envelope;   /* of each message */
    bool repeats;               /* the first message after an assignment comes twice */
    bool never_tells; /* what is committed is kept, but the consumer hears nothing of it */
    /* What was asked of it. */
    unsigned assigns, empty_assigns, rejoins, closes;
    size_t assigned; /* partitions that flow now */
};

extern struct fake_kafka fake_kafka;

void fake_kafka_reset(void);

/* --- logs. Messages are kept, not copied. */
void fake_kafka_append(int partition, const char *value);
/* Offsets without a message: transaction markers, compaction. */
void fake_kafka_skip(int partition, int64_t count);
/* Messages before `low` are gone. */
void fake_kafka_retain(int partition, int64_t low);
/* The message there is gone: compacted away. */
void fake_kafka_compact(int partition, int64_t offset);
/* Deleted and made anew: empty, and what was committed for it is forgotten. */
void fake_kafka_recreate(int partition);
/* What was committed has expired. */
void fake_kafka_forget(int partition);
int64_t fake_kafka_end(int partition);
int64_t fake_kafka_time(int partition, int64_t offset); /* of a message */
void fake_kafka_commit(int partition, int64_t offset);  /* by somebody else */
int64_t fake_kafka_committed(int partition);            /* -1: none */

/* --- the group: inside the next poll */
void fake_kafka_give(int first_partition, size_t count); /* takes away what is owned, first */
void fake_kafka_take_away(bool lost);

#endif
