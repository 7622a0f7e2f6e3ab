/* SPDX-License-Identifier: Apache-2.0 */
/* The identity and the content hash of an event. */
#define XXH_INLINE_ALL /* its calls are short ones: 1,000 instructions an event less */
#include "core/hash.h"

#include "ingest/identity.h"

/*
 * The content's hash takes in one number after the other, each step a bijection of both; a text is
 * the number XXH3 makes of it. A field goes in by its name, so that new facts leave old hashes
 * alone.
 */
static inline uint64_t hash_take(uint64_t hash, uint64_t v)
{
    hash ^= v * UINT64_C(0xc2b2ae3d27d4eb4f);
    return (hash << 31 | hash >> 33) * UINT64_C(0x9e3779b185ebca87);
}

static inline uint64_t hash_take_text(uint64_t hash, struct slice text)
{
    return hash_take(hash, hash_xxh64(text));
}

static uint64_t hash_take_value(uint64_t hash, enum field_kind kind, union value value)
{
    switch (kind) {
    case KIND_COUNT:
    case KIND_BOOL:
    case KIND_TIME:
        return hash_take(hash, (uint64_t)value.i);
    case KIND_TEXT:
    case KIND_JSON:
        return hash_take_text(hash, value.s);
    case KIND_DECIMAL:
        hash = hash_take(hash, (uint64_t)value.d->coef);
        hash = hash_take(hash, (uint64_t)(value.d->coef >> 64));
        return hash_take(hash, (uint64_t)value.d->scale << 1 | value.d->negative);
    case KIND_TAGS:
        for (size_t i = 0; i < value.t->count; i++)
            hash = hash_take_text(hash, value.t->tag[i]);
        return hash_take(hash, value.t->count);
    }
    return hash;
}

static uint64_t hash_take_fields(uint64_t hash, const struct mapping *mapping, uint64_t present,
                                 unsigned first, const struct event *event)
{
    for (; present; present &= present - 1) {
        unsigned field = first + (unsigned)__builtin_ctzll(present);
        hash = hash_take(hash, mapping->field_names[field]);
        hash = hash_take_value(hash, field_kind_of(field), event_value(event, field));
    }
    return hash;
}

/* Times that come from the message are not the event's: a resend has others. */
static uint64_t content_hash(const struct mapping *mapping, const struct event *event)
{
    uint64_t hash = 0;
    for (unsigned word = 0; word < FACT_WORDS; word++) {
        uint64_t present = event->facts.present[word];
        if (event->time_source == TIME_KAFKA && word == FACT_STARTED_AT / 64)
            present &=
                ~(UINT64_C(1) << (FACT_STARTED_AT % 64) | UINT64_C(1) << (FACT_ENDED_AT % 64));
        hash = hash_take_fields(hash, mapping, present, word * 64, event);
    }
    hash = hash_take_fields(hash, mapping, event->labels.present, FACT_COUNT, event);
    return hash ^ hash >> 32;
}

_Static_assert(FACT_STARTED_AT / 64 == FACT_ENDED_AT / 64, "both times are in one word");

/* The text of a field as it came out; false: absent. */
static bool field_text(struct eval *eval, const struct event *event, unsigned field,
                       struct slice *text)
{
    enum field_kind kind = field_kind_of(field);
    union value value = event_value(event, field);
    struct val val = {.i = value.i, .type = VAL_INT};
    if (!event_has(event, field) || kind == KIND_TAGS)
        return false;
    if (kind == KIND_TEXT || kind == KIND_JSON) {
        *text = value.s;
        return true;
    }
    if (kind == KIND_DECIMAL)
        val = (struct val){.d = value.d, .type = VAL_DECIMAL};
    return val_text(eval, val, text);
}

/* Short ones in one call; the bytes are those of core/hash.h, hash128_add(). */
static void texts_hash(const struct slice *texts, size_t count, uint8_t identity[16])
{
    char joined[512];
    size_t bytes = 0, total = 0;
    XXH128_canonical_t canonical;
    for (size_t i = 0; i < count; i++)
        total += sizeof(uint64_t) + texts[i].bytes;
    if (total > sizeof joined) {
        struct hash128 hash;
        hash128_init(&hash);
        for (size_t i = 0; i < count; i++)
            hash128_add(&hash, texts[i]);
        hash128_final(&hash, identity);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t length = texts[i].bytes;
        memcpy(joined + bytes, &length, sizeof length);
        memcpy(joined + bytes + sizeof length, texts[i].p, texts[i].bytes);
        bytes += sizeof length + texts[i].bytes;
    }
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(joined, bytes));
    memcpy(identity, canonical.digest, sizeof canonical.digest);
}

static bool part_text(struct eval *eval, const struct identity_part *part,
                      const struct event *event, struct slice *text)
{
    if (!part->expr)
        return field_text(eval, event, part->field, text);
    return val_text(eval, expr_eval(eval, part->expr, KIND_TEXT), text);
}

void identity_set(struct eval *eval, const struct mapping *mapping, struct event *event)
{
    struct slice texts[1 + IDENTITY_MAX] = {mapping->space};
    bool usable = false;
    for (size_t i = 0; i < mapping->identity_count; i++) {
        const struct identity_part *part = &mapping->identity[i];
        bool found = part_text(eval, part, event, &texts[1 + i]);
        usable |= found && (part->expr || part->field >= FACT_COUNT);
        if (!found)
            texts[1 + i] = SLICE("");
    }
    event->has_identity = usable;
    if (usable)
        texts_hash(texts, 1 + mapping->identity_count, event->identity);
    else
        memset(event->identity, 0, sizeof event->identity);
    event->content_hash = content_hash(mapping, event);
}
