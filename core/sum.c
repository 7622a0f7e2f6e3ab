/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sum is whole dollars and a fraction of 10^-18, carried after each addition; text is read and
 * written digit by digit, never by floating point.
 */
#include "core/sum.h"

#include <stdio.h>
#include <string.h>

#define ATTO ((i128)1000000000000000000)
#define UNIT_DIGITS_MAX 37 /* 10^37 < 2^127 / 10 */

/* Brings atto below 10^18 and gives both parts one sign. Most additions carry nothing, and dividing
 * is most of what they would cost. */
static void carry(struct sum *sum)
{
    if (sum->atto >= ATTO || sum->atto <= -ATTO) {
        sum->units += sum->atto / ATTO;
        sum->atto %= ATTO;
    }
    if (sum->units > 0 && sum->atto < 0) {
        sum->units--;
        sum->atto += ATTO;
    } else if (sum->units < 0 && sum->atto > 0) {
        sum->units++;
        sum->atto -= ATTO;
    }
}

struct sum sum_of(struct money m)
{
    if (m.atto < ATTO && m.atto > -ATTO)
        return (struct sum){0, m.atto};
    return (struct sum){m.atto / ATTO, m.atto % ATTO};
}

void sum_add(struct sum *sum, struct sum more)
{
    sum->units += more.units;
    sum->atto += more.atto;
    carry(sum);
}

void sum_add_money(struct sum *sum, struct money m)
{
    sum_add(sum, sum_of(m));
}

struct sum sum_less(struct sum a, struct sum b)
{
    sum_add(&a, (struct sum){-b.units, -b.atto});
    return a;
}

int sum_cmp(struct sum a, struct sum b)
{
    if (a.units != b.units)
        return a.units < b.units ? -1 : 1;
    return (a.atto > b.atto) - (a.atto < b.atto);
}

struct sum sum_size(struct sum s)
{
    return s.units < 0 || s.atto < 0 ? (struct sum){-s.units, -s.atto} : s;
}

static size_t digits_of(u128 v, unsigned least, char *text)
{
    char reversed[48];
    size_t count = 0;
    for (; v > 0 || count < least; v /= 10)
        reversed[count++] = (char)('0' + (int)(v % 10));
    for (size_t i = 0; i < count; i++)
        text[i] = reversed[count - 1 - i];
    return count;
}

size_t sum_format(struct sum sum, char text[SUM_TEXT_MAX])
{
    size_t bytes = 0;
    struct sum size = sum_size(sum);
    if (sum.units < 0 || sum.atto < 0)
        text[bytes++] = '-';
    bytes += digits_of((u128)size.units, 1, text + bytes);
    if (size.atto > 0) {
        text[bytes++] = '.';
        bytes += digits_of((u128)size.atto, MONEY_SCALE, text + bytes);
        while (text[bytes - 1] == '0')
            bytes--;
    }
    text[bytes] = '\0';
    return bytes;
}

/* Up to `most` digits from *p on into *v, which is multiplied on; returns how many. */
static size_t digits_read(const char **p, const char *end, size_t most, i128 *v)
{
    size_t count = 0;
    for (; *p < end && **p >= '0' && **p <= '9' && count < most; (*p)++, count++)
        *v = *v * 10 + (**p - '0');
    return count;
}

bool sum_parse(struct slice text, struct sum *sum)
{
    const char *p = text.p, *end = text.p + text.bytes;
    bool negative = p < end && *p == '-';
    struct sum read = {0, 0};
    p += negative;
    size_t digits = digits_read(&p, end, UNIT_DIGITS_MAX, &read.units);
    if (p < end && *p == '.') {
        p++;
        size_t decimals = digits_read(&p, end, MONEY_SCALE, &read.atto);
        for (size_t i = decimals; i < MONEY_SCALE; i++)
            read.atto *= 10;
        while (p < end && *p == '0') /* zeros beyond change nothing */
            p++;
    }
    if (digits == 0 || p != end)
        return false;
    *sum = negative ? (struct sum){-read.units, -read.atto} : read;
    return true;
}
