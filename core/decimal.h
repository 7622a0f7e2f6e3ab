/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact decimals and money: the only file that knows how an amount is represented and rounded.
 * Binary floating point never appears.
 *
 * A rate or a quantity is a `struct decimal`, taken from the text of its token. An amount is a
 * `struct money`, a count of 10^-18 US dollars (numeric(38,18) in PostgreSQL): each item of a
 * charge is the exact product of its factors, rounded once, half to even; a spend is the exact sum
 * of items.
 */
#ifndef CORE_DECIMAL_H
#define CORE_DECIMAL_H

#include "core/err.h"
#include "core/slice.h"

#include <stdint.h>

__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 i128;

#define DECIMAL_SCALE_MAX 40  /* digits after the point that a price may have */
#define DECIMAL_DIGITS_MAX 38 /* significant digits */
#define DECIMAL_TEXT_MAX 96   /* bytes of the longest plain text, NUL included */
#define MONEY_SCALE 18

/* (negative ? -1 : 1) * coef * 10^-scale. Normalised: no trailing zeros after the point, 0 is +0.
 */
struct decimal {
    u128 coef;
    uint8_t scale;
    bool negative;
};

struct money {
    i128 atto; /* 10^-18 US dollars */
};

#define DECIMAL_ZERO ((struct decimal){0, 0, false})
#define DECIMAL_ONE ((struct decimal){1, 0, false})

/* A number as JSON, YAML or a numeric string writes it: sign, digits, point, exponent; nothing
 * around it. ERR_INPUT: no number, NaN, infinite, more than DECIMAL_SCALE_MAX decimals, more than
 * DECIMAL_DIGITS_MAX digits. Exponents and trailing zeros do not count against the limits once
 * normalised ("1e-7" and "0.00000010" are the same decimal). */
bool decimal_parse(struct slice text, struct decimal *out, struct err *err) MUST_CHECK;
struct decimal decimal_from_int(int64_t v);
int decimal_cmp(const struct decimal *a, const struct decimal *b);
static inline bool decimal_is_zero(const struct decimal *d)
{
    return d->coef == 0;
}
/* Exact; false when the result needs more than the limits above. */
bool decimal_add(const struct decimal *a, const struct decimal *b, struct decimal *out) MUST_CHECK;
bool decimal_mul(const struct decimal *a, const struct decimal *b, struct decimal *out) MUST_CHECK;
/* Plain digits, no exponent, no trailing zeros: "0.0000003". Returns the length. */
size_t decimal_format(const struct decimal *d, char text[DECIMAL_TEXT_MAX]);

/* The exact product of `count` (1 to 6) factors, rounded once to 10^-18, half to even.
 * false: it does not fit numeric(38,18). */
bool money_product(const struct decimal *const factors[], size_t count,
                   struct money *out) MUST_CHECK;
/* The product of two. */
bool money_multiply(const struct decimal *a, const struct decimal *b, struct money *out) MUST_CHECK;
bool money_add(struct money a, struct money b, struct money *out) MUST_CHECK;
/* More than 18 decimals are rounded, half to even. */
bool money_parse(struct slice text, struct money *out, struct err *err) MUST_CHECK;
struct decimal money_decimal(struct money m);
size_t money_format(struct money m, char text[DECIMAL_TEXT_MAX]);

#endif
