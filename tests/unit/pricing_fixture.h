/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of pricing share: a configuration or cost map from text, an event in one line, an
 * amount as text. Include after cmocka.
 *
 *     struct book *book = book_of("model_list: ...", OVERRIDES_MERGE);
 *     assert_string_equal(spend(book, "provider=openai model=gpt-4o input_tokens=10"), "0.000025");
 */
#ifndef TESTS_PRICING_FIXTURE_H
#define TESTS_PRICING_FIXTURE_H

#include "core/clock.h"
#include "pricing/book.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char fixture_path[2][64];

static inline void files_remove(void)
{
    for (unsigned i = 0; i < 2; i++)
        if (fixture_path[i][0])
            unlink(fixture_path[i]);
}

/* A temporary file with that text; one per slot, rewritten, gone when the program ends. */
static inline const char *file_of(unsigned slot, const char *text)
{
    if (!fixture_path[0][0] && !fixture_path[1][0])
        assert_int_equal(atexit(files_remove), 0);
    if (!fixture_path[slot][0]) {
        snprintf(fixture_path[slot], sizeof(fixture_path[slot]), "/tmp/pricing-test-XXXXXX");
        int fd = mkstemp(fixture_path[slot]);
        assert_true(fd >= 0);
        close(fd);
    }
    FILE *file = fopen(fixture_path[slot], "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return fixture_path[slot];
}

static inline struct book *book_with(const char *config, const char *map, enum overrides_mode mode,
                                     enum reported_cost_mode reported, struct err *err)
{
    struct cost_map_source source = {map ? file_of(1, map) : NULL, INT64_MIN, NULL};
    struct book_options options = {.cost_maps = &source,
                                   .cost_map_count = 1,
                                   .litellm_config = config ? file_of(0, config) : NULL,
                                   .overrides = mode,
                                   .reported_cost = reported};
    return book_load(&options, NULL, NULL, err);
}

static inline struct book *book_of(const char *config, enum overrides_mode mode)
{
    struct err err = {0};
    struct book *book = book_with(config, NULL, mode, REPORTED_FALLBACK, &err);
    if (!book)
        fail_msg("%s", err.text);
    return book;
}

/* The error of a load that must fail. */
static inline const char *load_error(const char *config, const char *map)
{
    static struct err err;
    err = (struct err){.kind = ERR_NONE};
    struct book *book = book_with(config, map, OVERRIDES_MERGE, REPORTED_FALLBACK, &err);
    if (book)
        fail_msg("loaded although it must not");
    assert_int_equal(err.kind, ERR_CONFIG);
    return err.text;
}

struct fixture_event {
    struct facts facts;
    struct decimal decimal[32];
    size_t decimal_count;
    char text[2048];
};

static inline void set_fact(struct fixture_event *event, const char *name, const char *value)
{
    enum fact fact = fact_find(slice_of(name));
    struct err err = {0};
    int64_t us;
    if (fact == FACT_COUNT)
        fail_msg("no fact %s", name);
    switch (fact_info[fact].kind) {
    case KIND_COUNT:
        facts_set_int(&event->facts, fact, strtoll(value, NULL, 10));
        break;
    case KIND_BOOL:
        facts_set_int(&event->facts, fact, strcmp(value, "true") == 0);
        break;
    case KIND_TIME:
        assert_true(clock_parse(slice_of(value), &us));
        facts_set_int(&event->facts, fact, us);
        break;
    case KIND_DECIMAL:
        assert_true(decimal_parse(slice_of(value), &event->decimal[event->decimal_count], &err));
        facts_set_decimal(&event->facts, fact, &event->decimal[event->decimal_count++]);
        break;
    default:
        facts_set_text(&event->facts, fact, slice_of(value));
    }
}

/* "fact=value fact=value": values without blanks. */
static inline void event_of(struct fixture_event *event, const char *line)
{
    *event = (struct fixture_event){.decimal_count = 0};
    assert_true(strlen(line) < sizeof(event->text));
    snprintf(event->text, sizeof(event->text), "%s", line);
    char *rest = event->text, *word;
    while ((word = strsep(&rest, " "))) {
        char *value = strchr(word, '=');
        if (!value)
            continue;
        *value++ = '\0';
        set_fact(event, word, value);
    }
}

static inline const struct charge *charge_of(const struct book *book, const char *line)
{
    static struct charge charge;
    struct fixture_event event;
    struct pricer *pricer = pricer_new(book);
    assert_non_null(pricer);
    event_of(&event, line);
    pricer_price(pricer, &event.facts, &charge, NULL);
    pricer_free(pricer);
    return &charge;
}

/* The spend as plain digits; "unknown_model" and the like where there is none. */
static inline const char *spend(const struct book *book, const char *line)
{
    static char text[DECIMAL_TEXT_MAX];
    const struct charge *charge = charge_of(book, line);
    if (!charge->has_spend)
        return reason_info[charge->reason].name;
    money_format(charge->spend, text);
    return text;
}

static inline const char *reason_of(const struct charge *charge)
{
    return reason_info[charge->reason].name ? reason_info[charge->reason].name : "";
}

#endif
