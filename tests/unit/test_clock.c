/* SPDX-License-Identifier: Apache-2.0 */
/* Instants as text and back, against the C library's calendar. */
#include "core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static void instants_are_read_as_rfc_3339_writes_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2024-11-01T10:20:30.5Z", 1730456430500000},
        {"2024-11-01t10:20:30z", 1730456430000000},
        {"2024-11-01 10:20:30", 1730456430000000},
        {"2024-11-01T12:20:30+02:00", 1730456430000000},
        {"2024-11-01T05:50:30-0430", 1730456430000000},
        {"2024-11-01 10:20:30.123456+00", 1730456430123456},
        {"2024-11-01T10:20:30.123456789Z", 1730456430123456},
        {"2024-02-29T00:00:00Z", 1709164800000000},
        {"2016-12-31T23:59:60Z", 1483228800000000},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"0000-01-01T00:00:00Z", -62167219200000000},
        {"9999-12-31T23:59:59.999999Z", 253402300799999999},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t us = 0;
        if (!clock_parse(slice_of(cases[i].text), &us) || us != cases[i].us)
            fail_msg("%s gave %lld", cases[i].text, (long long)us);
    }
}

static void what_is_no_instant_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "2024-11-01",
        "2024-11-01T",
        "2024-11-01T10:20",
        "2024-11-01T10:20:30.",
        "2024-11-01T10:20:30.Z",
        "2024-11-01T10:20:30+",
        "2024-11-01T10:20:30+1",
        "2024-11-01T10:20:30+01:",
        "2024-11-01T10:20:30+24:00",
        "2024-11-01T10:20:30Zz",
        "2024-11-01T24:00:00Z",
        "2024-11-01T10:60:00Z",
        "2024-11-01T10:20:61Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-04-31T00:00:00Z",
        "2024-04-00T00:00:00Z",
        "24-04-01T00:00:00Z",
        "+2024-04-01T00:00:00Z",
        "2024-4-1T00:00:00Z",
        "2024/04/01 00:00:00",
        " 2024-04-01T00:00:00Z",
        "2024-04-01X00:00:00Z",
    };
    int64_t us;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (clock_parse(slice_of(texts[i]), &us))
            fail_msg("\"%s\" was taken", texts[i]);
    assert_false(clock_parse((struct slice){"2024-11-01T10:20:30\0", 20}, &us));
}

static void formatting_is_the_shortest_form(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_MAX];
    assert_int_equal(clock_format(1730456430500000, text), 22);
    assert_string_equal(text, "2024-11-01T10:20:30.5Z");
    clock_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    clock_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
    assert_true(clock_format(INT64_MIN, text) < CLOCK_TEXT_MAX);
    assert_true(clock_format(INT64_MAX, text) < CLOCK_TEXT_MAX);
}

static void days_and_dates_agree_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t day = -1000000; day < 1000000; day += 13) {
        struct civil date = clock_civil(day);
        time_t seconds = (time_t)day * 86400;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        assert_int_equal(date.year, tm.tm_year + 1900);
        assert_int_equal(date.month, tm.tm_mon + 1);
        assert_int_equal(date.day, tm.tm_mday);
        assert_int_equal(clock_days(date), day);
    }
}

static void what_is_formatted_reads_back(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_MAX];
    for (int64_t us = -62167219200000000; us < 253402300800000000; us += 31556952123457) {
        int64_t again;
        size_t bytes = clock_format(us, text);
        assert_true(clock_parse((struct slice){text, bytes}, &again));
        assert_int_equal(us, again);
    }
}

static void the_wall_clock_can_be_stopped(void **state)
{
    (void)state;
    int64_t before = clock_now_us();
    assert_in_range(before, 1600000000000000, INT64_MAX);
    clock_fix(12345);
    assert_int_equal(clock_now_us(), 12345);
    int64_t t = clock_monotonic_us();
    assert_true(clock_monotonic_us() >= t);
    assert_int_equal(clock_day_of(-1), -1);
    assert_int_equal(clock_day_of(CLOCK_DAY_US), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instants_are_read_as_rfc_3339_writes_them),
        cmocka_unit_test(what_is_no_instant_is_refused),
        cmocka_unit_test(formatting_is_the_shortest_form),
        cmocka_unit_test(days_and_dates_agree_with_the_c_library),
        cmocka_unit_test(what_is_formatted_reads_back),
        cmocka_unit_test(the_wall_clock_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
