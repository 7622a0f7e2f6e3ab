/* SPDX-License-Identifier: Apache-2.0 */
#include "run/lane_impl.h"

#include "core/clock.h"
#include "core/fault.h"
#include "core/hash.h"
#include "core/log.h"
#include "run/place.h"
#include "run/privacy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_ARENA_MAX (64u << 20)
#define BATCH_PART_BYTES (24u << 20) /* of encoded rows: BATCH_BYTES_MAX less a large row */
#define PAYLOAD_KEPT_MAX (8u << 20)
#define KEEP_BATCHES 16 /* that keep their messages after one with a refused row */
#define POLL_IDLE_MS 100

static void count(_Atomic int64_t *counter, int64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* --- one message into the batch ------------------------------------------------------------- */

struct record_context {
    struct lane *lane;
    struct lane_partition *partition;
    const struct kafka_message *message;
    unsigned range;
    unsigned kept;       /* batch_keep_message() */
    unsigned next_index; /* of the record that comes next */
    bool split;          /* the batch is full before the end of the message */
    bool payload_kept, hashed;
    uint64_t hash; /* of the message, once hashed */
};

/* The first rejected record of a message keeps it, for a retry of all of them: one message of a
 * thousand bad records must not become a thousand messages, nor one that is refused for its size be
 * kept. */
static struct slice payload_keep(struct record_context *rc)
{
    struct slice payload = rc->message->value;
    if (rc->lane->group->config->payloads == PAYLOADS_DROP || rc->payload_kept ||
        payload.bytes > PAYLOAD_KEPT_MAX)
        return (struct slice){NULL, 0};
    rc->payload_kept = true;
    if (rc->kept) /* refused siblings find it with this record */
        rc->lane->batch.messages[rc->kept - 1].payload = (struct slice){NULL, 0};
    return payload;
}

static uint64_t message_hash(struct record_context *rc)
{
    if (!rc->hashed)
        rc->hash = hash_xxh64(rc->message->value);
    rc->hashed = true;
    return rc->hash;
}

static void reject(struct record_context *rc, const struct record *record)
{
    struct batch *batch = &rc->lane->batch;
    struct err err = {0};
    struct batch_reject r = {
        .range = rc->range,
        .kafka_offset = rc->message->offset,
        .record_index = record->index,
        .reason = record->reason,
        .mapping = record->mapping,
        .detail = slice_of(record->detail),
        .field = slice_of(record->field),
        .payload = payload_keep(rc),
        .byte = record->byte,
        .time_ms = rc->message->time_ms,
        .payload_hash = message_hash(rc),
        .payload_bytes = rc->message->value.bytes,
    };
    batch->range[rc->range].rejected++;
    if (!batch_add_reject(batch, &r, &err))
        rc->lane->err = err;
}

static void reject_as(struct record_context *rc, const struct record *record, enum reason reason,
                      const char *field, const char *detail)
{
    struct record rejected = *record;
    rejected.outcome = RECORD_REJECTED;
    rejected.reason = reason;
    rejected.detail = detail;
    rejected.field = field;
    rejected.byte = -1;
    reject(rc, &rejected);
}

/* The batch is written before this record; the message is read again from it on. */
static void split_before(struct record_context *rc, const struct record *record)
{
    rc->split = true;
    rc->next_index = record->index;
    mapper_stop(rc->partition->mapper);
}

static bool batch_holds_records(const struct batch *batch)
{
    return batch->row_count + batch->reject_count > 0;
}

static void row_added(struct record_context *rc, const struct event *event,
                      const struct charge *charge)
{
    rc->lane->batch.range[rc->range].rows++;
    drift_note(rc->lane->group->drift, &event->facts, charge);
}

static void add_event(struct record_context *rc, const struct record *record)
{
    struct lane *lane = rc->lane;
    struct batch *batch = &lane->batch;
    struct event *event = record->event;
    struct charge charge;
    struct implausible why;
    struct err err;
    struct row_origin origin = {
        .range = rc->range,
        .kafka_offset = rc->message->offset,
        .record_index = record->index,
        .price_book_id = book_id(lane->book->book),
        .message = rc->kept,
    };

    err_clear(&err); /* its 1 KB is not zeroed for every event */
    if (!event->has_identity)
        place_identity(event, slice_of(writer_cluster_id(lane->writer)), &rc->partition->state,
                       rc->message->offset, record->index);
    privacy_apply(&lane->group->config->privacy, event, &batch->arena);
    pricer_price(lane->pricer, &event->facts, &charge, NULL);
    if (!sanity_holds(&lane->group->config->limits, &event->facts, &charge, &why))
        reject_as(rc, record, REASON_IMPLAUSIBLE, why.field, why.detail);
    else if (batch_add_row(batch, event, &charge, &origin, &err))
        row_added(rc, event, &charge);
    else if (err.kind == ERR_INPUT)
        reject_as(rc, record, REASON_TIME_OUT_OF_RANGE, NULL, err.text);
    else if (batch_holds_records(batch))
        split_before(rc, record);
    else
        reject_as(rc, record, REASON_TOO_LARGE, NULL, err.text);
}

/* A batch is closed between two messages (batch_due); one message that expands to far more than a
 * batch is written in parts. */
static bool batch_overfull(const struct lane *lane)
{
    const struct batch *batch = &lane->batch;
    const struct config *config = lane->group->config;
    return batch->row_count + batch->reject_count >= 2 * (size_t)config->batch_rows ||
           batch->encoded.bytes >= BATCH_PART_BYTES ||
           batch->arena.used_bytes >= BATCH_ARENA_MAX / 4 * 3 || batch->arena.full;
}

static void on_record(const struct record *record, void *context)
{
    struct record_context *rc = context;
    struct batch *batch = &rc->lane->batch;
    if (batch_overfull(rc->lane) && batch_holds_records(batch)) {
        split_before(rc, record);
        return;
    }
    switch (record->outcome) {
    case RECORD_EVENT:
        add_event(rc, record);
        break;
    case RECORD_SKIPPED:
        batch->range[rc->range].skipped++;
        batch->skipped_by_reason[record->reason]++;
        break;
    case RECORD_REJECTED:
        reject(rc, record);
        break;
    }
}

/* The hash of a partition's last message is wanted once per batch: messages are copied, each over
 * the one before, and the last one is hashed (1.1 KB: 80 instructions for 1,310). A large one is
 * hashed at once. */
static void last_keep(struct lane_partition *p, struct batch_range *range, struct slice value)
{
    buf_reset(&p->last);
    buf_add(&p->last, value);
    if (!buf_ok(&p->last))
        range->last_hash = hash_xxh64(value);
}

static void last_hash(struct batch *batch)
{
    for (size_t i = 0; i < batch->range_count; i++) {
        struct batch_range *range = &batch->range[i];
        const struct lane_partition *p = lane_partition_of(range->state);
        if ((range->messages > 0 || range->next_index > 0) && buf_ok(&p->last))
            range->last_hash = hash_xxh64(buf_slice(&p->last));
    }
}

/* The first message of a batch: its clock starts, and what it is to keep is settled. */
static void batch_begin(struct lane *lane)
{
    if (lane->batch.range_count > 0)
        return;
    lane->batch_deadline_ms = clock_monotonic_ms() + lane->group->config->batch_wait_ms;
    lane->batch.can_read_again = true;
    lane->batch.keep_messages = lane->keep_messages_left > 0;
}

/* Reads a message, or what earlier batches left of it, until its end or until the batch is full. */
static void read_part(struct record_context *rc)
{
    struct lane *lane = rc->lane;
    const struct kafka_message *message = rc->message;
    batch_begin(lane);
    rc->range = batch_range_of(&lane->batch, &rc->partition->state);
    struct batch_range *range = &lane->batch.range[rc->range];
    struct message m = {
        .bytes = message->value,
        .tombstone = message->tombstone,
        .kafka_time_us = message->time_ms > 0 ? message->time_ms * 1000 : 0,
        .first_index = range->next_offset == message->offset ? range->next_index : 0,
    };
    rc->split = false;
    rc->kept = 0;
    if (lane->batch.keep_messages)
        rc->kept = batch_keep_message(&lane->batch, message->value, message->time_ms,
                                      lane->group->config->payloads != PAYLOADS_DROP);
    mapper_read(rc->partition->mapper, &m, &lane->batch.arena, on_record, rc);

    range->messages += !rc->split;
    range->next_offset = message->offset + !rc->split;
    range->next_index = rc->split ? rc->next_index : 0;
    range->last_time_ms = message->time_ms;
    last_keep(rc->partition, range, message->value);
}

/* A message that does not fit into its batch is split between two records: each part is a batch,
 * and the place between them, (offset, index), is stored like every other. */
static void take_message(struct lane *lane, struct lane_partition *p,
                         const struct kafka_message *message)
{
    struct record_context rc = {.lane = lane, .partition = p, .message = message};
    batch_begin(lane);
    unsigned range = batch_range_of(&lane->batch, &p->state);
    if (message->offset < lane->batch.range[range].next_offset) {
        log_warn("%s [%d]: offset %lld came twice", p->state.topic, (int)p->state.partition,
                 (long long)message->offset);
        return; /* librdkafka before 2.4 may repeat some after a change of assignment */
    }
    p->caught_up = false;
    for (read_part(&rc); rc.split; read_part(&rc))
        if (!lane_flush(lane) || atomic_load(&lane->group->stop))
            return;
}

/* --- the batch into PostgreSQL -------------------------------------------------------------- */

static void count_batch(struct lane *lane)
{
    struct lane_counters *c = &lane->group->counters;
    const struct batch *batch = &lane->batch;
    for (size_t i = 0; i < batch->range_count; i++) {
        const struct batch_range *range = &batch->range[i];
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

static void commit_to_kafka(struct lane *lane)
{
    const struct batch *batch = &lane->batch;
    struct kafka_partition *list = calloc(batch->range_count, sizeof(*list));
    if (!list)
        return;
    for (size_t i = 0; i < batch->range_count; i++)
        list[i] = (struct kafka_partition){
            .topic = batch->range[i].state->topic,
            .partition = batch->range[i].state->partition,
            .offset = batch->range[i].next_offset,
        };
    consumer_commit(lane->consumer, list, batch->range_count);
    free(list);
}

bool lane_flush(struct lane *lane)
{
    struct err err = {0};
    if (lane->batch.range_count == 0)
        return true;
    if (!lane_topics_still_there(lane))
        return false;
    last_hash(&lane->batch);
    if (!writer_commit(lane->writer, &lane->batch, &err)) {
        if (err.kind == ERR_CONFIG || err.kind == ERR_FATAL)
            lane->err = err;
        if (lane->batch.messages_wanted)
            lane->keep_messages_left = KEEP_BATCHES;
        lane_recover(lane, &err);
        return false;
    }
    fault_point("after_commit");
    if (lane->batch.refused)
        lane->keep_messages_left = KEEP_BATCHES;
    else if (lane->keep_messages_left)
        lane->keep_messages_left--;
    lane->backoff_ms = BACKOFF_FIRST_MS;
    count_batch(lane);
    health_fine(lane->group->health, lane->number);
    commit_to_kafka(lane);
    fault_point("after_kafka_commit");
    batch_reset(&lane->batch);
    return true;
}

static bool batch_due(const struct lane *lane, int64_t now_ms)
{
    const struct batch *batch = &lane->batch;
    const struct config *config = lane->group->config;
    return batch->range_count > 0 &&
           (batch->row_count + batch->reject_count >= config->batch_rows ||
            batch->encoded.bytes >= config->batch_bytes ||
            batch->range_count == BATCH_PARTITIONS_MAX ||
            batch->arena.used_bytes >= BATCH_ARENA_MAX / 2 || now_ms >= lane->batch_deadline_ms);
}

/* The price book is taken over between two batches, so that a batch has one book; and put again
 * when the database may have lost it. */
bool lane_take_book(struct lane *lane, struct err *err)
{
    struct book_slot *books = lane->group->books;
    struct book_ref *ref = book_acquire(books);
    if (ref == lane->book && writer_has_book(lane->writer, book_id(ref->book))) {
        book_release(books, ref);
        return true;
    }
    struct pricer *pricer = pricer_new(ref->book);
    if (!pricer || !writer_put_book(lane->writer, book_id(ref->book), buf_slice(&ref->json), err)) {
        pricer_free(pricer);
        book_release(books, ref);
        return err_set(err, ERR_FATAL, "out of memory");
    }
    if (ref != lane->book)
        log_info("price book %.12s", book_id(ref->book));
    pricer_free(lane->pricer);
    if (lane->book)
        book_release(books, lane->book);
    lane->book = ref;
    lane->pricer = pricer;
    return true;
}

/* --- the loop ------------------------------------------------------------------------------- */

/* The end may lie beyond the last message: transaction markers, compaction. Before what is stored
 * it cannot lie: then this is another log, one message or more shorter. */
static void at_end(struct lane *lane, struct lane_partition *p, int64_t offset)
{
    if (offset < p->state.next_offset + lane_partly(p)) {
        lane_out_of_range(lane, p);
        return;
    }
    p->caught_up = true;
    p->check_last = false;
    if (offset <= p->state.next_offset)
        return;
    batch_begin(lane);
    struct batch_range *range = &lane->batch.range[batch_range_of(&lane->batch, &p->state)];
    if (offset > range->next_offset) {
        range->next_offset = offset;
        range->next_index = 0;
    }
}

static void serve(struct lane *lane, struct kafka_message *message)
{
    struct lane_partition *p = message->state;
    switch (message->kind) {
    case POLL_MESSAGE:
        if (lane->active && p && lane_check_first(lane, p, message))
            take_message(lane, p, message);
        break;
    case POLL_EOF:
        if (lane->active && p)
            at_end(lane, p, message->offset);
        break;
    case POLL_OUT_OF_RANGE:
        if (lane->active && p)
            lane_out_of_range(lane, p);
        break;
    case POLL_ERROR:
        log_warn("kafka: %s", message->error);
        break;
    case POLL_FATAL:
        err_set(&lane->err, ERR_FATAL, "kafka: %s", message->error);
        break;
    case POLL_NOTHING:
        break;
    }
}

static void note_caught_up(struct lane *lane)
{
    bool all = lane->assigned && (lane->active || lane->partition_count == 0) &&
               lane->batch.range_count == 0;
    for (size_t i = 0; all && i < lane->partition_count; i++)
        all = lane->partition[i].caught_up;
    if (all == lane->counted_caught_up)
        return;
    lane->counted_caught_up = all;
    if (all)
        atomic_fetch_add(&lane->group->caught_up, 1);
    else
        atomic_fetch_sub(&lane->group->caught_up, 1);
}

static int poll_timeout_ms(const struct lane *lane, int64_t now_ms)
{
    if (lane->batch.range_count == 0)
        return POLL_IDLE_MS;
    int64_t left = lane->batch_deadline_ms - now_ms;
    return left < 0 ? 0 : left > POLL_IDLE_MS ? POLL_IDLE_MS : (int)left;
}

/* A lane that has seen the end of all its partitions need not wait for the batch to grow old. */
static bool flush_early(const struct lane *lane)
{
    if (!lane->group->exit_eof || lane->batch.range_count == 0)
        return false;
    for (size_t i = 0; i < lane->partition_count; i++)
        if (!lane->partition[i].caught_up)
            return false;
    return true;
}

/* At the end of the log nothing is written: that it is still there is told once a second. */
static void note_fine(struct lane *lane, int64_t now_ms)
{
    if (!lane->counted_caught_up || now_ms - lane->fine_ms < 1000)
        return;
    lane->fine_ms = now_ms;
    health_fine(lane->group->health, lane->number);
}

static void turn(struct lane *lane)
{
    struct kafka_message message;
    struct err err;
    int64_t now_ms = clock_monotonic_ms();

    err_clear(&err);
    if (lane->assigned && !lane->active && now_ms >= lane->retry_at_ms)
        lane_activate(lane);
    consumer_poll(lane->consumer, poll_timeout_ms(lane, now_ms), &message);
    /* After the poll: prices loaded while it waited are those of the message that ended it. */
    if (lane->active && lane->batch.range_count == 0 && !lane_take_book(lane, &err))
        lane_recover(lane, &err);
    serve(lane, &message);
    consumer_release(&message);
    if (batch_due(lane, message.kind == POLL_MESSAGE ? now_ms : clock_monotonic_ms()) ||
        flush_early(lane))
        lane_flush(lane);
    lane_look(lane, now_ms);
    note_caught_up(lane);
    note_fine(lane, now_ms);
    if (lane->number == 0 && atomic_load_explicit(&lane->group->rejoin, memory_order_relaxed) &&
        atomic_exchange(&lane->group->rejoin, false))
        lane_rejoin(lane);
}

static bool lane_connect(struct lane *lane)
{
    struct err err = {0};
    char id[128];
    while (!atomic_load(&lane->group->stop)) {
        err_clear(&err);
        if (consumer_cluster_id(lane->consumer, 1000, id, sizeof(id), &err)) {
            writer_set_cluster_id(lane->writer, id);
            return true;
        }
        log_warn("%s", err.text);
    }
    return false;
}

static void *lane_main(void *context)
{
    struct lane *lane = context;
    struct lane_group *group = lane->group;
    char prefix[32];

    snprintf(prefix, sizeof(prefix), "lane %u", lane->number);
    log_set_prefix(prefix);
    if (lane_connect(lane) && consumer_subscribe(lane->consumer, &lane->err)) {
        health_state(group->health, lane->number, LANE_UNASSIGNED, 0, NULL);
        while (!atomic_load(&group->stop) && lane->err.kind == ERR_NONE)
            turn(lane);
        if (lane->active && lane->err.kind == ERR_NONE)
            lane_flush(lane);
    }
    if (lane->err.kind != ERR_NONE) {
        log_error("%s", lane->err.text);
        int expected = 0;
        atomic_compare_exchange_strong(&group->exit_code, &expected, err_exit_code(lane->err.kind));
        atomic_fetch_add(&group->failed, 1);
    }
    consumer_close(lane->consumer);
    lane->consumer = NULL;
    return NULL;
}

/* --- life ----------------------------------------------------------------------------------- */

static void lane_free(struct lane *lane)
{
    if (!lane)
        return;
    consumer_close(lane->consumer);
    writer_free(lane->writer);
    pricer_free(lane->pricer);
    if (lane->book)
        book_release(lane->group->books, lane->book);
    for (size_t i = 0; lane->mapper && i < lane->group->topics->count; i++)
        mapper_free(lane->mapper[i]);
    free(lane->mapper);
    batch_free(&lane->batch);
    lane_partitions_free(lane);
    free(lane);
}

static bool open_consumer(struct lane *lane, struct err *err)
{
    const struct lane_group *group = lane->group;
    struct consumer_options options = {
        .property = group->config->kafka,
        .property_count = group->config->kafka_count,
        .topic = group->topics->pattern,
        .topic_count = group->topics->count,
        .lanes = group->lane_count,
        .handler = {lane_on_assigned, lane_on_revoked, lane_on_told},
        .context = lane,
    };
    lane->consumer = consumer_new(&options, err);
    return lane->consumer != NULL;
}

static bool open_writer(struct lane *lane, struct err *err)
{
    const struct config *config = lane->group->config;
    char name[64];
    snprintf(name, sizeof(name), "spendlog lane %u", lane->number);
    struct writer_options options = {
        .conninfo = config->postgres,
        .group_id = config_kafka(config, "group.id"),
        .application_name = name,
        .lock_timeout_ms = 2000,
        .statement_timeout_ms = 30000,
        .tell_retention = lane->number == 0,
        .retain_days = config->retain_days,
        .payload_keys = config_sealing(config),
        .stop = &lane->group->stop,
    };
    lane->writer = writer_new(&options);
    return lane->writer ? true : err_set(err, ERR_FATAL, "out of memory");
}

struct lane *lane_start(struct lane_group *group, unsigned number, struct err *err)
{
    struct lane *lane = calloc(1, sizeof(*lane));
    if (!lane) {
        err_set(err, ERR_FATAL, "out of memory");
        return NULL;
    }
    lane->group = group;
    lane->number = number;
    batch_init(&lane->batch, BATCH_ARENA_MAX, group->config->retain_days,
               group->config->future_days);
    lane->mapper = calloc(group->topics->count, sizeof(struct mapper *));
    bool ok = lane->mapper && open_writer(lane, err) && open_consumer(lane, err);
    for (size_t i = 0; ok && i < group->topics->count; i++)
        ok = (lane->mapper[i] = mapper_new(group->topics->topic[i].mappings)) != NULL;
    if (ok && pthread_create(&lane->thread, NULL, lane_main, lane) == 0)
        return lane;
    err_set(err, ERR_FATAL, "lane %u: cannot start", number);
    lane_free(lane);
    return NULL;
}

void lane_join(struct lane *lane)
{
    pthread_join(lane->thread, NULL);
    lane_free(lane);
}
