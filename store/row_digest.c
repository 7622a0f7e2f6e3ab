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

static inline uint32_t rot(uint32_t x, unsigned bits)
{
    return x << bits | x >> (32 - bits);
}

/* One of the six turns of a mix. */
static inline void turn(uint32_t *x, uint32_t y, uint32_t *z, unsigned bits)
{
    *x = (*x - *z) ^ rot(*z, bits);
    *z += y;
}

static inline void mix(struct mixed *m)
{
    turn(&m->a, m->b, &m->c, 4);
    turn(&m->b, m->c, &m->a, 6);
    turn(&m->c, m->a, &m->b, 8);
    turn(&m->a, m->b, &m->c, 16);
    turn(&m->b, m->c, &m->a, 19);
    turn(&m->c, m->a, &m->b, 4);
}

static inline void fold(uint32_t *x, uint32_t y, unsigned bits)
{
    *x = (*x ^ y) - rot(y, bits);
}

static inline void final(struct mixed *m)
{
    fold(&m->c, m->b, 14);
    fold(&m->a, m->c, 11);
    fold(&m->b, m->a, 25);
    fold(&m->c, m->b, 16);
    fold(&m->a, m->c, 4);
    fold(&m->b, m->a, 14);
    fold(&m->c, m->b, 24);
}

static inline uint32_t word4(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Of fewer than four bytes, the others 0. */
static inline uint32_t word(const unsigned char *p, size_t bytes)
{
    uint32_t w = 0;
    if (bytes >= 4)
        return word4(p);
    for (size_t i = 0; i < bytes; i++)
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
        m.a += word4(p);
        m.b += word4(p + 4);
        m.c += word4(p + 8);
        mix(&m);
    }
    m.a += word(p, left);
    if (left > 4)
        m.b += word(p + 4, left - 4);
    if (left > 8)
        m.c += word(p + 8, left - 8) << 8; /* its lowest byte is the length's */
    final(&m);
    return (uint64_t)m.b << 32 | m.c;
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
    return pg_hash(labels_text(labels, LABEL_TEAM), DIGEST_TEAM) ^
           pg_hash(labels_text(labels, LABEL_USER), DIGEST_USER) ^
           pg_hash(labels_text(labels, LABEL_API_KEY), DIGEST_API_KEY) ^
           pg_hash(labels_text(labels, LABEL_ORG), DIGEST_ORG) ^
           pg_hash(facts_text(&event->facts, FACT_MODEL), DIGEST_MODEL);
}

uint64_t row_digest(uint64_t labels, int64_t start_time_us, const uint8_t identity[16],
                    uint64_t content_hash, int64_t kafka_offset, unsigned record_index)
{
    return labels ^ pg_hash((struct slice){(const char *)identity, 16}, 1) ^
           hash_int8(start_time_us - PG_EPOCH_US, 2) ^ content_hash ^ (uint64_t)kafka_offset << 20 ^
           record_index;
}
