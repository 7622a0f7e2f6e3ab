/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Most amounts fit 64 bits and take a short way; the long one does the same with 128. Trailing
 * zeros are dropped, as PostgreSQL does.
 */
#include "store/numeric.h"

#include "core/big_endian.h"
#include "core/must.h"

#define DIGITS_MAX 12
#define HEADER_BYTES 8
#define SIGN_NEGATIVE UINT64_C(0x4000)
#define E4 UINT64_C(10000)

static const uint16_t power_of_ten[4] = {1, 10, 100, 1000};

static void put_digit(char *p, unsigned n, unsigned digit)
{
    put_be16(p + HEADER_BYTES + (size_t)2 * n, (uint16_t)digit);
}

/* `count` digits of base 10000 follow, the last of them not 0; the first counts 10000^weight. */
static inline size_t put_header(char *p, unsigned count, unsigned weight, bool negative,
                                unsigned scale)
{
    uint64_t header = (uint64_t)count << 48 | (uint64_t)(count ? weight & 0xFFFF : 0) << 32 |
                      (negative && count ? SIGN_NEGATIVE << 16 : 0) | scale;
    put_be64(p, header);
    return HEADER_BYTES + (size_t)2 * count;
}

/* The point stands before the last `fraction` digits. */
static size_t encode_narrow(char *p, uint64_t coef, unsigned fraction, bool negative,
                            unsigned scale)
{
    static const uint64_t least[] = {1, E4, E4 * E4, E4 * E4 * E4, E4 * E4 * E4 * E4};
    unsigned count = 0, zeros = 0;
    for (; coef && coef % E4 == 0; coef /= E4)
        zeros++;
    while (count < 5 && coef >= least[count])
        count++;
    for (unsigned i = count; i-- > 0; coef /= E4)
        put_digit(p, i, (unsigned)(coef % E4));
    MUST(coef == 0 && count <= 5, count, zeros);
    return put_header(p, count, zeros + count - fraction - 1, negative, scale);
}

/* For a coefficient that has digits beyond 64 bits. */
static size_t encode_wide(char *p, u128 coef, unsigned scale, bool negative)
{
    uint16_t digit[DIGITS_MAX];
    unsigned count = 0, zeros = 0, fraction = (scale + 3) / 4, odd = scale % 4;
    if (odd) { /* the point falls inside a digit of base 10000 */
        digit[count++] = (uint16_t)((unsigned)(coef % power_of_ten[odd]) * power_of_ten[4 - odd]);
        coef /= power_of_ten[odd];
    }
    for (; coef; coef /= E4)
        digit[count++] = (uint16_t)(coef % E4);
    MUST(count > 0 && count <= DIGITS_MAX, count, scale);
    while (digit[zeros] == 0)
        zeros++;
    for (unsigned i = zeros; i < count; i++)
        put_digit(p, count - 1 - i, digit[i]);
    return put_header(p, count - zeros, count - fraction - 1, negative, scale);
}

size_t numeric_encode(char *p, u128 coef, unsigned scale, bool negative)
{
    uint64_t aligned;
    unsigned odd = scale % 4;
    MUST(scale <= DECIMAL_SCALE_MAX, scale);
    if (coef <= UINT64_MAX &&
        !__builtin_mul_overflow((uint64_t)coef, odd ? power_of_ten[4 - odd] : 1, &aligned))
        return encode_narrow(p, aligned, (scale + 3) / 4, negative, scale);
    return encode_wide(p, coef, scale, negative);
}

/* Prices per token have some 10 decimals: an amount nearly always ends in 6 zeros, which are not
 * sent as digits. Together with 64 bits, a fifth of the instructions. */
size_t numeric_encode_money(char *p, struct money m)
{
    bool negative = m.atto < 0;
    u128 atto = negative ? -(u128)m.atto : (u128)m.atto;
    if (atto <= UINT64_MAX && (uint64_t)atto % 1000000 == 0)
        return encode_narrow(p, (uint64_t)atto / 1000000, (MONEY_SCALE - 6) / 4, negative,
                             MONEY_SCALE);
    return numeric_encode(p, atto, MONEY_SCALE, negative);
}

#define SUM_DIGITS 20                            /* 10 before the point, 10 behind it */
#define DEEP ((i128)10000000000 * 1000000000000) /* 10^22 of 10^-40 are 10^-18 */

/* Most sums are of one batch: whole dollars in 64 bits, nothing beyond 18 decimals. */
static inline bool sum_is_short(const struct sum *sum, i128 deep)
{
    return deep == 0 && sum->atto >= 0 && sum->units >= 0 && sum->units <= UINT64_MAX;
}

static inline void split_short(uint16_t *digit, unsigned count, uint64_t value)
{
    for (unsigned i = count; i-- > 0; value /= E4)
        digit[i] = (uint16_t)(value % E4);
    MUST(value == 0, count);
}

static void split(uint16_t *digit, unsigned count, u128 value)
{
    for (unsigned i = count; i-- > 0; value /= E4)
        digit[i] = (uint16_t)(value % E4);
    MUST(value == 0, count); /* no digit of money is left out */
}

/* All parts of one sign, atto and deep each below the next part's one. */
static bool sum_normal(struct sum *sum, i128 *deep)
{
    sum_add(sum, (struct sum){0, *deep / DEEP});
    *deep %= DEEP;
    bool negative =
        sum->units < 0 || sum->atto < 0 || (sum->units == 0 && sum->atto == 0 && *deep < 0);
    if (negative) {
        *sum = (struct sum){-sum->units, -sum->atto};
        *deep = -*deep;
    }
    if (*deep < 0) {
        sum_add(sum, (struct sum){0, -1});
        *deep += DEEP;
    }
    MUST(sum->units >= 0 && sum->atto >= 0 && *deep >= 0 && *deep < DEEP, negative);
    return negative;
}

/* Decimals of which the last is not 0; `last` digits of base 10000 are left. */
static unsigned sum_scale(const uint16_t *digit, unsigned last)
{
    unsigned scale = last > SUM_DIGITS / 2 ? (last - SUM_DIGITS / 2) * 4 : 0, ten = 10;
    for (; scale && digit[last - 1] % ten == 0; ten *= 10)
        scale--;
    return scale;
}

/* The digits of a sum without its trailing zeros, digit[*first] to digit[*last - 1]. */
static void sum_split_short(uint16_t *digit, const struct sum *sum, unsigned *first, unsigned *last)
{
    uint64_t units = (uint64_t)sum->units, atto = (uint64_t)sum->atto;
    *first = *last = 10;
    if (units) {
        *first = 5;
        split_short(digit + 5, 5, units);
    }
    if (atto) {
        split_short(digit + 10, 4, atto / 100);
        digit[14] = (uint16_t)(atto % 100 * 100);
        *last = 15;
    }
}

static bool sum_split(uint16_t *digit, struct sum sum, i128 deep)
{
    bool negative = sum_normal(&sum, &deep);
    split(digit, 10, (u128)sum.units);
    split(digit + 10, 4, (u128)sum.atto / 100);
    digit[14] = (uint16_t)((u128)sum.atto % 100 * 100 + (u128)(deep / (DEEP / 100)));
    split(digit + 15, 5, (u128)(deep % (DEEP / 100)));
    return negative;
}

size_t numeric_encode_sum(char *p, struct sum sum, i128 deep, unsigned least)
{
    uint16_t digit[SUM_DIGITS];
    unsigned first = 0, last = SUM_DIGITS;
    bool negative = false;
    if (sum_is_short(&sum, deep))
        sum_split_short(digit, &sum, &first, &last);
    else
        negative = sum_split(digit, sum, deep);
    while (last > first && digit[last - 1] == 0)
        last--;
    while (first < last && digit[first] == 0)
        first++;
    for (unsigned i = first; i < last; i++)
        put_digit(p, i - first, digit[i]);
    unsigned scale = last > first ? sum_scale(digit, last) : 0;
    return put_header(p, last - first, 9 - first, negative, scale > least ? scale : least);
}

static bool shift_in(u128 *coef, unsigned base, unsigned digit)
{
    return !__builtin_mul_overflow(*coef, (u128)base, coef) &&
           !__builtin_add_overflow(*coef, (u128)digit, coef);
}

bool numeric_decode(const char *p, size_t bytes, struct decimal *out)
{
    if (bytes < 8 || bytes != 8 + 2 * (size_t)get_be16(p))
        return false;
    int count = (int)get_be16(p), weight = (int16_t)get_be16(p + 2);
    int scale = count ? (count - weight - 1) * 4 : 0;
    unsigned sign = get_be16(p + 4);
    u128 coef = 0;

    if (sign != 0 && sign != SIGN_NEGATIVE)
        return false;
    for (int i = 0; i < count; i++) {
        unsigned base = 10000, digit = get_be16(p + 8 + 2 * i);
        /* zeros at the end of the last one are not digits of the decimal */
        for (; i == count - 1 && scale > 0 && base > 1 && digit % 10 == 0; scale--) {
            base /= 10;
            digit /= 10;
        }
        if (!shift_in(&coef, base, digit))
            return false;
    }
    for (; scale < 0; scale += 4)
        if (!shift_in(&coef, 10000, 0))
            return false;
    if (scale > DECIMAL_SCALE_MAX)
        return false;
    *out = (struct decimal){coef, (uint8_t)scale, sign == SIGN_NEGATIVE};
    return true;
}
