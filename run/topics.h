/* SPDX-License-Identifier: Apache-2.0 */
/* The `topics:` of the configuration, compiled: which mappings read which topic. Shared, read-only.
 */
#ifndef RUN_TOPICS_H
#define RUN_TOPICS_H

#include "core/config.h"
#include "ingest/kafka.h"
#include "ingest/mapping.h"
#include "ingest/registry.h"

#include <regex.h>

struct topic {
    const char *pattern; /* a name, or a regular expression starting with ^ */
    regex_t regex;       /* when pattern starts with ^ */
    struct mappings *mappings;
    bool start_latest;
};

struct topics {
    struct topic *topic;
    const char **pattern; /* of each topic, for librdkafka */
    size_t count;
    struct registry *registry; /* own; NULL: none */
};

/* ERR_CONFIG: no topics, or one that cannot be compiled. */
bool topics_open(struct topics *topics, const struct config *config, struct err *err) MUST_CHECK;
void topics_free(struct topics *topics);

/* The entry that reads a topic; an exact name beats a pattern. NULL: none. */
const struct topic *topics_find(const struct topics *topics, const char *name);

/* A Kafka record as mappings read it; borrows from it. */
struct message topic_message(const struct kafka_message *message);

#endif
