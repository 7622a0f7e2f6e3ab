/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database is made anew, migrated and dropped at the end; events and charges are filled in with
 * values that can be told apart.
 */
#include "tests/integration/store_fixture.h"

#include "store/migrate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char database[64];
static struct pg owner;

/* --- database */

static void admin(const char *fmt, const char *name)
{
    struct pg pg;
    struct err err = {0};
    char statement[256];
    const struct pg_options options = {.conninfo = "dbname=postgres", .application_name = "test"};
    if (!pg_open(&pg, &options, &err))
        fail_msg("%s", err.text);
    snprintf(statement, sizeof(statement), fmt, name);
    if (!pg_command(&pg, statement, &err))
        fail_msg("%s", err.text);
    pg_close(&pg);
}

/* Group roles cannot log in: each gets a member that can. */
static void users_create(void)
{
    static const char *const roles[] = {"writer", "repricer", "reader"};
    char statement[512];
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        snprintf(statement, sizeof(statement),
                 "DO $$ BEGIN CREATE ROLE test_%s LOGIN IN ROLE spendlog_%s;"
                 " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
                 roles[i], roles[i]);
        sql(statement);
    }
}

int database_create(void **state)
{
    struct err err = {0};
    (void)state;
    snprintf(database, sizeof(database), "store_test_%d", (int)getpid());
    admin("CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8'", database);
    if (!migrate_apply(conninfo_of(""), NULL, NULL, &err))
        fail_msg("%s", err.text);
    const struct pg_options options = {.conninfo = conninfo_of(""),
                                       .application_name = "test owner"};
    if (!pg_open(&owner, &options, &err))
        fail_msg("%s", err.text);
    users_create();
    return 0;
}

/* What the sums are not equal to, in one line each; the number of these. */
int sums_differing(void)
{
    struct err err = {0};
    PGresult *res =
        pg_query(&owner,
                 "SELECT concat_ws(' ', level, day, grain, 'lines', lines, 'calls', sum_calls,"
                 " row_calls, 'spend', sum_spend, row_spend) FROM (SELECT * FROM"
                 " spendlog.sums_differ(true) UNION ALL SELECT * FROM spendlog.totals_differ()) d",
                 NULL, &err);
    if (!res)
        fail_msg("%s", err.text);
    int count = PQntuples(res);
    for (int i = 0; i < count; i++)
        print_message("sums: " SLICE_FMT "\n", SLICE_ARG(pg_text(res, i, 0)));
    PQclear(res);
    return count;
}

int database_drop(void **state)
{
    (void)state;
    assert_int_equal(sums_differing(), 0);
    pg_close(&owner);
    admin("DROP DATABASE %s WITH (FORCE)", database);
    return 0;
}

const char *conninfo_of(const char *role)
{
    static char text[8][256];
    static unsigned turn;
    char *to = text[turn++ % 8];
    snprintf(to, sizeof(text[0]), *role ? "dbname=%s user=test_%s" : "dbname=%s", database, role);
    return to;
}

void sql(const char *statement)
{
    struct err err = {0};
    if (!pg_command(&owner, statement, &err))
        fail_msg("%s: %s", statement, err.text);
}

int64_t scalar(const char *query)
{
    struct err err = {0};
    char statement[8192];
    snprintf(statement, sizeof(statement), "SELECT (%s)::bigint", query);
    PGresult *res = pg_query(&owner, statement, NULL, &err);
    if (!res)
        fail_msg("%s: %s", query, err.text);
    int64_t v = pg_null(res, 0, 0) ? -1 : pg_int(res, 0, 0);
    PQclear(res);
    return v;
}

const char *sqlstate_of(const char *role, const char *statement)
{
    static char sqlstate[6];
    struct pg pg;
    struct err err = {0};
    const struct pg_options options = {.conninfo = conninfo_of(role),
                                       .application_name = "test",
                                       .lock_timeout_ms = 2000,
                                       .statement_timeout_ms = 5000};
    if (!pg_open(&pg, &options, &err))
        fail_msg("%s", err.text);
    bool ok = pg_command(&pg, statement, NULL);
    snprintf(sqlstate, sizeof(sqlstate), "%s", ok ? "00000" : pg.sqlstate);
    pg_close(&pg);
    return sqlstate;
}

/* --- writer */

struct writer *writer_make(const char *application_name, unsigned lock_timeout_ms)
{
    struct err err = {0};
    const struct writer_options options = {
        .conninfo = conninfo_of("writer"),
        .group_id = "g",
        .cluster_id = "c",
        .application_name = application_name,
        .lock_timeout_ms = lock_timeout_ms,
    };
    struct writer *writer = writer_new(&options);
    assert_non_null(writer);
    if (!writer_put_book(writer, BOOK_A, SLICE("{\"rules\": []}"), &err))
        fail_msg("%s", err.text);
    return writer;
}

void partition_load(struct writer *writer, const char *topic, int partition,
                    struct partition_state *state)
{
    struct err err = {0};
    state->topic = topic;
    if (!writer_offset_load(writer, topic, partition, 0, state, &err))
        fail_msg("%s", err.text);
}

void commit_or_fail(struct writer *writer, struct batch *batch)
{
    struct err err = {0};
    if (!writer_commit(writer, batch, &err))
        fail_msg("%s", err.text);
}

/* --- batches */

static struct batch_range *next_message(struct batch *batch, struct partition_state *state)
{
    struct batch_range *range = &batch->range[batch_range_of(batch, state)];
    range->messages++;
    range->next_offset++;
    range->last_time_ms = BASE_US / 1000 + range->next_offset;
    range->last_hash = (uint64_t)range->next_offset;
    return range;
}

void add_row(struct batch *batch, struct partition_state *state, const struct sample *sample)
{
    struct err err = {0};
    struct event event = {
        .mapping = "litellm",
        .has_identity = true,
        .content_hash = sample->content_hash,
        .time_source = sample->time_source,
    };
    struct charge charge = {.status = CHARGE_PRICED, .has_spend = true};
    struct batch_range *range = next_message(batch, state);
    const struct row_origin origin = {.range = (unsigned)(range - batch->range),
                                      .kafka_offset = range->next_offset - 1,
                                      .record_index = 0,
                                      .price_book_id = BOOK_A};
    memcpy(event.identity, &sample->identity, sizeof(sample->identity));
    facts_set_int(&event.facts, FACT_STARTED_AT, sample->start_us);
    facts_set_text(&event.facts, FACT_MODEL, slice_of(sample->model ? sample->model : "gpt"));
    facts_set_int(&event.facts, FACT_INPUT_TOKENS, 10);
    charge.spend.atto = charge.side[SIDE_INPUT].atto = 1000000000000;
    charge.item[charge.item_count++] = (struct charge_item){
        .unit = UNIT_INPUT_TEXT_TOKENS, .quantity = decimal_from_int(10), .amount = charge.spend};
    if (!batch_add_row(batch, &event, &charge, &origin, &err))
        fail_msg("%s", err.text);
    range->rows++;
}

void add_rows(struct batch *batch, struct partition_state *state, uint64_t first, size_t count)
{
    for (uint64_t i = first; i < first + count; i++) {
        const struct sample sample = {
            .identity = i, .start_us = BASE_US + (int64_t)i * 1000, .content_hash = i * 7};
        add_row(batch, state, &sample);
    }
}

void add_reject(struct batch *batch, struct partition_state *state, const char *detail)
{
    struct err err = {0};
    struct batch_range *range = next_message(batch, state);
    const struct batch_reject reject = {
        .range = (unsigned)(range - batch->range),
        .kafka_offset = range->next_offset - 1,
        .reason = REASON_BAD_JSON,
        .detail = slice_of(detail),
        .payload = SLICE("{broken"),
        .envelope = SLICE("\1\0\0\0k"), /* a key */
        .byte = 3,
        .payload_bytes = 7,
    };
    if (!batch_add_reject(batch, &reject, &err))
        fail_msg("%s", err.text);
    range->rejected++;
}

void add_skip(struct batch *batch, struct partition_state *state)
{
    struct batch_range *range = next_message(batch, state);
    batch->skipped_by_reason[REASON_NO_MAPPING]++;
    range->skipped++;
}
