/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The batch into PostgreSQL: rows, rejected records and offsets in one transaction
 * (store/writer.h). Kafka is told afterwards, for its lag tools.
 */
#include "run/lane_impl.h"

#include "core/clock.h"
#include "core/fault.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/must.h"

#include <stdlib.h>

#define KEEP_BATCHES 16 /* that keep their messages after one with a refused row */

static void last_messages_of(struct batch_range *range)
{
    const struct lane_partition *p = lane_partition_of(range->state);
    size_t first = p->taken > LAST_MESSAGES_MAX ? p->taken - LAST_MESSAGES_MAX : 0;
    MUST(range->messages >= 0 && range->next_offset >= range->first_offset, range->messages,
         range->first_offset, range->next_offset);
    range->last = range->state->last; /* anew each time that the batch is tried */
    if (first > 0)                    /* more than are kept: nothing before the first of these */
        range->last = (struct last_messages){.from = p->last[first % LAST_MESSAGES_MAX].offset};
    for (size_t i = first; i < p->taken; i++) {
        const struct lane_message *of = &p->last[i % LAST_MESSAGES_MAX];
        range->last_hash = buf_ok(&of->value) ? hash_xxh64(buf_slice(&of->value)) : of->hash;
        last_messages_add(&range->last, of->offset,
                          last_messages_hash(range->last_hash, of->time_ms));
    }
}

static void count(_Atomic int64_t *counter, int64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static void count_batch(struct lane *lane)
{
    struct lane_counters *c = &lane->group->counters;
    const struct batch *batch = &lane->batch;
    for (size_t i = 0; i < batch->range_count; i++) {
        const struct batch_range *range = &batch->range[i];
        MUST(range->conflicts <= range->duplicates && range->skipped >= 0, range->conflicts,
             range->duplicates, range->skipped);
        count(&c->messages, range->messages);
        count(&c->rows, range->rows);
        count(&c->duplicates, range->duplicates);
        count(&c->rejected, range->rejected);
        count(&c->skipped, range->skipped);
        count(&c->flagged, range->flagged);
        count(&c->doubtful, range->doubtful);
        for (unsigned s = 0; s < CHARGE_STATUS_COUNT; s++)
            count(&c->by_status[s], range->by_status[s]);
    }
    count(&c->batches, 1);
}

/* Of rows that are new: a batch that is read again, or a message that comes again, counts once. */
static void note_drift(struct lane *lane)
{
    const struct batch *batch = &lane->batch;
    for (size_t i = 0; i < batch->row_count; i++)
        if (batch->rows[i].apart && batch->rows[i].fate == ROW_NEW)
            drift_note(lane->group->drift, batch->rows[i].apart);
}

static void commit_to_kafka(struct lane *lane)
{
    const struct batch *batch = &lane->batch;
    struct kafka_partition *list = calloc(batch->range_count, sizeof(*list));
    if (!list)
        return;
    for (size_t i = 0; i < batch->range_count; i++) {
        /* Kafka never knows more than what is stored. */
        MUST(batch->range[i].next_offset == batch->range[i].state->next_offset, i,
             batch->range[i].next_offset, batch->range[i].state->next_offset);
        list[i] = (struct kafka_partition){
            .topic = batch->range[i].state->topic,
            .partition = batch->range[i].state->partition,
            .offset = batch->range[i].next_offset,
            .began = batch->range[i].state->first_offset,
        };
    }
    consumer_commit(lane->consumer, list, batch->range_count);
    free(list);
}

/* Kafka forgets what it was told when a topic is deleted. Messages of a new topic may have followed
 * ours without a break: the batch is dropped, and assigning anew finds out. */
static enum lane_outcome topics_still_there(struct lane *lane, struct err *err)
{
    bool gone = false;
    if (!lane_told_ask(lane, &gone, err))
        return lane_outcome_of(err);
    return gone ? LANE_FORGOTTEN : LANE_FINE;
}

static enum lane_outcome not_written(struct lane *lane, const struct err *err)
{
    MUST(err->kind != ERR_NONE && !lane->batch.retry, err->kind);
    if (lane->batch.messages_wanted)
        lane->keep_messages_left = KEEP_BATCHES;
    return lane_outcome_of(err);
}

static void batch_tell(const struct lane *lane)
{
    for (size_t i = 0; i < lane->batch.range_count; i++) {
        const struct batch_range *range = &lane->batch.range[i];
        log_debug("%s/%d/%lld: written: %lld messages, %lld rows, %lld duplicates, %lld rejected, "
                  "%lld skipped",
                  range->state->topic, (int)range->state->partition, (long long)range->next_offset,
                  (long long)range->messages, (long long)range->rows, (long long)range->duplicates,
                  (long long)range->rejected, (long long)range->skipped);
    }
}

static void written(struct lane *lane)
{
    fault_point("after_commit");
    if (lane->batch.refused)
        lane->keep_messages_left = KEEP_BATCHES;
    else if (lane->keep_messages_left)
        lane->keep_messages_left--;
    MUST(lane->keep_messages_left <= KEEP_BATCHES, lane->keep_messages_left);
    lane->backoff_ms = BACKOFF_FIRST_MS;
    lane->refusals = 0;
    count_batch(lane);
    if (log_level_max >= LOG_LEVEL_DEBUG)
        batch_tell(lane);
    note_drift(lane);
    health_fine(lane->group->health, lane->number);
    commit_to_kafka(lane);
    fault_point("after_kafka_commit");
    batch_reset(&lane->batch);
}

enum lane_outcome lane_flush(struct lane *lane, struct err *err)
{
    if (lane->batch.range_count == 0)
        return LANE_FINE;
    MUST(lane->state == LANE_READING, lane->state);
    MUST(lane->batch.range_count <= lane->partition_count, lane->batch.range_count,
         lane->partition_count);
    enum lane_outcome outcome = topics_still_there(lane, err);
    if (outcome != LANE_FINE)
        return outcome;
    for (size_t i = 0; i < lane->batch.range_count; i++)
        last_messages_of(&lane->batch.range[i]);
    int64_t began_us = clock_now_us();
    if (!writer_commit(lane->writer, &lane->batch, err))
        return not_written(lane, err);
    progress_batch(lane->group->progress, &lane->batch, clock_now_us() - began_us);
    written(lane);
    MUST(lane->batch.range_count == 0 && lane->batch.row_count == 0, lane->batch.row_count);
    return LANE_FINE;
}
