/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the service does its work, for /ready: each lane has its assignment and the database, and
 * has written a batch or stood at the end of its log not long ago; a broker answers; every topic
 * exists. Lanes and the watch tell changes, the thread of the metrics asks.
 */
#ifndef RUN_HEALTH_H
#define RUN_HEALTH_H

#include "core/buf.h"
#include "core/config.h"
#include "run/lane_state.h"

#include <pthread.h>

#define HEALTH_WHY_MAX 200

struct health {
    pthread_mutex_t lock;
    struct health_lane {
        enum lane_state state;
        size_t partitions;
        int64_t turn_ms; /* monotonic: its loop turned */
        int64_t fine_ms; /* monotonic: a batch was written, or the end of the log was there */
        char why[HEALTH_WHY_MAX];
    } lane[LANES_MAX];
    unsigned lane_count;
    int64_t limit_ms;          /* how long ago is too long */
    int64_t broker_ms;         /* when one answered last */
    const char *topic_missing; /* a configured topic that does not exist, or NULL */
    bool topics_sure;          /* that has been found out */
};

void health_init(struct health *health, const struct config *config);
void health_free(struct health *health);

/* why: NULL = nothing new. */
void health_state(struct health *health, unsigned lane, enum lane_state state, size_t partitions,
                  const char *why);
void health_fine(struct health *health, unsigned lane);
/* The lane's loop has turned, told once a second. */
void health_turn(struct health *health, unsigned lane);
/* Whether the loops of all lanes turned within so many ms; those that ended do not count. */
bool health_turns(struct health *health, int64_t within_ms);
/* A broker has answered: which of our topics it does not know, NULL: it knows all; and whether that
 * is sure. */
void health_topics(struct health *health, const char *missing, bool sure);

/* true: ready. Else why not, in words, without a line end. */
bool health_ready(struct health *health, struct buf *why);

/* "lanes":[{"lane":0,"state":"reading",...}], for `status`. */
void health_json(struct health *health, struct buf *json);

/* The topic that does not exist; NULL: none. */
const char *health_topic_missing(struct health *health);
/* For --exit-eof: it is known which topics there are, and either all lanes are at their end or
 * there is nothing that they could read. */
bool health_read_out(struct health *health, bool caught_up);

#endif
