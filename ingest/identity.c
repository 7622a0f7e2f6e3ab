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

static void digest_add(struct digest *digest, const void *p, size_t bytes)
{
    if (digest->bytes + bytes > sizeof digest->chunk)
        digest_flush(digest);
    if (bytes > sizeof digest->chunk) {
        digest->hash = XXH3_64bits_withSeed(p, bytes, digest->hash);
        return;
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
        digest_add(digest, &(char){value.d->negative}, 1);
        break;
    case KIND_TAGS:
        for (size_t i = 0; i < value.t->count; i++)
            digest_text(digest, value.t->tag[i]);
        break;
    }
}

static void digest_fields(struct digest *digest, uint64_t present, unsigned first,
                          const struct event *event)
{
    for (; present; present &= present - 1) {
        unsigned field = first + (unsigned)__builtin_ctzll(present);
        bool fact = field < FACT_COUNT;
        const char *name = fact ? fact_info[field].name : label_info[field - FACT_COUNT].name;
        digest_add(digest, name, strlen(name));
        digest_value(digest, fact ? fact_info[field].kind : label_info[field - FACT_COUNT].kind,
                     event_value(event, field));
    }
}

/* Times that come from the message are not the event's: a resend has others. */
static uint64_t content_hash(const struct event *event)
{
    struct digest digest = {.hash = 0, .bytes = 0};
    for (unsigned word = 0; word < FACT_WORDS; word++) {
        uint64_t present = event->facts.present[word];
        if (event->time_source == TIME_KAFKA && word == FACT_STARTED_AT / 64)
            present &=
                ~(UINT64_C(1) << (FACT_STARTED_AT % 64) | UINT64_C(1) << (FACT_ENDED_AT % 64));
        digest_fields(&digest, present, word * 64, event);
    }
    digest_fields(&digest, event->labels.present, FACT_COUNT, event);
    digest_flush(&digest);
    return digest.hash;
}

_Static_assert(FACT_STARTED_AT / 64 == FACT_ENDED_AT / 64, "both times are in one word");

/* The text of a field as it came out; false: absent. */
static bool field_text(struct eval *eval, const struct event *event, unsigned field,
                       struct slice *text)
{
    enum field_kind kind =
        field < FACT_COUNT ? fact_info[field].kind : label_info[field - FACT_COUNT].kind;
    union value value = event_value(event, field);
    struct val val = {.kind = VAL_INT, .i = value.i};
    if (!event_has(event, field) || kind == KIND_TAGS)
        return false;
    if (kind == KIND_TEXT || kind == KIND_JSON)
        val = (struct val){.kind = VAL_TEXT, .text = value.s};
    else if (kind == KIND_DECIMAL)
        val = (struct val){.kind = VAL_DECIMAL, .d = value.d};
    return val_text(eval, &val, text);
}

void identity_set(struct eval *eval, const struct mapping *mapping, struct event *event)
{
    struct hash128 hash;
    bool usable = false;
    hash128_init(&hash);
    hash128_add(&hash, slice_of(mapping->space));
    for (size_t i = 0; i < mapping->identity_count; i++) {
        const struct identity_part *part = &mapping->identity[i];
        struct slice text = SLICE("");
        bool found;
        if (part->expr) {
            struct val val = expr_eval(eval, part->expr, KIND_TEXT);
            found = val_text(eval, &val, &text);
        } else {
            found = field_text(eval, event, part->field, &text);
        }
        usable |= found && (part->expr || part->field >= FACT_COUNT);
        hash128_add(&hash, found ? text : SLICE(""));
    }
    event->has_identity = usable;
    memset(event->identity, 0, sizeof event->identity);
    if (usable)
        hash128_final(&hash, event->identity);
    event->content_hash = content_hash(event);
}
