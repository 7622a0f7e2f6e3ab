/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest pricing */
/*
 * The table of providers: its order, its words, and that one more row is all that a generically
 * priced provider takes. The three files that expand the table are compiled here with a row more
 * than the archives have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PROVIDERS_MORE "tests/unit/providers_more.def"
#include "core/providers.c"
#include "pricing/bill/formulas.c"
#include "pricing/names/rules.c"

#include "ingest/provider.h"
#include "pricing_fixture.h"

#include <ctype.h>

static void names_are_sorted_and_found(void **state)
{
    (void)state;
    for (unsigned id = PROVIDER_OTHER + 1; id < PROVIDER_COUNT; id++) {
        assert_int_equal(provider_find(slice_of(provider_table[id].name)), id);
        if (id > 1 && strcmp(provider_table[id - 1].name, provider_table[id].name) >= 0)
            fail_msg("%s is out of order", provider_table[id].name);
    }
    assert_false(provider_is_known(SLICE("openai2")));
    assert_false(provider_is_known(SLICE("OpenAI")));
    assert_false(provider_is_known(SLICE("")));
    assert_false(provider_is_known(SLICE("zzzzz")));
}

static void no_word_is_of_two_providers(void **state)
{
    (void)state;
    assert_int_equal(provider_find_word(SLICE("nobody")), PROVIDER_OTHER);
    for (size_t i = 1; i < word_count; i++)
        if (strcasecmp(words[i - 1].text, words[i].text) == 0)
            fail_msg("%s is a word of %s and of %s", words[i].text,
                     provider_table[words[i - 1].provider].name,
                     provider_table[words[i].provider].name);
}

/* Words that people write apart are of one provider: but for two that say so themselves. */
static void plain_words_are_of_one_provider(void **state)
{
    (void)state;
    for (size_t i = 1; i < word_count; i++)
        if (strcmp(plain_words[i - 1].text, plain_words[i].text) == 0 &&
            strcmp(plain_words[i].text, "coherechat") != 0)
            fail_msg("%s is a word twice", plain_words[i].text);
    for (size_t i = 0; i < word_count; i++) {
        char text[PLAIN_WORD_BYTES];
        strcpy(text, plain_words[i].text);
        enum provider_id other = find_with_or_without_ai(text);
        if (other && other != plain_words[i].provider)
            assert_true(strncmp(plain_words[i].text, "azure", 5) == 0);
    }
}

static void any_word_is_found_in_any_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < word_count; i++) {
        char upper[64];
        size_t bytes = strlen(words[i].text);
        assert_true(bytes < sizeof(upper));
        for (size_t j = 0; j < bytes; j++)
            upper[j] = (char)toupper((unsigned char)words[i].text[j]);
        assert_int_equal(provider_find_word((struct slice){upper, bytes}), words[i].provider);
        assert_true(slice_is(provider_canonical((struct slice){upper, bytes}),
                             provider_table[words[i].provider].name));
    }
}

static void every_row_has_formulas_and_rules(void **state)
{
    (void)state;
    for (unsigned id = PROVIDER_OTHER; id < PROVIDER_COUNT; id++) {
        const struct formulas *formulas = formulas_of((enum provider_id)id);
        assert_non_null(formulas->chat);
        assert_non_null(formulas->image);
        assert_non_null(formulas->web);
        assert_non_null(names_rules_of(slice_of(provider_table[id].name)));
    }
}

/* An event that says its provider in the model's name alone, or in the gateway's word. */
static void one_more_row_is_a_provider(void **state)
{
    (void)state;
    static const char map[] = "{\"zz_one_more/model-1\": {\"litellm_provider\": \"zz_one_more\","
                              " \"mode\": \"chat\", \"input_cost_per_token\": 2e-06,"
                              " \"output_cost_per_token\": 4e-06}}";
    struct err err = {0};
    struct book *book = book_with(NULL, map, OVERRIDES_MERGE, REPORTED_FALLBACK, &err);
    if (!book)
        fail_msg("%s", err.text);
    assert_string_equal(
        spend(book, "model=zz_one_more/model-1 input_tokens=1000 output_tokens=100"), "0.0024");
    assert_string_equal(spend(book, "model=zz_none/model-1 input_tokens=1000 output_tokens=100"),
                        "provider_unknown");
    assert_true(slice_is(provider_canonical(SLICE("One-More AI")), "zz_one_more"));
    assert_true(slice_is(provider_canonical(SLICE("one-more ai.chat")), "zz_one_more"));
    book_free(book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_sorted_and_found),
        cmocka_unit_test(no_word_is_of_two_providers),
        cmocka_unit_test(plain_words_are_of_one_provider),
        cmocka_unit_test(any_word_is_found_in_any_case),
        cmocka_unit_test(every_row_has_formulas_and_rules),
        cmocka_unit_test(one_more_row_is_a_provider),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
