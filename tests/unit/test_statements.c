/* SPDX-License-Identifier: Apache-2.0 */
/* links: store */
/* fakes: clock libpq */
/*
 * Each statement that store/ sends fails once, in every way there is: the caller is told, with a
 * kind that says what to do, and no connection is left open. What is asked and answered rightly is
 * for the tests against a real server (tests/integration).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/embed.h"
#include "core/hash.h"
#include "core/log.h"
#include "store/budget.h"
#include "store/carry.h"
#include "store/compact.h"
#include "store/exclude.h"
#include "store/focus.h"
#include "store/migrate.h"
#include "store/periods.h"
#include "store/pg.h"
#include "store/rejected.h"
#include "store/report.h"
#include "store/report_page.h"
#include "store/reprice.h"
#include "store/retention.h"
#include "store/server_check.h"
#include "store/stored_drift.h"
#include "store/stored_row.h"
#include "store/verify.h"
#include "store/writer.h"
#include "tests/fakes/clock.h"
#include "tests/fakes/libpq.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIGRATIONS_MAX 256
#define STATEMENTS_MAX 600
#define CONNINFO "host=/nowhere dbname=test"
#define BOOK "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* --- a server whose schema is ours ----------------------------------------------------------- */

static const char *history[MIGRATIONS_MAX * 4];
static char history_text[MIGRATIONS_MAX][2][80];
static const char *const sums[] = {"1", "1", "1", "1", "1", "1", "1", "1", "1", "1", "1", "1",
                                   "1", "1", "1", "1", "1", "1", "1", "1", "1", "1", "1", "1"};
static const char *const nothing[] = {NULL, NULL, NULL, NULL};
static const char *const one[] = {"#1"};
static const char *const boolean[] = {"\1"};
static const char *const locked[] = {"#1", "#1", "#1", "#1", "#1", BOOK, "#1"};
static const char *const run_row[] = {"#1", "#1", "#1", "#1", "#1", "#1", "1",
                                      "1",  "#1", "#1", "{}", "#1", "#1", "#1"};
static const char *const adjusted[] = {"#1", "#1", "audit", "",  NULL, NULL,
                                       "s",  "s",  "#1",    "b", "b",  "u"};
static const char *const day_left[] = {"2026-01-01"};
static const char *const merged_all[] = {"#7", "#3", "#0"};
static const char *const open_item[] = {"unpriced", "openai", "m", "unknown_model",
                                        "1",        "0.5",    "3", "#1"};
static const char *const focus_asked[] = {"SELECT 1", "#2"};
static const char *const stored_row[120] = {"#1", "0123456789abcdef", "m", "r", "c", "priced", ""};

/* Money is asked for as text; what is not listed here gets numbers. */
static struct fake_answer answers[] = {
    {"FROM spendlog.schema_migrations", history, 4, 0},
    {"SELECT s.name, s.setting", NULL, 4, 0},
    {"extname = 'citus'", NULL, 1, 0},
    {"schema_exists", boolean, 1, 1},
    {"has_schema", boolean, 1, 1},
    {"spendlog.days_claim", NULL, 2, 0},
    {"spendlog.drop_expired", nothing, 4, 1},
    {"SELECT g.place", NULL, 1, 0}, /* no number of the dictionaries means another content */
    {"FROM (SELECT * FROM spendlog.kafka_offsets", locked, 7, 1},
    {"SELECT count(*) FROM unnest($1::bigint[], $2::timestamp[]", one, 1,
     1}, /* offsets that stand */
    {"(filter ->> 'since')", run_row, 14, 1},
    {"SELECT a.run_id", adjusted, 12, 1},
    {"FROM spendlog.carried_days c", day_left, 1, 1},
    {"FROM spendlog.sums_compact(", merged_all, 3, 1},
    {"FROM spendlog.suspense", open_item, 8, 1},
    {"spendlog.focus_query", focus_asked, 2, 1},
    {"SELECT l.start_time, l.identity", stored_row, 120, 1},
    {"::text", sums, 24, 1},
    {NULL, NULL, 0, 0},
};

static void server_ready(void)
{
    int count = 0;
    for (const struct embedded *file = embedded_migrations; file->name; file++, count++) {
        snprintf(history_text[count][0], 80, "#%d", atoi(file->name));
        hash_sha256_hex((struct slice){file->text, file->bytes}, history_text[count][1]);
        history[count * 4] = history_text[count][0];
        history[count * 4 + 1] = file->name;
        history[count * 4 + 2] = history_text[count][1];
        history[count * 4 + 3] = "2026-01-01 00:00:00";
    }
    answers[0].rows = count;
    assert_true(log_init("error", "text"));
    fake_libpq_reset();
    fake_clock_reset();
    fake_libpq.answer = answers;
}

/* --- what store/ can be asked --------------------------------------------------------------- */

static void each_finding(const struct verify_finding *finding, void *context)
{
    (void)finding, (void)context;
}

static bool ask_verify(struct err *err)
{
    struct verify_totals totals;
    return verify_run(CONNINFO, each_finding, NULL, &totals, err);
}

static void each_period(const struct period *period, void *context)
{
    (void)period, (void)context;
}

static bool ask_periods(struct err *err)
{
    return period_list(CONNINFO, each_period, NULL, err) && period_close(CONNINFO, 2026, 1, err);
}

static bool ask_retention(struct err *err)
{
    struct retention retention;
    return retention_read(CONNINFO, &retention, err) && retention_set(CONNINFO, &retention, err);
}

static void each_exclusion(const struct exclusion *exclusion, void *context)
{
    (void)exclusion, (void)context;
}

static bool ask_exclude(struct err *err)
{
    const struct exclude_request request = {.request_id = "r", .why = "w"};
    return exclude_list(CONNINFO, each_exclusion, NULL, err) &&
           exclude_run(CONNINFO, &request, each_exclusion, NULL, err);
}

static bool ask_report(struct err *err)
{
    struct report_answer *answer = NULL;
    const struct report_options options = {.by = {"model"},
                                           .by_count = 1,
                                           .since_us = INT64_MIN,
                                           .until_us = INT64_MAX,
                                           .zone = "UTC"};
    bool ok = report_run(CONNINFO, &options, &answer, err);
    if (ok)
        report_free(answer);
    return ok;
}

static bool line_takes(void *context, struct slice line)
{
    (void)context, (void)line;
    return true;
}

static bool ask_focus(struct err *err)
{
    const struct report_options options = {.since_us = 0, .until_us = US_PER_DAY, .zone = "UTC"};
    const struct focus_sink sink = {line_takes, NULL};
    struct focus_beside beside = {0};
    return focus_run(CONNINFO, &options, "1.2", &sink, &beside, err);
}

static bool ask_page(struct err *err)
{
    struct report_page *page = NULL;
    const struct report_options options = {
        .by = {"model"}, .by_count = 1, .since_us = 0, .until_us = US_PER_DAY, .zone = "UTC"};
    int64_t all;
    if (!report_page_run(CONNINFO, &options, &page, err))
        return false;
    assert_non_null(report_page_table(page));
    assert_non_null(report_page_models(page));
    assert_non_null(report_page_teams(page));
    for (size_t i = 0; i < report_page_meters(page); i++)
        assert_true(report_page_meter(page, i).name.bytes > 0);
    assert_int_equal(report_page_open_items(page, &all), 1);
    assert_int_equal(all, 1);
    assert_true(slice_is(report_page_open_item(page, 0).why, "unknown_model"));
    assert_true(slice_is(report_page_open_item(page, 0).age_days, "3"));
    (void)report_page_moved(page);
    report_page_free(page);
    return true;
}

static bool ask_compact(struct err *err)
{
    struct compact_status status;
    int64_t taken, made;
    bool ok = compact_status(CONNINFO, &status, err) && compact_run(CONNINFO, &taken, &made, err);
    if (ok)
        assert_int_equal(taken * 10 + made, 73);
    return ok;
}

static void each_day_carried(const struct carried_day *day, void *context)
{
    (void)context;
    assert_string_equal(day->day, "2026-01-01");
    assert_null(day->held);
}

static bool ask_carry(struct err *err)
{
    return carry_run(CONNINFO, each_day_carried, NULL, err);
}

static void each_budget(const struct budget *budget, void *context)
{
    (void)budget, (void)context;
}

static bool ask_budget(struct err *err)
{
    const struct budget_request request = {"team", "t", "month", "1", "UTC", 1};
    bool met;
    return budget_set(CONNINFO, &request, &met, err) &&
           budget_each(CONNINFO, 0, each_budget, NULL, err);
}

static bool each_rejected(const struct rejected_event *event, void *context)
{
    (void)event, (void)context;
    return true;
}

static bool ask_rejected(struct err *err)
{
    const struct rejected_filter filter = {.partition = -1,
                                           .kafka_offset = -1,
                                           .since_us = INT64_MIN,
                                           .until_us = INT64_MAX,
                                           .payloads = true};
    return rejected_list(CONNINFO, &filter, each_rejected, NULL, err);
}

static void each_line(const char *text, void *context)
{
    (void)text, (void)context;
}

static bool ask_check(struct err *err)
{
    char text[256];
    return server_check(CONNINFO, text, sizeof(text), err) &&
           server_check_books(CONNINFO, each_line, NULL, err) &&
           server_check_retention(CONNINFO, 30, each_line, NULL, err);
}

static bool ask_drift(struct err *err)
{
    const struct config_drift limits = {.events = 1, .tolerance = 100};
    return drift_stored(CONNINFO, &limits, INT64_MIN, INT64_MAX, each_line, NULL, err);
}

static void each_migration(const struct migration_status *status, void *context)
{
    (void)status, (void)context;
}

static bool ask_migrate(struct err *err)
{
    return migrate_status(CONNINFO, each_migration, NULL, err) &&
           migrate_apply(CONNINFO, each_migration, NULL, err);
}

static void each_adjustment(const struct stored_adjustment *adjustment, void *context)
{
    (void)adjustment, (void)context;
}

static bool ask_stored(struct err *err)
{
    int count = 0;
    struct stored_rows *rows = stored_rows_open(CONNINFO, err);
    struct stored_row row;
    struct buf json;
    buf_init(&json, 1 << 20);
    bool ok = rows && stored_rows_find(rows, "r", &count, err) &&
              stored_rows_get(rows, 0, &row, err) &&
              stored_rows_adjustments(rows, 0, each_adjustment, NULL, err) &&
              stored_rows_book(rows, 1, &json, err);
    buf_free(&json);
    stored_rows_close(rows);
    return ok;
}

static void price_nothing(const struct facts *facts, struct charge *charge, void *context)
{
    (void)facts, (void)context;
    memset(charge, 0, sizeof(*charge));
}

static bool ask_reprice(bool dry, struct err *err)
{
    const struct reprice_options options = {
        .conninfo = CONNINFO, .dry_run = dry, .price = price_nothing};
    struct reprice_filter filter = {.since_us = INT64_MIN, .until_us = INT64_MAX};
    int64_t unfinished;
    struct reprice *run = reprice_open(&options, err);
    bool ok = run && reprice_unfinished(run, &unfinished, err) &&
              reprice_begin(run, &filter, BOOK, SLICE("{}"), err) && reprice_run(run, err) &&
              reprice_report(run, err);
    reprice_close(run);
    return ok;
}

static bool ask_reprice_dry(struct err *err)
{
    return ask_reprice(true, err);
}

static bool ask_reprice_new(struct err *err)
{
    return ask_reprice(false, err);
}

static const struct writer_options writer_options = {.conninfo = CONNINFO,
                                                     .group_id = "g",
                                                     .cluster_id = "c",
                                                     .application_name = "spendlog lane 0"};

static bool ask_offsets(struct err *err)
{
    struct partition_state state = {.topic = "t"}, *states[] = {&state};
    bool known, stand;
    struct writer *writer = writer_new(&writer_options);
    bool ok = writer_offset_load(writer, "t", 0, 5, &state, err) &&
              writer_topic_known(writer, "t", &known, err) &&
              writer_put_book(writer, BOOK, SLICE("{}"), err) &&
              writer_offsets_stand(writer, states, 1, &stand, err) &&
              writer_setback(writer, &state, 9, err) &&
              writer_offset_gap(writer, &state, true, 7, "why", err);
    writer_free(writer);
    return ok;
}

static bool row_add(struct batch *batch, struct partition_state *state, int64_t offset, uint8_t id,
                    struct err *err)
{
    struct event event = {.mapping = "m", .has_identity = true, .content_hash = id};
    const struct charge charge = {.status = CHARGE_UNPRICED, .reason = REASON_UNKNOWN_MODEL};
    const struct row_origin origin = {
        .range = batch_range_of(batch, state), .kafka_offset = offset, .price_book_id = BOOK};
    event.identity[0] = id;
    facts_set_int(&event.facts, FACT_STARTED_AT, clock_now_us() + offset);
    struct batch_range *range = &batch->range[origin.range];
    range->rows++;
    range->messages++;
    range->next_offset = offset + 1;
    return batch_add_row(batch, &event, &charge, &origin, err);
}

static bool reject_add(struct batch *batch, struct partition_state *state, int64_t offset,
                       struct err *err)
{
    const struct batch_reject reject = {.range = batch_range_of(batch, state),
                                        .kafka_offset = offset,
                                        .reason = REASON_BAD_JSON,
                                        .detail = SLICE("detail"),
                                        .payload = SLICE("{"),
                                        .byte = 1,
                                        .time_ms = 5,
                                        .payload_bytes = 1};
    struct batch_range *range = &batch->range[reject.range];
    range->rejected++;
    range->messages++;
    range->next_offset = offset + 1;
    return batch_add_reject(batch, &reject, err);
}

static bool ask_commit(struct err *err)
{
    struct partition_state state = {.topic = "t"};
    struct writer *writer = writer_new(&writer_options);
    struct batch batch;
    batch_init(&batch, 1 << 20, 30, 1);
    bool ok = writer_offset_load(writer, "t", 0, 5, &state, err) &&
              writer_put_book(writer, BOOK, SLICE("{}"), err);
    for (int i = 0; ok && i < 1; i++) {
        int64_t offset = state.next_offset;
        ok = row_add(&batch, &state, offset, 1, err) &&
             row_add(&batch, &state, offset + 1, 2, err) &&
             row_add(&batch, &state, offset + 2, 1, err) &&
             reject_add(&batch, &state, offset + 3, err) && writer_commit(writer, &batch, err);
        batch_reset(&batch);
    }
    batch_free(&batch);
    writer_free(writer);
    return ok;
}

static const struct {
    const char *name;
    bool (*ask)(struct err *err);
} asked[] = {
    {"verify", ask_verify},       {"periods", ask_periods}, {"retention", ask_retention},
    {"exclude", ask_exclude},     {"report", ask_report},   {"budget", ask_budget},
    {"rejected", ask_rejected},   {"check", ask_check},     {"drift", ask_drift},
    {"migrate", ask_migrate},     {"stored", ask_stored},   {"dry run", ask_reprice_dry},
    {"reprice", ask_reprice_new}, {"offsets", ask_offsets}, {"commit", ask_commit},
    {"page", ask_page},           {"compact", ask_compact}, {"carry", ask_carry},
    {"focus", ask_focus},
};

/* --- and each statement of it fails ---------------------------------------------------------- */

static void fail_each_statement(const char *name, bool (*ask)(struct err *err),
                                const char *sqlstate)
{
    for (unsigned at = 1; at < STATEMENTS_MAX; at++) {
        struct err err = {0};
        server_ready();
        fake_libpq.fail_at = at;
        fake_libpq.sqlstate = sqlstate;
        bool ok = ask(&err);
        if (!ok && err.kind == ERR_NONE)
            fail_msg("%s: statement %u with \"%s\": no error: %s", name, at, sqlstate,
                     fake_libpq.last);
        if (fake_libpq.open != 0)
            fail_msg("%s: statement %u with \"%s\": %u connections left", name, at, sqlstate,
                     fake_libpq.open);
        if (fake_libpq.statements < at)
            return;
    }
    fail_msg("%s: more than %d statements", name, STATEMENTS_MAX);
}

static void every_statement_that_fails_is_told_and_leaves_nothing_open(void **state)
{
    static const char *const states[] = {"", "55P03", "42501", "40001", "57014", "53100"};
    (void)state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
        for (size_t s = 0; s < sizeof(states) / sizeof(states[0]); s++)
            fail_each_statement(asked[i].name, asked[i].ask, states[s]);
}

static void a_server_that_is_away_is_unavailable_to_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct err err = {0};
        server_ready();
        fake_libpq.refuses = true;
        assert_false(asked[i].ask(&err));
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
        assert_int_equal(fake_libpq.open, 0);
    }
}

/* libpq then stays within COPY, and its results have no end. */
static void a_copy_without_memory_ends_with_its_connection(void **state)
{
    unsigned at = 0, puts;
    (void)state;
    do {
        struct err err = {0};
        server_ready();
        fake_libpq.puts_end = ++at;
        bool ok = ask_commit(&err);
        puts = fake_libpq.puts;
        if (puts < at && ok)
            break;
        assert_false(ok);
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
        assert_int_equal(fake_libpq.open, 0);
        assert_int_equal(fake_libpq.connects, 1);
    } while (at < 100);
    assert_in_range(at, 4, 99); /* data and end of rows, and of sums */
}

/* Without a failure all goes through: else the rules above miss an answer. */
static void everything_works_when_nothing_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct err err = {0};
        server_ready();
        if (!asked[i].ask(&err))
            fail_msg("%s: %s: %s", asked[i].name, err.text, fake_libpq.last);
        assert_int_equal(fake_libpq.open, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_works_when_nothing_fails),
        cmocka_unit_test(every_statement_that_fails_is_told_and_leaves_nothing_open),
        cmocka_unit_test(a_copy_without_memory_ends_with_its_connection),
        cmocka_unit_test(a_server_that_is_away_is_unavailable_to_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
