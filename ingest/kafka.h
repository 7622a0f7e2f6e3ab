/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consumer: one member of a consumer group. All of librdkafka is inside kafka.c and
 * kafka_group.c.
 *
 * Offsets live in PostgreSQL: partitions are assigned explicitly at the offsets the owner gives,
 * never sought, and committed to Kafka only for lag tools. The eager protocol is used: each
 * rebalance takes everything away and hands out the new set. Callbacks run inside consumer_poll(),
 * in its thread.
 */
#ifndef INGEST_KAFKA_H
#define INGEST_KAFKA_H

#include "core/envelope.h"
#include "core/err.h"
#include "core/slice.h"
#include "core/sources.h"

#include <stdint.h>

struct consumer;

struct kafka_partition {
    const char *topic; /* lives as long as the consumer */
    int32_t partition;
    int64_t offset; /* consumer_assign: where to start */
    int64_t began;  /* consumer_commit, consumer_committed: where the group began, -1 = not said */
    void *state;    /* consumer_assign: comes back with every message of the partition */
};

struct consumer_handler {
    /* New assignment. The handler calls consumer_assign() now or later; until then nothing flows.
     */
    void (*assigned)(void *context, const struct kafka_partition *partitions, size_t count);
    /* The assignment ends. lost: another member may own it already, nothing may be finished. */
    void (*revoked)(void *context, bool lost);
    /* Kafka has taken what consumer_commit() told it of a partition; NULL: does not matter. */
    void (*told)(void *context, void *state);
};

struct consumer_options {
    const struct kafka_property *property;
    size_t property_count;
    const char *const *topic; /* names, or regular expressions starting with ^ */
    size_t topic_count;
    unsigned lanes; /* members in this process: they share the memory of the local queues */
    struct consumer_handler handler;
    void *context;
    bool quiet; /* its connections are not worth a warning: others of the process have the same */
};

enum poll_kind {
    POLL_NOTHING, /* timeout, or only events were served */
    POLL_MESSAGE,
    POLL_EOF,          /* the partition's end was reached; offset is the next one */
    POLL_OUT_OF_RANGE, /* the log does not hold the assigned offset */
    POLL_ERROR,        /* told in `error`; librdkafka goes on by itself */
    POLL_FATAL,
};

struct kafka_message {
    enum poll_kind kind;
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t time_ms;    /* -1 = none */
    struct slice value; /* until consumer_release(), as the envelope */
    struct envelope envelope;
    bool tombstone;
    void *state;
    const char *error;
    void *handle;
};

/* Properties go to librdkafka as they are and its complaints come back with their origin; those
 * that exactly-once depends on are set last. ERR_CONFIG. */
struct consumer *consumer_new(const struct consumer_options *options, struct err *err);

/* The same complaints without making one: nothing is opened. */
bool consumer_options_check(const struct consumer_options *options, struct err *err) MUST_CHECK;

/* Id of the cluster; waits up to timeout_ms for a broker. ERR_UNAVAILABLE. */
bool consumer_cluster_id(struct consumer *consumer, int timeout_ms, char *id, size_t capacity,
                         struct err *err) MUST_CHECK;

bool consumer_subscribe(struct consumer *consumer, struct err *err) MUST_CHECK;

/* Fills *message; consumer_release() afterwards, also for errors. */
void consumer_poll(struct consumer *consumer, int timeout_ms, struct kafka_message *message);
void consumer_release(struct kafka_message *message);

/* Replaces the assignment. count 0: nothing flows, but the member stays in the group. */
bool consumer_assign(struct consumer *consumer, const struct kafka_partition *partitions,
                     size_t count, struct err *err) MUST_CHECK;

/* First and next offset of a partition's log, asked from the broker. ERR_UNAVAILABLE, or ERR_RETRY
 * when the broker does not know the partition (any more). */
bool consumer_watermarks(struct consumer *consumer, const char *topic, int32_t partition,
                         int64_t *low, int64_t *high, struct err *err) MUST_CHECK;

/* Number of partitions of a topic, asked from the broker; 0 when it does not exist. */
bool consumer_partition_count(struct consumer *consumer, const char *topic, int32_t *count,
                              struct err *err) MUST_CHECK;

/* Tells Kafka how far we are, asynchronously, for lag tools; failures do not matter. */
void consumer_commit(struct consumer *consumer, const struct kafka_partition *partitions,
                     size_t count);

/* What Kafka knows of the group's offsets: sets `offset` of each, -1 = none. With a topic the
 * offsets committed for it are deleted too; that is the only trace that a topic made again at once
 * leaves. ERR_UNAVAILABLE. */
bool consumer_committed(struct consumer *consumer, struct kafka_partition *partitions, size_t count,
                        struct err *err) MUST_CHECK;

/* How many partitions of our topics belong to no member of the group; 0 while members are still
 * sharing them out. Waits for the broker: not for a consumer that reads, whose connection answers
 * in order, also what waits for new messages. */
typedef bool topic_is_ours_fn(const void *context, const char *topic);
bool consumer_unowned(struct consumer *consumer, topic_is_ours_fn *ours, const void *context,
                      int32_t *unowned, struct err *err) MUST_CHECK;
/* The first topic of the options that no broker knows, NULL: none. A pattern misses nothing, its
 * topics may come later. ERR_UNAVAILABLE. */
bool consumer_topic_missing(struct consumer *consumer, const char **missing,
                            struct err *err) MUST_CHECK;
/* How often to ask that, from topic.metadata.refresh.interval.ms; -1 = never. */
int consumer_look_interval_ms(const struct consumer *consumer);
/* Leaves the group and joins it again, so that everything is shared out anew. */
bool consumer_rejoin(struct consumer *consumer, struct err *err) MUST_CHECK;

/* Without being a member: every topic of the cluster, and the newest message of one that can still
 * be read. Nothing is assigned afterwards. kind POLL_NOTHING: it holds none. consumer_release() is
 * the caller's. ERR_UNAVAILABLE. */
typedef void topic_fn(const char *topic, int32_t partitions, void *context);
bool consumer_each_topic(struct consumer *consumer, topic_fn *each, void *context,
                         struct err *err) MUST_CHECK;
bool consumer_newest(struct consumer *consumer, const char *topic, int32_t partitions,
                     struct kafka_message *message, struct err *err) MUST_CHECK;

/* librdkafka's own figures, since the consumer was made; renewed every statistics.interval.ms. */
struct consumer_figures {
    int64_t requests, responses, received_bytes, messages, connects, disconnects;
    int64_t queued_messages, queued_bytes; /* fetched and not handed out yet */
};
void consumer_figures(const struct consumer *consumer, struct consumer_figures *figures);
/* Where the log of a partition ends, as the broker said with the last messages; -1: unknown. */
int64_t consumer_cached_end(const struct consumer *consumer, const char *topic, int32_t partition);

/* Leaves the group (revoked() is called first) and frees. */
void consumer_close(struct consumer *consumer);

const char *kafka_version(void);

#endif
