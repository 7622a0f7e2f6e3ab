/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds of one event: at them it holds, one beyond it does not, and says what. */
#include "core/sanity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct sanity_limits limits = {.tokens = 1000, .cost = 5};

static void expect_beyond(const struct facts *facts, const struct charge *charge, const char *field,
                          const char *limit)
{
    struct implausible why = {"", ""};
    assert_false(sanity_holds(&limits, facts, charge, &why));
    if (field)
        assert_string_equal(why.field, field);
    else
        assert_null(why.field);
    assert_non_null(strstr(why.detail, limit));
}

static void a_count_is_bounded(void **state)
{
    (void)state;
    struct implausible why;
    struct facts facts = {0};
    facts_set_int(&facts, FACT_OUTPUT_TOKENS, 1000);
    assert_true(sanity_holds(&limits, &facts, NULL, &why));
    facts_set_int(&facts, FACT_OUTPUT_TOKENS, 1001);
    expect_beyond(&facts, NULL, "output_tokens", "limits.tokens is 1000");
}

static void a_stated_cost_is_bounded_in_both_directions(void **state)
{
    (void)state;
    struct implausible why;
    struct facts facts = {0};
    struct decimal cost = decimal_from_int(5);
    facts_set_decimal(&facts, FACT_GATEWAY_COST, &cost);
    assert_true(sanity_holds(&limits, &facts, NULL, &why));
    cost = (struct decimal){50001, 4, false};
    expect_beyond(&facts, NULL, "gateway_cost", "limits.cost is 5");
    cost.negative = true;
    expect_beyond(&facts, NULL, "gateway_cost", "limits.cost is 5");
}

static void a_charge_is_bounded_to_the_last_digit(void **state)
{
    (void)state;
    struct implausible why;
    struct facts facts = {0};
    struct charge charge = {.has_spend = true};
    const i128 most = (i128)5 * 1000000000000000000;
    for (int sign = -1; sign <= 1; sign += 2) {
        charge.spend.atto = sign * most;
        assert_true(sanity_holds(&limits, &facts, &charge, &why));
        charge.spend.atto = sign * (most + 1);
        expect_beyond(&facts, &charge, NULL, "limits.cost is 5");
    }
    charge.has_spend = false;
    assert_true(sanity_holds(&limits, &facts, &charge, &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_count_is_bounded),
        cmocka_unit_test(a_stated_cost_is_bounded_in_both_directions),
        cmocka_unit_test(a_charge_is_bounded_to_the_last_digit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
