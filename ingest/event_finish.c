/* SPDX-License-Identifier: Apache-2.0 */
/* The last steps of reading an event, the same for every format. */
#include "ingest/event_finish.h"

#include "ingest/counts.h"
#include "ingest/identity.h"
#include "ingest/provider.h"
#include "ingest/secrecy.h"
#include "ingest/unread.h"

#include <strings.h>

/* --- times --------------------------------------------------------------------------------- */

#define SECONDS_MAX 10000000000 /* three centuries: durations beyond are not believed */

/* Seconds to microseconds, half up; false when negative or absurd. */
static bool seconds_us(const struct decimal *seconds, int64_t *us)
{
    static const struct decimal limit = {SECONDS_MAX, 0, false};
    if (seconds->negative || decimal_cmp(seconds, &limit) > 0)
        return false;
    u128 v = seconds->coef;
    unsigned scale = seconds->scale;
    for (; scale > 7; scale--)
        v /= 10;
    for (; scale < 7; scale++)
        v *= 10;
    *us = (int64_t)((v + 5) / 10);
    return true;
}

static void label_drop(struct labels *labels, enum label label)
{
    labels->present &= ~(UINT64_C(1) << label);
}

/* A label of seconds between two times, if it makes sense. */
static void seconds_set(struct eval *eval, struct event *event, enum label label, int64_t us)
{
    struct decimal *d = arena_alloc(eval->batch, sizeof *d);
    if (!d)
        return;
    *d = decimal_from_int(us);
    d->scale = 6;
    while (d->scale > 0 && d->coef % 10 == 0) {
        d->coef /= 10;
        d->scale--;
    }
    event_set(event, label_field(label), (union value){.d = d});
}

/* Duration in microseconds, to which it is rounded, or -1; one that is negative is dropped, not
 * repaired. */
static int64_t duration_take(struct eval *eval, struct event *event)
{
    int64_t us;
    if (!labels_has(&event->labels, LABEL_DURATION_S))
        return -1;
    if (seconds_us(event->labels.v[LABEL_DURATION_S].d, &us)) {
        seconds_set(eval, event, LABEL_DURATION_S, us);
        return us;
    }
    label_drop(&event->labels, LABEL_DURATION_S);
    event->flags |= FLAG_NO_DURATION;
    return -1;
}

/* The start: the event's own, else its end less its duration, else the message's time. */
static void start_complete(struct event *event, int64_t duration_us, int64_t kafka_time_us)
{
    struct facts *facts = &event->facts;
    int64_t start = facts_int(facts, FACT_ENDED_AT) - duration_us;
    event->time_source = TIME_EVENT;
    if (facts_has(facts, FACT_STARTED_AT))
        return;
    if (facts_has(facts, FACT_ENDED_AT) && duration_us >= 0 && start > 0) {
        facts_set_int(facts, FACT_STARTED_AT, start);
        event->time_source = TIME_DERIVED;
    } else if (kafka_time_us > 0) {
        facts_set_int(facts, FACT_STARTED_AT, kafka_time_us);
        event->time_source = TIME_KAFKA;
    }
}

static void end_complete(struct eval *eval, struct event *event, int64_t duration_us)
{
    struct facts *facts = &event->facts;
    int64_t start = facts_int(facts, FACT_STARTED_AT), end = facts_int(facts, FACT_ENDED_AT);
    if (!facts_has(facts, FACT_STARTED_AT))
        return;
    if (!facts_has(facts, FACT_ENDED_AT)) {
        if (duration_us >= 0)
            facts_set_int(facts, FACT_ENDED_AT, start + duration_us);
        return;
    }
    if (event->time_source == TIME_KAFKA)
        return; /* a clock of another machine */
    if (end < start) {
        label_drop(&event->labels, LABEL_DURATION_S);
        event->flags |= FLAG_NO_DURATION;
    } else if (duration_us < 0) {
        seconds_set(eval, event, LABEL_DURATION_S, end - start);
    }
}

static void first_token_complete(struct eval *eval, struct event *event)
{
    struct labels *labels = &event->labels;
    int64_t start = facts_int(&event->facts, FACT_STARTED_AT), us;
    bool known = event->time_source != TIME_KAFKA && facts_has(&event->facts, FACT_STARTED_AT);
    if (labels_has(labels, LABEL_TTFT_S) && !seconds_us(labels->v[LABEL_TTFT_S].d, &us)) {
        label_drop(labels, LABEL_TTFT_S);
        event->flags |= FLAG_LABEL_DROPPED;
    } else if (labels_has(labels, LABEL_TTFT_S)) {
        seconds_set(eval, event, LABEL_TTFT_S, us);
        if (known && !labels_has(labels, LABEL_FIRST_TOKEN_AT))
            event_set(event, label_field(LABEL_FIRST_TOKEN_AT), (union value){.i = start + us});
    } else if (known && labels_has(labels, LABEL_FIRST_TOKEN_AT) &&
               labels->v[LABEL_FIRST_TOKEN_AT].i >= start) {
        seconds_set(eval, event, LABEL_TTFT_S, labels->v[LABEL_FIRST_TOKEN_AT].i - start);
    }
}

/* --- names -------------------------------------------------------------------------------- */

static void provider_guess(struct facts *facts)
{
    bool answered = facts_has(facts, FACT_MODEL);
    struct slice provider =
        provider_of_model(facts_text(facts, answered ? FACT_MODEL : FACT_MODEL_REQUESTED));
    if (provider.bytes > 0)
        facts_set_text(facts, FACT_PROVIDER, provider);
}

/* "claude-3-5-haiku-20241022" to "anthropic.claude-3-5-haiku-20241022-v1:0". */
static void bedrock_id_complete(struct eval *eval, struct facts *facts, enum fact fact)
{
    struct slice model = facts_text(facts, fact);
    struct slice vendor = provider_bedrock_vendor(model);
    struct slice version = provider_bedrock_version(model);
    size_t bytes = vendor.bytes + 1 + model.bytes + version.bytes;
    char *text = vendor.bytes > 0 ? arena_alloc(eval->batch, bytes) : NULL;
    if (!text)
        return;
    memcpy(text, vendor.p, vendor.bytes);
    text[vendor.bytes] = '.';
    memcpy(text + vendor.bytes + 1, model.p, model.bytes);
    memcpy(text + vendor.bytes + 1 + model.bytes, version.p, version.bytes);
    facts_set_text(facts, fact, (struct slice){text, bytes});
}

static void names_complete(struct eval *eval, const struct mapping *mapping, struct facts *facts)
{
    if (provider_is_framework(facts_text(facts, FACT_PROVIDER)))
        facts_clear(facts, FACT_PROVIDER);
    if (!facts_has(facts, FACT_PROVIDER))
        provider_guess(facts);
    if (facts_has(facts, FACT_PROVIDER))
        facts->v[FACT_PROVIDER].s = provider_canonical(facts->v[FACT_PROVIDER].s);
    if (slice_is(facts_text(facts, FACT_PROVIDER), "bedrock") && !mapping->keeps_parts) {
        bedrock_id_complete(eval, facts, FACT_MODEL);
        bedrock_id_complete(eval, facts, FACT_MODEL_REQUESTED);
    }
    if (!mapping->sets_model_answered && facts_has(facts, FACT_MODEL))
        facts_set_text(facts, FACT_MODEL_ANSWERED, facts->v[FACT_MODEL].s);
}

/* What a gateway may call a call that failed; pricing and reports know one word. */
static void status_complete(struct facts *facts)
{
    static const char *const words[] = {"failure", "failed", "fail", "error", "errored"};
    struct slice status = facts_text(facts, FACT_STATUS);
    if (!facts_has(facts, FACT_STATUS))
        facts_set_text(facts, FACT_STATUS, SLICE("success"));
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (status.bytes == strlen(words[i]) && strncasecmp(status.p, words[i], status.bytes) == 0)
            facts_set_text(facts, FACT_STATUS, SLICE("failure"));
}

/* Absent fields: from the topic's defaults, then from what the mapping can only guess. */
static bool defaults_fill(struct eval *eval, const struct mappings *set,
                          const struct mapping *mapping, struct event *event, struct fault *fault)
{
    for (size_t i = 0; i < set->default_count; i++) {
        const struct field *field = &set->defaults[i];
        if (!event_has(event, field->id) && !field_read(eval, field, event, fault))
            return false;
    }
    for (size_t i = 0; i < mapping->guess_count; i++) {
        const struct field *field = &mapping->guesses[i];
        if (!event_has(event, field->id) && !field_read(eval, field, event, fault))
            return false;
    }
    status_complete(&event->facts);
    return true;
}

/* Of a failed call nothing is billed (LiteLLM); one that states tokens may have been, as a stream
 * that was cut. */
static bool failed_with_counts(const struct facts *facts)
{
    return slice_is(facts_text(facts, FACT_STATUS), "failure") &&
           (facts_int(facts, FACT_INPUT_TOKENS) > 0 || facts_int(facts, FACT_OUTPUT_TOKENS) > 0);
}

bool event_finish(struct eval *eval, const struct mappings *set, const struct mapping *mapping,
                  int64_t kafka_time_us, struct event *event, struct fault *fault)
{
    if (!defaults_fill(eval, set, mapping, event, fault))
        return false;
    names_complete(eval, mapping, &event->facts);
    if (!counts_read(eval, mapping, event, fault))
        return false;

    int64_t duration_us = duration_take(eval, event);
    start_complete(event, duration_us, kafka_time_us);
    bool apart = event->time_source == TIME_KAFKA && facts_has(&event->facts, FACT_ENDED_AT);
    end_complete(eval, event, duration_us);
    first_token_complete(eval, event);

    secrecy_apply(eval, mapping, event);
    event->flags |= failed_with_counts(&event->facts) ? FLAG_FAILED_WITH_COUNTS : 0;
    event->flags |= usage_unread(eval, mapping) ? FLAG_UNREAD_USAGE : 0;
    event->flags |= eval->gave_up ? FLAG_FACT_DROPPED : 0;
    event->flags |= eval->flags | (eval->reader.duplicate_key ? FLAG_DUPLICATE_KEY : 0);
    event->mapping = mapping->name;
    identity_set(eval, mapping, event);
    if (apart) /* nothing that the event says: no part of its hash */
        facts_set_int(&event->facts, FACT_CLOCKS_APART, 1);
    return true;
}
