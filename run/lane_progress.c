/* SPDX-License-Identifier: Apache-2.0 */
/* How far a lane's partitions are, for metrics and `spendlog status`. */
#include "run/lane_impl.h"

#include "core/log.h"
#include "core/must.h"

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

static void caches_tell(const struct lane *lane, struct progress_caches *caches)
{
    *caches = (struct progress_caches){.batch_bytes = batch_held_bytes(&lane->batch)};
    writer_caches(lane->writer, &caches->writer);
    if (lane->pricer)
        caches->names = pricer_names(lane->pricer, &caches->names_bytes);
}

/* Between two batches: the connection is theirs. */
static void database_tell(struct lane *lane, int64_t now_ms)
{
    struct database_state state;
    struct err err = {0};
    if (lane->state != LANE_READING || lane->batch.range_count > 0 ||
        now_ms - lane->database_ms < PROGRESS_EVERY_MS)
        return;
    lane->database_ms = now_ms;
    if (!progress_database_due(lane->group->progress))
        return;
    if (writer_database_state(lane->writer, &state, &err))
        progress_database(lane->group->progress, &state);
    else
        log_debug("what the database does is not known: %s", err.text);
}

void lane_progress(struct lane *lane, int64_t now_ms)
{
    struct consumer_figures figures;
    struct progress_caches caches;
    MUST(lane->number < LANES_MAX, lane->number);
    database_tell(lane, now_ms);
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
    caches_tell(lane, &caches);
    progress_partitions(lane->group->progress, lane->number, list, lane->partition_count, &figures,
                        &caches);
}
