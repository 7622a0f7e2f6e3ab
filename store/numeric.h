/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL's binary form of numeric (src/backend/utils/adt/numeric.c, numeric_send): four 16-bit
 * words (count of digits, weight of the first, sign, digits shown after the point), then digits of
 * base 10000. NaN and infinities have signs of their own, which are never written here and refused
 * on reading.
 */
#ifndef STORE_NUMERIC_H
#define STORE_NUMERIC_H

#include "core/decimal.h"
#include "core/sum.h"

#define NUMERIC_BYTES_MAX 40 /* 8 of header, at most 12 digits for 38 decimal ones at any scale */

/* Writes at `p`; returns the bytes. */
size_t numeric_encode(char *p, u128 coef, unsigned scale, bool negative);
size_t numeric_encode_money(char *p, struct money m);

#define NUMERIC_SUM_BYTES_MAX 48 /* 10 digits of base 10000 on each side of the point */

/* A sum, and what it has beyond 18 decimals, counted in 10^-40; their signs may differ. Shown with
 * `least` decimals or as many as it has. */
size_t numeric_encode_sum(char *p, struct sum sum, i128 deep, unsigned least);

/* false: malformed, NaN, infinite, or too large for a decimal. */
bool numeric_decode(const char *p, size_t bytes, struct decimal *out) MUST_CHECK;

#endif
