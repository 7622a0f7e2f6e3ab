/* SPDX-License-Identifier: Apache-2.0 */
/* What kafka.c (the member) and kafka_group.c (a look at the whole group) share. */
#ifndef INGEST_KAFKA_IMPL_H
#define INGEST_KAFKA_IMPL_H

#include "ingest/kafka.h"

#include <librdkafka/rdkafka.h>

/* How often topics are looked at for changes, by librdkafka and by consumer_unowned()'s caller. */
#define LOOK_PROPERTY "topic.metadata.refresh.interval.ms"
#define LOOK_PRESET_MS "30000"

/* Partitions of one topic of the assignment: messages find their state without a search. */
struct topic_states {
    const char *name;
    void **by_partition;
    int32_t capacity;
};

struct consumer {
    rd_kafka_t *rk;
    struct consumer_options options;
    struct topic_states *topics;
    size_t topic_count;
    char **names; /* every topic name handed out; freed at close */
    size_t name_count;
    int64_t queue_bytes;               /* of a full queue; 0: librdkafka fills it again by itself */
    int64_t read_bytes, read_messages; /* since it was woken */
    struct consumer_figures figures;
    bool fatal;
    char fatal_text[256];
};

/* The operator's value of a property; NULL: not set. */
const char *kafka_property(const struct consumer_options *options, const char *name);

/* kafka_figures.c: a stats_cb. */
int kafka_on_figures(rd_kafka_t *rk, char *json, size_t bytes, void *opaque);

#endif
