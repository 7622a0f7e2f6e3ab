/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups into lines. Where end users are nearly as many as rows, their groups are folded into those
 * of label and day alone; where that does not help either they are left out, and the other lines of
 * their rows say so. A batch that is not small has no more lines than rows.
 */
#include "core/must.h"
#include "store/copy.h"
#include "store/numeric.h"
#include "store/sums_impl.h"

#include <stdlib.h>

#define COARSE_FROM 2048 /* rows; smaller batches of few days have as many lines as they like */
#define MANY_DAYS 3      /* from as many on it is a backfill */
#define MANY_ROWS 256    /* not what came late in a batch of a few */

#define LEAN_COLUMNS 34
#define WIDE_COLUMNS (LEAN_COLUMNS - 2 + 12)
#define COLUMNS(numbers)                                                                           \
    "day, slot, about, " numbers "pricing_status, pricing_reason, label, entries, spent,"          \
    " gateway_calls, input_calls, output_calls, cache_read_calls, cache_write_calls,"              \
    " reasoning_calls, timed_calls, differing, by_clock, spend, input_cost, output_cost,"          \
    " other_cost, cache_read_cost, cache_write_cost, reasoning_cost, gateway_cost, quantity,"      \
    " input_tokens, output_tokens, cache_read_tokens,"                                             \
    " cache_write_tokens, reasoning_tokens, duration_us"

const char sums_columns_lean[] = COLUMNS("call_no, caller_no, ");
const char sums_columns_wide[] =
    COLUMNS("") ", provider, model, model_group, call_type, status, api_key, api_key_alias,"
                " user_id, team_id, team_alias, organization_id, request_tags";

/* --- coarser -------------------------------------------------------------------------------- */

static void group_merge(struct sums_group *to, const struct sums_group *from)
{
    MUST(to != from && to->key.day == from->key.day, to->key.day, from->key.day);
    to->calls += from->calls;
    to->spent += from->spent;
    to->gateway_calls += from->gateway_calls;
    to->timed_calls += from->timed_calls;
    to->differing += from->differing;
    to->by_clock += from->by_clock;
    sum_add(&to->spend, from->spend);
    for (int s = 0; s < 3; s++)
        sum_add(&to->side[s], from->side[s]);
    for (int p = 0; p < PARTS; p++)
        sum_add(&to->part[p], from->part[p]);
    sum_add(&to->gateway.sum, from->gateway.sum);
    to->gateway.deep += from->gateway.deep;
    for (size_t t = 0; t < TOKENS; t++) {
        to->token_calls[t] += from->token_calls[t];
        to->tokens[t] += from->tokens[t];
    }
    to->duration_us += from->duration_us;
}

/* Groups that come to something, with any of these bits. */
static size_t groups_about(const struct sums *sums, unsigned about)
{
    size_t count = 0;
    for (size_t i = 0; i < sums->group_count; i++)
        count += (sums->group[i].key.about & about) && sums->group[i].calls > 0;
    return count;
}

/* The groups of end users into those that tell only label and day apart. */
static bool fold_labels(struct sums *sums)
{
    size_t count = sums->group_count;
    uint32_t into;
    for (size_t i = 0; i < count; i++) {
        const struct group_key fine = sums->group[i].key;
        const struct group_key key = {.day = fine.day,
                                      .slot = SLOT_NONE,
                                      .about = ABOUT_END_USER | ABOUT_LABEL_ALONE,
                                      .status = STATUS_NONE,
                                      .label = fine.label};
        if (!(fine.about & ABOUT_END_USER) || sums->group[i].calls == 0)
            continue;
        if (!sums_group_of(sums, &key, &into))
            return false;
        MUST(into >= count && into < sums->group_count, into, count, sums->group_count);
        group_merge(&sums->group[into], &sums->group[i]);
        sums->group[i].calls = 0;
    }
    return true;
}

static void leave_labels_out(struct sums *sums)
{
    for (size_t i = 0; i < sums->group_count; i++)
        if (sums->group[i].key.about & ABOUT_END_USER)
            sums->group[i].calls = 0;
    sums->untold = true;
}

/* Each row that was counted is in one line of all. */
static int64_t calls_of_all(const struct sums *sums)
{
    int64_t calls = 0;
    for (size_t i = 0; i < sums->group_count; i++)
        calls += sums->group[i].key.about & ABOUT_ALL ? sums->group[i].calls : 0;
    return calls;
}

/* Up to MANY_DAYS. */
static unsigned days_of(const struct sums *sums)
{
    int32_t day[MANY_DAYS];
    unsigned days = 0;
    for (size_t i = 0; i < sums->group_count && days < MANY_DAYS; i++) {
        unsigned known = 0;
        while (known < days && day[known] != sums->group[i].key.day)
            known++;
        if (known == days && sums->group[i].calls > 0)
            day[days++] = sums->group[i].key.day;
    }
    return days;
}

static bool too_many(const struct sums *sums)
{
    size_t of_users = groups_about(sums, ABOUT_END_USER);
    return of_users > sums->rows_counted / 2 ||
           of_users + groups_about(sums, ABOUT_ALL) > sums->rows_counted;
}

bool sums_fold(struct sums *sums)
{
    MUST(sums->rows_counted <= sums->row_count, sums->rows_counted, sums->row_count);
    bool many = sums->rows_counted >= COARSE_FROM ||
                (sums->rows_counted >= MANY_ROWS && days_of(sums) == MANY_DAYS);
    if (!many || !too_many(sums))
        return true;
    if (!fold_labels(sums))
        return false;
    if (too_many(sums))
        leave_labels_out(sums);
    MUST(sums->untold || groups_about(sums, ABOUT_ALL) <= sums->rows_counted, sums->rows_counted);
    return true;
}

/* --- a line --------------------------------------------------------------------------------- */

static void add_int2(struct buf *copy, unsigned v)
{
    buf_add_be32(copy, 2);
    buf_add_be16(copy, (uint16_t)v);
}

/* NULL where it goes without saying: all, or none. */
static void add_count(struct buf *copy, int64_t count, int64_t all)
{
    MUST(count >= 0 && count <= INT32_MAX, count, all);
    if (count && count != all)
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

static void add_side(struct buf *copy, struct sum sum)
{
    add_money(copy, sum.units != 0 || sum.atto != 0, sum);
}

/* What fits of *left, which it is less by. */
static void add_whole(struct buf *copy, bool present, i128 *left)
{
    i128 part = *left > INT64_MAX ? INT64_MAX : *left < INT64_MIN ? INT64_MIN : *left;
    *left -= part;
    if (present)
        copy_add_int8(copy, (int64_t)part);
    else
        copy_add_null(copy);
}

static void add_key(const struct sums *sums, const struct row_words *words, struct buf *copy,
                    const struct group_key *key)
{
    const int32_t days_1970_to_2000 = 10957;
    unsigned about = sums->untold ? key->about : key->about & ~(unsigned)ABOUT_UNTOLD;
    const char *reason = reason_info[key->reason].name;
    MUST(key->label <= sums->text_count, key->label, sums->text_count);
    MUST(key->status < CHARGE_STATUS_COUNT || key->status == STATUS_NONE, key->status);
    copy_add_int4(copy, key->day - days_1970_to_2000);
    if (key->slot == SLOT_NONE)
        copy_add_null(copy);
    else
        add_int2(copy, key->slot);
    add_int2(copy, about);
    if (words) {
        MUST(key->call < words->table[WORDS_CALL].count, key->call, words->table[WORDS_CALL].count);
        MUST(key->caller < words->table[WORDS_CALLER].count, key->caller,
             words->table[WORDS_CALLER].count);
        copy_add_int8(copy, words->table[WORDS_CALL].entry[key->call].number);
        copy_add_int8(copy, words->table[WORDS_CALLER].entry[key->caller].number);
    }
    copy_add_text(copy, key->status == STATUS_NONE ? "" : charge_status_name[key->status]);
    if (reason && reason[0])
        copy_add_text(copy, reason);
    else
        copy_add_null(copy);
    if (key->label)
        copy_add_bytes(copy, sums->text[key->label - 1].text);
    else
        copy_add_null(copy);
}

/* The counts of `g`; what is left of its figures, as far as it fits. */
static void add_figures(struct buf *copy, const struct sums_group *g, i128 left[TOKENS + 1])
{
    bool meter = g->key.about & ABOUT_METER;
    MUST(g->calls >= 0 && g->calls <= INT32_MAX, g->calls);
    copy_add_int4(copy, meter ? 0 : (int32_t)g->calls); /* entries: each is a row */
    add_count(copy, g->spent, g->calls);
    add_count(copy, g->gateway_calls, g->calls);
    for (size_t t = 0; t < TOKENS; t++)
        add_count(copy, g->token_calls[t], g->calls);
    add_count(copy, g->timed_calls, g->calls);
    add_count(copy, g->differing, 0);
    add_count(copy, g->by_clock, 0);
    add_money(copy, meter || g->spent, g->spend);
    for (int s = 0; s < 3; s++)
        add_side(copy, g->side[s]);
    for (int p = 0; p < PARTS; p++)
        add_side(copy, g->part[p]);
    add_deep(copy, g->gateway_calls, &g->gateway, 0);
    add_deep(copy, meter, &g->quantity, 0);
    for (size_t t = 0; t < TOKENS; t++)
        add_whole(copy, g->token_calls[t] || left[t], &left[t]);
    add_whole(copy, g->timed_calls || left[TOKENS], &left[TOKENS]);
}

static void add_words(const struct sums *sums, struct buf *copy, const struct group_key *key)
{
    MUST(key->words <= sums->text_count, key->words, sums->text_count);
    if (key->words) {
        buf_add(copy, sums->text[key->words - 1].text);
        return;
    }
    for (int i = 0; i < WIDE_COLUMNS - LEAN_COLUMNS + 2; i++)
        copy_add_null(copy);
}

static bool any_left(const i128 left[TOKENS + 1])
{
    for (size_t i = 0; i <= TOKENS; i++)
        if (left[i] != 0)
            return true;
    return false;
}

/* As many lines as it takes: tokens beyond 64 bits go on in another one, without calls. */
static size_t add_lines(const struct sums *sums, const struct row_words *words, struct buf *copy,
                        const struct sums_group *g)
{
    struct sums_group rest = {.key = g->key};
    i128 left[TOKENS + 1];
    size_t lines = 0;
    MUST(g->calls > 0 && g->spent <= g->calls, g->calls, g->spent);
    memcpy(left, g->tokens, sizeof(g->tokens));
    left[TOKENS] = g->duration_us;
    do {
        buf_add_be16(copy, words ? LEAN_COLUMNS : WIDE_COLUMNS);
        add_key(sums, words, copy, &g->key);
        add_figures(copy, lines ? &rest : g, left);
        if (!words)
            add_words(sums, copy, &g->key);
        lines++;
    } while (any_left(left) && buf_ok(copy));
    return lines;
}

static bool is_wide(const struct group_key *key)
{
    return key->words || key->about & ABOUT_LABEL_ALONE;
}

bool sums_encode(const struct sums *sums, const struct row_words *words, bool wide,
                 struct buf *copy, size_t *lines)
{
    *lines = 0;
    MUST(calls_of_all(sums) == (int64_t)sums->rows_counted, calls_of_all(sums), sums->rows_counted);
    for (size_t i = 0; i < sums->group_count; i++)
        if (sums->group[i].calls > 0 && is_wide(&sums->group[i].key) == wide)
            *lines += add_lines(sums, wide ? NULL : words, copy, &sums->group[i]);
    return buf_ok(copy);
}
