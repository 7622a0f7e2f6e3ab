/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Realtime sessions (docs/pricing.md 8.5), LiteLLM 1.110.2: the usages of all answers together,
 * each clip of transcribed input by the model that was configured for it, seconds of translation
 * and of live sessions, single answers of live sessions by their own model. What a session reported
 * comes as rows of cells in FACT_SESSION_LOG, in the order of its events.
 */
#include "pricing/bill/call.h"

static struct use whole(const struct rate *rate)
{
    return (struct use){rate, NULL};
}

/* ---- the log -----------------------------------------------------------------------------------
 */

enum cell {
    CELL_TYPE,
    CELL_SUBTYPE,
    CELL_SECONDS,
    CELL_AUDIO, /* audio tokens of the input; seconds of input of a translation */
    CELL_TEXT,  /* text tokens of the input; seconds of output of a translation */
    CELL_OUTPUT,
    CELL_INPUT,
    CELL_CACHED,
    CELL_OUTPUT_AUDIO,
    CELL_ID,
    CELL_TRANSCRIBER,
    CELL_MODEL,
    CELL_COUNT,
};

struct log_row {
    struct slice cell[CELL_COUNT]; /* "" where the event says nothing */
};

static bool next_row(struct slice *log, struct log_row *row)
{
    if (log->bytes == 0)
        return false;
    struct slice text = slice_cut(log, ';');
    for (size_t i = 0; i < CELL_COUNT; i++) {
        row->cell[i] = slice_cut(&text, '|');
        if (slice_is(row->cell[i], "-"))
            row->cell[i] = SLICE("");
    }
    return true;
}

static bool is_type(const struct log_row *row, const char *type)
{
    return slice_is(row->cell[CELL_TYPE], type);
}

/* A count however JSON writes it (1e3, 1000.0). */
static bool read_count(struct slice cell, int64_t *count)
{
    struct err ignored = {0};
    struct decimal d;
    if (slice_count(cell, count))
        return true;
    if (!decimal_parse(cell, &d, &ignored) || d.negative)
        return false;
    for (; d.scale > 0 && d.coef % 10 == 0; d.scale--)
        d.coef /= 10;
    *count = (int64_t)d.coef;
    return d.scale == 0 && d.coef <= (u128)INT64_MAX;
}

/* 0 where the event says nothing; what it says and cannot be read is told. */
static int64_t count_of(struct call *call, const struct log_row *row, enum cell cell)
{
    int64_t count;
    if (read_count(row->cell[cell], &count))
        return count;
    call->unmeasured |= row->cell[cell].bytes > 0;
    return 0;
}

static bool number_of(const struct log_row *row, enum cell cell, struct decimal *number)
{
    struct err ignored = {0};
    return decimal_parse(row->cell[cell], number, &ignored) && !number->negative;
}

/* ---- transcribed input -------------------------------------------------------------------------
 */

/* The deployment's rates first, then the transcriber's. */
static const struct rate *clip_rate(const struct call *call, const struct rule *transcriber,
                                    enum rate_kind first, enum rate_kind second)
{
    const struct rule *tables[] = {call->plan->custom ? call->plan->override.entry : NULL,
                                   transcriber};
    for (size_t i = 0; i < 2; i++) {
        if (!tables[i])
            continue;
        const struct rate *rate = rule_rate(tables[i], first, VARIANT_PLAIN);
        if (!rate)
            rate = rule_rate(tables[i], second, VARIANT_PLAIN);
        if (rate)
            return rate;
    }
    return NULL;
}

static bool has_any(const struct log_row *row, const enum cell *cells, size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any |= row->cell[cells[i]].bytes > 0;
    return any;
}

static void bill_clip_seconds(struct call *call, const struct rule *by, const struct log_row *row)
{
    struct decimal seconds;
    if (number_of(row, CELL_SECONDS, &seconds))
        bill_add(&call->bill, UNIT_TRANSCRIPTION_SECONDS, &seconds,
                 whole(clip_rate(call, by, RATE_INPUT_SECOND, RATE_INPUT_SECOND)));
    else
        call->unmeasured = true;
}

/* Of an input that is stated as a whole all is audio: what was transcribed. LiteLLM bills no such
 * input. */
static void bill_clip(struct call *call, const struct rule *by, const struct log_row *row)
{
    static const enum cell counts[] = {CELL_AUDIO, CELL_TEXT, CELL_INPUT, CELL_OUTPUT};
    bool whole_input = !has_any(row, counts, 2);
    struct bill *bill = &call->bill;
    if (slice_is(row->cell[CELL_SUBTYPE], "duration")) {
        bill_clip_seconds(call, by, row);
        return;
    }
    if (whole_input && !merges(call)) {
        call->unmeasured |= row->cell[CELL_INPUT].bytes > 0;
        whole_input = false;
    }
    call->unmeasured |= !has_any(row, counts, 4);
    bill_rate(bill, UNIT_TRANSCRIPTION_AUDIO_TOKENS,
              count_of(call, row, whole_input ? CELL_INPUT : CELL_AUDIO),
              clip_rate(call, by, RATE_INPUT_AUDIO_TOKEN, RATE_INPUT));
    bill_rate(bill, UNIT_TRANSCRIPTION_TEXT_TOKENS, count_of(call, row, CELL_TEXT),
              clip_rate(call, by, RATE_INPUT, RATE_INPUT));
    bill_rate(bill, UNIT_TRANSCRIPTION_OUTPUT_TOKENS, count_of(call, row, CELL_OUTPUT),
              clip_rate(call, by, RATE_OUTPUT, RATE_OUTPUT));
}

/* The model of the first event that configures the session, for clips without a transcriber. */
static const struct rule *fallback_rule(const struct call *call)
{
    struct slice log = facts_text(call->facts, FACT_SESSION_LOG);
    struct log_row row;
    while (next_row(&log, &row)) {
        bool configures = is_type(&row, "session.created") || is_type(&row, "session.updated") ||
                          slice_starts(row.cell[CELL_TYPE], SLICE("transcription_session."));
        const struct named_rule *named =
            configures ? named_rule_find(call->plan->answerers, call->plan->answerer_count,
                                         row.cell[CELL_MODEL])
                       : NULL;
        if (configures && row.cell[CELL_MODEL].bytes)
            return named ? named->rule : NULL;
    }
    return call->plan->named;
}

static void bill_clips(struct call *call)
{
    struct slice log = facts_text(call->facts, FACT_SESSION_LOG);
    const struct rule *by = fallback_rule(call);
    struct log_row row;
    while (next_row(&log, &row)) {
        const struct named_rule *configured = named_rule_find(
            call->plan->transcribers, call->plan->transcriber_count, row.cell[CELL_TRANSCRIBER]);
        if (configured)
            by = configured->rule;
        if (is_type(&row, "conversation.item.input_audio_transcription.completed"))
            bill_clip(call, by, &row);
    }
}

/* Rows of version 0.1.0 have sums instead of a log. */
static void bill_transcription_sums(struct call *call)
{
    const struct facts *facts = call->facts;
    const struct rule *by = call->plan->transcription;
    const struct decimal *seconds = facts_decimal(facts, FACT_TRANSCRIPTION_SECONDS);
    struct bill *bill = &call->bill;
    if (seconds)
        bill_add(bill, UNIT_TRANSCRIPTION_SECONDS, seconds,
                 whole(clip_rate(call, by, RATE_INPUT_SECOND, RATE_INPUT_SECOND)));
    bill_rate(bill, UNIT_TRANSCRIPTION_AUDIO_TOKENS,
              facts_int(facts, FACT_TRANSCRIPTION_AUDIO_TOKENS),
              clip_rate(call, by, RATE_INPUT_AUDIO_TOKEN, RATE_INPUT));
    bill_rate(bill, UNIT_TRANSCRIPTION_TEXT_TOKENS,
              facts_int(facts, FACT_TRANSCRIPTION_TEXT_TOKENS),
              clip_rate(call, by, RATE_INPUT, RATE_INPUT));
    bill_rate(bill, UNIT_TRANSCRIPTION_OUTPUT_TOKENS,
              facts_int(facts, FACT_TRANSCRIPTION_OUTPUT_TOKENS),
              clip_rate(call, by, RATE_OUTPUT, RATE_OUTPUT));
}

/* ---- seconds -----------------------------------------------------------------------------------
 */

/* The first of the session's rules that has such a rate; `names_first`: what the session says of
 * itself comes last. */
static const struct rate *session_rate(const struct call *call, enum rate_kind kind,
                                       bool names_first)
{
    size_t count = call->plan->session_count;
    for (size_t i = 0; i < count; i++) {
        size_t at = names_first ? count - 1 - i : i;
        if (names_first && count == 3)
            at = i == 0 ? 0 : 3 - i;
        const struct rate *rate = rule_rate(call->plan->session[at], kind, VARIANT_PLAIN);
        if (rate)
            return rate;
    }
    return NULL;
}

static void bill_translation(struct call *call, const struct log_row *closed)
{
    struct decimal seconds;
    if (number_of(closed, CELL_AUDIO, &seconds))
        bill_add(&call->bill, UNIT_TRANSLATED_SECONDS, &seconds,
                 whole(session_rate(call, RATE_INPUT_SECOND, true)));
    if (number_of(closed, CELL_TEXT, &seconds) && session_rate(call, RATE_OUTPUT_SECOND, true))
        bill_add(&call->bill, UNIT_TRANSLATED_SECONDS, &seconds,
                 whole(session_rate(call, RATE_OUTPUT_SECOND, true)));
}

/* What a live session says of its length. */
struct live {
    bool started, closed, seen, has_closed_seconds;
    struct decimal reported, closed_seconds; /* the last of each */
};

static struct live live_of(const struct call *call)
{
    struct slice log = facts_text(call->facts, FACT_SESSION_LOG);
    struct live live = {.started = false};
    struct log_row row;
    while (next_row(&log, &row)) {
        bool updated = is_type(&row, "session.usage.updated");
        bool closed = is_type(&row, "session.closed");
        live.started |= is_type(&row, "session.started");
        live.closed |= closed;
        live.seen |= updated || closed || live.started;
        if (updated)
            number_of(&row, CELL_SECONDS, &live.reported);
        if (closed && number_of(&row, CELL_SECONDS, &live.closed_seconds))
            live.has_closed_seconds = true;
    }
    return live;
}

/* A session that was closed says how long it was; one that only started was as long as the call. */
static void bill_live_seconds(struct call *call)
{
    struct live live = live_of(call);
    struct decimal seconds = live.has_closed_seconds ? live.closed_seconds : live.reported, wall;
    if (!live.seen)
        return;
    if (!live.has_closed_seconds && live.started && !live.closed && call_seconds(call, &wall) &&
        decimal_cmp(&wall, &seconds) > 0)
        seconds = wall;
    const struct rate *rate = session_rate(call, RATE_INPUT_SECOND, false);
    if (rate)
        bill_add(&call->bill, UNIT_SESSION_SECONDS, &seconds, whole(rate));
}

/* xAI bills the time a session is open. */
static void bill_open_seconds(struct call *call)
{
    const struct rate *rate = session_rate(call, RATE_INPUT_SECOND, false);
    struct decimal seconds;
    if (provider_has(call->plan->provider, TRAIT_LIVE_BY_SECOND) && rate &&
        call_seconds(call, &seconds))
        bill_add(&call->bill, UNIT_SESSION_SECONDS, &seconds, whole(rate));
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static bool prices_tokens(const struct rule *rule)
{
    return rule_prices_tokens(rule) || rule_rate(rule, RATE_INPUT, VARIANT_PLAIN) ||
           rule_rate(rule, RATE_INPUT_AUDIO_TOKEN, VARIANT_PLAIN);
}

static void bill_usage(struct call *call, const struct facts *facts, const struct rule *rule)
{
    struct generic_options options = {
        .variant = VARIANT_PLAIN,
        .inclusive = provider_has(call->plan->provider, TRAIT_INCLUSIVE_BANDS)};
    struct usage usage;
    call->bill.multiplier = NULL;
    if (provider_has(call->plan->provider, TRAIT_RESIDENCY))
        uplift_residency(call, rule);
    usage_read(facts, &usage);
    generic_add(call, rule, &usage, &options);
}

/* The first rule under which the session costs anything, or that prices anything at all. A price
 * per second alone leaves the tokens unbilled. */
static void bill_session(struct call *call)
{
    bool used = false;
    for (size_t i = 0; i < call->plan->session_count; i++) {
        const struct rule *rule = call->plan->session[i];
        bool timed = rule_rate(rule, RATE_INPUT_SECOND, VARIANT_PLAIN) && !prices_tokens(rule);
        bill_start(&call->bill, call->bill.charge);
        if (!timed)
            bill_usage(call, call->facts, rule);
        used |= call->bill.used;
        if (bill_total(&call->bill).atto > 0 || rule->prices_something) {
            call->bill.charge->rule = rule->name;
            break;
        }
    }
    call->bill.multiplier = NULL;
    call->bill.used |= used;
}

static bool was_seen(struct slice log, const char *end, struct slice id)
{
    struct log_row row;
    while (log.bytes && log.p < end && next_row(&log, &row))
        if (log.p <= end && slice_eq(row.cell[CELL_ID], id))
            return true;
    return false;
}

static bool is_finished(const struct log_row *row)
{
    struct slice kind = row->cell[CELL_SUBTYPE];
    return is_type(row, "response.event") &&
           (slice_is(kind, "response.completed") || slice_is(kind, "response.failed") ||
            slice_is(kind, "response.incomplete"));
}

/* A live session's finished answer, which counts once however often it is told. */
static void bill_answer(struct call *call, const struct log_row *row)
{
    const struct named_rule *named =
        named_rule_find(call->plan->answerers, call->plan->answerer_count, row->cell[CELL_MODEL]);
    static const struct {
        enum cell cell;
        enum fact fact;
    } counts[] = {
        {CELL_INPUT, FACT_INPUT_TOKENS},       {CELL_OUTPUT, FACT_OUTPUT_TOKENS},
        {CELL_AUDIO, FACT_INPUT_AUDIO_TOKENS}, {CELL_TEXT, FACT_INPUT_TEXT_TOKENS},
        {CELL_CACHED, FACT_CACHE_READ_TOKENS}, {CELL_OUTPUT_AUDIO, FACT_OUTPUT_AUDIO_TOKENS},
    };
    struct facts facts = {.present = {0}};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        if (row->cell[counts[i].cell].bytes)
            facts_set_int(&facts, counts[i].fact, count_of(call, row, counts[i].cell));
    if (!named || !named->rule) {
        bill_rate(&call->bill, UNIT_INPUT_TEXT_TOKENS, facts_int(&facts, FACT_INPUT_TOKENS), NULL);
        bill_rate(&call->bill, UNIT_OUTPUT_TEXT_TOKENS, facts_int(&facts, FACT_OUTPUT_TOKENS),
                  NULL);
        return;
    }
    bill_usage(call, &facts, named->rule);
    call->bill.multiplier = NULL;
}

static void bill_log(struct call *call)
{
    struct slice all = facts_text(call->facts, FACT_SESSION_LOG), log = all;
    struct log_row row;
    const char *start = log.p;
    bill_clips(call);
    while (next_row(&log, &row)) {
        if (is_type(&row, "session.closed"))
            bill_translation(call, &row);
        if (is_finished(&row) && row.cell[CELL_ID].bytes &&
            !was_seen(all, start, row.cell[CELL_ID]))
            bill_answer(call, &row);
        start = log.p;
    }
    bill_live_seconds(call);
    bill_open_seconds(call);
}

enum outcome realtime_price(struct call *call)
{
    call->skips_extras = true;
    bill_session(call);
    call->bill.merges = true;
    if (facts_has(call->facts, FACT_SESSION_LOG))
        bill_log(call);
    else
        bill_transcription_sums(call);
    return call->plan->session_count || call->plan->transcription ? OUTCOME_PRICED
                                                                  : OUTCOME_UNMAPPED;
}
