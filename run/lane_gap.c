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

static bool log_bounds(struct lane *lane, const struct lane_partition *p, int64_t *low,
                       int64_t *high, struct err *err)
{
    return consumer_watermarks(lane->consumer, p->state.topic, p->state.partition, low, high, err);
}

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
    if (!log_bounds(lane, p, &low, &high, err))
        return LANE_RECOVER;
    enum lane_outcome outcome = lane_flush(lane, err);
    if (outcome != LANE_FINE)
        return outcome;
    MUST(lane->batch.range_count == 0, lane->batch.range_count); /* the rows are moved */
    if (p->look_from >= 0 && p->look_from < low)                 /* its start has moved on since */
        p->look_from = low < lane_looked_at(p) ? low : -1;
    if (p->state.next_offset + lane_partly(p) > high)
        gap_book(lane, p, true, low, "topic recreated: its log ends before the stored offset");
    else if (p->state.next_offset >= low) /* it may have grown since: then it is looked at again */
        p->unchecked_offset = lane_looked_at(p) < low ? lane_looked_at(p) : p->unchecked_offset;
    else if (lane->group->config->kafka_gap_skip)
        gap_book(lane, p, false, low, "log start is beyond the stored offset");
    else
        partition_halt(lane, p, low);
    return LANE_REREAD;
}

/* The message that was stored last is not where it was. Its offset may be the mark of a
 * transaction, it may be compacted away; or this is another log, which has come further. While
 * Kafka knows our offsets it is the same one, since it drops them with a topic. Else the messages
 * that were stored before are looked at again, and when none of them contradicts it is the same. */
static enum lane_outcome last_is_missing(struct lane *lane, struct lane_partition *p,
                                         struct err *err)
{
    int64_t low, high, from = lane_looked_at(p);
    bool looked = p->look_from >= 0;
    if (!p->told && !looked && !log_bounds(lane, p, &low, &high, err))
        return LANE_RECOVER;
    p->phase = PARTITION_READING;
    p->look_from = -1;
    if (p->told)
        return LANE_FINE;
    if (!looked)
        from = p->state.last.from > low ? p->state.last.from : low;
    if (from >= lane_looked_at(p))
        return LANE_FINE;
    p->look_from = from;
    return LANE_REREAD;
}

/* A log that began behind the message stored last begins there or later. One that begins before is
 * another one, made since that was asked: now its messages are looked at. */
static enum lane_outcome begins_behind(struct lane *lane, struct lane_partition *p, struct err *err)
{
    int64_t low, high;
    if (!p->unchecked)
        return LANE_FINE;
    if (!log_bounds(lane, p, &low, &high, err))
        return LANE_RECOVER;
    p->unchecked = false;
    return low > lane_looked_at(p) ? LANE_FINE : LANE_REREAD;
}

/* The end may lie beyond the last message: transaction markers, compaction. Before what is stored
 * it cannot lie: then this is another log, one message or more shorter. */
enum lane_outcome lane_at_end(struct lane *lane, struct lane_partition *p, int64_t offset,
                              struct err *err)
{
    if (offset < p->state.next_offset + lane_partly(p))
        return lane_out_of_range(lane, p, err);
    enum lane_outcome outcome = p->phase == PARTITION_CHECKING ? last_is_missing(lane, p, err)
                                                               : begins_behind(lane, p, err);
    if (outcome != LANE_FINE)
        return outcome;
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

/* Where the messages stored last are not known: where none is recorded (one without a timestamp is
 * not) there was none, unless Kafka knows us. */
static bool is_last(const struct lane_partition *p, const struct kafka_message *message)
{
    if (p->state.last_time_ms < 0)
        return message->time_ms < 0 || p->told;
    return message->time_ms == p->state.last_time_ms &&
           hash_xxh64(message->value) == p->state.last_hash;
}

static bool is_another(const struct lane_partition *p, const struct kafka_message *message)
{
    uint64_t hash = last_messages_hash(hash_xxh64(message->value), message->time_ms);
    if (message->offset >= p->state.last.from)
        return last_messages_contradict(&p->state.last, message->offset, hash);
    return p->look_from < 0 && !is_last(p, message);
}

enum lane_outcome lane_check_first(struct lane *lane, struct lane_partition *p,
                                   const struct kafka_message *message, bool *is_new,
                                   struct err *err)
{
    *is_new = true;
    if (p->phase != PARTITION_CHECKING)
        return begins_behind(lane, p, err);
    MUST(lane->state == LANE_READING, lane->state);
    if (message->offset >= p->state.next_offset + lane_partly(p))
        return last_is_missing(lane, p, err);
    bool another = is_another(p, message);
    *is_new = message->offset == p->state.next_offset; /* a part of it is stored */
    if (!another && message->offset < lane_looked_at(p))
        return LANE_FINE; /* looking on */
    p->phase = PARTITION_READING;
    p->look_from = -1;
    if (!another)
        return LANE_FINE;

    int64_t low, high;
    if (!log_bounds(lane, p, &low, &high, err))
        return LANE_RECOVER;
    gap_book(lane, p, true, low,
             message->offset < lane_looked_at(p)
                 ? "topic recreated: a message before its last one is another one"
                 : "topic recreated: its last message is another one");
    return LANE_REREAD;
}
