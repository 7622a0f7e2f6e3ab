/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rejected events are tried message by message: all records of one message at once, which is read
 * and priced as a lane would. What can be read is gathered into batches and written with the counts
 * moved in the same transaction; what came of each record is known after COMMIT.
 */
#include "run/retry.h"

#include "core/hash.h"
#include "core/must.h"
#include "run/place.h"
#include "run/privacy.h"
#include "run/topics.h"
#include "store/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX_BYTES (64u << 20)
#define BATCH_ROWS 5000
#define BATCH_ENCODED_BYTES (24u << 20)
#define PAYLOAD_BYTES_MAX (64u << 20) /* more than any message that is kept */
#define PLACE_BYTES_MAX 1024
#define BOOK_JSON_MAX (256u << 20)

/* A partition met in the list. */
struct place {
    struct place *next;
    struct partition_state state;
    struct mapper *mapper; /* NULL: no topic of the configuration reads it */
    char topic[];
};

/* Rejected records of one message, tried together: it is read once for all of them. */
struct group {
    struct place *place;
    int64_t kafka_offset, message_ms, time_us;
    struct slice cluster; /* in `text`, as the payload */
    struct buf payload, text, envelope;
    unsigned *wanted; /* their indexes, ascending */
    size_t count, capacity, done;
    bool unopened; /* its one record stands for a message that could not be opened */
};

struct retry {
    const struct config *config;
    const struct topics *topics;
    const char *book_id;
    struct pricer *pricer;
    struct writer *writer;
    struct batch batch;
    struct place *places;
    struct retry_counts *counts;
    struct group group;
    unsigned range;         /* of the group, in the batch */
    bool split;             /* the batch is full before the end of the group */
    unsigned next_index;    /* where it goes on then */
    bool opens;             /* the message of an unopened group can be opened now */
    int64_t others_skipped; /* in the batch: of records that were never counted */
    struct err *err;
};

static struct place *place_of(struct retry *retry, const struct rejected_event *event)
{
    for (struct place *place = retry->places; place; place = place->next)
        if (place->state.id == event->partition_id &&
            place->state.created == event->partition_created)
            return place;
    struct place *place = calloc(1, sizeof(*place) + event->topic.bytes + 1);
    if (!place)
        return NULL;
    memcpy(place->topic, event->topic.p, event->topic.bytes);
    place->state.id = event->partition_id;
    place->state.created = event->partition_created;
    place->state.topic = place->topic;
    place->state.partition = event->partition;
    place->state.incarnation = event->incarnation;
    const struct topic *topic = topics_find(retry->topics, place->topic);
    place->mapper = topic ? mapper_new(topic->mappings) : NULL;
    place->next = retry->places;
    retry->places = place;
    return place;
}

static void places_free(struct retry *retry)
{
    while (retry->places) {
        struct place *next = retry->places->next;
        mapper_free(retry->places->mapper);
        free(retry->places);
        retry->places = next;
    }
}

/* --- records into the batch ----------------------------------------------------------------- */

static void resolve(struct retry *retry, unsigned index, bool skipped)
{
    struct batch_range *range = &retry->batch.range[retry->range];
    MUST(retry->range < retry->batch.range_count, retry->range, retry->batch.range_count);
    MUST(retry->batch.retry, index);
    const struct batch_resolved resolved = {.range = retry->range,
                                            .kafka_offset = retry->group.kafka_offset,
                                            .record_index = index,
                                            .skipped = skipped};
    if (!batch_add_resolved(&retry->batch, &resolved, retry->err))
        return;
    range->rejected--;
    range->skipped += skipped;
    range->rows += !skipped;
}

static void refuse(struct record *record, enum reason reason, const char *field, const char *detail)
{
    record->outcome = RECORD_REJECTED;
    record->reason = reason;
    record->field = field;
    record->detail = detail;
    record->byte = -1;
}

/* false: it is a rejected record now; `refused` and `why` hold its texts. */
static bool add_row(struct retry *retry, struct record *record, struct implausible *why,
                    struct err *refused)
{
    const struct group *group = &retry->group;
    struct event event = *record->event;
    struct charge charge;
    const struct row_origin origin = {.range = retry->range,
                                      .kafka_offset = group->kafka_offset,
                                      .record_index = record->index,
                                      .price_book_id = retry->book_id};
    if (!event.has_identity)
        place_identity(&event, group->cluster, retry->batch.range[retry->range].state,
                       origin.kafka_offset, origin.record_index);
    privacy_apply(&retry->config->privacy, &event, &retry->batch.arena);
    pricer_price(retry->pricer, &event.facts, &charge, NULL);
    if (!sanity_holds(&retry->config->limits, &event.facts, &charge, why))
        refuse(record, REASON_IMPLAUSIBLE, why->field, why->detail);
    else if (batch_add_row(&retry->batch, &event, &charge, &origin, refused))
        return true;
    else
        refuse(record, refused->kind == ERR_INPUT ? REASON_TIME_OUT_OF_RANGE : REASON_TOO_LARGE,
               NULL, refused->text);
    return false;
}

static bool batch_holds(const struct retry *retry)
{
    const struct batch *batch = &retry->batch;
    return batch->resolved_count + batch->row_count + batch->reject_count > 0 ||
           retry->others_skipped > 0;
}

static void split_before(struct retry *retry, const struct record *record)
{
    MUST(!retry->split && batch_holds(retry), record->index); /* or it never ends */
    retry->split = true;
    retry->next_index = record->index;
    mapper_stop(retry->group.place->mapper);
}

/* Also of partitions: those of which all stays rejected are counted in it until it is written. */
static bool batch_full(const struct retry *retry)
{
    const struct batch *batch = &retry->batch;
    return batch->row_count >= BATCH_ROWS || batch->resolved_count >= BATCH_ROWS ||
           batch->reject_count >= BATCH_ROWS || batch->range_count == BATCH_PARTITIONS_MAX ||
           batch->encoded.bytes >= BATCH_ENCODED_BYTES ||
           batch->arena.used_bytes >= ARENA_MAX_BYTES / 2 || batch->arena.full;
}

static void on_record(const struct record *record, void *context)
{
    struct retry *retry = context;
    struct group *group = &retry->group;
    struct record read = *record;
    struct implausible why;
    struct err refused = {0};
    MUST(group->done <= group->count && !retry->split, group->done, group->count);
    while (group->done < group->count && group->wanted[group->done] < record->index) {
        group->done++; /* the message has no such record any more */
        retry->counts->still_rejected++;
    }
    if (group->done == group->count || retry->err->kind != ERR_NONE) {
        mapper_stop(group->place->mapper);
        return;
    }
    if (group->wanted[group->done] != record->index)
        return;
    bool may_split = batch_holds(retry);
    if (may_split && batch_full(retry)) {
        split_before(retry, record);
        return;
    }
    if (record->outcome == RECORD_SKIPPED)
        resolve(retry, record->index, true);
    else if (record->outcome == RECORD_EVENT && add_row(retry, &read, &why, &refused))
        resolve(retry, record->index, false);
    else if (refused.kind == ERR_FATAL && may_split)
        split_before(retry, record);
    else
        retry->counts->still_rejected++;
    group->done += !retry->split;
}

/* --- records that were never counted ---------------------------------------------------------- */

/* A message that cannot be opened is one record, whatever it holds. */
static bool is_unopened(const struct rejected_event *event)
{
    static const enum reason reasons[] = {REASON_AVRO_OR_PROTOBUF, REASON_OTLP_PROTOBUF,
                                          REASON_UNKNOWN_SCHEMA, REASON_BAD_ENCODING,
                                          REASON_BAD_PROTOBUF};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (slice_is(event->reason, reason_info[reasons[i]].name))
            return event->record_index == 0;
    return false;
}

static void on_first(const struct record *record, void *context)
{
    struct retry *retry = context;
    retry->opens = record->outcome != RECORD_REJECTED;
    mapper_stop(retry->group.place->mapper);
}

/* The message is kept with its first record. */
static void reject_other(struct retry *retry, const struct record *record)
{
    const struct slice message = buf_slice(&retry->group.payload);
    const struct batch_reject r = {
        .range = retry->range,
        .kafka_offset = retry->group.kafka_offset,
        .record_index = record->index,
        .reason = record->reason,
        .mapping = record->mapping,
        .detail = slice_of(record->detail),
        .field = slice_of(record->field),
        .byte = record->byte,
        .time_ms = retry->group.message_ms,
        .payload_hash = hash_xxh64(message),
        .payload_bytes = message.bytes,
    };
    if (batch_add_reject(&retry->batch, &r, retry->err))
        retry->batch.range[retry->range].rejected++;
    MUST(retry->range < retry->batch.range_count, retry->range, retry->batch.range_count);
}

static void skip_other(struct retry *retry)
{
    retry->batch.range[retry->range].skipped++;
    retry->others_skipped++;
}

static void on_other(const struct record *record, void *context)
{
    struct retry *retry = context;
    struct record read = *record;
    struct implausible why;
    struct err refused = {0};
    bool may_split = batch_holds(retry);
    MUST(record->index > 0 && !retry->split, record->index); /* the first one was counted */
    if (retry->err->kind != ERR_NONE)
        mapper_stop(retry->group.place->mapper);
    else if (may_split && batch_full(retry))
        split_before(retry, record);
    else if (record->outcome == RECORD_SKIPPED)
        skip_other(retry);
    else if (record->outcome == RECORD_EVENT && add_row(retry, &read, &why, &refused))
        retry->batch.range[retry->range].rows++;
    else if (refused.kind == ERR_FATAL && may_split)
        split_before(retry, record);
    else
        reject_other(retry, &read);
}

/* --- the batch into PostgreSQL -------------------------------------------------------------- */

/* What became of the records is known after COMMIT, and counted then. */
static void count_stored(struct retry *retry)
{
    const struct batch *batch = &retry->batch;
    for (size_t i = 0; i < batch->resolved_count; i++) {
        retry->counts->still_rejected += !batch->resolved[i].resolution;
        retry->counts->skipped += batch->resolved[i].skipped;
    }
    MUST(batch->refused <= batch->row_count, batch->refused, batch->row_count);
    for (size_t i = 0; i < batch->row_count; i++)
        retry->counts->rows += batch->rows[i].fate != ROW_REFUSED;
    retry->counts->skipped += retry->others_skipped;
    retry->counts->still_rejected += (long long)batch->reject_count;
}

static bool flush(struct retry *retry)
{
    struct batch *batch = &retry->batch;
    MUST(batch->retry, batch->row_count);
    bool ok = !batch_holds(retry) || (writer_connect(retry->writer, retry->err) &&
                                      writer_commit(retry->writer, batch, retry->err));
    if (ok)
        count_stored(retry);
    batch_reset(batch);
    retry->others_skipped = 0;
    batch->retry = true;
    return ok;
}

/* --- one message ---------------------------------------------------------------------------- */

/* In as many batches as it takes. */
static bool records_read(struct retry *retry, struct message *message, record_fn *on_each)
{
    const struct group *group = &retry->group;
    for (bool more = true; more; more = retry->split) {
        retry->split = false;
        MUST(retry->batch.range_count < BATCH_PARTITIONS_MAX, retry->batch.range_count);
        retry->range = batch_range_of(&retry->batch, &group->place->state);
        mapper_read(group->place->mapper, message, &retry->batch.arena, on_each, retry);
        MUST(!retry->split || retry->next_index >= message->first_index, retry->next_index,
             message->first_index);
        message->first_index = retry->next_index;
        if (retry->err->kind != ERR_NONE || (retry->split && !flush(retry)))
            return false;
    }
    return true;
}

/* Records behind the first of a message that could not be opened. They are stored before it, so
 * that a retry which is killed begins again with them: then they come as duplicates. */
static bool others_read(struct retry *retry, struct message message)
{
    retry->opens = false;
    mapper_read(retry->group.place->mapper, &message, &retry->batch.arena, on_first, retry);
    message.first_index = 1;
    return !retry->opens || (records_read(retry, &message, on_other) && flush(retry));
}

static bool group_try(struct retry *retry)
{
    struct group *group = &retry->group;
    struct header headers[HEADERS_MAX];
    struct message message = {.bytes = buf_slice(&group->payload), .kafka_time_us = group->time_us};
    if (group->count > 0) {
        message.topic = slice_of(group->place->topic);
        message.partition = group->place->state.partition;
        if (!envelope_read(buf_slice(&group->envelope), headers, &message.envelope))
            return err_set(retry->err, ERR_INPUT, "the key and headers of %s/%d/%lld are broken",
                           group->place->topic, (int)message.partition,
                           (long long)group->kafka_offset);
    }
    if (group->count > 0 && !mapper_ready(group->place->mapper, message.bytes, retry->err))
        return false;
    if (group->count > 0 && group->unopened && !others_read(retry, message))
        return false;
    group->done = 0;
    if (group->count > 0 && !records_read(retry, &message, on_record))
        return false;
    MUST(group->done <= group->count, group->done, group->count);
    retry->counts->still_rejected += (long long)(group->count - group->done);
    group->count = 0;
    return !batch_full(retry) || flush(retry);
}

static bool group_begin(struct retry *retry, struct place *place,
                        const struct rejected_event *event)
{
    struct group *group = &retry->group;
    group->place = place;
    group->kafka_offset = event->kafka_offset;
    group->message_ms = event->message_ms;
    group->unopened = is_unopened(event);
    group->time_us = event->message_ms > 0 ? event->message_ms * 1000 : event->rejected_at_us;
    buf_reset(&group->text);
    buf_add(&group->text, event->cluster);
    buf_reset(&group->payload);
    buf_reset(&group->envelope);
    if (event->has_payload) {
        buf_add(&group->payload, event->payload);
        buf_add(&group->envelope, event->envelope);
    }
    group->cluster = buf_slice(&group->text);
    return buf_ok(&group->text) && buf_ok(&group->payload) && buf_ok(&group->envelope);
}

static bool group_add(struct group *group, unsigned index)
{
    if (group->count == group->capacity) {
        size_t capacity = group->capacity ? group->capacity * 2 : 64;
        unsigned *larger = realloc(group->wanted, capacity * sizeof(*larger));
        if (!larger)
            return false;
        group->wanted = larger;
        group->capacity = capacity;
    }
    MUST(group->count == 0 || index > group->wanted[group->count - 1], index, group->count);
    group->wanted[group->count++] = index;
    return true;
}

static void group_free(struct group *group)
{
    buf_free(&group->payload);
    buf_free(&group->envelope);
    buf_free(&group->text);
    free(group->wanted);
}

static bool try_event(const struct rejected_event *event, void *context)
{
    struct retry *retry = context;
    struct group *group = &retry->group;
    struct place *place = place_of(retry, event);
    if (!place)
        return !err_set(retry->err, ERR_FATAL, "out of memory");
    if (place != group->place || event->kafka_offset != group->kafka_offset ||
        (group->count && event->record_index <= group->wanted[group->count - 1])) {
        if (!group_try(retry))
            return false;
        if (!group_begin(retry, place, event))
            return !err_set(retry->err, ERR_FATAL, "out of memory");
    }
    if (event->has_payload && event->locked) {
        retry->counts->locked++;
        snprintf(retry->counts->locked_why, sizeof(retry->counts->locked_why), "%s", event->locked);
        return true;
    }
    retry->counts->tried++;
    if (event->has_payload && place->mapper)
        return group_add(group, event->record_index) ||
               !err_set(retry->err, ERR_FATAL, "out of memory");
    retry->counts->without_payload++;
    return true;
}

static bool writer_ready(struct retry *retry, const struct book *book)
{
    struct buf json;
    struct writer_options options = {
        .conninfo = retry->config->postgres,
        .group_id = config_kafka(retry->config, "group.id"),
        .application_name = "spendlog-retry",
        .payload_keys = config_sealing(retry->config),
    };
    retry->writer = writer_new(&options);
    if (!retry->writer)
        return err_set(retry->err, ERR_FATAL, "out of memory");
    buf_init(&json, BOOK_JSON_MAX);
    bool ok = writer_connect(retry->writer, retry->err) && book_dump(book, &json, retry->err) &&
              writer_put_book(retry->writer, book_id(book), buf_slice(&json), retry->err);
    buf_free(&json);
    return ok;
}

bool retry_run(const struct config *config, const struct book *book,
               const struct rejected_filter *filter, struct retry_counts *counts, struct err *err)
{
    struct topics topics;
    struct retry retry = {
        .config = config,
        .topics = &topics,
        .book_id = book_id(book),
        .counts = counts,
        .err = err,
    };
    struct rejected_filter open = *filter;
    open.group = config_kafka(config, "group.id");
    open.payloads = true;
    open.resolved_too = false;

    if (!topics_open(&topics, config, err))
        return false;
    buf_init(&retry.group.payload, PAYLOAD_BYTES_MAX);
    buf_init(&retry.group.envelope, PAYLOAD_BYTES_MAX);
    buf_init(&retry.group.text, PLACE_BYTES_MAX);
    batch_init(&retry.batch, ARENA_MAX_BYTES, (int)config->retain_days, (int)config->future_days);
    retry.batch.retry = true;
    retry.pricer = pricer_new(book);
    bool ok = retry.pricer && writer_ready(&retry, book) &&
              rejected_left_out(config->postgres, &open, &counts->left, err) &&
              rejected_list(config->postgres, &open, try_event, &retry, err) &&
              err->kind == ERR_NONE && group_try(&retry) && flush(&retry);
    group_free(&retry.group);
    pricer_free(retry.pricer);
    writer_free(retry.writer);
    batch_free(&retry.batch);
    places_free(&retry);
    topics_free(&topics);
    return ok;
}
