/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/identity.h"

#include "core/hash.h"

/*
 * The content is hashed in chunks, each with the hash before as its seed: the usual event is one
 * chunk and one call. A field goes in by its name, so that new facts leave old hashes alone.
 */
struct digest {
    uint64_t hash;
    size_t bytes;
    char chunk[2048];
};

static void digest_flush(struct digest *digest)
{
    digest->hash = XXH3_64bits_withSeed(digest->chunk, digest->bytes, digest->hash);
    digest->bytes = 0;
}

static inline void digest_add(struct digest *digest, const void *p, size_t bytes)
{
    if (digest->bytes + bytes > sizeof digest->chunk) {
        digest_flush(digest);
        if (bytes > sizeof digest->chunk) {
            digest->hash = XXH3_64bits_withSeed(p, bytes, digest->hash);
            return;
        }
    }
    memcpy(digest->chunk + digest->bytes, p, bytes);
    digest->bytes += bytes;
}

static void digest_text(struct digest *digest, struct slice text)
{
    uint32_t bytes = (uint32_t)text.bytes;
    digest_add(digest, &bytes, sizeof bytes);
    digest_add(digest, text.p, text.bytes);
}

static void digest_value(struct digest *digest, enum field_kind kind, union value value)
{
    switch (kind) {
    case KIND_COUNT:
    case KIND_BOOL:
    case KIND_TIME:
        digest_add(digest, &value.i, sizeof value.i);
        break;
    case KIND_TEXT:
    case KIND_JSON:
        digest_text(digest, value.s);
        break;
    case KIND_DECIMAL:
        digest_add(digest, &value.d->coef, sizeof value.d->coef);
        digest_add(digest, &value.d->scale, sizeof value.d->scale);
        break;
    case KIND_TAGS:
        for (size_t i = 0; i < value.t->count; i++)
            digest_text(digest, value.t->tag[i]);
        break;
    }
}

static void digest_fields(struct digest *digest, const struct mapping *mapping, uint64_t present,
                          unsigned first, const struct event *event)
{
    for (; present; present &= present - 1) {
        unsigned field = first + (unsigned)__builtin_ctzll(present);
        digest_add(digest, &mapping->field_names[field], sizeof mapping->field_names[field]);
        digest_value(digest, field_kind_of(field), event_value(event, field));
    }
}

/* Times that come from the message are not the event's: a resend has others. */
static uint64_t content_hash(const struct mapping *mapping, const struct event *event)
{
    struct digest digest;
    digest.hash = 0;
    digest.bytes = 0;
    for (unsigned word = 0; word < FACT_WORDS; word++) {
        uint64_t present = event->facts.present[word];
        if (event->time_source == TIME_KAFKA && word == FACT_STARTED_AT / 64)
            present &=
                ~(UINT64_C(1) << (FACT_STARTED_AT % 64) | UINT64_C(1) << (FACT_ENDED_AT % 64));
        digest_fields(&digest, mapping, present, word * 64, event);
    }
    digest_fields(&digest, mapping, event->labels.present, FACT_COUNT, event);
    digest_flush(&digest);
    return digest.hash;
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
