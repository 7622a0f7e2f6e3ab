/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log that is not as the offset rows have it: its start overtook us, it was made anew, or it ends
 * before what is stored. What is lost is booked as a gap and reading goes on; or the partition
 * waits for the operator (kafka_gap: stop).
 */
#include "run/lane_impl.h"

#include "core/hash.h"
#include "core/log.h"
#include "core/must.h"

static void gap_book(struct lane *lane, struct lane_partition *p, bool recreated, int64_t next,
                     const char *why)
{
    struct err err = {0};
    MUST(lane->batch.range_count == 0 || recreated, lane->batch.range_count);
    MUST(recreated || next > p->state.next_offset, next, p->state.next_offset);
    log_error("%s/%d/%lld: %s, going on at %lld", p->state.topic, (int)p->state.partition,
              (long long)p->state.next_offset, why, (long long)next);
    if (!writer_offset_gap(lane->writer, &p->state, recreated, next, why, &err)) {
        log_warn("%s", err.text);
        return;
    }
    MUST(p->state.next_offset == next, p->state.next_offset, next);
    p->known_offset = p->state.next_offset;
    atomic_fetch_add(&lane->group->counters.gaps, 1);
}

static void partition_halt(struct lane *lane, struct lane_partition *p, int64_t low)
{
    MUST(p->phase != PARTITION_HALTED && low > p->state.next_offset, p->phase, low,
         p->state.next_offset);
    log_error("%s/%d/%lld: messages up to %lld are gone from the log; the partition waits "
              "(kafka_gap: skip goes on)",
              p->state.topic, (int)p->state.partition, (long long)p->state.next_offset,
              (long long)low - 1);
    p->phase = PARTITION_HALTED;
    atomic_store(&lane->group->halted, true);
}

/* The rows are read again afterwards, so that a batch under way ends where the rows say. */
enum lane_outcome lane_out_of_range(struct lane *lane, struct lane_partition *p, struct err *err)
{
    int64_t low, high;
    if (!consumer_watermarks(lane->consumer, p->state.topic, p->state.partition, &low, &high, err))
        return LANE_RECOVER;
    enum lane_outcome outcome = lane_flush(lane, err);
    if (outcome != LANE_FINE)
        return outcome;
    MUST(lane->batch.range_count == 0, lane->batch.range_count); /* the rows are moved */
    if (p->state.next_offset + lane_partly(p) > high)
        gap_book(lane, p, true, low, "topic recreated: its log ends before the stored offset");
    else if (p->state.next_offset >= low)
        p->unchecked_offset = p->state.next_offset;
    else if (lane->group->config->kafka_gap_skip)
        gap_book(lane, p, false, low, "log start is beyond the stored offset");
    else
        partition_halt(lane, p, low);
    return LANE_REREAD;
}

/* The end may lie beyond the last message: transaction markers, compaction. Before what is stored
 * it cannot lie: then this is another log, one message or more shorter. */
enum lane_outcome lane_at_end(struct lane *lane, struct lane_partition *p, int64_t offset,
                              struct err *err)
{
    if (offset < p->state.next_offset + lane_partly(p))
        return lane_out_of_range(lane, p, err);
    p->phase = PARTITION_AT_END;
    if (offset <= p->state.next_offset)
        return LANE_FINE;
    lane_batch_begin(lane);
    struct batch_range *range = &lane->batch.range[batch_range_of(&lane->batch, &p->state)];
    MUST(range->state == &p->state && range->next_offset >= p->state.next_offset,
         range->next_offset, p->state.next_offset);
    if (offset > range->next_offset) {
        range->next_offset = offset;
        range->next_index = 0;
    }
    return LANE_FINE;
}

enum lane_outcome lane_check_first(struct lane *lane, struct lane_partition *p,
                                   const struct kafka_message *message, bool *is_new,
                                   struct err *err)
{
    *is_new = true;
    if (p->phase != PARTITION_CHECKING)
        return LANE_FINE;
    MUST(lane->state == LANE_READING, lane->state);
    p->phase = PARTITION_READING;
    if (message->offset >= p->state.next_offset + lane_partly(p))
        return LANE_FINE;
    bool stored_last = message->time_ms == p->state.last_time_ms &&
                       hash_xxh64(message->value) == p->state.last_hash;
    *is_new = stored_last && lane_partly(p);
    if (stored_last)
        return LANE_FINE;

    int64_t low, high;
    if (!consumer_watermarks(lane->consumer, p->state.topic, p->state.partition, &low, &high, err))
        return LANE_RECOVER;
    gap_book(lane, p, true, low, "topic recreated: its last message is another one");
    return LANE_REREAD;
}
