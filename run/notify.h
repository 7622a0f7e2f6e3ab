/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd is told (sd_notify(3)): ready, how it goes, that the loop turns, that it ends.
 * Without $NOTIFY_SOCKET nothing is told to anybody.
 */
#ifndef RUN_NOTIFY_H
#define RUN_NOTIFY_H

#include "run/lane.h"

struct notify {
    int socket; /* -1: nobody listens */
    bool ready;
    int64_t opened_ms, status_ms, watchdog_ms,
        watchdog_every_ms; /* monotonic; every 0: no watchdog */
    int64_t rows;          /* at the last STATUS= */
};

void notify_open(struct notify *notify);
/* A turn of the main loop: READY=1 once the service is ready or half a minute old, STATUS= every
 * few seconds, WATCHDOG=1 while the lanes turn. */
void notify_turn(struct notify *notify, struct lane_group *group);
void notify_reloading(struct notify *notify);
void notify_reloaded(struct notify *notify);
void notify_stopping(struct notify *notify);
void notify_close(struct notify *notify);

#endif
