/* SPDX-License-Identifier: Apache-2.0 */
/* links: store */
/* A batch without a server: the start times it takes, its ranges, rejected records, what is cut. */
#include "store/batch.h"

#include "core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_US INT64_C(1752566400000000) /* 2025-07-15 08:00 UTC */
#define BOOK "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct partition_state partition[3];

static int setup(void **state)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    clock_fix(NOW_US);
    batch_init(batch, 1 << 20, 30, 1);
    for (int i = 0; i < 3; i++)
        partition[i] = (struct partition_state){.id = 100 + i, .next_offset = 7 * i};
    *state = batch;
    return 0;
}

static int teardown(void **state)
{
    batch_free(*state);
    free(*state);
    return 0;
}

static bool add_row(struct batch *batch, int64_t start_us, int64_t offset, struct err *err)
{
    struct event event = {.mapping = "m", .has_identity = true, .content_hash = 5};
    const struct charge charge = {.status = CHARGE_UNPRICED, .reason = REASON_UNKNOWN_MODEL};
    const struct row_origin origin = {.range = batch_range_of(batch, &partition[0]),
                                      .kafka_offset = offset,
                                      .record_index = 1,
                                      .price_book_id = BOOK};
    facts_set_int(&event.facts, FACT_STARTED_AT, start_us);
    return batch_add_row(batch, &event, &charge, &origin, err);
}

static void a_partition_has_one_range_from_its_stored_offset(void **state)
{
    struct batch *batch = *state;
    unsigned a = batch_range_of(batch, &partition[1]), b = batch_range_of(batch, &partition[2]);
    assert_int_not_equal(a, b);
    assert_int_equal(batch_range_of(batch, &partition[1]), a);
    assert_int_equal(batch_range_of(batch, &partition[2]), b);
    assert_int_equal(batch->range_count, 2);
    assert_int_equal(batch->range[a].first_offset, 7);
    assert_int_equal(batch->range[b].next_offset, 14);
}

/* As many as there may be. */
static void more_ranges_than_the_first_room_stay_apart(void **state)
{
    struct batch *batch = *state;
    static struct partition_state many[BATCH_PARTITIONS_MAX];
    for (unsigned i = 0; i < BATCH_PARTITIONS_MAX; i++)
        many[i].next_offset = i;
    for (unsigned i = 0; i < BATCH_PARTITIONS_MAX; i++)
        assert_int_equal(batch_range_of(batch, &many[i]), i);
    for (unsigned i = 0; i < BATCH_PARTITIONS_MAX; i++)
        assert_int_equal(batch->range[batch_range_of(batch, &many[i])].first_offset, i);
    assert_int_equal(batch->range_count, BATCH_PARTITIONS_MAX); /* which closes it (run/lane.c) */
}

static void a_row_remembers_where_it_came_from(void **state)
{
    struct batch *batch = *state;
    struct err err = {0};
    assert_true(add_row(batch, NOW_US, 42, &err));
    assert_int_equal(batch->row_count, 1);
    const struct batch_row *row = &batch->rows[0];
    assert_int_equal(row->start_time_us, NOW_US);
    assert_int_equal(row->kafka_offset, 42);
    assert_int_equal(row->record_index, 1);
    assert_int_equal(row->content_hash, 5);
    assert_int_equal(row->offset + row->bytes, batch->encoded.bytes);
    assert_string_equal(batch->book_id, BOOK);
}

static void start_times_are_taken_from_retention_to_future(void **state)
{
    struct batch *batch = *state;
    struct err err = {0};
    assert_true(add_row(batch, NOW_US - 30 * CLOCK_DAY_US, 1, &err));
    assert_true(add_row(batch, NOW_US + CLOCK_DAY_US, 2, &err));
    assert_false(add_row(batch, NOW_US - 30 * CLOCK_DAY_US - 1, 3, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    err_clear(&err);
    assert_false(add_row(batch, NOW_US + CLOCK_DAY_US + 1, 4, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_int_equal(batch->row_count, 2);
}

static void without_retention_times_go_back_to_1970(void **state)
{
    struct batch *batch = *state;
    struct err err = {0};
    batch->retain_days = 0;
    assert_true(add_row(batch, 0, 1, &err));
    assert_false(add_row(batch, -1, 2, &err));
}

static void a_batch_takes_the_time_when_it_begins(void **state)
{
    struct batch *batch = *state;
    struct err err = {0};
    batch_reset(batch);
    clock_fix(NOW_US + 90 * CLOCK_DAY_US); /* nothing came for months */
    assert_true(add_row(batch, NOW_US + 90 * CLOCK_DAY_US, 1, &err));
    assert_false(add_row(batch, NOW_US, 2, &err));
}

static void a_reset_batch_is_empty(void **state)
{
    struct batch *batch = *state;
    struct err err = {0};
    assert_true(add_row(batch, NOW_US, 1, &err));
    batch->skipped_by_reason[REASON_EMPTY] = 3;
    batch->refused = 1;
    assert_int_equal(batch_keep_message(batch, SLICE("{}"), SLICE(""), 5, true), 1);
    batch_reset(batch);
    assert_int_equal(batch->row_count + batch->reject_count + batch->range_count, 0);
    assert_int_equal(batch->encoded.bytes + batch->arena.used_bytes, 0);
    assert_int_equal(batch->skipped_by_reason[REASON_EMPTY] + batch->refused, 0);
    assert_int_equal(batch->message_count, 0);
    assert_string_equal(batch->book_id, "");
}

static void a_rejected_record_keeps_copies_of_its_texts(void **state)
{
    struct batch *batch = *state;
    struct err err = {0};
    char detail[] = "no such thing", payload[] = "{\"a\":";
    struct batch_reject r = {
        .range = batch_range_of(batch, &partition[0]),
        .reason = REASON_BAD_JSON,
        .detail = slice_of(detail),
        .field = {NULL, 0},
        .payload = slice_of(payload),
        .byte = -1,
    };
    assert_true(batch_add_reject(batch, &r, &err));
    detail[0] = payload[0] = '#';
    assert_true(slice_is(batch->rejects[0].detail, "no such thing"));
    assert_true(slice_is(batch->rejects[0].payload, "{\"a\":"));
    assert_int_equal(batch->rejects[0].field.bytes, 0);
}

static void key_and_headers_are_kept_with_the_message_or_neither_is(void **state)
{
    struct batch *batch = *state;
    struct err err = {0};
    char envelope[] = "\0\0\0\1k";
    char *large = calloc(1, 2 << 20);
    struct batch_reject r = {.range = batch_range_of(batch, &partition[0]),
                             .reason = REASON_BAD_JSON,
                             .payload = SLICE("{}"),
                             .envelope = {envelope, sizeof(envelope) - 1}};
    assert_true(batch_add_reject(batch, &r, &err));
    r.payload = (struct slice){NULL, 0}; /* of a sibling: the first one has it */
    assert_true(batch_add_reject(batch, &r, &err));
    r.payload = SLICE("{}");
    r.envelope = (struct slice){large, 2 << 20};
    assert_true(batch_add_reject(batch, &r, &err));
    envelope[4] = '#'; /* the lane's memory goes on */
    assert_true(slice_is(batch->rejects[0].payload, "{}"));
    assert_memory_equal(batch->rejects[0].envelope.p, "\0\0\0\1k", 5);
    for (int i = 1; i < 3; i++) {
        assert_null(batch->rejects[i].payload.p);
        assert_null(batch->rejects[i].envelope.p);
    }
    free(large);
}

static void what_postgresql_refuses_is_not_in_a_rejected_text(void **state)
{
    struct batch *batch = *state;
    struct err err = {0};
    struct batch_reject r = {.range = batch_range_of(batch, &partition[0]),
                             .reason = REASON_BAD_JSON};
    /* U+0000, a lone byte, overlong, a surrogate, beyond U+10FFFF, cut short; then good ones */
    r.detail = SLICE("a\0b\xff"
                     "c\xc0\x80"
                     "d\xed\xa0\x80"
                     "e\xf4\x90\x80\x80"
                     "f\xe2\x82");
    r.field = SLICE("\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9");
    assert_true(batch_add_reject(batch, &r, &err));
    assert_true(slice_is(batch->rejects[0].detail, "a?b?c??d???e????f??"));
    assert_true(slice_eq(batch->rejects[0].field, r.field));
}

static void a_long_text_is_cut_between_characters(void **state)
{
    struct batch *batch = *state;
    struct err err = {0};
    char text[3000];
    for (size_t i = 0; i < sizeof(text); i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3);
    struct batch_reject r = {.range = batch_range_of(batch, &partition[0]),
                             .reason = REASON_BAD_JSON,
                             .detail = {text, sizeof(text)},
                             .field = {text, sizeof(text)}};
    assert_true(batch_add_reject(batch, &r, &err));
    assert_int_equal(batch->rejects[0].detail.bytes, 999);
    assert_int_equal(batch->rejects[0].field.bytes, 498);
}

static void a_payload_without_room_is_left_out(void **state)
{
    struct batch *batch = *state;
    struct err err = {0};
    char *large = calloc(1, 2 << 20);
    struct batch_reject r = {.range = batch_range_of(batch, &partition[0]),
                             .reason = REASON_BAD_JSON,
                             .detail = SLICE("why"),
                             .payload = {large, 2 << 20}};
    assert_true(batch_add_reject(batch, &r, &err));
    assert_null(batch->rejects[0].payload.p);
    assert_true(slice_is(batch->rejects[0].detail, "why"));
    free(large);
}

/* Lines of rows whose words have no numbers repeat them, for each meter: many times the batch. */
static void sums_of_wide_rows_come_in_pieces(void **state)
{
    (void)state;
    enum { TAGS = 20, TAG = 8000, METERS = 5, ROWS = 150, PIECE = 10 << 20 };
    static const enum unit units[METERS] = {UNIT_WEB_SEARCHES, UNIT_DISCOUNT, UNIT_MARGIN,
                                            UNIT_MARGIN_FIXED, UNIT_FILE_SEARCHES};
    static char text[TAG + 1];
    struct slice tag[TAGS];
    struct tags tags = {TAGS, tag};
    struct charge charge = {.status = CHARGE_PRICED, .has_spend = true, .item_count = METERS};
    struct batch batch;
    struct buf copy;
    struct err err = {0};
    memset(text, 'x', TAG);
    for (int i = 0; i < TAGS; i++)
        tag[i] = slice_of(text);
    for (int i = 0; i < METERS; i++)
        charge.item[i] = (struct charge_item){.unit = units[i],
                                              .quantity = decimal_from_int(1),
                                              .rate = decimal_from_int(1),
                                              .multiplier = decimal_from_int(1),
                                              .amount = {1000}};
    batch_init(&batch, 64u << 20, 0, 3650);
    for (unsigned row = 0; row < ROWS; row++) {
        char user[32];
        snprintf(user, sizeof(user), "user-%u", row);
        struct event event = {.mapping = "m", .has_identity = true, .content_hash = row};
        memcpy(event.identity, &row, sizeof(row));
        facts_set_int(&event.facts, FACT_STARTED_AT, NOW_US);
        event.labels.v[LABEL_TAGS].t = &tags;
        event.labels.v[LABEL_USER].s = slice_of(user);
        event.labels.present = UINT64_C(1) << LABEL_TAGS | UINT64_C(1) << LABEL_USER;
        const struct row_origin origin = {.range = batch_range_of(&batch, &partition[0]),
                                          .record_index = row,
                                          .price_book_id = BOOK};
        assert_true(batch_add_row(&batch, &event, &charge, &origin, &err));
    }
    assert_true(sums_begin(&batch.sums));
    for (size_t i = 0; i < batch.row_count; i++)
        sums_count(&batch.sums, batch.rows[i].figures);
    assert_true(sums_fold(&batch.sums));

    buf_init(&copy, PIECE);
    size_t from = 0, lines, all = 0, pieces = 0;
    for (; from < batch.sums.group_count; pieces++) {
        buf_reset(&copy);
        assert_true(sums_encode(&batch.sums, &batch.words, true, &copy, &from, &lines));
        all += lines;
    }
    assert_true(pieces > 10);
    assert_true(all >= ROWS * (1 + METERS));
    buf_free(&copy);
    batch_free(&batch);
}

int main(void)
{
#define BATCH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_wide_rows_come_in_pieces),
        BATCH_TEST(a_partition_has_one_range_from_its_stored_offset),
        BATCH_TEST(more_ranges_than_the_first_room_stay_apart),
        BATCH_TEST(a_row_remembers_where_it_came_from),
        BATCH_TEST(start_times_are_taken_from_retention_to_future),
        BATCH_TEST(without_retention_times_go_back_to_1970),
        BATCH_TEST(a_batch_takes_the_time_when_it_begins),
        BATCH_TEST(a_reset_batch_is_empty),
        BATCH_TEST(a_rejected_record_keeps_copies_of_its_texts),
        BATCH_TEST(key_and_headers_are_kept_with_the_message_or_neither_is),
        BATCH_TEST(what_postgresql_refuses_is_not_in_a_rejected_text),
        BATCH_TEST(a_long_text_is_cut_between_characters),
        BATCH_TEST(a_payload_without_room_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
