/* SPDX-License-Identifier: Apache-2.0 */
/* links: store
 * with: store_fixture
 * What cannot be undone: days dropped, days rewritten, months closed. By the functions that do it,
 * as the roles that may call them, with wrong clocks, strange partitions and callers that mean
 * harm. */
#include "tests/integration/store_fixture.h"

#include "core/clock.h"
#include "store/migrate.h"
#include "store/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

struct world {
    struct batch batch;
    struct writer *writer;
    struct partition_state p;
};

static uint64_t next_identity = 1;

static int setup(void **state)
{
    static unsigned number;
    static char topic[32];
    struct world *w = calloc(1, sizeof(*w));
    snprintf(topic, sizeof(topic), "topic_%u", ++number);
    batch_init(&w->batch, 1 << 20, 0, 1);
    w->writer = writer_make("spendlog lane 0", 500);
    partition_load(w->writer, topic, 0, &w->p);
    *state = w;
    return 0;
}

/* The next test begins with no days, and nothing said about retention. */
static int teardown(void **state)
{
    struct world *w = *state;
    writer_free(w->writer);
    batch_free(&w->batch);
    free(w);
    int differing = sums_differing();
    sql("DELETE FROM spendlog.closed_periods; DELETE FROM spendlog.day_claims;"
        "SELECT spendlog.drop_partition(day) FROM spendlog.stored_days();"
        "DELETE FROM spendlog.dropped_partitions; DELETE FROM spendlog.dropped_sums;"
        "TRUNCATE spendlog.spend_deltas, spendlog.spend_slots, spendlog.spend_days,"
        " spendlog.sums_days, spendlog.day_totals, spendlog.budget_sums, spendlog.coarse_days;"
        "UPDATE spendlog.retention SET keep_days = NULL, keep_sums_days = NULL, days_per_day = 8");
    return differing;
}

static void session_open(struct pg *pg, const char *name)
{
    struct err err = {0};
    const struct pg_options options = {.conninfo = conninfo_of(""), .application_name = name};
    assert_true(pg_open(pg, &options, &err));
}

static void session_await_end(const char *name)
{
    char query[128];
    snprintf(query, sizeof(query),
             "SELECT count(*) FROM pg_stat_activity WHERE application_name = '%s'", name);
    for (int tries = 0; scalar(query) > 0; tries++)
        assert_true(tries < 10000);
}

/* A row that many days before now, stored at once. */
static void row_of_days_ago(struct world *w, int days)
{
    const struct sample sample = {.identity = next_identity++,
                                  .start_us = clock_now_us() - days * CLOCK_DAY_US};
    batch_reset(&w->batch);
    add_row(&w->batch, &w->p, &sample);
    commit_or_fail(w->writer, &w->batch);
}

static int64_t rows_stored(void)
{
    return scalar("SELECT count(*) FROM spendlog.spend_logs");
}

static int64_t days_stored(void)
{
    return scalar("SELECT count(*) FROM spendlog.stored_days()");
}

static int64_t drop_as_writer(const char *arguments)
{
    char statement[256];
    snprintf(statement, sizeof(statement), "SELECT * FROM spendlog.drop_expired(%s)", arguments);
    assert_string_equal(sqlstate_of("writer", statement), "00000");
    return rows_stored();
}

/* --- retention ------------------------------------------------------------------------------ */

static void nothing_goes_until_the_database_says_how_long(void **state)
{
    struct world *w = *state;
    row_of_days_ago(w, 900);
    w->batch.retain_days = 30;
    row_of_days_ago(w, 0);
    assert_int_equal(rows_stored(), 2);
    assert_int_equal(drop_as_writer("0, now()"), 2);
    assert_int_equal(drop_as_writer("NULL, now()"), 2);
}

static void a_process_may_keep_longer_and_never_drop_earlier(void **state)
{
    struct world *w = *state;
    sql("UPDATE spendlog.retention SET keep_days = 400");
    row_of_days_ago(w, 900);
    row_of_days_ago(w, 300);
    row_of_days_ago(w, 20);
    assert_int_equal(drop_as_writer("1000, now()"), 3);
    assert_int_equal(drop_as_writer("0, now()"), 2);
    assert_int_equal(drop_as_writer("7, now()"), 2);
    assert_int_equal(drop_as_writer("-5, now()"), 2);
}

static void a_wrong_clock_on_either_side_drops_nothing(void **state)
{
    struct world *w = *state;
    sql("UPDATE spendlog.retention SET keep_days = 400");
    row_of_days_ago(w, 900);
    row_of_days_ago(w, 0);
    assert_int_equal(drop_as_writer("400, now() + interval '10 years'"), 2);
    assert_int_equal(drop_as_writer("400, now() - interval '10 years'"), 2);
    assert_int_equal(drop_as_writer("400, now() - interval '11 minutes'"), 2);
    assert_int_equal(drop_as_writer("400, 'infinity'"), 2);
    assert_int_equal(drop_as_writer("400"), 2);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.drop_expired(400, now() + interval '10"
                            " years') WHERE held ~ 'the clocks differ'"),
                     1);
    assert_int_equal(drop_as_writer("400, now() - interval '9 minutes'"), 1);
}

/* Both clocks are ahead by the same years: what came last says how old the oldest is. */
static void age_is_measured_against_the_newest_day_too(void **state)
{
    struct world *w = *state;
    sql("UPDATE spendlog.retention SET keep_days = 400");
    row_of_days_ago(w, 3900);
    row_of_days_ago(w, 3650);
    assert_int_equal(drop_as_writer("400, now()"), 2);
    row_of_days_ago(w, 3400);
    assert_int_equal(drop_as_writer("400, now()"), 2);
}

static void a_few_days_are_dropped_a_day(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 5; i++)
        row_of_days_ago(w, 900 + i);
    row_of_days_ago(w, 1);
    sql("UPDATE spendlog.retention SET keep_days = 400, days_per_day = 3");
    w->batch.retain_days = 400;
    row_of_days_ago(w, 0);
    assert_int_equal(rows_stored(), 4); /* of seven */
    assert_int_equal(drop_as_writer("400, now()"), 4);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.drop_expired(400, now())"
                            " WHERE held ~ '3 days were dropped'"),
                     1);
    sql("UPDATE spendlog.dropped_partitions SET dropped_at = dropped_at - interval '25 hours'");
    assert_int_equal(drop_as_writer("400, now()"), 3);
}

static void a_dropped_day_leaves_what_it_held(void **state)
{
    struct world *w = *state;
    row_of_days_ago(w, 900);
    row_of_days_ago(w, 900);
    row_of_days_ago(w, 0);
    sql("UPDATE spendlog.retention SET keep_days = 400, keep_sums_days = 2555");
    assert_int_equal(drop_as_writer("400, now()"), 1);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.dropped_partitions WHERE rows = 2 AND"
                            " spend = 0.000002 AND dropped_by = 'test_writer'"),
                     1);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.dropped_sums WHERE rows = 2 AND spend ="
                            " 0.000002 AND model = 'gpt' AND input_tokens = 20"),
                     1);
}

static void guards_are_kept_when_clocks_differ(void **state)
{
    (void)state;
    sql("INSERT INTO spendlog.identity_guard (identity, start_time, content_hash, guarded_at)"
        " VALUES (gen_random_uuid(), now(), 0, now() - interval '20 days')");
    assert_string_equal(sqlstate_of("writer", "SELECT spendlog.guard_prune(1)"), "00000");
    assert_string_equal(
        sqlstate_of("writer", "SELECT spendlog.guard_prune(1, now() + interval '1 year')"),
        "00000");
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.identity_guard"), 1);
    assert_string_equal(sqlstate_of("writer", "SELECT spendlog.guard_prune(1, now())"), "00000");
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.identity_guard"), 0);
}

static void only_the_owner_says_how_long(void **state)
{
    static const char *const roles[] = {"writer", "repricer", "reader"};
    (void)state;
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        assert_string_equal(sqlstate_of(roles[i], "UPDATE spendlog.retention SET keep_days = 7"),
                            "42501");
}

/* --- partitions that are not ours ----------------------------------------------------------- */

static void strange_partitions_are_left_alone(void **state)
{
    struct world *w = *state;
    sql("UPDATE spendlog.retention SET keep_days = 400");
    sql("CREATE TABLE spendlog.archive_20100101 PARTITION OF spendlog.stored_rows"
        " FOR VALUES FROM ('2010-01-01') TO ('2010-01-02');"
        "CREATE TABLE spendlog.spend_logs_20120101 PARTITION OF spendlog.stored_rows"
        " FOR VALUES FROM ('2012-01-01') TO ('2013-01-01');"
        "CREATE TABLE spendlog.open_00010101 PARTITION OF spendlog.stored_rows"
        " FOR VALUES FROM (MINVALUE) TO ('1970-01-01')");
    row_of_days_ago(w, 900);
    w->batch.retain_days = 400;
    row_of_days_ago(w, 0);
    assert_int_equal(rows_stored(), 1);
    assert_int_equal(days_stored(), 1);
    assert_int_equal(scalar("SELECT count(*) FROM pg_class WHERE relname IN ('archive_20100101',"
                            " 'spend_logs_20120101', 'open_00010101')"),
                     3);
    assert_int_equal(scalar("SELECT coalesce(spendlog.drop_partition('2012-01-01'), -7)"), -7);
    sql("DROP TABLE spendlog.archive_20100101, spendlog.spend_logs_20120101,"
        " spendlog.open_00010101");
}

/* A strange partition has the day: its rows go there. */
static void rows_of_a_strange_partition_find_their_way(void **state)
{
    struct world *w = *state;
    sql("CREATE TABLE spendlog.year_2016 PARTITION OF spendlog.stored_rows"
        " FOR VALUES FROM ('2016-01-01') TO ('2017-01-01')");
    const struct sample sample = {.identity = next_identity++,
                                  .start_us = INT64_C(1464739200000000)};
    add_row(&w->batch, &w->p, &sample);
    commit_or_fail(w->writer, &w->batch);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.year_2016"), 1);
    assert_int_equal(days_stored(), 0);
    /* Nobody books what it held: its sums are made again without it. */
    sql("DROP TABLE spendlog.year_2016;"
        "SELECT spendlog.sums_remake('2016-06-01', '2016-06-02')");
}

static void days_that_nobody_can_mean_are_not_made(void **state)
{
    static const char *const days[] = {"10000-01-01", "1969-12-31", "0044-03-15 BC", "infinity"};
    (void)state;
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
        char statement[128];
        snprintf(statement, sizeof(statement), "SELECT spendlog.ensure_partition('%s')", days[i]);
        assert_string_equal(sqlstate_of("writer", statement), "22008");
    }
    assert_int_equal(days_stored(), 0);
}

static void housekeeping_hears_the_stop(void **state)
{
    struct world *w = *state;
    atomic_bool stop = true;
    struct err err = {0};
    const struct writer_options options = {.conninfo = conninfo_of("writer"),
                                           .group_id = "g",
                                           .cluster_id = "c",
                                           .application_name = "spendlog lane 1",
                                           .stop = &stop};
    sql("UPDATE spendlog.retention SET keep_days = 400");
    row_of_days_ago(w, 900);
    writer_free(w->writer);
    w->writer = writer_new(&options);
    assert_true(writer_put_book(w->writer, BOOK_A, SLICE("{\"rules\": []}"), &err));
    w->batch.retain_days = 400;
    row_of_days_ago(w, 0);
    assert_int_equal(rows_stored(), 2);
}

static void ten_rows(struct world *w)
{
    add_rows(&w->batch, &w->p, 1000000 + next_identity, 10);
    next_identity += 10;
    commit_or_fail(w->writer, &w->batch);
}

/* --- the digest ------------------------------------------------------------------------------ */

/* Partitions whose digest is not that of their rows. */
static int64_t digests_apart(const struct world *w)
{
    char query[1024];
    snprintf(query, sizeof(query),
             "SELECT count(*) FROM spendlog.kafka_offsets o WHERE o.row_digest <> coalesce(("
             "SELECT bit_xor(spendlog.row_digest(l.start_time, l.identity, l.content_hash,"
             " l.kafka_offset, l.record_index, l.team_id, l.user_id, l.api_key,"
             " l.organization_id, l.model)) FROM spendlog.spend_logs l"
             " WHERE l.partition_id = o.partition_id), 0) AND o.partition_id = %lld",
             (long long)w->p.id);
    return scalar(query);
}

static void a_row_of_texts(struct world *w, size_t bytes)
{
    struct err err = {0};
    static char text[64] = "a text of some length, cut wherever it pleases: 0123456789 abc";
    struct event event = {.mapping = "litellm", .has_identity = true, .content_hash = bytes * 77};
    struct charge charge = {.status = CHARGE_FREE, .has_spend = true};
    struct batch_range *range = &w->batch.range[batch_range_of(&w->batch, &w->p)];
    const struct row_origin origin = {
        .range = (unsigned)(range - w->batch.range),
        .kafka_offset = range->next_offset,
        .record_index = (unsigned)bytes,
        .price_book_id = BOOK_A,
    };
    memset(event.identity, (int)bytes + 1, sizeof(event.identity));
    facts_set_int(&event.facts, FACT_STARTED_AT, (int64_t)(bytes * bytes) * 1000000007 + 17);
    for (enum label label = LABEL_API_KEY; bytes && label <= LABEL_ORG; label++)
        if (label == LABEL_API_KEY || label == LABEL_USER || label == LABEL_TEAM ||
            label == LABEL_ORG) {
            event.labels.present |= UINT64_C(1) << label;
            event.labels.v[label].s = (struct slice){text + (label & 1) * 3, bytes};
        }
    range->messages++;
    range->next_offset++;
    range->rows++;
    if (!batch_add_row(&w->batch, &event, &charge, &origin, &err))
        fail_msg("%s", err.text);
}

/* PostgreSQL hashes what is stored to what we hashed before it was: all lengths, all times. */
static void the_digest_is_that_of_the_stored_rows(void **state)
{
    struct world *w = *state;
    for (size_t bytes = 0; bytes < 50; bytes++)
        a_row_of_texts(w, bytes);
    commit_or_fail(w->writer, &w->batch);
    assert_int_equal(rows_stored(), 50);
    assert_int_equal(digests_apart(w), 0);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.kafka_offsets WHERE row_digest <> 0 AND"
                            " rows = 50"),
                     1);
    row_of_days_ago(w, 3);
    row_of_days_ago(w, 0);
    assert_int_equal(digests_apart(w), 0);
    sql("SELECT spendlog.drop_partition(min(day)) FROM spendlog.stored_days()");
    assert_int_equal(digests_apart(w), 0);
    sql("SELECT spendlog.drop_partition(day) FROM spendlog.stored_days()");
    assert_int_equal(
        scalar("SELECT count(*) FROM spendlog.kafka_offsets WHERE row_digest = 0 AND rows ="
               " 52 AND rows_dropped = 52"),
        1);
}

static void count_digests(const struct verify_finding *finding, void *context)
{
    int *count = context;
    *count += finding->kind == VERIFY_DIGEST && finding->difference;
}

/* As many rows as before, and none of them the one that came. */
static void verify_finds_a_forged_row_of_equal_count(void **state)
{
    static const char *const forged[] = {
        "UPDATE spendlog.spend_logs SET team_id = 'mine' WHERE identity = $",
        "UPDATE spendlog.spend_logs SET user_id = 'him' WHERE identity = $",
        "UPDATE spendlog.spend_logs SET model = 'cheap' WHERE identity = $",
        "UPDATE spendlog.spend_logs SET start_time = start_time + interval '1 s' WHERE identity = "
        "$",
        "UPDATE spendlog.spend_logs SET identity = gen_random_uuid() WHERE identity = $",
        "UPDATE spendlog.spend_logs SET record_index = 1 WHERE identity = $",
        "DELETE FROM spendlog.spend_logs WHERE identity = $;"
        "INSERT INTO spendlog.spend_logs SELECT (jsonb_populate_record(s, jsonb_build_object("
        "'identity', gen_random_uuid()))).* FROM spendlog.spend_logs s LIMIT 1",
    };
    struct world *w = *state;
    ten_rows(w);
    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        struct err err = {0};
        struct verify_totals totals;
        char statement[1024] = "";
        int count = 0;
        for (const char *p = forged[i]; *p; p++)
            snprintf(statement + strlen(statement), sizeof(statement) - strlen(statement), "%.*s",
                     *p == '$' ? 70 : 1,
                     *p == '$' ? "(SELECT max(identity::text)::uuid FROM spendlog.spend_logs)" : p);
        assert_true(verify_run(conninfo_of("reader"), count_digests, &count, &totals, &err));
        assert_int_equal(count, 0);
        sql("CREATE TABLE spendlog.saved AS SELECT * FROM spendlog.stored_rows");
        sql(statement);
        if (!verify_run(conninfo_of("reader"), count_digests, &count, &totals, &err))
            fail_msg("%s", err.text);
        if (count != 1)
            fail_msg("not found: %s", statement);
        /* as they were stored: what comes through the view has items that nobody knows */
        sql("DELETE FROM spendlog.stored_rows; INSERT INTO spendlog.stored_rows SELECT * FROM"
            " spendlog.saved; DROP TABLE spendlog.saved");
    }
}

#define CLAIM "SELECT spendlog.days_claim(ARRAY[date '2025-07-15']);"
#define ADJUST                                                                                     \
    "INSERT INTO spendlog.spend_adjustments (run_id, start_time, identity, kind, old_spend,"       \
    " new_spend, old_status, new_status, old_reason, new_reason, old_price_book_id,"               \
    " new_price_book_id, new_input_cost, new_output_cost, new_other_cost, new_flags)"              \
    " SELECT 1, start_time, identity, 'audit', spend, 0, pricing_status, 'priced',"                \
    " pricing_reason, '', price_book_id, price_book_id, 0, 0, 0, flags"                            \
    " FROM spendlog.spend_logs;"
#define APPLY "SELECT spendlog.adjust_rows(1, '2025-07-15', '2025-07-15', '2025-07-15 23:59:59')"

/* --- a strange hand --------------------------------------------------------------------------- */

static void note_hand(const struct verify_finding *finding, void *context)
{
    int *count = context;
    *count += finding->kind == VERIFY_HAND && !finding->difference;
}

static int hands_told(void)
{
    struct err err = {0};
    struct verify_totals totals;
    int count = 0;
    if (!verify_run(conninfo_of("reader"), note_hand, &count, &totals, &err))
        fail_msg("%s", err.text);
    assert_int_equal(totals.hands, count);
    return count;
}

/* By way of the parent and of the day's own table; the functions of a reprice leave none. */
static void a_strange_hand_leaves_a_mark(void **state)
{
    static const char *const hands[] = {
        "UPDATE spendlog.spend_logs SET flags = flags",
        "DELETE FROM spendlog.spend_logs",
        "UPDATE spendlog.stored_rows SET flags = flags",
        "DELETE FROM spendlog.stored_rows WHERE flags = -1",
        "TRUNCATE spendlog.stored_rows",
        "UPDATE spendlog.spend_logs_20250715 SET flags = flags",
        "DELETE FROM spendlog.spend_logs_20250715 WHERE flags = -1",
        "TRUNCATE spendlog.spend_logs_20250715",
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof(hands) / sizeof(hands[0]); i++) {
        batch_reset(&w->batch);
        ten_rows(w);
        sql("DELETE FROM spendlog.strange_hands");
        assert_int_equal(hands_told(), 0);
        sql(hands[i]);
        if (hands_told() == 0)
            fail_msg("not told: %s", hands[i]);
        sql("UPDATE spendlog.strange_hands SET accepted_by = 'me'");
        assert_int_equal(hands_told(), 0);
        sql("SELECT spendlog.drop_partition(day) FROM spendlog.stored_days();"
            "TRUNCATE spendlog.spend_deltas, spendlog.spend_slots, spendlog.spend_days,"
            " spendlog.sums_days, spendlog.day_totals, spendlog.budget_sums, spendlog.coarse_days;"
            "DELETE FROM spendlog.dropped_partitions");
    }
    batch_reset(&w->batch);
    ten_rows(w);
    sql("DELETE FROM spendlog.strange_hands");
    assert_string_equal(sqlstate_of("repricer", CLAIM ADJUST APPLY), "00000");
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs WHERE spend = 0"), 10);
    assert_int_equal(hands_told(), 0);
    sql("DELETE FROM spendlog.spend_adjustments");
}

/* --- locks that strangers cannot take -------------------------------------------------------- */

static void a_strangers_advisory_locks_stop_nothing(void **state)
{
    struct world *w = *state;
    struct pg stranger;
    struct err err = {0};
    const struct pg_options options = {.conninfo = conninfo_of("reader"),
                                       .application_name = "stranger"};
    sql("UPDATE spendlog.retention SET keep_days = 400");
    row_of_days_ago(w, 900);
    assert_true(pg_open(&stranger, &options, &err));
    assert_true(
        pg_command(&stranger,
                   "SELECT pg_advisory_lock(hashtextextended('spendlog.partitions', 0)),"
                   " pg_advisory_lock(hashtextextended('spendlog.migrate', 0));"
                   "SELECT pg_advisory_lock(1936745060, i) FROM generate_series(5000, 11000) i",
                   &err));
    w->batch.retain_days = 400;
    row_of_days_ago(w, 0);
    assert_int_equal(rows_stored(), 1);
    assert_string_equal(
        sqlstate_of("repricer", "SELECT spendlog.period_close('2020-02-01', now())"), "00000");
    assert_string_equal(sqlstate_of("repricer", "SELECT spendlog.days_claim("
                                                "ARRAY[(now() AT TIME ZONE 'UTC')::date])"),
                        "00000");
    assert_true(migrate_apply(conninfo_of(""), NULL, NULL, &err));
    static const char *const locks[] = {
        "BEGIN; LOCK TABLE spendlog.day_claims IN ACCESS SHARE MODE",
        "BEGIN; LOCK TABLE spendlog.locks IN ACCESS SHARE MODE",
        "SELECT FROM spendlog.locks FOR SHARE",
        "BEGIN; LOCK TABLE spendlog.schema_migrations IN SHARE MODE",
        "BEGIN; LOCK TABLE spendlog.retention IN SHARE MODE",
        "SELECT FROM spendlog.retention FOR KEY SHARE",
    };
    for (size_t i = 0; i < sizeof(locks) / sizeof(locks[0]); i++)
        assert_string_equal(sqlstate_of("reader", locks[i]), "42501");
    pg_close(&stranger);
}

static void a_claim_ends_with_its_session(void **state)
{
    static const char claim[] =
        "SELECT 1 / (1 - count(*)) FROM spendlog.days_claim(ARRAY[date '2025-07-15'])";
    struct pg holder;
    struct err err = {0};
    const struct pg_options options = {.conninfo = conninfo_of("repricer"),
                                       .application_name = "holder"};
    (void)state;
    assert_true(pg_open(&holder, &options, &err));
    assert_true(pg_command(&holder, claim, &err));
    assert_true(pg_command(&holder, claim, &err)); /* its own */
    assert_string_equal(sqlstate_of("repricer", claim), "22012");
    sql("SELECT spendlog.ensure_partition('2025-07-15')");
    assert_string_equal(sqlstate_of("", "SELECT spendlog.drop_partition('2025-07-15')"), "55P03");
    assert_string_equal(
        sqlstate_of("repricer", "SELECT spendlog.period_close('2025-07-01', now())"), "55P03");
    pg_close(&holder);
    session_await_end("holder");
    assert_string_equal(sqlstate_of("repricer", claim), "00000");
}

/* --- a repricer that means harm -------------------------------------------------------------- */

static void money_changes_only_with_its_adjustment(void **state)
{
    static const struct {
        const char *statement, *sqlstate;
    } attack[] = {
        {"UPDATE spendlog.spend_logs SET spend = 0", "42501"},
        {"UPDATE spendlog.spend_logs SET flags = 0", "42501"},
        {ADJUST APPLY, "55000"}, /* not claimed */
        {CLAIM ADJUST "SELECT spendlog.adjust_rows(1, '2025-07-16', '2025-07-15', '2025-07-16')",
         "55000"},
        {"BEGIN ISOLATION LEVEL REPEATABLE READ;" CLAIM ADJUST APPLY "; COMMIT", "25000"},
    };
    struct world *w = *state;
    ten_rows(w);
    for (size_t i = 0; i < sizeof(attack) / sizeof(attack[0]); i++)
        assert_string_equal(sqlstate_of("repricer", attack[i].statement), attack[i].sqlstate);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs WHERE spend = 0"), 0);

    assert_string_equal(sqlstate_of("repricer", CLAIM ADJUST), "00000");
    assert_string_equal(sqlstate_of("repricer", CLAIM APPLY), "00000"); /* of another transaction */
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs WHERE spend = 0"), 0);
    sql("DELETE FROM spendlog.spend_adjustments");

    assert_string_equal(sqlstate_of("repricer", CLAIM ADJUST APPLY), "00000");
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs WHERE spend = 0"), 10);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_adjustments"), 10);
    sql("DELETE FROM spendlog.spend_adjustments");
}

static void an_adjustment_fits_its_row_or_nothing_happens(void **state)
{
    static const char *const lies[] = {
        "old_spend = 7",          "old_status = 'free'",       "old_reason = 'unknown_model'",
        "old_price_book_id = 77", "new_flags = new_flags + 1", "identity = gen_random_uuid()",
    };
    struct world *w = *state;
    ten_rows(w);
    sql("GRANT UPDATE ON spendlog.spend_adjustments TO test_repricer");
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        char statement[2048];
        snprintf(statement, sizeof(statement),
                 CLAIM ADJUST "UPDATE spendlog.spend_adjustments SET %s WHERE identity ="
                              " (SELECT max(identity::text)::uuid FROM spendlog.spend_logs);" APPLY,
                 lies[i]);
        assert_string_equal(sqlstate_of("repricer", statement), "55000");
    }
    sql("REVOKE UPDATE ON spendlog.spend_adjustments FROM test_repricer");
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs WHERE spend = 0"), 0);
}

static void a_day_is_replaced_by_itself_only(void **state)
{
    static const struct {
        const char *statement, *sqlstate;
    } attack[] = {
        {"SELECT spendlog.shadow_create('2025-07-15')", "55000"},
        {"SELECT spendlog.swap_partition('2025-07-15')", "55000"},
        {CLAIM "SELECT spendlog.swap_partition('2025-07-15')", "P0002"},
        {CLAIM "SELECT spendlog.shadow_create('2025-07-15');"
               "INSERT INTO spendlog.reprice_20250715 SELECT * FROM spendlog.stored_rows",
         "42501"},
        /* nothing was copied: all rows would be gone */
        {CLAIM "SELECT spendlog.shadow_create('2025-07-15'); SELECT"
               " spendlog.shadow_index('2025-07-15'); SELECT spendlog.swap_partition('2025-07-15')",
         "55000"},
        /* copied twice */
        {CLAIM "SELECT spendlog.shadow_create('2025-07-15'); SELECT"
               " spendlog.shadow_fill('2025-07-15', 1, 0);"
               "UPDATE spendlog.reprice_shadows SET filled_blocks = 0",
         "42501"},
    };
    struct world *w = *state;
    ten_rows(w);
    int64_t before = scalar("SELECT sum(hashtext(s::text)) FROM spendlog.spend_logs s");
    for (size_t i = 0; i < sizeof(attack) / sizeof(attack[0]); i++)
        assert_string_equal(sqlstate_of("repricer", attack[i].statement), attack[i].sqlstate);
    assert_int_equal(scalar("SELECT sum(hashtext(s::text)) FROM spendlog.spend_logs s"), before);
}

/* The run's book is the first one that there is. */
#define RUN                                                                                        \
    "INSERT INTO spendlog.price_books (book_hash, book) VALUES (repeat('7', 64), '{}')"            \
    " ON CONFLICT DO NOTHING; INSERT INTO spendlog.reprice_runs (price_book_id, filter)"           \
    " SELECT min(price_book_id), '{}' FROM spendlog.price_books;"
#define LAST_RUN "(SELECT max(run_id) FROM spendlog.reprice_runs)"
#define REWRITE                                                                                    \
    CLAIM "SELECT spendlog.shadow_create('2025-07-15');"                                           \
          "INSERT INTO spendlog.reprice_staged_20250715 (run_id, start_time, identity, kind,"      \
          " old_spend, new_spend, old_status, new_status, old_reason, new_reason,"                 \
          " old_price_book_id, new_price_book_id, new_input_cost, new_output_cost,"                \
          " new_other_cost, new_flags) SELECT " LAST_RUN ", start_time, identity, 'audit', spend," \
          " 0, pricing_status, 'priced', pricing_reason, '', price_book_id, price_book_id, 0, 0,"  \
          " 0, flags FROM spendlog.spend_logs;"                                                    \
          "SELECT spendlog.shadow_fill('2025-07-15', 1000, 0);"                                    \
          "SELECT spendlog.shadow_index('2025-07-15');"
#define TAKE "SELECT spendlog.staged_take(" LAST_RUN ", '2025-07-15');"
#define SWAP "SELECT spendlog.swap_partition('2025-07-15');"

/* Who has read sums in a snapshot reads rows of the same: the day is not exchanged meanwhile. */
static void a_swap_gives_way_to_snapshots(void)
{
    static const char sums[] = "SELECT sum(spend) FROM spendlog.spend_daily";
    static const char rows[] = "SELECT sum(spend) FROM spendlog.spend_logs";
    char of_sums[64];
    struct err err = {0};
    struct pg reader;
    session_open(&reader, "reader");
    assert_true(pg_command(&reader, "BEGIN ISOLATION LEVEL REPEATABLE READ", &err));
    PGresult *res = PQexec(reader.conn, sums);
    snprintf(of_sums, sizeof(of_sums), "%s", PQgetvalue(res, 0, 0));
    PQclear(res);
    char given[6];
    snprintf(given, sizeof(given), "%s",
             sqlstate_of("repricer", "BEGIN;" REWRITE TAKE SWAP "COMMIT"));
    res = PQexec(reader.conn, rows);
    pg_close(&reader); /* first: what fails here may not leave it open */
    assert_string_equal(given, "55P03");
    assert_string_equal(PQgetvalue(res, 0, 0), of_sums);
    PQclear(res);
    session_await_end("reader");
}

static void a_rewritten_day_comes_with_its_record(void **state)
{
    static const struct {
        const char *statement, *sqlstate;
    } attack[] = {
        {REWRITE SWAP, "55000"},
        {"BEGIN;" REWRITE TAKE "COMMIT; BEGIN;" SWAP "COMMIT", "55000"},
        {"BEGIN;" REWRITE TAKE TAKE SWAP "COMMIT", "55000"},
        {"BEGIN;" REWRITE "SELECT spendlog.staged_take(" LAST_RUN " + 1, '2025-07-15');" SWAP
         "COMMIT",
         "55000"},
        {"BEGIN; UPDATE spendlog.reprice_runs SET state = 'done';" REWRITE TAKE SWAP "COMMIT",
         "55000"},
    };
    struct world *w = *state;
    ten_rows(w);
    assert_string_equal(sqlstate_of("repricer", RUN), "00000");
    for (size_t i = 0; i < sizeof(attack) / sizeof(attack[0]); i++) {
        if (strcmp(sqlstate_of("repricer", attack[i].statement), attack[i].sqlstate) != 0)
            fail_msg("%s: %s", attack[i].statement, sqlstate_of("repricer", attack[i].statement));
        assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs WHERE spend = 0"), 0);
    }
    sql("DELETE FROM spendlog.spend_adjustments");
    a_swap_gives_way_to_snapshots();
    assert_string_equal(sqlstate_of("repricer", "BEGIN;" REWRITE TAKE SWAP "COMMIT"), "00000");
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs WHERE spend = 0"), 10);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_adjustments"), 10);
    sql("DELETE FROM spendlog.spend_adjustments; DELETE FROM spendlog.reprice_runs;"
        "SELECT spendlog.sums_remake('-infinity', 'infinity')");
}

/* One of the rows, put at `spend` on `day` by the last run; `old`: what it is said to have been. */
#define POST(identity, old, day)                                                                   \
    "INSERT INTO spendlog.spend_adjustments (run_id, start_time, identity, kind, posted_on,"       \
    " old_spend, new_spend, old_status, new_status, old_reason, new_reason, old_price_book_id,"    \
    " new_price_book_id, new_flags) SELECT " LAST_RUN ", start_time, " identity ", 'posted', " day \
    ", " old ", 0, pricing_status, 'priced', pricing_reason, '', price_book_id,"                   \
    " price_book_id, flags FROM spendlog.spend_logs ORDER BY identity LIMIT 1;"
#define TODAY "(now() AT TIME ZONE 'UTC')::date"

static void a_posted_adjustment_is_one_of_a_row_as_it_stands(void **state)
{
    static const char *const lies[] = {
        POST("identity", "spend", TODAY), /* not claimed */
        CLAIM POST("gen_random_uuid()", "spend", TODAY),
        CLAIM POST("identity", "spend + 1000000", TODAY),
        CLAIM POST("identity", "NULL", TODAY),
        CLAIM POST("identity", "spend", "'2025-07-15'"),
        CLAIM POST("identity", "spend", "'2025-08-15'"),
        CLAIM POST("identity", "spend", "'2126-01-01'"),
        CLAIM "UPDATE spendlog.reprice_runs SET state = 'done';" POST("identity", "spend", TODAY),
        CLAIM POST("identity", "spend", TODAY) RUN POST("identity", "spend", TODAY),
    };
    static const char posted[] = CLAIM POST("identity", "spend", TODAY);
    struct world *w = *state;
    ten_rows(w);
    assert_string_equal(sqlstate_of("repricer", RUN), "00000");
    assert_string_equal(sqlstate_of("repricer", posted), "55000"); /* the month is open */
    assert_string_equal(
        sqlstate_of("repricer", "SELECT spendlog.period_close('2025-07-01', now())"), "00000");
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
        if (strcmp(sqlstate_of("repricer", lies[i]), "55000") != 0)
            fail_msg("%zu: %s", i, lies[i]);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_adjustments"), 0);
    assert_string_equal(sqlstate_of("repricer", posted), "00000");
    assert_string_equal(sqlstate_of("repricer", CLAIM RUN POST("identity", "0", TODAY)), "00000");
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_adjustments"), 2);
    sql("DELETE FROM spendlog.spend_adjustments; DELETE FROM spendlog.reprice_runs;"
        "SELECT spendlog.sums_remake('-infinity', 'infinity')");
}

static void a_closed_month_is_replaced_by_nobody(void **state)
{
    static const char *const attack[] = {
        CLAIM "SELECT spendlog.shadow_create('2025-07-15')",
        CLAIM "SELECT spendlog.swap_partition('2025-07-15')",
        CLAIM ADJUST APPLY,
    };
    struct world *w = *state;
    ten_rows(w);
    assert_string_equal(
        sqlstate_of("repricer", "SELECT spendlog.period_close('2025-07-01', now())"), "00000");
    for (size_t i = 0; i < sizeof(attack) / sizeof(attack[0]); i++)
        assert_string_equal(sqlstate_of("repricer", attack[i]), "55000");
}

static void a_month_is_closed_once_and_in_the_past(void **state)
{
    static const struct {
        const char *statement, *sqlstate;
    } close[] = {
        {"INSERT INTO spendlog.closed_periods (month, rows, spend) VALUES ('2025-06-01', 0, 0)",
         "42501"},
        {"SELECT spendlog.period_close('2126-01-01', now())", "22023"},
        {"SELECT spendlog.period_close('2126-01-01', '2126-03-01')", "22023"},
        {"SELECT spendlog.period_close(now()::date, now())", "22023"},
        {"SELECT spendlog.period_close('infinity', now())", "22023"},
        {"SELECT spendlog.period_close('-infinity', now())", "22023"},
        {"SELECT spendlog.period_close('0001-01-01', now())", "22023"},
        {"SELECT spendlog.period_close(NULL, now())", "22023"},
        {"SELECT spendlog.period_close('2025-07-01', NULL)", "22023"},
        {"SELECT spendlog.period_close('2025-07-01', now() + interval '10 years')", "22023"},
        {"SELECT spendlog.period_close('2025-07-01', now())", "00000"},
        {"SELECT spendlog.period_close('2025-07-31', now())", "22023"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(close) / sizeof(close[0]); i++)
        assert_string_equal(sqlstate_of("repricer", close[i].statement), close[i].sqlstate);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.closed_periods"), 1);
}

/* --- what changes sums of a day, beside what merges them ---------------------------------------
 */

/* SQLSTATE of a statement that begins when another has done its work and is not committed. */
static const char *beside(const char *first, const char *second)
{
    static char sqlstate[6];
    struct pg one, other;
    struct err err = {0};
    session_open(&one, "first");
    session_open(&other, "second");
    assert_true(pg_command(&one, "BEGIN", &err));
    assert_true(pg_command(&one, first, &err));
    assert_int_equal(PQsendQuery(other.conn, second), 1);
    for (int tries = 0; scalar("SELECT count(*) FROM pg_stat_activity WHERE application_name ="
                               " 'second' AND wait_event_type = 'Lock'") == 0;
         tries++)
        assert_true(tries < 10000);
    assert_true(pg_command(&one, "COMMIT", &err));
    PGresult *res = PQgetResult(other.conn);
    const char *failed = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    snprintf(sqlstate, sizeof(sqlstate), "%s", failed ? failed : "00000");
    PQclear(res);
    pg_close(&one);
    pg_close(&other);
    return sqlstate;
}

static void sums_are_remade_before_or_after_they_are_merged(void **state)
{
    ten_rows(*state);
    assert_string_equal(beside("SELECT spendlog.sums_compact(100000)",
                               "SELECT spendlog.sums_remake('-infinity', 'infinity')"),
                        "00000");
    assert_int_equal(sums_differing(), 0);
    sql("SELECT spendlog.sums_compact(100000)");
    assert_string_equal(beside("SELECT spendlog.sums_merge_day(day) FROM spendlog.sums_days",
                               "SELECT spendlog.sums_remake('-infinity', 'infinity')"),
                        "00000");
}

static void sums_of_a_day_that_is_dropped_meanwhile_are_not_remade(void **state)
{
    row_of_days_ago(*state, 1);
    sql("SELECT spendlog.sums_compact(100000)");
    assert_string_equal(beside("SELECT spendlog.drop_partition(day) FROM spendlog.stored_days()",
                               "SELECT spendlog.sums_remake('-infinity', 'infinity')"),
                        "55000");
    assert_int_equal(scalar("SELECT sum(calls) FROM spendlog.spend_daily"), 1);
}

/* Of a day that is merged, and that rows come to: of a model that it has, and of another. */
static void a_day_is_dropped_before_or_after_its_sums_are_merged(void **state)
{
    struct world *w = *state;
    row_of_days_ago(w, 1);
    sql("SELECT spendlog.sums_compact(100000)");
    row_of_days_ago(w, 1);
    const struct sample other = {
        .identity = next_identity++, .start_us = clock_now_us() - CLOCK_DAY_US, .model = "another"};
    batch_reset(&w->batch);
    add_row(&w->batch, &w->p, &other);
    commit_or_fail(w->writer, &w->batch);
    assert_string_equal(
        beside("SELECT spendlog.sums_compact(100000)",
               "SELECT spendlog.drop_partition(min(day)) FROM spendlog.stored_days()"),
        "00000");
}

/* --- settings -------------------------------------------------------------------------------- */

static void functions_that_count_refuse_an_old_snapshot(void **state)
{
    static const struct {
        const char *role, *statement;
    } counts[] = {
        {"", "SELECT spendlog.drop_partition('2025-07-15')"},
        {"writer", "SELECT spendlog.drop_expired(0, now())"},
        {"writer", "SELECT spendlog.ensure_partition('2025-07-16')"},
        {"repricer", "SELECT spendlog.days_claim(ARRAY[date '2025-07-15'])"},
        {"repricer", "SELECT spendlog.adjust_rows(1, '2025-07-15', '2025-07-15', '2025-07-15')"},
        {"repricer", "SELECT spendlog.staged_take(1, '2025-07-15')"},
        {"repricer", "SELECT spendlog.swap_partition('2025-07-15')"},
        {"repricer", "SELECT spendlog.period_close('2025-07-01', now())"},
        {"", "SELECT spendlog.sums_remake('2025-07-15', '2025-07-16')"},
        {"", "SELECT spendlog.sums_forget('2025-07-15')"},
        {"", "SELECT spendlog.budget_set('all', '', 'day', 100)"},
        {"", "SELECT spendlog.budget_remove('all', '', 'day')"},
    };
    static const char *const levels[] = {"REPEATABLE READ", "SERIALIZABLE",
                                         "READ COMMITTED READ ONLY"};
    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        for (size_t level = 0; level < sizeof(levels) / sizeof(levels[0]); level++) {
            char statement[256];
            snprintf(statement, sizeof(statement), "BEGIN ISOLATION LEVEL %s; %s", levels[level],
                     counts[i].statement);
            if (strcmp(sqlstate_of(counts[i].role, statement), "25000") != 0)
                fail_msg("%s: %s", statement, sqlstate_of(counts[i].role, statement));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(nothing_goes_until_the_database_says_how_long),
        TEST(a_process_may_keep_longer_and_never_drop_earlier),
        TEST(a_wrong_clock_on_either_side_drops_nothing),
        TEST(age_is_measured_against_the_newest_day_too),
        TEST(a_few_days_are_dropped_a_day),
        TEST(a_dropped_day_leaves_what_it_held),
        TEST(guards_are_kept_when_clocks_differ),
        TEST(only_the_owner_says_how_long),
        TEST(strange_partitions_are_left_alone),
        TEST(rows_of_a_strange_partition_find_their_way),
        TEST(days_that_nobody_can_mean_are_not_made),
        TEST(housekeeping_hears_the_stop),
        TEST(the_digest_is_that_of_the_stored_rows),
        TEST(verify_finds_a_forged_row_of_equal_count),
        TEST(a_strange_hand_leaves_a_mark),
        TEST(a_strangers_advisory_locks_stop_nothing),
        TEST(a_claim_ends_with_its_session),
        TEST(money_changes_only_with_its_adjustment),
        TEST(an_adjustment_fits_its_row_or_nothing_happens),
        TEST(a_day_is_replaced_by_itself_only),
        TEST(a_rewritten_day_comes_with_its_record),
        TEST(a_posted_adjustment_is_one_of_a_row_as_it_stands),
        TEST(a_closed_month_is_replaced_by_nobody),
        TEST(a_month_is_closed_once_and_in_the_past),
        TEST(sums_are_remade_before_or_after_they_are_merged),
        TEST(sums_of_a_day_that_is_dropped_meanwhile_are_not_remade),
        TEST(a_day_is_dropped_before_or_after_its_sums_are_merged),
        TEST(functions_that_count_refuse_an_old_snapshot),
#undef TEST
    };
    return cmocka_run_group_tests(tests, database_create, database_drop);
}
