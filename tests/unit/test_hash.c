/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes against published digests, and identities that databases already hold. */
#include "core/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

static void sha256_gives_the_published_digests(void **state)
{
    (void)state;
    char hex[SHA256_HEX_BYTES];
    /* FIPS 180-4 examples */
    hash_sha256_hex(SLICE("abc"), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_sha256_hex((struct slice){NULL, 0}, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void xxh3_is_the_one_of_its_specification(void **state)
{
    (void)state;
    /* XXH3_64bits of the empty input, seed 0: doc/xxhash_spec.md's reference implementation. */
    assert_int_equal(hash_xxh64((struct slice){NULL, 0}), 0x2d06800538d394c2);
}

static void identity(const char *a, const char *b, uint8_t out[16])
{
    struct hash128 hash;
    hash128_init(&hash);
    hash128_add(&hash, slice_of(a));
    hash128_add(&hash, slice_of(b));
    hash128_final(&hash, out);
}

static void parts_do_not_run_into_each_other(void **state)
{
    (void)state;
    uint8_t x[16], y[16], again[16];
    identity("ab", "c", x);
    identity("a", "bc", y);
    identity("ab", "c", again);
    assert_memory_not_equal(x, y, 16);
    assert_memory_equal(x, again, 16);
}

/* Identities are stored: a change here would make every event new again. */
static void stored_identities_never_change(void **state)
{
    (void)state;
    static const uint8_t expected[16] = {0x59, 0x05, 0x73, 0x94, 0xfd, 0xc1, 0x39, 0x25,
                                         0x0d, 0x90, 0x73, 0xe9, 0x2b, 0x05, 0xa9, 0x8d};
    uint8_t out[16];
    struct hash128 hash;
    hash128_init(&hash);
    hash128_add(&hash, SLICE("litellm"));
    hash128_add(&hash, SLICE("chatcmpl-1"));
    hash128_add_int(&hash, -7);
    hash128_final(&hash, out);
    assert_memory_equal(out, expected, 16);
}

static void content_hashes_tell_order_and_number_apart(void **state)
{
    (void)state;
    struct hash64 a, b;
    hash64_init(&a);
    hash64_add(&a, SLICE("x"));
    hash64_add_int(&a, 1);
    hash64_init(&b);
    hash64_add_int(&b, 1);
    hash64_add(&b, SLICE("x"));
    assert_int_not_equal(hash64_final(&a), hash64_final(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(xxh3_is_the_one_of_its_specification),
        cmocka_unit_test(parts_do_not_run_into_each_other),
        cmocka_unit_test(stored_identities_never_change),
        cmocka_unit_test(content_hashes_tell_order_and_number_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
