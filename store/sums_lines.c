/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups into lines. Where end users are nearly as many as rows, their groups are folded into those
 * of label, day and status alone; where that does not help either they are left out, and the other
 * lines of their rows say so. A batch that is not small has no more lines than rows.
 */
#include "core/must.h"
#include "store/numeric.h"
#include "store/row_fields.h"
#include "store/sums_impl.h"

#define COARSE_FROM 2048 /* rows; smaller batches of few days have as many lines as they like */
#define MANY_DAYS 3      /* from as many on it is a backfill */
#define MANY_ROWS 256    /* not what came late in a batch of a few */

#define PIECE_BYTES (8u << 20) /* of lines; wide ones repeat their words */

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

/* Groups that come to something, with any of these bits. */
static size_t groups_about(const struct sums *sums, unsigned about)
{
    size_t count = 0;
    for (size_t i = 0; i < sums->group_count; i++)
        count += (sums->group[i].key.about & about) && sums->group[i].calls > 0;
    return count;
}

/* The group that tells only label, day and status of an end user's apart: calls without a price are
 * counted by their status. */
static struct group_key label_alone(const struct group_key *fine)
{
    return (struct group_key){.day = fine->day,
                              .slot = SLOT_NONE,
                              .about = ABOUT_END_USER | ABOUT_LABEL_ALONE,
                              .status = fine->status,
                              .label = fine->label};
}

static bool is_fine(const struct sums_group *group)
{
    return group->key.about & ABOUT_END_USER && !(group->key.about & ABOUT_LABEL_ALONE);
}

/* Each of the first `count` groups that is of an end user goes into such a one; false: out of
 * memory. */
static bool labels_into(struct sums *sums, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t into;
        if (!is_fine(&sums->group[i]) || sums->group[i].calls == 0)
            continue;
        const struct group_key key = label_alone(&sums->group[i].key);
        if (!sums_group_of(sums, &key, &into))
            return false;
        MUST(into >= count && into < sums->group_count, into, count, sums->group_count);
        sums->group[into].calls += sums->group[i].calls;
        sums->group[i].into = into;
        sums->group[i].calls = 0;
    }
    return true;
}

static void leave_labels_out(struct sums *sums)
{
    for (size_t i = 0; i < sums->group_count; i++)
        if (sums->group[i].key.about & ABOUT_END_USER) {
            sums->group[i].calls = 0;
            sums->group[i].into = GROUP_NONE;
        }
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
    if (many && too_many(sums)) {
        if (!labels_into(sums, sums->group_count))
            return false;
        if (too_many(sums))
            leave_labels_out(sums);
        MUST(sums->untold || groups_about(sums, ABOUT_ALL) <= sums->rows_counted,
             sums->rows_counted);
    }
    return sums_add_up(sums);
}

/* --- a line --------------------------------------------------------------------------------- */

#define LINE_ROOM 1280 /* of a line but for its label and words */

_Static_assert(2 + WIDE_COLUMNS * 12 + (4 + PARTS + 2) * (4 + NUMERIC_SUM_BYTES_MAX) + 64 <
                   LINE_ROOM,
               "numbers, and two words");

static char *put_int2(char *p, unsigned v)
{
    return put_be16(put_be32(p, 2), (uint16_t)v);
}

/* NULL where it goes without saying: all, or none. */
static char *put_count(char *p, int64_t count, int64_t all)
{
    MUST(count >= 0 && count <= INT32_MAX, count, all);
    return count && count != all ? field_int4(p, (uint32_t)count) : field_null(p);
}

static char *put_deep(char *p, const struct deep_sum *sum, unsigned least)
{
    size_t bytes = numeric_encode_sum(p + 4, sum->sum, sum->deep, least);
    return put_be32(p, (uint32_t)bytes) + bytes;
}

static char *put_money(char *p, bool present, struct sum sum)
{
    const struct deep_sum deep = {sum, 0};
    return present ? put_deep(p, &deep, MONEY_SCALE) : field_null(p);
}

static char *put_side(char *p, struct sum sum)
{
    return put_money(p, sum.units != 0 || sum.atto != 0, sum);
}

/* What fits of *left, which it is less by. */
static char *put_whole(char *p, bool present, i128 *left)
{
    i128 part = *left > INT64_MAX ? INT64_MAX : *left < INT64_MIN ? INT64_MIN : *left;
    *left -= part;
    return present ? field_int8(p, (uint64_t)(int64_t)part) : field_null(p);
}

static char *put_numbers(char *p, const struct row_words *words, const struct group_key *key)
{
    const struct words_table *call = &words->table[WORDS_CALL],
                             *caller = &words->table[WORDS_CALLER];
    MUST(key->call < call->count, key->call, call->count);
    MUST(key->caller < caller->count, key->caller, caller->count);
    p = field_int8(p, (uint64_t)call->entry[key->call].number);
    return field_int8(p, (uint64_t)caller->entry[key->caller].number);
}

static char *put_key(char *p, const struct sums *sums, const struct row_words *words,
                     const struct group_key *key)
{
    const int32_t days_1970_to_2000 = 10957;
    const char *reason = reason_info[key->reason].name;
    MUST(key->label <= sums->text_count, key->label, sums->text_count);
    MUST(key->status < CHARGE_STATUS_COUNT, key->status);
    p = field_int4(p, (uint32_t)(key->day - days_1970_to_2000));
    p = key->slot == SLOT_NONE ? field_null(p) : put_int2(p, key->slot);
    p = put_int2(p, sums->untold ? key->about : key->about & ~(unsigned)ABOUT_UNTOLD);
    if (words)
        p = put_numbers(p, words, key);
    p = field_word(p, charge_status_name[key->status]);
    p = reason && reason[0] ? field_word(p, reason) : field_null(p);
    return key->label ? field_text(p, sums->text[key->label - 1].text) : field_null(p);
}

/* What a line is made of: the counts of `figures`, and what is left of the wholes, as far as it
 * fits. */
struct line {
    const struct sums_figures *figures;
    int64_t calls;
    bool meter;
    i128 left[TOKENS + 1];
};

static char *put_counts(char *p, const struct line *line)
{
    const struct sums_figures *f = line->figures;
    MUST(line->calls >= 0 && line->calls <= INT32_MAX, line->calls);
    p = field_int4(p, line->meter ? 0 : (uint32_t)line->calls); /* entries: each is a row */
    p = put_count(p, f->spent, line->calls);
    p = put_count(p, f->gateway_calls, line->calls);
    for (size_t t = 0; t < TOKENS; t++)
        p = put_count(p, f->token_calls[t], line->calls);
    p = put_count(p, f->timed_calls, line->calls);
    p = put_count(p, f->differing, 0);
    return put_count(p, f->by_clock, 0);
}

static char *put_figures(char *p, struct line *line)
{
    const struct sums_figures *f = line->figures;
    p = put_money(p, line->meter || f->spent, f->spend);
    for (int s = 0; s < 3; s++)
        p = put_side(p, f->side[s]);
    for (int part = 0; part < PARTS; part++)
        p = put_side(p, f->part[part]);
    p = f->gateway_calls ? put_deep(p, &f->gateway, 0) : field_null(p);
    p = line->meter ? put_deep(p, &f->quantity, 0) : field_null(p);
    for (size_t t = 0; t < TOKENS; t++)
        p = put_whole(p, f->token_calls[t] || line->left[t], &line->left[t]);
    return put_whole(p, f->timed_calls || line->left[TOKENS], &line->left[TOKENS]);
}

static char *put_words(char *p, const struct sums *sums, const struct group_key *key)
{
    MUST(key->words <= sums->text_count, key->words, sums->text_count);
    if (key->words) {
        struct slice words = sums->text[key->words - 1].text;
        memcpy(p, words.p, words.bytes);
        return p + words.bytes;
    }
    for (int i = 0; i < WIDE_COLUMNS - LEAN_COLUMNS + 2; i++)
        p = field_null(p);
    return p;
}

static bool any_left(const i128 left[TOKENS + 1])
{
    for (size_t i = 0; i <= TOKENS; i++)
        if (left[i] != 0)
            return true;
    return false;
}

static size_t room_for(const struct sums *sums, const struct group_key *key)
{
    return LINE_ROOM + (key->label ? sums->text[key->label - 1].text.bytes : 0) +
           (key->words ? sums->text[key->words - 1].text.bytes : 0);
}

static bool add_line(const struct sums *sums, const struct row_words *words, struct buf *copy,
                     const struct group_key *key, struct line *line)
{
    const size_t room = room_for(sums, key);
    char *first = buf_reserve(copy, room), *p = first;
    if (!p)
        return false;
    p = put_be16(p, words ? LEAN_COLUMNS : WIDE_COLUMNS);
    p = put_key(p, sums, words, key);
    p = put_counts(p, line);
    p = put_figures(p, line);
    if (!words)
        p = put_words(p, sums, key);
    MUST((size_t)(p - first) <= room, p - first, room);
    copy->bytes += (size_t)(p - first);
    return true;
}

/* As many lines as it takes: tokens beyond 64 bits go on in another one, without calls. */
static size_t add_lines(const struct sums *sums, const struct row_words *words, struct buf *copy,
                        size_t number)
{
    static const struct sums_figures nothing;
    const struct sums_group *group = &sums->group[number];
    const struct sums_figures *f = &sums->figures[group->figures];
    struct line line = {
        .figures = f, .calls = group->calls, .meter = group->key.about & ABOUT_METER};
    size_t lines = 0;
    MUST(group->figures < sums->figures_count, group->figures, sums->figures_count);
    MUST(group->calls > 0 && f->spent <= group->calls, group->calls, f->spent);
    memcpy(line.left, f->tokens, sizeof(f->tokens));
    line.left[TOKENS] = f->duration_us;
    do {
        if (!add_line(sums, words, copy, &group->key, &line))
            break;
        line.figures = &nothing;
        line.calls = 0;
        lines++;
    } while (any_left(line.left));
    return lines;
}

static bool is_wide(const struct group_key *key)
{
    return key->words || key->about & ABOUT_LABEL_ALONE;
}

bool sums_encode(const struct sums *sums, const struct row_words *words, bool wide,
                 struct buf *copy, size_t *from, size_t *lines)
{
    *lines = 0;
    MUST(*from > 0 || calls_of_all(sums) == (int64_t)sums->rows_counted, calls_of_all(sums),
         sums->rows_counted);
    MUST(*from <= sums->group_count, *from, sums->group_count);
    for (; *from < sums->group_count && copy->bytes < PIECE_BYTES; ++*from)
        if (sums->group[*from].calls > 0 && is_wide(&sums->group[*from].key) == wide)
            *lines += add_lines(sums, wide ? NULL : words, copy, *from);
    return buf_ok(copy);
}
