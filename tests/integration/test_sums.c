/* SPDX-License-Identifier: Apache-2.0 */
/* links: store
 * with: store_fixture
 *
 * The sums are what the rows come to after each step of a random life: batches of two members with
 * late events, duplicates and conflicts, reprices of each kind, closed months, rows set aside and
 * put back, days dropped, merging, budgets set and removed. SEED=n repeats one.
 */
#include "tests/integration/store_fixture.h"

#include "core/clock.h"
#include "core/flags.h"
#include "store/compact.h"
#include "store/exclude.h"
#include "store/periods.h"
#include "store/reprice.h"
#include "store/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define STEPS 60
#define CALLS 1500
#define JUNE_29_US INT64_C(1751155200000000) /* 2025-06-29 */
#define DAYS 4
#define BOOK_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static uint64_t seed_now;

/* xorshift64* */
static unsigned any(unsigned below)
{
    seed_now ^= seed_now >> 12;
    seed_now ^= seed_now << 25;
    seed_now ^= seed_now >> 27;
    return (unsigned)((seed_now * UINT64_C(2685821657736338717)) >> 33) % below;
}

/* --- calls ---------------------------------------------------------------------------------- */

struct tariff {
    const char *book;
    int64_t atto; /* per token and the model's number */
};

static struct tariff tariffs[] = {{BOOK_A, 3000000000001}, {BOOK_B, 2500000000007}};

/* As pricing does it: an amount is of its side and of the spend. */
static void item_add(struct charge *charge, enum unit unit, struct decimal quantity, int64_t atto)
{
    charge->item[charge->item_count++] =
        (struct charge_item){.unit = unit,
                             .quantity = quantity,
                             .rate = {(u128)(atto < 0 ? -atto : atto), 18, atto < 0},
                             .multiplier = {1, 0, false},
                             .amount.atto = atto};
    charge->side[unit_info[unit].side].atto += atto;
    charge->spend.atto += atto;
}

static void tokens_add(struct charge *charge, enum unit unit, int64_t tokens, int64_t atto)
{
    if (tokens > 0)
        item_add(charge, unit, decimal_from_int(tokens), tokens * atto);
}

/* A row's tokens in parts: some of those written to the cache for an hour, some of the prompt
 * audio, and of model-3 what was read from the cache at the price of text. */
static void input_add(const struct facts *facts, struct charge *charge, int64_t number,
                      int64_t atto)
{
    int64_t read = facts_int(facts, FACT_CACHE_READ_TOKENS),
            input = facts_int(facts, FACT_INPUT_TOKENS);
    int64_t written = facts_int(facts, FACT_CACHE_WRITE_TOKENS),
            hour = written % 3 == 0 ? written / 3 : 0;
    int64_t audio = input % 5 == 0 && input > read + written ? (input - read - written) / 4 : 0;
    if (number == 3)
        read = 0;
    tokens_add(charge, UNIT_INPUT_TEXT_TOKENS, input - read - written - audio, atto * number);
    tokens_add(charge, UNIT_CACHE_READ_TOKENS, read, atto / 10 * number + 1);
    tokens_add(charge, UNIT_CACHE_WRITE_TOKENS, written - hour, atto * number + 7);
    tokens_add(charge, UNIT_CACHE_WRITE_1H_TOKENS, hour, atto * 2 * number);
    tokens_add(charge, UNIT_INPUT_AUDIO_TOKENS, audio, atto * 3 * number);
}

static void output_add(const struct facts *facts, struct charge *charge, int64_t atto)
{
    int64_t output = facts_int(facts, FACT_OUTPUT_TOKENS);
    int64_t reasoning = facts_int(facts, FACT_REASONING_TOKENS);
    tokens_add(charge, UNIT_OUTPUT_TEXT_TOKENS, output - reasoning, 5 * atto);
    tokens_add(charge, UNIT_OUTPUT_REASONING_TOKENS, reasoning, 5 * atto + 3);
}

/* model-0 is free, model-5 has no price in B; model-4 carries the gateway's figure, model-2 has a
 * discount, and model-1 of tariff B searches. */
static void price(const struct facts *facts, struct charge *charge, void *context)
{
    const struct tariff *tariff = context;
    struct slice model = facts_text(facts, FACT_MODEL);
    int64_t number = model.bytes ? model.p[model.bytes - 1] - '0' : 1;
    memset(charge, 0, sizeof(*charge));
    charge->flags = number == 3 ? FLAG_UNKNOWN_PRICE_KEY : 0;
    if (number == 5 && strcmp(tariff->book, BOOK_B) == 0) {
        charge->status = CHARGE_UNPRICED;
        charge->reason = REASON_UNKNOWN_MODEL;
        return;
    }
    charge->has_spend = true;
    if (number == 4) {
        int64_t stated = facts_int(facts, FACT_INPUT_TOKENS) * tariff->atto;
        item_add(charge, UNIT_STATED_COST, money_decimal((struct money){stated}), stated);
    } else if (number != 0) {
        input_add(facts, charge, number, tariff->atto);
        output_add(facts, charge, tariff->atto);
    }
    if (number == 2)
        item_add(charge, UNIT_DISCOUNT, (struct decimal){5, 1, false}, -1);
    if (number == 1 && strcmp(tariff->book, BOOK_B) == 0)
        item_add(charge, UNIT_WEB_SEARCHES, decimal_from_int(2), tariff->atto);
    charge->status = number == 0 ? CHARGE_FREE : number == 4 ? CHARGE_REPORTED : CHARGE_PRICED;
    charge->reason = number == 0 ? REASON_ZERO_RATE : number == 4 ? REASON_NO_RATE : REASON_NONE;
}

/* What makes a call is a function of its number, so a resend is the same. */
static unsigned of(uint64_t call, unsigned what, unsigned below)
{
    uint64_t x = (call * 64 + what + 1) * UINT64_C(0x9E3779B97F4A7C15);
    return (unsigned)((x ^ x >> 29) * UINT64_C(0xBF58476D1CE4E5B9) >> 40) % below;
}

struct texts {
    char model[16], team[16], key[16], end_user[16], tag[4][16];
    struct slice tags[4];
    struct tags list;
    struct decimal gateway;
};

static void facts_make(struct facts *facts, struct texts *t, uint64_t call)
{
    static const uint8_t scale[] = {0, 3, 18, 19, 24, 40};
    int64_t start_us = JUNE_29_US + of(call, 0, DAYS) * CLOCK_DAY_US +
                       (int64_t)of(call, 1, 86400) * 1000000 + (int64_t)call;
    facts_set_int(facts, FACT_STARTED_AT, start_us);
    if (of(call, 2, 3))
        facts_set_int(facts, FACT_ENDED_AT, start_us + (int64_t)of(call, 3, 5000000));
    snprintf(t->model, sizeof(t->model), "model-%u", of(call, 4, 6));
    if (of(call, 5, 9))
        facts_set_text(facts, FACT_MODEL, slice_of(t->model));
    if (of(call, 6, 4))
        facts_set_text(facts, FACT_PROVIDER, of(call, 7, 2) ? SLICE("openai") : SLICE("azure"));
    facts_set_text(facts, FACT_STATUS, of(call, 8, 8) ? SLICE("success") : SLICE("failure"));
    if (of(call, 9, 5))
        facts_set_int(facts, FACT_INPUT_TOKENS, of(call, 10, 3) ? of(call, 11, 9999) : 0);
    if (of(call, 12, 5))
        facts_set_int(facts, FACT_OUTPUT_TOKENS, of(call, 13, 999));
    if (of(call, 14, 2))
        facts_set_int(facts, FACT_CACHE_READ_TOKENS, of(call, 15, 99));
    if (of(call, 32, 4) == 0)
        facts_set_int(facts, FACT_CACHE_WRITE_TOKENS, of(call, 33, 60));
    if (of(call, 34, 4) == 0)
        facts_set_int(facts, FACT_REASONING_TOKENS,
                      of(call, 35, 300)); /* may be beyond the output */
    if (of(call, 16, 3) == 0)
        return;
    t->gateway = (struct decimal){(u128)of(call, 17, 99999) * 100000 + 7,
                                  scale[of(call, 18, sizeof(scale))], false};
    facts_set_decimal(facts, FACT_GATEWAY_COST, &t->gateway);
}

static void label_set(struct labels *labels, enum label label, const char *text)
{
    labels->v[label].s = slice_of(text);
    labels->present |= UINT64_C(1) << label;
}

static void labels_make(struct labels *labels, struct texts *t, uint64_t call)
{
    snprintf(t->team, sizeof(t->team), "team-%u", of(call, 20, 3));
    snprintf(t->key, sizeof(t->key), "key-%u", of(call, 21, 4));
    snprintf(t->end_user, sizeof(t->end_user), "customer-%u", of(call, 22, 9));
    label_set(labels, LABEL_TEAM, t->team);
    label_set(labels, LABEL_API_KEY, t->key);
    if (of(call, 23, 2))
        label_set(labels, LABEL_END_USER, t->end_user);
    t->list = (struct tags){of(call, 24, 4), t->tags};
    for (unsigned i = 0; i < t->list.count; i++) {
        snprintf(t->tag[i], sizeof(t->tag[i]), "tag-%u", of(call, 25 + i, 3)); /* may repeat */
        t->tags[i] = slice_of(t->tag[i]);
    }
    labels->v[LABEL_TAGS].t = &t->list;
    labels->present |= UINT64_C(1) << LABEL_TAGS;
    if (of(call, 31, 5) == 0)
        label_set(labels, LABEL_METADATA, "{\"of\":\"\\u0061 wide row\"}");
}

static void call_add(struct batch *batch, struct partition_state *state, uint64_t call,
                     const struct tariff *tariff, bool otherwise)
{
    struct err err = {0};
    struct texts texts = {0};
    struct event event = {.mapping = "litellm",
                          .has_identity = true,
                          .content_hash = call * 7 + otherwise,
                          .flags = of(call, 30, 7) ? 0 : FLAG_COUNTS_CONTRADICT};
    struct charge charge;
    struct batch_range *range = &batch->range[batch_range_of(batch, state)];
    const struct row_origin origin = {.range = (unsigned)(range - batch->range),
                                      .kafka_offset = range->next_offset,
                                      .price_book_id = tariff->book};
    memcpy(event.identity, &call, sizeof(call));
    facts_make(&event.facts, &texts, call);
    labels_make(&event.labels, &texts, call);
    price(&event.facts, &charge, (void *)(uintptr_t)tariff);
    range->messages++;
    range->next_offset++;
    range->last_time_ms = BASE_US / 1000 + range->next_offset;
    range->last_hash = (uint64_t)range->next_offset;
    if (!batch_add_row(batch, &event, &charge, &origin, &err))
        fail_msg("%s", err.text);
    range->rows++;
}

/* --- steps ---------------------------------------------------------------------------------- */

struct life {
    struct writer *member[2];
    struct partition_state partition[2];
    struct batch batch;
    bool closed, dropped;
};

static void step_write(struct life *life)
{
    struct err err = {0};
    unsigned who = any(2), count = 1 + any(120);
    batch_reset(&life->batch);
    if (!writer_put_book(life->member[who], tariffs[who].book, SLICE("{}"), &err))
        fail_msg("%s", err.text);
    for (unsigned i = 0; i < count; i++)
        call_add(&life->batch, &life->partition[who], 1 + any(CALLS), &tariffs[who], any(9) == 0);
    commit_or_fail(life->member[who], &life->batch);
}

static void step_reprice(struct life *life)
{
    struct err err = {0};
    const struct tariff *tariff = &tariffs[any(2)];
    struct reprice_filter filter = {.since_us = INT64_MIN, .until_us = INT64_MAX};
    const struct reprice_options options = {.conninfo = conninfo_of("repricer"),
                                            .price = price,
                                            .context = (void *)(uintptr_t)tariff,
                                            .slice_rows = 1 + any(400),
                                            .rewrite_rows_min = 20};
    (void)life;
    if (any(2))
        filter.team = (struct reprice_list){1, {"team-1"}}; /* which rules the rewrite out */
    filter.include_reported = any(2);
    struct reprice *run = reprice_open(&options, &err);
    if (!run || !reprice_begin(run, &filter, tariff->book, SLICE("{}"), &err) ||
        !reprice_run(run, &err))
        fail_msg("%s", err.text);
    reprice_close(run);
}

static void exclusion_ignore(const struct exclusion *exclusion, void *context)
{
    (void)exclusion;
    (void)context;
}

static void step_set_aside(struct life *life)
{
    struct err err = {0};
    char identity[40], query[512];
    (void)life;
    bool restore = any(2) && scalar("SELECT count(*) FROM spendlog.excluded_rows") > 0;
    snprintf(query, sizeof(query),
             "SELECT ('x' || left(i.identity::text, 8))::bit(32)::bigint FROM (SELECT s.identity"
             " FROM spendlog.spend_logs s LEFT JOIN spendlog.excluded_rows x USING (start_time,"
             " identity) WHERE (x.identity IS NOT NULL) = %s ORDER BY s.identity OFFSET %u"
             " LIMIT 1) i",
             restore ? "true" : "false", restore ? 0 : any(100));
    int64_t head = scalar(query); /* the number of the call, its first bytes in turn */
    if (head < 0)
        return;
    snprintf(identity, sizeof(identity), "%08x-0000-0000-0000-000000000000", (unsigned)head);
    const struct exclude_request request = {
        .identity = identity, .why = "test", .restore = restore};
    if (!exclude_run(conninfo_of(""), &request, exclusion_ignore, NULL, &err))
        fail_msg("%s: %s", identity, err.text);
}

static void step_close(struct life *life)
{
    struct err err = {0};
    if (!life->closed && !period_close(conninfo_of(""), 2025, 6, &err))
        fail_msg("%s", err.text);
    life->closed = true;
}

static void step_merge(struct life *life)
{
    char statement[96];
    (void)life;
    snprintf(statement, sizeof(statement), "SELECT spendlog.sums_compact(%u)", 1 + any(900));
    sql(statement);
}

static void step_drop(struct life *life)
{
    /* A row that is set aside, dropped and delivered again would be set aside still. */
    if (!life->dropped)
        sql("SELECT spendlog.restore_row(start_time, identity, 'test') FROM spendlog.excluded_rows"
            " WHERE start_time >= '2025-07-02';"
            "SELECT spendlog.drop_partition('2025-07-02')");
    life->dropped = true;
}

static const char *const whose[] = {"'all', ''",      "'team', 'team-1'",
                                    "'key', 'key-2'", "'model', 'model-1'",
                                    "'tag', 'tag-1'", "'end_user', 'customer-3'"};

static void budget_change(const char *how, const char *of, const char *amount)
{
    char statement[160];
    snprintf(statement, sizeof(statement), "SELECT spendlog.budget_%s(%s, 'month'%s)", how, of,
             amount);
    sql(statement);
}

/* Those of whom sums are kept, and those of whom they are not. */
static void step_budget(struct life *life)
{
    const char *of = whose[any(sizeof(whose) / sizeof(whose[0]))];
    (void)life;
    bool set = any(4);
    budget_change(set ? "set" : "remove", of, set ? ", 1" : "");
}

static const struct {
    const char *name;
    void (*step)(struct life *life);
    unsigned weight, from; /* not before step `from` */
} steps[] = {
    {"write", step_write, 12, 0},        {"reprice", step_reprice, 5, 3},
    {"set aside", step_set_aside, 4, 3}, {"close June", step_close, 1, STEPS / 3},
    {"merge", step_merge, 5, 0},         {"drop a day", step_drop, 1, STEPS / 2},
    {"budget", step_budget, 4, 2},
};

#define STEP_KINDS (sizeof(steps) / sizeof(steps[0]))

static void step_any(struct life *life, unsigned at)
{
    unsigned which, turn;
    do {
        turn = any(32);
        for (which = 0; turn >= steps[which].weight; which++)
            turn -= steps[which].weight;
    } while (at < steps[which].from);
    steps[which].step(life);
    if (sums_differing())
        fail_msg("after step %u, %s", at, steps[which].name);
}

/* --- views ---------------------------------------------------------------------------------- */

/* Both ways, of the days whose rows are there. */
#define DIFFERENCE(view, rows)                                                                     \
    "SELECT count(*) FROM ((SELECT * FROM (" view ") a EXCEPT ALL SELECT * FROM (" rows ") b)"     \
    " UNION ALL (SELECT * FROM (" rows ") b EXCEPT ALL SELECT * FROM (" view ") a)) d"

#define STORED " day NOT IN (SELECT day FROM spendlog.dropped_partitions)"
#define FIGURES                                                                                    \
    " sum(calls)::bigint, sum(spend), sum(input_cost), sum(output_cost), sum(other_cost),"         \
    " sum(gateway_cost), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens),"           \
    " sum(cache_write_tokens), sum(reasoning_tokens) "

/* spend_of() by an attribute and of some, beside the entries' words. */
#define SPEND_OF(by, named, words, entries)                                                        \
    DIFFERENCE("SELECT day, provider, id, name, pricing_status, calls, spend, gateway_cost,"       \
               " input_tokens FROM spendlog.spend_of('" by "', '-infinity', 'infinity'" named      \
               ") WHERE" STORED,                                                                   \
               "SELECT day, " words ", pricing_status, sum(calls)::bigint, sum(spend),"            \
               " sum(gateway_cost), coalesce(sum(input_tokens), 0) FROM spendlog.spend_entries"    \
               " e" entries " AND" STORED " GROUP BY 1, 2, 3, 4, 5")
#define OF_MODEL "coalesce(provider, ''), coalesce(model, ''), ''"

static const struct {
    const char *name, *difference;
} views[] = {
    {"spend_by_meter",
     DIFFERENCE("SELECT day, model, meter, coalesce(sum(quantity), 0), coalesce(sum(amount), 0)"
                " FROM spendlog.spend_by_meter WHERE part_of IS NOT NULL AND" STORED
                " GROUP BY 1, 2, 3 HAVING sum(quantity) <> 0 OR sum(amount) <> 0",
                "SELECT day, model, unit, coalesce(sum(quantity), 0), coalesce(sum(amount), 0)"
                " FROM public.metered WHERE" STORED
                " GROUP BY 1, 2, 3 HAVING sum(quantity) <> 0 OR sum(amount) <> 0")},
    {"spend_by_meter by its wholes",
     DIFFERENCE(
         "SELECT day, model, sum(amount) FROM spendlog.spend_by_meter WHERE part_of IS NULL"
         " AND" STORED " GROUP BY 1, 2 HAVING sum(amount) <> 0",
         "SELECT day, coalesce(model, ''), sum(spend) FROM spendlog.spend_entries WHERE" STORED
         " GROUP BY 1, 2 HAVING sum(spend) <> 0")},
    {"spend_by_meter, wholes by their parts",
     DIFFERENCE(
         "SELECT day, model, meter, sum(amount) FROM spendlog.spend_by_meter WHERE part_of IS"
         " NULL AND meter <> 'correction' GROUP BY 1, 2, 3 HAVING sum(amount) <> 0",
         "SELECT day, model, part_of, sum(amount) FROM spendlog.spend_by_meter WHERE part_of"
         " IS NOT NULL GROUP BY 1, 2, 3 HAVING sum(amount) <> 0")},
    {"spend_daily",
     DIFFERENCE(
         "SELECT * FROM spendlog.spend_daily WHERE" STORED,
         "SELECT day, coalesce(provider, ''), coalesce(model, ''), coalesce(model_group, ''),"
         " api_key, api_key_alias, user_id, team_id, team_alias, organization_id,"
         " pricing_status, coalesce(status, '')," FIGURES
         " FROM spendlog.spend_entries WHERE" STORED
         " GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12")},
    {"spend_sums by status and reason",
     DIFFERENCE("SELECT day, pricing_status, pricing_reason, sum(entries)::bigint,"
                " sum(calls)::bigint, coalesce(sum(spend), 0) FROM spendlog.spend_sums WHERE level"
                " = 'all' AND grain IN ('delta', 'day') AND" STORED
                " GROUP BY 1, 2, 3 HAVING sum(entries) <> 0",
                "SELECT day, pricing_status, pricing_reason, count(*), sum(calls)::bigint,"
                " coalesce(sum(spend), 0) FROM spendlog.spend_entries WHERE" STORED
                " GROUP BY 1, 2, 3")},
    {"spend_daily_in",
     DIFFERENCE("SELECT day, team_id, sum(calls)::bigint, sum(spend) FROM"
                " spendlog.spend_daily_in('Asia/Kathmandu') WHERE day < '2025-07-02' GROUP BY 1, 2",
                "SELECT * FROM (SELECT (start_time AT TIME ZONE 'UTC' AT TIME ZONE"
                " 'Asia/Kathmandu')::date AS day, team_id, sum(calls)::bigint, sum(spend)"
                " FROM spendlog.spend_entries GROUP BY 1, 2) e WHERE day < '2025-07-02'")},
    {"spend_hourly",
     DIFFERENCE("SELECT hour, model, sum(calls)::bigint, sum(spend), sum(cache_read_tokens) FROM"
                " spendlog.spend_hourly WHERE" STORED " GROUP BY 1, 2",
                "SELECT date_trunc('hour', start_time), coalesce(model, ''), sum(calls)::bigint,"
                " sum(spend), sum(cache_read_tokens) FROM spendlog.spend_entries WHERE" STORED
                " GROUP BY 1, 2")},
    {"spend_by_tag",
     DIFFERENCE("SELECT day, tag, team_id, sum(calls)::bigint, sum(spend), sum(input_tokens) FROM"
                " spendlog.spend_by_tag WHERE" STORED " GROUP BY 1, 2, 3",
                "SELECT day, t.tag, team_id, sum(calls)::bigint, sum(spend), sum(input_tokens) FROM"
                " spendlog.spend_entries, LATERAL (SELECT DISTINCT unnest(request_tags)) AS t "
                "(tag) WHERE" STORED " GROUP BY 1, 2, 3")},
    {"price_drift",
     DIFFERENCE("SELECT day, provider, model, calls, calls_differing, spend, gateway_cost,"
                " difference, difference_percent FROM spendlog.price_drift WHERE" STORED,
                "SELECT start_time::date, coalesce(provider, ''), coalesce(model, ''), count(*),"
                " count(*) FILTER (WHERE spend <> gateway_cost), sum(spend), sum(gateway_cost),"
                " sum(spend - gateway_cost), CASE WHEN sum(gateway_cost) <> 0 THEN"
                " round(100 * sum(spend - gateway_cost) / sum(gateway_cost), 4) END"
                " FROM spendlog.counted_logs WHERE gateway_cost IS NOT NULL AND"
                " pricing_status IN ('priced', 'free') AND start_time::date NOT IN"
                " (SELECT day FROM spendlog.dropped_partitions) GROUP BY 1, 2, 3")},
    {"unpriced_models",
     DIFFERENCE(
         "SELECT provider, model, pricing_reason, calls, input_tokens, output_tokens,"
         " gateway_cost, first_seen, last_seen, reported FROM spendlog.unpriced_models",
         "SELECT coalesce(provider, ''), coalesce(model, ''), pricing_reason, count(*),"
         " sum(input_tokens), sum(output_tokens), sum(gateway_cost),"
         " date_trunc('day', min(start_time)), date_trunc('day', max(start_time)),"
         " count(*) FILTER (WHERE pricing_status = 'reported')"
         " FROM spendlog.counted_logs l WHERE (pricing_status = 'unpriced' OR"
         " (pricing_status = 'reported' AND pricing_reason = 'no_rate')) AND coalesce((SELECT"
         " a.new_status FROM spendlog.spend_adjustments a WHERE a.kind = 'posted' AND"
         " a.start_time = l.start_time AND a.identity = l.identity ORDER BY a.run_id DESC"
         " LIMIT 1), pricing_status) IN ('unpriced', 'reported') GROUP BY 1, 2, 3")},
    {"suspense",
     DIFFERENCE("SELECT sum(calls)::bigint, sum(at_risk) FROM spendlog.suspense WHERE"
                " what = 'doubtful'",
                "SELECT nullif(count(*), 0), sum(at_stake) FROM spendlog.doubtful_rows")},
    {"doubtful_rows",
     "SELECT (SELECT count(*) FROM spendlog.doubtful_rows) - count(*) FROM spendlog.counted_logs r"
     " LEFT JOIN spendlog.posted_latest a USING (start_time, identity)"
     " WHERE r.flags & 117444352 <> 0 AND coalesce(a.new_flags, r.flags) & 117444352 <> 0"},
    {"day_totals", "SELECT count(*) FROM spendlog.totals_differ()"},
    {"spend_of() by model", SPEND_OF("model", "", OF_MODEL, " WHERE true")},
    {"spend_of() by team", SPEND_OF("team", "", "'', team_id, team_alias", " WHERE true")},
    {"spend_of() by tag",
     SPEND_OF("tag", "", "'', tag, ''",
              ", LATERAL (SELECT DISTINCT unnest(request_tags)) AS t (tag) WHERE true")},
    {"spend_of() by user, of a team and keys",
     SPEND_OF("user", ", ARRAY['team-1'], ARRAY['key-1', 'key-2']", "'', user_id, ''",
              " WHERE team_id = 'team-1' AND api_key IN ('key-1', 'key-2')")},
    {"spend_of() by team, of teams",
     SPEND_OF("team", ", ARRAY['team-0', 'team-2']", "'', team_id, team_alias",
              " WHERE team_id IN ('team-0', 'team-2')")},
    {"spend_of() by key, of models",
     SPEND_OF("key", ", models => ARRAY['model-1', NULL, '']", "'', api_key, api_key_alias",
              " WHERE coalesce(model, '') IN ('model-1', '')")},
    {"spend_of() by tag, of tags",
     SPEND_OF("tag", ", tags => ARRAY['tag-0', 'tag-1']", "'', tag, ''",
              ", LATERAL (SELECT DISTINCT unnest(request_tags)) AS t (tag) WHERE tag IN ('tag-0', "
              "'tag-1')")},
    {"spend_of() by model, of tags",
     SPEND_OF("model", ", tags => ARRAY['tag-0', 'tag-1']", OF_MODEL,
              " WHERE request_tags && ARRAY['tag-0', 'tag-1']")},
    {"spend_of() by model, of a tag", SPEND_OF("model", ", tags => ARRAY['tag-1']", OF_MODEL,
                                               " WHERE 'tag-1' = ANY (request_tags)")},
    {"spend_of() by team, of a tag",
     SPEND_OF("team", ", tags => ARRAY['tag-2']", "'', team_id, team_alias",
              " WHERE 'tag-2' = ANY (request_tags)")},
    {"spend_of() by tag, of models",
     SPEND_OF("tag", ", models => ARRAY['model-1', 'model-2']", "'', tag, ''",
              ", LATERAL (SELECT DISTINCT unnest(request_tags)) AS t (tag) WHERE model IN "
              "('model-1', 'model-2')")},
    {"spend_of() by tag, of a team and tags",
     SPEND_OF(
         "tag", ", ARRAY['team-1'], tags => ARRAY['tag-0', 'tag-2']", "'', tag, ''",
         ", LATERAL (SELECT DISTINCT unnest(request_tags)) AS t (tag) WHERE team_id = 'team-1' AND"
         " tag IN ('tag-0', 'tag-2')")},
    {"spend_of() by model, of teams", SPEND_OF("model", ", ARRAY['team-0', 'team-1']", OF_MODEL,
                                               " WHERE team_id IN ('team-0', 'team-1')")},
    {"spend_of() by team, of a model",
     SPEND_OF("team", ", models => ARRAY['model-1']", "'', team_id, team_alias",
              " WHERE model = 'model-1'")},
    {"spend_of() by team, of teams and a model",
     SPEND_OF("team", ", ARRAY['team-0', 'team-2'], models => ARRAY['model-3']",
              "'', team_id, team_alias",
              " WHERE team_id IN ('team-0', 'team-2') AND model = 'model-3'")},
    {"spend_of() by model, of keys", SPEND_OF("model", ", keys => ARRAY['key-1', 'key-2']",
                                              OF_MODEL, " WHERE api_key IN ('key-1', 'key-2')")},
    {"spend_of() by key, of a team",
     SPEND_OF("key", ", ARRAY['team-2']", "'', api_key, api_key_alias",
              " WHERE team_id = 'team-2'")},
    {"spend_of() by team, of a key",
     SPEND_OF("team", ", keys => ARRAY['key-0']", "'', team_id, team_alias",
              " WHERE api_key = 'key-0'")},
    {"spend_of() by user, of teams", SPEND_OF("user", ", ARRAY['team-0', '']", "'', user_id, ''",
                                              " WHERE team_id IN ('team-0', '')")},
    {"spend_of() by tag, of a key",
     SPEND_OF(
         "tag", ", keys => ARRAY['key-1']", "'', tag, ''",
         ", LATERAL (SELECT DISTINCT unnest(request_tags)) AS t (tag) WHERE api_key = 'key-1'")},
    {"spend_of() by end user, of a model",
     SPEND_OF("end_user", ", models => ARRAY['model-2']", "'', end_user, ''",
              " WHERE end_user <> '' AND model = 'model-2'")},
};

/* What the items of rows, and of rows set aside, say; of what has no price of ours the tokens. */
static const char metered_prepare[] =
    "CREATE VIEW public.metered AS SELECT d.on_day AS day, coalesce(s.model, '') AS model, i.unit,"
    " d.sign * i.quantity AS quantity, d.sign * i.amount AS amount"
    " FROM (SELECT 1 AS sign, start_time::date AS on_day, start_time, identity FROM"
    " spendlog.spend_logs UNION ALL SELECT CASE action WHEN 'exclude' THEN -1 ELSE 1 END,"
    " counts_on, start_time, identity FROM spendlog.exclusions) d"
    " JOIN spendlog.spend_logs s ON s.start_time = d.start_time AND s.identity = d.identity"
    " CROSS JOIN LATERAL (SELECT j.unit, j.quantity, j.amount FROM spendlog.items_of(s.items,"
    "  s.pricing_status, s.spend, s.input_cost, s.output_cost, s.other_cost, s.input_tokens,"
    "  s.output_tokens, s.cache_read_tokens, s.cache_write_tokens, s.reasoning_tokens) j"
    "  WHERE s.pricing_status = 'priced' OR j.side = 'other' UNION ALL"
    "  SELECT v.unit, v.quantity, NULL::numeric FROM (VALUES"
    "   ('cache_read_tokens', s.cache_read_tokens::numeric),"
    "   ('cache_write_tokens', s.cache_write_tokens), ('reasoning_tokens', s.reasoning_tokens),"
    "   ('input_text_tokens', coalesce(s.input_tokens, 0) - coalesce(s.cache_read_tokens, 0)"
    "     - coalesce(s.cache_write_tokens, 0)), ('output_text_tokens',"
    "     coalesce(s.output_tokens, 0) - coalesce(s.reasoning_tokens, 0))) AS v (unit, quantity)"
    "  WHERE s.pricing_status <> 'priced') i";

/* What was spent by anybody, between any two moments, of rows that are there. */
static const char spent_prepare[] =
    "CREATE FUNCTION spent_wrongly() RETURNS bigint LANGUAGE plpgsql SET jit = off AS $$ BEGIN"
    " CREATE TEMP TABLE e ON COMMIT DROP AS SELECT x.start_time, x.spend, x.calls,"
    " x.pricing_status, x.gateway_cost, v.scope, v.id FROM (SELECT * FROM spendlog.spend_entries"
    " OFFSET 0) x CROSS JOIN LATERAL (SELECT * FROM (VALUES ('all', ''), ('team', x.team_id),"
    " ('key', x.api_key), ('user', x.user_id), ('organization', x.organization_id),"
    " ('provider', coalesce(x.provider, '')), ('model', coalesce(x.model, '')),"
    " ('end_user', nullif(x.end_user, ''))) AS v (scope, id) WHERE v.id IS NOT NULL"
    " UNION ALL SELECT DISTINCT 'tag', t FROM unnest(x.request_tags) t) v;"
    " ANALYZE e;"
    " RETURN (SELECT count(*) FROM (SELECT DISTINCT scope, id FROM e) c CROSS JOIN ("
    " VALUES ('2025-06-29'::timestamp, '2025-07-02'::timestamp), ('2025-06-29 03:45',"
    " '2025-07-01 18:15'), ('2025-06-30 05:00', '2025-06-30 09:30'),"
    " ('2025-06-30', '2025-06-30 23:00'), ('2025-06-30 23:15', '2025-07-02'))"
    " AS r (since, until)"
    " CROSS JOIN LATERAL spendlog.spent_in(c.scope, c.id, r.since, r.until) s"
    " CROSS JOIN LATERAL (SELECT coalesce(sum(e.spend), 0) AS spend, coalesce(sum(e.calls), 0)"
    " AS calls, coalesce(sum(e.calls) FILTER (WHERE e.pricing_status = 'unpriced'), 0) AS unpriced,"
    " coalesce(sum(e.gateway_cost) FILTER (WHERE e.pricing_status = 'unpriced'), 0) AS gateway"
    " FROM e WHERE e.scope = c.scope AND e.id = c.id AND e.start_time >= r.since"
    " AND e.start_time < r.until) w WHERE (s.spend, s.calls, s.unpriced_calls,"
    " s.unpriced_gateway_cost) IS DISTINCT FROM (w.spend, w.calls, w.unpriced, w.gateway));"
    " END $$";

static void views_expect(unsigned at)
{
    if (scalar("SELECT spent_wrongly()") != 0)
        fail_msg("after step %u: spent_in() is not what the rows come to", at);
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
        if (scalar(views[i].difference) != 0)
            fail_msg("after step %u: %s is not what the rows come to", at, views[i].name);
}

/* --- tests ---------------------------------------------------------------------------------- */

static int life_begin(void **state)
{
    struct life *life = calloc(1, sizeof(*life));
    const char *seed = getenv("SEED");
    seed_now = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    print_message("SEED=%llu\n", (unsigned long long)seed_now);
    seed_now = seed_now * 2 + 1;
    if (database_create(state))
        return 1;
    sql(spent_prepare);
    sql(metered_prepare);
    batch_init(&life->batch, 1 << 20, 0, 1);
    for (int i = 0; i < 2; i++) {
        life->member[i] = writer_make(i ? "spendlog lane 1" : "spendlog lane 0", 0);
        partition_load(life->member[i], "llm.usage", i, &life->partition[i]);
    }
    *state = life;
    return 0;
}

static int life_end(void **state)
{
    struct life *life = *state;
    batch_free(&life->batch);
    for (int i = 0; i < 2; i++)
        writer_free(life->member[i]);
    free(life);
    return database_drop(state);
}

static void sums_are_what_the_rows_come_to_after_each_step(void **state)
{
    for (unsigned at = 0; at < STEPS; at++) {
        step_any(*state, at);
        if (at % 4 == 3)
            views_expect(at);
    }
}

static void merging_leaves_one_line_of_a_kind(void **state)
{
    struct err err = {0};
    int64_t taken, made;
    (void)state;
    assert_true(compact_run(conninfo_of("writer"), &taken, &made, &err));
    sql("SELECT spendlog.sums_merge_day(day) FROM spendlog.sums_days ORDER BY day");
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_deltas"), 0);
    assert_int_equal(
        scalar("SELECT count(*) FROM (SELECT FROM spendlog.stored_sums GROUP BY grain, day, slot,"
               " about, label, call_no, caller_no, provider, model, model_group, api_key,"
               " api_key_alias, user_id, team_id, team_alias, organization_id, request_tags,"
               " call_type, status, pricing_status, pricing_reason HAVING count(*) > 1) d"),
        0);
    assert_int_equal(sums_differing(), 0);
}

/* Of whom sums are kept, and of whom they are not. */
static void what_was_spent_is_what_the_rows_come_to_with_and_without_a_budget(void **state)
{
    (void)state;
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_deltas"), 0);
    for (size_t i = 0; i < sizeof(whose) / sizeof(whose[0]); i++)
        budget_change("set", whose[i], ", 1");
    assert_int_equal(scalar("SELECT spent_wrongly()"), 0);
    for (size_t i = 0; i < sizeof(whose) / sizeof(whose[0]); i++)
        budget_change("remove", whose[i], "");
    assert_int_equal(scalar("SELECT spent_wrongly()"), 0);
}

static void count_finding(const struct verify_finding *finding, void *context)
{
    *(int *)context += finding->kind == VERIFY_SUMS;
}

static int sums_found(void)
{
    struct err err = {0};
    struct verify_totals totals = {0};
    int count = 0;
    if (!verify_sums(conninfo_of("reader"), count_finding, &count, &totals, &err))
        fail_msg("%s", err.text);
    assert_int_equal(totals.differences, count);
    return count;
}

/* In a sum of each grain, in what is kept beside sums, and in a row. */
static void a_planted_attodollar_is_found(void **state)
{
    static const char *const planted[] = {
        "UPDATE spendlog.spend_slots SET spend = spend %c 0.000000000000000001 WHERE ctid = (SELECT"
        " min(ctid) FROM spendlog.spend_slots WHERE spend > 0.001 AND day = '2025-07-01')",
        "UPDATE spendlog.spend_days SET spend = spend %c 0.000000000000000001 WHERE ctid = (SELECT"
        " min(ctid) FROM spendlog.spend_days WHERE label <> '' AND spend > 0.001 AND"
        " day = '2025-07-01')",
        "UPDATE spendlog.spend_days SET spend = spend %c 0.000000000000000001 WHERE ctid = (SELECT"
        " min(ctid) FROM spendlog.spend_days WHERE label = 'cache_write_1h_tokens' AND"
        " day = '2025-07-01')",
        "UPDATE spendlog.spend_slots SET quantity = quantity %c 1 WHERE ctid = (SELECT"
        " min(ctid) FROM spendlog.spend_slots WHERE label = 'input_audio_tokens' AND"
        " day = '2025-07-01')",
        "UPDATE spendlog.spend_slots SET cache_read_cost = cache_read_cost %c 0.000000000000000001"
        " WHERE ctid = (SELECT min(ctid) FROM spendlog.spend_slots WHERE cache_read_cost > 0.00001"
        " AND about = 1 AND day = '2025-07-01')",
        "UPDATE spendlog.budget_sums SET spend = spend %c 0.000000000000000001 WHERE whole AND"
        " day = '2025-07-01'",
        "UPDATE spendlog.spend_logs SET spend = spend %c 0.000000000000000001 WHERE identity ="
        " (SELECT max(identity::text)::uuid FROM spendlog.spend_logs WHERE spend > 0.001 AND"
        " start_time >= '2025-07-01' AND start_time < '2025-07-02')"};
    (void)state;
    budget_change("set", "'all', ''", ", 1");
    assert_int_equal(sums_found(), 0);
    for (size_t i = 0; i < sizeof(planted) / sizeof(planted[0]); i++) {
        char statement[512];
        snprintf(statement, sizeof(statement), planted[i], '+');
        sql(statement);
        assert_true(sums_found() > 0);
        sql("SELECT spendlog.sums_remake('2025-07-01', '2025-07-02')");
        sql("SELECT spendlog.sums_compact(1000000)");
        assert_int_equal(sums_found(), 0);
    }
    budget_change("remove", "'all', ''", "");
}

/* One of four has no session and hangs on its trace. */
static void ids_set(struct labels *labels, uint64_t call, char id[3][48])
{
    unsigned long long number = call;
    snprintf(id[0], sizeof(id[0]), "request-%llu", number);
    snprintf(id[1], sizeof(id[1]), call % 2 ? "call-%llu" : "0123abcd-0000-4000-8000-%012llu",
             number);
    snprintf(id[2], sizeof(id[2]), call % 4 == 3 ? "trace-%llu" : "session-%llu", number);
    label_set(labels, LABEL_REQUEST_ID, id[0]);
    label_set(labels, LABEL_CALL_ID, id[1]);
    label_set(labels, call % 4 == 3 ? LABEL_TRACE_ID : LABEL_SESSION, id[2]);
}

/* Calls from `first` on, of as many end users, this far apart. */
static void users_write(struct life *life, uint64_t first, uint64_t count, int64_t apart_us,
                        int64_t tokens)
{
    struct err err = {0};
    batch_reset(&life->batch);
    assert_true(writer_put_book(life->member[0], BOOK_A, SLICE("{}"), &err));
    for (uint64_t call = first; call < first + count; call++) {
        char name[32], id[3][48];
        struct event event = {.mapping = "litellm", .has_identity = true, .content_hash = call};
        struct charge charge = {.status = CHARGE_PRICED, .has_spend = true};
        struct batch_range *range =
            &life->batch.range[batch_range_of(&life->batch, &life->partition[0])];
        const struct row_origin origin = {.range = (unsigned)(range - life->batch.range),
                                          .kafka_offset = range->next_offset++,
                                          .price_book_id = BOOK_A};
        item_add(&charge, UNIT_INPUT_TEXT_TOKENS, decimal_from_int(tokens), 1);
        memcpy(event.identity, &call, sizeof(call));
        facts_set_int(&event.facts, FACT_STARTED_AT,
                      BASE_US + (int64_t)call + (int64_t)(call - first) * apart_us);
        facts_set_int(&event.facts, FACT_INPUT_TOKENS, tokens);
        snprintf(name, sizeof(name), "person-%llu", (unsigned long long)call);
        label_set(&event.labels, LABEL_END_USER, name);
        ids_set(&event.labels, call, id);
        range->messages++;
        range->rows++;
        assert_true(batch_add_row(&life->batch, &event, &charge, &origin, &err));
    }
    commit_or_fail(life->member[0], &life->batch);
}

/* 5000 end users in one batch: their names are not kept, what they come to is. */
static void labels_that_are_too_many_are_told_as_such(void **state)
{
    users_write(*state, 100000, 5000, 0, 1);
    assert_int_equal(scalar("SELECT sum(calls) FROM spendlog.spend_sums WHERE level = 'end_user'"
                            " AND coarse = 2 AND label = ''"),
                     5000);
    assert_int_equal(
        scalar("SELECT count(*) FROM spendlog.spend_deltas WHERE label LIKE 'person%'"), 0);
    assert_int_equal(sums_differing(), 0);
}

/* Each row is a group of its own: of another hour and another end user. */
static void a_backfill_writes_no_more_lines_than_rows(void **state)
{
    int64_t lines = scalar("SELECT count(*) FROM spendlog.spend_deltas");
    users_write(*state, 200000, 300, INT64_C(3600) * 1000000, 1);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_deltas") - lines, 300);
    assert_int_equal(scalar("SELECT sum(calls) FROM spendlog.spend_by_end_user WHERE coarse = 2"),
                     5300);
    assert_int_equal(sums_differing(), 0);
    users_write(*state, 300000, 300, 1, 1); /* the same of one hour keeps the names */
    assert_int_equal(scalar("SELECT sum(calls) FROM spendlog.spend_by_end_user WHERE coarse = 0"
                            " AND end_user LIKE 'person-300%'"),
                     300);
}

/* Of days whose sums do not tell end users apart each row is read once, also where the next day is
 * one of them. */
static void what_an_end_user_spent_is_read_from_rows_where_sums_do_not_tell(void **state)
{
    users_write(*state, 500000, 300, INT64_C(3600) * 1000000, 1);
    assert_int_equal(
        scalar("SELECT count(*) FROM (VALUES ('person-500000'), ('person-500010'),"
               " ('person-500040')) AS u (id) CROSS JOIN (VALUES ('2025-07-13'::timestamp,"
               " '2025-07-15'::timestamp), ('2025-07-14 06:15', '2025-07-18 18:15'),"
               " ('2025-07-15', '2025-07-16'), ('2025-07-01', '2025-08-01')) AS r (since, until)"
               " CROSS JOIN LATERAL spendlog.spent_in('end_user', u.id, r.since, r.until) s"
               " CROSS JOIN LATERAL (SELECT coalesce(sum(e.calls), 0) AS calls,"
               " coalesce(sum(e.spend), 0) AS spend FROM spendlog.spend_entries e WHERE"
               " e.end_user = u.id AND e.start_time >= r.since AND e.start_time < r.until) w"
               " WHERE (s.calls, s.spend) <> (w.calls, w.spend)"),
        0);
}

/* By how many tokens sums and rows are apart since that day: what the life before has set aside
 * there, and dropped. */
static int64_t tokens_apart(void)
{
    return scalar("SELECT coalesce(s.tokens, 0) - coalesce(r.tokens, 0) FROM"
                  " (SELECT sum(input_tokens) AS tokens FROM spendlog.spend_daily"
                  "  WHERE day >= '2025-07-15') s,"
                  " (SELECT sum(input_tokens) AS tokens FROM spendlog.spend_logs"
                  "  WHERE start_time >= '2025-07-15') r");
}

/* In the batch, and when lines are merged. */
static void tokens_beyond_64_bits_are_added_up(void **state)
{
    static const char beyond[] = "SELECT (sum(input_tokens) > 8e21)::integer"
                                 " FROM spendlog.spend_daily WHERE day >= '2025-07-15'";
    struct err err = {0};
    int64_t taken, made, apart = tokens_apart();
    for (uint64_t first = 400000; first < 400900; first += 300)
        users_write(*state, first, 300, 1, INT64_MAX - 1);
    assert_int_equal(scalar(beyond), 1);
    assert_int_equal(tokens_apart(), apart);
    assert_true(compact_run(conninfo_of("writer"), &taken, &made, &err));
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.spend_deltas"), 0);
    assert_int_equal(scalar(beyond), 1);
    assert_int_equal(tokens_apart(), apart);
    assert_int_equal(sums_differing(), 0);
    sql("SELECT spendlog.sums_remake('2025-07-15', '2025-07-16')");
    assert_int_equal(sums_differing(), 0);
}

/* By what the server counted in the same transaction: no day was read through, and few rows were.
 */
static void one_call_is_found_without_reading_its_day(void **state)
{
    (void)state;
    sql("SELECT spendlog.summarize_days(d::date) FROM generate_series('2025-06-30'::date,"
        " '2025-07-16', '1 day') d");
    sql("ANALYZE spendlog.stored_rows");
    sql("DO $$ DECLARE"
        "  q text; found bigint; scans bigint; was bigint; before bigint; fetched bigint;"
        " BEGIN"
        "  FOREACH q IN ARRAY ARRAY["
        "    'calls_named(''request-104321'')', 'calls_named(''call-104321'')',"
        "    'calls_named(''0123abcd-0000-4000-8000-000000104322'')',"
        "    'calls_of_session(''session-104321'')', 'rows_of_run(''trace-104327'')',"
        "    'spend_of_run(''session-104321'')', 'calls_of_run(''session-104321'')']"
        "  LOOP"
        "   SELECT sum(idx_tup_fetch), sum(seq_scan) INTO was, before FROM pg_stat_xact_all_tables"
        "    WHERE relname ~ '^spend_logs_20';"
        "   EXECUTE 'SELECT count(*) FROM spendlog.' || q INTO found;"
        "   SELECT sum(seq_scan) - before, sum(idx_tup_fetch) - was INTO scans, fetched"
        "    FROM pg_stat_xact_all_tables WHERE relname ~ '^spend_logs_20';"
        "   IF found <> 1 OR scans <> 0 OR fetched = 0"
        "    OR fetched > (CASE WHEN q ~ 'of_run' THEN 25000 ELSE 2500 END) THEN"
        "    RAISE EXCEPTION '%: % found, % days read, % rows read', q, found, scans, fetched;"
        "   END IF;"
        "  END LOOP;"
        " END $$");
    sql("DO $$ DECLARE line text; plan text := '';"
        " BEGIN"
        "  FOR line IN EXECUTE 'EXPLAIN SELECT * FROM spendlog.spend_by_session"
        "    WHERE session_id = ''session-104321''' LOOP plan := plan || line; END LOOP;"
        "  IF plan !~ 'Index Cond: .session_id = ' OR plan !~ 'Index Cond: .+trace_id = ' THEN"
        "   RAISE EXCEPTION 'read without the index: %', plan;"
        "  END IF;"
        " END $$");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_what_the_rows_come_to_after_each_step),
        cmocka_unit_test(merging_leaves_one_line_of_a_kind),
        cmocka_unit_test(what_was_spent_is_what_the_rows_come_to_with_and_without_a_budget),
        cmocka_unit_test(a_planted_attodollar_is_found),
        cmocka_unit_test(labels_that_are_too_many_are_told_as_such),
        cmocka_unit_test(one_call_is_found_without_reading_its_day),
        cmocka_unit_test(a_backfill_writes_no_more_lines_than_rows),
        cmocka_unit_test(tokens_beyond_64_bits_are_added_up),
        cmocka_unit_test(what_an_end_user_spent_is_read_from_rows_where_sums_do_not_tell),
    };
    return cmocka_run_group_tests(tests, life_begin, life_end);
}
