/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message into the batch: its records are mapped, priced, judged and encoded one by one. A
 * message that does not fit into its batch is split between two records: each part is a batch, and
 * the place between them, (offset, index), is stored like every other.
 */
#include "run/lane_impl.h"

#include "core/clock.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/must.h"
#include "run/place.h"
#include "run/privacy.h"
#include "run/topics.h"

#define BATCH_PART_BYTES (24u << 20) /* of encoded rows: BATCH_BYTES_MAX less a large row */
#define PAYLOAD_KEPT_MAX (8u << 20)

struct record_context {
    struct lane *lane;
    struct lane_partition *partition;
    const struct kafka_message *message;
    struct err *err; /* set: the lane cannot go on */
    unsigned range;
    unsigned kept;       /* batch_keep_message() */
    unsigned next_index; /* of the record that comes next */
    bool split;          /* the batch is full before the end of the message */
    bool payload_kept, hashed;
    uint64_t hash; /* of the message, once hashed */
};

static struct slice envelope_bytes(struct record_context *rc)
{
    struct buf *bytes = &rc->lane->envelope;
    if (bytes->bytes == 0 && buf_ok(bytes) && !envelope_is_empty(&rc->message->envelope))
        envelope_write(&rc->message->envelope, bytes);
    return buf_ok(bytes) ? buf_slice(bytes) : (struct slice){NULL, 0};
}

/* Mappings read key and headers too: without them a retry would read another event. */
static bool may_be_kept(struct record_context *rc)
{
    envelope_bytes(rc);
    return rc->lane->group->config->payloads != PAYLOADS_DROP && buf_ok(&rc->lane->envelope);
}

/* The first rejected record of a message keeps it, for a retry of all of them: one message of a
 * thousand bad records must not become a thousand messages, nor one that is refused for its size be
 * kept. */
static struct slice payload_keep(struct record_context *rc)
{
    struct slice payload = rc->message->value;
    if (!may_be_kept(rc) || rc->payload_kept || payload.bytes > PAYLOAD_KEPT_MAX)
        return (struct slice){NULL, 0};
    MUST(rc->kept <= rc->lane->batch.message_count, rc->kept, rc->lane->batch.message_count);
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
    struct batch_reject r = {
        .range = rc->range,
        .kafka_offset = rc->message->offset,
        .record_index = record->index,
        .reason = record->reason,
        .mapping = record->mapping,
        .detail = slice_of(record->detail),
        .field = slice_of(record->field),
        .payload = payload_keep(rc),
        .envelope = envelope_bytes(rc),
        .byte = record->byte,
        .time_ms = rc->message->time_ms,
        .payload_hash = message_hash(rc),
        .payload_bytes = rc->message->value.bytes,
    };
    MUST(rc->range < batch->range_count, rc->range, batch->range_count);
    batch->range[rc->range].rejected++;
    if (!batch_add_reject(batch, &r, rc->err))
        mapper_stop(rc->partition->mapper);
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

static bool batch_holds_records(const struct batch *batch)
{
    return batch->row_count + batch->reject_count > 0;
}

/* The batch is written before this record; the message is read again from it on. */
static void split_before(struct record_context *rc, const struct record *record)
{
    MUST(!rc->split && batch_holds_records(&rc->lane->batch), record->index); /* or it never ends */
    rc->split = true;
    rc->next_index = record->index;
    mapper_stop(rc->partition->mapper);
}

/* At debug: which price keys, of which file and line, reached the price of a call. */
static void price_tell(const struct record_context *rc, const struct event *event,
                       const struct charge *charge)
{
    char source[512];
    struct buf keys;
    buf_init(&keys, 65536);
    for (size_t i = 0; i < charge->item_count; i++) {
        rate_source_format(charge->item[i].source, source, sizeof(source));
        buf_printf(&keys, "%s%s", i ? ", " : "", source);
    }
    struct slice id = event->labels.present >> LABEL_REQUEST_ID & 1
                          ? event->labels.v[LABEL_REQUEST_ID].s
                          : (struct slice){"-", 1};
    log_debug("%s/%d/%lld: request " SLICE_FMT ": %s by rule %s, price keys: " SLICE_FMT,
              rc->partition->state.topic, (int)rc->partition->state.partition,
              (long long)rc->message->offset, SLICE_ARG(id), charge_status_name[charge->status],
              charge->rule[0] ? charge->rule : "none", SLICE_ARG(buf_slice(&keys)));
    buf_free(&keys);
}

static void row_added(struct record_context *rc, const struct event *event,
                      const struct charge *charge)
{
    struct batch *batch = &rc->lane->batch;
    struct drift_way apart, *kept;
    MUST(batch->row_count > 0 && batch->rows[batch->row_count - 1].range == rc->range,
         batch->row_count, rc->range);
    batch->range[rc->range].rows++;
    if (log_level_max >= LOG_LEVEL_DEBUG)
        price_tell(rc, event, charge);
    if (!drift_judge(rc->lane->group->drift, &event->facts, charge, &apart))
        return;
    kept = arena_alloc(&batch->arena, sizeof(*kept));
    if (kept)
        *kept = apart;
    batch->rows[batch->row_count - 1].apart = kept;
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
    MUST(lane->pricer != NULL, batch->row_count);
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
    MUST(!rc->split && rc->range < batch->range_count, rc->split, rc->range, batch->range_count);
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

static void last_keep(struct lane_partition *p, const struct kafka_message *message)
{
    struct lane_message *of = &p->last[p->taken++ % LAST_MESSAGES_MAX];
    of->offset = message->offset;
    of->time_ms = message->time_ms;
    buf_reset(&of->value);
    buf_add(&of->value, message->value);
    if (!buf_ok(&of->value))
        of->hash = hash_xxh64(message->value);
}

void lane_batch_begin(struct lane *lane)
{
    if (lane->batch.range_count > 0)
        return;
    MUST(lane->batch.row_count + lane->batch.reject_count == 0, lane->batch.row_count,
         lane->batch.reject_count);
    MUST(!lane->batch.retry && lane->state == LANE_READING, lane->batch.retry, lane->state);
    for (size_t i = 0; i < lane->partition_count; i++)
        lane->partition[i].taken = 0;
    lane->batch_deadline_ms = clock_monotonic_ms() + lane->group->config->batch_wait_ms;
    lane->batch.can_read_again = true;
    lane->batch.keep_messages = lane->keep_messages_left > 0;
}

/* Where the message begins that is to be read now. The number of a record is only good for the
 * mappings that counted: by others the message is read again from its start, and what is stored of
 * it comes as duplicates. */
static unsigned first_index(const struct record_context *rc, struct batch_range *range)
{
    const struct lane_partition *p = rc->partition;
    if (range->next_offset != rc->message->offset)
        return 0;
    if (range->next_index > 0 && range->mappings != 0 &&
        range->mappings != mappings_fingerprint(p->topic->mappings)) {
        log_warn("%s/%d/%lld: %u records of it were read by other mappings than those of now: it "
                 "is read again whole, and what is stored of it counts as duplicates",
                 p->state.topic, (int)p->state.partition, (long long)rc->message->offset,
                 range->next_index);
        range->next_index = 0;
    }
    return range->next_index;
}

/* Reads a message, or what earlier batches left of it, until its end or until the batch is full. */
static void read_part(struct record_context *rc)
{
    struct lane *lane = rc->lane;
    const struct kafka_message *message = rc->message;
    lane_batch_begin(lane);
    rc->range = batch_range_of(&lane->batch, &rc->partition->state);
    struct batch_range *range = &lane->batch.range[rc->range];
    struct message m = topic_message(message);
    MUST(range->state == &rc->partition->state, rc->range);
    m.first_index = first_index(rc, range);
    rc->split = false;
    rc->kept = 0;
    if (lane->batch.keep_messages)
        rc->kept = batch_keep_message(&lane->batch, message->value, envelope_bytes(rc),
                                      message->time_ms, may_be_kept(rc));
    mapper_read(rc->partition->mapper, &m, &lane->batch.arena, on_record, rc);

    MUST(range->next_offset <= message->offset, range->next_offset, message->offset);
    MUST(!rc->split || rc->next_index >= m.first_index, rc->next_index, m.first_index);
    range->messages += !rc->split;
    range->next_offset = message->offset + !rc->split;
    range->next_index = rc->split ? rc->next_index : 0;
    range->mappings = rc->split ? mappings_fingerprint(rc->partition->topic->mappings) : 0;
    range->last_time_ms = message->time_ms;
    last_keep(rc->partition, message);
}

/* The message cannot be read now: what was read before it is written, it is read again later. */
static enum lane_outcome pause_before(struct lane *lane, struct err *err)
{
    struct err refused = {0};
    enum lane_outcome outcome = lane_flush(lane, &refused);
    if (outcome == LANE_FINE)
        return LANE_RECOVER;
    *err = refused;
    return outcome;
}

enum lane_outcome lane_take(struct lane *lane, struct lane_partition *p,
                            const struct kafka_message *message, struct err *err)
{
    struct record_context rc = {.lane = lane, .partition = p, .message = message, .err = err};
    if (!mapper_ready(p->mapper, message->value, err))
        return pause_before(lane, err);
    buf_reset(&lane->envelope);
    lane_batch_begin(lane);
    unsigned range = batch_range_of(&lane->batch, &p->state);
    if (message->offset < lane->batch.range[range].next_offset) {
        log_warn("%s/%d/%lld: came twice", p->state.topic, (int)p->state.partition,
                 (long long)message->offset);
        return LANE_FINE; /* librdkafka before 2.4 may repeat some after a change of assignment */
    }
    p->phase = PARTITION_READING;
    for (read_part(&rc); rc.split && err->kind == ERR_NONE; read_part(&rc)) {
        enum lane_outcome outcome = lane_flush(lane, err);
        if (outcome != LANE_FINE || atomic_load(&lane->group->stop))
            return outcome;
        MUST(p->state.next_offset == message->offset && p->state.next_index == rc.next_index,
             p->state.next_offset, message->offset, p->state.next_index, rc.next_index);
    }
    return err->kind == ERR_NONE ? LANE_FINE : LANE_FATAL;
}
