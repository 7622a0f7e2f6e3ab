/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/retry.h"

#include "cli/place.h"
#include "cli/privacy.h"
#include "cli/topics.h"
#include "store/writer.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_MAX_BYTES (64u << 20)
#define BATCH_ROWS 5000
#define BOOK_JSON_MAX (256u << 20)

/* A partition met in the list. */
struct place {
    struct place *next;
    struct partition_state state;
    struct mapper *mapper; /* NULL: no topic of the configuration reads it */
    char topic[];
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
    const struct rejected_event *event; /* being tried */
    unsigned range;
    struct err *err;
};

static struct place *place_of(struct retry *retry, const struct rejected_event *event)
{
    for (struct place *place = retry->places; place; place = place->next)
        if (place->state.id == event->partition_id)
            return place;
    struct place *place = calloc(1, sizeof(*place) + event->topic.bytes + 1);
    if (!place)
        return NULL;
    memcpy(place->topic, event->topic.p, event->topic.bytes);
    place->state.id = event->partition_id;
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

static bool resolve(struct retry *retry, bool skipped)
{
    const struct rejected_event *event = retry->event;
    struct batch_range *range = &retry->batch.range[retry->range];
    struct batch_resolved resolved = {retry->range, event->kafka_offset, event->record_index,
                                      skipped};
    if (!batch_add_resolved(&retry->batch, &resolved, retry->err))
        return false;
    range->rejected--;
    range->skipped += skipped;
    range->rows += !skipped;
    return true;
}

static bool add_row(struct retry *retry, const struct record *record)
{
    struct event event = *record->event;
    struct charge charge;
    struct row_origin origin = {retry->range, retry->event->kafka_offset,
                                retry->event->record_index, retry->book_id};
    struct implausible why;
    struct err refused = {0};
    if (!event.has_identity)
        place_identity(&event, retry->event->cluster, retry->batch.range[retry->range].state,
                       origin.kafka_offset, origin.record_index);
    privacy_apply(&retry->config->privacy, &event, &retry->batch.arena);
    pricer_price(retry->pricer, &event.facts, &charge, NULL);
    return sanity_holds(&retry->config->limits, &event.facts, &charge, &why) &&
           batch_add_row(&retry->batch, &event, &charge, &origin, &refused);
}

static void on_record(const struct record *record, void *context)
{
    struct retry *retry = context;
    if (record->index != retry->event->record_index || retry->err->kind != ERR_NONE)
        return;
    if (record->outcome == RECORD_SKIPPED) {
        retry->counts->skipped += resolve(retry, true);
    } else if (record->outcome == RECORD_EVENT && add_row(retry, record)) {
        retry->counts->rows += resolve(retry, false);
    } else {
        retry->counts->still_rejected++;
    }
}

static bool flush(struct retry *retry)
{
    struct batch *batch = &retry->batch;
    bool ok = batch->resolved_count == 0 || (writer_connect(retry->writer, retry->err) &&
                                             writer_commit(retry->writer, batch, retry->err));
    batch_reset(batch);
    batch->retry = true;
    return ok;
}

static bool try_event(const struct rejected_event *event, void *context)
{
    struct retry *retry = context;
    struct place *place = place_of(retry, event);
    if (!place)
        return !err_set(retry->err, ERR_FATAL, "out of memory");
    retry->counts->tried++;
    if (!event->has_payload || !place->mapper) {
        retry->counts->without_payload++;
        return true;
    }
    int64_t time_us = event->message_ms > 0 ? event->message_ms * 1000 : event->rejected_at_us;
    struct message message = {.bytes = event->payload, .kafka_time_us = time_us};
    retry->event = event;
    retry->range = batch_range_of(&retry->batch, &place->state);
    mapper_read(place->mapper, &message, &retry->batch.arena, on_record, retry);
    if (retry->err->kind != ERR_NONE)
        return false;
    if (retry->batch.row_count < BATCH_ROWS && retry->batch.arena.used_bytes < ARENA_MAX_BYTES / 2)
        return true;
    return flush(retry);
}

static bool writer_ready(struct retry *retry, const struct book *book)
{
    struct buf json;
    struct writer_options options = {
        .conninfo = retry->config->postgres,
        .group_id = config_kafka(retry->config, "group.id"),
        .application_name = "spendlog-retry",
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
    batch_init(&retry.batch, ARENA_MAX_BYTES, (int)config->retain_days, (int)config->future_days);
    retry.batch.retry = true;
    retry.pricer = pricer_new(book);
    bool ok = retry.pricer && writer_ready(&retry, book) &&
              rejected_list(config->postgres, &open, try_event, &retry, err) &&
              err->kind == ERR_NONE && flush(&retry);
    pricer_free(retry.pricer);
    writer_free(retry.writer);
    batch_free(&retry.batch);
    places_free(&retry);
    topics_free(&topics);
    return ok;
}
