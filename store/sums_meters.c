/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a row's items say. Cache reads, cache writes and reasoning are costs of the row's own line,
 * their tokens those of the row; text is what is left. All else are meters with lines of their own,
 * and so are tokens by which the items of a priced row are others than those of the row: few have
 * any. meters_of() in migrations/0078_items.sql does the same from what rows say of their items.
 */
#include "store/sums_impl.h"

#include "core/must.h"

/* Units whose tokens the row counts: a line of theirs is what is not as the row counts. */
enum base { BASE_CACHE_READ, BASE_CACHE_WRITE, BASE_REASONING, BASE_INPUT, BASE_OUTPUT, BASES };

static const struct {
    enum unit unit;
    enum fact fact;
} base_info[BASES] = {
    [BASE_CACHE_READ] = {UNIT_CACHE_READ_TOKENS, FACT_CACHE_READ_TOKENS},
    [BASE_CACHE_WRITE] = {UNIT_CACHE_WRITE_TOKENS, FACT_CACHE_WRITE_TOKENS},
    [BASE_REASONING] = {UNIT_OUTPUT_REASONING_TOKENS, FACT_REASONING_TOKENS},
    [BASE_INPUT] = {UNIT_INPUT_TEXT_TOKENS, FACT_INPUT_TOKENS},
    [BASE_OUTPUT] = {UNIT_OUTPUT_TEXT_TOKENS, FACT_OUTPUT_TOKENS},
};

_Static_assert((int)PARTS == (int)BASE_INPUT && (int)PART_CACHE_READ == (int)BASE_CACHE_READ &&
                   (int)PART_CACHE_WRITE == (int)BASE_CACHE_WRITE &&
                   (int)PART_REASONING == (int)BASE_REASONING,
               "the first bases are the parts");

/* The base in whose tokens of the row a unit is counted, within that of its side; BASES: in that of
 * the side alone. */
static enum base base_of(enum unit unit)
{
    switch (unit) {
    case UNIT_CACHE_READ_TOKENS:
    case UNIT_CACHE_READ_AUDIO_TOKENS:
    case UNIT_CACHE_READ_IMAGE_TOKENS:
        return BASE_CACHE_READ;
    case UNIT_CACHE_WRITE_TOKENS:
    case UNIT_CACHE_WRITE_1H_TOKENS:
    case UNIT_CACHE_WRITE_12H_TOKENS:
        return BASE_CACHE_WRITE;
    case UNIT_OUTPUT_REASONING_TOKENS:
        return BASE_REASONING;
    default:
        return BASES;
    }
}

static bool is_base(enum unit unit)
{
    return unit == UNIT_INPUT_TEXT_TOKENS || unit == UNIT_OUTPUT_TEXT_TOKENS ||
           unit == UNIT_CACHE_READ_TOKENS || unit == UNIT_CACHE_WRITE_TOKENS ||
           unit == UNIT_OUTPUT_REASONING_TOKENS;
}

/* By how much the items are other than the row: whole tokens, as nearly all are, stand apart. */
struct apart {
    i128 whole;
    struct deep_sum deep;
};

static void apart_add(struct apart *apart, const struct decimal *quantity)
{
    if (quantity->scale == 0 && quantity->coef <= INT64_MAX)
        apart->whole += quantity->negative ? -(i128)quantity->coef : (i128)quantity->coef;
    else
        deep_add(&apart->deep, quantity);
}

static struct decimal negated(struct decimal d)
{
    d.negative = d.coef != 0 && !d.negative;
    return d;
}

static bool is_zero(const struct deep_sum *sum)
{
    return sum->sum.units == 0 && sum->sum.atto == 0 && sum->deep == 0;
}

static bool meter_add(struct sums *sums, struct group_key key, enum unit unit,
                      const struct deep_sum *quantity, struct money amount, struct sums_row *row)
{
    void *meters = sums->meter;
    MUST(unit < UNIT_COUNT, unit);
    if (!sums_grow(&meters, sums->meter_count, &sums->meter_capacity, sizeof(*sums->meter)))
        return false;
    sums->meter = meters;
    if (!sums->unit_text[unit] &&
        !sums_text_of(sums, slice_of(unit_info[unit].name), &sums->unit_text[unit]))
        return false;
    struct sums_meter *meter = &sums->meter[sums->meter_count];
    *meter = (struct sums_meter){.quantity = *quantity, .amount = amount};
    key.about = ABOUT_METER;
    key.reason = REASON_NONE;
    key.label = sums->unit_text[unit];
    if (!sums_group_of(sums, &key, &meter->group))
        return false;
    sums->meter_count++;
    row->meters++;
    return true;
}

static bool apart_take(struct sums *sums, const struct group_key *key, enum unit unit,
                       struct apart *apart, struct sums_row *row)
{
    if (apart->whole != 0) {
        bool negative = apart->whole < 0;
        u128 size = negative ? -(u128)apart->whole : (u128)apart->whole;
        deep_add(&apart->deep, &(struct decimal){size, 0, negative});
    }
    return is_zero(&apart->deep) ||
           meter_add(sums, *key, unit, &apart->deep, (struct money){0}, row);
}

/* An item; `apart`: by how many tokens the items are others than those of the row. */
static bool item_take(struct sums *sums, const struct charge_item *item,
                      const struct group_key *key, struct apart apart[BASES], struct sums_row *row)
{
    struct deep_sum quantity = {0};
    enum base base = base_of(item->unit);
    if (unit_is_tokens(item->unit) && unit_info[item->unit].side != SIDE_OTHER)
        apart_add(&apart[unit_info[item->unit].side == SIDE_INPUT ? BASE_INPUT : BASE_OUTPUT],
                  &item->quantity);
    if (base != BASES)
        apart_add(&apart[base], &item->quantity);
    if (base != BASES && base_info[base].unit == item->unit)
        sum_add_money(&row->part[base], item->amount);
    if (is_base(item->unit))
        return true;
    deep_add(&quantity, &item->quantity);
    if (item->unit != UNIT_STATED_COST)
        return meter_add(sums, *key, item->unit, &quantity, item->amount, row);
    struct decimal stated = negated(money_decimal(item->amount));
    deep_add(&quantity, &stated); /* what is left of the side, as quantity and amount */
    return is_zero(&quantity) ||
           meter_add(sums, *key, item->unit, &quantity, (struct money){0}, row);
}

bool sums_meters_of(struct sums *sums, const struct event *event, const struct charge *charge,
                    const struct group_key *key, struct sums_row *row)
{
    struct apart apart[BASES] = {0};
    row->first_meter = sums->meter_count;
    row->meters = 0;
    memset(row->part, 0, sizeof(row->part));
    if (!charge->has_spend)
        return true;
    for (size_t i = 0; i < charge->item_count; i++)
        if (!item_take(sums, &charge->item[i], key, apart, row))
            return false;
    for (int b = 0; charge->status == CHARGE_PRICED && b < BASES; b++) {
        apart[b].whole -= facts_int(&event->facts, base_info[b].fact);
        if (!apart_take(sums, key, base_info[b].unit, &apart[b], row))
            return false;
    }
    MUST(row->meters <= CHARGE_ITEMS_MAX + BASES, row->meters);
    return true;
}
