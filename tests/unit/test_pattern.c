/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions as mappings use them: what they match, what they refuse, and that no text
 * makes them slow. */
#include "core/pattern.h"

#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct arena arena;

static const struct pattern *compiled(const char *text)
{
    struct err err = {0};
    const struct pattern *pattern = pattern_compile(slice_of(text), PATTERN_POSIX, &arena, &err);
    if (!pattern)
        fail_msg("%s: %s", text, err.text);
    return pattern;
}

/* NULL: no match. */
static const struct row {
    const char *pattern, *text, *group;
} rows[] = {
    {"", "abc", ""},
    {"b", "abc", "b"},
    {"^b", "abc", NULL},
    {"c$", "abc", "c"},
    {"^$", "", ""},
    {"^$", "x", NULL},
    {"a.c", "abc", "abc"},
    {"a\\.c", "abc", NULL},
    {"a*", "aaa", "aaa"},
    {"a+b", "aaab", "aaab"},
    {"a+b", "b", NULL},
    {"ab?c", "ac", "ac"},
    {"a{2}", "a", NULL},
    {"a{2}", "aaa", "aa"},
    {"a{1,2}", "aaa", "aa"},
    {"a{2,}", "aaaa", "aaaa"},
    {"[a-c]+", "xxabcx", "abc"},
    {"[^a-c]+", "abxyc", "xy"},
    {"[]a]+", "]a]", "]a]"},
    {"[a-]+", "a-a", "a-a"},
    {"[[:digit:]]+", "ab12", "12"},
    {"\\d+\\w", "x12y", "12y"},
    {"(b)(c)", "abc", "b"},
    {"(?:b)(c)", "abc", "c"},
    {"a|b|c", "xb", "b"},
    {"^(ab|a)b", "ab", "a"},
    {"(a|b)*c", "ababc", "b"},
    {"(ab)+", "ababx", "ab"},
    {"(ab)?c", "c", NULL},
    {"x(ab)?c", "xabc", "ab"},
    {"^([23])", "200", "2"},
    {"[^/]*/(.+)$", "arn:aws:x/us.model/v1", "us.model/v1"},
    {"^https?://(?:api\\.)?([^./]+)", "https://api.openai.com/v1", "openai"},
    {"^[a-z]+://([^/:?#]+)", "https://eu.api.openai.com:443/v1", "eu.api.openai.com"},
    {"/messages(\\?|$)", "/v1/messages", ""},
    {"((a)|b)c", "bc", "b"},
    {"^(?:a+)?b", "aab", "aab"},
    {"^(?:a{2})*b", "aaab", NULL},
    {"^(?:a+){2}b", "ab", NULL},
    {"^(?:a*)*b", "aab", "aab"},
    {"\xc3\xa9+", "caf\xc3\xa9", "\xc3\xa9"},
};

static bool matches(const struct pattern *pattern, const char *text, struct slice *group)
{
    bool gave_up = false;
    bool match = pattern_match(pattern, slice_of(text), group, &gave_up);
    assert_false(gave_up);
    return match;
}

static void patterns_match_as_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice group = {NULL, 0};
        bool hit = matches(compiled(rows[i].pattern), rows[i].text, &group);
        if (hit != (rows[i].group != NULL) || (hit && !slice_is(group, rows[i].group)))
            fail_msg("/%s/ on \"%s\": \"" SLICE_FMT "\"", rows[i].pattern, rows[i].text,
                     SLICE_ARG(group));
    }
}

static bool posix_matches(const char *pattern, const char *text)
{
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool hit = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return hit;
}

/* Where POSIX knows the syntax, it must agree on whether there is a match at all. */
static void posix_agrees_on_the_verdict(void **state)
{
    (void)state;
    /* As POSIX writes it, and with groups that need not take part. */
    static const char *const patterns[][2] = {
        {"a|ab|c", "a|ab|c"},         {"(a|ab)(c|bcd)*x", "(?:a|ab)(?:c|bcd)*x"},
        {"^(a+|b)*$", "^(?:a+|b)*$"}, {"[^ab]+x?", "[^ab]+x?"},
        {"a{2,3}b", "a{2,3}b"},       {"(x(y|z))+w", "(?:x(?:y|z))+w"},
        {"^a.b.?$", "^a.b.?$"},       {"b*c|d", "b*c|d"},
    };
    uint32_t random = 1;
    for (size_t p = 0; p < sizeof patterns / sizeof patterns[0]; p++) {
        const struct pattern *ours = compiled(patterns[p][1]);
        for (int i = 0; i < 2000; i++) {
            char text[13];
            size_t bytes = (random >> 7) % sizeof text;
            for (size_t k = 0; k < bytes; k++) {
                random = random * 1664525 + 1013904223;
                text[k] = "abcdxyzw"[random >> 29];
            }
            random = random * 1664525 + 1013904223;
            text[bytes] = '\0';
            struct slice group;
            if (posix_matches(patterns[p][0], text) != matches(ours, text, &group))
                fail_msg("/%s/ on \"%s\"", patterns[p][0], text);
        }
    }
}

static void broken_patterns_are_refused_with_a_place(void **state)
{
    (void)state;
    static const char *const broken[] = {"(",  ")",   "a)",      "(a", "[a",     "[b-a]",
                                         "*",  "a**", "+a",      "a{", "a{2,1}", "a{0}",
                                         "\\", "\\k", "(ab){2}", "a|*"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct err err = {0};
        assert_null(pattern_compile(slice_of(broken[i]), PATTERN_POSIX, &arena, &err));
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_non_null(strstr(err.text, "at byte"));
    }
}

static void patterns_beyond_their_limits_are_refused(void **state)
{
    (void)state;
    static char text[4096];
    struct err err = {0};
    memset(text, 'a', 2000);
    assert_null(pattern_compile(slice_of(text), PATTERN_POSIX, &arena, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    memcpy(text, "((((((((((((((((((a))))))))))))))))))", 38);
    err = (struct err){0};
    assert_null(pattern_compile(slice_of(text), PATTERN_POSIX, &arena, &err));
    assert_non_null(strstr(err.text, "groups nested too deep"));
    assert_non_null(pattern_compile((struct slice){text + 1, 35}, PATTERN_POSIX, &arena, &err));
    for (int sets = 32; sets <= 33; sets++) {
        text[0] = '\0';
        for (int i = 0; i < sets; i++)
            snprintf(text + 4 * i, 5, "[%cz]", 'a' + i % 20);
        err = (struct err){0};
        assert_int_equal(pattern_compile(slice_of(text), PATTERN_POSIX, &arena, &err) != NULL,
                         sets == 32);
        assert_int_equal(err.kind, sets == 32 ? ERR_NONE : ERR_CONFIG);
    }
}

/* A number of repetitions has four digits at most; without one, more text than can be matched in
 * the steps there are is given up, not cut. */
static void repetitions_are_bounded(void **state)
{
    (void)state;
    static char text[70000];
    struct err err = {0};
    struct slice group;
    bool gave_up = false;
    assert_non_null(pattern_compile(SLICE("^a{9999}$"), PATTERN_POSIX, &arena, &err));
    assert_null(pattern_compile(SLICE("^a{10000}$"), PATTERN_POSIX, &arena, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "broken repetition at byte"));
    memset(text, 'a', sizeof(text) - 1);
    assert_false(pattern_match(compiled("^a*$"), slice_of(text), &group, &gave_up));
    assert_true(gave_up);
}

/* No match, and told apart from an honest one. */
static void a_pattern_that_runs_away_does_not_match(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool gives_up;
    } away[] = {
        {"^(a|a)*(a|a)*(a|a)*b$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
        {"(a|a)*(a|a)*(a|a)*b$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
        {"^(a*)*b$", "aaaaaaaaaaaaaaaaaaaaaaa", true},
        {"^(a|a)*b$", "aaa", false},
        {"^a*b$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    for (size_t i = 0; i < sizeof away / sizeof away[0]; i++) {
        bool gave_up = false;
        struct slice group;
        assert_false(
            pattern_match(compiled(away[i].pattern), slice_of(away[i].text), &group, &gave_up));
        assert_int_equal(gave_up, away[i].gives_up);
    }
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 64u << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_they_say),
        cmocka_unit_test(posix_agrees_on_the_verdict),
        cmocka_unit_test(broken_patterns_are_refused_with_a_place),
        cmocka_unit_test(patterns_beyond_their_limits_are_refused),
        cmocka_unit_test(repetitions_are_bounded),
        cmocka_unit_test(a_pattern_that_runs_away_does_not_match),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
