/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows and rejected records are encoded as they come. What cannot be stored as text is made fit
 * here, and a start time that is out of range is refused before anything is added.
 */
#include "store/batch.h"

#include "core/clock.h"
#include "core/flags.h"
#include "core/hash.h"
#include "core/must.h"
#include "core/shortage.h"
#include "core/utf8.h"
#include "store/row.h"
#include "store/row_digest.h"

#include <stdlib.h>

#define DETAIL_BYTES_MAX 1000
#define FIELD_BYTES_MAX 500

void batch_times(int retain_days, int future_days, int64_t now_us, int64_t *min_us, int64_t *max_us)
{
    *min_us = retain_days ? now_us - retain_days * CLOCK_DAY_US : 0;
    *max_us = now_us + future_days * CLOCK_DAY_US;
}

/* Taken when a batch begins, not when the last one ended: a lane may have been idle for days. */
static void take_time(struct batch *batch)
{
    int64_t now_us = clock_now_us();
    batch_times(batch->retain_days, batch->future_days, now_us, &batch->time_min_us,
                &batch->time_max_us);
    MUST(batch->time_min_us < batch->time_max_us, batch->time_min_us, batch->time_max_us);
}

void batch_init(struct batch *batch, size_t arena_bytes, int retain_days, int future_days)
{
    memset(batch, 0, sizeof(*batch));
    MUST(retain_days >= 0 && future_days >= 0, retain_days, future_days);
    arena_init(&batch->arena, arena_bytes);
    buf_init(&batch->encoded, BATCH_BYTES_MAX);
    row_words_init(&batch->words);
    sums_init(&batch->sums, BATCH_BYTES_MAX);
    batch->range = malloc(BATCH_PARTITIONS_MAX * sizeof(*batch->range));
    if (!batch->range)
        abort(); /* 400 KB, once per lane, at start */
    batch->retain_days = retain_days;
    batch->future_days = future_days;
    batch_reset(batch);
}

void batch_reset(struct batch *batch)
{
    MUST(batch->row_count <= batch->row_capacity, batch->row_count, batch->row_capacity);
    MUST(batch->range_count <= BATCH_PARTITIONS_MAX, batch->range_count);
    arena_reset(&batch->arena);
    buf_reset(&batch->encoded);
    row_words_reset(&batch->words);
    sums_reset(&batch->sums);
    batch->row_count = 0;
    batch->reject_count = 0;
    batch->resolved_count = 0;
    batch->retry = false;
    batch->range_count = 0;
    batch->last_range = 0;
    memset(batch->skipped_by_reason, 0, sizeof(batch->skipped_by_reason));
    batch->can_read_again = batch->keep_messages = batch->messages_wanted = false;
    batch->message_count = 0;
    batch->refused = 0;
    batch->book_id[0] = '\0';
}

void batch_free(struct batch *batch)
{
    arena_free(&batch->arena);
    buf_free(&batch->encoded);
    row_words_free(&batch->words);
    sums_free(&batch->sums);
    free(batch->rows);
    free(batch->rejects);
    free(batch->resolved);
    free(batch->messages);
    free(batch->range);
}

size_t batch_held_bytes(const struct batch *batch)
{
    return batch->arena.held_bytes + batch->encoded.capacity + batch->sums.texts.held_bytes +
           batch->row_capacity * sizeof(*batch->rows);
}

/* Room for one more element; the array at *items keeps its memory over resets. */
static bool grow(void **items, size_t count, size_t *capacity, size_t item_bytes, size_t most)
{
    MUST(count <= *capacity && *capacity <= most, count, *capacity, most);
    if (count < *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * 2 : 64;
    if (wanted > most)
        wanted = most;
    if (wanted <= count)
        return false;
    void *larger = realloc(*items, wanted * item_bytes);
    if (!larger) {
        shortage_note();
        return false;
    }
    *items = larger;
    *capacity = wanted;
    return true;
}

unsigned batch_range_of(struct batch *batch, struct partition_state *state)
{
    if (batch->last_range < batch->range_count && batch->range[batch->last_range].state == state)
        return batch->last_range;
    for (unsigned i = 0; i < batch->range_count; i++)
        if (batch->range[i].state == state)
            return batch->last_range = i;

    MUST(state->next_offset >= 0 && state->id >= 0, state->next_offset, state->id);
    if (batch->range_count == 0)
        take_time(batch);
    MUST(batch->range_count < BATCH_PARTITIONS_MAX,
         batch->range_count); /* the lane writes it before */
    batch->range[batch->range_count] = (struct batch_range){
        .state = state,
        .first_offset = state->next_offset,
        .next_offset = state->next_offset,
        .first_index = state->next_index,
        .next_index = state->next_index,
        .last_time_ms = state->last_time_ms,
        .last_hash = state->last_hash,
        .last = state->last,
        .mappings = state->mappings,
    };
    return batch->last_range = (unsigned)batch->range_count++;
}

bool batch_time_holds(int64_t min_us, int64_t max_us, int64_t start_us, struct err *err)
{
    if (start_us >= min_us && start_us <= max_us)
        return true;
    return err_set(err, ERR_INPUT, "start time %lld s since 1970 is outside %lld to %lld",
                   (long long)(start_us / 1000000), (long long)(min_us / 1000000),
                   (long long)(max_us / 1000000));
}

static void keep_book_id(struct batch *batch, const char *id)
{
    if (batch->book_id[0] == '\0') {
        MUST(strlen(id) == sizeof(batch->book_id) - 1);
        memcpy(batch->book_id, id, sizeof(batch->book_id));
    }
    MUST(memcmp(batch->book_id, id, sizeof(batch->book_id) - 1) == 0);
}

bool batch_add_row(struct batch *batch, const struct event *event, const struct charge *charge,
                   const struct row_origin *origin, struct err *err)
{
    const struct row_place place = {batch->range[origin->range].state->id, origin->kafka_offset,
                                    origin->record_index};
    size_t offset = batch->encoded.bytes;
    unsigned figures;
    void *rows = batch->rows;

    MUST(event->has_identity);
    MUST(origin->range < batch->range_count, origin->range, batch->range_count);
    MUST(origin->message <= batch->message_count, origin->message, batch->message_count);
    MUST(charge->status < CHARGE_STATUS_COUNT && charge->reason < REASON_COUNT, charge->status,
         charge->reason);
    MUST(batch->sums.row_count == batch->row_count, batch->sums.row_count, batch->row_count);
    if (facts_has(&event->facts, FACT_STARTED_AT) &&
        !batch_time_holds(batch->time_min_us, batch->time_max_us, event->facts.v[FACT_STARTED_AT].i,
                          err))
        return false;
    if (!grow(&rows, batch->row_count, &batch->row_capacity, sizeof(*batch->rows),
              BATCH_RECORDS_MAX))
        return err_set(err, ERR_FATAL, "the batch is full");
    batch->rows = rows;
    unsigned words[WORDS_COUNT] = {0};
    bool lean = row_words_take(&batch->words, event, words);
    if (!(lean ? row_encode_lean : row_encode)(&batch->encoded, event, charge, &place, err))
        return false;
    if (!sums_take(&batch->sums, event, charge, lean ? words : NULL, &figures)) {
        batch->encoded.bytes = offset;
        return err_set(err, ERR_FATAL, "the batch is full");
    }
    keep_book_id(batch, origin->price_book_id);
    MUST(batch->encoded.bytes > offset && buf_ok(&batch->encoded), batch->encoded.bytes, offset);

    struct batch_row *row = &batch->rows[batch->row_count++];
    *row = (struct batch_row){
        .start_time_us = event->facts.v[FACT_STARTED_AT].i,
        .content_hash = event->content_hash,
        .labels_digest = lean ? row_words_digest(&batch->words, words) : row_digest_labels(event),
        .offset = offset,
        .bytes = batch->encoded.bytes - offset,
        .lean = lean,
        .words = {words[WORDS_CALL], words[WORDS_CALLER]},
        .range = origin->range,
        .kafka_offset = origin->kafka_offset,
        .record_index = origin->record_index,
        .time_not_own = event->time_source == TIME_KAFKA,
        .status = charge->status,
        .spend = charge->has_spend ? charge->spend : (struct money){0},
        .flagged = ((event->flags | charge->flags) & ~READING_MASK) != 0,
        .doubtful = ((event->flags | charge->flags) & flags_of_doubt) != 0,
        .message = origin->message,
        .figures = figures,
        .mapping = event->mapping,
    };
    memcpy(row->identity, event->identity, sizeof(row->identity));
    return true;
}

/* A message about broken bytes may quote them: PostgreSQL would refuse it, and with it the batch.
 */
static struct slice clean_text(struct arena *batch, struct slice text, size_t most)
{
    size_t capacity = (text.bytes < most ? text.bytes : most) + 1;
    char *to = arena_alloc(batch, capacity);
    if (!to)
        return SLICE("");
    utf8_mend(to, capacity, text);
    return slice_of(to);
}

bool batch_add_reject(struct batch *batch, const struct batch_reject *reject, struct err *err)
{
    void *rejects = batch->rejects;
    MUST(reject->range < batch->range_count, reject->range, batch->range_count);
    MUST(reject->reason > REASON_NONE && reject->reason < REASON_COUNT, reject->reason);
    if (!grow(&rejects, batch->reject_count, &batch->reject_capacity, sizeof(*batch->rejects),
              BATCH_RECORDS_MAX))
        return err_set(err, ERR_FATAL, "the batch is full");
    batch->rejects = rejects;

    struct batch_reject *kept = &batch->rejects[batch->reject_count++];
    *kept = *reject;
    kept->detail = clean_text(&batch->arena, reject->detail, DETAIL_BYTES_MAX);
    kept->field = clean_text(&batch->arena, reject->field, FIELD_BYTES_MAX);
    if (reject->payload.bytes)
        kept->payload = arena_slice(&batch->arena, reject->payload);
    kept->envelope = (struct slice){NULL, 0};
    if (kept->payload.p && reject->envelope.bytes) {
        kept->envelope = arena_slice(&batch->arena, reject->envelope);
        if (!kept->envelope.p) /* a retry without it would read another event */
            kept->payload = (struct slice){NULL, 0};
    }
    return true;
}

unsigned batch_keep_message(struct batch *batch, struct slice value, struct slice envelope,
                            int64_t time_ms, bool payload)
{
    struct arena *arena = &batch->arena;
    void *messages = batch->messages;
    MUST(batch->message_count <= batch->message_capacity, batch->message_count,
         batch->message_capacity);
    if (!grow(&messages, batch->message_count, &batch->message_capacity, sizeof(*batch->messages),
              BATCH_RECORDS_MAX))
        return 0;
    batch->messages = messages;
    struct batch_message *message = &batch->messages[batch->message_count++];
    *message =
        (struct batch_message){.time_ms = time_ms, .hash = hash_xxh64(value), .bytes = value.bytes};
    /* An eighth of the arena stays for the records that are yet to be read. */
    if (payload && arena->used_bytes + value.bytes + envelope.bytes <=
                       arena->ceiling_bytes - arena->ceiling_bytes / 8) {
        if (envelope.bytes)
            message->envelope = arena_slice(arena, envelope);
        if (!envelope.bytes || message->envelope.p)
            message->payload = arena_slice(arena, value);
    }
    return (unsigned)batch->message_count;
}

bool batch_add_resolved(struct batch *batch, const struct batch_resolved *resolved, struct err *err)
{
    void *list = batch->resolved;
    MUST(batch->retry);
    MUST(resolved->range < batch->range_count, resolved->range, batch->range_count);
    if (!grow(&list, batch->resolved_count, &batch->resolved_capacity, sizeof(*batch->resolved),
              BATCH_RECORDS_MAX))
        return err_set(err, ERR_FATAL, "the batch is full");
    batch->resolved = list;
    batch->resolved[batch->resolved_count++] = *resolved;
    return true;
}
