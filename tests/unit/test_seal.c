/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed bytes: which keys are read, that a changed text or place does not open. */
#include "core/seal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
#define BASE64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static struct seal_keys keys_of(const char *text)
{
    struct seal_keys keys;
    struct err err = {0};
    if (!seal_keys_read(&keys, slice_of(text), &err))
        fail_msg("%s", err.text);
    return keys;
}

static void a_key_is_hex_or_base64(void **state)
{
    (void)state;
    struct seal_keys hex = keys_of(HEX), base64 = keys_of(BASE64);
    struct seal_keys bare = keys_of("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n");
    for (size_t i = 0; i < SEAL_KEY_BYTES; i++)
        assert_int_equal(hex.key[0].key[i], i);
    assert_memory_equal(&hex.key[0], &base64.key[0], sizeof(hex.key[0]));
    assert_memory_equal(&hex.key[0], &bare.key[0], sizeof(hex.key[0]));
    assert_int_equal(strlen(hex.key[0].id), 16);
}

static void what_is_no_key_is_told_and_not_quoted(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " \n",
        "canary",
        "canary0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
        HEX "0",
        BASE64 "A",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",
        "canary_wQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        HEX "\n" HEX "x",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct seal_keys keys;
        struct err err = {0};
        assert_false(seal_keys_read(&keys, slice_of(texts[i]), &err));
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_null(strstr(err.text, "canary"));
        assert_null(strstr(err.text, "AAEC"));
    }
}

static void the_number_of_keys_is_bounded(void **state)
{
    (void)state;
    char text[(SEAL_KEYS_MAX + 1) * sizeof(HEX) + 1] = "";
    struct seal_keys keys;
    struct err err = {0};
    for (size_t i = 0; i < SEAL_KEYS_MAX; i++)
        strcat(text, HEX "\n");
    assert_int_equal(keys_of(text).count, SEAL_KEYS_MAX);
    strcat(text, HEX);
    assert_false(seal_keys_read(&keys, slice_of(text), &err));
}

static struct slice sealed_by(const struct seal_key *key, const char *place, struct slice text,
                              struct buf *out)
{
    buf_init(out, 1 << 24);
    assert_true(seal_close(key, slice_of(place), text, out));
    assert_int_equal(out->bytes, text.bytes + SEAL_MORE_BYTES);
    return buf_slice(out);
}

static bool opens(const struct seal_key *key, const char *place, struct slice sealed,
                  struct slice text)
{
    struct buf out;
    buf_init(&out, 1 << 24);
    bool ok = seal_open(key, slice_of(place), sealed, &out);
    assert_int_equal(out.bytes, ok ? text.bytes : 0);
    ok = ok && slice_eq(buf_slice(&out), text);
    buf_free(&out);
    return ok;
}

static void what_is_sealed_opens_with_its_key_at_its_place_alone(void **state)
{
    (void)state;
    struct seal_keys keys = keys_of(HEX " ffffffffffffffffffffffffffffffff"
                                        "ffffffffffffffffffffffffffffffff");
    struct slice text = SLICE("a prompt with a canary in it");
    struct buf sealed, again;
    struct slice s = sealed_by(&keys.key[0], "here", text, &sealed);
    assert_null(memmem(s.p, s.bytes, "canary", 6));
    assert_true(opens(&keys.key[0], "here", s, text));
    assert_false(opens(&keys.key[1], "here", s, text));
    assert_false(opens(&keys.key[0], "there", s, text));
    for (size_t bytes = 0; bytes < s.bytes; bytes++)
        assert_false(opens(&keys.key[0], "here", (struct slice){s.p, bytes}, text));
    for (size_t i = 0; i < s.bytes; i++) {
        sealed.p[i] ^= 1;
        assert_false(opens(&keys.key[0], "here", s, text));
        sealed.p[i] ^= 1;
    }
    struct slice t = sealed_by(&keys.key[0], "here", text, &again);
    assert_false(slice_eq(s, t)); /* equal messages do not look equal */
    buf_free(&again);
    buf_free(&sealed);
}

static void nothing_and_much_can_be_sealed(void **state)
{
    (void)state;
    static char much[9 << 20];
    struct seal_keys keys = keys_of(HEX);
    struct slice texts[] = {SLICE(""), {much, sizeof(much)}};
    for (size_t i = 0; i < 2; i++) {
        struct buf sealed;
        struct slice s = sealed_by(&keys.key[0], "", texts[i], &sealed);
        assert_true(opens(&keys.key[0], "", s, texts[i]));
        buf_free(&sealed);
    }
}

/* Test case 15 of the GCM specification (McGrew and Viega): nonce, ciphertext, tag. */
static void the_bytes_are_aes_256_gcm(void **state)
{
    (void)state;
    static const char sealed[] = "\xca\xfe\xba\xbe\xfa\xce\xdb\xad\xde\xca\xf8\x88"
                                 "\x52\x2d\xc1\xf0\x99\x56\x7d\x07\xf4\x7f\x37\xa3\x2a\x84\x42\x7d"
                                 "\x64\x3a\x8c\xdc\xbf\xe5\xc0\xc9\x75\x98\xa2\xbd\x25\x55\xd1\xaa"
                                 "\x8c\xb0\x8e\x48\x59\x0d\xbb\x3d\xa7\xb0\x8b\x10\x56\x82\x88\x38"
                                 "\xc5\xf6\x1e\x63\x93\xba\x7a\x0a\xbc\xc9\xf6\x62\x89\x80\x15\xad"
                                 "\xb0\x94\xda\xc5\xd9\x34\x71\xbd\xec\x1a\x50\x22\x70\xe3\xcc\x6c";
    static const char text[] = "\xd9\x31\x32\x25\xf8\x84\x06\xe5\xa5\x59\x09\xc5\xaf\xf5\x26\x9a"
                               "\x86\xa7\xa9\x53\x15\x34\xf7\xda\x2e\x4c\x30\x3d\x8a\x31\x8a\x72"
                               "\x1c\x3c\x0c\x95\x95\x68\x09\x53\x2f\xcf\x0e\x24\x49\xa6\xb5\x25"
                               "\xb1\x6a\xed\xf5\xaa\x0d\xe6\x57\xba\x63\x7b\x39\x1a\xaf\xd2\x55";
    struct seal_keys keys =
        keys_of("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    assert_true(opens(&keys.key[0], "", (struct slice){sealed, sizeof(sealed) - 1},
                      (struct slice){text, sizeof(text) - 1}));
}

static void keys_are_found_by_their_id(void **state)
{
    (void)state;
    struct seal_keys keys = keys_of(HEX "," BASE64);
    assert_ptr_equal(seal_key_find(&keys, slice_of(keys.key[1].id)), &keys.key[0]);
    assert_null(seal_key_find(&keys, SLICE("0000000000000000")));
    assert_null(seal_key_find(NULL, slice_of(keys.key[0].id)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_hex_or_base64),
        cmocka_unit_test(what_is_no_key_is_told_and_not_quoted),
        cmocka_unit_test(the_number_of_keys_is_bounded),
        cmocka_unit_test(what_is_sealed_opens_with_its_key_at_its_place_alone),
        cmocka_unit_test(nothing_and_much_can_be_sealed),
        cmocka_unit_test(the_bytes_are_aes_256_gcm),
        cmocka_unit_test(keys_are_found_by_their_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
