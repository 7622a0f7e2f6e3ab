/* SPDX-License-Identifier: Apache-2.0 */
/* links: store
 * with: store_fixture
 * The two forms of a row: that both say the same, whatever an event holds; that the dictionaries
 * have what the rows need, whatever meets and whatever went; days carried over. */
#include "tests/integration/store_fixture.h"

#include "core/clock.h"
#include "core/fault.h"
#include "store/carry.h"
#include "tests/harness/random_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct batch batch;
    struct writer *writer;
    struct partition_state p[2];
};

static uint64_t next_identity = 1;

static int setup(void **state)
{
    static unsigned number;
    static char topic[32];
    struct world *w = calloc(1, sizeof(*w));
    snprintf(topic, sizeof(topic), "topic_%u", ++number);
    batch_init(&w->batch, 16 << 20, 0, 1);
    w->writer = writer_make("spendlog lane 0", 500);
    partition_load(w->writer, topic, 0, &w->p[0]);
    partition_load(w->writer, topic, 1, &w->p[1]);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    words_number_mask = UINT64_MAX;
    writer_free(w->writer);
    batch_free(&w->batch);
    free(w);
    int differing = sums_differing();
    sql("DELETE FROM spendlog.closed_periods; DELETE FROM spendlog.day_claims;"
        "SELECT spendlog.drop_partition(day) FROM spendlog.stored_days();"
        "DELETE FROM spendlog.dropped_partitions; DELETE FROM spendlog.dropped_sums;"
        "TRUNCATE spendlog.spend_deltas, spendlog.spend_slots, spendlog.spend_days,"
        " spendlog.sums_days, spendlog.day_totals, spendlog.budget_sums, spendlog.coarse_days;"
        "DELETE FROM spendlog.carried_days; DELETE FROM spendlog.shared_calls;"
        "DELETE FROM spendlog.shared_callers");
    return differing;
}

static void add_event(struct world *w, unsigned partition, struct event *event,
                      const struct charge *charge)
{
    struct err err = {0};
    struct batch_range *range = &w->batch.range[batch_range_of(&w->batch, &w->p[partition])];
    const struct row_origin origin = {.range = (unsigned)(range - w->batch.range),
                                      .kafka_offset = range->next_offset++,
                                      .price_book_id = BOOK_A};
    range->messages++;
    event->has_identity = true;
    event->mapping = "litellm";
    memcpy(event->identity, &next_identity, sizeof(next_identity));
    next_identity++;
    if (!batch_add_row(&w->batch, event, charge, &origin, &err))
        fail_msg("%s", err.text);
    range->rows++;
}

/* An event of a caller and a model, made by words of their own. */
static void add_call(struct world *w, const char *model, const char *user, const char *metadata)
{
    const struct charge charge = {.status = CHARGE_PRICED, .has_spend = true};
    struct event event = {0};
    facts_set_int(&event.facts, FACT_STARTED_AT, BASE_US + (int64_t)next_identity);
    facts_set_text(&event.facts, FACT_MODEL, slice_of(model));
    facts_set_text(&event.facts, FACT_API_HOST, SLICE("api.example.com"));
    event.labels.v[LABEL_USER].s = slice_of(user);
    event.labels.present |= UINT64_C(1) << LABEL_USER;
    if (metadata) {
        event.labels.v[LABEL_METADATA].s = slice_of(metadata);
        event.labels.present |= UINT64_C(1) << LABEL_METADATA;
    }
    add_event(w, 0, &event, &charge);
}

static void commit(struct world *w)
{
    commit_or_fail(w->writer, &w->batch);
    batch_reset(&w->batch);
}

/* --- both forms ----------------------------------------------------------------------------- */

#define SAID(partition)                                                                            \
    "SELECT to_jsonb(l) - ARRAY['identity', 'batch_id', 'partition_id'] FROM spendlog.spend_logs " \
    "l"                                                                                            \
    " WHERE partition_id = " partition

static void random_events(struct world *w, unsigned partition, uint64_t seed, size_t count)
{
    struct chance chance = {.state = seed};
    for (size_t i = 0; i < count; i++) {
        struct event event = {0};
        struct charge charge = {0};
        chance_event(&chance, BASE_US, &w->batch.arena, &event, &charge);
        event.has_identity = true;
        add_event(w, partition, &event, &charge);
    }
}

/* --- items ---------------------------------------------------------------------------------- */

/* Counts that a row has, with a chance that they are what the items count. */
static void chance_tokens(struct chance *chance, struct event *event, const struct charge *charge)
{
    static const enum fact fact[] = {FACT_INPUT_TOKENS, FACT_OUTPUT_TOKENS, FACT_CACHE_READ_TOKENS,
                                     FACT_CACHE_WRITE_TOKENS, FACT_REASONING_TOKENS};
    int64_t whole[2] = {0, 0};
    for (size_t f = 0; f < sizeof(fact) / sizeof(fact[0]); f++)
        if (chance_below(chance, 4))
            facts_set_int(&event->facts, fact[f], chance_below(chance, 5));
    for (size_t i = 0; i < charge->item_count; i++) {
        const struct charge_item *item = &charge->item[i];
        enum cost_side side = unit_info[item->unit].side;
        if (side != SIDE_OTHER && item->quantity.scale == 0 &&
            strstr(unit_info[item->unit].name, "_tokens"))
            whole[side] += (int64_t)item->quantity.coef;
    }
    for (int side = SIDE_INPUT; side <= SIDE_OUTPUT; side++)
        if (chance_below(chance, 4))
            facts_set_int(&event->facts, fact[side], whole[side]);
}

static struct decimal chance_rate(struct chance *chance)
{
    static const unsigned scale[] = {0, 1, 6, 7, 8, 9, 18, 24};
    struct decimal rate = decimal_from_int(chance_below(chance, 1000)), ten = {1, 1, false};
    for (unsigned left = scale[chance_below(chance, 8)]; left; left--)
        assert_true(decimal_mul(&rate, &ten, &rate));
    rate.negative = rate.coef && chance_below(chance, 9) == 0;
    return rate;
}

/* A charge as pricing makes them: amounts are products, sides and spend the sums of the items. */
static void chance_charge(struct chance *chance, struct charge *charge)
{
    static const struct rate_source source = {"map", 1, "entry", "key"};
    static const enum unit often[] = {UNIT_INPUT_TEXT_TOKENS,       UNIT_OUTPUT_TEXT_TOKENS,
                                      UNIT_CACHE_READ_TOKENS,       UNIT_CACHE_WRITE_TOKENS,
                                      UNIT_OUTPUT_REASONING_TOKENS, UNIT_STATED_COST};
    *charge =
        (struct charge){.status = (enum charge_status)chance_below(chance, CHARGE_STATUS_COUNT)};
    charge->has_spend = charge->status != CHARGE_UNPRICED;
    for (size_t left = charge->has_spend ? chance_below(chance, 6) : 0; left; left--) {
        struct charge_item *item = &charge->item[charge->item_count++];
        item->unit = chance_below(chance, 3) ? often[chance_below(chance, 6)]
                                             : (enum unit)chance_below(chance, UNIT_COUNT);
        item->quantity = chance_below(chance, 4) ? decimal_from_int(1 + chance_below(chance, 5))
                                                 : chance_rate(chance);
        item->rate = chance_below(chance, 8) ? chance_rate(chance) : DECIMAL_ONE;
        item->multiplier = chance_below(chance, 3) ? DECIMAL_ONE : chance_rate(chance);
        item->source = &source;
        const struct decimal *factor[] = {&item->quantity, &item->rate, &item->multiplier};
        struct money *side = &charge->side[unit_info[item->unit].side];
        assert_true(money_product(factor, 3, &item->amount) &&
                    money_add(*side, item->amount, side) &&
                    money_add(charge->spend, item->amount, &charge->spend));
    }
}

static void add_wanted(struct buf *wanted, bool more, const struct event *event,
                       const struct charge *charge)
{
    char text[DECIMAL_TEXT_MAX];
    for (size_t i = 0; i < charge->item_count; i++) {
        const struct charge_item *item = &charge->item[i];
        buf_printf(wanted, "%s(%lld, '%s', ", more || i ? ", " : "",
                   (long long)event->facts.v[FACT_STARTED_AT].i, unit_info[item->unit].name);
        buf_printf(wanted, "%.*s, ", (int)decimal_format(&item->quantity, text), text);
        buf_printf(wanted, "%.*s)", (int)money_format(item->amount, text), text);
    }
}

static void items_read_back(void **state)
{
    struct world *w = *state;
    struct chance chance = {.state = 18};
    struct buf wanted;
    bool some = false;
    buf_init(&wanted, 16 << 20);
    buf_add_text(
        &wanted,
        "CREATE TABLE public.wanted (at bigint, unit text, quantity numeric, amount numeric);"
        " INSERT INTO public.wanted VALUES ");
    for (int64_t i = 0; i < 3000; i++) {
        struct event event = {0};
        struct charge charge;
        chance_charge(&chance, &charge);
        facts_set_int(&event.facts, FACT_STARTED_AT, BASE_US + i);
        facts_set_text(&event.facts, FACT_MODEL, SLICE("a model"));
        chance_tokens(&chance, &event, &charge);
        if (i == 1500) { /* wide rows from here on */
            commit(w);
            w->batch.words.table[WORDS_CALL].budget = 0;
            memset(w->batch.words.table[WORDS_CALL].seen, 0, 8 << 15);
        }
        add_event(w, 0, &event, &charge);
        add_wanted(&wanted, some, &event, &charge);
        some = some || charge.item_count;
    }
    commit(w);
    buf_add_char(&wanted, '\0');
    sql(wanted.p);
    assert_int_equal(scalar("WITH w AS (SELECT at, unit, quantity, amount FROM public.wanted),"
                            " s AS (SELECT (extract(epoch FROM start_time) * 1000000)::bigint, "
                            "unit, quantity, amount"
                            " FROM spendlog.spend_items) SELECT count(*) FROM ((TABLE w EXCEPT ALL "
                            "TABLE s) UNION ALL"
                            " (TABLE s EXCEPT ALL TABLE w)) d"),
                     0);
    buf_free(&wanted);
    sql("DROP TABLE public.wanted");
    assert_true(scalar("SELECT count(*) FROM spendlog.stored_rows WHERE items IS NULL") > 100);
}

/* The table of units and core/units.def are the same. */
static void units_are_known_to_the_database(void **state)
{
    char query[256];
    (void)state;
    for (int u = 0; u < UNIT_COUNT; u++) {
        static const char *const side[] = {
            [SIDE_INPUT] = "input", [SIDE_OUTPUT] = "output", [SIDE_OTHER] = "other"};
        snprintf(query, sizeof(query),
                 "SELECT count(*) FROM spendlog.charge_units WHERE code = '%c' AND unit = '%s' AND "
                 "side = '%s'",
                 unit_info[u].code, unit_info[u].name, side[unit_info[u].side]);
        assert_int_equal(scalar(query), 1);
    }
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.charge_units"), UNIT_COUNT);
}

static void both_forms_say_the_same(void **state)
{
    struct world *w = *state;
    char query[1024];
    for (uint64_t seed = 1; seed <= 4; seed++) {
        random_events(w, 0, seed, 250);
        commit(w);
        w->batch.words.table[WORDS_CALL].budget = 0;
        memset(w->batch.words.table[WORDS_CALL].seen, 0, 8 << 15);
        random_events(w, 1, seed, 250);
        commit(w);
        w->batch.words.table[WORDS_CALL].budget = 1 << 20;
    }
    snprintf(query, sizeof(query),
             "SELECT count(*) FROM ((" SAID("%lld") " EXCEPT ALL " SAID(
                 "%lld") ") UNION ALL (" SAID("%lld") " EXCEPT ALL " SAID("%lld") ")) d",
             (long long)w->p[0].id, (long long)w->p[1].id, (long long)w->p[1].id,
             (long long)w->p[0].id);
    assert_int_equal(scalar(query), 0);
    snprintf(query, sizeof(query),
             "SELECT count(*) FILTER (WHERE call_no IS NOT NULL) FROM spendlog.stored_rows WHERE "
             "partition_id = %lld",
             (long long)w->p[0].id);
    assert_true(scalar(query) > 200);
    snprintf(query, sizeof(query),
             "SELECT count(*) FROM spendlog.stored_rows WHERE partition_id = %lld AND call_no IS "
             "NOT NULL",
             (long long)w->p[1].id);
    assert_true(scalar(query) < 20); /* the budget fills slowly */
}

static void ids_that_are_uuids_read_back_as_they_were(void **state)
{
    static const char *const id[] = {
        "0195f3a0-1234-7abc-8def-00112233aabb", "0195F3A0-1234-7abc-8def-00112233aabb",
        "0195f3a012347abc8def00112233aabb", "0195f3a0-1234-7abc-8def-00112233aabg", "call-1"};
    const struct charge charge = {.status = CHARGE_PRICED, .has_spend = true};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof(id) / sizeof(id[0]); i++) {
        struct event event = {0};
        char query[256];
        facts_set_int(&event.facts, FACT_STARTED_AT, BASE_US + (int64_t)i);
        event.labels.v[LABEL_CALL_ID].s = event.labels.v[LABEL_TRACE_ID].s = slice_of(id[i]);
        event.labels.present |= UINT64_C(1) << LABEL_CALL_ID | UINT64_C(1) << LABEL_TRACE_ID;
        add_event(w, 0, &event, &charge);
        commit(w);
        snprintf(
            query, sizeof(query),
            "SELECT count(*) FROM spendlog.spend_logs WHERE call_id = '%s' AND trace_id = '%s'",
            id[i], id[i]);
        assert_int_equal(scalar(query), 1);
    }
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.stored_rows WHERE call_uuid IS NOT NULL"
                            " AND trace_uuid IS NOT NULL AND call_id IS NULL"),
                     1);
}

/* --- the dictionaries ----------------------------------------------------------------------- */

static void words_stand_once(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 3000; i++) {
        char model[16], user[16];
        snprintf(model, sizeof(model), "m-%d", i % 7);
        snprintf(user, sizeof(user), "u-%d", i % 11);
        add_call(w, model, user, NULL);
        if (i % 500 == 499)
            commit(w);
    }
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.shared_calls"), 7);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.shared_callers"), 11);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.stored_rows WHERE call_no IS NULL"), 0);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs WHERE usage ->> 'api_host' ="
                            " 'api.example.com'"),
                     3000);
    /* by the same hash as SQL would take */
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.shared_calls WHERE call_no ="
                            " hashtextextended(concat(E'\\n', model, repeat(E'\\n', 7), 'litellm',"
                            " E'\\nevent\\n', usage_text), 0)"),
                     7);
}

static void contents_that_meet_at_a_number_stay_apart(void **state)
{
    struct world *w = *state;
    words_number_mask = 3;
    for (int i = 0; i < 60; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n-%d", i % 30);
        add_call(w, name, name, NULL);
        if (i % 20 == 19)
            commit(w);
    }
    writer_free(w->writer); /* another process comes to the same numbers */
    w->writer = writer_make("spendlog lane 0", 500);
    add_call(w, "n-17", "n-17", NULL);
    commit(w);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.shared_calls"), 30);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs WHERE model = user_id AND"
                            " starts_with(model, 'n-')"),
                     61);
    assert_int_equal(scalar("SELECT count(DISTINCT model) FROM spendlog.spend_logs"), 30);
}

/* The entries went, and the batch by which they were known; the offsets of this partition did not.
 */
static void words_that_went_are_added_again(void **state)
{
    struct world *w = *state;
    add_call(w, "lost", "lost", NULL);
    commit(w);
    sql("DELETE FROM spendlog.shared_calls; DELETE FROM spendlog.shared_callers;"
        "DELETE FROM spendlog.ingest_batches WHERE batch_id = (SELECT max(batch_id) FROM"
        " spendlog.ingest_batches)");
    add_call(w, "lost", "lost", NULL);
    commit(w);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs WHERE model = 'lost' AND"
                            " user_id = 'lost'"),
                     2);
}

/* Two writers with the same new words, one of which is rolled back by a duplicate. */
static void words_of_a_batch_that_is_redone_are_there(void **state)
{
    struct world *w = *state;
    const struct sample sample = {.identity = 77, .start_us = BASE_US};
    struct writer *other = writer_make("spendlog lane 1", 500);
    struct batch second;
    struct partition_state p;
    batch_init(&second, 1 << 20, 0, 1);
    partition_load(other, w->p[1].topic, 1, &p);
    add_row(&w->batch, &w->p[0], &sample);
    commit(w);
    add_row(&second, &p, &sample); /* a duplicate that the other does not know */
    const struct sample new = {.identity = 78, .start_us = BASE_US, .model = "of the second"};
    add_row(&second, &p, &new);
    commit_or_fail(other, &second);
    assert_int_equal(
        scalar("SELECT count(*) FROM spendlog.spend_logs WHERE model = 'of the second'"), 1);
    batch_free(&second);
    writer_free(other);
}

static void what_does_not_repeat_stays_in_the_row(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 20000; i++) {
        char user[32];
        snprintf(user, sizeof(user), "everybody-%d", i);
        add_call(w, "gpt", user, NULL);
        if (i % 5000 == 4999)
            commit(w);
    }
    int64_t shared = scalar("SELECT count(*) FROM spendlog.shared_callers");
    assert_in_range(shared, 10000, 18000);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.stored_rows WHERE call_no IS NULL"),
                     20000 - shared);
    assert_int_equal(scalar("SELECT count(DISTINCT user_id) FROM spendlog.spend_logs"), 20000);
}

static void json_that_is_not_certain_is_looked_at_on_arrival(void **state)
{
    static const char *const metadata[] = {"{\"a\":1.5,\"b\":[true,\"x\"]}", "{\"a\":\"\\u00e9\"}",
                                           "{\"a\":1e5}", "{\"e\":2}"};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof(metadata) / sizeof(metadata[0]); i++)
        add_call(w, "gpt", "u", metadata[i]);
    commit(w);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.stored_rows WHERE metadata IS NULL"), 2);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_logs WHERE metadata ? 'a' OR"
                            " metadata ? 'e'"),
                     4);
}

/* --- days carried over ---------------------------------------------------------------------- */

static int carried, held;

static void note_carried(const struct carried_day *day, void *context)
{
    int64_t *wide = context;
    carried++;
    held += day->held != NULL;
    *wide += day->wide;
}

static int64_t carry(void)
{
    struct err err = {0};
    int64_t wide = 0;
    carried = held = 0;
    if (!carry_run(conninfo_of(""), note_carried, &wide, &err))
        fail_msg("%s", err.text);
    return wide;
}

/* Days as 0.1.0 left them: wide rows, noted to be carried over. */
static void wide_days(struct world *w)
{
    random_events(w, 0, 9, 300);
    for (int i = 0; i < 300; i++)
        add_call(w, i % 2 ? "gpt" : "claude", "u", "{\"cost_center\":\"c\"}");
    commit(w);
    sql("UPDATE spendlog.spend_logs SET flags = flags;"
        "INSERT INTO spendlog.carried_days (day) SELECT day FROM spendlog.stored_days();"
        "CREATE TABLE spendlog.said AS SELECT * FROM spendlog.spend_logs");
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.stored_rows WHERE call_no IS NOT NULL"),
                     0);
}

static void expect_as_said(void)
{
    assert_int_equal(
        scalar("SELECT count(*) FROM (SELECT l::text FROM spendlog.spend_logs l EXCEPT ALL"
               " SELECT s::text FROM spendlog.said s) d"),
        0);
    assert_int_equal(scalar("SELECT (SELECT count(*) FROM spendlog.spend_logs) - (SELECT count(*)"
                            " FROM spendlog.said)"),
                     0);
    sql("DROP TABLE spendlog.said");
}

static void a_day_is_carried_over_and_says_the_same(void **state)
{
    struct world *w = *state;
    wide_days(w);
    sql("INSERT INTO spendlog.closed_periods (month, rows, spend) SELECT DISTINCT"
        " date_trunc('month', day)::date, 0, 0 FROM spendlog.stored_days()");
    int64_t days = scalar("SELECT count(*) FROM spendlog.stored_days()");
    assert_int_equal(carry(), 0);
    assert_int_equal(carried, days);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.stored_rows WHERE call_no IS NULL"), 0);
    assert_int_equal(scalar("SELECT sum(rows) FROM spendlog.carried_days"), 600);
    assert_int_equal(carry(), 0);
    assert_int_equal(carried, 0); /* there is nothing left */
    expect_as_said();
    /* new rows have the words of the carried ones */
    int64_t calls = scalar("SELECT count(*) FROM spendlog.shared_callers");
    add_call(w, "gpt", "u", NULL);
    commit(w);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.shared_callers"), calls);
}

static void a_day_that_somebody_works_on_stays(void **state)
{
    struct world *w = *state;
    struct pg holder;
    struct err err = {0};
    const struct pg_options options = {.conninfo = conninfo_of("repricer"),
                                       .application_name = "holder"};
    wide_days(w);
    assert_true(pg_open(&holder, &options, &err));
    assert_true(pg_command(
        &holder, "SELECT spendlog.days_claim(ARRAY(SELECT day FROM spendlog.stored_days()))",
        &err));
    carry();
    assert_true(held > 0 && held == carried);
    pg_close(&holder);
    for (int tries = 0; held > 0 && tries < 100; tries++)
        carry();
    assert_int_equal(held, 0);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.stored_rows WHERE call_no IS NULL"), 0);
    expect_as_said();
}

/* Killed at any point and begun again. */
static void a_carry_that_was_killed_is_begun_again(void **state)
{
    static const char *const point[] = {"carry_words:1", "carry_filled:1"};
    struct world *w = *state;
    wide_days(w);
    for (size_t i = 0; i < sizeof(point) / sizeof(point[0]); i++) {
        pid_t child = fork();
        if (child == 0) {
            int64_t wide;
            setenv("SPENDLOG_FAULT", point[i], 1);
            fault_init();
            _exit(carry_run(conninfo_of(""), note_carried, &wide, NULL) ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
    }
    for (int tries = 0; tries == 0 || (held > 0 && tries < 1000); tries++)
        carry();
    assert_int_equal(held, 0);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.stored_rows WHERE call_no IS NULL"), 0);
    expect_as_said();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(both_forms_say_the_same),
        TEST(items_read_back),
        TEST(units_are_known_to_the_database),
        TEST(ids_that_are_uuids_read_back_as_they_were),
        TEST(words_stand_once),
        TEST(contents_that_meet_at_a_number_stay_apart),
        TEST(words_that_went_are_added_again),
        TEST(words_of_a_batch_that_is_redone_are_there),
        TEST(what_does_not_repeat_stays_in_the_row),
        TEST(json_that_is_not_certain_is_looked_at_on_arrival),
        TEST(a_day_is_carried_over_and_says_the_same),
        TEST(a_day_that_somebody_works_on_stays),
        TEST(a_carry_that_was_killed_is_begun_again),
#undef TEST
    };
    return cmocka_run_group_tests(tests, database_create, database_drop);
}
