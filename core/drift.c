/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways of pricing are slots of a hash table of fixed size; those that find no room are counted
 * together. Alarms are read off the table, and logged once an hour at most.
 */
#include "core/drift.h"

#include "core/hash.h"
#include "core/log.h"
#include "core/utf8.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS (2 * DRIFT_WAYS_MAX) /* a power of two, never more than half full */
#define OTHERS_KEY 1
#define LOG_EVERY_MS INT64_C(3600000)
#define LOG_WAYS_MAX 5

struct drift {
    struct config_drift limits;
    pthread_mutex_t lock;
    int64_t events;
    int64_t log_at_ms; /* of drift_log()'s thread alone; 0: at once */
    size_t way_count;
    struct drift_way way[SLOTS]; /* open addressing by key; 0 is a free slot */
};

/* Calls that cost nothing whatever the rates are (pricing.md, section 2). */
static bool is_zero_rule(enum reason reason)
{
    return reason == REASON_FAILURE || reason == REASON_CACHE_HIT ||
           reason == REASON_MANAGEMENT_CALL || reason == REASON_BATCH_WITHOUT_OUTPUT;
}

/* In 10^-18; what is below is compared within 128 bits. */
static const u128 short_end = (u128)1 << 96;
static const unsigned short_tolerance = 1000000;

/* In 10^-18 US dollars; false: not a short one. */
static bool atto_of(const struct decimal *d, u128 *atto)
{
    const struct decimal size = {d->coef, d->scale, false};
    struct money money;
    if (d->scale > MONEY_SCALE || !money_product((const struct decimal *const[]){&size}, 1, &money))
        return false;
    *atto = (u128)money.atto;
    return *atto < short_end;
}

/* |ours - gateway| * 10000 > gateway * tolerance. Figures too long to compare raise no alarm. */
static bool is_apart(const struct decimal *ours, const struct decimal *gateway, unsigned tolerance)
{
    u128 a, b;
    if (!ours->negative && tolerance <= short_tolerance && atto_of(ours, &a) &&
        atto_of(gateway, &b))
        return (a > b ? a - b : b - a) * 10000 > b * tolerance;
    struct decimal whole = decimal_from_int(10000), part = decimal_from_int(tolerance);
    struct decimal negated = *gateway, difference, left, right;
    negated.negative = true;
    if (!decimal_add(ours, &negated, &difference))
        return false;
    difference.negative = false;
    return decimal_mul(&difference, &whole, &left) && decimal_mul(gateway, &part, &right) &&
           decimal_cmp(&left, &right) > 0;
}

enum drift_kind drift_of(const struct facts *facts, const struct charge *charge, unsigned tolerance)
{
    const struct decimal *gateway = facts_decimal(facts, FACT_GATEWAY_COST);
    bool own = charge->status == CHARGE_PRICED || charge->status == CHARGE_FREE;
    if (!gateway || gateway->negative || decimal_is_zero(gateway) || !own ||
        is_zero_rule(charge->reason))
        return DRIFT_NONE;
    struct decimal ours = money_decimal(charge->spend);
    if (decimal_is_zero(&ours))
        return DRIFT_ZERO;
    return is_apart(&ours, gateway, tolerance) ? DRIFT_APART : DRIFT_NONE;
}

struct drift *drift_new(const struct config_drift *limits)
{
    struct drift *drift = calloc(1, sizeof(*drift));
    if (!drift || pthread_mutex_init(&drift->lock, NULL) != 0) {
        free(drift);
        return NULL;
    }
    drift->limits = *limits;
    return drift;
}

void drift_free(struct drift *drift)
{
    if (!drift)
        return;
    pthread_mutex_destroy(&drift->lock);
    free(drift);
}

static uint64_t key_take(uint64_t key, struct slice text)
{
    key ^= hash_xxh64(text);
    return (key << 31 | key >> 33) * UINT64_C(0x9e3779b185ebca87);
}

static uint64_t key_of(const struct facts *facts, const struct charge *charge)
{
    uint64_t key = key_take(0, facts_text(facts, FACT_PROVIDER));
    key = key_take(key, facts_text(facts, FACT_MODEL));
    key = key_take(key, facts_text(facts, FACT_CALL_TYPE));
    key = key_take(key, slice_of(charge->rule));
    key ^= key >> 32;
    return key > OTHERS_KEY ? key : OTHERS_KEY + 1;
}

/* The way of this key, or the free place where it belongs. */
static struct drift_way *place_of(struct drift *drift, uint64_t key)
{
    size_t i = key % SLOTS;
    while (drift->way[i].key != 0 && drift->way[i].key != key)
        i = (i + 1) % SLOTS;
    return &drift->way[i];
}

/* Locked. */
static struct drift_way *way_of(struct drift *drift, const struct drift_way *one)
{
    struct drift_way *way = place_of(drift, one->key);
    if (way->key != 0)
        return way;
    if (drift->way_count == DRIFT_WAYS_MAX) { /* all that is new is one more, without names */
        way = place_of(drift, OTHERS_KEY);
        way->key = OTHERS_KEY;
        utf8_copy(way->provider, sizeof(way->provider), slice_of("(others)"));
        return way;
    }
    drift->way_count++;
    *way = *one;
    way->events = way->zeros = 0;
    way->ours = way->gateway = (struct money){0};
    return way;
}

static void add(struct money *sum, struct money part)
{
    struct money total;
    if (money_add(*sum, part, &total))
        *sum = total;
}

bool drift_judge(const struct drift *drift, const struct facts *facts, const struct charge *charge,
                 struct drift_way *one)
{
    enum drift_kind kind =
        drift->limits.events == 0 ? DRIFT_NONE : drift_of(facts, charge, drift->limits.tolerance);
    if (kind == DRIFT_NONE)
        return false;
    one->key = key_of(facts, charge);
    utf8_copy(one->provider, sizeof(one->provider), facts_text(facts, FACT_PROVIDER));
    utf8_copy(one->model, sizeof(one->model), facts_text(facts, FACT_MODEL));
    utf8_copy(one->call_type, sizeof(one->call_type), facts_text(facts, FACT_CALL_TYPE));
    utf8_copy(one->rule, sizeof(one->rule), slice_of(charge->rule));
    one->events = 1;
    one->zeros = kind == DRIFT_ZERO;
    one->ours = charge->spend;
    if (!money_multiply(facts_decimal(facts, FACT_GATEWAY_COST), &DECIMAL_ONE, &one->gateway))
        one->gateway.atto = 0;
    return true;
}

void drift_note(struct drift *drift, const struct drift_way *one)
{
    pthread_mutex_lock(&drift->lock);
    struct drift_way *way = way_of(drift, one);
    way->events += one->events;
    way->zeros += one->zeros;
    add(&way->ours, one->ours);
    add(&way->gateway, one->gateway);
    drift->events += one->events;
    pthread_mutex_unlock(&drift->lock);
}

void drift_forget(struct drift *drift)
{
    drift->log_at_ms = 0;
    pthread_mutex_lock(&drift->lock);
    memset(drift->way, 0, sizeof(drift->way));
    drift->way_count = 0;
    pthread_mutex_unlock(&drift->lock);
}

int64_t drift_events(struct drift *drift)
{
    pthread_mutex_lock(&drift->lock);
    int64_t events = drift->events;
    pthread_mutex_unlock(&drift->lock);
    return events;
}

static bool is_alarm(const struct drift *drift, const struct drift_way *way)
{
    return way->zeros > 0 || (way->events > 0 && way->events >= drift->limits.events);
}

size_t drift_alarms(struct drift *drift, void (*each)(const struct drift_way *way, void *context),
                    void *context)
{
    size_t count = 0;
    pthread_mutex_lock(&drift->lock);
    for (size_t i = 0; i < SLOTS; i++) {
        if (!is_alarm(drift, &drift->way[i]))
            continue;
        count++;
        if (each)
            each(&drift->way[i], context);
    }
    pthread_mutex_unlock(&drift->lock);
    return count;
}

/* ---- the log ---------------------------------------------------------------------------------
 */

struct worst {
    struct drift_way way[LOG_WAYS_MAX]; /* most events first */
    size_t count;
};

static void keep_worst(const struct drift_way *way, void *context)
{
    struct worst *worst = context;
    size_t at = worst->count;
    while (at > 0 && worst->way[at - 1].events < way->events)
        at--;
    if (at == LOG_WAYS_MAX)
        return;
    if (worst->count < LOG_WAYS_MAX)
        worst->count++;
    memmove(&worst->way[at + 1], &worst->way[at], (worst->count - 1 - at) * sizeof(worst->way[0]));
    worst->way[at] = *way;
}

static void way_log(const struct drift_way *way)
{
    char ours[DECIMAL_TEXT_MAX], gateway[DECIMAL_TEXT_MAX];
    money_format(way->ours, ours);
    money_format(way->gateway, gateway);
    log_warn("drift: %s %s (%s, rule \"%s\"): %lld events, %lld of them 0 here; ours %s, the "
             "gateway's %s USD",
             way->provider, way->model, way->call_type, way->rule, (long long)way->events,
             (long long)way->zeros, ours, gateway);
}

void drift_log(struct drift *drift, int64_t now_ms)
{
    struct worst worst = {.count = 0};
    if (drift->log_at_ms != 0 && now_ms < drift->log_at_ms)
        return;
    size_t alarms = drift_alarms(drift, keep_worst, &worst);
    if (alarms == 0)
        return;
    drift->log_at_ms = now_ms + LOG_EVERY_MS;
    log_warn("prices are apart from the gateway's own: %zu ways of pricing, %lld events; "
             "`spendlog verify` lists them",
             alarms, (long long)drift_events(drift));
    for (size_t i = 0; i < worst.count; i++)
        way_log(&worst.way[i]);
}
