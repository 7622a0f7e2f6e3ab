/* SPDX-License-Identifier: Apache-2.0 */
/* links: store pricing ingest
 * Many stored rows out of few events, as `run` would store them: mapped, priced and written.
 *
 *     fill_rows CONNINFO EVENTS ROWS FIRST_DAY DAYS [LITELLM_CONFIG]
 *
 * EVENTS has one message a line. Its events are repeated in turn; start times are spread evenly
 * over the days, everything else of a row is its event's. */
#include "core/clock.h"
#include "ingest/mapping.h"
#include "pricing/book.h"
#include "store/writer.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH_ROWS 10000
#define ARENA_BYTES (256u << 20)
#define BOOK_BYTES (256u << 20)

struct fill {
    struct batch batch;
    struct partition_state partition;
    struct writer *writer;
    struct book *book;
    struct pricer *pricer;
    struct mapper *mapper;
    int64_t first_us, step_us, row;
    struct err err;
};

static bool row_add(struct fill *fill, const struct event *from)
{
    struct charge charge;
    struct event event = *from;
    struct batch_range *range = &fill->batch.range[batch_range_of(&fill->batch, &fill->partition)];
    int64_t length_us =
        facts_has(&event.facts, FACT_ENDED_AT) && facts_has(&event.facts, FACT_STARTED_AT)
            ? facts_int(&event.facts, FACT_ENDED_AT) - facts_int(&event.facts, FACT_STARTED_AT)
            : 0;
    int64_t start_us = fill->first_us + fill->row * fill->step_us;
    facts_set_int(&event.facts, FACT_STARTED_AT, start_us);
    if (facts_has(&event.facts, FACT_ENDED_AT))
        facts_set_int(&event.facts, FACT_ENDED_AT, start_us + length_us);
    event.time_source = TIME_EVENT;
    event.has_identity = true;
    memset(event.identity, 0, sizeof(event.identity));
    memcpy(event.identity, &fill->row, sizeof(fill->row));
    event.content_hash = (uint64_t)fill->row;
    const struct row_origin origin = {.range = (unsigned)(range - fill->batch.range),
                                      .kafka_offset = range->next_offset,
                                      .record_index = 0,
                                      .price_book_id = book_id(fill->book)};
    pricer_price(fill->pricer, &event.facts, &charge, NULL);
    if (!batch_add_row(&fill->batch, &event, &charge, &origin, &fill->err))
        return false;
    range->messages++;
    range->rows++;
    range->next_offset++;
    fill->row++;
    return true;
}

static void on_record(const struct record *record, void *context)
{
    struct fill *fill = context;
    if (record->outcome == RECORD_EVENT && fill->err.kind == ERR_NONE)
        (void)row_add(fill, record->event);
}

static bool flush(struct fill *fill)
{
    bool ok = fill->err.kind == ERR_NONE && writer_commit(fill->writer, &fill->batch, &fill->err);
    batch_reset(&fill->batch);
    return ok;
}

static bool file_pass(struct fill *fill, FILE *events, int64_t rows)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t bytes;
    bool ok = true;
    rewind(events);
    while (ok && fill->row < rows && (bytes = getline(&line, &capacity, events)) > 0) {
        struct message message = {.bytes = {line, (size_t)bytes}};
        mapper_read(fill->mapper, &message, &fill->batch.arena, on_record, fill);
        if (fill->batch.row_count >= BATCH_ROWS)
            ok = flush(fill);
        ok = ok && fill->err.kind == ERR_NONE;
    }
    free(line);
    return ok;
}

static bool prices_open(struct fill *fill, const char *litellm_config)
{
    struct buf json;
    const struct book_options options = {.litellm_config = litellm_config};
    buf_init(&json, BOOK_BYTES);
    fill->book = book_load(&options, NULL, NULL, &fill->err);
    bool ok = fill->book && book_dump(fill->book, &json, &fill->err) &&
              writer_put_book(fill->writer, book_id(fill->book), buf_slice(&json), &fill->err);
    buf_free(&json);
    fill->pricer = ok ? pricer_new(fill->book) : NULL;
    return fill->pricer != NULL;
}

int main(int argc, char **argv)
{
    static struct fill fill;
    struct mappings *mappings = NULL;
    int64_t rows = argc > 5 ? strtoll(argv[3], NULL, 10) : 0, days = 0;
    FILE *events = rows > 0 ? fopen(argv[2], "r") : NULL;
    char first[CLOCK_TEXT_MAX];
    if (!events || (days = strtoll(argv[5], NULL, 10)) <= 0 ||
        snprintf(first, sizeof(first), "%sT00:00:00Z", argv[4]) >= (int)sizeof(first) ||
        !clock_parse(slice_of(first), &fill.first_us)) {
        fprintf(stderr, "fill_rows CONNINFO EVENTS ROWS FIRST_DAY DAYS [LITELLM_CONFIG]\n");
        return 64;
    }
    const struct writer_options options = {.conninfo = argv[1],
                                           .group_id = "fill",
                                           .cluster_id = "fill",
                                           .application_name = "fill_rows"};
    fill.step_us = days * CLOCK_DAY_US / rows;
    fill.partition.topic = "fill";
    batch_init(&fill.batch, ARENA_BYTES, 0, 1);
    fill.writer = writer_new(&options);
    mappings = mappings_compile(NULL, 0, NULL, &fill.err);
    fill.mapper = mappings ? mapper_new(mappings) : NULL;
    bool ok = fill.mapper && prices_open(&fill, argc > 6 ? argv[6] : NULL) &&
              writer_offset_load(fill.writer, "fill", 0, 0, &fill.partition, &fill.err);
    while (ok && fill.row < rows)
        ok = file_pass(&fill, events, rows);
    ok = ok && (fill.batch.row_count == 0 || flush(&fill));
    if (!ok)
        fprintf(stderr, "fill_rows: %s\n", fill.err.text);
    writer_free(fill.writer);
    pricer_free(fill.pricer);
    book_free(fill.book);
    mapper_free(fill.mapper);
    mappings_free(mappings);
    batch_free(&fill.batch);
    fclose(events);
    return ok ? 0 : 1;
}
