/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random priced events, within what a mapping can make: for the tests of the row's encoding. Drawn
 * from a fuzzer's bytes, or, where those end, from a generator with a seed.
 */
#ifndef TESTS_RANDOM_EVENT_H
#define TESTS_RANDOM_EVENT_H

#include "core/charge.h"
#include "core/event.h"

#include <string.h>

struct chance {
    const uint8_t *p, *end;
    uint64_t state;
};

static inline uint64_t chance_u64(struct chance *c)
{
    uint64_t v = 0;
    if (c->end - c->p >= 8) {
        memcpy(&v, c->p, 8);
        c->p += 8;
        return v;
    }
    c->p = c->end;
    v = c->state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
    return v ^ v >> 31;
}

static inline unsigned chance_below(struct chance *c, unsigned bound)
{
    if (c->p < c->end)
        return *c->p++ % bound;
    return (unsigned)(chance_u64(c) % bound);
}

/* Valid UTF-8 without U+0000, rich in what JSON has to escape. */
static inline struct slice chance_text(struct chance *c, struct arena *batch)
{
    static const char *const piece[] = {
        "a", "Z", "\"", "\\", "\n", "\x01", "\x1f",   "\x7f", "é", "漢", "\U0001f600", "/",
        "{", "'", ",",  " ",  "\t", "\\u0", "\r\b\f", "null", "0", "--", ";",          "\\."};
    unsigned pieces = chance_below(c, 24);
    char *text = arena_alloc(batch, 24 * 8 + 1);
    size_t bytes = 0;
    for (unsigned i = 0; text && i < pieces; i++) {
        const char *more = piece[chance_below(c, sizeof(piece) / sizeof(piece[0]))];
        memcpy(text + bytes, more, strlen(more));
        bytes += strlen(more);
    }
    return (struct slice){text ? text : "", bytes};
}

static inline int64_t chance_count(struct chance *c)
{
    static const int64_t edge[] = {0, 1, 9999, 10000, INT32_MAX, INT64_MAX};
    unsigned i = chance_below(c, 12);
    return i < sizeof(edge) / sizeof(edge[0]) ? edge[i] : (int64_t)(chance_u64(c) >> (i * 4));
}

static inline const struct decimal *chance_decimal(struct chance *c, struct arena *batch)
{
    struct decimal *d = arena_zalloc(batch, sizeof(*d));
    u128 limit = 1;
    unsigned digits = chance_below(c, DECIMAL_DIGITS_MAX + 1);
    for (unsigned i = 0; i < digits; i++)
        limit *= 10;
    if (!d)
        return NULL;
    d->coef = ((u128)chance_u64(c) << 64 | chance_u64(c)) % limit;
    d->scale = (uint8_t)chance_below(c, DECIMAL_SCALE_MAX + 1);
    for (; d->scale > 0 && d->coef % 10 == 0; d->scale--)
        d->coef /= 10;
    return d;
}

static inline const struct tags *chance_tags(struct chance *c, struct arena *batch)
{
    struct tags *tags = arena_zalloc(batch, sizeof(*tags));
    unsigned count = chance_below(c, 5);
    struct slice *tag = arena_alloc(batch, 5 * sizeof(*tag));
    if (!tags || !tag)
        return NULL;
    for (unsigned i = 0; i < count; i++)
        tag[i] = chance_text(c, batch);
    tags->count = count;
    tags->tag = tag;
    return tags;
}

static inline union value chance_value(struct chance *c, enum field_kind kind, int64_t day_us,
                                       struct arena *batch)
{
    static const char *const object[] = {"{}", "{\"a\": [1, null, true, \"x\\n\"]}",
                                         "{\"b\": {\"c\": 0.10}, \"a\": \"\\\"\"}"};
    union value v = {0};
    switch (kind) {
    case KIND_TEXT:
        v.s = chance_text(c, batch);
        break;
    case KIND_COUNT:
        v.i = chance_count(c);
        break;
    case KIND_DECIMAL:
        v.d = chance_decimal(c, batch);
        break;
    case KIND_BOOL:
        v.i = chance_below(c, 2);
        break;
    case KIND_TIME:
        v.i = day_us + (int64_t)(chance_u64(c) % (UINT64_C(86400) * 1000000));
        break;
    case KIND_TAGS:
        v.t = chance_tags(c, batch);
        break;
    case KIND_JSON:
        v.s = slice_of(object[chance_below(c, sizeof(object) / sizeof(object[0]))]);
        break;
    }
    return v;
}

/* Money of numeric(38,18), any sign. */
static inline struct money chance_money(struct chance *c)
{
    const struct money limit = {(i128)1000000000000000000 * 1000000000000000000 * 100};
    i128 atto = (i128)((u128)chance_u64(c) << 64 | chance_u64(c));
    return (struct money){chance_below(c, 4) ? atto % limit.atto : atto % 1000000};
}

/* An event that starts within the day that begins at `day_us`. */
static inline void chance_event(struct chance *c, int64_t day_us, struct arena *batch,
                                struct event *event, struct charge *charge)
{
    memset(event, 0, sizeof(*event));
    memset(charge, 0, sizeof(*charge));
    for (int f = 0; f < FACT_COUNT; f++)
        if (f == FACT_STARTED_AT || chance_below(c, 3) == 0) {
            event->facts.v[f] = chance_value(c, fact_info[f].kind, day_us, batch);
            facts_mark(&event->facts, (enum fact)f);
        }
    for (int l = 0; l < LABEL_COUNT; l++)
        if (chance_below(c, 2) == 0) {
            event->labels.v[l] = chance_value(c, label_info[l].kind, day_us, batch);
            event->labels.present |= UINT64_C(1) << l;
        }
    event->mapping = "litellm";
    for (size_t i = 0; i < sizeof(event->identity); i += 8) {
        uint64_t half = chance_u64(c);
        memcpy(event->identity + i, &half, 8);
    }
    event->has_identity = true;
    event->content_hash = chance_u64(c);
    event->time_source = (enum time_source)chance_below(c, 3);
    event->flags = chance_below(c, 1u << 22);
    charge->flags = (unsigned)chance_u64(c) & flags_of_price;
    charge->status = (enum charge_status)chance_below(c, 4);
    charge->reason = (enum reason)chance_below(c, REASON_COUNT);
    charge->has_spend = charge->status != CHARGE_UNPRICED;
    charge->spend = chance_money(c);
    for (int side = 0; side < 3; side++)
        charge->side[side] = chance_money(c);
    charge->rule = "";
}

#endif
