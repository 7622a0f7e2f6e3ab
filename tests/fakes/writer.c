/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offset rows are an array with compare-and-set; written rows leave their places in another one,
 * which a test reads.
 */
#include "tests/fakes/writer.h"

#include "tests/fakes/kafka.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct writer {
    char cluster_id[64];
    char book[65];
};

struct fake_writer fake_writer;
static struct fake_offsets offsets[FAKE_PARTITIONS];

void fake_writer_reset(void)
{
    free(fake_writer.place);
    fake_writer = (struct fake_writer){0};
    memset(offsets, 0, sizeof(offsets));
}

struct fake_offsets *fake_offsets(int partition)
{
    return &offsets[partition];
}

size_t fake_writer_count(int partition, int64_t offset, unsigned index)
{
    size_t count = 0;
    for (size_t i = 0; i < fake_writer.place_count; i++) {
        const struct fake_place *p = &fake_writer.place[i];
        count += p->partition == partition && p->offset == offset && p->index == index;
    }
    return count;
}

/* --- life ----------------------------------------------------------------------------------- */

struct writer *writer_new(const struct writer_options *options)
{
    snprintf(fake_writer.member, sizeof(fake_writer.member), "%s",
             options->member ? options->member : "");
    return calloc(1, sizeof(struct writer));
}

void writer_free(struct writer *writer)
{
    free(writer);
}

void writer_set_cluster_id(struct writer *writer, const char *cluster_id)
{
    snprintf(writer->cluster_id, sizeof(writer->cluster_id), "%s", cluster_id);
}

const char *writer_cluster_id(const struct writer *writer)
{
    return writer->cluster_id;
}

bool writer_connect(struct writer *writer, struct err *err)
{
    (void)writer;
    fake_writer.connects++;
    if (fake_writer.misconfigured)
        return err_set(err, ERR_CONFIG, "no such role");
    if (fake_writer.away == 0)
        return true;
    fake_writer.away--;
    return err_set(err, ERR_UNAVAILABLE, "no server");
}

void writer_forget(struct writer *writer)
{
    fake_writer.forgets++;
    writer->book[0] = '\0';
}

bool writer_put_book(struct writer *writer, const char *book_id, struct slice json, struct err *err)
{
    assert(json.bytes > 0);
    if (fake_writer.fail_put_book > 0) {
        fake_writer.fail_put_book--;
        return err_set(err, ERR_UNAVAILABLE, "the server is gone");
    }
    fake_writer.books++;
    fake_writer.loses_book = false;
    snprintf(writer->book, sizeof(writer->book), "%s", book_id);
    return true;
}

bool writer_has_book(const struct writer *writer, const char *book_id)
{
    return !fake_writer.loses_book && strcmp(writer->book, book_id) == 0;
}

/* --- offset rows ---------------------------------------------------------------------------- */

static int64_t id_of(int32_t partition)
{
    return 1 + partition + (int64_t)offsets[partition].incarnation * FAKE_PARTITIONS;
}

static void state_fill(struct partition_state *state, int32_t partition)
{
    const struct fake_offsets *row = &offsets[partition];
    state->partition = partition;
    state->id = row->known ? id_of(partition) : 0;
    if (!row->known)
        return;
    state->incarnation = row->incarnation;
    state->first_offset = row->first;
    state->next_offset = row->next;
    state->next_index = row->next_index;
    state->last_time_ms = row->last_time_ms;
    state->last_hash = row->last_hash;
    state->last = row->last;
    state->mappings = row->mappings;
}

static void row_begin(struct fake_offsets *row, int64_t at)
{
    row->known = true;
    row->first = row->next = at;
    row->next_index = 0;
    row->last_time_ms = -1;
    row->last_hash = 0;
    row->last = (struct last_messages){.from = at};
}

bool writer_offset_load(struct writer *writer, const char *topic, int32_t partition,
                        int64_t start_offset, struct partition_state *state, struct err *err)
{
    assert(strcmp(topic, FAKE_TOPIC) == 0);
    if (!writer_connect(writer, err))
        return false;
    if (!offsets[partition].known && start_offset >= 0)
        row_begin(&offsets[partition], start_offset);
    state_fill(state, partition);
    return true;
}

bool writer_topic_begin(struct writer *writer, const char *topic, const int64_t start[],
                        size_t count, struct err *err)
{
    assert(strcmp(topic, FAKE_TOPIC) == 0 && count <= FAKE_PARTITIONS);
    if (!writer_connect(writer, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!offsets[i].known)
            row_begin(&offsets[i], start[i]);
    return true;
}

bool writer_topic_known(struct writer *writer, const char *topic, bool *known, struct err *err)
{
    (void)writer;
    (void)topic;
    (void)err;
    *known = false;
    for (int i = 0; i < FAKE_PARTITIONS; i++)
        *known |= offsets[i].known;
    return true;
}

bool writer_offset_gap(struct writer *writer, struct partition_state *state, bool new_incarnation,
                       int64_t next_offset, const char *why, struct err *err)
{
    struct fake_offsets *row = &offsets[state->partition];
    (void)writer;
    assert(why[0]);
    if (state->id != id_of(state->partition) || row->next != state->next_offset)
        return err_set(err, ERR_RETRY, "the offset row is elsewhere");
    int64_t first = row->first;
    row_begin(row, next_offset);
    row->last.from = 0;
    if (new_incarnation)
        row->incarnation++;
    else
        row->first = first;
    fake_writer.gaps++;
    state_fill(state, state->partition);
    return true;
}

bool writer_offsets_stand(struct writer *writer, struct partition_state *const state[],
                          size_t count, bool *stand, struct err *err)
{
    if (!writer_connect(writer, err))
        return false;
    *stand = true;
    for (size_t i = 0; i < count; i++) {
        const struct fake_offsets *row = &offsets[state[i]->partition];
        *stand &= row->known && id_of(state[i]->partition) == state[i]->id &&
                  row->next >= state[i]->next_offset;
    }
    return true;
}

bool writer_setback(struct writer *writer, const struct partition_state *state,
                    int64_t known_offset, struct err *err)
{
    (void)writer;
    assert(known_offset > state->next_offset);
    if (fake_writer.fail_setback > 0) {
        fake_writer.fail_setback--;
        return err_set(err, ERR_UNAVAILABLE, "the server is gone");
    }
    fake_writer.setbacks++;
    return true;
}

/* --- batches -------------------------------------------------------------------------------- */

static bool stands_where_it_began(const struct batch_range *range)
{
    const struct fake_offsets *row = &offsets[range->state->partition];
    return row->known && id_of(range->state->partition) == range->state->id &&
           row->next == range->first_offset && row->next_index == range->first_index;
}

static void place_add(const struct batch *batch, unsigned range, int64_t offset, unsigned index,
                      bool rejected)
{
    const struct partition_state *state = batch->range[range].state;
    struct fake_place *more =
        realloc(fake_writer.place, (fake_writer.place_count + 1) * sizeof(*more));
    assert(more);
    fake_writer.place = more;
    more[fake_writer.place_count++] =
        (struct fake_place){state->partition, state->incarnation, offset, index, rejected, 0, 0};
}

static void write(const struct batch *batch)
{
    for (size_t i = 0; i < batch->row_count; i++)
        place_add(batch, batch->rows[i].range, batch->rows[i].kafka_offset,
                  batch->rows[i].record_index, false);
    for (size_t i = 0; i < batch->reject_count; i++) {
        place_add(batch, batch->rejects[i].range, batch->rejects[i].kafka_offset,
                  batch->rejects[i].record_index, true);
        struct fake_place *last = &fake_writer.place[fake_writer.place_count - 1];
        last->message_bytes = batch->rejects[i].payload.bytes;
        last->envelope_bytes = batch->rejects[i].envelope.bytes;
    }
    for (size_t i = 0; i < batch->range_count; i++) {
        const struct batch_range *range = &batch->range[i];
        struct fake_offsets *row = &offsets[range->state->partition];
        row->next = range->next_offset;
        row->next_index = range->next_index;
        row->mappings = range->mappings;
        if (range->messages > 0 || range->next_index > 0) {
            row->last_time_ms = range->last_time_ms;
            row->last_hash = range->last_hash;
            row->last = range->last;
        }
    }
}

/* records = rows + rejected + skipped, for what the batch says of itself. */
static void check_counts(const struct batch *batch)
{
    int64_t rows = 0, rejected = 0;
    for (size_t i = 0; i < batch->range_count; i++) {
        rows += batch->range[i].rows;
        rejected += batch->range[i].rejected;
    }
    assert((size_t)rows == batch->row_count && (size_t)rejected == batch->reject_count);
}

/* Rejected records that could be read: offsets stay. */
static bool retry_commit(struct batch *batch, enum fake_commit what, struct err *err)
{
    if (what != COMMIT_DONE)
        return err_set(err, ERR_UNAVAILABLE, "the connection broke");
    fake_writer.commits++;
    for (size_t i = 0; i < batch->row_count; i++)
        place_add(batch, batch->rows[i].range, batch->rows[i].kafka_offset,
                  batch->rows[i].record_index, false);
    for (size_t i = 0; i < batch->reject_count; i++)
        place_add(batch, batch->rejects[i].range, batch->rejects[i].kafka_offset,
                  batch->rejects[i].record_index, true);
    for (size_t i = 0; i < batch->resolved_count; i++)
        batch->resolved[i].resolution = batch->resolved[i].skipped ? "skipped" : "row";
    return true;
}

bool writer_commit(struct writer *writer, struct batch *batch, struct err *err)
{
    enum fake_commit what = fake_writer.next_commit;
    (void)writer;
    fake_writer.next_commit = COMMIT_DONE;
    if (batch->retry)
        return retry_commit(batch, what, err);
    fake_writer.keeps_batch = batch->keep_messages;
    check_counts(batch);
    for (size_t i = 0; i < batch->range_count; i++)
        if (what == COMMIT_FENCED || !stands_where_it_began(&batch->range[i]))
            return err_set(err, ERR_RETRY, "fenced: the offset row is elsewhere");
    if (what == COMMIT_REFUSED)
        return err_set(err, ERR_CONFIG, "permission denied");
    if (fake_writer.refuses > 0) {
        fake_writer.refuses--;
        return err_set(err, ERR_INPUT, "violates check constraint \"of_somebody\"");
    }
    batch->messages_wanted = what == COMMIT_WANTS_MESSAGES;
    if (batch->messages_wanted)
        return err_set(err, ERR_RETRY, "a row is refused: its message is wanted");
    if (what == COMMIT_CUT)
        return err_set(err, ERR_UNAVAILABLE, "the connection broke");
    write(batch);
    fake_writer.commits++;
    if (what == COMMIT_ANSWER_LOST)
        return err_set(err, ERR_UNAVAILABLE, "the connection broke");
    for (size_t i = 0; i < batch->row_count; i++)
        batch->range[batch->rows[i].range].by_status[batch->rows[i].status]++;
    for (size_t i = 0; i < batch->range_count; i++)
        state_fill(batch->range[i].state, batch->range[i].state->partition);
    return true;
}

void writer_idle(struct writer *writer)
{
    (void)writer;
}

void writer_caches(const struct writer *writer, struct writer_caches *caches)
{
    (void)writer;
    *caches = (struct writer_caches){.recent_keys = fake_writer.place_count};
}

bool writer_database_state(struct writer *writer, struct database_state *state, struct err *err)
{
    (void)writer;
    (void)err;
    *state = (struct database_state){.sums_deltas = 3, .sums_merged_age_us = 1000000};
    return true;
}
