/* SPDX-License-Identifier: Apache-2.0 */
/* links: store
 * with: store_fixture
 * Repricing against a real server, on 24,000 rows of mixed calls over six days in two months. What
 * prices is a small tariff of the test's own, so that what must come out can also be said in SQL.
 */
#include "tests/integration/store_fixture.h"

#include "store/periods.h"
#include "store/reprice.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ROWS 24000
#define ROWS_PER_DAY (ROWS / 6)
#define LAST_DAY_US INT64_C(1751500800000000) /* 2025-07-03 */
#define KILLS 20
#define BOOK_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* --- rows: 2025-06-28 .. 2025-07-03 ---------------------------------------------------------- */

static void rows_make(void)
{
    sql("INSERT INTO spendlog.price_books (book_hash, book)"
        " VALUES (repeat('0', 64), '{}'), (repeat('a', 64), '{\"book\": \"A\"}')");
    sql("SELECT spendlog.ensure_partition(date '2025-06-28' + i) FROM generate_series(0, 5) i");
    sql("INSERT INTO spendlog.spend_logs (start_time, identity, batch_id, partition_id, "
        "kafka_offset,"
        " content_hash, price_book_id, record_index, flags, pricing_status, pricing_reason, "
        "provider,"
        " model, call_type, status, request_id, team_id, api_key, mapping, time_source, "
        "input_tokens,"
        " output_tokens, cache_hit, gateway_cost, spend, input_cost, output_cost, other_cost, "
        "usage)"
        " SELECT timestamp '2025-06-28' + i * interval '21.6 s', md5(i::text)::uuid, 1, 1, i, i, "
        "1, 0,"
        " 0, CASE WHEN i % 97 = 0 THEN 'reported' ELSE 'unpriced' END,"
        " CASE WHEN i % 97 = 0 THEN 'underivable_no_usage' ELSE 'unknown_model' END,"
        " (ARRAY['openai', 'azure', 'bedrock'])[i % 3 + 1], 'model-' || i % 7,"
        " (ARRAY['chat', 'embedding', 'image', 'rerank', 'transcription'])[i % 5 + 1],"
        " CASE WHEN i % 50 = 0 THEN 'failure' ELSE 'success' END, 'req-' || i, 'team-' || i % 11,"
        " 'key-' || i % 13, 'litellm', 'event', i % 5000, i % 900, i % 33 = 0, 0.5,"
        " CASE WHEN i % 97 = 0 THEN 0.5 END, CASE WHEN i % 97 = 0 THEN 0 END,"
        " CASE WHEN i % 97 = 0 THEN 0 END, CASE WHEN i % 97 = 0 THEN 0.5 END,"
        " CASE i % 5 WHEN 2 THEN jsonb_build_object('images', i % 4, 'image_size', '1024x1024')"
        "  WHEN 4 THEN jsonb_build_object('audio_seconds', (i % 600) / 7.0) END"
        " FROM generate_series(0, 23999) i");
    sql("ANALYZE spendlog.stored_rows");
    sql("SELECT spendlog.sums_remake('-infinity', 'infinity')"); /* rows that no writer wrote */
}

/* --- tariffs --------------------------------------------------------------------------------- */

struct tariff {
    const char *book;
    int64_t input_atto, output_atto; /* per token, times the model's number */
    bool model_6;                    /* known */
    int64_t calls;
    unsigned flags; /* what it remarks */
};

static struct tariff tariff_a = {BOOK_A, 3000000000000, 15000000000000, true, 0, 0};
static struct tariff tariff_b = {BOOK_B, 2500000000001, 10000000000003, true, 0, 0};
static struct tariff tariff_remarks = {BOOK_A, 3000000000000,         15000000000000, true,
                                       0,      FLAG_UNKNOWN_PRICE_KEY};
static struct tariff tariff_no_6 = {BOOK_B, 3000000000000, 15000000000000, false, 0, 0};

/* As pricing does it: an amount is of its side and of the spend. */
static void item_add(struct charge *charge, enum unit unit, int64_t quantity, int64_t atto)
{
    if (quantity == 0)
        return;
    struct money amount = {(i128)quantity * atto};
    charge->item[charge->item_count++] =
        (struct charge_item){.unit = unit,
                             .quantity = decimal_from_int(quantity),
                             .rate = {(u128)atto, 18, false},
                             .multiplier = {1, 0, false},
                             .amount = amount};
    charge->side[unit_info[unit].side].atto += amount.atto;
    charge->spend.atto += amount.atto;
}

static void price(const struct facts *facts, struct charge *charge, void *context)
{
    struct tariff *tariff = context;
    struct slice model = facts_text(facts, FACT_MODEL);
    int64_t number = model.p[model.bytes - 1] - '0';
    memset(charge, 0, sizeof(*charge));
    tariff->calls++;
    charge->flags = tariff->flags;
    if (number == 6 && !tariff->model_6) {
        charge->status = CHARGE_UNPRICED;
        charge->reason = REASON_UNKNOWN_MODEL;
        return;
    }
    charge->has_spend = true;
    if (slice_is(facts_text(facts, FACT_STATUS), "failure")) {
        charge->status = CHARGE_FREE;
        charge->reason = REASON_FAILURE;
        return;
    }
    item_add(charge, UNIT_INPUT_TEXT_TOKENS, facts_int(facts, FACT_INPUT_TOKENS),
             tariff->input_atto * number);
    item_add(charge, UNIT_OUTPUT_TEXT_TOKENS, facts_int(facts, FACT_OUTPUT_TOKENS),
             tariff->output_atto * number);
    item_add(charge, UNIT_IMAGE_TOOL_IMAGES, facts_int(facts, FACT_IMAGES), 40000000000000000);
    charge->status = charge->spend.atto ? CHARGE_PRICED : CHARGE_FREE;
    charge->reason = charge->spend.atto ? REASON_NONE : REASON_ZERO_RATE;
}

/* --- runs ------------------------------------------------------------------------------------ */

static const struct reprice_filter everything = {.since_us = INT64_MIN, .until_us = INT64_MAX};

static struct reprice *run_open(struct tariff *tariff, bool dry_run, size_t slice_rows)
{
    struct err err = {0};
    struct reprice_options options = {
        .conninfo = conninfo_of(dry_run ? "reader" : "repricer"),
        .dry_run = dry_run,
        .price = price,
        .context = tariff,
        .slice_rows = slice_rows,
        .rewrite_rows_min = 1000,
    };
    struct reprice *run = reprice_open(&options, &err);
    if (!run)
        fail_msg("%s", err.text);
    return run;
}

/* The run that was left, taken to its end; to be closed. */
static struct reprice *run_resumed(struct tariff *tariff)
{
    struct err err = {0};
    struct buf json;
    bool found;
    struct reprice *run = run_open(tariff, false, 0);
    buf_init(&json, 1 << 20);
    if (!reprice_resume(run, &found, &json, &err) || !reprice_run(run, &err))
        fail_msg("%s", err.text);
    assert_true(found);
    buf_free(&json);
    return run;
}

/* The totals of a whole run. */
static struct reprice_report run_all(struct tariff *tariff, const struct reprice_filter *filter,
                                     bool dry_run)
{
    struct err err = {0};
    struct reprice *run = run_open(tariff, dry_run, 0);
    if (!reprice_begin(run, filter, tariff->book, SLICE("{}"), &err) || !reprice_run(run, &err))
        fail_msg("%s", err.text);
    const struct reprice_report *report = reprice_report(run, &err);
    if (!report)
        fail_msg("%s", err.text);
    struct reprice_report copy = *report;
    copy.tally = NULL;
    reprice_close(run);
    return copy;
}

/* Of all columns of all rows: equal numbers are equal tables. */
static int64_t fingerprint(void)
{
    return scalar("SELECT mod(sum(hashtextextended(s::text, 0)::numeric), 1000000000000000)"
                  " FROM spendlog.spend_logs s");
}

static int64_t spend_atto_sum(void)
{
    return scalar("SELECT mod(sum(spend) * 1000000000000000000, 1000000000000000000)"
                  " FROM spendlog.spend_entries");
}

static int64_t sum_low(struct sum sum)
{
    return (int64_t)sum.atto;
}

static i128 delta_of(const struct reprice_report *r)
{
    struct sum delta = sum_less(r->totals.after, r->totals.before);
    return delta.units * 1000000000000000000 + delta.atto;
}

static void table_reset(void)
{
    sql("TRUNCATE spendlog.closed_periods, spendlog.reprice_days, spendlog.reprice_tallies,"
        " spendlog.spend_adjustments, spendlog.reprice_runs CASCADE");
    run_all(&tariff_a, &everything, false);
    sql("TRUNCATE spendlog.reprice_days, spendlog.reprice_tallies, spendlog.spend_adjustments,"
        " spendlog.reprice_runs CASCADE");
    sql("DELETE FROM spendlog.dropped_partitions;"
        "SELECT spendlog.sums_remake('-infinity', 'infinity')");
}

static int world_make(void **state)
{
    database_create(state);
    rows_make();
    return 0;
}

static int reset(void **state)
{
    (void)state;
    table_reset();
    return 0;
}

/* Whatever a test did, the sums are what the rows come to. */
static int agree(void **state)
{
    (void)state;
    return sums_differing();
}

/* --- tests ----------------------------------------------------------------------------------- */

static void unpriced_rows_heal_when_their_rule_appears(void **state)
{
    struct reprice_filter unpriced = everything;
    (void)state;
    unpriced.unpriced = true;
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs WHERE spend IS NULL"),
                     ROWS - ROWS / 97 - 1);
    struct reprice_report r = run_all(&tariff_a, &unpriced, false);
    assert_int_equal(r.totals.considered, ROWS - ROWS / 97 - 1);
    assert_int_equal(r.totals.changed, r.totals.considered);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs WHERE spend IS NULL"), 0);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.unpriced_models"), 0);
    assert_int_equal(
        scalar(
            "SELECT count(*) FROM spendlog.spend_logs WHERE pricing_status <> 'reported' AND spend"
            " <> CASE WHEN status = 'failure' THEN 0 ELSE right(model, 1)::int * (input_tokens *"
            " 0.000003 + output_tokens * 0.000015) + coalesce((usage ->> 'images')::int, 0) * 0.04"
            " END"),
        0);
}

static void reported_rows_change_only_when_asked(void **state)
{
    struct reprice_filter with = everything;
    (void)state;
    with.include_reported = true;
    struct reprice_report r = run_all(&tariff_a, &everything, true);
    assert_int_equal(r.totals.skipped, ROWS / 97 + 1);
    assert_int_equal(r.totals.changed, 0);
    r = run_all(&tariff_a, &with, true);
    assert_int_equal(r.totals.skipped, 0);
    assert_int_equal(r.totals.changed, ROWS / 97 + 1);
}

static void a_to_b_to_a_returns_every_digit(void **state)
{
    (void)state;
    int64_t before = fingerprint();
    struct reprice_report there = run_all(&tariff_b, &everything, false);
    assert_true(there.totals.changed > ROWS / 2);
    assert_int_equal(there.days_rewritten, 6);
    assert_int_not_equal(fingerprint(), before);
    struct reprice_report back = run_all(&tariff_a, &everything, false);
    assert_int_equal(back.totals.changed, there.totals.changed);
    assert_true(delta_of(&back) == -delta_of(&there));
    assert_int_equal(fingerprint(), before);
}

static void a_second_run_changes_nothing(void **state)
{
    (void)state;
    run_all(&tariff_b, &everything, false);
    int64_t before = fingerprint();
    struct reprice_report r = run_all(&tariff_b, &everything, false);
    assert_int_equal(r.totals.changed, 0);
    assert_int_equal(r.totals.considered, ROWS);
    assert_int_equal(r.totals.unchanged + r.totals.skipped, ROWS);
    assert_int_equal(fingerprint(), before);
}

static void update_and_rewrite_give_the_same_table(void **state)
{
    struct reprice_filter halves = everything;
    (void)state;
    run_all(&tariff_b, &everything, false);
    int64_t rewritten = fingerprint();
    table_reset();
    halves.team.count = 11; /* any filter of rows rules the rewrite out */
    static const char *const teams[] = {"team-0", "team-1", "team-2", "team-3", "team-4", "team-5",
                                        "team-6", "team-7", "team-8", "team-9", "team-10"};
    memcpy(halves.team.value, teams, sizeof(teams));
    struct reprice_report r = run_all(&tariff_b, &halves, false);
    assert_int_equal(r.days_rewritten, 0);
    assert_int_equal(fingerprint(), rewritten);
}

static void a_rewritten_table_does_not_grow(void **state)
{
    const char *size = "SELECT sum(pg_relation_size(inhrelid)) FROM pg_inherits"
                       " WHERE inhparent = 'spendlog.stored_rows'::regclass";
    (void)state;
    int64_t before = scalar(size);
    run_all(&tariff_b, &everything, false);
    run_all(&tariff_a, &everything, false);
    assert_true(scalar(size) <= before + before / 50);
    assert_int_equal(scalar("SELECT count(*) FROM pg_class WHERE relname LIKE 'reprice\\_2%'"), 0);
}

static void a_dry_run_changes_nothing_and_says_what_applying_gives(void **state)
{
    struct reprice_filter filter = everything;
    (void)state;
    filter.provider = (struct reprice_list){2, {"azure", "bedrock"}};
    filter.model = (struct reprice_list){2, {"model-3", "model-5"}};
    filter.since_us = BASE_US - 15 * US_PER_DAY; /* 2025-06-30 08:00 */
    int64_t before = fingerprint();
    struct reprice_report dry = run_all(&tariff_b, &filter, true);
    assert_int_equal(fingerprint(), before);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.reprice_runs"), 0);

    struct reprice_report applied = run_all(&tariff_b, &filter, false);
    assert_memory_equal(&dry.totals, &applied.totals, sizeof(dry.totals));
    assert_true(dry.totals.changed > 0);
    assert_int_equal(dry.move_count, REPRICE_TOP_MAX);
    for (size_t i = 0; i < dry.move_count; i++)
        assert_memory_equal(&dry.move[i], &applied.move[i], sizeof(dry.move[i]));
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_adjustments WHERE kind = 'audit'"),
                     applied.totals.changed);
}

static void every_change_has_its_record(void **state)
{
    (void)state;
    struct reprice_report r = run_all(&tariff_b, &everything, false);
    assert_int_equal(
        scalar("SELECT count(*) FROM spendlog.spend_adjustments a JOIN spendlog.spend_logs l"
               " USING (start_time, identity) WHERE a.new_spend = l.spend AND a.new_status ="
               " l.pricing_status AND a.new_price_book_id = l.price_book_id"
               " AND a.old_price_book_id <> l.price_book_id AND a.old_spend <> l.spend"),
        r.totals.changed);
    assert_int_equal(
        scalar("SELECT count(*) FROM spendlog.reprice_runs r WHERE state = 'done' AND delta ="
               " (SELECT sum(new_spend - old_spend) FROM spendlog.spend_adjustments) AND delta ="
               " spend_after - spend_before AND started_by = 'test_repricer' AND finished_at"
               " IS NOT NULL"),
        1);
    assert_int_equal(
        scalar(
            "SELECT count(*) FROM (SELECT dimension FROM spendlog.reprice_tallies WHERE dimension"
            " <> 'skipped' GROUP BY 1 HAVING sum(spend_after - spend_before) ="
            " (SELECT delta FROM spendlog.reprice_runs)) d"),
        3);
}

/* The flags that a row of a closed period counts with are those of its latest adjustment. */
#define ROWS_WITH_FLAGS(value)                                                                     \
    "SELECT count(*) FROM spendlog.spend_logs l WHERE pricing_status <> 'reported' AND coalesce("  \
    "(SELECT a.new_flags FROM spendlog.spend_adjustments a WHERE a.kind = 'posted' AND "           \
    "a.start_time = l.start_time AND a.identity = l.identity ORDER BY run_id DESC LIMIT 1), "      \
    "flags) = " #value

static void pricing_remarks_anew_and_reading_keeps_its_own(void **state)
{
    struct reprice_filter halves = everything;
    struct err err = {0};
    int64_t rows = ROWS - ROWS / 97 - 1;
    (void)state;
    sql("UPDATE spendlog.spend_logs SET flags = 8 + 16777216"); /* total_mismatch, rate_missing */
    sql("SELECT spendlog.sums_remake('-infinity', 'infinity')");
    halves.provider = (struct reprice_list){1, {"azure"}};
    assert_true(run_all(&tariff_remarks, &halves, false).totals.changed > 0);
    assert_int_equal(run_all(&tariff_remarks, &everything, false).totals.posted, 0);
    assert_int_equal(scalar(ROWS_WITH_FLAGS(8 + 33554432)), rows);
    assert_int_equal(run_all(&tariff_remarks, &everything, false).totals.changed, 0);

    if (!period_close(conninfo_of("repricer"), 2025, 6, &err))
        fail_msg("%s", err.text);
    assert_true(run_all(&tariff_a, &everything, false).totals.posted > 0);
    assert_int_equal(scalar(ROWS_WITH_FLAGS(8)), rows);
    assert_int_equal(run_all(&tariff_a, &everything, false).totals.changed, 0);
    sql("UPDATE spendlog.spend_logs SET flags = 0;"
        "SELECT spendlog.sums_remake('-infinity', 'infinity')");
}

/* --- kill -9 --------------------------------------------------------------------------------- */

static pid_t child_start(bool resume, const struct reprice_filter *filter)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    struct err err = {0};
    struct buf json;
    bool found = true;
    struct reprice *run = run_open(&tariff_b, false, 300);
    buf_init(&json, 1 << 20);
    bool ok = (resume ? reprice_resume(run, &found, &json, &err)
                      : reprice_begin(run, filter, BOOK_B, SLICE("{}"), &err)) &&
              (!found || reprice_run(run, &err));
    if (!ok)
        fprintf(stderr, "%s\n", err.text);
    _exit(ok ? 0 : 1);
}

/* The server notices a killed client when it next talks to it; its locks go then. */
static void backends_wait(void)
{
    for (int i = 0; i < 200; i++) {
        if (scalar("SELECT count(*) FROM pg_stat_activity WHERE application_name ="
                   " 'spendlog reprice' AND datname = current_database()") == 0)
            return;
        usleep(50000);
    }
    fail_msg("backends of a killed run are still there");
}

static void rollups_equal_rows(void)
{
    assert_int_equal(
        scalar("SELECT count(*) FROM (SELECT sum(spend) AS s FROM spendlog.spend_daily) d"
               " WHERE s <> (SELECT sum(spend) FROM spendlog.spend_logs) +"
               " (SELECT coalesce(sum(coalesce(new_spend, 0) - coalesce(old_spend, 0)),"
               " 0) FROM spendlog.spend_adjustments WHERE kind = 'posted')"),
        0);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs l JOIN"
                            " spendlog.spend_adjustments a USING (start_time, identity)"
                            " WHERE a.kind = 'audit' AND l.spend IS DISTINCT FROM a.new_spend"),
                     0);
    assert_int_equal(scalar("SELECT coalesce(sum(changed), 0) - (SELECT count(*) FROM"
                            " spendlog.spend_adjustments) FROM spendlog.reprice_runs"),
                     0);
}

static unsigned kill_and_resume(const struct reprice_filter *filter, unsigned seed,
                                unsigned most_ms)
{
    unsigned kills = 0;
    bool done = false;
    for (unsigned i = 0; !done; i++) {
        int status;
        pid_t pid =
            child_start(i > 0 && scalar("SELECT count(*) FROM spendlog.reprice_runs") > 0, filter);
        if (kills < KILLS) {
            usleep(1000 * (5 + (unsigned)rand_r(&seed) % most_ms));
            kill(pid, SIGKILL);
        }
        waitpid(pid, &status, 0);
        kills += WIFSIGNALED(status);
        if (WIFEXITED(status))
            assert_int_equal(WEXITSTATUS(status), 0);
        backends_wait();
        rollups_equal_rows();
        done = WIFEXITED(status);
    }
    return kills;
}

static void killed_anywhere_and_resumed_equals_one_clean_run(const struct reprice_filter *filter,
                                                             unsigned seed, unsigned most_ms)
{
    struct reprice_report clean = run_all(&tariff_b, filter, false);
    int64_t table = fingerprint();
    int64_t tallies = scalar(
        "SELECT mod(sum(hashtextextended(concat_ws('|', dimension, value, rows,"
        " trim_scale(spend_before), trim_scale(spend_after)), 0)::numeric), 1000000000000000)"
        " FROM spendlog.reprice_tallies");
    table_reset();
    unsigned kills = kill_and_resume(filter, seed, most_ms);
    print_message("seed %u: %u kills\n", seed, kills);
    assert_int_equal(fingerprint(), table);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_adjustments"),
                     clean.totals.changed);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.reprice_runs"), 1);
    assert_int_equal(scalar("SELECT considered FROM spendlog.reprice_runs"),
                     clean.totals.considered);
    assert_int_equal(scalar("SELECT unchanged FROM spendlog.reprice_runs"), clean.totals.unchanged);
    assert_int_equal(scalar("SELECT skipped FROM spendlog.reprice_runs"), clean.totals.skipped);
    assert_int_equal(
        scalar(
            "SELECT mod(sum(hashtextextended(concat_ws('|', dimension, value, rows,"
            " trim_scale(spend_before), trim_scale(spend_after)), 0)::numeric), 1000000000000000)"
            " FROM spendlog.reprice_tallies"),
        tallies);
}

static unsigned seed_of_environment(void)
{
    const char *text = getenv("SEED");
    return text ? (unsigned)strtoul(text, NULL, 10) : (unsigned)getpid();
}

static void killed_while_rewriting_and_resumed_equals_one_clean_run(void **state)
{
    (void)state;
    killed_anywhere_and_resumed_equals_one_clean_run(&everything, seed_of_environment(), 400);
}

static void killed_while_updating_and_resumed_equals_one_clean_run(void **state)
{
    struct reprice_filter filter = everything;
    (void)state;
    filter.model = (struct reprice_list){3, {"model-1", "model-3", "model-6"}};
    killed_anywhere_and_resumed_equals_one_clean_run(&filter, seed_of_environment() + 1, 200);
}

/* --- others at work -------------------------------------------------------------------------- */

static void two_runs_over_the_same_days_refuse_each_other(void **state)
{
    struct err err = {0};
    struct reprice_filter day = everything, next = everything;
    (void)state;
    day.since_us = BASE_US - 17 * US_PER_DAY;
    day.until_us = day.since_us + US_PER_DAY / 8;
    next.since_us = BASE_US - 14 * US_PER_DAY;
    struct reprice *one = run_open(&tariff_b, false, 0), *two = run_open(&tariff_b, false, 0);
    assert_true(reprice_begin(one, &day, BOOK_B, SLICE("{}"), &err));
    assert_false(reprice_begin(two, &everything, BOOK_B, SLICE("{}"), &err));
    assert_int_equal(err.kind, ERR_RETRY);
    assert_non_null(strstr(err.text, "2025-06-28"));
    assert_non_null(strstr(err.text, "spendlog reprice"));
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.reprice_runs"), 1);
    reprice_close(two);

    err_clear(&err);
    two = run_open(&tariff_b, false, 0);
    assert_true(reprice_begin(two, &next, BOOK_B, SLICE("{}"), &err));
    reprice_close(two);
    reprice_close(one);
}

struct arrival {
    struct tariff *tariff;
    int64_t from_us, calls, at; /* at so many calls for rows that started then or later */
    const char *statement;
};

/* Does something in the middle of a run. */
static void price_and_arrive(const struct facts *facts, struct charge *charge, void *context)
{
    struct arrival *arrival = context;
    arrival->calls += facts_int(facts, FACT_STARTED_AT) >= arrival->from_us;
    if (arrival->calls == arrival->at) {
        arrival->calls++;
        sql(arrival->statement);
    }
    price(facts, charge, arrival->tariff);
}

#define ONE_ROW                                                                                    \
    "INSERT INTO spendlog.spend_logs (start_time, identity, batch_id, partition_id, kafka_offset," \
    " content_hash, price_book_id, record_index, flags, pricing_status, model, mapping,"           \
    " time_source, spend, request_id) VALUES ('2025-07-03 12:00', gen_random_uuid(), 2, 1, 1, 1, " \
    "2,"                                                                                           \
    " 0, 0, 'priced', 'model-1', 'litellm', 'event', 7, 'late')"

static void rows_that_arrive_during_a_rewrite_are_kept(void **state)
{
    struct err err = {0};
    /* About half of the last day is sampled, then all of it is read. */
    struct arrival arrival = {&tariff_b, LAST_DAY_US, 0, ROWS_PER_DAY + ROWS_PER_DAY / 8, ONE_ROW};
    struct reprice_options options = {.conninfo = conninfo_of("repricer"),
                                      .price = price_and_arrive,
                                      .context = &arrival,
                                      .rewrite_rows_min = 1000};
    (void)state;
    struct reprice *run = reprice_open(&options, &err);
    if (!run || !reprice_begin(run, &everything, BOOK_B, SLICE("{}"), &err) ||
        !reprice_run(run, &err))
        fail_msg("%s", err.text);
    assert_int_equal(reprice_report(run, &err)->days_rewritten, 6);
    reprice_close(run);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs"), ROWS + 1);
    assert_int_equal(scalar("SELECT spend FROM spendlog.spend_logs WHERE request_id = 'late'"), 7);
    sql("DELETE FROM spendlog.spend_logs WHERE request_id = 'late'");
}

/* Of another user, so that the repricer must see the snapshot without any right to. */
/* In an older snapshot the swap would count the day without them, and drop them with the old table.
 */
static void late_rows_are_kept_whatever_the_default_isolation(void **state)
{
    static const char *const levels[] = {"repeatable read", "serializable"};
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        char statement[128];
        snprintf(statement, sizeof(statement),
                 "ALTER ROLE test_repricer SET default_transaction_isolation = '%s'", levels[i]);
        sql(statement);
        rows_that_arrive_during_a_rewrite_are_kept(state);
        sql("ALTER ROLE test_repricer RESET ALL");
        table_reset();
    }
}

/* What somebody else changes in the day while it is copied would be lost with the old table. */
static void a_row_changed_during_a_rewrite_stops_the_swap(void **state)
{
    static const char *const changes[] = {
        "UPDATE spendlog.spend_logs SET team_id = 'mine' WHERE start_time = '2025-07-03'",
        "DELETE FROM spendlog.spend_logs WHERE start_time = '2025-07-03'",
        "DELETE FROM spendlog.spend_logs WHERE start_time = '2025-07-03';" ONE_ROW,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct err err = {0};
        struct arrival arrival = {&tariff_b, LAST_DAY_US, 0, ROWS_PER_DAY + ROWS_PER_DAY / 8,
                                  changes[i]};
        struct reprice_options options = {.conninfo = conninfo_of("repricer"),
                                          .price = price_and_arrive,
                                          .context = &arrival,
                                          .rewrite_rows_min = 1000};
        sql("CREATE TABLE spendlog.saved AS SELECT * FROM spendlog.spend_logs"
            " WHERE start_time >= '2025-07-03'");
        struct reprice *run = reprice_open(&options, &err);
        assert_true(run && reprice_begin(run, &everything, BOOK_B, SLICE("{}"), &err));
        assert_false(reprice_run(run, &err));
        reprice_close(run);
        assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_adjustments"
                                " WHERE start_time >= '2025-07-03'"),
                         0);
        backends_wait();
        sql("DELETE FROM spendlog.spend_logs WHERE start_time >= '2025-07-03';"
            "INSERT INTO spendlog.spend_logs SELECT * FROM spendlog.saved;"
            "DROP TABLE spendlog.saved; UPDATE spendlog.reprice_runs SET state = 'failed'");
        table_reset();
    }
}

static void a_reader_older_than_the_copy_finds_the_day_whole(void **state)
{
    struct err err = {0};
    struct pg reader;
    struct pg_options options = {.conninfo = conninfo_of("reader")};
    int status;
    (void)state;
    assert_true(pg_open(&reader, &options, &err));
    assert_true(pg_command(&reader, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1", &err));
    pid_t pid = child_start(false, &everything);
    for (int i = 0; scalar("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND"
                           " query LIKE '%older_snapshots_wait%'") == 0;
         i++) {
        assert_true(i < 400 && waitpid(pid, &status, WNOHANG) == 0);
        usleep(25000);
    }
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_adjustments"), 0);
    PGresult *res = pg_query(&reader, "SELECT count(*) FROM spendlog.spend_logs", NULL, &err);
    assert_int_equal(pg_int(res, 0, 0), ROWS);
    PQclear(res);
    pg_close(&reader);
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.reprice_days WHERE method = 'rewrite'"),
                     6);
}

/* `function` fails for a while with that SQLSTATE; how often it was called is in a sequence. */
static void function_fails(const char *function, const char *argument, const char *sqlstate)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "CREATE SEQUENCE public.tries; GRANT ALL ON SEQUENCE public.tries TO PUBLIC;"
             " ALTER FUNCTION spendlog.%s(%s) RENAME TO kept;"
             " CREATE FUNCTION spendlog.%s(day %s) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN"
             "  PERFORM nextval('public.tries');"
             "  RAISE EXCEPTION 'not now' USING ERRCODE = '%s'; END $$",
             function, argument, function, argument, sqlstate);
    sql(text);
}

static void function_works(const char *function, const char *argument)
{
    char text[512];
    snprintf(text, sizeof(text),
             "DROP FUNCTION spendlog.%s(%s); ALTER FUNCTION spendlog.kept(%s) RENAME TO %s;"
             " DROP SEQUENCE public.tries",
             function, argument, argument, function);
    sql(text);
}

/* A table that is never let go: the run gives up, says so, and can be taken up again. */
static void a_swap_is_tried_sixty_times(void **state)
{
    struct err err = {0};
    (void)state;
    function_fails("swap_partition", "date", "55P03");
    struct reprice *run = run_open(&tariff_b, false, 0);
    assert_true(reprice_begin(run, &everything, tariff_b.book, SLICE("{}"), &err));
    assert_false(reprice_run(run, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    reprice_close(run);
    /* 60 of a slice, which is tried five times */
    assert_int_equal(scalar("SELECT last_value FROM public.tries"), 60);
    function_works("swap_partition", "date");
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_adjustments"), 0);
    backends_wait();
    err_clear(&err);
    run = run_resumed(&tariff_b);
    reprice_close(run);
    assert_true(scalar("SELECT count(*) FROM spendlog.spend_adjustments") > 0);
}

static void a_slice_is_tried_five_times(void **state)
{
    struct err err = {0};
    (void)state;
    sql("CREATE SEQUENCE public.tries; GRANT ALL ON SEQUENCE public.tries TO PUBLIC;"
        " CREATE FUNCTION public.deadlock() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        "  PERFORM nextval('public.tries');"
        "  RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$;"
        " CREATE TRIGGER deadlock BEFORE INSERT ON spendlog.spend_adjustments"
        " EXECUTE FUNCTION public.deadlock()");
    struct reprice_filter filter = everything;
    filter.model = (struct reprice_list){1, {"model-3"}};
    struct reprice *run = run_open(&tariff_b, false, 0);
    assert_true(reprice_begin(run, &filter, tariff_b.book, SLICE("{}"), &err));
    assert_false(reprice_run(run, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    reprice_close(run);
    assert_int_equal(scalar("SELECT last_value FROM public.tries"), 5);
    sql("DROP TRIGGER deadlock ON spendlog.spend_adjustments; DROP FUNCTION public.deadlock();"
        " DROP SEQUENCE public.tries");
    backends_wait();
}

static void retention_waits_for_a_run(void **state)
{
    struct err err = {0};
    (void)state;
    struct reprice *run = run_open(&tariff_b, false, 0);
    assert_true(reprice_begin(run, &everything, BOOK_B, SLICE("{}"), &err));
    assert_string_not_equal(sqlstate_of("", "SELECT spendlog.drop_partition('2025-07-03')"),
                            "00000");
    reprice_close(run);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs"), ROWS);
}

static void a_day_that_retention_dropped_before_the_resume_is_left_out(void **state)
{
    struct err err = {0};
    (void)state;
    sql("SELECT spendlog.ensure_partition('2025-08-01')");
    struct reprice *run = run_open(&tariff_b, false, 0);
    assert_true(reprice_begin(run, &everything, BOOK_B, SLICE("{}"), &err));
    reprice_close(run);
    backends_wait();
    sql("SELECT spendlog.drop_partition('2025-08-01')");
    run = run_resumed(&tariff_b);
    assert_int_equal(reprice_report(run, &err)->days_dropped, 1);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.reprice_days WHERE state = 'dropped'"),
                     1);
    assert_int_equal(scalar("SELECT considered FROM spendlog.reprice_runs"), ROWS);
    reprice_close(run);
}

/* As in a database that went back to before a book, and so to before all rows that it priced. */
static void a_run_of_a_book_that_is_gone_can_be_ended(void **state)
{
    struct err err = {0};
    struct reprice_filter filter = everything;
    (void)state;
    filter.book = "cc11";
    sql("INSERT INTO spendlog.price_books (book_hash, book) VALUES (rpad('cc11', 64, '0'), '{}')");
    struct reprice *run = run_open(&tariff_b, false, 0);
    assert_true(reprice_begin(run, &filter, BOOK_B, SLICE("{}"), &err));
    reprice_close(run);
    backends_wait();
    sql("DELETE FROM spendlog.price_books WHERE book_hash = rpad('cc11', 64, '0')");
    run = run_open(&tariff_b, false, 0);
    assert_false(reprice_begin(run, &filter, BOOK_B, SLICE("{}"), &err)); /* a new one is told */
    assert_int_equal(err.kind, ERR_INPUT);
    reprice_close(run);
    err_clear(&err);
    run = run_resumed(&tariff_b);
    assert_int_equal(scalar("SELECT considered FROM spendlog.reprice_runs WHERE state = 'done'"),
                     0);
    reprice_close(run);
}

static void a_row_changed_by_somebody_else_stops_the_run(void **state)
{
    struct err err = {0};
    struct reprice_filter one = everything;
    struct arrival arrival = {&tariff_b, INT64_MIN, 0, 100,
                              "UPDATE spendlog.stored_rows SET spend = spend + 1"
                              " WHERE start_time < '2025-06-28 02:00'"};
    struct reprice_options options = {.conninfo = conninfo_of("repricer"),
                                      .price = price_and_arrive,
                                      .context = &arrival,
                                      .rewrite_rows_min = 1000};
    (void)state;
    one.model = (struct reprice_list){1, {"model-1"}};
    struct reprice *run = reprice_open(&options, &err);
    assert_true(reprice_begin(run, &one, BOOK_B, SLICE("{}"), &err));
    assert_false(reprice_run(run, &err));
    assert_non_null(strstr(err.text, "no longer as they were read"));
    reprice_close(run);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_adjustments"), 0);
    sql("UPDATE spendlog.stored_rows SET spend = spend - 1 WHERE start_time < '2025-06-28 02:00'");
}

/* As a server does that came back older behind a pooler: the session goes on. */
static void a_run_that_is_not_recorded_any_more_changes_nothing_and_says_so(void **state)
{
    struct err err = {0};
    struct arrival arrival = {&tariff_b, INT64_MIN, 0, 100,
                              "DELETE FROM spendlog.reprice_days;"
                              " DELETE FROM spendlog.reprice_runs"};
    struct reprice_options options = {.conninfo = conninfo_of("repricer"),
                                      .price = price_and_arrive,
                                      .context = &arrival,
                                      .rewrite_rows_min = INT64_MAX};
    (void)state;
    int64_t before = fingerprint();
    struct reprice *run = reprice_open(&options, &err);
    assert_true(reprice_begin(run, &everything, BOOK_B, SLICE("{}"), &err));
    assert_false(reprice_run(run, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    assert_non_null(strstr(err.text, "the database went back under run"));
    assert_null(reprice_report(run, &err));
    reprice_close(run);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_adjustments"), 0);
    assert_int_equal(fingerprint(), before);
}

/* As one that has claimed the day, while a run has it that found it in a database that went back.
 */
static void a_day_that_another_run_has_done_is_not_counted_again(void **state)
{
    struct err err = {0};
    struct arrival arrival = {&tariff_b, INT64_MIN, 0, 100,
                              "UPDATE spendlog.reprice_days SET state = 'done'"};
    struct reprice_options options = {.conninfo = conninfo_of("repricer"),
                                      .price = price_and_arrive,
                                      .context = &arrival,
                                      .rewrite_rows_min = INT64_MAX};
    (void)state;
    int64_t before = fingerprint();
    struct reprice *run = reprice_open(&options, &err);
    assert_true(reprice_begin(run, &everything, BOOK_B, SLICE("{}"), &err));
    assert_false(reprice_run(run, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    reprice_close(run);
    assert_int_equal(scalar("SELECT considered FROM spendlog.reprice_runs"), 0);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_adjustments"), 0);
    assert_int_equal(fingerprint(), before);
}

/* --- closed periods -------------------------------------------------------------------------- */

static void closed_periods_take_no_change_in_place(void **state)
{
    struct err err = {0};
    (void)state;
    int64_t entries = spend_atto_sum();
    int64_t june = scalar("SELECT mod(sum(hashtextextended(s::text, 0)::numeric), 1000000000000000)"
                          " FROM spendlog.spend_logs s WHERE start_time < '2025-07-01'");
    int64_t table = fingerprint();
    if (!period_close(conninfo_of("repricer"), 2025, 6, &err))
        fail_msg("%s", err.text);

    struct reprice_report dry = run_all(&tariff_b, &everything, true);
    struct reprice_report r = run_all(&tariff_b, &everything, false);
    assert_memory_equal(&dry.totals, &r.totals, sizeof(r.totals));
    assert_true(r.totals.posted > 0 && r.totals.posted < r.totals.changed);
    assert_int_equal(
        scalar("SELECT mod(sum(hashtextextended(s::text, 0)::numeric), 1000000000000000)"
               " FROM spendlog.spend_logs s WHERE start_time < '2025-07-01'"),
        june);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_adjustments WHERE kind = 'posted'"
                            " AND posted_on = (now() AT TIME ZONE 'UTC')::date"
                            " AND start_time < '2025-07-01'"),
                     r.totals.posted);
    rollups_equal_rows();
    assert_int_not_equal(spend_atto_sum(), entries);

    assert_int_equal(run_all(&tariff_b, &everything, false).totals.changed, 0);
    struct reprice_report back = run_all(&tariff_a, &everything, false);
    assert_int_equal(back.totals.posted, r.totals.posted);
    assert_true(delta_of(&back) == -delta_of(&r));
    assert_int_equal(spend_atto_sum(), entries);
    assert_int_equal(fingerprint(), table);
    assert_int_equal(sum_low(back.totals.after), entries);
}

/* Rows of a closed month without a price keep that status; a posted price takes them off the list.
 */
/* What is posted last has the greatest number of a run: the older one would post again and again.
 */
static void a_run_gone_on_with_leaves_what_a_later_one_has_posted(void **state)
{
    struct err err = {0};
    (void)state;
    if (!period_close(conninfo_of("repricer"), 2025, 6, &err))
        fail_msg("%s", err.text);
    struct reprice *older = run_open(&tariff_a, false, 0);
    if (!reprice_begin(older, &everything, BOOK_A, SLICE("{}"), &err))
        fail_msg("%s", err.text);
    reprice_close(older);
    backends_wait();
    struct reprice_report newer = run_all(&tariff_b, &everything, false);
    assert_true(newer.totals.posted > 0);
    int64_t june = scalar("SELECT mod(sum(new_spend) * 1000000000000, 1000000000000) FROM"
                          " spendlog.spend_adjustments WHERE kind = 'posted'");
    older = run_resumed(&tariff_a);
    assert_int_equal(reprice_report(older, &err)->totals.posted, 0);
    reprice_close(older);
    assert_int_equal(scalar("SELECT mod(sum(new_spend) * 1000000000000, 1000000000000) FROM"
                            " spendlog.spend_adjustments WHERE kind = 'posted'"),
                     june);
    assert_int_equal(scalar("SELECT rows FROM spendlog.reprice_tallies WHERE value ="
                            " 'repriced_since'"),
                     newer.totals.posted);
}

/* A logical standby that was promoted gives numbers from 1 on. */
static void a_run_has_a_number_of_its_own(void **state)
{
    (void)state;
    run_all(&tariff_b, &everything, false);
    int64_t before = scalar("SELECT max(run_id) FROM spendlog.reprice_runs");
    sql("SELECT setval('spendlog.reprice_runs_run_id_seq', 1, false)");
    run_all(&tariff_a, &everything, false);
    assert_int_equal(scalar("SELECT max(run_id) FROM spendlog.reprice_runs"), before + 1);
}

static void a_posted_price_heals_the_list(void **state)
{
    struct err err = {0};
    (void)state;
    int64_t unpriced = run_all(&tariff_no_6, &everything, false).totals.changed;
    if (!period_close(conninfo_of("repricer"), 2025, 6, &err))
        fail_msg("%s", err.text);
    assert_int_equal(scalar("SELECT sum(calls) FROM spendlog.unpriced_models"), unpriced);
    struct reprice_report healed = run_all(&tariff_a, &everything, false);
    assert_true(healed.totals.posted > 0);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs"
                            " WHERE pricing_status = 'unpriced'"),
                     healed.totals.posted);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.unpriced_models"), 0);
    assert_int_equal(run_all(&tariff_no_6, &everything, false).totals.posted, healed.totals.posted);
    assert_int_equal(scalar("SELECT sum(calls) FROM spendlog.unpriced_models"), unpriced);
}

static void a_month_that_a_run_works_on_is_not_closed(void **state)
{
    struct err err = {0};
    (void)state;
    struct reprice *run = run_open(&tariff_b, false, 0);
    assert_true(reprice_begin(run, &everything, BOOK_B, SLICE("{}"), &err));
    assert_false(period_close(conninfo_of("repricer"), 2025, 7, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    reprice_close(run);
}

static void a_month_is_closed_once_and_only_when_it_is_over(void **state)
{
    struct err err = {0};
    (void)state;
    assert_false(period_close(conninfo_of("repricer"), 2999, 1, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    err_clear(&err);
    assert_true(period_close(conninfo_of("repricer"), 2025, 6, &err));
    assert_false(period_close(conninfo_of("repricer"), 2025, 6, &err));
    assert_int_equal(err.kind, ERR_INPUT);
}

/* --- bad input ------------------------------------------------------------------------------- */

static void an_empty_range_and_an_unknown_book_are_told(void **state)
{
    struct err err = {0};
    struct reprice_filter filter = everything;
    (void)state;
    struct reprice *run = run_open(&tariff_b, false, 0);
    filter.since_us = filter.until_us = BASE_US;
    assert_false(reprice_begin(run, &filter, BOOK_B, SLICE("{}"), &err));
    assert_int_equal(err.kind, ERR_USAGE);
    err_clear(&err);
    filter = everything;
    filter.book = "cafe";
    assert_false(reprice_begin(run, &filter, BOOK_B, SLICE("{}"), &err));
    assert_int_equal(err.kind, ERR_INPUT);
    reprice_close(run);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.reprice_runs"), 0);
}

static void a_filter_is_never_sql(void **state)
{
    struct reprice_filter filter = everything;
    (void)state;
    filter.model =
        (struct reprice_list){2, {"x') OR ('1'='1", "\\'; DROP TABLE spendlog.spend_logs"}};
    assert_int_equal(run_all(&tariff_b, &filter, true).totals.considered, 0);
}

static void a_model_that_lost_its_price_becomes_unpriced(void **state)
{
    (void)state;
    struct reprice_report r = run_all(&tariff_no_6, &everything, false);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs WHERE spend IS NULL AND"
                            " pricing_status = 'unpriced' AND input_cost IS NULL"),
                     r.totals.changed);
    assert_int_equal(scalar("SELECT sum(calls) FROM spendlog.unpriced_models"), r.totals.changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(unpriced_rows_heal_when_their_rule_appears, agree),
        cmocka_unit_test_setup_teardown(reported_rows_change_only_when_asked, reset, agree),
        cmocka_unit_test_setup_teardown(an_empty_range_and_an_unknown_book_are_told, reset, agree),
        cmocka_unit_test_setup_teardown(a_filter_is_never_sql, reset, agree),
        cmocka_unit_test_setup_teardown(a_dry_run_changes_nothing_and_says_what_applying_gives,
                                        reset, agree),
        cmocka_unit_test_setup_teardown(every_change_has_its_record, reset, agree),
        cmocka_unit_test_setup_teardown(a_to_b_to_a_returns_every_digit, reset, agree),
        cmocka_unit_test_setup_teardown(a_second_run_changes_nothing, reset, agree),
        cmocka_unit_test_setup_teardown(update_and_rewrite_give_the_same_table, reset, agree),
        cmocka_unit_test_setup_teardown(a_swap_is_tried_sixty_times, reset, agree),
        cmocka_unit_test_setup_teardown(a_slice_is_tried_five_times, reset, agree),
        cmocka_unit_test_setup_teardown(a_rewritten_table_does_not_grow, reset, agree),
        cmocka_unit_test_setup_teardown(a_model_that_lost_its_price_becomes_unpriced, reset, agree),
        cmocka_unit_test_setup_teardown(two_runs_over_the_same_days_refuse_each_other, reset,
                                        agree),
        cmocka_unit_test_setup_teardown(rows_that_arrive_during_a_rewrite_are_kept, reset, agree),
        cmocka_unit_test_setup_teardown(late_rows_are_kept_whatever_the_default_isolation, reset,
                                        agree),
        cmocka_unit_test_setup_teardown(a_row_changed_during_a_rewrite_stops_the_swap, reset,
                                        agree),
        cmocka_unit_test_setup_teardown(a_reader_older_than_the_copy_finds_the_day_whole, reset,
                                        agree),
        cmocka_unit_test_setup_teardown(retention_waits_for_a_run, reset, agree),
        cmocka_unit_test_setup_teardown(a_day_that_retention_dropped_before_the_resume_is_left_out,
                                        reset, agree),
        cmocka_unit_test_setup_teardown(a_run_of_a_book_that_is_gone_can_be_ended, reset, agree),
        cmocka_unit_test_setup_teardown(a_row_changed_by_somebody_else_stops_the_run, reset, agree),
        cmocka_unit_test_setup_teardown(
            a_run_that_is_not_recorded_any_more_changes_nothing_and_says_so, reset, agree),
        cmocka_unit_test_setup_teardown(a_day_that_another_run_has_done_is_not_counted_again, reset,
                                        agree),
        cmocka_unit_test_setup_teardown(killed_while_rewriting_and_resumed_equals_one_clean_run,
                                        reset, agree),
        cmocka_unit_test_setup_teardown(killed_while_updating_and_resumed_equals_one_clean_run,
                                        reset, agree),
        cmocka_unit_test_setup_teardown(a_month_is_closed_once_and_only_when_it_is_over, reset,
                                        agree),
        cmocka_unit_test_setup_teardown(a_month_that_a_run_works_on_is_not_closed, reset, agree),
        cmocka_unit_test_setup_teardown(pricing_remarks_anew_and_reading_keeps_its_own, reset,
                                        agree),
        cmocka_unit_test_setup_teardown(closed_periods_take_no_change_in_place, reset, agree),
        cmocka_unit_test_setup_teardown(a_run_gone_on_with_leaves_what_a_later_one_has_posted,
                                        reset, agree),
        cmocka_unit_test_setup_teardown(a_run_has_a_number_of_its_own, reset, agree),
        cmocka_unit_test_setup_teardown(a_posted_price_heals_the_list, reset, agree),
    };
    return cmocka_run_group_tests(tests, world_make, database_drop);
}
