/* SPDX-License-Identifier: Apache-2.0 */
/* Drift: where it begins, what does not count as a measure, how many events make an alarm. */
#include "core/drift.h"
#include "core/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static const struct config_drift limits = {.events = 3, .tolerance = 50};

struct sample {
    struct facts facts;
    struct charge charge;
    struct decimal gateway;
};

/* An event of `model` at `ours`, where the gateway says `gateway`; NULL: it says nothing. */
static void sample_set(struct sample *s, const char *model, const char *ours, const char *gateway)
{
    struct err err = {0};
    memset(s, 0, sizeof(*s));
    facts_set_text(&s->facts, FACT_PROVIDER, slice_of("openai"));
    facts_set_text(&s->facts, FACT_MODEL, slice_of(model));
    facts_set_text(&s->facts, FACT_CALL_TYPE, slice_of("completion"));
    s->charge.rule = model;
    s->charge.has_spend = true;
    assert_true(money_parse(slice_of(ours), &s->charge.spend, &err));
    s->charge.status = s->charge.spend.atto ? CHARGE_PRICED : CHARGE_FREE;
    if (!gateway)
        return;
    assert_true(decimal_parse(slice_of(gateway), &s->gateway, &err));
    facts_set_decimal(&s->facts, FACT_GATEWAY_COST, &s->gateway);
}

static enum drift_kind kind_of(const char *ours, const char *gateway)
{
    struct sample s;
    sample_set(&s, "m", ours, gateway);
    return drift_of(&s.facts, &s.charge, limits.tolerance);
}

static void note(struct drift *drift, const char *model, const char *ours, const char *gateway,
                 unsigned times)
{
    struct sample s;
    sample_set(&s, model, ours, gateway);
    struct drift_way way;
    for (unsigned i = 0; i < times; i++)
        if (drift_judge(drift, &s.facts, &s.charge, &way))
            drift_note(drift, &way);
}

static struct drift *made(void)
{
    struct drift *drift = drift_new(&limits);
    assert_non_null(drift);
    return drift;
}

static void half_a_percent_is_the_edge_and_inside_it(void **state)
{
    (void)state;
    assert_int_equal(kind_of("1.005", "1"), DRIFT_NONE);
    assert_int_equal(kind_of("0.995", "1"), DRIFT_NONE);
    assert_int_equal(kind_of("1.005000001", "1"), DRIFT_APART);
    assert_int_equal(kind_of("0.994999999", "1"), DRIFT_APART);
    assert_int_equal(kind_of("0.000000000000001", "0.0000000000000011"), DRIFT_APART);
}

static void a_gateway_that_says_nothing_or_0_is_no_measure(void **state)
{
    (void)state;
    assert_int_equal(kind_of("1", NULL), DRIFT_NONE);
    assert_int_equal(kind_of("1", "0"), DRIFT_NONE);
    assert_int_equal(kind_of("0", "0"), DRIFT_NONE);
}

static void a_spend_without_a_price_or_of_the_gateways_is_not_compared(void **state)
{
    (void)state;
    struct sample s;
    sample_set(&s, "m", "0", "1");
    s.charge.status = CHARGE_UNPRICED;
    s.charge.has_spend = false;
    assert_int_equal(drift_of(&s.facts, &s.charge, 50), DRIFT_NONE);
    sample_set(&s, "m", "2", "1");
    s.charge.status = CHARGE_REPORTED;
    assert_int_equal(drift_of(&s.facts, &s.charge, 50), DRIFT_NONE);
}

static void a_silent_0_is_told_but_a_call_that_costs_nothing_is_none(void **state)
{
    static const enum reason zero_rule[] = {REASON_FAILURE, REASON_CACHE_HIT,
                                            REASON_MANAGEMENT_CALL, REASON_BATCH_WITHOUT_OUTPUT};
    static const enum reason silent[] = {REASON_ZERO_RATE, REASON_ZERO_USAGE,
                                         REASON_CAPABILITY_RULE, REASON_NONE};
    struct sample s;
    (void)state;
    sample_set(&s, "m", "0", "0.01");
    for (size_t i = 0; i < sizeof(zero_rule) / sizeof(zero_rule[0]); i++) {
        s.charge.reason = zero_rule[i];
        assert_int_equal(drift_of(&s.facts, &s.charge, 50), DRIFT_NONE);
    }
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        s.charge.reason = silent[i];
        assert_int_equal(drift_of(&s.facts, &s.charge, 50), DRIFT_ZERO);
    }
}

static void it_is_an_alarm_after_so_many_of_one_way(void **state)
{
    struct drift *drift = made();
    (void)state;
    note(drift, "a", "1", "2", 2);
    note(drift, "b", "1", "2", 2);
    assert_int_equal(drift_alarms(drift, NULL, NULL), 0);
    note(drift, "a", "1", "2", 1);
    note(drift, "c", "1", "1", 100);
    assert_int_equal(drift_alarms(drift, NULL, NULL), 1);
    assert_int_equal(drift_events(drift), 5);
    drift_free(drift);
}

static void one_silent_0_is_an_alarm(void **state)
{
    struct drift *drift = made();
    (void)state;
    note(drift, "a", "0", "0.5", 1);
    assert_int_equal(drift_alarms(drift, NULL, NULL), 1);
    drift_free(drift);
}

static void new_prices_begin_anew(void **state)
{
    struct drift *drift = made();
    (void)state;
    note(drift, "a", "1", "2", 3);
    drift_forget(drift);
    assert_int_equal(drift_alarms(drift, NULL, NULL), 0);
    assert_int_equal(drift_events(drift), 3);
    note(drift, "a", "1", "2", 2);
    assert_int_equal(drift_alarms(drift, NULL, NULL), 0);
    drift_free(drift);
}

static void no_alarm_is_wanted(void **state)
{
    static const struct config_drift never = {.events = 0, .tolerance = 50};
    struct drift *drift = drift_new(&never);
    (void)state;
    note(drift, "a", "0", "2", 9);
    assert_int_equal(drift_alarms(drift, NULL, NULL), 0);
    drift_free(drift);
}

static void sum_up(const struct drift_way *way, void *context)
{
    struct drift_way *sum = context;
    sum->events += way->events;
    if (strcmp(way->provider, "(others)") == 0)
        sum->zeros += way->events;
    assert_int_equal((int)way->ours.atto, (int)(way->events * 2));
}

static void more_ways_than_are_kept_are_one_and_none_is_lost(void **state)
{
    struct drift *drift = made();
    struct drift_way sum = {.events = 0};
    char model[32];
    (void)state;
    for (unsigned i = 0; i < DRIFT_WAYS_MAX + 500; i++) {
        snprintf(model, sizeof(model), "model-%u", i);
        note(drift, model, "0.000000000000000002", "1", 3);
    }
    assert_int_equal(drift_alarms(drift, sum_up, &sum), DRIFT_WAYS_MAX + 1);
    assert_int_equal(sum.events, (DRIFT_WAYS_MAX + 500) * 3);
    assert_int_equal(sum.zeros, 500 * 3);
    drift_free(drift);
}

static FILE *log_file;

/* stderr, from where on it is read. */
static int log_begin(void)
{
    log_file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_true(log_file && dup2(fileno(log_file), STDERR_FILENO) >= 0);
    return saved;
}

static size_t log_end(int saved, char *text, size_t capacity)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(log_file);
    size_t bytes = fread(text, 1, capacity - 1, log_file), lines = 0;
    text[bytes] = '\0';
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        lines++;
    fclose(log_file);
    return lines;
}

/* The log has the worst ones, and says how many there are. */
static void the_log_names_five_ways_and_counts_all(void **state)
{
    char model[32], text[16384];
    (void)state;
    for (unsigned ways = 5; ways <= 6; ways++) {
        struct drift *drift = made();
        assert_true(log_init("info", "text")); /* nothing was said before */
        for (unsigned i = 0; i < ways; i++) {
            snprintf(model, sizeof(model), "model-%u", i);
            note(drift, model, "0.000000000000000002", "1", 3 + i);
        }
        int saved = log_begin();
        drift_log(drift, 1);
        assert_int_equal(log_end(saved, text, sizeof(text)), 6);
        snprintf(model, sizeof(model), "%u ways of pricing", ways);
        assert_non_null(strstr(text, model));
        assert_int_equal(strstr(text, " model-0 ") != NULL, ways == 5); /* the least of them */
        drift_free(drift);
    }
}

static void keep_model(const struct drift_way *way, void *context)
{
    memcpy(context, way->model, sizeof(way->model));
}

static void a_long_name_is_cut_between_characters(void **state)
{
    struct drift *drift = made();
    char model[401], kept[sizeof(((struct drift_way *)0)->model)];
    (void)state;
    for (size_t i = 0; i + 1 < sizeof(model); i += 2)
        memcpy(model + i, "\xc3\xa4", 2);
    model[sizeof(model) - 1] = '\0';
    note(drift, model, "0", "1", 1);
    assert_int_equal(drift_alarms(drift, keep_model, kept), 1);
    assert_int_equal(strlen(kept), sizeof(kept) - 2); /* an odd room, whole pairs */
    assert_memory_equal(kept, model, strlen(kept));
    drift_free(drift);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_a_percent_is_the_edge_and_inside_it),
        cmocka_unit_test(a_gateway_that_says_nothing_or_0_is_no_measure),
        cmocka_unit_test(a_spend_without_a_price_or_of_the_gateways_is_not_compared),
        cmocka_unit_test(a_silent_0_is_told_but_a_call_that_costs_nothing_is_none),
        cmocka_unit_test(it_is_an_alarm_after_so_many_of_one_way),
        cmocka_unit_test(one_silent_0_is_an_alarm),
        cmocka_unit_test(new_prices_begin_anew),
        cmocka_unit_test(no_alarm_is_wanted),
        cmocka_unit_test(more_ways_than_are_kept_are_one_and_none_is_lost),
        cmocka_unit_test(the_log_names_five_ways_and_counts_all),
        cmocka_unit_test(a_long_name_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
