/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partitions and their offsets. An assignment is always made from the rows of kafka_offsets; the
 * rows are read again whenever anything was uncertain.
 *
 * A partition with a stored last message is assigned one message early: if that message is still
 * the one recorded (timestamp and hash) it is dropped, else the topic was recreated under us and a
 * new incarnation begins at its start; so it does where a message stands of which none is recorded
 * (a gap was booked, or transactions' marks). A message that is gone (compaction, retention) proves
 * nothing: lane_gap.c then looks further back, unless Kafka still knows the group's offsets.
 */
#include "run/lane_impl.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/must.h"

#include <stdlib.h>
#include <string.h>

#define LAST_BYTES_MAX (8u << 10)
#define LOOK_EVERY_MS 2000

void lane_partitions_free(struct lane *lane)
{
    for (size_t i = 0; i < lane->partition_count; i++)
        for (size_t k = 0; k < LAST_MESSAGES_MAX; k++)
            buf_free(&lane->partition[i].last[k].value);
    free(lane->partition);
    lane->partition = NULL;
    lane->partition_count = 0;
}

void lane_partitions_set(struct lane *lane, const struct kafka_partition *partitions, size_t count)
{
    MUST(lane->batch.range_count == 0,
         lane->batch.range_count); /* its ranges point at partitions */
    lane_partitions_free(lane);
    lane->partition = calloc(count ? count : 1, sizeof(*lane->partition));
    if (!lane->partition)
        abort(); /* a few hundred bytes per partition */
    for (size_t i = 0; i < count; i++) {
        struct lane_partition *p = &lane->partition[lane->partition_count];
        p->topic = topics_find(lane->group->topics, partitions[i].topic);
        if (!p->topic)
            continue;
        MUST((size_t)(p->topic - lane->group->topics->topic) < lane->group->topics->count, i);
        p->mapper = lane->mapper[p->topic - lane->group->topics->topic];
        p->state.topic = partitions[i].topic;
        p->state.partition = partitions[i].partition;
        p->known_offset = p->began_offset = p->unchecked_offset = p->look_from = -1;
        for (size_t k = 0; k < LAST_MESSAGES_MAX; k++)
            buf_init(&p->last[k].value, LAST_BYTES_MAX);
        lane->partition_count++;
    }
}

void lane_assign_nothing(struct lane *lane)
{
    struct err err = {0};
    if (!consumer_assign(lane->consumer, NULL, 0, &err))
        log_warn("%s", err.text);
}

/* Where a partition begins that the database has no row of. A group that has told Kafka offsets had
 * read it: the database lost the row, and reading begins where it had begun; what is stored already
 * comes as duplicates. *told: how far it had come, if Kafka knows where it began; else -1. */
static bool start_find(struct lane *lane, const char *topic, int32_t partition, bool latest,
                       int64_t *start, int64_t *told, struct err *err)
{
    int64_t low, high;
    struct kafka_partition of = {.topic = topic, .partition = partition, .began = -1};
    *told = -1;
    if (!consumer_watermarks(lane->consumer, topic, partition, &low, &high, err) ||
        !consumer_committed(lane->consumer, &of, 1, err))
        return false;
    MUST(partition >= 0, partition);
    *start = latest ? high : low;
    if (of.offset < 0 || of.offset > high || (of.began < 0 && of.offset >= *start))
        return true;
    if (of.began >= 0) {
        *told = of.offset;
        *start = of.began < low ? low : of.began;
    } else { /* told by a version that did not say where it began */
        *start = of.offset < low ? low : of.offset;
    }
    log_error("%s/%d/%lld: the database has no offset, though Kafka was told this one: it lost the "
              "row, or is a new one; reading begins at %lld",
              topic, (int)partition, (long long)of.offset, (long long)*start);
    return true;
}

/* `start: latest` means the end of the log as it was when the group first saw the topic. Rows for
 * all partitions are made at once, so that a partition added later starts at its beginning, and
 * whoever finds one of them finds all. */
static bool topic_begin_latest(struct lane *lane, const char *topic, struct err *err)
{
    int32_t count, found = 0;
    int64_t told;
    if (!consumer_partition_count(lane->consumer, topic, &count, err))
        return false;
    int64_t *start = calloc(count > 0 ? (size_t)count : 1, sizeof(*start));
    if (!start)
        return err_set(err, ERR_FATAL, "out of memory");
    while (found < count && start_find(lane, topic, found, true, &start[found], &told, err))
        found++;
    bool ok = found == count &&
              (count <= 0 || writer_topic_begin(lane->writer, topic, start, (size_t)count, err));
    free(start);
    return ok;
}

static bool partition_first_seen(struct lane *lane, struct lane_partition *p, struct err *err)
{
    const char *topic = p->state.topic;
    int64_t start = p->began_offset, told = p->known_offset;
    bool known;
    if (p->topic->start_latest && start < 0) {
        if (!writer_topic_known(lane->writer, topic, &known, err) ||
            (!known && !topic_begin_latest(lane, topic, err)))
            return false;
    }
    /* A database that lost the row itself: reading begins where it had begun. */
    if (start < 0 && !start_find(lane, topic, p->state.partition, false, &start, &told, err))
        return false;
    p->known_offset = told;
    return writer_offset_load(lane->writer, topic, p->state.partition, start, &p->state, err);
}

/* Whether the log before the stored offset is known: by its last messages, or by having none. */
static bool can_be_checked(const struct lane_partition *p)
{
    const struct partition_state *of = &p->state;
    return of->next_offset + lane_partly(p) > 0 && lane_looked_at(p) != p->unchecked_offset &&
           (of->last_time_ms >= 0 || of->next_offset > of->first_offset ||
            of->next_offset > of->last.from);
}

static bool partition_load(struct lane *lane, struct lane_partition *p, struct err *err)
{
    const struct partition_state before = p->state;
    if (p->phase != PARTITION_HALTED)
        p->phase = PARTITION_READING;
    /* Never less than it was: a setback that could not be told yet is told by the next try. */
    if (before.id != 0 && before.next_offset > p->known_offset)
        p->known_offset = before.next_offset;
    if (!writer_offset_load(lane->writer, p->state.topic, p->state.partition, -1, &p->state, err))
        return false;
    bool first_seen = p->state.id == 0;
    if (first_seen && !partition_first_seen(lane, p, err))
        return false;
    if (before.id != 0 &&
        p->state.incarnation > before.incarnation) /* another member found a new topic */
        p->known_offset = p->state.next_offset;
    if (p->began_offset < 0 && first_seen && p->known_offset < 0)
        p->known_offset = p->state.next_offset; /* what Kafka knows of the group is not ours */
    MUST(p->state.id > 0 && p->state.next_offset >= 0, p->state.id, p->state.next_offset);
    MUST(before.id == 0 || p->state.partition == before.partition, before.id, before.partition,
         p->state.partition);
    p->began_offset = p->state.first_offset;
    if (p->phase != PARTITION_HALTED && can_be_checked(p))
        p->phase = PARTITION_CHECKING;
    p->unchecked = p->unchecked_offset >= 0 && p->unchecked_offset == lane_looked_at(p);
    p->unchecked_offset = -1; /* the next time it may be another log */
    if (p->phase != PARTITION_CHECKING || p->look_from >= p->state.next_offset)
        p->look_from = -1;
    return true;
}

static int64_t assign_from(const struct lane_partition *p)
{
    if (p->look_from >= 0)
        return p->look_from;
    return p->state.next_offset - (p->phase == PARTITION_CHECKING && !lane_partly(p));
}

static bool assign_all(struct lane *lane, struct err *err)
{
    size_t count = 0;
    struct kafka_partition *list = calloc(lane->partition_count + 1, sizeof(*list));
    if (!list)
        return err_set(err, ERR_FATAL, "out of memory");
    for (size_t i = 0; i < lane->partition_count; i++) {
        struct lane_partition *p = &lane->partition[i];
        if (p->phase == PARTITION_HALTED)
            continue;
        MUST(p->phase == PARTITION_CHECKING || p->phase == PARTITION_READING, p->phase);
        MUST(p->phase != PARTITION_CHECKING || p->state.next_offset + lane_partly(p) > 0,
             p->state.next_offset);
        list[count++] = (struct kafka_partition){
            .topic = p->state.topic,
            .partition = p->state.partition,
            .offset = assign_from(p),
            .state = p,
        };
    }
    MUST(count <= lane->partition_count && lane->batch.range_count == 0, count,
         lane->partition_count);
    bool ok = consumer_assign(lane->consumer, list, count, err);
    free(list);
    return ok;
}

/* --- a database that went back --------------------------------------------------------------- */

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
        MUST(known > p->state.next_offset, known, p->state.next_offset);
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
    lane_told_correct(lane);
    return true;
}

enum lane_outcome lane_look(struct lane *lane, int64_t now_ms, struct err *err)
{
    bool stand = true;
    if (lane->state != LANE_READING || lane->partition_count == 0 || now_ms < lane->look_at_ms)
        return LANE_FINE;
    lane->look_at_ms = now_ms + LOOK_EVERY_MS;
    struct partition_state **state = calloc(lane->partition_count, sizeof(*state));
    if (!state)
        return LANE_FINE;
    for (size_t i = 0; i < lane->partition_count; i++) {
        MUST(lane->partition[i].state.id > 0, i, lane->partition_count);
        state[i] = &lane->partition[i].state;
    }
    if (writer_offsets_stand(lane->writer, state, lane->partition_count, &stand, err) && !stand)
        err_set(err, ERR_RETRY, "the database does not hold the offsets that it held");
    free(state);
    return err->kind == ERR_NONE ? LANE_FINE : lane_outcome_of(err);
}

/* --- rows into an assignment ------------------------------------------------------------------ */

/* What is believed of the database is not older than the offset rows as they are read now. The poll
 * that brings an assignment may bring its first message too: the book has to be there. */
enum lane_outcome lane_assign(struct lane *lane, struct err *err)
{
    bool gone = false;
    MUST(lane->batch.range_count == 0, lane->batch.range_count);
    writer_forget(lane->writer);
    bool ok = writer_connect(lane->writer, err) && lane_take_book(lane, err);
    for (size_t i = 0; ok && i < lane->partition_count; i++)
        ok = partition_load(lane, &lane->partition[i], err);
    if (!ok || !lane_told_ask(lane, &gone, err) || !setbacks_tell(lane, err) ||
        !assign_all(lane, err))
        return lane_outcome_of(err);
    MUST(lane->book && lane->pricer, lane->partition_count);
    lane->look_at_ms = clock_monotonic_ms() + LOOK_EVERY_MS;
    return LANE_FINE;
}
