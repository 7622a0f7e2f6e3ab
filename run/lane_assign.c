/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partitions and their offsets. An assignment is always made from the rows of kafka_offsets; the
 * rows are read again whenever anything was uncertain.
 *
 * A partition with a stored last message is assigned one message early: if that message is still
 * the one recorded (timestamp and hash) it is dropped, else the topic was recreated under us and a
 * new incarnation begins at its start. A message that is gone (compaction, retention) proves
 * nothing.
 */
#include "run/lane_impl.h"

#include "core/clock.h"
#include "core/hash.h"
#include "core/log.h"

#include <stdlib.h>
#include <string.h>

#define BACKOFF_MAX_MS 5000u
#define LAST_BYTES_MAX (64u << 10)
#define LOOK_EVERY_MS 2000

void lane_partitions_free(struct lane *lane)
{
    for (size_t i = 0; i < lane->partition_count; i++)
        buf_free(&lane->partition[i].last);
    free(lane->partition);
    lane->partition = NULL;
    lane->partition_count = 0;
}

static void assignment_clear(struct lane *lane)
{
    batch_reset(&lane->batch);
    lane_partitions_free(lane);
    lane->active = false;
}

void lane_on_assigned(void *context, const struct kafka_partition *partitions, size_t count)
{
    struct lane *lane = context;
    assignment_clear(lane);
    lane->partition = calloc(count ? count : 1, sizeof(*lane->partition));
    if (!lane->partition)
        abort(); /* a few hundred bytes per partition */
    for (size_t i = 0; i < count; i++) {
        struct lane_partition *p = &lane->partition[lane->partition_count];
        p->topic = topics_find(lane->group->topics, partitions[i].topic);
        if (!p->topic)
            continue;
        p->mapper = lane->mapper[p->topic - lane->group->topics->topic];
        p->state.topic = partitions[i].topic;
        p->state.partition = partitions[i].partition;
        p->known_offset = p->began_offset = -1;
        buf_init(&p->last, LAST_BYTES_MAX);
        lane->partition_count++;
    }
    log_info("assigned %zu partitions", lane->partition_count);
    health_state(lane->group->health, lane->number, LANE_WAITING, lane->partition_count,
                 "reads its offsets");
    lane->assigned = true;
    lane->backoff_ms = BACKOFF_FIRST_MS;
    lane_activate(lane);
}

void lane_on_revoked(void *context, bool lost)
{
    struct lane *lane = context;
    if (lane->active && !lost && lane->err.kind == ERR_NONE)
        lane_flush(lane);
    if (lane->batch.range_count > 0)
        log_info("assignment %s: %zu rows dropped, to be read again", lost ? "lost" : "ended",
                 lane->batch.row_count);
    assignment_clear(lane);
    health_state(lane->group->health, lane->number, LANE_UNASSIGNED, 0, NULL);
    lane->assigned = false;
}

static bool assign_nothing(struct lane *lane)
{
    struct err err = {0};
    if (!consumer_assign(lane->consumer, NULL, 0, &err)) {
        log_warn("%s", err.text);
        return false;
    }
    return true;
}

/* Never from one assignment right into another: librdkafka 2.0.2 aborts ("rktp_started") when a
 * partition is taken away twice before its fetcher has answered that it stopped. */
static void lane_pause(struct lane *lane, unsigned pause_ms)
{
    batch_reset(&lane->batch);
    assign_nothing(lane);
    lane->active = false;
    lane->retry_at_ms = clock_monotonic_ms() + pause_ms;
}

void lane_recover(struct lane *lane, const struct err *why)
{
    atomic_fetch_add(&lane->group->counters.recoveries, 1);
    log_warn("%s; trying again in %u ms", why->text, lane->backoff_ms);
    health_state(lane->group->health, lane->number, LANE_WAITING, lane->partition_count, why->text);
    lane_pause(lane, lane->backoff_ms);
    lane->backoff_ms =
        lane->backoff_ms * 2 < BACKOFF_MAX_MS ? lane->backoff_ms * 2 : BACKOFF_MAX_MS;
}

/* `start: latest` means the end of the log as it was when the group first saw the topic. Rows for
 * all partitions are made at once, so that a partition added later starts at its beginning. */
static bool topic_begin_latest(struct lane *lane, const char *topic, struct err *err)
{
    int32_t count;
    if (!consumer_partition_count(lane->consumer, topic, &count, err))
        return false;
    for (int32_t i = 0; i < count; i++) {
        int64_t low, high;
        struct partition_state state;
        if (!consumer_watermarks(lane->consumer, topic, i, &low, &high, err) ||
            !writer_offset_load(lane->writer, topic, i, high, &state, err))
            return false;
    }
    return true;
}

static bool partition_first_seen(struct lane *lane, struct lane_partition *p, struct err *err)
{
    int64_t low, high, start = p->began_offset;
    bool known;
    if (p->topic->start_latest && start < 0) {
        if (!writer_topic_known(lane->writer, p->state.topic, &known, err))
            return false;
        if (!known && !topic_begin_latest(lane, p->state.topic, err))
            return false;
    }
    /* A database that lost the row itself: reading begins where it had begun. */
    return consumer_watermarks(lane->consumer, p->state.topic, p->state.partition, &low, &high,
                               err) &&
           writer_offset_load(lane->writer, p->state.topic, p->state.partition,
                              start < 0 ? low : start, &p->state, err);
}

static bool partition_load(struct lane *lane, struct lane_partition *p, struct err *err)
{
    p->caught_up = p->halted;
    if (p->state.id != 0)
        p->known_offset = p->state.next_offset;
    if (!writer_offset_load(lane->writer, p->state.topic, p->state.partition, -1, &p->state, err))
        return false;
    bool first_seen = p->state.id == 0;
    if (first_seen && !partition_first_seen(lane, p, err))
        return false;
    if (p->began_offset < 0 && first_seen)
        p->known_offset = p->state.next_offset; /* what Kafka knows of the group is not ours */
    p->began_offset = p->state.first_offset;
    p->check_last = p->state.last_time_ms >= 0 && p->state.next_offset + lane_partly(p) > 0 &&
                    p->state.next_offset != p->unchecked_offset;
    return true;
}

static bool assign_all(struct lane *lane, struct err *err)
{
    size_t count = 0;
    struct kafka_partition *list = calloc(lane->partition_count + 1, sizeof(*list));
    if (!list)
        return err_set(err, ERR_FATAL, "out of memory");
    for (size_t i = 0; i < lane->partition_count; i++) {
        struct lane_partition *p = &lane->partition[i];
        if (p->halted)
            continue;
        list[count++] = (struct kafka_partition){
            .topic = p->state.topic,
            .partition = p->state.partition,
            .offset = p->state.next_offset - (p->check_last && !lane_partly(p)),
            .state = p,
        };
    }
    bool ok = consumer_assign(lane->consumer, list, count, err);
    free(list);
    return ok;
}

/* All partitions of the lane, with their stored offsets; to be freed. */
static struct kafka_partition *partition_list(const struct lane *lane, struct err *err)
{
    struct kafka_partition *list = calloc(lane->partition_count + 1, sizeof(*list));
    if (!list)
        err_set(err, ERR_FATAL, "out of memory");
    for (size_t i = 0; list && i < lane->partition_count; i++)
        list[i] = (struct kafka_partition){.topic = lane->partition[i].state.topic,
                                           .partition = lane->partition[i].state.partition,
                                           .offset = lane->partition[i].state.next_offset};
    return list;
}

/* Asks Kafka for the offsets of the group. `told` of a partition is whether it has one; false when
 * one that it had been told is gone. A member that knows nothing yet learns from them how far the
 * group had come: Kafka is told after PostgreSQL. */
static bool told_ask(struct lane *lane, bool *gone, struct err *err)
{
    size_t count = lane->partition_count;
    struct kafka_partition *list = partition_list(lane, err);
    if (!list)
        return false;
    bool ok = count == 0 || consumer_committed(lane->consumer, list, count, err);
    for (size_t i = 0; ok && i < count; i++) {
        struct lane_partition *p = &lane->partition[i];
        *gone |= p->told && list[i].offset < 0;
        p->told = list[i].offset >= 0;
        if (p->known_offset < 0)
            p->known_offset = list[i].offset;
    }
    free(list);
    return ok;
}

/* --- a database that went back --------------------------------------------------------------- */

static void told_correct(struct lane *lane)
{
    struct kafka_partition *list = partition_list(lane, NULL);
    if (list)
        consumer_commit(lane->consumer, list, lane->partition_count);
    free(list);
}

/* After the rows were read: those that lie before what had been stored are told, once. Reading them
 * again is all that is to be done. */
static bool setbacks_tell(struct lane *lane, struct err *err)
{
    int64_t messages = 0;
    size_t partitions = 0;
    for (size_t i = 0; i < lane->partition_count; i++) {
        struct lane_partition *p = &lane->partition[i];
        int64_t known = p->known_offset;
        if (known <= p->state.next_offset)
            continue;
        if (!writer_setback(lane->writer, &p->state, known, err))
            return false;
        p->known_offset = p->state.next_offset;
        messages += known - p->state.next_offset;
        partitions++;
    }
    if (partitions == 0)
        return true;
    atomic_fetch_add(&lane->group->counters.setback_messages, messages);
    log_error(
        "the database went back by %lld messages in %zu partitions (kafka_setbacks): they are "
        "read again",
        (long long)messages, partitions);
    told_correct(lane);
    return true;
}

void lane_look(struct lane *lane, int64_t now_ms)
{
    struct err err = {0};
    bool stand = true;
    if (!lane->active || lane->partition_count == 0 || now_ms < lane->look_at_ms)
        return;
    lane->look_at_ms = now_ms + LOOK_EVERY_MS;
    struct partition_state **state = calloc(lane->partition_count, sizeof(*state));
    if (!state)
        return;
    for (size_t i = 0; i < lane->partition_count; i++)
        state[i] = &lane->partition[i].state;
    if (writer_offsets_stand(lane->writer, state, lane->partition_count, &stand, &err) && !stand)
        err_set(&err, ERR_RETRY, "the database does not hold the offsets that it held");
    free(state);
    if (err.kind != ERR_NONE)
        lane_recover(lane, &err);
}

void lane_activate(struct lane *lane)
{
    struct err err = {0};
    bool gone = false;
    batch_reset(&lane->batch);
    /* What is believed of the database is not older than the offset rows as they are read now. The
     * poll that brings an assignment may bring its first message too: the book has to be there. */
    writer_forget(lane->writer);
    bool ok = writer_connect(lane->writer, &err) && lane_take_book(lane, &err);
    for (size_t i = 0; ok && i < lane->partition_count; i++)
        ok = partition_load(lane, &lane->partition[i], &err);
    if (ok && told_ask(lane, &gone, &err) && setbacks_tell(lane, &err) && assign_all(lane, &err)) {
        lane->active = true;
        health_state(lane->group->health, lane->number, LANE_READING, lane->partition_count, NULL);
        lane->look_at_ms = clock_monotonic_ms() + LOOK_EVERY_MS;
        return;
    }
    if (err.kind == ERR_CONFIG || err.kind == ERR_FATAL)
        lane->err = err;
    else
        lane_recover(lane, &err);
}

static void gap_book(struct lane *lane, struct lane_partition *p, bool recreated, int64_t next,
                     const char *why)
{
    struct err err = {0};
    log_error("%s [%d]: %s: stored offset %lld, going on at %lld", p->state.topic,
              (int)p->state.partition, why, (long long)p->state.next_offset, (long long)next);
    if (writer_offset_gap(lane->writer, &p->state, recreated, next, why, &err))
        atomic_fetch_add(&lane->group->counters.gaps, 1);
    else
        log_warn("%s", err.text);
}

static void partition_halt(struct lane *lane, struct lane_partition *p, int64_t low)
{
    log_error("%s [%d]: messages %lld to %lld are gone from the log; the partition waits "
              "(kafka_gap: skip goes on)",
              p->state.topic, (int)p->state.partition, (long long)p->state.next_offset,
              (long long)low - 1);
    p->halted = true;
    p->caught_up = true;
    atomic_store(&lane->group->halted, true);
}

/* After this the rows are read again, so that a batch under way ends where the rows say. */
void lane_out_of_range(struct lane *lane, struct lane_partition *p)
{
    struct err err = {0};
    int64_t low, high;
    if (!consumer_watermarks(lane->consumer, p->state.topic, p->state.partition, &low, &high,
                             &err)) {
        lane_recover(lane, &err);
        return;
    }
    if (!lane_flush(lane))
        return;
    if (p->state.next_offset + lane_partly(p) > high)
        gap_book(lane, p, true, low, "topic recreated: its log ends before the stored offset");
    else if (p->state.next_offset >= low)
        p->unchecked_offset = p->state.next_offset;
    else if (lane->group->config->kafka_gap_skip)
        gap_book(lane, p, false, low, "log start is beyond the stored offset");
    else
        partition_halt(lane, p, low);
    lane_pause(lane, BACKOFF_FIRST_MS);
}

bool lane_check_first(struct lane *lane, struct lane_partition *p,
                      const struct kafka_message *message)
{
    if (!p->check_last)
        return true;
    p->check_last = false;
    if (message->offset >= p->state.next_offset + lane_partly(p))
        return true;
    if (message->time_ms == p->state.last_time_ms &&
        hash_xxh64(message->value) == p->state.last_hash)
        return lane_partly(p);

    struct err err = {0};
    int64_t low, high;
    if (!consumer_watermarks(lane->consumer, p->state.topic, p->state.partition, &low, &high,
                             &err)) {
        lane_recover(lane, &err);
        return false;
    }
    gap_book(lane, p, true, low, "topic recreated: its last message is another one");
    lane_pause(lane, BACKOFF_FIRST_MS);
    return false;
}

void lane_on_told(void *context, void *state)
{
    struct lane_partition *p = state;
    (void)context;
    p->told = true;
}

bool lane_topics_still_there(struct lane *lane)
{
    struct err err = {0};
    bool gone = false;
    if (!told_ask(lane, &gone, &err)) {
        lane_recover(lane, &err);
        return false;
    }
    if (!gone)
        return true;
    log_warn("Kafka has forgotten our offsets, as after the deletion of a topic: reading again "
             "from where PostgreSQL says");
    lane_pause(lane, BACKOFF_FIRST_MS);
    return false;
}

void lane_rejoin(struct lane *lane)
{
    struct err err = {0};
    if (!consumer_rejoin(lane->consumer, &err))
        log_warn("%s", err.text);
}
