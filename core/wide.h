/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unsigned integers wide enough for the exact product of six coefficients; only decimal.c uses
 * them. Limbs of 64 bits, the least significant first; `used` of them are meaningful, the last is
 * not 0.
 */
#ifndef CORE_WIDE_H
#define CORE_WIDE_H

#include "core/decimal.h"

#include <assert.h>

#define WIDE_FACTORS_MAX 6
#define WIDE_LIMBS (2 * WIDE_FACTORS_MAX + 2) /* and a power of ten up to 10^38 */

struct wide {
    unsigned used;
    uint64_t limb[WIDE_LIMBS];
};

static inline void wide_trim(struct wide *w)
{
    while (w->used > 0 && w->limb[w->used - 1] == 0)
        w->used--;
}

static inline void wide_set(struct wide *w, u128 v)
{
    w->limb[0] = (uint64_t)v;
    w->limb[1] = (uint64_t)(v >> 64);
    w->used = 2;
    wide_trim(w);
}

/* The schoolbook's way; the accumulator cannot overflow: (2^64-1)^2 + 2 (2^64-1) < 2^128. */
static inline void wide_mul(struct wide *w, u128 factor)
{
    const uint64_t f[2] = {(uint64_t)factor, (uint64_t)(factor >> 64)};
    uint64_t product[WIDE_LIMBS] = {0};
    assert(w->used + 2 <= WIDE_LIMBS);
    for (unsigned i = 0; i < w->used; i++) {
        u128 carry = 0;
        for (unsigned j = 0; j < 2; j++) {
            carry += (u128)w->limb[i] * f[j] + product[i + j];
            product[i + j] = (uint64_t)carry;
            carry >>= 64;
        }
        product[i + 2] = (uint64_t)carry;
    }
    w->used += 2;
    memcpy(w->limb, product, sizeof(product));
    wide_trim(w);
}

/* Divides in place; returns the remainder. */
static inline uint64_t wide_div(struct wide *w, uint64_t divisor)
{
    u128 rest = 0;
    for (unsigned i = w->used; i-- > 0;) {
        rest = rest << 64 | w->limb[i];
        w->limb[i] = (uint64_t)(rest / divisor);
        rest %= divisor;
    }
    wide_trim(w);
    return (uint64_t)rest;
}

static inline unsigned wide_mod10(const struct wide *w)
{
    struct wide copy = *w;
    return (unsigned)wide_div(&copy, 10);
}

static inline void wide_increment(struct wide *w)
{
    unsigned i = 0;
    while (i < w->used && ++w->limb[i] == 0)
        i++;
    if (i == w->used) {
        assert(w->used < WIDE_LIMBS);
        w->limb[w->used++] = 1;
    }
}

static inline bool wide_is_zero(const struct wide *w)
{
    return w->used == 0;
}

static inline bool wide_is_odd(const struct wide *w)
{
    return w->used > 0 && (w->limb[0] & 1);
}

/* The lowest 128 bits. */
static inline u128 wide_low(const struct wide *w)
{
    u128 high = w->used > 1 ? w->limb[1] : 0;
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): it loses limb[1] */
    return high << 64 | (w->used > 0 ? w->limb[0] : 0);
}

static inline bool wide_below(const struct wide *w, u128 end)
{
    return w->used <= 2 && wide_low(w) < end;
}

#endif
