/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a charge is made of, as a row keeps it: a text of the items that its other columns do not
 * say already. spendlog.items_of() reads it back, to the last digit.
 *
 *     rx66e-8 t120x24e-6     items apart by spaces; each a unit's code (core/units.def), quantity,
 *                            and x with the price of one, or = with the amount
 *
 * - A quantity that is left out is the row's: of cache_read_tokens, cache_write_tokens,
 *   reasoning_tokens.
 * - input_text_tokens and output_text_tokens are left out where they are what is left: of the
 *   tokens of their side and of its cost. "i-", "o-": nothing is left.
 * - NULL: nothing is said that goes beyond this. Of a priced row: both rests. Of a reported one:
 *   the stated cost. Of others: no item.
 * - "?": a row of before there were items, or changed by hand. Only its sides are known.
 */
#ifndef STORE_ROW_ITEMS_H
#define STORE_ROW_ITEMS_H

#include "core/charge.h"
#include "core/event.h"

#define ROW_ITEM_ROOM 96 /* code, quantity, sign, price or amount, space */
#define ROW_ITEMS_ROOM (CHARGE_ITEMS_MAX * ROW_ITEM_ROOM + 8)
#define ROW_ITEMS_UNKNOWN "?"

struct row_items {
    bool there; /* false: NULL */
    size_t bytes;
    char text[ROW_ITEMS_ROOM];
};

void row_items_of(const struct charge *charge, const struct facts *facts, struct row_items *items);

#endif
