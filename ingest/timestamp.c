/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/timestamp.h"

#include "core/clock.h"
#include "core/decimal.h"

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

bool time_format_parse(const char *text, struct time_format *format)
{
    for (size_t i = 0; i < sizeof format_table / sizeof format_table[0]; i++)
        if (strcmp(format_table[i].name, text) == 0) {
            *format = format_table[i].format;
            return true;
        }
    *format = (struct time_format){TIME_STRPTIME, 0, text};
    return strchr(text, '%') != NULL;
}

static bool in_range(int64_t us)
{
    return us > 0 && us < YEAR_2200_US;
}

static bool digit_take(struct slice text, size_t *at, int64_t *v)
{
    unsigned digit = *at < text.bytes ? (unsigned)(text.p[*at] - '0') : 10;
    if (digit > 9)
        return false;
    *v = *v * 10 + digit;
    ++*at;
    return true;
}

/* "1795493178.109193", the usual case: whole seconds of ten digits at most, decimals, no exponent.
 */
static bool seconds_parse(struct slice text, int64_t *us)
{
    int64_t whole = 0, tenths_us = 0, beyond = 0;
    size_t i = 0;
    while (i < 10 && digit_take(text, &i, &whole))
        ;
    if (i == 0 || (i < text.bytes && text.p[i++] != '.'))
        return false;
    for (int k = 0; k < 7; k++)
        if (!digit_take(text, &i, &tenths_us))
            tenths_us *= 10;
    while (digit_take(text, &i, &beyond))
        beyond = 0;
    *us = whole * 1000000 + (tenths_us + 5) / 10;
    return i == text.bytes;
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

static bool strptime_parse(struct slice text, const char *pattern, int64_t *us)
{
    char copy[128];
    struct tm tm = {.tm_mday = 1};
    if (text.bytes >= sizeof copy)
        return false;
    memcpy(copy, text.p, text.bytes);
    copy[text.bytes] = '\0';
    const char *rest = strptime(copy, pattern, &tm);
    if (!rest || *rest)
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
