/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instants as dates and texts; no clock is asked. Days and dates after Howard Hinnant's
 * "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that the leap day is a
 * year's last, and 400 years are one era of 146097 days.
 */
#include "core/clock.h"

#include <stdio.h>

#define ERA_DAYS 146097
#define EPOCH_DAYS 719468 /* from 0000-03-01 to 1970-01-01 */

int64_t clock_days(struct civil date)
{
    int64_t year = date.year - (date.month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - EPOCH_DAYS;
}

struct civil clock_civil(int64_t days)
{
    days += EPOCH_DAYS;
    int64_t era = (days >= 0 ? days : days - (ERA_DAYS - 1)) / ERA_DAYS;
    unsigned day_of_era = (unsigned)(days - era * ERA_DAYS);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (ERA_DAYS - 1)) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned march_month = (5 * day_of_year + 2) / 153;
    unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;
    return (struct civil){
        .year = (int64_t)year_of_era + era * 400 + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * march_month + 2) / 5 + 1,
    };
}

/* --- text ------------------------------------------------------------------------------------ */

static bool take_digits(struct slice *rest, unsigned count, unsigned *v)
{
    if (rest->bytes < count)
        return false;
    *v = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned digit = (unsigned)(unsigned char)rest->p[i] - '0';
        if (digit > 9)
            return false;
        *v = *v * 10 + digit;
    }
    *rest = (struct slice){rest->p + count, rest->bytes - count};
    return true;
}

static bool take_one_of(struct slice *rest, const char *chars, char *c)
{
    if (rest->bytes == 0 || rest->p[0] == '\0' || !strchr(chars, rest->p[0]))
        return false;
    *c = rest->p[0];
    *rest = (struct slice){rest->p + 1, rest->bytes - 1};
    return true;
}

static unsigned month_days(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(struct slice *rest, int64_t *days)
{
    unsigned year, month, day;
    char c;
    if (!take_digits(rest, 4, &year) || !take_one_of(rest, "-", &c) ||
        !take_digits(rest, 2, &month) || !take_one_of(rest, "-", &c) || !take_digits(rest, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > month_days(year, month))
        return false;
    *days = clock_days((struct civil){year, month, day});
    return true;
}

static bool take_fraction(struct slice *rest, int64_t *us)
{
    unsigned digit;
    int64_t scale = CLOCK_SECOND_US / 10;
    char c;
    if (!take_one_of(rest, ".", &c))
        return true;
    if (!take_digits(rest, 1, &digit))
        return false;
    do {
        *us += digit * scale;
        scale /= 10;
    } while (take_digits(rest, 1, &digit));
    return true;
}

static bool take_time(struct slice *rest, int64_t *us)
{
    unsigned hour, minute, second;
    char c;
    if (!take_digits(rest, 2, &hour) || !take_one_of(rest, ":", &c) ||
        !take_digits(rest, 2, &minute) || !take_one_of(rest, ":", &c) ||
        !take_digits(rest, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *us = ((hour * 60 + minute) * 60 + second) * CLOCK_SECOND_US;
    return take_fraction(rest, us);
}

static bool take_offset(struct slice *rest, int64_t *us)
{
    unsigned hour, minute;
    char c;
    *us = 0;
    if (rest->bytes == 0 || take_one_of(rest, "Zz", &c))
        return true;
    if (!take_one_of(rest, "+-", &c) || !take_digits(rest, 2, &hour))
        return false;
    char sign = c;
    bool colon = take_one_of(rest, ":", &c); /* ISO 8601 has +0100 and +01, too */
    if (!take_digits(rest, 2, &minute)) {
        if (colon)
            return false;
        minute = 0;
    }
    if (hour > 23 || minute > 59)
        return false;
    int64_t seconds = (hour * 60 + minute) * 60;
    *us = (sign == '-' ? -seconds : seconds) * CLOCK_SECOND_US;
    return true;
}

bool clock_parse(struct slice text, int64_t *us)
{
    int64_t days, of_day, offset;
    char c;
    if (!take_date(&text, &days) || !take_one_of(&text, "Tt ", &c) || !take_time(&text, &of_day) ||
        !take_offset(&text, &offset) || text.bytes > 0)
        return false;
    *us = days * CLOCK_DAY_US + of_day - offset;
    return true;
}

size_t clock_format(int64_t us, char text[CLOCK_TEXT_MAX])
{
    int64_t days = clock_day_of(us);
    int64_t of_day = (us % CLOCK_DAY_US + CLOCK_DAY_US) % CLOCK_DAY_US;
    int64_t seconds = of_day / CLOCK_SECOND_US;
    unsigned fraction = (unsigned)(of_day % CLOCK_SECOND_US);
    struct civil date = clock_civil(days);
    int n = snprintf(text, CLOCK_TEXT_MAX, "%04lld-%02u-%02uT%02d:%02d:%02d", (long long)date.year,
                     date.month, date.day, (int)(seconds / 3600), (int)(seconds / 60 % 60),
                     (int)(seconds % 60));
    if (fraction > 0) {
        n += snprintf(text + n, CLOCK_TEXT_MAX - (size_t)n, ".%06u", fraction);
        while (text[n - 1] == '0')
            n--;
    }
    text[n++] = 'Z';
    text[n] = '\0';
    return (size_t)n;
}

size_t clock_format_ms(int64_t us, char text[CLOCK_TEXT_MAX])
{
    int64_t of_second = (us % CLOCK_SECOND_US + CLOCK_SECOND_US) % CLOCK_SECOND_US;
    size_t bytes = clock_format(us - of_second, text) - 1; /* without the Z */
    bytes +=
        (size_t)snprintf(text + bytes, CLOCK_TEXT_MAX - bytes, ".%03dZ", (int)(of_second / 1000));
    return bytes;
}
