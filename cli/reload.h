/* SPDX-License-Identifier: Apache-2.0 */
/* Prices of a running service, loaded again: asked for, or because their files changed. Whole or
 * not at all, told in the log with what moved. */
#ifndef CLI_RELOAD_H
#define CLI_RELOAD_H

#include "run/lane.h"

/* said: one line for who asked. */
bool reload_prices(struct lane_group *group, struct buf *said, struct err *err);

/* pricing.watch: looks every so many seconds, and takes over what changed. */
struct reload_watch {
    int64_t next_ms;                              /* monotonic */
    char failed[sizeof(((struct err *)0)->text)]; /* told last; the same is not told again */
};
void reload_watch(struct reload_watch *watch, struct lane_group *group);

#endif
