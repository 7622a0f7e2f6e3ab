/* SPDX-License-Identifier: Apache-2.0 */
/* How far a lane's partitions are, for metrics and `spendlog status`. */
#include "run/lane_impl.h"

#include <stdio.h>
#include <stdlib.h>

#define PROGRESS_EVERY_MS 1000

static void partition_tell(const struct lane *lane, const struct lane_partition *p,
                           struct progress_partition *to)
{
    snprintf(to->topic, sizeof(to->topic), "%s", p->state.topic);
    to->partition = p->state.partition;
    to->next_offset = p->state.next_offset;
    to->end_offset = consumer_cached_end(lane->consumer, p->state.topic, p->state.partition);
    /* What is left may be marks of transactions, which are not messages. */
    if (p->phase == PARTITION_AT_END && lane->batch.range_count == 0)
        to->end_offset = to->next_offset;
}

void lane_progress(struct lane *lane, int64_t now_ms)
{
    struct consumer_figures figures;
    if (now_ms - lane->progress_ms < PROGRESS_EVERY_MS)
        return;
    lane->progress_ms = now_ms;
    health_turn(lane->group->health, lane->number);
    struct progress_partition *list = calloc(lane->partition_count + 1, sizeof(*list));
    if (!list)
        return;
    for (size_t i = 0; i < lane->partition_count; i++)
        partition_tell(lane, &lane->partition[i], &list[i]);
    consumer_figures(lane->consumer, &figures);
    progress_partitions(lane->group->progress, lane->number, list, lane->partition_count, &figures);
}
