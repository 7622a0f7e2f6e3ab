/* SPDX-License-Identifier: Apache-2.0 */
/* Times by their format: a unit since 1970, RFC 3339, a pattern of strptime. */
#include "ingest/timestamp.h"

#include "core/clock.h"
#include "core/decimal.h"
#include "ingest/digits.h"

#include <time.h>

#define YEAR_2200_US INT64_C(7258118400000000)

static const struct {
    const char *name;
    struct time_format format;
} format_table[] = {
    {"s", {TIME_UNIT, 6, NULL}},          {"ms", {TIME_UNIT, 3, NULL}},
    {"us", {TIME_UNIT, 0, NULL}},         {"ns", {TIME_UNIT, -3, NULL}},
    {"rfc3339", {TIME_RFC3339, 0, NULL}},
};

/* All that glibc's strptime() reads into the time, with what may stand before the letter. */
static bool is_conversion(const char *letter)
{
    return *letter && strchr("%aAbBcCdDeFhHIjklmMnprRsStTuUwWxXyYz", *letter) != NULL;
}

/* Whether each conversion of the pattern counts; *letter: the first that does not. */
static bool pattern_counts(const char *pattern, char *letter)
{
    for (const char *at = strchr(pattern, '%'); at; at = strchr(at + 1, '%')) {
        at += 1 + strspn(at + 1, "-_0^#");
        at += *at == 'E' || *at == 'O';
        *letter = *at ? *at : '%';
        if (!is_conversion(at))
            return false;
    }
    return true;
}

bool time_format_parse(const char *text, struct time_format *format, char *conversion)
{
    *conversion = 0;
    for (size_t i = 0; i < sizeof format_table / sizeof format_table[0]; i++)
        if (strcmp(format_table[i].name, text) == 0) {
            *format = format_table[i].format;
            return true;
        }
    *format = (struct time_format){TIME_STRPTIME, 0, text};
    return strchr(text, '%') != NULL && pattern_counts(text, conversion);
}

static bool in_range(int64_t us)
{
    return us > 0 && us < YEAR_2200_US;
}

/* "1795493178.109193", the usual case: whole seconds of ten digits at most, decimals, no exponent.
 */
static bool seconds_parse(struct slice text, int64_t *us)
{
    static const int64_t power10[8] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    const char *end = text.p + text.bytes, *point = digits_end(text.p, end);
    unsigned whole = (unsigned)(point - text.p), decimals = 0;
    int64_t tenths_us = 0;
    if (whole == 0 || point - text.p > 10)
        return false;
    if (point < end) {
        if (*point != '.' || digits_end(point + 1, end) != end)
            return false;
        decimals = end - point > 8 ? 7 : (unsigned)(end - point - 1);
        tenths_us = (int64_t)digits_value(point + 1, decimals) * power10[7 - decimals];
    }
    *us = (int64_t)digits_value(text.p, whole) * 1000000 + (tenths_us + 5) / 10;
    return true;
}

static bool unit_parse(struct slice text, int us_exponent, int64_t *us)
{
    struct decimal d;
    if (us_exponent == 6 && seconds_parse(text, us))
        return in_range(*us);
    if (!decimal_parse(text, &d, NULL) || d.negative)
        return false;
    u128 v = d.coef;
    int exponent = us_exponent - d.scale;
    for (; exponent > 0; exponent--) {
        if (v > (u128)YEAR_2200_US)
            return false;
        v *= 10;
    }
    for (; exponent < -1; exponent++)
        v /= 10;
    if (exponent == -1)
        v = (v + (us_exponent < 0 ? 0 : 5)) / 10;
    if (v >= (u128)YEAR_2200_US)
        return false;
    *us = (int64_t)v;
    return in_range(*us);
}

/* timegm() makes 3 March of 31 February. */
static bool day_exists(const struct tm *tm)
{
    struct tm day = {.tm_year = tm->tm_year, .tm_mon = tm->tm_mon, .tm_mday = tm->tm_mday};
    timegm(&day);
    return day.tm_mday == tm->tm_mday && day.tm_mon == tm->tm_mon;
}

static bool strptime_parse(struct slice text, const char *pattern, int64_t *us)
{
    char copy[128];
    struct tm tm = {.tm_mday = 1};
    if (text.bytes >= sizeof copy)
        return false;
    memcpy(copy, text.p, text.bytes);
    copy[text.bytes] = '\0';
    const char *rest = strptime(copy, pattern, &tm);
    if (!rest || *rest || !day_exists(&tm))
        return false;
    long offset_s = tm.tm_gmtoff; /* %z; timegm() clears it */
    *us = ((int64_t)timegm(&tm) - offset_s) * 1000000;
    return in_range(*us);
}

bool time_parse(struct slice text, const struct time_format *format, int64_t *us)
{
    switch (format->kind) {
    case TIME_UNIT:
        return unit_parse(text, format->us_exponent, us);
    case TIME_RFC3339:
        return clock_parse(text, us) && in_range(*us);
    case TIME_STRPTIME:
        return strptime_parse(text, format->pattern, us);
    }
    return false;
}
