/* SPDX-License-Identifier: Apache-2.0 */
/* Deciding whether parts stand inside their totals, and making the totals inclusive. */
#include "ingest/counts.h"

#include "ingest/number.h"
#include "ingest/provider.h"

static const struct {
    enum fact part, whole;
} part_table[] = {
    {FACT_CACHE_READ_TOKENS, FACT_INPUT_TOKENS},
    {FACT_CACHE_WRITE_TOKENS, FACT_INPUT_TOKENS},
    {FACT_INPUT_TEXT_TOKENS, FACT_INPUT_TOKENS},
    {FACT_INPUT_AUDIO_TOKENS, FACT_INPUT_TOKENS},
    {FACT_INPUT_IMAGE_TOKENS, FACT_INPUT_TOKENS},
    {FACT_INPUT_VIDEO_TOKENS, FACT_INPUT_TOKENS},
    {FACT_REASONING_TOKENS, FACT_OUTPUT_TOKENS},
    {FACT_OUTPUT_TEXT_TOKENS, FACT_OUTPUT_TOKENS},
    {FACT_OUTPUT_AUDIO_TOKENS, FACT_OUTPUT_TOKENS},
    {FACT_OUTPUT_IMAGE_TOKENS, FACT_OUTPUT_TOKENS},
    {FACT_OUTPUT_VIDEO_TOKENS, FACT_OUTPUT_TOKENS},
    {FACT_CACHE_READ_TEXT_TOKENS, FACT_CACHE_READ_TOKENS},
    {FACT_CACHE_READ_AUDIO_TOKENS, FACT_CACHE_READ_TOKENS},
    {FACT_CACHE_READ_IMAGE_TOKENS, FACT_CACHE_READ_TOKENS},
};

/* What was written to the cache, by how long it lives. */
static const enum fact lifetime_table[] = {
    FACT_CACHE_WRITE_5M_TOKENS,
    FACT_CACHE_WRITE_30M_TOKENS,
    FACT_CACHE_WRITE_1H_TOKENS,
    FACT_CACHE_WRITE_12H_TOKENS,
};
#define LIFETIMES (sizeof lifetime_table / sizeof lifetime_table[0])

/* --- sums ---------------------------------------------------------------------------------- */

static bool too_many(struct fault *fault, enum fact fact)
{
    *fault = (struct fault){
        REASON_BAD_NUMBER, fact_info[fact].name, "the sum exceeds 2^63-1", {NULL, 0}};
    return false;
}

/* Adds a part to a total that was stated without it. */
static bool include(struct facts *facts, enum fact whole, enum fact part, struct fault *fault)
{
    int64_t sum;
    if (!facts_has(facts, part))
        return true;
    if (__builtin_add_overflow(facts_int(facts, whole), facts_int(facts, part), &sum))
        return too_many(fault, whole);
    facts_set_int(facts, whole, sum);
    return true;
}

/* A cache write given only by its times to live. */
static bool cache_write_total(struct facts *facts, struct fault *fault)
{
    if (facts_has(facts, FACT_CACHE_WRITE_TOKENS))
        return true;
    for (size_t i = 0; i < LIFETIMES; i++)
        if (!include(facts, FACT_CACHE_WRITE_TOKENS, lifetime_table[i], fault))
            return false;
    return true;
}

/* The counts as the event states them; wide, so that no sum overflows. */
struct stated {
    i128 input, output, cache, reasoning;
    i128 total; /* 0: it states none, or has no input to compare it with */
};

static struct stated stated_of(const struct facts *facts)
{
    return (struct stated){
        .input = facts_int(facts, FACT_INPUT_TOKENS),
        .output = facts_int(facts, FACT_OUTPUT_TOKENS),
        .cache = (i128)facts_int(facts, FACT_CACHE_READ_TOKENS) +
                 facts_int(facts, FACT_CACHE_WRITE_TOKENS),
        .reasoning = facts_int(facts, FACT_REASONING_TOKENS),
        .total = facts_has(facts, FACT_INPUT_TOKENS) ? facts_int(facts, FACT_TOTAL_TOKENS) : 0,
    };
}

/* Whether the total is input, output and these parts beside them. */
static bool adds_up(const struct stated *s, bool cache, bool reasoning)
{
    return s->total ==
           s->input + s->output + (cache ? s->cache : 0) + (reasoning ? s->reasoning : 0);
}

/* --- which reading ------------------------------------------------------------------------- */

enum verdict { NUMBERS_SILENT, NUMBERS_INSIDE, NUMBERS_OUTSIDE };

/* A total without the cached tokens proves nothing: some emitters add up what they have stated. */
static enum verdict cache_numbers(const struct stated *s)
{
    if (s->cache > s->input)
        return NUMBERS_OUTSIDE;
    bool outside = adds_up(s, true, false) || adds_up(s, true, true);
    bool inside = adds_up(s, false, false) || adds_up(s, false, true);
    return s->total && outside && !inside ? NUMBERS_OUTSIDE : NUMBERS_SILENT;
}

static enum verdict reasoning_numbers(const struct stated *s, bool cache_outside)
{
    if (s->reasoning > s->output)
        return NUMBERS_OUTSIDE;
    bool outside = adds_up(s, false, true) || adds_up(s, cache_outside, true);
    bool inside = adds_up(s, false, false) || adds_up(s, cache_outside, false);
    return !s->total || outside == inside ? NUMBERS_SILENT
           : outside                      ? NUMBERS_OUTSIDE
                                          : NUMBERS_INSIDE;
}

/* The first entry that holds, among those that name an emitter or among the others. */
static const struct convention *convention_find(struct eval *eval, const struct conventions *list,
                                                bool emitter)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct convention *entry = &list->entry[i];
        if ((entry->emitter != NULL) == emitter && (!entry->when || cond_holds(eval, entry->when)))
            return entry;
    }
    return NULL;
}

/* `fits`: the part is not above its whole. */
static struct reading reading_choose(struct eval *eval, const struct conventions *list, bool fits,
                                     enum verdict verdict, const char **by)
{
    const struct convention *known = convention_find(eval, list, true);
    *by = known ? known->emitter : NULL;
    if (known && (fits || known->exclusive))
        return (struct reading){GROUND_EMITTER, known->exclusive};
    *by = NULL;
    if (verdict != NUMBERS_SILENT)
        return (struct reading){GROUND_NUMBERS, verdict == NUMBERS_OUTSIDE};
    const struct convention *declared = convention_find(eval, list, false);
    return (struct reading){GROUND_DECLARED, declared && declared->exclusive};
}

static struct reading cache_reading(struct eval *eval, const struct mapping *mapping,
                                    const struct stated *s)
{
    bool keeps = mapping->keeps_parts;
    if (s->cache == 0)
        return (struct reading){GROUND_NONE, false};
    return reading_choose(eval, &mapping->cache, keeps || s->cache <= s->input,
                          keeps ? NUMBERS_SILENT : cache_numbers(s), &eval->cache_by);
}

static struct reading reasoning_reading(struct eval *eval, const struct mapping *mapping,
                                        const struct stated *s, bool cache_outside)
{
    bool keeps = mapping->keeps_parts;
    if (s->reasoning == 0)
        return (struct reading){GROUND_NONE, false};
    return reading_choose(eval, &mapping->reasoning, keeps || s->reasoning <= s->output,
                          keeps ? NUMBERS_SILENT : reasoning_numbers(s, cache_outside),
                          &eval->reasoning_by);
}

/* --- thoughts that only the total knows ------------------------------------------------------ */

/* Of some providers' models the output is what the total leaves beside the input, unless the event
 * says of thoughts that they are something else. */
static bool thoughts_left(const struct stated *stated, const struct facts *facts,
                          struct reading *reading, int64_t *output)
{
    int64_t total = facts_int(facts, FACT_TOTAL_TOKENS);
    int64_t input = facts_int(facts, FACT_INPUT_TOKENS);
    if (!facts_has(facts, FACT_INPUT_TOKENS) || total <= input ||
        total - input <= facts_int(facts, FACT_OUTPUT_TOKENS) ||
        (stated->reasoning > 0 && total - input != stated->output + stated->reasoning) ||
        !provider_thinks_aside(facts_text(facts, FACT_PROVIDER), facts_text(facts, FACT_MODEL)))
        return false;
    *output = total - input;
    *reading = (struct reading){GROUND_NUMBERS, true};
    return true;
}

static void thoughts_include(const struct stated *stated, struct facts *facts,
                             struct reading *reading)
{
    int64_t output;
    if (!thoughts_left(stated, facts, reading, &output))
        return;
    if (facts_int(facts, FACT_REASONING_TOKENS) == 0)
        facts_set_int(facts, FACT_REASONING_TOKENS, output - facts_int(facts, FACT_OUTPUT_TOKENS));
    facts_set_int(facts, FACT_OUTPUT_TOKENS, output);
}

/* --- what remains odd ------------------------------------------------------------------------ */

static bool total_is_sum(const struct facts *facts)
{
    return !facts_has(facts, FACT_TOTAL_TOKENS) || !facts_has(facts, FACT_INPUT_TOKENS) ||
           facts_int(facts, FACT_TOTAL_TOKENS) ==
               (i128)facts_int(facts, FACT_INPUT_TOKENS) + facts_int(facts, FACT_OUTPUT_TOKENS);
}

enum { PART_READ = 1, PART_WRITE = 2, PART_REASONING = 4, PARTS_ALL = 7 };

/* Outside by nothing but the numbers: then the total has to say so too. */
static bool numbers_outside(struct reading reading)
{
    return reading.ground == GROUND_NUMBERS && reading.outside;
}

/* Whether there is a reading under which the stated total is right: it is input, output and the
 * parts of `must`, perhaps others. */
static bool total_explained(const struct stated *s, const struct facts *facts, unsigned must)
{
    i128 read = facts_int(facts, FACT_CACHE_READ_TOKENS);
    i128 sum = s->input + s->output, write = s->cache - read;
    if (s->total == 0 || total_is_sum(facts))
        return true;
    for (unsigned parts = 0; parts <= PARTS_ALL; parts++)
        if ((parts & must) == must && s->total == sum + (parts & PART_READ ? read : 0) +
                                                      (parts & PART_WRITE ? write : 0) +
                                                      (parts & PART_REASONING ? s->reasoning : 0))
            return true;
    return false;
}

/* An output of an event that states no input, and no total that says there was none: what was put
 * in is not known. */
static bool input_missing(const struct facts *facts)
{
    int64_t output = facts_int(facts, FACT_OUTPUT_TOKENS);
    return !facts_has(facts, FACT_INPUT_TOKENS) && output > 0 &&
           (!facts_has(facts, FACT_TOTAL_TOKENS) || facts_int(facts, FACT_TOTAL_TOKENS) > output);
}

/* Calls whose answer is tokens, by what mappings call them and by LiteLLM's own words. */
static bool answers_in_tokens(struct slice call_type)
{
    static const char *const words[] = {"chat",
                                        "chat_completion",
                                        "completion",
                                        "acompletion",
                                        "responses",
                                        "aresponses",
                                        "text_completion",
                                        "atext_completion",
                                        "anthropic_messages",
                                        "generate_content",
                                        "agenerate_content"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_is(call_type, words[i]))
            return true;
    return false;
}

/* An answer in tokens that says of none, and no total that says there was none. */
static bool output_missing(const struct facts *facts)
{
    int64_t input = facts_int(facts, FACT_INPUT_TOKENS);
    return !facts_has(facts, FACT_OUTPUT_TOKENS) && input > 0 &&
           answers_in_tokens(facts_text(facts, FACT_CALL_TYPE)) &&
           slice_is(facts_text(facts, FACT_STATUS), "success") &&
           !facts_int(facts, FACT_CACHE_HIT) && facts_int(facts, FACT_TOTAL_TOKENS) != input;
}

/* Kinds of tokens that one whole is made of; no token is of two. */
static const struct {
    enum fact whole, kind[4];
    size_t kinds;
} kinds_table[] = {
    {FACT_INPUT_TOKENS,
     {FACT_INPUT_TEXT_TOKENS, FACT_INPUT_AUDIO_TOKENS, FACT_INPUT_IMAGE_TOKENS,
      FACT_INPUT_VIDEO_TOKENS},
     4},
    {FACT_OUTPUT_TOKENS,
     {FACT_OUTPUT_TEXT_TOKENS, FACT_OUTPUT_AUDIO_TOKENS, FACT_OUTPUT_IMAGE_TOKENS,
      FACT_OUTPUT_VIDEO_TOKENS},
     4},
    {FACT_CACHE_READ_TOKENS,
     {FACT_CACHE_READ_TEXT_TOKENS, FACT_CACHE_READ_AUDIO_TOKENS, FACT_CACHE_READ_IMAGE_TOKENS},
     3},
};

static bool kinds_fit(const struct facts *facts)
{
    for (size_t i = 0; i < sizeof kinds_table / sizeof kinds_table[0]; i++) {
        i128 sum = 0;
        for (size_t k = 0; k < kinds_table[i].kinds; k++)
            sum += facts_int(facts, kinds_table[i].kind[k]);
        if (facts_has(facts, kinds_table[i].whole) && sum > facts_int(facts, kinds_table[i].whole))
            return false;
    }
    return true;
}

/* What is billed by the piece or by the second, whatever its tokens are. */
static bool input_by_piece(const struct facts *facts)
{
    return facts_int(facts, FACT_INPUT_IMAGES) > 0 || facts_has(facts, FACT_INPUT_AUDIO_SECONDS) ||
           facts_has(facts, FACT_INPUT_VIDEO_SECONDS);
}

/* Kinds and parts beside them that leave out some of the whole: what is billed kind by kind would
 * be billed without it. A text that is not stated is what the others leave. */
static bool kinds_cover(const struct facts *facts)
{
    i128 beside[] = {(i128)facts_int(facts, FACT_CACHE_READ_TOKENS) +
                         facts_int(facts, FACT_CACHE_WRITE_TOKENS),
                     facts_int(facts, FACT_REASONING_TOKENS)};
    bool by_piece[] = {input_by_piece(facts),
                       facts_int(facts, FACT_IMAGES) > 0 || facts_int(facts, FACT_VIDEOS) > 0};
    for (size_t i = 0; i < 2; i++) {
        i128 sum = beside[i];
        for (size_t k = 0; k < kinds_table[i].kinds; k++)
            sum += facts_int(facts, kinds_table[i].kind[k]);
        if (facts_int(facts, kinds_table[i].kind[0]) > 0 && !by_piece[i] &&
            sum < facts_int(facts, kinds_table[i].whole))
            return false;
    }
    return true;
}

static bool parts_fit(const struct facts *facts)
{
    for (size_t i = 0; i < sizeof part_table / sizeof part_table[0]; i++)
        if (facts_has(facts, part_table[i].whole) &&
            facts_int(facts, part_table[i].part) > facts_int(facts, part_table[i].whole))
            return false;
    return !facts_has(facts, FACT_INPUT_TOKENS) ||
           (i128)facts_int(facts, FACT_CACHE_READ_TOKENS) +
                   facts_int(facts, FACT_CACHE_WRITE_TOKENS) <=
               facts_int(facts, FACT_INPUT_TOKENS);
}

/* What has a lifetime that is not known here would be billed by another one. */
static bool lifetimes_add_up(const struct facts *facts)
{
    i128 sum = 0;
    bool any = false;
    for (size_t i = 0; i < LIFETIMES; i++) {
        sum += facts_int(facts, lifetime_table[i]);
        any |= facts_int(facts, lifetime_table[i]) > 0;
    }
    return !any || sum == facts_int(facts, FACT_CACHE_WRITE_TOKENS);
}

static bool cell_take(struct slice *row, i128 *sum)
{
    struct slice cell = slice_cut(row, ',');
    int64_t count;
    if (slice_is(cell, "-"))
        return true;
    if (number_count(cell, &count) != NUMBER_OK)
        return false;
    *sum += count;
    return true;
}

/* The requests of a batch job (pricing/bill/batch_job.c), which are there as a whole or not at all:
 * input and output of each, first of its cells, are the job's. */
static bool rows_add_up(const struct facts *facts)
{
    struct slice rows = facts_text(facts, FACT_BATCH_ROWS);
    i128 input = 0, output = 0;
    if (!facts_has(facts, FACT_BATCH_ROWS))
        return true;
    while (rows.bytes) {
        struct slice row = slice_cut(&rows, ';');
        if (!cell_take(&row, &input) || !cell_take(&row, &output))
            return false;
    }
    return input == facts_int(facts, FACT_INPUT_TOKENS) &&
           output == facts_int(facts, FACT_OUTPUT_TOKENS);
}

static bool counts_agree(const struct stated *stated, const struct facts *facts,
                         struct reading cache, struct reading reasoning)
{
    unsigned must = (numbers_outside(cache) ? PART_READ | PART_WRITE : 0) |
                    (numbers_outside(reasoning) ? PART_REASONING : 0);
    return parts_fit(facts) && kinds_fit(facts) && kinds_cover(facts) && !input_missing(facts) &&
           !output_missing(facts) && rows_add_up(facts) && total_explained(stated, facts, must);
}

bool counts_read(struct eval *eval, const struct mapping *mapping, struct event *event,
                 struct fault *fault)
{
    struct facts *facts = &event->facts;
    if (!cache_write_total(facts, fault))
        return false;
    struct stated stated = stated_of(facts);
    struct reading cache = cache_reading(eval, mapping, &stated);
    struct reading reasoning = reasoning_reading(eval, mapping, &stated, cache.outside);
    if (cache.outside && (!include(facts, FACT_INPUT_TOKENS, FACT_CACHE_READ_TOKENS, fault) ||
                          !include(facts, FACT_INPUT_TOKENS, FACT_CACHE_WRITE_TOKENS, fault)))
        return false;
    if (reasoning.outside && !include(facts, FACT_OUTPUT_TOKENS, FACT_REASONING_TOKENS, fault))
        return false;
    if (!mapping->keeps_parts)
        thoughts_include(&stated, facts, &reasoning);

    event->flags |= reading_flags(cache, READING_CACHE_BIT) |
                    reading_flags(reasoning, READING_REASONING_BIT) |
                    (total_is_sum(facts) ? 0 : FLAG_TOTAL_MISMATCH) |
                    (counts_agree(&stated, facts, cache, reasoning) ? 0 : FLAG_COUNTS_CONTRADICT) |
                    (lifetimes_add_up(facts) ? 0 : FLAG_UNREAD_USAGE);
    return true;
}
