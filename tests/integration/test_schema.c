/* SPDX-License-Identifier: Apache-2.0 */
/* links: store
 * with: store_fixture
 * The schema on a real server: who may do what, what the views say, migrations. */
#include "tests/integration/store_fixture.h"

#include "core/flags.h"
#include "store/migrate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A hundred rows, so that statements about rows are about some. */
static int fill(void **state)
{
    struct batch batch;
    struct partition_state partition;
    if (database_create(state) != 0)
        return 1;
    struct writer *writer = writer_make("spendlog lane 0", 0);
    batch_init(&batch, 1 << 20, 0, 1);
    partition_load(writer, "topic", 0, &partition);
    add_rows(&batch, &partition, 1, 100);
    commit_or_fail(writer, &batch);
    batch_free(&batch);
    writer_free(writer);
    return 0;
}

/* --- rights --------------------------------------------------------------------------------- */

static void nobody_can_do_more_than_his_part(void **state)
{
    static const struct {
        const char *role, *statement;
    } forbidden[] = {
        {"writer", "DELETE FROM spendlog.spend_logs"},
        {"writer", "UPDATE spendlog.spend_logs SET spend = 0"},
        {"writer", "UPDATE spendlog.spend_logs SET model = ''"},
        {"writer", "TRUNCATE spendlog.stored_rows"},
        {"writer", "DELETE FROM spendlog.stored_rows"},
        {"writer", "UPDATE spendlog.stored_rows SET spend = 0"},
        {"writer", "UPDATE spendlog.shared_calls SET model = ''"},
        {"writer", "DELETE FROM spendlog.shared_callers"},
        {"writer", "DROP TABLE spendlog.stored_rows"},
        {"writer", "CREATE TABLE spendlog.mine (x int)"},
        {"writer", "SELECT spendlog.drop_partition('2025-07-15')"},
        {"writer", "DELETE FROM spendlog.kafka_offsets"},
        {"writer", "UPDATE spendlog.kafka_offsets SET rows_dropped = 1"},
        {"writer", "UPDATE spendlog.kafka_offsets SET topic = 'x'"},
        {"writer", "DELETE FROM spendlog.rejected_events"},
        {"writer", "UPDATE spendlog.rejected_events SET reason = 'x'"},
        {"writer", "UPDATE spendlog.price_books SET book = '{}'"},
        {"writer", "DELETE FROM spendlog.identity_guard"},
        {"writer", "DELETE FROM spendlog.kafka_gaps"},
        {"writer", "UPDATE spendlog.ingest_batches SET rows = 0"},
        {"writer", "INSERT INTO spendlog.spend_adjustments DEFAULT VALUES"},
        {"writer", "DELETE FROM spendlog.schema_migrations"},
        {"repricer", "UPDATE spendlog.spend_logs SET model = ''"},
        {"repricer", "UPDATE spendlog.spend_logs SET spend = spend WHERE false"},
        {"repricer", "UPDATE spendlog.spend_logs SET price_book_id = price_book_id WHERE false"},
        {"repricer", "UPDATE spendlog.spend_logs SET flags = flags WHERE false"},
        {"repricer", "INSERT INTO spendlog.closed_periods (month) VALUES ('2126-01-01')"},
        {"repricer", "UPDATE spendlog.spend_logs SET input_tokens = 0"},
        {"repricer", "DELETE FROM spendlog.spend_logs"},
        {"repricer", "INSERT INTO spendlog.spend_logs DEFAULT VALUES"},
        {"repricer", "UPDATE spendlog.kafka_offsets SET next_offset = 0"},
        {"repricer", "DELETE FROM spendlog.spend_adjustments"},
        {"repricer", "SELECT spendlog.drop_partition('2025-07-15')"},
        {"reader", "INSERT INTO spendlog.kafka_gaps DEFAULT VALUES"},
        {"reader", "UPDATE spendlog.spend_logs SET spend = 0"},
        {"reader", "SELECT spendlog.ensure_partition('2025-07-15')"},
        {"reader", "SELECT spendlog.drop_expired(36500)"},
        {"reader", "SELECT nextval('spendlog.batch_id_seq')"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        const char *sqlstate = sqlstate_of(forbidden[i].role, forbidden[i].statement);
        if (strcmp(sqlstate, "42501") != 0)
            fail_msg("%s may: %s (%s)", forbidden[i].role, forbidden[i].statement, sqlstate);
    }
}

static void everybody_can_do_his_part(void **state)
{
    static const struct {
        const char *role, *statement;
    } allowed[] = {
        {"writer", "SELECT spendlog.ensure_partition('2025-07-16')"},
        {"writer", "SELECT spendlog.guard_prune(30)"},
        {"writer", "SELECT spendlog.drop_expired(36500)"},
        {"writer", "SELECT count(*) FROM spendlog.spend_logs"},
        {"repricer", "SELECT spendlog.days_claim(ARRAY[date '2025-07-15'])"},
        {"repricer", "INSERT INTO spendlog.spend_adjustments SELECT * FROM"
                     " spendlog.spend_adjustments WHERE false"},
        {"reader", "SELECT count(*) FROM spendlog.spend_logs"},
        {"reader", "SELECT count(*) FROM spendlog.spend_daily"},
        {"reader", "SELECT count(*) FROM spendlog.unpriced_models"},
        {"reader", "SELECT count(*) FROM spendlog.price_drift"},
        {"reader", "SELECT count(*) FROM spendlog.coverage"},
        {"reader", "SELECT count(*) FROM spendlog.focus_1_2"},
        {"reader", "SELECT count(*) FROM spendlog.focus_1_5"},
        {"reader", "SELECT count(*) FROM spendlog.focus_unpriced"},
        {"reader", "SELECT count(*) FROM spendlog.focus_1_5_sku_price"},
        {"reader", "SELECT count(*) FROM litellm.\"LiteLLM_SpendLogs\""},
        {"reader", "SELECT count(*) FROM litellm.\"LiteLLM_DailyTagSpend\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        const char *sqlstate = sqlstate_of(allowed[i].role, allowed[i].statement);
        if (strcmp(sqlstate, "00000") != 0)
            fail_msg("%s may not: %s (%s)", allowed[i].role, allowed[i].statement, sqlstate);
    }
}

static void the_books_cannot_be_made_to_lie(void **state)
{
    (void)state;
    assert_string_equal(sqlstate_of("", "UPDATE spendlog.kafka_offsets SET records = records + 1"),
                        "23514");
    assert_string_equal(sqlstate_of("", "UPDATE spendlog.kafka_offsets SET next_offset = -1"),
                        "23514");
    assert_string_equal(sqlstate_of("", "UPDATE spendlog.spend_logs SET spend = 'NaN'"), "23514");
    assert_string_equal(sqlstate_of("", "UPDATE spendlog.spend_logs SET spend = NULL"), "23514");
}

static void views_are_equal_to_the_rows(void **state)
{
    (void)state;
    assert_int_equal(scalar("SELECT count(*) FROM (SELECT sum(calls) AS c, sum(spend) AS s FROM"
                            " spendlog.spend_daily) d JOIN (SELECT count(*) AS c, sum(spend) AS s"
                            " FROM spendlog.spend_logs) l ON l.c = d.c AND l.s = d.s"),
                     1);
    assert_int_equal(scalar("SELECT count(*) FROM (SELECT sum(\"BilledCost\") AS s FROM"
                            " spendlog.focus_1_2) f JOIN (SELECT sum(spend) AS s FROM"
                            " spendlog.spend_logs) l ON l.s = f.s"),
                     1);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.coverage WHERE NOT conserved"), 0);
    assert_int_equal(scalar("SELECT count(*) FROM litellm.\"LiteLLM_SpendLogs\""),
                     scalar("SELECT count(*) FROM spendlog.spend_logs"));
}

/* --- connection ----------------------------------------------------------------------------- */

static enum err_kind connect_kind(const char *conninfo)
{
    struct err err = {0};
    const struct writer_options options = {
        .conninfo = conninfo, .group_id = "g", .application_name = "spendlog lane 0"};
    struct writer *writer = writer_new(&options);
    assert_false(writer_connect(writer, &err));
    writer_free(writer);
    return err.kind;
}

static void what_keeps_us_from_connecting_has_its_kind(void **state)
{
    (void)state;
    assert_int_equal(connect_kind("host=/nonexistent"), ERR_UNAVAILABLE);
    assert_int_equal(connect_kind("host=127.0.0.1 port=1"), ERR_UNAVAILABLE);
    assert_int_equal(connect_kind("dbname=no_such_database"), ERR_CONFIG);
    assert_int_equal(connect_kind("user=no_such_user"), ERR_CONFIG);
    assert_int_equal(connect_kind("no conninfo"), ERR_CONFIG);
    assert_int_equal(connect_kind("dbname=postgres"), ERR_CONFIG); /* no schema there */
}

/* --- migrations ----------------------------------------------------------------------------- */

static void count_status(const struct migration_status *status, void *context)
{
    int *count = context;
    count[status->state]++;
}

static void migrations_are_applied_once(void **state)
{
    struct err err = {0};
    int count[MIGRATION_UNKNOWN + 1] = {0};
    (void)state;
    assert_true(migrate_apply(conninfo_of(""), count_status, count, &err));
    assert_int_equal(count[MIGRATION_APPLIED], 0); /* nothing was left to do */
    assert_true(migrate_status(conninfo_of(""), count_status, count, &err));
    assert_in_range(count[MIGRATION_APPLIED], 5, 100);
    assert_int_equal(count[MIGRATION_PENDING] + count[MIGRATION_CHANGED] + count[MIGRATION_UNKNOWN],
                     0);
}

static void a_changed_migration_is_refused(void **state)
{
    struct err err = {0};
    int count[MIGRATION_UNKNOWN + 1] = {0};
    (void)state;
    sql("UPDATE spendlog.schema_migrations SET sha256 = repeat('0', 64) WHERE version = 2");
    assert_false(migrate_apply(conninfo_of(""), NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "0002_"));
    err_clear(&err);
    assert_true(migrate_status(conninfo_of(""), count_status, count, &err));
    assert_int_equal(count[MIGRATION_CHANGED], 1);
    assert_int_equal(connect_kind(conninfo_of("writer")), ERR_CONFIG);
}

static void a_newer_schema_is_refused(void **state)
{
    struct err err = {0};
    (void)state;
    sql("INSERT INTO spendlog.schema_migrations (version, name, sha256)"
        " VALUES (9999, '9999_later.sql', repeat('0', 64))");
    assert_false(migrate_apply(conninfo_of(""), NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "newer"));
    assert_int_equal(connect_kind(conninfo_of("writer")), ERR_CONFIG);
}

/* The view knows the flags that core/flags.def says cast doubt, by the same names. */
static void doubts_of_the_database_are_those_of_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < flag_count; i++) {
        char query[256];
        snprintf(query, sizeof(query), "SELECT (spendlog.doubts(%u)::text = '{%s}')::int",
                 flag_info[i].bit, flag_info[i].doubt ? flag_info[i].name : "");
        assert_int_equal(scalar(query), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_can_do_more_than_his_part),
        cmocka_unit_test(everybody_can_do_his_part),
        cmocka_unit_test(the_books_cannot_be_made_to_lie),
        cmocka_unit_test(views_are_equal_to_the_rows),
        cmocka_unit_test(what_keeps_us_from_connecting_has_its_kind),
        cmocka_unit_test(doubts_of_the_database_are_those_of_the_table),
        cmocka_unit_test(migrations_are_applied_once),
        cmocka_unit_test(a_changed_migration_is_refused),
        cmocka_unit_test(a_newer_schema_is_refused), /* after these no writer connects */
    };
    return cmocka_run_group_tests(tests, fill, database_drop);
}
