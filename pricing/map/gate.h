/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate for cost maps (docs/pricing.md section 3): every member of a row is a price, has a
 * meaning, is known to be harmless, or is told. Maps move weekly; what a new key means for a price
 * cannot be known, but that it is there can.
 */
#ifndef PRICING_MAP_GATE_H
#define PRICING_MAP_GATE_H

#include "pricing/map/grammar.h"
#include "pricing/map/node.h"

enum member_kind {
    MEMBER_PRICE,    /* the grammar reads it, or it is known that no formula does */
    MEMBER_MEANING,  /* provider, mode, regions, tables' own words */
    MEMBER_HARMLESS, /* on the closed list, or neither money by name nor by value */
    MEMBER_UNKNOWN,  /* looks like money: by its name, or as a number or an object on no list */
};

enum member_kind gate_member(const struct node *member, const struct variants *variants);
/* Whether a member of that name is a table whose members are keys of prices, and the first member
 * of one that is MEMBER_UNKNOWN; NULL: none. */
bool gate_is_table(struct slice key);
const struct node *gate_unknown(const struct node *table, const struct variants *variants);
bool gate_harmless_key(struct slice key);
const char *gate_word(enum member_kind kind);

#endif
