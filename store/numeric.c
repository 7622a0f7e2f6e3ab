/* SPDX-License-Identifier: Apache-2.0 */
#include "store/numeric.h"

#define DIGITS_MAX 12
#define SIGN_NEGATIVE 0x4000

static const uint16_t power_of_ten[4] = {1, 10, 100, 1000};

static char *put16(char *p, unsigned v)
{
    p[0] = (char)(v >> 8);
    p[1] = (char)v;
    return p + 2;
}

/* Digits of base 10000, least significant first, of a coefficient below 2^64: the usual amount. */
static unsigned digits_add(uint16_t *digit, unsigned count, uint64_t coef)
{
    while (coef) {
        digit[count++] = (uint16_t)(coef % 10000);
        coef /= 10000;
    }
    return count;
}

size_t numeric_encode(char *p, u128 coef, unsigned scale, bool negative)
{
    uint16_t digit[DIGITS_MAX];
    unsigned count = 0, zeros = 0, fraction = (scale + 3) / 4, odd = scale % 4;
    char *start = p;

    if (odd) { /* the point falls inside a digit of base 10000 */
        digit[count++] = (uint16_t)((unsigned)(coef % power_of_ten[odd]) * power_of_ten[4 - odd]);
        coef /= power_of_ten[odd];
    }
    for (; coef > UINT64_MAX; coef /= 10000)
        digit[count++] = (uint16_t)(coef % 10000);
    count = digits_add(digit, count, (uint64_t)coef);
    while (count && digit[count - 1] == 0)
        count--;
    while (zeros < count && digit[zeros] == 0)
        zeros++;

    p = put16(p, count - zeros);
    p = put16(p, count ? (unsigned)((int)count - (int)fraction - 1) : 0);
    p = put16(p, negative && count ? SIGN_NEGATIVE : 0);
    p = put16(p, scale);
    while (count > zeros)
        p = put16(p, digit[--count]);
    return (size_t)(p - start);
}

size_t numeric_encode_money(char *p, struct money m)
{
    bool negative = m.atto < 0;
    return numeric_encode(p, negative ? -(u128)m.atto : (u128)m.atto, MONEY_SCALE, negative);
}

static unsigned get16(const char *p)
{
    return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

static bool shift_in(u128 *coef, unsigned base, unsigned digit)
{
    return !__builtin_mul_overflow(*coef, (u128)base, coef) &&
           !__builtin_add_overflow(*coef, (u128)digit, coef);
}

bool numeric_decode(const char *p, size_t bytes, struct decimal *out)
{
    if (bytes < 8 || bytes != 8 + 2 * (size_t)get16(p))
        return false;
    int count = (int)get16(p), weight = (int16_t)get16(p + 2);
    int scale = count ? (count - weight - 1) * 4 : 0;
    unsigned sign = get16(p + 4);
    u128 coef = 0;

    if (sign != 0 && sign != SIGN_NEGATIVE)
        return false;
    for (int i = 0; i < count; i++) {
        unsigned base = 10000, digit = get16(p + 8 + 2 * i);
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
