/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/*
 * The grammar of RFC 8259, production by production, and jansson's verdict on every text. Where the
 * two differ by design a text is marked with the class it belongs to.
 */
#include "core/utf8.h"
#include "ingest/scan.h"
#include "ingest/text.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define TEXT(literal) literal, sizeof(literal) - 1

/* Why jansson may see it otherwise: it wants valid strings and numbers that fit. */
enum class { SAME, CONTENT, NUMBER, DEPTH };

struct text {
    const char *p;
    size_t bytes;
    enum class class;
};

static const struct text good[] = {
    /* 2: white space around the six structural characters */
    {TEXT("[]"), SAME},
    {TEXT("{}"), SAME},
    {TEXT(" \t\r\n[ \t\r\n] \t\r\n"), SAME},
    {TEXT("\n{ \"a\" : 1 , \"b\" : [ 2 , 3 ] }\n"), SAME},
    {TEXT("[[],{},[[]]]"), SAME},
    /* 3: values */
    {TEXT("null"), SAME},
    {TEXT("true"), SAME},
    {TEXT("false"), SAME},
    {TEXT("[null,true,false]"), SAME},
    {TEXT("\"\""), SAME},
    {TEXT("0"), SAME},
    /* 4, 5: objects and arrays */
    {TEXT("{\"\":0}"), SAME},
    {TEXT("{\"a\":{\"b\":{\"c\":[]}}}"), SAME},
    {TEXT("{\"a\":1,\"a\":2}"), SAME},
    {TEXT("[1,\"2\",null,{},[3]]"), SAME},
    /* 6: numbers */
    {TEXT("-0"), SAME},
    {TEXT("[0,-1,10,9007199254740993]"), SAME},
    {TEXT("[0.0,-0.5,1.25,10.000]"), SAME},
    {TEXT("[1e0,1E5,1e+2,1e-7,0e1,-1.5E-3]"), SAME},
    {TEXT("9223372036854775807"), SAME},
    {TEXT("9223372036854775808"), NUMBER},
    {TEXT("-9223372036854775809"), NUMBER},
    {TEXT("1e400"), NUMBER},
    {TEXT("[123456789012345678901234567890]"), NUMBER},
    /* 7: strings */
    {TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), SAME},
    {TEXT("\"\\u0041\\u00e9\\u20AC\""), SAME},
    {TEXT("\"\\uD834\\uDD1E\""), SAME},
    {TEXT("\"\x7f\""), SAME},
    {TEXT("\"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\""), SAME},
    {TEXT("\"0123456789abcdef0123456789abcdef\\n0123456789abcdef\""), SAME},
    {TEXT("\"\\u0000\""), CONTENT},
    {TEXT("{\"\\u0000\":1}"), CONTENT},
    {TEXT("\"\\ud834\""), CONTENT},
    {TEXT("\"\\udd1e\\ud834\""), CONTENT},
    {TEXT("\"\xff\""), CONTENT},
    {TEXT("\"\xc0\xaf\""), CONTENT},
    {TEXT("\"\xed\xa0\x80\""), CONTENT},
};

static const struct text bad[] = {
    {TEXT(""), SAME},
    {TEXT(" "), SAME},
    /* 2: structure */
    {TEXT("["), SAME},
    {TEXT("]"), SAME},
    {TEXT("[1"), SAME},
    {TEXT("[1,"), SAME},
    {TEXT("[1,]"), SAME},
    {TEXT("[,1]"), SAME},
    {TEXT("[1 2]"), SAME},
    {TEXT("[1}"), SAME},
    {TEXT("[1]]"), SAME},
    {TEXT("[1] x"), SAME},
    {TEXT("{\"a\":1}{\"b\":2}"), SAME},
    {TEXT("\f[]"), SAME},
    {TEXT("\xc2\xa0[]"), SAME},
    {TEXT("\xef\xbb\xbf{}"), SAME},
    {TEXT("/* */[]"), SAME},
    {TEXT("[] // x"), SAME},
    /* 3: names of values */
    {TEXT("nul"), SAME},
    {TEXT("nulll"), SAME},
    {TEXT("True"), SAME},
    {TEXT("TRUE"), SAME},
    {TEXT("falsee"), SAME},
    {TEXT("NaN"), SAME},
    {TEXT("Infinity"), SAME},
    {TEXT("-Infinity"), SAME},
    {TEXT("undefined"), SAME},
    /* 4: objects */
    {TEXT("{"), SAME},
    {TEXT("{\"a\""), SAME},
    {TEXT("{\"a\":"), SAME},
    {TEXT("{\"a\":1"), SAME},
    {TEXT("{\"a\":1,"), SAME},
    {TEXT("{\"a\":1,}"), SAME},
    {TEXT("{,\"a\":1}"), SAME},
    {TEXT("{\"a\" 1}"), SAME},
    {TEXT("{\"a\":}"), SAME},
    {TEXT("{a:1}"), SAME},
    {TEXT("{'a':1}"), SAME},
    {TEXT("{1:1}"), SAME},
    {TEXT("{\"a\":1]"), SAME},
    /* 6: numbers */
    {TEXT("-"), SAME},
    {TEXT("+1"), SAME},
    {TEXT("01"), SAME},
    {TEXT("-01"), SAME},
    {TEXT("00"), SAME},
    {TEXT("1."), SAME},
    {TEXT(".5"), SAME},
    {TEXT("-.5"), SAME},
    {TEXT("1.e5"), SAME},
    {TEXT("1e"), SAME},
    {TEXT("1e+"), SAME},
    {TEXT("1e-"), SAME},
    {TEXT("1e1.5"), SAME},
    {TEXT("0x10"), SAME},
    {TEXT("1_000"), SAME},
    {TEXT("1 000"), SAME},
    {TEXT("--1"), SAME},
    /* 7: strings */
    {TEXT("\""), SAME},
    {TEXT("\"a"), SAME},
    {TEXT("\"a\\\""), SAME},
    {TEXT("\"\\"), SAME},
    {TEXT("\"\\x41\""), SAME},
    {TEXT("\"\\'\""), SAME},
    {TEXT("\"\\U0041\""), SAME},
    {TEXT("\"\\u\""), SAME},
    {TEXT("\"\\u004\""), SAME},
    {TEXT("\"\\u00g1\""), SAME},
    {TEXT("\"\n\""), SAME},
    {TEXT("\"\t\""), SAME},
    {TEXT("\"\0\""), SAME},
    {TEXT("\"0123456789abcdef\x1f\""), SAME},
    {TEXT("'a'"), SAME},
    {TEXT("abc"), SAME},
    {TEXT("[\"a\\\"]"), SAME},
    {TEXT("\0"), SAME},
    {TEXT("{}\0"), SAME},
};

/* In memory of just that size, so that a sanitizer sees a byte read beyond. */
static bool accepts(const char *p, size_t bytes, struct scan *scan)
{
    struct json json;
    char *copy = malloc(bytes + 1);
    assert_non_null(copy);
    memcpy(copy, p, bytes);
    *scan = (struct scan){.p = copy, .end = copy + bytes};
    bool ok = scan_text(scan, &json);
    assert_true(ok == (scan->reason == REASON_NONE));
    free(copy);
    return ok;
}

static bool jansson_accepts(const struct text *text)
{
    json_t *root = json_loadb(text->p, text->bytes, JSON_DECODE_ANY, NULL);
    json_decref(root);
    return root != NULL;
}

static void every_production_is_accepted(void **state)
{
    (void)state;
    struct scan scan;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!accepts(good[i].p, good[i].bytes, &scan))
            fail_msg("refused: %s (%s)", good[i].p, scan.detail);
        assert_true(jansson_accepts(&good[i]) == (good[i].class == SAME));
    }
}

static void every_violation_is_refused(void **state)
{
    (void)state;
    struct scan scan;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (accepts(bad[i].p, bad[i].bytes, &scan))
            fail_msg("accepted: %s", bad[i].p);
        assert_int_equal(scan.reason, REASON_BAD_JSON);
        assert_non_null(scan.detail);
        assert_false(jansson_accepts(&bad[i]));
    }
}

static void every_prefix_of_a_text_is_refused(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,-2.5e3,\"x\\u0041\\n\"],\"b\":{\"c\":true,\"d\":null}}";
    struct scan scan;
    for (size_t bytes = 0; bytes < sizeof text - 1; bytes++)
        assert_false(accepts(text, bytes, &scan));
    assert_true(accepts(text, sizeof text - 1, &scan));
}

static void nested(char *text, unsigned depth, const char *open, const char *close)
{
    *text = '\0';
    for (unsigned i = 0; i < depth; i++)
        strcat(text, open);
    strcat(text, "1");
    for (unsigned i = 0; i < depth; i++)
        strcat(text, close);
}

static void depth_ends_at_64(void **state)
{
    (void)state;
    static const char *const brackets[][2] = {{"[", "]"}, {"{\"a\":", "}"}};
    char text[1024];
    struct scan scan;
    for (size_t i = 0; i < 2; i++) {
        nested(text, JSON_DEPTH_MAX, brackets[i][0], brackets[i][1]);
        assert_true(accepts(text, strlen(text), &scan));
        nested(text, JSON_DEPTH_MAX + 1, brackets[i][0], brackets[i][1]);
        assert_false(accepts(text, strlen(text), &scan));
        assert_int_equal(scan.reason, REASON_TOO_DEEP);
    }
}

static struct json value_of(const char *text)
{
    struct scan scan = {.p = text, .end = text + strlen(text)};
    struct json json = {0};
    assert_true(scan_text(&scan, &json));
    return json;
}

static void values_are_slices_of_the_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *slice;
        enum token type;
        unsigned flags;
    } rows[] = {
        {" null ", "null", TOKEN_NULL, 0},
        {"true", "true", TOKEN_TRUE, 0},
        {"false", "false", TOKEN_FALSE, 0},
        {"-1.5e3 ", "-1.5e3", TOKEN_NUMBER, 0},
        {"\"plain\"", "plain", TOKEN_STRING, 0},
        {"\"a\\nb\"", "a\\nb", TOKEN_STRING, JSON_ESCAPED},
        {"\"0123456789abcdef\xc3\xa9\"", "0123456789abcdef\xc3\xa9", TOKEN_STRING, JSON_HIGH},
        {"\"\xc3\xa9\\t\"", "\xc3\xa9\\t", TOKEN_STRING, JSON_HIGH | JSON_ESCAPED},
        {" [1, 2] ", "[1, 2]", TOKEN_ARRAY, 0},
        {" {\"a\": {}} ", "{\"a\": {}}", TOKEN_OBJECT, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct json json = value_of(rows[i].text);
        assert_int_equal(json.type, rows[i].type);
        assert_int_equal(json.flags, rows[i].flags);
        assert_true(slice_is(json_slice(&json), rows[i].slice));
    }
}

static void containers_can_be_walked(void **state)
{
    (void)state;
    struct json array = value_of("[ 1 , \"b\" ,[2,3], {} ]"), empty = value_of("[ ]");
    struct json object = value_of("{ \"a\" : 1 , \"b\\u0063\" : [ ] , \"a\" : 2 }");
    struct json key, value;
    struct walk walk;
    unsigned count = 0;

    walk_open(&walk, &array, NULL);
    while (walk_element(&walk, &value))
        count++;
    assert_int_equal(count, 4);
    walk_open(&walk, &empty, NULL);
    assert_false(walk_element(&walk, &value));
    walk_open(&walk, &object, NULL);
    assert_true(walk_member(&walk, &key, &value));
    assert_true(slice_is(json_slice(&key), "a") && slice_is(json_slice(&value), "1"));
    assert_true(json_member(&object, SLICE("a"), &value, NULL));
    assert_true(slice_is(json_slice(&value), "2"));
    assert_true(json_member(&object, SLICE("bc"), &value, NULL));
    assert_int_equal(value.type, TOKEN_ARRAY);
    assert_false(json_member(&object, SLICE("d"), &value, NULL));
}

/* --- text ---------------------------------------------------------------------------------- */

static void strings_are_unescaped_and_repaired(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
        bool repaired;
    } rows[] = {
        {"\"plain\"", "plain", false},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", false},
        {"\"\\u0041\\u00e9\\u20ac\"", "A\xc3\xa9\xe2\x82\xac", false},
        {"\"\\ud834\\udd1e\"", "\xf0\x9d\x84\x9e", false},
        {"\"a\\u0000b\"",
         "a\xef\xbf\xbd"
         "b",
         true},
        {"\"\\ud834x\"", "\xef\xbf\xbdx", true},
        {"\"\\udd1e\"", "\xef\xbf\xbd", true},
        {"\"\\ud834\\u0041\"",
         "\xef\xbf\xbd"
         "A",
         true},
        {"\"\xff\xfe\"", "\xef\xbf\xbd\xef\xbf\xbd", true},
        {"\"\xc3\"", "\xef\xbf\xbd", true},
        {"\"\xed\xa0\x80\"", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", true},
        {"\"\xf4\x90\x80\x80\"", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", true},
        {"\"01234567\xc3\xa9\"", "01234567\xc3\xa9", false},
    };
    struct arena arena;
    arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool repaired = false;
        struct json json = value_of(rows[i].json);
        struct slice text = text_of(&json, &arena, &repaired);
        assert_true(slice_is(text, rows[i].text));
        assert_int_equal(repaired, rows[i].repaired);
    }
    arena_free(&arena);
}

static void objects_are_stored_as_they_stand_but_for_what_cannot_be(void **state)
{
    (void)state;
    struct arena arena;
    bool repaired = false;
    arena_init(&arena, 1u << 20);
    struct json plain = value_of("{\"a\": \"\\\\u0000\", \"b\": [1e5]}");
    assert_true(
        slice_is(text_json(&plain, &arena, &repaired), "{\"a\": \"\\\\u0000\", \"b\": [1e5]}"));
    assert_false(repaired);
    struct json broken = value_of("{\"a\":\"\\u0000\\ud834\\n\\u0041\",\"\xff\":1}");
    assert_true(slice_is(text_json(&broken, &arena, &repaired),
                         "{\"a\":\"\xef\xbf\xbd\xef\xbf\xbd\\n\\u0041\",\"\xef\xbf\xbd\":1}"));
    assert_true(repaired);
    arena_free(&arena);
}

static void characters_are_counted_as_python_counts_them(void **state)
{
    (void)state;
    assert_int_equal(text_characters(SLICE("")), 0);
    assert_int_equal(text_characters(SLICE(" a\tb\n\r\x0b\x0c\x1c\x1f")), 2);
    assert_int_equal(text_characters(SLICE("\xc3\xbc\xe6\x97\xa5\xf0\x9d\x84\x9e")), 3);
    assert_int_equal(text_characters(SLICE("\xc2\xa0\xe3\x80\x80\xe2\x80\x83\xe2\x80\xa8x")), 1);
    assert_int_equal(text_characters(SLICE("\xe2\x80\x8b\xef\xbb\xbf")), 2); /* no Zs */
}

static void texts_are_cut_between_characters(void **state)
{
    (void)state;
    struct slice text = SLICE("a\xc3\xa9\xe2\x82\xac");
    assert_int_equal(utf8_cut(text, 6).bytes, 6);
    assert_int_equal(utf8_cut(text, 5).bytes, 3);
    assert_int_equal(utf8_cut(text, 4).bytes, 3);
    assert_int_equal(utf8_cut(text, 2).bytes, 1);
    assert_int_equal(utf8_cut(text, 0).bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_production_is_accepted),
        cmocka_unit_test(every_violation_is_refused),
        cmocka_unit_test(every_prefix_of_a_text_is_refused),
        cmocka_unit_test(depth_ends_at_64),
        cmocka_unit_test(values_are_slices_of_the_text),
        cmocka_unit_test(containers_can_be_walked),
        cmocka_unit_test(strings_are_unescaped_and_repaired),
        cmocka_unit_test(objects_are_stored_as_they_stand_but_for_what_cannot_be),
        cmocka_unit_test(characters_are_counted_as_python_counts_them),
        cmocka_unit_test(texts_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
