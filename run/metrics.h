/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus text metrics and a health page over HTTP (libmicrohttpd). */
#ifndef RUN_METRICS_H
#define RUN_METRICS_H

#include "run/lane.h"

struct metrics;

/* listen: "host:port"; NULL or "" = none, *metrics stays NULL. */
bool metrics_start(struct metrics **metrics, const char *listen, struct lane_group *group,
                   struct err *err) MUST_CHECK;
void metrics_stop(struct metrics *metrics);

#endif
