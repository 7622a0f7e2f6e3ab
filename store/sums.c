/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts are kept once and known by numbers, so a group's key is a few numbers. A row belongs to one
 * group of level `all`, to one per tag, and to one for its end user; and to those of what is to be
 * looked at. Which columns a level tells apart is the table below.
 *
 * Where a batch has nearly as many groups by label as it has rows, these are folded into coarser
 * ones, and the lines say so.
 */
#include "store/sums.h"

#include "core/clock.h"
#include "core/hash.h"
#include "store/copy.h"
#include "store/numeric.h"

#include <assert.h>
#include <stdlib.h>

#define SLOT_US (INT64_C(900) * 1000000)
#define SLOT_NONE UINT8_MAX
#define COARSE_FROM 2048 /* groups of a level; a smaller batch may have as many as it likes */
#define DEEP_SCALE DECIMAL_SCALE_MAX
#define DEEP_DIGITS (DEEP_SCALE - MONEY_SCALE)

enum level { LEVEL_ALL, LEVEL_TAG, LEVEL_END_USER, LEVEL_DRIFT, LEVEL_OPEN, LEVEL_DOUBT, LEVELS };

static const char *const level_name[LEVELS] = {
    [LEVEL_ALL] = "all",     [LEVEL_TAG] = "tag",   [LEVEL_END_USER] = "end_user",
    [LEVEL_DRIFT] = "drift", [LEVEL_OPEN] = "open", [LEVEL_DOUBT] = "doubt"};

enum key {
    KEY_LABEL,
    KEY_PROVIDER,
    KEY_MODEL,
    KEY_MODEL_GROUP,
    KEY_API_KEY,
    KEY_API_KEY_ALIAS,
    KEY_USER,
    KEY_TEAM,
    KEY_TEAM_ALIAS,
    KEY_ORGANIZATION,
    KEY_CALL_TYPE,
    KEY_STATUS,
    KEY_PRICING_STATUS,
    KEY_PRICING_REASON,
    KEYS
};

#define BIT(n) (1u << (n))
#define BY_LABEL                                                                                   \
    (BIT(KEY_LABEL) | BIT(KEY_PROVIDER) | BIT(KEY_MODEL) | BIT(KEY_MODEL_GROUP) |                  \
     BIT(KEY_API_KEY) | BIT(KEY_TEAM) | BIT(KEY_STATUS) | BIT(KEY_PRICING_STATUS))

/* The columns of a level, and whether it tells quarters of an hour apart. */
static const struct {
    unsigned keys;
    bool slots;
} level_info[LEVELS] = {
    [LEVEL_ALL] = {(BIT(KEYS) - 1) & ~(BIT(KEY_LABEL) | BIT(KEY_PRICING_REASON)), true},
    [LEVEL_TAG] = {BY_LABEL, true},
    [LEVEL_END_USER] = {BY_LABEL, true},
    [LEVEL_DRIFT] = {BIT(KEY_PROVIDER) | BIT(KEY_MODEL), false},
    [LEVEL_OPEN] = {BIT(KEY_PROVIDER) | BIT(KEY_MODEL) | BIT(KEY_PRICING_STATUS) |
                        BIT(KEY_PRICING_REASON),
                    false},
    [LEVEL_DOUBT] = {BIT(KEY_PROVIDER) | BIT(KEY_MODEL) | BIT(KEY_PRICING_STATUS), false},
};

const char sums_columns[] =
    "day, slot, level, coarse, label, provider, model, model_group, api_key, api_key_alias,"
    " user_id, team_id, team_alias, organization_id, call_type, status, pricing_status,"
    " pricing_reason, entries, calls, spent, costed, gateway_calls, input_calls, output_calls,"
    " cache_read_calls, cache_write_calls, reasoning_calls, timed_calls, differing, by_clock,"
    " spend, input_cost, output_cost, other_cost, gateway_cost, input_tokens, output_tokens,"
    " cache_read_tokens, cache_write_tokens, reasoning_tokens, duration_us";
#define COLUMNS 42

static const enum fact token_fact[] = {FACT_INPUT_TOKENS, FACT_OUTPUT_TOKENS,
                                       FACT_CACHE_READ_TOKENS, FACT_CACHE_WRITE_TOKENS,
                                       FACT_REASONING_TOKENS};
#define TOKENS (sizeof(token_fact) / sizeof(token_fact[0]))

struct sums_text {
    struct slice text;
    uint64_t hash;
};

struct group_key {
    int32_t day;
    uint8_t slot, level, coarse, unused;
    uint32_t text[KEYS];
};

/* Whole units, then 18 decimals, then the 22 that a gateway's figure may have beyond. */
struct deep_sum {
    struct sum sum;
    i128 deep; /* 10^-40 */
};

struct sums_group {
    struct group_key key;
    uint64_t hash;
    int64_t calls, spent, gateway_calls, token_calls[TOKENS], timed_calls, differing, by_clock;
    struct sum spend, side[3];
    struct deep_sum gateway;
    i128 tokens[TOKENS], duration_us;
};

struct sums_row {
    uint32_t first_member, member_count;
    bool has_spend, has_gateway, timed, differing, by_clock;
    uint8_t tokens_present; /* bits of token_fact */
    struct money spend, side[3];
    struct decimal gateway;
    int64_t tokens[TOKENS], duration_us;
};

/* --- life ----------------------------------------------------------------------------------- */

void sums_init(struct sums *sums, size_t ceiling_bytes)
{
    memset(sums, 0, sizeof(*sums));
    arena_init(&sums->texts, ceiling_bytes);
}

void sums_reset(struct sums *sums)
{
    arena_reset(&sums->texts);
    sums->text_count = sums->group_count = sums->row_count = sums->member_count = 0;
    if (sums->text_slots)
        memset(sums->text_slot, 0, sums->text_slots * sizeof(*sums->text_slot));
    if (sums->group_slots)
        memset(sums->group_slot, 0, sums->group_slots * sizeof(*sums->group_slot));
}

void sums_free(struct sums *sums)
{
    arena_free(&sums->texts);
    free(sums->text);
    free(sums->text_slot);
    free(sums->group);
    free(sums->group_slot);
    free(sums->row);
    free(sums->member);
}

/* Room for one more element. */
static bool grow(void **items, size_t count, size_t *capacity, size_t item_bytes)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * 2 : 256;
    void *larger = wanted < UINT32_MAX ? realloc(*items, wanted * item_bytes) : NULL;
    if (!larger)
        return false;
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
    while (slot[at])
        at = (at + 1) & (slots - 1);
    slot[at] = index + 1;
}

/* At least half of the table stays free. */
static bool table_fits(const struct sums *sums, uint32_t **slot, size_t *slots, size_t count,
                       hash_at_fn *hash_at)
{
    if (count < *slots / 2)
        return true;
    size_t wanted = *slots ? *slots * 2 : 1024;
    uint32_t *larger = calloc(wanted, sizeof(*larger));
    if (!larger)
        return false;
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
    if (!grow(&texts, sums->text_count, &sums->text_capacity, sizeof(*sums->text)))
        return false;
    sums->text = texts;
    struct sums_text kept = {arena_slice(&sums->texts, text), hash};
    if (text.bytes && !kept.text.p)
        return false;
    if (!table_fits(sums, &sums->text_slot, &sums->text_slots, sums->text_count, text_hash_at))
        return false;
    sums->text[sums->text_count] = kept;
    place(sums->text_slot, sums->text_slots, hash, (uint32_t)sums->text_count++);
    return true;
}

static bool text_number(struct sums *sums, struct slice text, uint32_t *number)
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
    return true;
}

static bool group_new(struct sums *sums, const struct group_key *key, uint64_t hash)
{
    void *groups = sums->group;
    if (!grow(&groups, sums->group_count, &sums->group_capacity, sizeof(*sums->group)))
        return false;
    sums->group = groups;
    if (!table_fits(sums, &sums->group_slot, &sums->group_slots, sums->group_count, group_hash_at))
        return false;
    sums->group[sums->group_count] = (struct sums_group){.key = *key, .hash = hash};
    place(sums->group_slot, sums->group_slots, hash, (uint32_t)sums->group_count++);
    return true;
}

static bool group_number(struct sums *sums, const struct group_key *key, uint32_t *number)
{
    uint64_t hash = hash_xxh64((struct slice){(const char *)key, sizeof(*key)});
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

/* --- a row is taken down -------------------------------------------------------------------- */

static bool keys_of(struct sums *sums, const struct event *event, const struct charge *charge,
                    uint32_t number[KEYS])
{
    const struct facts *facts = &event->facts;
    const struct labels *labels = &event->labels;
    const char *reason = reason_info[charge->reason].name;
    const struct slice text[KEYS] = {
        [KEY_LABEL] = SLICE(""),
        [KEY_PROVIDER] = facts_text(facts, FACT_PROVIDER),
        [KEY_MODEL] = facts_text(facts, FACT_MODEL),
        [KEY_MODEL_GROUP] = facts_text(facts, FACT_MODEL_GROUP),
        [KEY_API_KEY] = labels_text(labels, LABEL_API_KEY),
        [KEY_API_KEY_ALIAS] = labels_text(labels, LABEL_API_KEY_ALIAS),
        [KEY_USER] = labels_text(labels, LABEL_USER),
        [KEY_TEAM] = labels_text(labels, LABEL_TEAM),
        [KEY_TEAM_ALIAS] = labels_text(labels, LABEL_TEAM_ALIAS),
        [KEY_ORGANIZATION] = labels_text(labels, LABEL_ORG),
        [KEY_CALL_TYPE] = facts_text(facts, FACT_CALL_TYPE),
        [KEY_STATUS] = facts_text(facts, FACT_STATUS),
        [KEY_PRICING_STATUS] = slice_of(charge_status_name[charge->status]),
        [KEY_PRICING_REASON] = slice_of(reason ? reason : ""),
    };
    for (int k = 0; k < KEYS; k++)
        if (!text_number(sums, text[k], &number[k]))
            return false;
    return true;
}

static bool member_add(struct sums *sums, const uint32_t number[KEYS], enum level level,
                       uint32_t label, int64_t start_us)
{
    struct group_key key = {.day = (int32_t)clock_day_of(start_us), .level = (uint8_t)level};
    uint32_t group;
    void *members = sums->member;
    key.slot = level_info[level].slots ? (uint8_t)((start_us - key.day * CLOCK_DAY_US) / SLOT_US)
                                       : SLOT_NONE;
    for (int k = 0; k < KEYS; k++)
        key.text[k] = level_info[level].keys & BIT(k) ? number[k] : number[KEY_LABEL];
    if (level_info[level].keys & BIT(KEY_LABEL))
        key.text[KEY_LABEL] = label;
    if (!group_number(sums, &key, &group) ||
        !grow(&members, sums->member_count, &sums->member_capacity, sizeof(*sums->member)))
        return false;
    sums->member = members;
    sums->member[sums->member_count++] = group;
    return true;
}

/* A tag that is named twice counts twice, as the row's array says. */
static bool labels_add(struct sums *sums, const struct event *event, const uint32_t number[KEYS],
                       int64_t start_us)
{
    const struct labels *labels = &event->labels;
    const struct tags *tags = labels_has(labels, LABEL_TAGS) ? labels->v[LABEL_TAGS].t : NULL;
    struct slice end_user = labels_text(labels, LABEL_END_USER);
    uint32_t label;
    for (size_t i = 0; tags && i < tags->count; i++)
        if (!text_number(sums, tags->tag[i], &label) ||
            !member_add(sums, number, LEVEL_TAG, label, start_us))
            return false;
    return end_user.bytes == 0 || (text_number(sums, end_user, &label) &&
                                   member_add(sums, number, LEVEL_END_USER, label, start_us));
}

/* Without a price of ours: the condition of the view unpriced_models. */
static bool is_open(const struct charge *charge)
{
    return charge->status == CHARGE_UNPRICED ||
           (charge->status == CHARGE_REPORTED &&
            (charge->reason == REASON_UNKNOWN_MODEL || charge->reason == REASON_NO_RATE ||
             charge->reason == REASON_RATE_MISSING || charge->reason == REASON_UNKNOWN_PRICE_KEY));
}

static bool is_compared(const struct event *event, const struct charge *charge)
{
    return facts_has(&event->facts, FACT_GATEWAY_COST) &&
           (charge->status == CHARGE_PRICED || charge->status == CHARGE_FREE);
}

static bool members_of(struct sums *sums, const struct event *event, const struct charge *charge)
{
    int64_t start_us = event->facts.v[FACT_STARTED_AT].i;
    const struct {
        enum level level;
        bool is;
    } member[] = {{LEVEL_ALL, true},
                  {LEVEL_DRIFT, is_compared(event, charge)},
                  {LEVEL_OPEN, is_open(charge)},
                  {LEVEL_DOUBT, ((event->flags | charge->flags) & flags_of_doubt) != 0}};
    uint32_t number[KEYS];
    if (!keys_of(sums, event, charge, number))
        return false;
    for (size_t i = 0; i < sizeof(member) / sizeof(member[0]); i++)
        if (member[i].is && !member_add(sums, number, member[i].level, number[KEY_LABEL], start_us))
            return false;
    return labels_add(sums, event, number, start_us);
}

static void figures_of(struct sums_row *row, const struct event *event, const struct charge *charge)
{
    const struct facts *facts = &event->facts;
    const struct decimal *gateway = facts_decimal(facts, FACT_GATEWAY_COST);
    row->has_spend = charge->has_spend;
    row->spend = charge->spend;
    memcpy(row->side, charge->side, sizeof(row->side));
    row->has_gateway = gateway != NULL;
    row->gateway = gateway ? *gateway : DECIMAL_ZERO;
    struct decimal spend = money_decimal(charge->spend);
    row->differing = charge->has_spend && gateway && decimal_cmp(&spend, gateway) != 0;
    row->by_clock = (charge->flags & FLAG_SECONDS_OF_GATEWAY) != 0;
    row->tokens_present = 0;
    for (size_t t = 0; t < TOKENS; t++) {
        row->tokens[t] = facts_int(facts, token_fact[t]);
        row->tokens_present |= (uint8_t)(facts_has(facts, token_fact[t]) << t);
    }
    row->timed = facts_has(facts, FACT_ENDED_AT);
    row->duration_us =
        row->timed ? facts_int(facts, FACT_ENDED_AT) - facts_int(facts, FACT_STARTED_AT) : 0;
}

bool sums_take(struct sums *sums, const struct event *event, const struct charge *charge,
               unsigned *number)
{
    void *rows = sums->row;
    size_t first = sums->member_count;
    if (!grow(&rows, sums->row_count, &sums->row_capacity, sizeof(*sums->row)))
        return false;
    sums->row = rows;
    if (!members_of(sums, event, charge)) {
        sums->member_count = first;
        return false;
    }
    *number = (unsigned)sums->row_count;
    struct sums_row *row = &sums->row[sums->row_count++];
    figures_of(row, event, charge);
    row->first_member = (uint32_t)first;
    row->member_count = (uint32_t)(sums->member_count - first);
    return true;
}

/* --- counting ------------------------------------------------------------------------------- */

void sums_begin(struct sums *sums)
{
    size_t kept = 0;
    while (kept < sums->group_count && sums->group[kept].key.coarse == 0)
        kept++;
    if (kept < sums->group_count) { /* what an earlier try folded */
        sums->group_count = kept;
        memset(sums->group_slot, 0, sums->group_slots * sizeof(*sums->group_slot));
        for (size_t i = 0; i < kept; i++)
            place(sums->group_slot, sums->group_slots, sums->group[i].hash, (uint32_t)i);
    }
    for (size_t i = 0; i < kept; i++)
        sums->group[i] =
            (struct sums_group){.key = sums->group[i].key, .hash = sums->group[i].hash};
}

static u128 power_of_ten(unsigned exponent)
{
    u128 power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

/* Cut into three parts of a fixed place each, none of which can overflow before 10^15 of them. */
static void deep_add(struct deep_sum *to, const struct decimal *d)
{
    u128 atto = d->coef, deep = 0;
    struct sum parts = {0};
    if (d->scale > MONEY_SCALE) {
        u128 beyond = power_of_ten(d->scale - MONEY_SCALE);
        atto = d->coef / beyond;
        deep = d->coef % beyond * power_of_ten(DEEP_SCALE - d->scale);
        parts = sum_of((struct money){(i128)atto});
    } else {
        u128 whole = power_of_ten(d->scale);
        parts.units = (i128)(d->coef / whole);
        parts.atto = (i128)(d->coef % whole * power_of_ten(MONEY_SCALE - d->scale));
    }
    if (d->negative)
        parts = (struct sum){-parts.units, -parts.atto};
    sum_add(&to->sum, parts);
    to->deep += d->negative ? -(i128)deep : (i128)deep;
}

static void group_count(struct sums_group *group, const struct sums_row *row)
{
    group->calls++;
    if (row->has_spend) {
        group->spent++;
        sum_add_money(&group->spend, row->spend);
        for (int s = 0; s < 3; s++)
            sum_add_money(&group->side[s], row->side[s]);
    }
    if (row->has_gateway) {
        group->gateway_calls++;
        deep_add(&group->gateway, &row->gateway);
    }
    for (size_t t = 0; t < TOKENS; t++) {
        group->token_calls[t] += row->tokens_present >> t & 1;
        group->tokens[t] += row->tokens[t];
    }
    group->timed_calls += row->timed;
    group->duration_us += row->duration_us;
    if (group->key.level == LEVEL_DRIFT) {
        group->differing += row->differing;
        group->by_clock += row->by_clock;
    }
}

void sums_count(struct sums *sums, unsigned number)
{
    const struct sums_row *row = &sums->row[number];
    for (uint32_t i = 0; i < row->member_count; i++)
        group_count(&sums->group[sums->member[row->first_member + i]], row);
}

/* --- coarser -------------------------------------------------------------------------------- */

static void group_merge(struct sums_group *to, const struct sums_group *from)
{
    to->calls += from->calls;
    to->spent += from->spent;
    to->gateway_calls += from->gateway_calls;
    to->timed_calls += from->timed_calls;
    to->differing += from->differing;
    to->by_clock += from->by_clock;
    sum_add(&to->spend, from->spend);
    for (int s = 0; s < 3; s++)
        sum_add(&to->side[s], from->side[s]);
    sum_add(&to->gateway.sum, from->gateway.sum);
    to->gateway.deep += from->gateway.deep;
    for (size_t t = 0; t < TOKENS; t++) {
        to->token_calls[t] += from->token_calls[t];
        to->tokens[t] += from->tokens[t];
    }
    to->duration_us += from->duration_us;
}

static size_t groups_of(const struct sums *sums, enum level level, unsigned coarse)
{
    size_t count = 0;
    for (size_t i = 0; i < sums->group_count; i++)
        count += sums->group[i].key.level == level && sums->group[i].key.coarse == coarse &&
                 sums->group[i].calls > 0;
    return count;
}

/* The groups of a level into those that tell only label and day apart (1), or the day alone (2). */
static bool fold(struct sums *sums, enum level level, unsigned coarse)
{
    size_t count = sums->group_count;
    uint32_t none, into;
    if (!text_number(sums, SLICE(""), &none))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct group_key key = sums->group[i].key;
        if (key.level != level || key.coarse != coarse - 1 || sums->group[i].calls == 0)
            continue;
        for (int k = 0; k < KEYS; k++)
            if (k != KEY_LABEL || coarse == 2)
                key.text[k] = none;
        key.slot = SLOT_NONE;
        key.coarse = (uint8_t)coarse;
        if (!group_number(sums, &key, &into))
            return false;
        group_merge(&sums->group[into], &sums->group[i]);
        sums->group[i].calls = 0;
    }
    return true;
}

static bool coarsen(struct sums *sums)
{
    static const enum level by_label[] = {LEVEL_TAG, LEVEL_END_USER};
    size_t rows = 0;
    for (size_t i = 0; i < sums->group_count; i++)
        rows += sums->group[i].key.level == LEVEL_ALL ? (size_t)sums->group[i].calls : 0;
    for (size_t l = 0; l < sizeof(by_label) / sizeof(by_label[0]); l++)
        for (unsigned coarse = 1; coarse <= 2; coarse++) {
            size_t groups = groups_of(sums, by_label[l], coarse - 1);
            if (groups > COARSE_FROM && groups > rows / 2 && !fold(sums, by_label[l], coarse))
                return false;
        }
    return true;
}

/* --- lines ---------------------------------------------------------------------------------- */

static void add_count(struct buf *copy, int64_t count)
{
    if (count)
        copy_add_int4(copy, (int32_t)count);
    else
        copy_add_null(copy);
}

static void add_deep(struct buf *copy, bool present, const struct deep_sum *sum, unsigned least)
{
    char numeric[NUMERIC_SUM_BYTES_MAX];
    if (!present) {
        copy_add_null(copy);
        return;
    }
    size_t bytes = numeric_encode_sum(numeric, sum->sum, sum->deep, least);
    copy_add_bytes(copy, (struct slice){numeric, bytes});
}

static void add_money(struct buf *copy, bool present, struct sum sum)
{
    const struct deep_sum deep = {sum, 0};
    add_deep(copy, present, &deep, MONEY_SCALE);
}

static void add_whole(struct buf *copy, bool present, i128 count)
{
    const struct deep_sum whole = {{count, 0}, 0};
    add_deep(copy, present, &whole, 0);
}

static void add_key(const struct sums *sums, struct buf *copy, const struct group_key *key)
{
    const int32_t days_1970_to_2000 = 10957;
    copy_add_int4(copy, key->day - days_1970_to_2000);
    if (key->slot == SLOT_NONE) {
        copy_add_null(copy);
    } else {
        buf_add_be32(copy, 2);
        buf_add_be16(copy, key->slot);
    }
    copy_add_text(copy, level_name[key->level]);
    buf_add_be32(copy, 2);
    buf_add_be16(copy, key->coarse);
    for (int k = 0; k < KEYS; k++)
        copy_add_bytes(copy, sums->text[key->text[k] - 1].text);
}

static void add_line(const struct sums *sums, struct buf *copy, const struct sums_group *g)
{
    buf_add_be16(copy, COLUMNS);
    add_key(sums, copy, &g->key);
    copy_add_int4(copy, (int32_t)g->calls); /* entries: each is a row */
    copy_add_int4(copy, (int32_t)g->calls);
    add_count(copy, g->spent);
    add_count(copy, g->spent); /* costed: the sides are there when the spend is */
    add_count(copy, g->gateway_calls);
    for (size_t t = 0; t < TOKENS; t++)
        add_count(copy, g->token_calls[t]);
    add_count(copy, g->timed_calls);
    add_count(copy, g->differing);
    add_count(copy, g->by_clock);
    add_money(copy, g->spent, g->spend);
    for (int s = 0; s < 3; s++)
        add_money(copy, g->spent, g->side[s]);
    add_deep(copy, g->gateway_calls, &g->gateway, 0);
    for (size_t t = 0; t < TOKENS; t++)
        add_whole(copy, g->token_calls[t], g->tokens[t]);
    add_whole(copy, g->timed_calls, g->duration_us);
}

bool sums_encode(struct sums *sums, struct buf *copy, size_t *lines)
{
    *lines = 0;
    if (!coarsen(sums))
        return false;
    for (size_t i = 0; i < sums->group_count; i++) {
        if (sums->group[i].calls == 0)
            continue;
        add_line(sums, copy, &sums->group[i]);
        ++*lines;
    }
    return buf_ok(copy);
}
