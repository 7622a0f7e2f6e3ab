/* SPDX-License-Identifier: Apache-2.0 */
/* Cases picked by hand, then those of build/gen/decimal_cases.txt (decimal_cases.py). */
#include "core/decimal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CASES_FILE "build/gen/decimal_cases.txt"
#define WORDS_MAX 10

static struct decimal dec(const char *text)
{
    struct decimal d;
    struct err err = {0};
    if (!decimal_parse(slice_of(text), &d, &err))
        fail_msg("%s: %s", text, err.text);
    return d;
}

static struct money money(const char *text)
{
    struct money m;
    struct err err = {0};
    if (!money_parse(slice_of(text), &m, &err))
        fail_msg("%s: %s", text, err.text);
    return m;
}

static void expect_text(const struct decimal *d, const char *text)
{
    char out[DECIMAL_TEXT_MAX];
    assert_int_equal(decimal_format(d, out), strlen(text));
    assert_string_equal(out, text);
}

static void expect_parse(const char *in, const char *out)
{
    struct decimal d = dec(in);
    expect_text(&d, out);
}

static void the_same_number_written_differently_is_the_same_decimal(void **state)
{
    (void)state;
    static const char *const texts[] = {"3e-7",   "0.0000003", "3.0E-07",
                                        "0.3e-6", "300e-9",    "+0.00000030"};
    struct decimal first = dec(texts[0]);
    for (size_t i = 1; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct decimal d = dec(texts[i]);
        assert_true(d.coef == first.coef && d.scale == first.scale);
        assert_int_equal(decimal_cmp(&d, &first), 0);
    }
    expect_text(&first, "0.0000003");
}

static void zero_has_no_sign_and_no_scale(void **state)
{
    (void)state;
    static const char *const texts[] = {"0", "-0", "0.000", "-0e5", "0e-99999999999", "00.", ".0"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct decimal d = dec(texts[i]);
        assert_true(d.coef == 0 && d.scale == 0 && !d.negative);
        expect_text(&d, "0");
    }
}

static void limits_hold_exactly(void **state)
{
    (void)state;
    expect_parse("99999999999999999999999999999999999999",
                 "99999999999999999999999999999999999999");
    expect_parse("1e37", "10000000000000000000000000000000000000");
    expect_parse("1e-40", "0.0000000000000000000000000000000000000001");
    expect_parse("-9999999999999999999999999999999999999.9e-3",
                 "-9999999999999999999999999999999999.9999");
    static const char *const beyond[] = {"1e38", "1e-41", "100000000000000000000000000000000000001",
                                         "1e999999999999999999999", "1e-999999999999999999999"};
    for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        struct decimal d;
        struct err err = {0};
        assert_false(decimal_parse(slice_of(beyond[i]), &d, &err));
        assert_int_equal(err.kind, ERR_INPUT);
    }
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",   "-",   ".",   "e5",  "1e",   "1e+", "1.2.3", "NaN",  "inf",  "0x1", " 1",
        "1 ", "1_0", "--1", "1,5", "1e5.", "+-1", "1d3",   "true", "-.e1", "1-",  "$1.00"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct decimal d;
        struct err err = {0};
        if (decimal_parse(slice_of(texts[i]), &d, &err))
            fail_msg("\"%s\" was taken", texts[i]);
        assert_int_equal(err.kind, ERR_INPUT);
    }
}

/* The shortest decimal that reads back to the same double: what a reference wrote. */
static bool from_double(double v, struct decimal *out)
{
    char text[40];
    if (!isfinite(v))
        return false;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    return decimal_parse(slice_of(text), out, NULL);
}

static void doubles_become_what_was_written(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0.1, "0.1"},
                 {3e-7, "0.0000003"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {-2.5, "-2.5"},
                 {1e22, "10000000000000000000000"},
                 {0.0, "0"},
                 {-0.0, "0"},
                 {5.0 / 3, "1.6666666666666667"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct decimal d;
        assert_true(from_double(cases[i].v, &d));
        expect_text(&d, cases[i].text);
    }
    struct decimal d;
    assert_false(from_double((double)NAN, &d));
    assert_false(from_double((double)INFINITY, &d));
    assert_false(from_double(1e-300, &d));
}

static void integers_keep_their_whole_range(void **state)
{
    (void)state;
    struct decimal min = decimal_from_int(INT64_MIN), max = decimal_from_int(INT64_MAX);
    expect_text(&min, "-9223372036854775808");
    expect_text(&max, "9223372036854775807");
    assert_true(decimal_cmp(&min, &max) < 0);
}

static void expect_product(const char *const texts[], size_t count, const char *expected)
{
    struct decimal d[6];
    const struct decimal *factors[6];
    struct money m;
    char text[DECIMAL_TEXT_MAX];
    for (size_t i = 0; i < count; i++) {
        d[i] = dec(texts[i]);
        factors[i] = &d[i];
    }
    if (!money_product(factors, count, &m)) {
        assert_string_equal(expected, "!");
        return;
    }
    money_format(m, text);
    assert_string_equal(text, expected);
}

static void products_are_exact_and_rounded_once_half_to_even(void **state)
{
    (void)state;
    expect_product((const char *const[]){"25501", "0.00000044"}, 2, "0.01122044");
    expect_product((const char *const[]){"1e-18", "0.5"}, 2, "0");
    expect_product((const char *const[]){"1e-18", "1.5"}, 2, "0.000000000000000002");
    expect_product((const char *const[]){"1e-18", "2.5"}, 2, "0.000000000000000002");
    expect_product((const char *const[]){"-1e-18", "2.50000000000000000001"}, 2,
                   "-0.000000000000000003");
    expect_product((const char *const[]){"1e-18", "0.5", "1.1"}, 3, "0.000000000000000001");
    expect_product((const char *const[]){"1e-40", "1e-40", "1e-40", "1e-40", "1e-40", "1e-40"}, 6,
                   "0");
}

static void products_beyond_128_bits_are_exact(void **state)
{
    (void)state;
    expect_product((const char *const[]){"1e37", "1e-37", "1e37", "1e-37", "7", "0.1"}, 6, "0.7");
    expect_product((const char *const[]){"99999999999999999999999999999999999999", "1e-38",
                                         "99999999999999999999999999999999999999", "1e-18"},
                   4, "99999999999999999999.999999999999999998");
}

static void a_product_beyond_numeric_38_18_is_refused(void **state)
{
    (void)state;
    expect_product((const char *const[]){"99999999999999999999"}, 1, "99999999999999999999");
    expect_product((const char *const[]){"100000000000000000000"}, 1, "!");
    expect_product((const char *const[]){"99999999999999999999.999999999999999999",
                                         "1.0000000000000000000000000000000000001"},
                   2, "!");
    expect_product((const char *const[]){"1e37", "1e37"}, 2, "!");
    expect_product((const char *const[]){"1e37", "1e37", "0"}, 3, "0");
}

static void sums_of_money_are_exact_until_they_do_not_fit(void **state)
{
    (void)state;
    char text[DECIMAL_TEXT_MAX];
    struct money m;
    assert_true(money_add(money("0.1"), money("0.2"), &m));
    money_format(m, text);
    assert_string_equal(text, "0.3");
    struct money most = money("99999999999999999999.999999999999999999");
    assert_true(money_add(most, money("-1e-18"), &m));
    assert_false(money_add(most, money("1e-18"), &m));
    assert_false(money_add(money("-99999999999999999999.999999999999999999"), money("-1e-18"), &m));
}

/* --- generated cases ------------------------------------------------------------------------- */

static size_t words_split(char *line, char *words[WORDS_MAX])
{
    size_t count = 0;
    char *rest = NULL;
    for (char *w = strtok_r(line, " \n", &rest); w && count < WORDS_MAX;
         w = strtok_r(NULL, " \n", &rest))
        words[count++] = w;
    return count;
}

/* The result of the operation as text, "!" when refused. */
static void evaluate(char *const words[], size_t count, char text[DECIMAL_TEXT_MAX])
{
    struct decimal a, b, r;
    bool ok;
    if (strcmp(words[0], "parse") == 0) {
        ok = decimal_parse(slice_of(words[1]), &r, NULL);
    } else if (strcmp(words[0], "double") == 0) {
        ok = from_double(strtod(words[1], NULL), &r);
    } else if (strcmp(words[0], "product") == 0) {
        struct decimal d[6];
        const struct decimal *factors[6];
        struct money m = {0};
        size_t n = count - 3;
        for (size_t i = 0; i < n; i++) {
            d[i] = dec(words[2 + i]);
            factors[i] = &d[i];
        }
        ok = money_product(factors, n, &m);
        if (n == 2) {
            struct money same = {0};
            assert_int_equal(money_multiply(&d[0], &d[1], &same), ok);
            assert_true(!ok || same.atto == m.atto);
        }
        r = money_decimal(m);
    } else {
        a = dec(words[1]);
        b = dec(words[2]);
        if (strcmp(words[0], "cmp") == 0) {
            r = decimal_from_int(decimal_cmp(&a, &b));
            ok = decimal_cmp(&b, &a) == -decimal_cmp(&a, &b);
        } else {
            assert_true(strcmp(words[0], "add") == 0 || strcmp(words[0], "mul") == 0);
            ok = words[0][0] == 'a' ? decimal_add(&a, &b, &r) : decimal_mul(&a, &b, &r);
        }
    }
    if (ok)
        decimal_format(&r, text);
    else
        snprintf(text, DECIMAL_TEXT_MAX, "!");
}

static void generated_cases_agree_with_the_oracle(void **state)
{
    (void)state;
    char line[1024], copy[1024], text[DECIMAL_TEXT_MAX];
    char *words[WORDS_MAX];
    size_t cases = 0;
    FILE *in = fopen(CASES_FILE, "re");
    if (!in)
        fail_msg(CASES_FILE " is missing; make it");
    while (fgets(line, sizeof(line), in)) {
        memcpy(copy, line, sizeof(line));
        size_t count = words_split(copy, words);
        evaluate(words, count, text);
        if (strcmp(text, words[count - 1]) != 0)
            fail_msg("got %s for: %s", text, line);
        cases++;
    }
    fclose(in);
    assert_true(cases > 15000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_number_written_differently_is_the_same_decimal),
        cmocka_unit_test(zero_has_no_sign_and_no_scale),
        cmocka_unit_test(limits_hold_exactly),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(doubles_become_what_was_written),
        cmocka_unit_test(integers_keep_their_whole_range),
        cmocka_unit_test(products_are_exact_and_rounded_once_half_to_even),
        cmocka_unit_test(products_beyond_128_bits_are_exact),
        cmocka_unit_test(a_product_beyond_numeric_38_18_is_refused),
        cmocka_unit_test(sums_of_money_are_exact_until_they_do_not_fit),
        cmocka_unit_test(generated_cases_agree_with_the_oracle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
