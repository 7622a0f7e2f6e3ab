/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups and texts of a batch, found by their content: open addressing, at most half full. And the
 * sums that figures of any scale are added to.
 */
#include "store/sums_impl.h"

#include "core/hash.h"
#include "core/must.h"
#include "core/shortage.h"

#include <stdlib.h>

#define DEEP_SCALE DECIMAL_SCALE_MAX

_Static_assert(sizeof(struct group_key) == 24, "a key is hashed as bytes");

bool sums_grow(void **items, size_t count, size_t *capacity, size_t item_bytes)
{
    MUST(count <= *capacity, count, *capacity);
    if (count < *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * 2 : 256;
    if (wanted >= UINT32_MAX)
        return false;
    void *larger = realloc(*items, wanted * item_bytes);
    if (!larger) {
        shortage_note();
        return false;
    }
    *items = larger;
    *capacity = wanted;
    return true;
}

/* --- hash tables ---------------------------------------------------------------------------- */

typedef uint64_t hash_at_fn(const struct sums *sums, size_t index);

static uint64_t text_hash_at(const struct sums *sums, size_t index)
{
    return sums->text[index].hash;
}

static uint64_t group_hash_at(const struct sums *sums, size_t index)
{
    return sums->group[index].hash;
}

static void place(uint32_t *slot, size_t slots, uint64_t hash, uint32_t index)
{
    size_t at = hash & (slots - 1);
    MUST((slots & (slots - 1)) == 0 && index < slots / 2, slots, index);
    while (slot[at])
        at = (at + 1) & (slots - 1);
    slot[at] = index + 1;
}

/* At least half of the table stays free. */
static bool table_fits(const struct sums *sums, uint32_t **slot, size_t *slots, size_t count,
                       hash_at_fn *hash_at)
{
    MUST(count <= *slots / 2, count, *slots);
    if (count < *slots / 2)
        return true;
    size_t wanted = *slots ? *slots * 2 : 1024;
    uint32_t *larger = calloc(wanted, sizeof(*larger));
    if (!larger) {
        shortage_note();
        return false;
    }
    for (size_t i = 0; i < count; i++)
        place(larger, wanted, hash_at(sums, i), (uint32_t)i);
    free(*slot);
    *slot = larger;
    *slots = wanted;
    return true;
}

static bool text_new(struct sums *sums, struct slice text, uint64_t hash)
{
    void *texts = sums->text;
    if (!sums_grow(&texts, sums->text_count, &sums->text_capacity, sizeof(*sums->text)))
        return false;
    sums->text = texts;
    struct sums_text kept = {arena_slice(&sums->texts, text), hash};
    if (text.bytes && !kept.text.p)
        return false;
    if (!table_fits(sums, &sums->text_slot, &sums->text_slots, sums->text_count, text_hash_at))
        return false;
    MUST(sums->text_count < sums->text_capacity, sums->text_count, sums->text_capacity);
    sums->text[sums->text_count] = kept;
    place(sums->text_slot, sums->text_slots, hash, (uint32_t)sums->text_count++);
    return true;
}

bool sums_text_of(struct sums *sums, struct slice text, uint32_t *number)
{
    uint64_t hash = hash_xxh64(text);
    size_t mask = sums->text_slots - 1;
    for (size_t at = hash & mask; sums->text_slots && sums->text_slot[at]; at = (at + 1) & mask) {
        const struct sums_text *known = &sums->text[sums->text_slot[at] - 1];
        if (known->hash == hash && slice_eq(known->text, text)) {
            *number = sums->text_slot[at];
            return true;
        }
    }
    if (!text_new(sums, text, hash))
        return false;
    *number = (uint32_t)sums->text_count;
    MUST(*number > 0 && sums->text[*number - 1].hash == hash, *number);
    return true;
}

static bool group_new(struct sums *sums, const struct group_key *key, uint64_t hash)
{
    void *groups = sums->group;
    if (!sums_grow(&groups, sums->group_count, &sums->group_capacity, sizeof(*sums->group)))
        return false;
    sums->group = groups;
    if (!table_fits(sums, &sums->group_slot, &sums->group_slots, sums->group_count, group_hash_at))
        return false;
    MUST(sums->group_count < sums->group_capacity, sums->group_count, sums->group_capacity);
    sums->group[sums->group_count] =
        (struct sums_group){.key = *key, .hash = hash, .into = (uint32_t)sums->group_count};
    place(sums->group_slot, sums->group_slots, hash, (uint32_t)sums->group_count++);
    return true;
}

bool sums_group_of(struct sums *sums, const struct group_key *key, uint32_t *number)
{
    uint64_t hash = hash_xxh64((struct slice){(const char *)key, sizeof(*key)});
    MUST(key->about != 0 && (key->slot < SLOTS_OF_A_DAY || key->slot == SLOT_NONE), key->about,
         key->slot);
    size_t mask = sums->group_slots - 1;
    for (size_t at = hash & mask; sums->group_slots && sums->group_slot[at]; at = (at + 1) & mask) {
        uint32_t index = sums->group_slot[at] - 1;
        if (memcmp(&sums->group[index].key, key, sizeof(*key)) == 0) {
            *number = index;
            return true;
        }
    }
    if (!group_new(sums, key, hash))
        return false;
    *number = (uint32_t)sums->group_count - 1;
    return true;
}

void sums_groups_keep(struct sums *sums, size_t kept)
{
    MUST(kept <= sums->group_count, kept, sums->group_count);
    if (kept == sums->group_count)
        return;
    sums->group_count = kept;
    memset(sums->group_slot, 0, sums->group_slots * sizeof(*sums->group_slot));
    for (size_t i = 0; i < kept; i++)
        place(sums->group_slot, sums->group_slots, sums->group[i].hash, (uint32_t)i);
}

/* --- sums of any scale ---------------------------------------------------------------------- */

/* 10^0 to 10^19, which 64 bits hold. */
#define NINE(e)                                                                                    \
    (e), (e)*10, (e)*100, (e)*1000, (e)*10000, (e)*100000, (e)*1000000, (e)*10000000, (e)*100000000
#define E9 UINT64_C(1000000000)

static const uint64_t power10[] = {NINE(UINT64_C(1)), NINE(E9), E9 *E9, E9 *E9 * 10};

static u128 power_of_ten(unsigned exponent)
{
    u128 power = 1;
    MUST(exponent <= DEEP_SCALE, exponent);
    for (; exponent > 19; exponent -= 19)
        power *= power10[19];
    return power * power10[exponent];
}

/* Of no more than 18 decimals. What most figures are, tokens and costs, fits 64 bits, where
 * dividing costs a tenth. */
static struct sum sum_of_decimal(const struct decimal *d)
{
    MUST(d->scale <= MONEY_SCALE, d->scale);
    uint64_t whole = power10[d->scale], part = power10[MONEY_SCALE - d->scale];
    if (d->coef > UINT64_MAX)
        return (struct sum){(i128)(d->coef / whole), (i128)(d->coef % whole * part)};
    uint64_t coef = (uint64_t)d->coef;
    return (struct sum){(i128)(coef / whole), (i128)(coef % whole * part)};
}

/* Cut into three parts of a fixed place each, none of which can overflow before 10^15 of them. */
void deep_add(struct deep_sum *to, const struct decimal *d)
{
    u128 deep = 0;
    struct sum parts;
    MUST(d->scale <= DEEP_SCALE, d->scale);
    if (d->scale > MONEY_SCALE) {
        u128 beyond = power_of_ten(d->scale - MONEY_SCALE);
        deep = d->coef % beyond * power_of_ten(DEEP_SCALE - d->scale);
        parts = sum_of((struct money){(i128)(d->coef / beyond)});
    } else {
        parts = sum_of_decimal(d);
    }
    if (d->negative)
        parts = (struct sum){-parts.units, -parts.atto};
    sum_add(&to->sum, parts);
    to->deep += d->negative ? -(i128)deep : (i128)deep;
}
