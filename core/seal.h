/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealed bytes: AES-256-GCM of OpenSSL, nonce | ciphertext | tag, bound to where they stand. The
 * key is told by its id, so that a wrong one is known as such; the id says nothing about the key.
 *
 * Keys are words of one secret: the first seals, all of them open. To change the key, write a new
 * one before the old ones.
 */
#ifndef CORE_SEAL_H
#define CORE_SEAL_H

#include "core/buf.h"

#define SEAL_KEY_BYTES 32
#define SEAL_KEYS_MAX 16
#define SEAL_ID_BYTES 17   /* NUL included */
#define SEAL_MORE_BYTES 28 /* sealed bytes are so many more */

struct seal_keys {
    size_t count;
    struct seal_key {
        uint8_t key[SEAL_KEY_BYTES];
        char id[SEAL_ID_BYTES];
    } key[SEAL_KEYS_MAX];
};

/* Words of 64 hex digits or of base64. ERR_CONFIG says which one is not a key, and quotes nothing.
 */
bool seal_keys_read(struct seal_keys *keys, struct slice text, struct err *err) MUST_CHECK;

/* NULL: none of that id. */
const struct seal_key *seal_key_find(const struct seal_keys *keys, struct slice id);

/* `place` is authenticated beside the text and not kept. false: no memory, no random numbers. */
bool seal_close(const struct seal_key *key, struct slice place, struct slice text,
                struct buf *out) MUST_CHECK;
/* false: these are not bytes that this key sealed at this place. */
bool seal_open(const struct seal_key *key, struct slice place, struct slice sealed,
               struct buf *out) MUST_CHECK;

#endif
