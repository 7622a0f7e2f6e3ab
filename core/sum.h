/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums of amounts. An amount fits numeric(38,18), a sum of amounts need not: the bound of an
 * element lies far below the bound of a sum, so adding cannot fail. 10^18 amounts of any size fit.
 */
#ifndef CORE_SUM_H
#define CORE_SUM_H

#include "core/decimal.h"

/* units + atto * 10^-18 US dollars; atto is below 10^18 in size. Zero-initialised is 0. */
struct sum {
    i128 units;
    i128 atto;
};

#define SUM_TEXT_MAX 64 /* bytes of the longest text, NUL included */

struct sum sum_of(struct money m);
void sum_add(struct sum *sum, struct sum more);
void sum_add_money(struct sum *sum, struct money m);
struct sum sum_less(struct sum a, struct sum b);
/* -1, 0, 1 */
int sum_cmp(struct sum a, struct sum b);
/* Without its sign. */
struct sum sum_size(struct sum s);

/* Plain digits, no exponent, no trailing zeros, NUL-terminated; returns the length. */
size_t sum_format(struct sum sum, char text[SUM_TEXT_MAX]);
/* What sum_format() or PostgreSQL's numeric_out writes, up to 18 decimals. false: not such a
 * number, or beyond the range above: never to be taken for 0. */
bool sum_parse(struct slice text, struct sum *sum) MUST_CHECK;

#endif
