/* SPDX-License-Identifier: Apache-2.0 */
/* links: store
 * with: store_fixture
 * What is read back of what was stored: verify, reports, rejected events and their
 * retry. */
#include "tests/integration/store_fixture.h"

#include "store/rejected.h"
#include "store/report.h"
#include "store/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct writer *writer;
static struct batch batch;
static struct partition_state partition[2];

/* 60 + 40 rows, 10 duplicates of which one differs, 3 rejected, 2 skipped. */
static int fill(void **state)
{
    if (database_create(state) != 0)
        return 1;
    const struct sample other = {.identity = 1, .start_us = BASE_US + 1000, .content_hash = 99};
    writer = writer_make("spendlog lane 0", 0);
    batch_init(&batch, 1 << 20, 0, 1);
    partition_load(writer, "llm.usage", 0, &partition[0]);
    partition_load(writer, "llm.usage", 1, &partition[1]);
    add_rows(&batch, &partition[0], 1, 60);
    add_rows(&batch, &partition[1], 101, 40);
    add_rows(&batch, &partition[1], 2, 9);
    add_row(&batch, &partition[1], &other);
    add_skip(&batch, &partition[0]);
    add_skip(&batch, &partition[1]);
    for (int i = 0; i < 3; i++)
        add_reject(&batch, &partition[0], "why");
    commit_or_fail(writer, &batch);
    return 0;
}

static int clear(void **state)
{
    writer_free(writer);
    batch_free(&batch);
    return database_drop(state);
}

/* --- verify --------------------------------------------------------------------------------- */

struct findings {
    int count[VERIFY_KINDS];
    int64_t expected, found; /* of the last one */
    char place[256];
};

static void note_finding(const struct verify_finding *finding, void *context)
{
    struct findings *f = context;
    f->count[finding->kind]++;
    f->expected = finding->expected;
    f->found = finding->found;
    snprintf(f->place, sizeof(f->place), "%s", finding->place);
}

static int64_t verify(struct findings *findings, struct verify_totals *totals)
{
    struct err err = {0};
    memset(findings, 0, sizeof(*findings));
    if (!verify_run(conninfo_of("reader"), note_finding, findings, totals, &err))
        fail_msg("%s", err.text);
    return totals->differences;
}

static void intact_books_have_no_findings(void **state)
{
    struct findings findings;
    struct verify_totals totals;
    struct money spend;
    (void)state;
    assert_int_equal(verify(&findings, &totals), 0);
    assert_int_equal(totals.partitions, 2);
    assert_int_equal(totals.rows, 100);
    assert_int_equal(totals.rows_stored, 100);
    assert_int_equal(totals.duplicates, 10);
    assert_int_equal(totals.rejected, 3);
    assert_int_equal(totals.skipped, 2);
    assert_int_equal(totals.records, 115);
    assert_int_equal(totals.messages, 115);
    assert_true(money_parse(SLICE("0.0001"), &spend, NULL));
    assert_int_equal(sum_cmp(totals.spend, sum_of(spend)), 0);
}

/* Runs a statement of an intruder, looks at what verify says, puts all back. */
static void expect_finding(const char *harm, const char *repair, enum verify_kind kind)
{
    struct findings findings;
    struct verify_totals totals;
    sql(harm);
    int64_t differences = verify(&findings, &totals);
    sql(repair);
    if (differences == 0 || findings.count[kind] == 0)
        fail_msg("not found: %s", harm);
    assert_int_equal(verify(&findings, &totals), 0);
}

static void one_row_deleted_by_hand_is_found(void **state)
{
    struct findings findings;
    struct verify_totals totals;
    (void)state;
    sql("CREATE TABLE spendlog.kept AS SELECT * FROM spendlog.spend_logs WHERE kafka_offset = 7"
        " AND partition_id = (SELECT partition_id FROM spendlog.kafka_offsets WHERE partition = "
        "1)");
    sql("DELETE FROM spendlog.spend_logs WHERE identity = (SELECT identity FROM spendlog.kept)");
    assert_int_equal(verify(&findings, &totals), 1);
    assert_int_equal(findings.count[VERIFY_ROWS], 1);
    assert_int_equal(findings.expected, 40);
    assert_int_equal(findings.found, 39);
    assert_string_equal(findings.place, "group g, llm.usage/1");
    sql("INSERT INTO spendlog.spend_logs SELECT * FROM spendlog.kept");
    sql("DROP TABLE spendlog.kept");
    assert_int_equal(verify(&findings, &totals), 0);
}

static void each_lie_of_the_books_is_found(void **state)
{
    (void)state;
    expect_finding("UPDATE spendlog.kafka_offsets SET rows = rows + 1, records = records + 1"
                   " WHERE partition = 0",
                   "UPDATE spendlog.kafka_offsets SET rows = rows - 1, records = records - 1"
                   " WHERE partition = 0",
                   VERIFY_BATCHES);
    expect_finding(
        "UPDATE spendlog.kafka_offsets SET rejected = rejected + 1, records = records + 1"
        " WHERE partition = 0",
        "UPDATE spendlog.kafka_offsets SET rejected = rejected - 1, records = records - 1"
        " WHERE partition = 0",
        VERIFY_REJECTED);
    expect_finding("UPDATE spendlog.kafka_offsets SET conflicts = 0 WHERE partition = 1",
                   "UPDATE spendlog.kafka_offsets SET conflicts = 1 WHERE partition = 1",
                   VERIFY_CONFLICTS);
    expect_finding("UPDATE spendlog.spend_logs SET kafka_offset = 5000 WHERE kafka_offset = 59",
                   "UPDATE spendlog.spend_logs SET kafka_offset = 59 WHERE kafka_offset = 5000",
                   VERIFY_OFFSETS);
    expect_finding("UPDATE spendlog.spend_logs SET price_book_id = -1 WHERE kafka_offset = 59",
                   "UPDATE spendlog.spend_logs SET price_book_id = (SELECT min(price_book_id) FROM"
                   " spendlog.price_books) WHERE kafka_offset = 59",
                   VERIFY_BOOK);
    expect_finding("INSERT INTO spendlog.duplicate_samples SELECT partition_id, 9, 0, 1,"
                   " '2026-01-01', '00000000-0000-0000-0000-000000000009'"
                   " FROM spendlog.kafka_offsets WHERE partition = 1",
                   "DELETE FROM spendlog.duplicate_samples WHERE kafka_offset = 9",
                   VERIFY_DUPLICATE);
    expect_finding(
        "UPDATE spendlog.spend_logs SET partition_id = -partition_id WHERE kafka_offset = 59",
        "UPDATE spendlog.spend_logs SET partition_id = -partition_id WHERE kafka_offset = 59",
        VERIFY_ROWS);
    expect_finding("ALTER TABLE spendlog.kafka_offsets DROP CONSTRAINT kafka_offsets_conservation;"
                   " UPDATE spendlog.kafka_offsets SET records = records + 1 WHERE partition = 0",
                   "UPDATE spendlog.kafka_offsets SET records = records - 1 WHERE partition = 0;"
                   " ALTER TABLE spendlog.kafka_offsets ADD CONSTRAINT kafka_offsets_conservation"
                   " CHECK (records = rows + duplicates + rejected + skipped)",
                   VERIFY_CONSERVATION);
}

/* --- reports -------------------------------------------------------------------------------- */

struct lines {
    int count;
    int64_t calls, total_calls;
    struct sum spend;
    char first_key[64];
};

static void note_line(const struct report_row *row, struct lines *lines)
{
    struct sum spend = {0};
    if (row->kind == REPORT_TOTAL) {
        lines->total_calls = strtoll(row->sums.calls.p, NULL, 10);
        return;
    }
    if (lines->count++ == 0)
        snprintf(lines->first_key, sizeof(lines->first_key), SLICE_FMT, SLICE_ARG(row->key[0]));
    lines->calls += strtoll(row->sums.calls.p, NULL, 10);
    assert_true(row->sums.spend.bytes == 0 || sum_parse(row->sums.spend, &spend));
    sum_add(&lines->spend, spend);
}

static struct lines report_between(const char *dimension, int64_t since_us, int64_t until_us)
{
    struct lines lines = {0};
    struct err err = {0};
    struct report_answer *answer;
    const struct report_options options = {.by = {dimension},
                                           .by_count = 1,
                                           .since_us = since_us,
                                           .until_us = until_us,
                                           .zone = "UTC"};
    if (!report_run(conninfo_of("reader"), &options, &answer, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < report_rows(answer); i++) {
        struct report_row row = report_row(answer, i);
        note_line(&row, &lines);
    }
    report_free(answer);
    assert_int_equal(lines.total_calls, lines.calls);
    return lines;
}

static void every_report_sums_to_the_rows(void **state)
{
    (void)state;
    for (const char *const *name = report_dimensions(); *name; name++) {
        struct lines lines = report_between(*name, INT64_MIN, INT64_MAX);
        assert_int_equal(lines.calls, 100);
        assert_true(lines.spend.units == 0 && lines.spend.atto == 100 * (i128)1000000000000);
    }
    assert_string_equal(report_between("day", INT64_MIN, INT64_MAX).first_key, "2025-07-15");
}

static void a_report_has_limits_in_time(void **state)
{
    (void)state;
    assert_int_equal(report_between("day", BASE_US + 10 * 1000, BASE_US + 20 * 1000).calls, 10);
    assert_int_equal(report_between("model", INT64_MIN, BASE_US).count, 0);
}

static void a_dimension_that_is_none_is_a_usage_error(void **state)
{
    struct err err = {0};
    struct report_answer *answer;
    struct report_options options = {.by = {"colour"}, .by_count = 1, .zone = "UTC"};
    (void)state;
    assert_false(report_run(conninfo_of("reader"), &options, &answer, &err));
    assert_int_equal(err.kind, ERR_USAGE);
}

/* --- rejected events ------------------------------------------------------------------------ */

struct rejected_seen {
    int count, stop_after;
    int64_t offset, partition_id;
};

static bool note_rejected(const struct rejected_event *event, void *context)
{
    struct rejected_seen *seen = context;
    seen->count++;
    seen->offset = event->kafka_offset;
    seen->partition_id = event->partition_id;
    assert_true(slice_is(event->reason, "bad_json"));
    assert_true(slice_is(event->topic, "llm.usage"));
    assert_null(event->detail.p); /* it may quote the message */
    assert_int_equal(event->byte, 3);
    assert_int_equal(event->payload_bytes, 7);
    return seen->count != seen->stop_after;
}

static int list_rejected(const struct rejected_filter *filter)
{
    struct rejected_seen seen = {0};
    struct err err = {0};
    if (!rejected_list(conninfo_of("reader"), filter, note_rejected, &seen, &err))
        fail_msg("%s", err.text);
    return seen.count;
}

static bool expect_payload(const struct rejected_event *event, void *context)
{
    assert_true(event->has_payload);
    assert_true(slice_is(event->detail, "why"));
    *(bool *)context = slice_is(event->payload, "{broken");
    return false;
}

static const struct rejected_filter any = {
    .partition = -1, .kafka_offset = -1, .since_us = INT64_MIN, .until_us = INT64_MAX};

static void rejected_events_are_listed_by_filter(void **state)
{
    struct rejected_filter filter = any;
    struct rejected_seen seen = {.stop_after = 2};
    struct err err = {0};
    bool payload = false;
    (void)state;
    assert_int_equal(list_rejected(&filter), 3);
    filter.limit = 2;
    assert_int_equal(list_rejected(&filter), 2);
    filter = any;
    filter.reason = "bad_time";
    assert_int_equal(list_rejected(&filter), 0);
    filter = any;
    filter.topic = "llm.usage";
    filter.partition = 0;
    filter.kafka_offset = 62;
    assert_int_equal(list_rejected(&filter), 1);
    filter = any;
    assert_true(rejected_list(conninfo_of("reader"), &filter, note_rejected, &seen, &err));
    assert_int_equal(seen.count, 2);
    filter.payloads = true;
    assert_false(rejected_list(conninfo_of("reader"), &filter, expect_payload, &payload, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    err_clear(&err);
    assert_true(rejected_list(conninfo_of("writer"), &filter, expect_payload, &payload, &err));
    assert_true(payload);
}

/* As a retry does it: the record at an offset of partition 0 now makes a row, or none. */
static void retry_one(struct writer *retry, int64_t offset, const struct sample *sample)
{
    struct err err = {0};
    struct partition_state state = partition[0];
    batch_reset(&batch);
    batch.retry = true;
    const struct batch_resolved resolved = {
        .range = batch_range_of(&batch, &state), .kafka_offset = offset, .skipped = !sample};
    struct batch_range *range = &batch.range[resolved.range];
    range->rejected = -1;
    if (sample) {
        range->next_offset = offset;
        add_row(&batch, &state, sample);
        range->messages = 0;
    } else {
        range->skipped++;
    }
    assert_true(batch_add_resolved(&batch, &resolved, &err));
    if (!writer_commit(retry, &batch, &err))
        fail_msg("%s", err.text);
}

static void a_retry_moves_counts_and_no_offset(void **state)
{
    struct findings findings;
    struct verify_totals totals;
    struct rejected_filter filter = any;
    struct err err = {0};
    struct writer *retry = writer_make("spendlog-retry", 0);
    const struct sample row = {.identity = 9000, .start_us = BASE_US, .content_hash = 1};
    const struct sample duplicate = {.identity = 5, .start_us = BASE_US + 5000, .content_hash = 35};
    struct partition_state before = partition[0], after;
    (void)state;

    retry_one(retry, 61, &row);
    retry_one(retry, 62, &duplicate);
    retry_one(retry, 63, NULL);
    assert_int_equal(verify(&findings, &totals), 0);
    assert_int_equal(totals.rows, 101);
    assert_int_equal(totals.duplicates, 11);
    assert_int_equal(totals.skipped, 3);
    assert_int_equal(totals.rejected, 0);
    assert_int_equal(totals.records, 115);
    partition_load(writer, "llm.usage", 0, &after);
    assert_int_equal(after.next_offset, before.next_offset);
    assert_int_equal(after.last_time_ms, before.last_time_ms);
    assert_int_equal(after.last_hash, before.last_hash);

    assert_int_equal(list_rejected(&filter), 0);
    filter.resolved_too = true;
    assert_int_equal(list_rejected(&filter), 3);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.rejected_events WHERE (kafka_offset,"
                            " resolution) IN ((61, 'row'), (62, 'duplicate'), (63, 'skipped'))"),
                     3);

    /* the live lane goes on as if nothing had been */
    batch_reset(&batch);
    add_rows(&batch, &partition[0], 9001, 5);
    if (!writer_commit(writer, &batch, &err))
        fail_msg("%s", err.text);
    assert_int_equal(verify(&findings, &totals), 0);
    writer_free(retry);
}

static void the_second_of_two_retries_writes_nothing(void **state)
{
    struct err err = {0};
    struct findings findings;
    struct verify_totals totals;
    struct partition_state p = partition[0];
    (void)state;
    batch_reset(&batch);
    batch.retry = true;
    const struct batch_resolved resolved = {
        .range = batch_range_of(&batch, &p), .kafka_offset = 63, .skipped = true};
    batch.range[resolved.range].rejected = -1;
    batch.range[resolved.range].skipped = 1;
    assert_true(batch_add_resolved(&batch, &resolved, &err));
    assert_false(writer_commit(writer, &batch, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    assert_int_equal(verify(&findings, &totals), 0);
}

static void a_gap_is_told_and_is_no_difference(void **state)
{
    struct err err = {0};
    struct findings findings;
    struct verify_totals totals;
    (void)state;
    assert_true(writer_offset_gap(writer, &partition[1], false, 5000, "log start", &err));
    assert_int_equal(verify(&findings, &totals), 0);
    assert_int_equal(findings.count[VERIFY_GAP], 1);
    assert_int_equal(totals.gaps, 1);
    assert_int_equal(findings.found, 5000);
}

static void a_setback_is_told_and_is_no_difference(void **state)
{
    struct err err = {0};
    struct findings findings;
    struct verify_totals totals;
    (void)state;
    assert_true(writer_setback(writer, &partition[0], partition[0].next_offset + 37, &err));
    assert_int_equal(verify(&findings, &totals), 0);
    assert_int_equal(findings.count[VERIFY_SETBACK], 1);
    assert_int_equal(totals.setbacks, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intact_books_have_no_findings),
        cmocka_unit_test(one_row_deleted_by_hand_is_found),
        cmocka_unit_test(each_lie_of_the_books_is_found),
        cmocka_unit_test(every_report_sums_to_the_rows),
        cmocka_unit_test(a_report_has_limits_in_time),
        cmocka_unit_test(a_dimension_that_is_none_is_a_usage_error),
        cmocka_unit_test(rejected_events_are_listed_by_filter),
        cmocka_unit_test(a_retry_moves_counts_and_no_offset),
        cmocka_unit_test(the_second_of_two_retries_writes_nothing),
        cmocka_unit_test(a_gap_is_told_and_is_no_difference),
        cmocka_unit_test(a_setback_is_told_and_is_no_difference),
    };
    return cmocka_run_group_tests(tests, fill, clear);
}
