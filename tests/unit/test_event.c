/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the .def files: complete, unique, in step with the types that rely on them. */
#include "core/charge.h"
#include "core/event.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void facts_are_unique_and_found_by_name(void **state)
{
    (void)state;
    for (int i = 0; i < FACT_COUNT; i++) {
        assert_true(fact_info[i].name[0] && fact_info[i].doc[0]);
        assert_int_equal(fact_find(slice_of(fact_info[i].name)), i);
        assert_true(fact_info[i].kind <= KIND_TIME);
    }
    assert_int_equal(fact_find(SLICE("nonsense")), FACT_COUNT);
    assert_int_equal(fact_find(SLICE("")), FACT_COUNT);
}

static void labels_are_unique_and_no_fact_has_their_name(void **state)
{
    (void)state;
    for (int i = 0; i < LABEL_COUNT; i++) {
        assert_int_equal(label_find(slice_of(label_info[i].name)), i);
        assert_int_equal(fact_find(slice_of(label_info[i].name)), FACT_COUNT);
    }
    assert_int_equal(label_find(SLICE("nonsense")), LABEL_COUNT);
}

static void presence_is_kept_apart_from_value(void **state)
{
    (void)state;
    struct facts facts = {0};
    for (int i = 0; i < FACT_COUNT; i++) {
        assert_false(facts_has(&facts, (enum fact)i));
        facts_set_int(&facts, (enum fact)i, i);
        assert_true(facts_has(&facts, (enum fact)i));
        assert_int_equal(facts_int(&facts, (enum fact)i), i);
    }
    facts_clear(&facts, FACT_INPUT_TOKENS);
    assert_false(facts_has(&facts, FACT_INPUT_TOKENS));
    assert_int_equal(facts_int(&facts, FACT_INPUT_TOKENS), 0);
    assert_true(facts_has(&facts, FACT_OUTPUT_TOKENS));
}

static void units_and_reasons_are_unique(void **state)
{
    (void)state;
    for (int i = 0; i < UNIT_COUNT; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(unit_info[i].name, unit_info[j].name);
    assert_null(reason_info[REASON_NONE].name);
    for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
        assert_true(reason_info[i].doc[0]);
        for (int j = REASON_NONE + 1; j < i; j++)
            assert_string_not_equal(reason_info[i].name, reason_info[j].name);
    }
}

static void rates_say_where_they_were_set(void **state)
{
    (void)state;
    static const struct {
        struct rate_source source;
        const char *text;
    } cases[] = {
        {{NULL, 0, "gpt-4o", "input_cost_per_token"}, "cost_map:gpt-4o#input_cost_per_token"},
        {{"config.yaml", 12, "gpt-4o", "input_cost_per_token"},
         "config.yaml:12#gpt-4o.input_cost_per_token"},
        {{"map.json", 0, "gpt-4o", "input_cost_per_token"}, "map.json#gpt-4o.input_cost_per_token"},
    };
    char text[128], small[8];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(rate_source_format(&cases[i].source, text, sizeof(text)),
                         strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
    assert_int_equal(rate_source_format(&cases[0].source, small, sizeof(small)), 7);
    assert_string_equal(small, "cost_ma");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_unique_and_found_by_name),
        cmocka_unit_test(labels_are_unique_and_no_fact_has_their_name),
        cmocka_unit_test(presence_is_kept_apart_from_value),
        cmocka_unit_test(units_and_reasons_are_unique),
        cmocka_unit_test(rates_say_where_they_were_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
