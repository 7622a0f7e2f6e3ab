/* SPDX-License-Identifier: Apache-2.0 */
/* links: pricing */
/* The grammar of price keys, and the patterns of model families. */
#include "pricing/book.h"
#include "pricing/map/family.h"
#include "pricing/map/grammar.h"
#include "pricing/map/lists.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
    const char *key;
    enum rate_kind kind;
    unsigned variant;
    uint32_t above;
    const char *detail;
} known[] = {
    {"input_cost_per_token", RATE_INPUT, VARIANT_PLAIN, 0, ""},
    {"output_cost_per_token_priority", RATE_OUTPUT, VARIANT_PRIORITY, 0, ""},
    {"input_cost_per_token_above_272k_tokens_flex", RATE_INPUT, VARIANT_FLEX, 272000, ""},
    {"input_cost_per_token_above_64_tokens", RATE_INPUT, VARIANT_PLAIN, 64, ""},
    {"cache_read_input_token_cost_above_1500k_tokens_batches", RATE_READ, VARIANT_BATCHES, 1500000,
     ""},
    {"cache_creation_input_token_cost", RATE_WRITE, VARIANT_PLAIN, 0, ""},
    {"cache_creation_input_token_cost_above_1hr", RATE_WRITE_1H, VARIANT_PLAIN, 0, ""},
    {"cache_creation_input_token_cost_above_1hr_above_200k_tokens", RATE_WRITE_1H, VARIANT_PLAIN,
     200000, ""},
    {"cache_creation_input_token_cost_above_12hr_above_272k_tokens_flex", RATE_WRITE_12H,
     VARIANT_FLEX, 272000, ""},
    {"input_cost_per_audio_token_above_200k_tokens_batches", RATE_INPUT_AUDIO_TOKEN,
     VARIANT_BATCHES, 200000, ""},
    {"explicit_cache_read_input_token_cost", RATE_EXPLICIT_READ, VARIANT_PLAIN, 0, ""},
    {"cache_read_input_audio_token_cost", RATE_READ_AUDIO, VARIANT_PLAIN, 0, ""},
    {"output_cost_per_reasoning_token_flex", RATE_REASONING, VARIANT_FLEX, 0, ""},
    {"input_cost_per_image", RATE_INPUT_IMAGE, VARIANT_PLAIN, 0, ""},
    {"input_cost_per_image_token", RATE_INPUT_IMAGE_TOKEN, VARIANT_PLAIN, 0, ""},
    {"output_cost_per_image_2K", RATE_OUTPUT_IMAGE, VARIANT_PLAIN, 0, "2K"},
    {"output_cost_per_second_1080p", RATE_OUTPUT_SECOND, VARIANT_PLAIN, 0, "1080p"},
    {"output_cost_per_character_above_128k_tokens", RATE_OUTPUT_CHARACTER, VARIANT_PLAIN, 128000,
     ""},
    {"ocr_cost_per_page_batches", RATE_PAGE, VARIANT_BATCHES, 0, ""},
};

static void keys_are_read_by_the_grammar(void **state)
{
    (void)state;
    struct variants variants;
    variants_init(&variants);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct price_key key;
        if (!price_key_parse(slice_of(known[i].key), &variants, NULL, &key))
            fail_msg("%s", known[i].key);
        if (key.kind != known[i].kind || key.variant != known[i].variant ||
            key.above_tokens != known[i].above || !slice_is(key.detail, known[i].detail))
            fail_msg("%s: kind %d variant %u above %u", known[i].key, key.kind, key.variant,
                     key.above_tokens);
    }
}

static void what_is_no_price_key_is_refused(void **state)
{
    (void)state;
    static const char *const others[] = {
        "max_tokens",
        "input_cost_per_tokens",
        "input_cost_per_token_",
        "input_cost_per_token_cache_hit",
        "input_cost_per_token_above_k_tokens",
        "input_cost_per_token_above_200k",
        "input_cost_per_token_priority_above_200k_tokens",
        "input_cost_per_token_above_0k_tokens",
    };
    struct variants variants;
    variants_init(&variants);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct price_key key;
        if (price_key_parse(slice_of(others[i]), &variants, NULL, &key))
            fail_msg("%s", others[i]);
    }
}

static void a_new_tier_is_learnt_from_a_map(void **state)
{
    (void)state;
    struct variants variants;
    struct price_key key;
    variants_init(&variants);
    assert_false(price_key_parse(SLICE("input_cost_per_token_turbo"), &variants, NULL, &key));
    assert_true(price_key_parse(SLICE("input_cost_per_token_turbo"), &variants, &variants, &key));
    assert_int_equal(key.variant, VARIANT_LEARNED);
    assert_int_equal(variants_find(&variants, SLICE("turbo")), VARIANT_LEARNED);
    assert_true(price_key_parse(SLICE("output_cost_per_token_turbo"), &variants, NULL, &key));
    assert_int_equal(key.variant, VARIANT_LEARNED);
    assert_true(price_key_visible(SLICE("output_cost_per_token_turbo"), &key, false));
    assert_false(price_key_visible(SLICE("output_cost_per_token_turbo"), &key, true));
}

static void keys_that_no_formula_reads_are_dead(void **state)
{
    (void)state;
    struct variants variants;
    struct price_key key;
    variants_init(&variants);
    /* LiteLLM 1.110.2 reads audio's tiers and thresholds, and no others of the modalities. */
    assert_true(
        price_key_parse(SLICE("input_cost_per_audio_token_priority"), &variants, NULL, &key));
    assert_true(price_key_visible(SLICE("input_cost_per_audio_token_priority"), &key, true));
    assert_true(
        price_key_parse(SLICE("input_cost_per_video_token_priority"), &variants, NULL, &key));
    assert_false(price_key_visible(SLICE("input_cost_per_video_token_priority"), &key, false));
    assert_true(price_key_parse(SLICE("input_cost_per_token_decisions"), &variants, NULL, &key));
    assert_int_equal(key.variant, VARIANT_DECISIONS);
    assert_true(price_key_visible(SLICE("input_cost_per_token_decisions"), &key, true));
    assert_true(price_key_parse(SLICE("input_cost_per_token_above_512k_tokens_priority"), &variants,
                                NULL, &key));
    assert_true(
        price_key_visible(SLICE("input_cost_per_token_above_512k_tokens_priority"), &key, false));
    assert_false(
        price_key_visible(SLICE("input_cost_per_token_above_512k_tokens_priority"), &key, true));
}

static void a_misspelt_key_gets_a_suggestion(void **state)
{
    (void)state;
    assert_string_equal(price_key_suggest(SLICE("input_cost_per_tokn")), "input_cost_per_token");
    assert_string_equal(price_key_suggest(SLICE("cache_read_input_tokens_cost")),
                        "cache_read_input_token_cost");
    assert_true(price_key_suspect(SLICE("input_cost_per_tokn")));
    assert_true(price_key_suspect(SLICE("my_price")));
    assert_false(price_key_suspect(SLICE("max_input_tokens")));
}

static void the_lists_are_of_the_version_that_the_rules_follow(void **state)
{
    (void)state;
    assert_string_equal(lists_litellm, PRICING_RULES);
}

static void lists_are_sorted_and_searched(void **state)
{
    (void)state;
    const struct word_list *lists[] = {&list_visible,     &list_custom,         &list_non_inference,
                                       &list_bedrock_geo, &list_bedrock_region, &list_replicate};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (size_t j = 0; j < lists[i]->count; j++) {
            assert_true(list_has(lists[i], slice_of(lists[i]->words[j])));
            if (j && strcmp(lists[i]->words[j - 1], lists[i]->words[j]) >= 0)
                fail_msg("%s is out of order", lists[i]->words[j]);
        }
    assert_false(list_has(&list_custom, SLICE("input_cost_per_token2")));
    assert_false(list_has(&list_custom, SLICE("")));
    assert_false(list_has(&list_custom, SLICE("zzzz")));
}

static struct arena book;

static void family_patterns_match_like_pythons(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {
        {"claude-[a-z]+-\\d+(?:[-.]\\d+)?(?:-\\d{8})?", "anthropic.claude-opus-9", true},
        {"claude-[a-z]+-\\d+", "claude-3-opus", false},
        {"claude-[a-z]+-4[-._]6(?!\\d)", "claude-sonnet-4-6-20260219", true},
        {"claude-[a-z]+-4[-._]6(?!\\d)", "claude-sonnet-4-60", false},
        {"^wandb/", "wandb/x", true},
        {"^wandb/", "x/wandb/", false},
        {"^(?!.*search-api)(?:[a-z0-9_.-]+/)*(?:ft:)?(?:o[1-9]\\d*(?![a-z0-9]))", "openai/o3-mini",
         true},
        {"^(?!.*search-api)(?:[a-z0-9_.-]+/)*o[1-9]", "o3-search-api", false},
        {"gemini-(?!.*(?:-tts|-image))(?:2[.-][5-9]|[3-9])-(?:pro|flash)", "GEMINI-3-PRO", true},
        {"gemini-(?!.*(?:-tts|-image))(?:2[.-][5-9]|[3-9])-(?:pro|flash)", "gemini-3-pro-image",
         false},
        {"a{2,3}$", "xaaa", true},
        {"^a{2,3}$", "aaaa", false},
        {"(?:a|ab)c", "abc", true},
        {"^(?:a*)*b", "aaaaaaaaaaaaaaaaaaaaaaac", false},
        {"[^a-c]x", "dx", true},
        {"", "anything", true},
        {"^a|b", "xb", true},
        {"abc|d", "xd", true},
        {"ab?c", "AC", true},
        {"^(?:ab?){2,3}$", "abaab", true},
        {"^(?:ab?){2,3}$", "aaaa", false},
        {"^(?:a|bc){,2}$", "BCbc", true},
        {"^(?:a*){2}b", "b", true},
        {"^(?:a(?:b|c)*){2,}d", "abcacd", true},
        {"(a)|b", "b", true},
        {"[A-C]{2}x", "bCx", true},
        {"[^A]x", "ax", false},
        {"[[:d]+]", "d]", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct family family;
        assert_true(family_compile(slice_of(rows[i].pattern), &book, &family));
        if (family_matches(&family, slice_of(rows[i].text)) != rows[i].matches)
            fail_msg("%s on %s", rows[i].pattern, rows[i].text);
    }
}

/* As Python answers: a name's length makes no difference. */
static void a_long_name_is_matched_like_a_short_one(void **state)
{
    (void)state;
    static const char *const patterns[] = {"^a.*$", "^(?!a.*z$)a", "^(?!a*z)"};
    static char name[6000];
    memset(name, 'a', sizeof(name));
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        struct family family;
        assert_true(family_compile(slice_of(patterns[i]), &book, &family));
        assert_true(family_matches(&family, (struct slice){name, 600}));
        assert_true(family_matches(&family, (struct slice){name, sizeof(name)}));
    }
}

/* A name on which a pattern runs away matches nothing, also where the pattern says what it must not
 * be: giving up within (?!...) does not count as an answer. */
static void giving_up_is_not_an_answer(void **state)
{
    (void)state;
    static const char *const patterns[] = {"^(?!(?:a|a)*(?:a|a)*(?:a|a)*z)a", "^(?!(?:a|a)*z)|b"};
    static char name[60];
    memset(name, 'a', sizeof(name));
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        struct family family;
        assert_true(family_compile(slice_of(patterns[i]), &book, &family));
        assert_true(family_matches(&family, (struct slice){name, 4}));
        if (family_matches(&family, (struct slice){name, sizeof(name)}))
            fail_msg("%s", patterns[i]);
    }
}

static void a_pattern_that_is_not_understood_is_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {"(",  ")",   "[a", "a{2",  "(?<x>a)",
                                         "*a", "a\\", "(?", "a\\b", "\\D"};
    struct family family;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        if (family_compile(slice_of(broken[i]), &book, &family))
            fail_msg("%s", broken[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read_by_the_grammar),
        cmocka_unit_test(what_is_no_price_key_is_refused),
        cmocka_unit_test(a_new_tier_is_learnt_from_a_map),
        cmocka_unit_test(keys_that_no_formula_reads_are_dead),
        cmocka_unit_test(a_misspelt_key_gets_a_suggestion),
        cmocka_unit_test(the_lists_are_of_the_version_that_the_rules_follow),
        cmocka_unit_test(lists_are_sorted_and_searched),
        cmocka_unit_test(family_patterns_match_like_pythons),
        cmocka_unit_test(a_pattern_that_is_not_understood_is_refused),
        cmocka_unit_test(a_long_name_is_matched_like_a_short_one),
        cmocka_unit_test(giving_up_is_not_an_answer),
    };
    arena_init(&book, 1u << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&book);
    return failed;
}
