/* SPDX-License-Identifier: Apache-2.0 */
/* A charge's items as a row keeps them: what is left of a side's tokens and cost is not said. */
#include "store/row_items.h"

#include "core/must.h"

#include <string.h>

struct rest {
    enum unit unit;  /* what is left of a side's tokens */
    enum fact whole; /* is of these */
};

static const struct rest rest_of[] = {
    [SIDE_INPUT] = {UNIT_INPUT_TEXT_TOKENS, FACT_INPUT_TOKENS},
    [SIDE_OUTPUT] = {UNIT_OUTPUT_TEXT_TOKENS, FACT_OUTPUT_TOKENS},
};

/* Units that a column of the row counts; the others: FACT_COUNT. */
static enum fact column_of(enum unit unit)
{
    return unit == UNIT_CACHE_READ_TOKENS         ? FACT_CACHE_READ_TOKENS
           : unit == UNIT_CACHE_WRITE_TOKENS      ? FACT_CACHE_WRITE_TOKENS
           : unit == UNIT_OUTPUT_REASONING_TOKENS ? FACT_REASONING_TOKENS
                                                  : FACT_COUNT;
}

static struct decimal count_of(const struct facts *facts, enum fact fact)
{
    return facts_has(facts, fact) ? decimal_from_int(facts->v[fact].i) : DECIMAL_ZERO;
}

/* --- numbers -------------------------------------------------------------------------------- */

/* The shorter of ".0045" and "45e-4". */
static size_t number_put(char *p, const struct decimal *d)
{
    char plain[DECIMAL_TEXT_MAX], *start = plain;
    size_t bytes = decimal_format(d, plain);
    struct decimal whole = {d->coef, 0, d->negative};
    if (d->scale == 0) {
        memcpy(p, plain, bytes);
        return bytes;
    }
    size_t digits = decimal_format(&whole, p);
    p[digits++] = 'e';
    p[digits++] = '-';
    if (d->scale > 9)
        p[digits++] = (char)('0' + d->scale / 10);
    p[digits++] = (char)('0' + d->scale % 10);
    if (plain[0] == '0') {
        start++;
        bytes--;
    }
    if (digits <= bytes)
        return digits;
    memcpy(p, start, bytes);
    return bytes;
}

/* --- items ---------------------------------------------------------------------------------- */

/* The price of one, where quantity times it is the amount without rounding. */
static bool price_of(const struct charge_item *item, struct decimal *price)
{
    struct decimal product, amount = money_decimal(item->amount);
    return decimal_mul(&item->rate, &item->multiplier, price) &&
           decimal_mul(&item->quantity, price, &product) && decimal_cmp(&product, &amount) == 0;
}

static void item_add(struct row_items *items, const struct charge_item *item,
                     const struct facts *facts)
{
    char by_price[DECIMAL_TEXT_MAX], by_amount[DECIMAL_TEXT_MAX];
    enum fact column = column_of(item->unit);
    struct decimal price, amount = money_decimal(item->amount), counted = DECIMAL_ZERO;
    size_t amount_bytes = number_put(by_amount, &amount), price_bytes = SIZE_MAX;
    char *p = items->text + items->bytes;
    MUST(item->unit < UNIT_COUNT, item->unit);
    if (price_of(item, &price))
        price_bytes = number_put(by_price, &price);
    if (column != FACT_COUNT)
        counted = count_of(facts, column);
    if (items->bytes)
        *p++ = ' ';
    *p++ = unit_info[item->unit].code;
    if (column == FACT_COUNT || decimal_cmp(&counted, &item->quantity) != 0)
        p += number_put(p, &item->quantity);
    bool short_price = price_bytes <= amount_bytes;
    *p++ = short_price ? 'x' : '=';
    memcpy(p, short_price ? by_price : by_amount, short_price ? price_bytes : amount_bytes);
    p += short_price ? price_bytes : amount_bytes;
    items->bytes = (size_t)(p - items->text);
    MUST(items->bytes <= sizeof(items->text), items->bytes);
}

/* Of a side: how many items of the rest there are, and the last one. */
struct side {
    const struct charge_item *rest;
    size_t rests;
    struct decimal left; /* tokens that the other items do not count */
    bool known;          /* left is */
};

static struct side side_of(const struct charge *charge, const struct facts *facts,
                           enum cost_side which)
{
    struct side side = {.left = count_of(facts, rest_of[which].whole), .known = true};
    for (size_t i = 0; i < charge->item_count; i++) {
        const struct charge_item *item = &charge->item[i];
        struct decimal less = item->quantity;
        if (unit_info[item->unit].side != which)
            continue;
        if (item->unit == rest_of[which].unit) {
            side.rest = item;
            side.rests++;
        } else if (unit_is_tokens(item->unit)) {
            less.negative = less.coef != 0 && !less.negative;
            side.known = side.known && decimal_add(&side.left, &less, &side.left);
        }
    }
    return side;
}

static bool is_positive(const struct decimal *d)
{
    return !d->negative && d->coef != 0;
}

/* What need not be said: the one item that is what is left. */
static const struct charge_item *rest_take(struct row_items *items, const struct side *side,
                                           enum unit unit)
{
    bool left = !side->known || is_positive(&side->left);
    if (side->rests == 1 && side->known && left &&
        decimal_cmp(&side->rest->quantity, &side->left) == 0)
        return side->rest;
    if (side->rests == 0 && left) {
        if (items->bytes)
            items->text[items->bytes++] = ' ';
        items->text[items->bytes++] = unit_info[unit].code;
        items->text[items->bytes++] = '-';
        MUST(items->bytes <= sizeof(items->text), items->bytes);
    }
    return NULL;
}

static bool is_stated(const struct charge *charge)
{
    if (charge->item_count != 1 || charge->item[0].unit != UNIT_STATED_COST)
        return false;
    struct decimal amount = money_decimal(charge->item[0].amount);
    return decimal_cmp(&charge->item[0].quantity, &amount) == 0;
}

/* Whether NULL would be read as other items. */
static bool is_said(const struct charge *charge, const struct row_items *items)
{
    return charge->status == CHARGE_PRICED     ? items->bytes != 0
           : charge->status == CHARGE_REPORTED ? !is_stated(charge)
                                               : charge->item_count != 0;
}

void row_items_of(const struct charge *charge, const struct facts *facts, struct row_items *items)
{
    const struct charge_item *left_out[2];
    items->bytes = 0;
    MUST(charge->item_count <= CHARGE_ITEMS_MAX, charge->item_count);
    for (int which = SIDE_INPUT; which <= SIDE_OUTPUT; which++) {
        struct side side = side_of(charge, facts, (enum cost_side)which);
        left_out[which] = rest_take(items, &side, rest_of[which].unit);
    }
    for (size_t i = 0; i < charge->item_count; i++)
        if (&charge->item[i] != left_out[0] && &charge->item[i] != left_out[1])
            item_add(items, &charge->item[i], facts);
    items->there = charge->has_spend && is_said(charge, items);
}
