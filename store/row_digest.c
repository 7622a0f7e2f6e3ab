/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL's hash function written in C, to the bit, and the digest that is made with it here and
 * in SQL.
 */
#include "store/row_digest.h"

#include "store/pg.h"

#include <string.h>

/* --- Bob Jenkins' lookup3, as in PostgreSQL's common/hashfn.c ------------------------------- */

struct mixed {
    uint32_t a, b, c;
};

static uint32_t rot(uint32_t x, unsigned bits)
{
    return x << bits | x >> (32 - bits);
}

static void mix(struct mixed *m)
{
    static const unsigned char turn[] = {4, 6, 8, 16, 19, 4};
    for (size_t i = 0; i < sizeof(turn); i++) {
        uint32_t a = m->a - m->c;
        a ^= rot(m->c, turn[i]);
        uint32_t c = m->c + m->b;
        *m = (struct mixed){m->b, c, a}; /* the next step takes them in turn */
    }
}

static void final(struct mixed *m)
{
    static const unsigned char turn[] = {14, 11, 25, 16, 4, 14, 24};
    for (size_t i = 0; i < sizeof(turn); i++) {
        uint32_t c = m->c ^ m->b;
        c -= rot(m->b, turn[i]);
        *m = (struct mixed){m->b, c, m->a};
    }
}

static uint32_t word(const unsigned char *p, size_t bytes)
{
    uint32_t w = 0;
    for (size_t i = 0; i < bytes && i < 4; i++)
        w |= (uint32_t)p[i] << 8 * i;
    return w;
}

uint64_t pg_hash(struct slice bytes, uint64_t seed)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t left = bytes.bytes;
    uint32_t start = UINT32_C(0x9e3779b9) + (uint32_t)bytes.bytes + 3923095;
    struct mixed m = {start, start, start};
    if (seed) {
        m.a += (uint32_t)(seed >> 32);
        m.b += (uint32_t)seed;
        mix(&m);
    }
    for (; left >= 12; p += 12, left -= 12) {
        m.a += word(p, 4);
        m.b += word(p + 4, 4);
        m.c += word(p + 8, 4);
        mix(&m);
    }
    m.a += word(p, left);
    if (left > 4)
        m.b += word(p + 4, left - 4);
    if (left > 8)
        m.c += word(p + 8, left - 8) << 8; /* its lowest byte is the length's */
    final(&m);
    return (uint64_t)m.a << 32 | m.b; /* b and c, after seven turns */
}

/* hashint8extended(): halves of a small number of either sign hash as its int4 does. */
static uint64_t hash_int8(int64_t v, uint64_t seed)
{
    uint32_t low = (uint32_t)v, high = (uint32_t)((uint64_t)v >> 32);
    unsigned char bytes[4];
    low ^= v >= 0 ? high : ~high;
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(low >> 8 * i);
    return pg_hash((struct slice){(const char *)bytes, 4}, seed);
}

/* --- the row -------------------------------------------------------------------------------- */

uint64_t row_digest_labels(const struct event *event)
{
    const struct labels *labels = &event->labels;
    return pg_hash(labels_text(labels, LABEL_TEAM), 3) ^
           pg_hash(labels_text(labels, LABEL_USER), 4) ^
           pg_hash(labels_text(labels, LABEL_API_KEY), 5) ^
           pg_hash(labels_text(labels, LABEL_ORG), 6) ^
           pg_hash(facts_text(&event->facts, FACT_MODEL), 7);
}

uint64_t row_digest(uint64_t labels, int64_t start_time_us, const uint8_t identity[16],
                    uint64_t content_hash, int64_t kafka_offset, unsigned record_index)
{
    return labels ^ pg_hash((struct slice){(const char *)identity, 16}, 1) ^
           hash_int8(start_time_us - PG_EPOCH_US, 2) ^ content_hash ^ (uint64_t)kafka_offset << 20 ^
           record_index;
}
