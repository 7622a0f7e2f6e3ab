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

/* The bytes of core/hash.h, hash128_add(), gathered: one call for the usual identity. */
struct gather {
    struct hash128 hash;
    bool streaming;
    size_t bytes;
    char part[512];
};

static void gather_add(struct gather *gather, struct slice text)
{
    uint64_t bytes = text.bytes;
    if (!gather->streaming && gather->bytes + sizeof bytes + text.bytes > sizeof gather->part) {
        hash128_init(&gather->hash);
        XXH3_128bits_update(&gather->hash.state, gather->part, gather->bytes);
        gather->streaming = true;
    }
    if (gather->streaming) {
        hash128_add(&gather->hash, text);
        return;
    }
    memcpy(gather->part + gather->bytes, &bytes, sizeof bytes);
    memcpy(gather->part + gather->bytes + sizeof bytes, text.p, text.bytes);
    gather->bytes += sizeof bytes + text.bytes;
}

static void gather_final(const struct gather *gather, uint8_t identity[16])
{
    XXH128_canonical_t canonical;
    if (gather->streaming) {
        hash128_final(&gather->hash, identity);
        return;
    }
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(gather->part, gather->bytes));
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
    struct gather gather;
    bool usable = false;
    gather.streaming = false;
    gather.bytes = 0;
    gather_add(&gather, mapping->space);
    for (size_t i = 0; i < mapping->identity_count; i++) {
        const struct identity_part *part = &mapping->identity[i];
        struct slice text = SLICE("");
        bool found = part_text(eval, part, event, &text);
        usable |= found && (part->expr || part->field >= FACT_COUNT);
        gather_add(&gather, found ? text : SLICE(""));
    }
    event->has_identity = usable;
    memset(event->identity, 0, sizeof event->identity);
    if (usable)
        gather_final(&gather, event->identity);
    event->content_hash = content_hash(mapping, event);
}
