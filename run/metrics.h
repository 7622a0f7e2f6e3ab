/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus text metrics and a health page over HTTP (libmicrohttpd). metrics_start() listens and
 * answers from a thread of its own, until metrics_stop() ends that; the group that it tells of has
 * to outlive it.
 */
#ifndef RUN_METRICS_H
#define RUN_METRICS_H

#include "run/lane.h"

struct metrics;

/* listen: "host:port"; NULL or "" = none, *metrics stays NULL. */
bool metrics_start(struct metrics **metrics, const char *listen, struct lane_group *group,
                   struct err *err) MUST_CHECK;
void metrics_stop(struct metrics *metrics);

#endif
