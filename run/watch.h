/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks after the consumer group as a whole, on a connection of its own: partitions of our topics
 * that belong to no member, twice in a row, are shared out anew (ingest/kafka_group.c says how that
 * can come). One per process.
 */
#ifndef RUN_WATCH_H
#define RUN_WATCH_H

#include "run/lane.h"

struct watch;

/* ERR_CONFIG, ERR_FATAL. */
bool watch_start(struct watch **watch, struct lane_group *group, struct err *err) MUST_CHECK;
/* Waits for its end; NULL is fine. group->stop must be set. */
void watch_stop(struct watch *watch);

#endif
