/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coefficients are 128-bit integers below 10^38. A product is taken in 128 bits as long as it fits
 * there, which is what nearly every event needs (tokens * rate), otherwise in limbs that hold the
 * product of six factors (core/wide.h). Rounding is one division by a power of ten at the very end,
 * so that no intermediate digit is ever lost.
 */
#include "core/decimal.h"

#include "core/wide.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPONENT_MAX 1000000000

#define E9 ((u128)1000000000)
#define E18 (E9 * E9)
#define E27 (E18 * E9)
#define E36 (E18 * E18)
#define NINE(base)                                                                                 \
    (base), (base)*10, (base)*100, (base)*1000, (base)*10000, (base)*100000, (base)*1000000,       \
        (base)*10000000, (base)*100000000

static const u128 power10[DECIMAL_DIGITS_MAX + 1] = {NINE((u128)1), NINE(E9), NINE(E18), NINE(E27),
                                                     E36,           E36 * 10, E36 * 100};

#define COEF_END (E36 * 100) /* coefficients and amounts are below */

/* Trailing zeros behind the point go; of 0 all. Most fits 64 bits, where dividing costs a tenth. */
static void zeros_strip(u128 *coef, unsigned *scale)
{
    for (; *scale > 0 && *coef > UINT64_MAX && *coef % 10 == 0; *scale -= 1)
        *coef /= 10;
    if (*coef > UINT64_MAX)
        return;
    uint64_t low = (uint64_t)*coef;
    for (; *scale >= 4 && low % 10000 == 0; *scale -= 4)
        low /= 10000;
    for (; *scale > 0 && low % 10 == 0; *scale -= 1)
        low /= 10;
    *coef = low;
}

static void normalise(struct decimal *d)
{
    unsigned scale = d->scale;
    zeros_strip(&d->coef, &scale);
    d->scale = (uint8_t)scale;
    if (d->coef == 0)
        d->negative = false;
}

/* --- text ------------------------------------------------------------------------------------ */

/* A number being read: coef * 10^exponent, coef without trailing zeros. */
struct scan {
    struct slice rest;
    u128 coef;
    int64_t exponent;
    int digits; /* significant ones in coef */
    bool any;   /* a digit was seen */
};

static bool next_is(const struct scan *scan, char c)
{
    return scan->rest.bytes > 0 && scan->rest.p[0] == c;
}

static bool next_is_digit(const struct scan *scan)
{
    return scan->rest.bytes > 0 && scan->rest.p[0] >= '0' && scan->rest.p[0] <= '9';
}

static char take(struct scan *scan)
{
    scan->rest.bytes--;
    return *scan->rest.p++;
}

/* Zeros wait until a digit follows: at the end of the number they only move the exponent. */
static void scan_digits(struct scan *scan)
{
    bool point = false;
    int64_t zeros = 0;
    while (next_is_digit(scan) || (!point && next_is(scan, '.'))) {
        char c = take(scan);
        if (c == '.') {
            point = true;
            continue;
        }
        scan->any = true;
        scan->exponent -= point;
        if (c == '0') {
            zeros += scan->digits > 0;
            continue;
        }
        if (scan->digits + zeros + 1 <= DECIMAL_DIGITS_MAX)
            scan->coef = scan->coef * power10[zeros + 1] + (u128)(c - '0');
        scan->digits = scan->digits + zeros < DECIMAL_DIGITS_MAX ? scan->digits + (int)zeros + 1
                                                                 : DECIMAL_DIGITS_MAX + 1;
        zeros = 0;
    }
    scan->exponent += zeros;
}

static bool scan_exponent(struct scan *scan)
{
    int64_t exponent = 0;
    if (!next_is(scan, 'e') && !next_is(scan, 'E'))
        return true;
    take(scan);
    bool negative = next_is(scan, '-');
    if (negative || next_is(scan, '+'))
        take(scan);
    if (!next_is_digit(scan))
        return false;
    while (next_is_digit(scan)) {
        exponent = exponent * 10 + (take(scan) - '0');
        if (exponent > EXPONENT_MAX)
            exponent = EXPONENT_MAX;
    }
    scan->exponent += negative ? -exponent : exponent;
    return true;
}

/* "12" or "0.02397": up to 19 digits, no sign, no exponent. What gateways send; 320 instructions
 * less than the general way. */
static bool parse_plain(struct slice text, struct decimal *out)
{
    uint64_t coef = 0;
    size_t point = SIZE_MAX;
    if (text.bytes == 0 || text.bytes > 19 || text.p[0] == '.')
        return false;
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned digit = (unsigned)(text.p[i] - '0');
        if (digit <= 9)
            coef = coef * 10 + digit;
        else if (text.p[i] == '.' && point == SIZE_MAX)
            point = i;
        else
            return false;
    }
    if (point == text.bytes - 1)
        return false;
    unsigned scale = point == SIZE_MAX ? 0 : (unsigned)(text.bytes - 1 - point);
    for (; scale > 0 && coef % 10 == 0; scale--)
        coef /= 10;
    *out = (struct decimal){coef, (uint8_t)scale, false};
    return true;
}

bool decimal_parse(struct slice text, struct decimal *out, struct err *err)
{
    if (parse_plain(text, out))
        return true;
    struct scan scan = {.rest = text};
    bool negative = next_is(&scan, '-');
    if (negative || next_is(&scan, '+'))
        take(&scan);
    scan_digits(&scan);
    if (!scan.any || !scan_exponent(&scan) || scan.rest.bytes > 0)
        return err_set(err, ERR_INPUT, "not a decimal number");
    *out = DECIMAL_ZERO;
    if (scan.digits == 0)
        return true;
    if (scan.digits > DECIMAL_DIGITS_MAX || scan.exponent > DECIMAL_DIGITS_MAX - scan.digits)
        return err_set(err, ERR_INPUT, "a number of more than %d digits", DECIMAL_DIGITS_MAX);
    if (scan.exponent < -DECIMAL_SCALE_MAX)
        return err_set(err, ERR_INPUT, "a number of more than %d decimals", DECIMAL_SCALE_MAX);
    out->coef = scan.exponent > 0 ? scan.coef * power10[scan.exponent] : scan.coef;
    out->scale = scan.exponent < 0 ? (uint8_t)-scan.exponent : 0;
    out->negative = negative;
    return true;
}

struct decimal decimal_from_int(int64_t v)
{
    return (struct decimal){v < 0 ? -(u128)v : (u128)v, 0, v < 0};
}

/* Digits of a coefficient at the end of `end`; returns where they start. */
static char *digits_before(char *end, u128 coef)
{
    for (; coef > UINT64_MAX; coef /= E18) {
        uint64_t low = (uint64_t)(coef % E18);
        for (int i = 0; i < 18; i++, low /= 10)
            *--end = (char)('0' + low % 10);
    }
    uint64_t high = (uint64_t)coef;
    do
        *--end = (char)('0' + high % 10);
    while (high /= 10);
    return end;
}

size_t decimal_format(const struct decimal *d, char text[DECIMAL_TEXT_MAX])
{
    char digits[48];
    char *end = digits + sizeof(digits), *p = digits_before(end, d->coef);
    char *out = text;
    while (end - p <= d->scale)
        *--p = '0';
    size_t whole = (size_t)(end - p) - d->scale;
    if (d->negative)
        *out++ = '-';
    memcpy(out, p, whole);
    out += whole;
    if (d->scale > 0) {
        *out++ = '.';
        memcpy(out, p + whole, d->scale);
        out += d->scale;
    }
    *out = '\0';
    return (size_t)(out - text);
}

/* --- arithmetic ------------------------------------------------------------------------------ */

/* Magnitudes only: a with fewer decimals than b is compared with b's leading part. */
static int magnitude_cmp(const struct decimal *a, const struct decimal *b)
{
    if (a->scale > b->scale)
        return -magnitude_cmp(b, a);
    unsigned shift = b->scale - a->scale;
    if (shift == 0)
        return (a->coef > b->coef) - (a->coef < b->coef);
    u128 whole = shift > DECIMAL_DIGITS_MAX ? 0 : b->coef / power10[shift];
    u128 rest = shift > DECIMAL_DIGITS_MAX ? b->coef : b->coef % power10[shift];
    if (a->coef != whole)
        return a->coef < whole ? -1 : 1;
    return rest > 0 ? -1 : 0;
}

int decimal_cmp(const struct decimal *a, const struct decimal *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    return a->negative ? magnitude_cmp(b, a) : magnitude_cmp(a, b);
}

/* A sum below 10^38 has no operand that leaves 128 bits when brought to the larger scale, unless it
 * ends in the other one's last digit, which is not 0: then it does not fit after normalising. */
bool decimal_add(const struct decimal *a, const struct decimal *b, struct decimal *out)
{
    if (a->scale > b->scale) {
        const struct decimal *swap = a;
        a = b;
        b = swap;
    }
    unsigned shift = b->scale - a->scale;
    if (a->coef == 0) {
        *out = *b;
        return true;
    }
    u128 x, sum;
    if (shift > DECIMAL_DIGITS_MAX || __builtin_mul_overflow(a->coef, power10[shift], &x))
        return false;
    struct decimal result = {0, b->scale, a->negative};
    if (a->negative == b->negative) {
        if (__builtin_add_overflow(x, b->coef, &sum))
            return false;
    } else {
        sum = x >= b->coef ? x - b->coef : b->coef - x;
        result.negative = x >= b->coef ? a->negative : b->negative;
    }
    result.coef = sum;
    normalise(&result);
    if (result.coef >= COEF_END)
        return false;
    *out = result;
    return true;
}

static bool product_set(u128 coef, unsigned scale, bool negative, struct decimal *out)
{
    if (coef >= COEF_END || (scale > DECIMAL_SCALE_MAX && coef != 0))
        return false;
    *out = coef == 0 ? DECIMAL_ZERO : (struct decimal){coef, (uint8_t)scale, negative};
    return true;
}

/* Trailing zeros go first: 0.5 * 0.2 is 0.1, whatever the digits of the factors. */
bool decimal_mul(const struct decimal *a, const struct decimal *b, struct decimal *out)
{
    struct wide product = {0};
    unsigned scale = (unsigned)a->scale + b->scale;
    if (a->coef <= UINT64_MAX && b->coef <= UINT64_MAX) {
        u128 coef = a->coef * b->coef;
        zeros_strip(&coef, &scale);
        return product_set(coef, scale, a->negative != b->negative, out);
    }
    wide_set(&product, a->coef);
    wide_mul(&product, b->coef);
    while (scale > 0 && wide_mod10(&product) == 0 && !wide_is_zero(&product)) {
        wide_div(&product, 10);
        scale--;
    }
    return wide_below(&product, COEF_END) &&
           product_set(wide_low(&product), scale, a->negative != b->negative, out);
}

/* --- money ----------------------------------------------------------------------------------- */

static bool money_set(u128 atto, bool negative, struct money *out)
{
    if (atto >= COEF_END)
        return false;
    out->atto = negative ? -(i128)atto : (i128)atto;
    return true;
}

/* coef * 10^(MONEY_SCALE - scale), half to even; false: too large. */
static bool narrow_round(u128 coef, unsigned scale, u128 *atto)
{
    if (scale <= MONEY_SCALE)
        return !__builtin_mul_overflow(coef, power10[MONEY_SCALE - scale], atto);
    unsigned shift = scale - MONEY_SCALE;
    *atto = 0;
    if (shift > DECIMAL_DIGITS_MAX) /* coef < 2^128 < 10^39 / 2 */
        return true;
    u128 unit = power10[shift], rest = coef % unit;
    *atto = coef / unit;
    *atto += rest > unit / 2 || (rest == unit / 2 && (*atto & 1));
    return true;
}

static bool wide_round(const struct decimal *const factors[], size_t count, unsigned scale,
                       u128 *atto)
{
    struct wide product = {0};
    bool sticky = false;
    wide_set(&product, factors[0]->coef);
    for (size_t i = 1; i < count; i++)
        wide_mul(&product, factors[i]->coef);
    if (scale <= MONEY_SCALE) {
        wide_mul(&product, power10[MONEY_SCALE - scale]);
    } else {
        unsigned shift = scale - MONEY_SCALE - 1;
        for (; shift >= 18; shift -= 18)
            sticky |= wide_div(&product, (uint64_t)E18) != 0;
        sticky |= wide_div(&product, (uint64_t)power10[shift]) != 0;
        uint64_t last = wide_div(&product, 10);
        if (last > 5 || (last == 5 && (sticky || wide_is_odd(&product))))
            wide_increment(&product);
    }
    *atto = wide_low(&product);
    return wide_below(&product, COEF_END);
}

bool money_product(const struct decimal *const factors[], size_t count, struct money *out)
{
    assert(count >= 1 && count <= WIDE_FACTORS_MAX);
    u128 product = factors[0]->coef, atto = 0;
    unsigned scale = factors[0]->scale;
    bool negative = factors[0]->negative, fits = true;
    for (size_t i = 1; i < count; i++) {
        fits = fits && !__builtin_mul_overflow(product, factors[i]->coef, &product);
        scale += factors[i]->scale;
        negative ^= factors[i]->negative;
    }
    if (!(fits ? narrow_round(product, scale, &atto) : wide_round(factors, count, scale, &atto)))
        return false;
    return money_set(atto, negative, out);
}

/* In 64 bits, as nearly always: a third of the instructions. What fits there is below
 * 2^64 * 10^18 < 10^38. */
bool money_multiply(const struct decimal *a, const struct decimal *b, struct money *out)
{
    unsigned scale = (unsigned)a->scale + b->scale;
    uint64_t product;
    if (scale > MONEY_SCALE || a->coef > UINT64_MAX || b->coef > UINT64_MAX ||
        __builtin_mul_overflow((uint64_t)a->coef, (uint64_t)b->coef, &product))
        return money_product((const struct decimal *const[]){a, b}, 2, out);
    u128 atto = (u128)product * (uint64_t)power10[MONEY_SCALE - scale];
    out->atto = a->negative != b->negative ? -(i128)atto : (i128)atto;
    return true;
}

bool money_add(struct money a, struct money b, struct money *out)
{
    i128 sum = a.atto + b.atto; /* both are below 10^38: no overflow at 2^127 */
    if (sum >= (i128)COEF_END || sum <= -(i128)COEF_END)
        return false;
    out->atto = sum;
    return true;
}

bool money_parse(struct slice text, struct money *out, struct err *err)
{
    struct decimal d = DECIMAL_ZERO;
    if (!decimal_parse(text, &d, err))
        return false;
    const struct decimal *factor = &d;
    if (!money_product(&factor, 1, out))
        return err_set(err, ERR_INPUT, "an amount beyond numeric(38,18)");
    return true;
}

struct decimal money_decimal(struct money m)
{
    struct decimal d = {m.atto < 0 ? -(u128)m.atto : (u128)m.atto, MONEY_SCALE, m.atto < 0};
    normalise(&d);
    return d;
}

size_t money_format(struct money m, char text[DECIMAL_TEXT_MAX])
{
    struct decimal d = money_decimal(m);
    return decimal_format(&d, text);
}
