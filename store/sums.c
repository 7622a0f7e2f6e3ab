/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row belongs to one group, by the numbers of its words in the batch's dictionaries, and to one
 * for its end user. A wide row has no such numbers: its words are kept once, as COPY has them, and
 * known by a number of our own.
 */
#include "store/sums_impl.h"

#include "core/clock.h"
#include "core/must.h"
#include "store/copy.h"

#include <stdlib.h>

#define WORDS_ROOM (8u << 20) /* of one row: tags and labels end long before */

_Static_assert(SLOTS_OF_A_DAY *SLOT_US == CLOCK_DAY_US, "quarters of an hour");
_Static_assert(REASON_COUNT <= UINT8_MAX && CHARGE_STATUS_COUNT <= UINT8_MAX, "one byte each");

static const enum fact token_fact[TOKENS] = {FACT_INPUT_TOKENS, FACT_OUTPUT_TOKENS,
                                             FACT_CACHE_READ_TOKENS, FACT_CACHE_WRITE_TOKENS,
                                             FACT_REASONING_TOKENS};

/* --- life ----------------------------------------------------------------------------------- */

void sums_init(struct sums *sums, size_t ceiling_bytes)
{
    memset(sums, 0, sizeof(*sums));
    arena_init(&sums->texts, ceiling_bytes);
    buf_init(&sums->words, WORDS_ROOM);
}

void sums_reset(struct sums *sums)
{
    arena_reset(&sums->texts);
    sums->text_count = sums->group_count = sums->row_count = sums->meter_count = 0;
    memset(sums->unit_text, 0, sizeof(sums->unit_text));
    if (sums->text_slots)
        memset(sums->text_slot, 0, sums->text_slots * sizeof(*sums->text_slot));
    if (sums->group_slots)
        memset(sums->group_slot, 0, sums->group_slots * sizeof(*sums->group_slot));
}

void sums_free(struct sums *sums)
{
    arena_free(&sums->texts);
    buf_free(&sums->words);
    free(sums->text);
    free(sums->text_slot);
    free(sums->group);
    free(sums->group_slot);
    free(sums->figures);
    free(sums->counted);
    free(sums->row);
    free(sums->meter);
}

/* --- a row is taken down -------------------------------------------------------------------- */

static void add_word(struct buf *words, struct slice text)
{
    if (text.bytes)
        copy_add_bytes(words, text);
    else
        copy_add_null(words);
}

/* As PostgreSQL's binary form of text[] has it; NULL for none. */
static void add_tags(struct buf *words, const struct tags *tags)
{
    size_t bytes = 20;
    if (!tags || tags->count == 0) {
        copy_add_null(words);
        return;
    }
    for (size_t i = 0; i < tags->count; i++)
        bytes += 4 + tags->tag[i].bytes;
    buf_add_be32(words, (uint32_t)bytes);
    buf_add_be32(words, 1); /* dimensions */
    buf_add_be32(words, 0); /* no NULL inside */
    buf_add_be32(words, PG_TEXT);
    buf_add_be32(words, (uint32_t)tags->count);
    buf_add_be32(words, 1); /* lower bound */
    for (size_t i = 0; i < tags->count; i++)
        copy_add_bytes(words, tags->tag[i]);
}

/* In the order of sums_columns_wide. */
static bool words_of(struct sums *sums, const struct event *event, uint32_t *number)
{
    static const enum fact call[] = {FACT_PROVIDER, FACT_MODEL, FACT_MODEL_GROUP, FACT_CALL_TYPE,
                                     FACT_STATUS};
    static const enum label caller[] = {LABEL_API_KEY, LABEL_API_KEY_ALIAS, LABEL_USER,
                                        LABEL_TEAM,    LABEL_TEAM_ALIAS,    LABEL_ORG};
    const struct labels *labels = &event->labels;
    buf_reset(&sums->words);
    for (size_t i = 0; i < sizeof(call) / sizeof(call[0]); i++)
        add_word(&sums->words, facts_text(&event->facts, call[i]));
    for (size_t i = 0; i < sizeof(caller) / sizeof(caller[0]); i++)
        add_word(&sums->words, labels_text(labels, caller[i]));
    add_tags(&sums->words, labels_has(labels, LABEL_TAGS) ? labels->v[LABEL_TAGS].t : NULL);
    return buf_ok(&sums->words) && sums_text_of(sums, buf_slice(&sums->words), number);
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

static bool key_of(struct sums *sums, const struct event *event, const struct charge *charge,
                   const unsigned words[WORDS_COUNT], struct group_key *key)
{
    int64_t start_us = event->facts.v[FACT_STARTED_AT].i;
    bool doubtful = ((event->flags | charge->flags) & flags_of_doubt) != 0;
    *key = (struct group_key){.day = (int32_t)clock_day_of(start_us),
                              .status = (uint8_t)charge->status,
                              .reason = (uint8_t)charge->reason};
    int64_t within_us = start_us - key->day * CLOCK_DAY_US;
    MUST(within_us >= 0 && within_us < CLOCK_DAY_US, start_us, key->day);
    key->slot = (uint8_t)(within_us / SLOT_US);
    key->about = (uint8_t)(ABOUT_ALL | (is_compared(event, charge) ? ABOUT_DRIFT : 0) |
                           (is_open(charge) ? ABOUT_OPEN : 0) | (doubtful ? ABOUT_DOUBT : 0));
    if (!words)
        return words_of(sums, event, &key->words);
    key->call = words[WORDS_CALL];
    key->caller = words[WORDS_CALLER];
    return true;
}

static bool groups_of(struct sums *sums, const struct event *event, struct group_key key,
                      struct sums_row *row)
{
    struct slice end_user = labels_text(&event->labels, LABEL_END_USER);
    struct group_key of_user = key;
    row->end_user = GROUP_NONE;
    if (end_user.bytes == 0)
        return sums_group_of(sums, &key, &row->group);
    key.about |= ABOUT_UNTOLD;
    of_user.about = ABOUT_END_USER;
    of_user.reason = REASON_NONE;
    return sums_text_of(sums, end_user, &of_user.label) && sums_group_of(sums, &key, &row->group) &&
           sums_group_of(sums, &of_user, &row->end_user);
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
               const unsigned words[WORDS_COUNT], unsigned *number)
{
    void *rows = sums->row;
    struct group_key key;
    MUST(facts_has(&event->facts, FACT_STARTED_AT));
    if (!sums_grow(&rows, sums->row_count, &sums->row_capacity, sizeof(*sums->row)))
        return false;
    sums->row = rows;
    struct sums_row *row = &sums->row[sums->row_count];
    if (!key_of(sums, event, charge, words, &key) || !groups_of(sums, event, key, row) ||
        !sums_meters_of(sums, event, charge, &key, row))
        return false;
    MUST(row->group < sums->group_count, row->group, sums->group_count);
    MUST(row->end_user == GROUP_NONE || row->end_user < sums->group_count, row->end_user);
    figures_of(row, event, charge);
    *number = (unsigned)sums->row_count++;
    return true;
}

/* --- counting ------------------------------------------------------------------------------- */

bool sums_begin(struct sums *sums)
{
    size_t kept = 0;
    void *counted = sums->counted;
    while (kept < sums->group_count && !(sums->group[kept].key.about & ABOUT_LABEL_ALONE))
        kept++;
    sums_groups_keep(sums, kept); /* without what an earlier try folded */
    for (size_t i = 0; i < kept; i++) {
        sums->group[i].calls = 0;
        sums->group[i].into = (uint32_t)i;
    }
    sums->rows_counted = 0;
    sums->untold = false;
    while (sums->counted_capacity < sums->row_count) {
        if (!sums_grow(&counted, sums->counted_capacity, &sums->counted_capacity,
                       sizeof(*sums->counted)))
            return false;
        sums->counted = counted;
    }
    return true;
}

void sums_count(struct sums *sums, unsigned number)
{
    const struct sums_row *row = &sums->row[number];
    MUST(number < sums->row_count, number, sums->row_count);
    MUST(sums->rows_counted < sums->row_count, sums->rows_counted, sums->row_count); /* each once */
    sums->counted[sums->rows_counted++] = number;
    sums->group[row->group].calls++;
    if (row->end_user != GROUP_NONE)
        sums->group[row->end_user].calls++;
    for (size_t i = 0; i < row->meters; i++)
        sums->group[sums->meter[row->first_meter + i].group].calls++;
}

/* --- adding up ------------------------------------------------------------------------------ */

/* Figures at 0 for each group that comes to something. */
static bool figures_open(struct sums *sums)
{
    void *figures = sums->figures;
    size_t count = 0;
    for (size_t i = 0; i < sums->group_count; i++)
        if (sums->group[i].calls > 0)
            sums->group[i].figures = (uint32_t)count++;
    while (sums->figures_capacity < count) {
        if (!sums_grow(&figures, sums->figures_capacity, &sums->figures_capacity,
                       sizeof(*sums->figures)))
            return false;
        sums->figures = figures;
    }
    sums->figures_count = count;
    if (count)
        memset(sums->figures, 0, count * sizeof(*sums->figures));
    return true;
}

/* Where the rows of a group are added; NULL: nowhere. */
static struct sums_figures *figures_of_group(struct sums *sums, uint32_t number,
                                             const struct sums_group **of)
{
    MUST(number < sums->group_count, number, sums->group_count);
    uint32_t into = sums->group[number].into;
    if (into == GROUP_NONE)
        return NULL;
    MUST(into < sums->group_count, into, sums->group_count);
    *of = &sums->group[into];
    MUST((*of)->calls > 0 && (*of)->figures < sums->figures_count, (*of)->calls, (*of)->figures);
    return &sums->figures[(*of)->figures];
}

static void row_add(struct sums *sums, uint32_t number, const struct sums_row *row)
{
    const struct sums_group *of;
    struct sums_figures *to = figures_of_group(sums, number, &of);
    if (!to)
        return;
    if (row->has_spend) {
        to->spent++;
        sum_add_money(&to->spend, row->spend);
        for (int s = 0; s < 3; s++)
            sum_add_money(&to->side[s], row->side[s]);
        for (int p = 0; p < PARTS; p++)
            sum_add(&to->part[p], row->part[p]);
    }
    if (row->has_gateway) {
        to->gateway_calls++;
        deep_add(&to->gateway, &row->gateway);
    }
    for (size_t t = 0; t < TOKENS; t++) {
        to->token_calls[t] += row->tokens_present >> t & 1;
        to->tokens[t] += row->tokens[t];
    }
    to->timed_calls += row->timed;
    to->duration_us += row->duration_us;
    if (of->key.about & ABOUT_DRIFT) {
        to->differing += row->differing;
        to->by_clock += row->by_clock;
    }
    MUST(to->spent <= of->calls && to->gateway_calls <= of->calls, of->calls, to->spent,
         to->gateway_calls);
}

static void meter_count(struct sums *sums, const struct sums_meter *meter)
{
    const struct sums_group *of = NULL;
    struct sums_figures *to = figures_of_group(sums, meter->group, &of);
    MUST(to && of && of->key.about == ABOUT_METER, meter->group);
    sum_add_money(&to->spend, meter->amount);
    sum_add(&to->quantity.sum, meter->quantity.sum);
    to->quantity.deep += meter->quantity.deep;
}

bool sums_add_up(struct sums *sums)
{
    if (!figures_open(sums))
        return false;
    for (size_t i = 0; i < sums->rows_counted; i++) {
        const struct sums_row *row = &sums->row[sums->counted[i]];
        row_add(sums, row->group, row);
        if (row->end_user != GROUP_NONE)
            row_add(sums, row->end_user, row);
        for (size_t m = 0; m < row->meters; m++)
            meter_count(sums, &sums->meter[row->first_meter + m]);
    }
    return true;
}
