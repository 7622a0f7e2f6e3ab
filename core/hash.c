/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 by OpenSSL; XXH3 is inline in the header. */
#include "core/hash.h"

#include "core/hex.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

static EVP_MD *sha256;

/* Fetched once: OpenSSL 3 otherwise searches its providers at every call. */
static void sha256_fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

void hash_sha256(struct slice bytes, uint8_t out[SHA256_BYTES])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, sha256_fetch);
    if (!sha256 || !EVP_Digest(bytes.bytes ? bytes.p : "", bytes.bytes, out, NULL, sha256, NULL))
        abort(); /* no memory, or a libcrypto without SHA-256 */
}

void hash_sha256_hex(struct slice bytes, char out[SHA256_HEX_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    hash_sha256(bytes, digest);
    hex_write(digest, sizeof(digest), out);
    out[SHA256_HEX_BYTES - 1] = '\0';
}
