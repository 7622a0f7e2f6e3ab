/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes with stable, named results: XXH3 (xxHash 0.8) for identities and contents, SHA-256 for
 * what is shown or must not be guessed back.
 *
 *     struct hash128 hash;
 *     hash128_init(&hash);
 *     hash128_add(&hash, part);      // length-prefixed: ("ab","c") is not ("a","bc")
 *     hash128_add_int(&hash, number);
 *     hash128_final(&hash, identity);
 */
#ifndef CORE_HASH_H
#define CORE_HASH_H

#include "core/slice.h"

#include <stdint.h>

#define XXH_STATIC_LINKING_ONLY /* for the state on the stack */
#include <xxhash.h>

#define SHA256_BYTES 32
#define SHA256_HEX_BYTES 65 /* NUL included */

struct hash128 {
    XXH3_state_t state;
};

struct hash64 {
    XXH3_state_t state;
};

/* XXH3-64 of the bytes alone. */
static inline uint64_t hash_xxh64(struct slice bytes)
{
    return XXH3_64bits(bytes.bytes ? bytes.p : "", bytes.bytes);
}

static inline void hash128_init(struct hash128 *hash)
{
    XXH3_128bits_reset(&hash->state);
}

static inline void hash128_add(struct hash128 *hash, struct slice part)
{
    uint64_t bytes = part.bytes;
    XXH3_128bits_update(&hash->state, &bytes, sizeof(bytes));
    XXH3_128bits_update(&hash->state, part.bytes ? part.p : "", part.bytes);
}

static inline void hash128_add_int(struct hash128 *hash, int64_t v)
{
    hash128_add(hash, (struct slice){(const char *)&v, sizeof(v)});
}

static inline void hash128_final(const struct hash128 *hash, uint8_t out[16])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&hash->state));
    memcpy(out, canonical.digest, sizeof(canonical.digest));
}

static inline void hash64_init(struct hash64 *hash)
{
    XXH3_64bits_reset(&hash->state);
}

static inline void hash64_add(struct hash64 *hash, struct slice part)
{
    uint64_t bytes = part.bytes;
    XXH3_64bits_update(&hash->state, &bytes, sizeof(bytes));
    XXH3_64bits_update(&hash->state, part.bytes ? part.p : "", part.bytes);
}

static inline void hash64_add_int(struct hash64 *hash, int64_t v)
{
    hash64_add(hash, (struct slice){(const char *)&v, sizeof(v)});
}

static inline uint64_t hash64_final(const struct hash64 *hash)
{
    return XXH3_64bits_digest(&hash->state);
}

void hash_sha256(struct slice bytes, uint8_t out[SHA256_BYTES]);
/* Lower case hex digits and a NUL. */
void hash_sha256_hex(struct slice bytes, char out[SHA256_HEX_BYTES]);

#endif
