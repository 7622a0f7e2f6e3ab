/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest pricing */
/*
 * Events of other projects' instrumentations (tests/cases/peers, tests/cases/emitters: `origin`
 * says whose code or test each follows), and what must be read from them: one call each, with these
 * counts and no others, this provider and model, this price.
 */
#include "ingest/mapping.h"
#include "pricing/book.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct mappings *set;
static struct mapper *mapper;
static struct arena batch;
static struct book *book;
static struct pricer *pricer;

struct reading_of {
    const json_t *peer;
    unsigned events;
    bool wrong;
};

static void complain(struct reading_of *it, const char *what, const char *got)
{
    print_error("%s: %s is %s\n", json_string_value(json_object_get(it->peer, "id")), what, got);
    it->wrong = true;
}

static bool is_tokens(enum fact fact)
{
    const char *name = fact_info[fact].name, *end = strrchr(name, '_');
    return fact_info[fact].kind == KIND_COUNT && end && strcmp(end, "_tokens") == 0 &&
           fact != FACT_TOTAL_TOKENS;
}

/* Counts that are not named must be 0, but for those beyond `only`. */
static void tokens_check(struct reading_of *it, const struct facts *facts, const json_t *tokens,
                         bool only)
{
    for (enum fact i = 0; i < FACT_COUNT; i++) {
        const json_t *want = json_object_get(tokens, fact_info[i].name);
        char text[32];
        if (!is_tokens(i) || (only && !want) || facts_int(facts, i) == json_integer_value(want))
            continue;
        snprintf(text, sizeof(text), "%lld", (long long)facts_int(facts, i));
        complain(it, fact_info[i].name, text);
    }
}

static void text_check(struct reading_of *it, const struct facts *facts, enum fact fact,
                       const json_t *want)
{
    char text[128];
    struct slice got = facts_text(facts, fact);
    if (!want || slice_is(got, json_string_value(want)))
        return;
    snprintf(text, sizeof(text), SLICE_FMT, SLICE_ARG(got));
    complain(it, fact_info[fact].name, text);
}

static void spend_check(struct reading_of *it, const struct facts *facts, const json_t *want)
{
    struct charge charge;
    char text[DECIMAL_TEXT_MAX];
    if (!want)
        return;
    pricer_price(pricer, facts, &charge, NULL);
    money_format(charge.spend, text);
    double difference = strtod(text, NULL) - json_number_value(want);
    if (!charge.has_spend || difference > 1e-12 || difference < -1e-12)
        complain(it, "spend", charge.has_spend ? text : "unknown");
}

static void on_record(const struct record *record, void *context)
{
    struct reading_of *it = context;
    const json_t *expected = json_object_get(it->peer, "expected");
    const json_t *tokens = json_object_get(expected, "tokens");
    if (record->outcome != RECORD_EVENT)
        return;
    const struct facts *facts = &record->event->facts;
    it->events++;
    if (tokens)
        tokens_check(it, facts, tokens, json_object_get(it->peer, "only") != NULL);
    text_check(it, facts, FACT_PROVIDER, json_object_get(expected, "provider"));
    text_check(it, facts, FACT_MODEL, json_object_get(expected, "model"));
    spend_check(it, facts, json_object_get(expected, "spend"));
    bool doubt = record->event->flags & (FLAG_COUNTS_CONTRADICT | FLAG_UNREAD_USAGE);
    if (doubt != json_is_true(json_object_get(expected, "doubt")))
        complain(it, "a flag of doubt", doubt ? "set" : "missing");
}

static unsigned file_check(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t capacity = 0;
    unsigned count = 0, wrong = 0;
    assert_non_null(file);
    while (getline(&line, &capacity, file) > 0) {
        json_t *peer = json_loads(line, 0, NULL);
        assert_non_null(peer);
        char *input = json_dumps(json_object_get(peer, "input"), 0);
        struct message message = {.bytes = slice_of(input)};
        struct reading_of it = {.peer = peer};
        arena_reset(&batch);
        mapper_read(mapper, &message, &batch, on_record, &it);
        if (it.events != 1)
            complain(&it, "number of events", it.events ? "more than one" : "none");
        wrong += it.wrong;
        count++;
        free(input);
        json_decref(peer);
    }
    free(line);
    fclose(file);
    assert_int_equal(wrong, 0);
    return count;
}

static void peers_are_read_as_they_mean_it(void **state)
{
    (void)state;
    unsigned count = file_check("tests/cases/peers/otel_conventions.jsonl") +
                     file_check("tests/cases/peers/langfuse_otel.jsonl") +
                     file_check("tests/cases/peers/vercel_otel.jsonl") +
                     file_check("tests/cases/peers/family_rule.jsonl");
    assert_int_equal(count, 33);
}

static void every_emitter_is_read_by_its_code(void **state)
{
    (void)state;
    assert_int_equal(file_check("tests/cases/emitters/otlp.jsonl"), 37);
}

static void providers_are_found_by_any_word(void **state)
{
    (void)state;
    assert_int_equal(file_check("tests/cases/emitters/words.jsonl"), 15);
}

static int set_up(void **state)
{
    struct err err = {0};
    struct book_options options = {.overrides = OVERRIDES_MERGE};
    (void)state;
    set = mappings_compile(NULL, 0, NULL, &err);
    mapper = set ? mapper_new(set) : NULL;
    book = book_load(&options, NULL, NULL, &err);
    pricer = book ? pricer_new(book) : NULL;
    arena_init(&batch, 16u << 20);
    if (!mapper || !pricer)
        print_error("%s\n", err.text);
    return mapper && pricer ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    pricer_free(pricer);
    book_free(book);
    mapper_free(mapper);
    mappings_free(set);
    arena_free(&batch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peers_are_read_as_they_mean_it),
        cmocka_unit_test(every_emitter_is_read_by_its_code),
        cmocka_unit_test(providers_are_found_by_any_word),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
