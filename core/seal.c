/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys are read from hex or base64 words. The place that a sealed text is bound to goes in as
 * additional data, so that a text moved to another row does not open.
 */
#include "core/seal.h"

#include "core/base64.h"
#include "core/hash.h"
#include "core/hex.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define NONCE_BYTES 12
#define TAG_BYTES 16
#define HEX_CHARS 64
#define BASE64_CHARS 43 /* of 32 bytes, without the sign that fills up */
#define SPACES " \t\r\n,"

_Static_assert(NONCE_BYTES + TAG_BYTES == SEAL_MORE_BYTES, "the header says what is added");

/* --- keys ----------------------------------------------------------------------------------- */

static bool hex_read(struct slice word, uint8_t key[SEAL_KEY_BYTES])
{
    if (word.bytes != HEX_CHARS)
        return false;
    for (size_t i = 0; i < SEAL_KEY_BYTES; i++) {
        int high = hex_digit(word.p[2 * i]), low = hex_digit(word.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* In the one way in which these bytes are written, with or without the sign that fills up. */
static bool base64_read(struct slice word, uint8_t key[SEAL_KEY_BYTES])
{
    char bytes[BASE64_CHARS], again[BASE64_CHARS + 1];
    size_t count;
    if (word.bytes == BASE64_CHARS + 1 && word.p[BASE64_CHARS] == '=')
        word.bytes--;
    if (word.bytes != BASE64_CHARS || !base64_decode(word, bytes, &count) ||
        count != SEAL_KEY_BYTES)
        return false;
    base64_encode((struct slice){bytes, count}, again);
    memcpy(key, bytes, SEAL_KEY_BYTES);
    bool same = memcmp(again, word.p, BASE64_CHARS) == 0;
    explicit_bzero(bytes, sizeof(bytes));
    explicit_bzero(again, sizeof(again));
    return same;
}

/* From a hash of the key with a prefix of its own. */
static void id_make(struct seal_key *key)
{
    static const char prefix[] = "spendlog payload key";
    char text[sizeof(prefix) + SEAL_KEY_BYTES], hex[SHA256_HEX_BYTES];
    memcpy(text, prefix, sizeof(prefix));
    memcpy(text + sizeof(prefix), key->key, SEAL_KEY_BYTES);
    hash_sha256_hex((struct slice){text, sizeof(text)}, hex);
    memcpy(key->id, hex, SEAL_ID_BYTES - 1);
    key->id[SEAL_ID_BYTES - 1] = '\0';
    explicit_bzero(text, sizeof(text));
}

bool seal_keys_read(struct seal_keys *keys, struct slice text, struct err *err)
{
    const char *p = text.p, *end = text.p + text.bytes;
    keys->count = 0;
    while (p < end) {
        const char *start = p;
        while (p < end && !strchr(SPACES, *p))
            p++;
        struct slice word = {start, (size_t)(p - start)};
        p += p < end;
        if (word.bytes == 0)
            continue;
        if (keys->count == SEAL_KEYS_MAX)
            return err_set(err, ERR_CONFIG, "more than %d keys", SEAL_KEYS_MAX);
        struct seal_key *key = &keys->key[keys->count];
        if (!hex_read(word, key->key) && !base64_read(word, key->key))
            return err_set(err, ERR_CONFIG,
                           "key %zu is neither 64 hex digits nor 32 bytes in base64",
                           keys->count + 1);
        id_make(key);
        keys->count++;
    }
    return keys->count > 0 || err_set(err, ERR_CONFIG, "there is no key in it");
}

const struct seal_key *seal_key_find(const struct seal_keys *keys, struct slice id)
{
    for (size_t i = 0; keys && i < keys->count; i++)
        if (slice_is(id, keys->key[i].id))
            return &keys->key[i];
    return NULL;
}

/* --- bytes ---------------------------------------------------------------------------------- */

static const unsigned char *bytes_of(struct slice s)
{
    return (const unsigned char *)(s.bytes ? s.p : "");
}

static bool encrypt(EVP_CIPHER_CTX *ctx, const struct seal_key *key, struct slice place,
                    struct slice text, unsigned char *out)
{
    unsigned char *tag = out + NONCE_BYTES + text.bytes;
    int n;
    return RAND_bytes(out, NONCE_BYTES) == 1 &&
           EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->key, out) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &n, bytes_of(place), (int)place.bytes) == 1 &&
           EVP_EncryptUpdate(ctx, out + NONCE_BYTES, &n, bytes_of(text), (int)text.bytes) == 1 &&
           EVP_EncryptFinal_ex(ctx, tag, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1;
}

static bool decrypt(EVP_CIPHER_CTX *ctx, const struct seal_key *key, struct slice place,
                    struct slice sealed, unsigned char *out)
{
    const unsigned char *in = bytes_of(sealed);
    unsigned char tag[TAG_BYTES];
    int n, bytes = (int)(sealed.bytes - SEAL_MORE_BYTES);
    memcpy(tag, in + NONCE_BYTES + bytes, TAG_BYTES);
    return EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->key, in) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &n, bytes_of(place), (int)place.bytes) == 1 &&
           EVP_DecryptUpdate(ctx, out, &n, in + NONCE_BYTES, bytes) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, out + bytes, &n) == 1;
}

bool seal_close(const struct seal_key *key, struct slice place, struct slice text, struct buf *out)
{
    if (text.bytes > INT_MAX - SEAL_MORE_BYTES)
        return false;
    char *to = buf_reserve(out, text.bytes + SEAL_MORE_BYTES);
    EVP_CIPHER_CTX *ctx = to ? EVP_CIPHER_CTX_new() : NULL;
    bool ok = ctx && encrypt(ctx, key, place, text, (unsigned char *)to);
    EVP_CIPHER_CTX_free(ctx);
    out->bytes += ok ? text.bytes + SEAL_MORE_BYTES : 0;
    return ok;
}

bool seal_open(const struct seal_key *key, struct slice place, struct slice sealed, struct buf *out)
{
    if (sealed.bytes < SEAL_MORE_BYTES || sealed.bytes > INT_MAX)
        return false;
    char *to = buf_reserve(out, sealed.bytes); /* more than the text: never no room at all */
    EVP_CIPHER_CTX *ctx = to ? EVP_CIPHER_CTX_new() : NULL;
    bool ok = ctx && decrypt(ctx, key, place, sealed, (unsigned char *)to);
    EVP_CIPHER_CTX_free(ctx);
    out->bytes += ok ? sealed.bytes - SEAL_MORE_BYTES : 0;
    return ok;
}
