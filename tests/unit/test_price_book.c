/* SPDX-License-Identifier: Apache-2.0 */
/* links: pricing */
/* Loading: what a cost map and a configuration may and may not say; identity, dump, price history.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pricing/diff.h"
#include "tests/unit/pricing_fixture.h"

#include "pricing/map/catalog.h"

#define CONFIG(info)                                                                               \
    "model_list:\n"                                                                                \
    "- model_name: m\n"                                                                            \
    "  litellm_params: {model: openai/gpt-4o}\n"                                                   \
    "  model_info:\n"                                                                              \
    "    " info "\n"

static void expect_error(const char *config, const char *map, const char *part)
{
    const char *text = load_error(config, map);
    if (!strstr(text, part))
        fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void a_bad_price_in_the_configuration_is_an_error_with_its_line(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "-0.1",
        "true",
        "abc",
        ".nan",
        ".inf",
        "[1]",
        "{a: 1}",
        "1e999",
        "\"\"",
        "0x10",
        "0.00000000000000000000000000000000000000000000001",
    };
    char config[512];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(config, sizeof(config), CONFIG("input_cost_per_token: %s"), bad[i]);
        const char *text = load_error(config, NULL);
        if (!strstr(text, ":5: ") || !strstr(text, "input_cost_per_token"))
            fail_msg("%s: %s", bad[i], text);
    }
    char digits[600] = CONFIG("input_cost_per_token: 0.");
    size_t bytes = strlen(digits);
    digits[bytes - 1] = '\0';
    for (int i = 0; i < 400; i++)
        strcat(digits, "3");
    expect_error(digits, NULL, ":5: ");
    expect_error(CONFIG("input_cost_per_token: 1\n    input_cost_per_token: 2"), NULL,
                 "duplicate key");
    expect_error(CONFIG("tiered_pricing: 5"), NULL, "tiered_pricing");
    expect_error(CONFIG("off_peak_pricing: {hours_utc: \"25:00-26:00\"}"), NULL, "hours_utc");
    expect_error(CONFIG("tiered_pricing: [{range: [0, 5], input_cost_per_token: -1}]"), NULL, "-1");
}

/* However many members an object has. */
static void a_member_that_comes_twice_is_refused(void **state)
{
    (void)state;
    for (int others = 0; others <= 2000; others += 1000) {
        char *map = NULL;
        size_t bytes;
        FILE *out = open_memstream(&map, &bytes);
        fputs("{\"m\": {\"input_cost_per_token\": 1, \"search_context_cost_per_query\": "
              "{\"twice\": 1",
              out);
        for (int i = 0; i < others; i++)
            fprintf(out, ", \"k%d\": %d", i, i);
        fputs(",\n\"twice\": 2}}}", out);
        fclose(out);
        expect_error(NULL, map, ":2: \"twice\" is named twice");
        free(map);
    }
}

static void a_bad_price_in_the_map_ends_the_load(void **state)
{
    (void)state;
    static const char *const bad[] = {"-1", "true", "\"abc\"", "[1]", "{}", "1e-60"};
    char map[512];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(map, sizeof(map), "{\n \"m\": {\n  \"input_cost_per_token\": %s\n }\n}", bad[i]);
        const char *text = load_error(NULL, map);
        if (!strstr(text, ":3: ") || !strstr(text, "input_cost_per_token"))
            fail_msg("%s: %s", bad[i], text);
    }
    expect_error(NULL, "{\"m\": {\"input_cost_per_token\": NaN}}", ":1: ");
    expect_error(NULL, "{\"m\": {\"input_cost_per_token\": 01}}", ":1: ");
    expect_error(NULL, "{\"m\": {\"input_cost_per_token\": 1,\n\"input_cost_per_token\": 2}}",
                 "twice");
    expect_error(NULL, "{\"m\": {},\n\"m\": {}}", "twice");
    expect_error(NULL, "{\"m\": 5}", "map");
    expect_error(NULL, "[]", "map");
    expect_error(NULL, "{\"m\": {}", ":1: ");
    expect_error(NULL, "{\"m\": {}} x", "follows");
    expect_error(NULL, "", "ends");
}

static void a_threshold_that_is_said_twice_is_refused(void **state)
{
    (void)state;
    expect_error(CONFIG("input_cost_per_token_above_64k_tokens: 1\n"
                        "    input_cost_per_token_above_64000_tokens: 2"),
                 NULL, ":6: input_cost_per_token_above_64000_tokens: ");
    expect_error(CONFIG("input_cost_per_token_above_64k_tokens: 1\n"
                        "    input_cost_per_token_above_064k_tokens: 1"),
                 NULL, ":5 is the same threshold");
    expect_error(NULL,
                 "{\"m\": {\"input_cost_per_token\": 1,\n"
                 "\"input_cost_per_token_above_64k_tokens_priority\": 1,\n"
                 "\"input_cost_per_token_above_64000_tokens_priority\": 2}}",
                 ":3: input_cost_per_token_above_64000_tokens_priority: ");
    book_free(book_of(CONFIG("input_cost_per_token_above_64k_tokens: 1\n"
                             "    output_cost_per_token_above_64000_tokens: 2"),
                      OVERRIDES_MERGE));
}

static void the_maps_own_numeric_strings_are_numbers(void **state)
{
    (void)state;
    struct err err = {0};
    struct book *book = book_with(NULL,
                                  "{\"gpt-x\": {\"litellm_provider\": \"openai\", "
                                  "\"input_cost_per_token\": \"3e-7\", \"mode\": \"chat\"}}",
                                  OVERRIDES_MERGE, REPORTED_FALLBACK, &err);
    assert_non_null(book);
    assert_string_equal(spend(book, "provider=openai model=gpt-x input_tokens=10"), "0.000003");
    book_free(book);
}

static void three_ways_to_write_a_price_are_the_same_number(void **state)
{
    (void)state;
    static const char *const same[] = {"3e-7", "\"3e-7\"", "0.0000003", "3E-7", "0.00000030"};
    char config[512], id[65] = "";
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        snprintf(config, sizeof(config), CONFIG("input_cost_per_token: %s"), same[i]);
        struct book *book = book_of(config, OVERRIDES_MERGE);
        assert_string_equal(
            spend(book, "provider=openai model=gpt-4o model_group=m input_tokens=7"), "0.0000021");
        /* A quoted number is a text that says the same: only its spelling makes another book. */
        if (same[i][0] != '"') {
            if (id[0])
                assert_string_equal(book_id(book), id);
            snprintf(id, sizeof(id), "%s", book_id(book));
        }
        book_free(book);
    }
}

static void environment_references_are_resolved(void **state)
{
    (void)state;
    static const char config[] = CONFIG("input_cost_per_token: os.environ/PRICE_IN\n"
                                        "    output_cost_per_token: os.environ/PRICE_UNSET");
    setenv("PRICE_IN", "2e-6", 1);
    unsetenv("PRICE_UNSET");
    struct book *book = book_of(config, OVERRIDES_MERGE);
    /* the output is not set, so it is the map's */
    assert_string_equal(
        spend(book, "provider=openai model=gpt-4o model_group=m input_tokens=10 output_tokens=10"),
        "0.00012");
    book_free(book);
    setenv("PRICE_IN", "cheap", 1);
    expect_error(config, NULL, "cheap");
    unsetenv("PRICE_IN");
}

static void an_id_that_is_a_model_of_the_map_is_refused(void **state)
{
    (void)state;
    expect_error(CONFIG("id: gpt-4o\n    input_cost_per_token: 1e-6"), NULL,
                 "replace for everybody");
}

static void the_shape_of_a_configuration_is_checked(void **state)
{
    (void)state;
    expect_error("model_list: 5", NULL, "model_list");
    expect_error("model_list: [5]", NULL, "map");
    expect_error("model_list: [{litellm_params: {model: x}}]", NULL, "model_name");
    expect_error("model_list: [{model_name: x}]", NULL, "litellm_params.model");
    expect_error("model_list: [{model_name: x, litellm_params: {model: y}, model_info: 3}]", NULL,
                 "model_info");
    expect_error("litellm_settings: {cost_discount_config: {openai: 1.5}}", NULL, "discount");
    expect_error("litellm_settings: {cost_discount_config: {openai: -0.1}}", NULL, "negative");
    expect_error("litellm_settings: {cost_margin_config: {openai: [1]}}", NULL,
                 "cost_margin_config");
    expect_error("litellm_settings: {cost_margin_config: {openai: {percent: 0.1}}}", NULL,
                 "not percent");
    expect_error("litellm_settings: {cost_margin_config: {openai: {percentage: 0.1, fixed: 5}}}",
                 NULL, "not fixed");
    expect_error("litellm_settings: {cost_margin_config: {openai: {}}}", NULL, "neither");
    expect_error(CONFIG("off_peak_pricing: {hours: '16:30-00:30', input_cost_per_token: 1e-6}"),
                 NULL, "neither hours_utc nor windows");
    expect_error(CONFIG("off_peak_pricing: {windows: [], input_cost_per_token: 1e-6}"), NULL,
                 "neither hours_utc nor windows");
    expect_error("include: 3", NULL, "include");
    expect_error("include: [/no/such/file.yaml]", NULL, "/no/such/file.yaml");
}

static void included_files_add_their_deployments(void **state)
{
    (void)state;
    char config[512];
    const char *included = file_of(1, "model_list:\n- model_name: inner\n"
                                      "  litellm_params: {model: openai/gpt-4o}\n"
                                      "  model_info: {input_cost_per_token: 1}\n"
                                      "litellm_settings: {cost_margin_config: {global: 1}}\n");
    snprintf(config, sizeof(config),
             "include: [%s, %s]\nmodel_list:\n- model_name: outer\n"
             "  litellm_params: {model: openai/gpt-4o}\n"
             "  model_info: {input_cost_per_token: 2}\n",
             included, included);
    struct err err = {0};
    struct book_options options = {.litellm_config = file_of(0, config)};
    struct book *book = book_load(&options, NULL, NULL, &err);
    if (!book)
        fail_msg("%s", err.text);
    assert_string_equal(
        spend(book, "provider=openai model=gpt-4o model_group=inner input_tokens=3"), "6");
    assert_string_equal(
        spend(book, "provider=openai model=gpt-4o model_group=outer input_tokens=3"), "12");
    book_free(book);
}

/* ---- identity ----------------------------------------------------------------------------------
 */

static void a_dumped_book_comes_back_the_same(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf json;
    struct book *book =
        book_of(CONFIG("input_cost_per_token: 1e-6\n    effective_from: "
                       "2026-01-01T00:00:00Z") "litellm_settings:\n  cost_discount_config: "
                                               "{openai: 0.5}\n"
                                               "  cost_margin_config: {global: "
                                               "{percentage: 0.1, fixed_amount: 0.01}}\n",
                OVERRIDES_LITELLM);
    buf_init(&json, 64u << 20);
    assert_true(book_dump(book, &json, &err));
    static const char rules[] = "{\"pricing_version\":2,\"litellm_rules\":\"" PRICING_RULES "\",";
    assert_memory_equal(json.p, rules, sizeof(rules) - 1);
    struct book *again = book_restore(buf_slice(&json), &err);
    if (!again)
        fail_msg("%s", err.text);
    assert_string_equal(book_id(again), book_id(book));
    static const char event[] = "provider=openai model=gpt-4o model_group=m input_tokens=1000 "
                                "started_at=2026-06-01T00:00:00Z output_tokens=3";
    char first[DECIMAL_TEXT_MAX];
    snprintf(first, sizeof(first), "%s", spend(book, event));
    assert_string_equal(spend(again, event), first);
    char before[256], after[256];
    rate_source_format(charge_of(book, event)->item[0].source, before, sizeof(before));
    rate_source_format(charge_of(again, event)->item[0].source, after, sizeof(after));
    assert_string_equal(before, after);
    buf_free(&json);
    book_free(again);
    book_free(book);
}

/* What is built in a way that nobody knows is refused, and the map before it stays. */
static void a_map_of_an_unknown_structure_is_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "{}",
        "{\"sample_spec\": {\"mode\": \"chat\"}}",
        "{\"m\": {\"max_tokens\": 3, \"meter\": {\"a\": 1}}}",
        "{\"m\": {\"mode\": \"chat\", \"aliases\": [\"n\", 1]}}",
        "{\"m\": {\"mode\": \"chat\"}, \"fallback_generalizations\": [1]}",
        "{\"m\": {\"mode\": \"chat\"}, \"fallback_generalizations\": {\"rules\": 1}}",
        "{\"m\": {\"mode\": \"chat\"}, \"fallback_generalizations\": {\"rules\": [1]}}",
        "{\"m\": {\"alias_of\": \"n\"}, \"n\": {\"alias_of\": \"m\"}}",
    };
    for (size_t i = 0; i < 2 * sizeof(broken) / sizeof(broken[0]); i++) {
        struct err err = {0};
        struct arena arena;
        arena_init(&arena, 16u << 20);
        assert_null(catalog_parse(&arena, slice_of(broken[i / 2]), "map.json", i % 2, &err));
        assert_int_equal(err.kind, ERR_CONFIG);
        arena_free(&arena);
    }
}

static void a_broken_dump_is_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {"", "{}", "[]",
                                         "{\"pricing_version\":2,\"overrides\":\"x\"}"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct err err = {0};
        assert_null(book_restore(slice_of(broken[i]), &err));
        assert_int_equal(err.kind, ERR_CONFIG);
    }
}

/* Nothing is broken: its rows are set aside, and the others are gone on with. */
static void a_dump_of_other_rules_is_told_from_a_broken_one(void **state)
{
    struct err err = {0};
    (void)state;
    assert_null(book_restore(slice_of("{\"pricing_version\":999}"), &err));
    assert_int_equal(err.kind, ERR_INPUT);
}

static void secrets_are_not_dumped(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf json;
    struct book *book =
        book_of("model_list:\n- model_name: m\n  litellm_params: {model: openai/gpt-4o, "
                "api_key: sk-secret-canary, api_base: https://secret-host}\n"
                "  model_info: {input_cost_per_token: 1e-6}\n",
                OVERRIDES_MERGE);
    buf_init(&json, 64u << 20);
    assert_true(book_dump(book, &json, &err));
    buf_add_char(&json, '\0');
    assert_null(strstr(json.p, "canary"));
    assert_null(strstr(json.p, "secret-host"));
    buf_free(&json);
    book_free(book);
}

static void the_id_follows_prices_and_policies_only(void **state)
{
    (void)state;
    struct err err = {0};
    struct book *a = book_of(CONFIG("input_cost_per_token: 1e-6"), OVERRIDES_MERGE);
    struct book *moved =
        book_of("\n\n# a comment\n" CONFIG("input_cost_per_token: 0.000001"), OVERRIDES_MERGE);
    struct book *dearer = book_of(CONFIG("input_cost_per_token: 2e-6"), OVERRIDES_MERGE);
    struct book *other_mode = book_of(CONFIG("input_cost_per_token: 1e-6"), OVERRIDES_LITELLM);
    struct book *other_policy = book_with(CONFIG("input_cost_per_token: 1e-6"), NULL,
                                          OVERRIDES_MERGE, REPORTED_IGNORE, &err);
    assert_string_equal(book_id(a), book_id(moved));
    assert_string_not_equal(book_id(a), book_id(dearer));
    assert_string_not_equal(book_id(a), book_id(other_mode));
    assert_string_not_equal(book_id(a), book_id(other_policy));
    assert_int_equal(strlen(book_id(a)), 64);
    book_free(a);
    book_free(moved);
    book_free(dearer);
    book_free(other_mode);
    book_free(other_policy);
}

/* ---- price history -----------------------------------------------------------------------------
 */

#define HISTORY                                                                                    \
    "model_list:\n"                                                                                \
    "- model_name: m\n"                                                                            \
    "  litellm_params: {model: openai/acme}\n"                                                     \
    "  model_info: {input_cost_per_token: 1, effective_until: 2026-02-01T00:00:00Z}\n"             \
    "- model_name: m\n"                                                                            \
    "  litellm_params: {model: openai/acme}\n"                                                     \
    "  effective_from: 2026-02-01T00:00:00Z\n"                                                     \
    "  model_info: {input_cost_per_token: 2, effective_until: 2026-03-01T00:00:00Z}\n"

static void an_event_is_priced_as_of_its_start(void **state)
{
    (void)state;
    struct book *book = book_of(HISTORY, OVERRIDES_MERGE);
#define AT(time)                                                                                   \
    spend(book, "provider=openai model=acme model_group=m input_tokens=5 started_at=" time)
    assert_string_equal(AT("2026-01-31T23:59:59.999999Z"), "5");
    assert_string_equal(AT("2026-02-01T00:00:00Z"), "10");
    assert_string_equal(AT("2026-02-28T23:59:59Z"), "10");
    assert_string_equal(AT("2026-03-01T00:00:00Z"), "unknown_model");
#undef AT
    book_free(book);
}

static void overlapping_and_empty_times_are_refused(void **state)
{
    (void)state;
    expect_error(HISTORY
                 "- model_name: m\n  litellm_params: {model: openai/acme}\n"
                 "  model_info: {input_cost_per_token: 3, effective_from: 2026-01-15T00:00:00Z}\n",
                 NULL, "overlaps");
    expect_error(
        CONFIG("effective_from: 2026-02-01T00:00:00Z\n    effective_until: 2026-02-01T00:00:00Z"),
        NULL, "later");
    expect_error(CONFIG("effective_from: yesterday"), NULL, "effective_from");
}

static void cost_maps_follow_one_another(void **state)
{
    (void)state;
    struct err err = {0};
    int64_t from;
    assert_true(clock_parse(SLICE("2026-05-01T00:00:00Z"), &from));
    struct cost_map_source sources[] = {
        {file_of(0, "{\"gpt-x\": {\"litellm_provider\": \"openai\", \"input_cost_per_token\": 1}}"),
         INT64_MIN, NULL},
        {file_of(1, "{\"gpt-x\": {\"litellm_provider\": \"openai\", \"input_cost_per_token\": 3}}"),
         from, NULL},
    };
    struct book_options options = {.cost_maps = sources, .cost_map_count = 2};
    struct book *book = book_load(&options, NULL, NULL, &err);
    if (!book)
        fail_msg("%s", err.text);
    assert_string_equal(
        spend(book, "provider=openai model=gpt-x input_tokens=2 started_at=2026-04-30T23:59:59Z"),
        "2");
    assert_string_equal(
        spend(book, "provider=openai model=gpt-x input_tokens=2 started_at=2026-05-01T00:00:00Z"),
        "6");
    book_free(book);
    sources[1].effective_from_us = INT64_MIN;
    assert_null(book_load(&options, NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
}

/* A book of two maps, the second from May on. */
static struct book *book_of_maps(const char *first, const char *second, const char *config)
{
    struct err err = {0};
    int64_t may;
    assert_true(clock_parse(SLICE("2026-05-01T00:00:00Z"), &may));
    char path[] = "/tmp/pricing-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, config, strlen(config)), strlen(config));
    close(fd);
    struct cost_map_source sources[] = {{file_of(0, first), INT64_MIN, NULL},
                                        {file_of(1, second), may, NULL}};
    struct book_options options = {
        .cost_maps = sources, .cost_map_count = second ? 2 : 1, .litellm_config = path};
    struct book *book = book_load(&options, NULL, NULL, &err);
    unlink(path);
    if (!book)
        fail_msg("%s", err.text);
    return book;
}

#define MAP(price)                                                                                 \
    "{\"gpt-x\": {\"litellm_provider\": \"openai\", \"input_cost_per_token\": " price "}}"
#define OTHER "{\"gpt-y\": {\"litellm_provider\": \"openai\", \"input_cost_per_token\": 1}}"

/* What holds for calls of any time counts: the newest prices may be the same. */
static void what_moved_is_counted_at_all_times(void **state)
{
    (void)state;
    static const char none[] = "{}";
    static const struct {
        const char *old[3], *new[3];
        size_t added, moved, gone;
    } way[] = {
        {{MAP("1"), MAP("3"), none}, {MAP("1"), MAP("3"), none}, 0, 0, 0},
        {{MAP("1"), MAP("3"), none}, {MAP("2"), MAP("3"), none}, 0, 1, 0},
        {{MAP("1"), MAP("3"), none}, {MAP("1"), MAP("4"), none}, 0, 1, 0},
        {{MAP("1"), MAP("3"), none}, {MAP("2"), MAP("4"), none}, 0, 1, 0}, /* once */
        {{MAP("1"), MAP("3"), none}, {MAP("1.05"), MAP("3"), none}, 0, 0, 0},
        {{MAP("1"), MAP("3"), none}, {OTHER, MAP("3"), none}, 1, 0, 1},
        {{MAP("1"), MAP("1"), none}, {MAP("1"), MAP("2"), none}, 0, 1, 0},
        {{MAP("1"), MAP("3"), HISTORY}, {MAP("1"), MAP("3"), HISTORY}, 0, 0, 0},
        {{MAP("1"), MAP("3"), none}, {MAP("1"), MAP("3"), HISTORY}, 1, 0, 0},
    };
    for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
        struct book *old = book_of_maps(way[i].old[0], way[i].old[1], way[i].old[2]);
        struct book *new = book_of_maps(way[i].new[0], way[i].new[1], way[i].new[2]);
        struct books_moves moves;
        assert_true(books_compare(old, new, &moves));
        if (moves.added != way[i].added || moves.moved != way[i].moved || moves.gone != way[i].gone)
            fail_msg("way %zu: %zu added, %zu moved, %zu gone", i, moves.added, moves.moved,
                     moves.gone);
        book_free(old);
        book_free(new);
    }
}

/* ---- findings ----------------------------------------------------------------------------------
 */

static char found[16384];

static void collect(enum finding_level level, const char *text, void *context)
{
    (void)context;
    size_t used = strlen(found);
    snprintf(found + used, sizeof(found) - used, "%s %s\n", level == FINDING_WARNING ? "W" : "I",
             text);
}

static void expect_finding(const char *config, enum overrides_mode mode, const char *part)
{
    struct err err = {0};
    struct book_options options = {.litellm_config = file_of(0, config), .overrides = mode};
    found[0] = '\0';
    struct book *book = book_load(&options, collect, NULL, &err);
    if (!book)
        fail_msg("%s", err.text);
    book_free(book);
    if (!strstr(found, part))
        fail_msg("no finding says \"%s\":\n%s", part, found);
}

static void expect_no_finding(const char *config)
{
    expect_finding(config, OVERRIDES_MERGE, "");
    if (found[0])
        fail_msg("%s", found);
}

static void findings_name_prices_in_wrong_places(void **state)
{
    (void)state;
#define ENTRY(more) "model_list:\n- model_name: m\n  litellm_params: {model: openai/gpt-4o}\n" more
    expect_finding(ENTRY("  input_cost_per_token: 1e-6\n"), OVERRIDES_MERGE,
                   ":4: input_cost_per_token is not read in model_list[0]");
    expect_finding(ENTRY("  model_info: {inputCostPerToken: 1e-6}\n"), OVERRIDES_MERGE,
                   "did you mean input_cost_per_token?");
    expect_finding(ENTRY("  model-info: {input_cost_per_token: 1e-6}\n"), OVERRIDES_MERGE,
                   "model-info in model_list[0] is not read: did you mean model_info?");
    expect_finding(ENTRY("  model_info: {Input_Cost_Per_Token: 1e-6}\n"), OVERRIDES_MERGE,
                   "did you mean input_cost_per_token?");
    expect_finding(ENTRY("litellm_settings: {output_cost_per_token: 1}\n"), OVERRIDES_MERGE,
                   "output_cost_per_token is not read in litellm_settings");
    expect_finding("model_list:\n- model_name: m\n  litellm_params: {model: openai/gpt-4o, "
                   "model_info: {input_cost_per_token: 1}}\n",
                   OVERRIDES_MERGE, "not read in model_list[0].litellm_params.model_info");
    expect_finding(
        ENTRY("  model_info: {input_cost_per_token: 1e-6, effective_form: 2026-01-01}\n"),
        OVERRIDES_MERGE,
        "effective_form in model_list[0].model_info is not read: did you mean "
        "effective_from?");
    expect_finding(ENTRY("  model_info: {mode: chat}\n  effective-until: 2026-01-01\n"),
                   OVERRIDES_MERGE, "did you mean effective_until?");
    expect_no_finding(ENTRY("  model_info: {mode: chat, effective_from: 2026-01-01T00:00:00Z}\n"));
    expect_finding(ENTRY("  model_info: {mode: rerank, output_cost_per_image: 1}\n"),
                   OVERRIDES_MERGE, "output_cost_per_image is read by no formula of mode rerank");
#undef ENTRY
}

static void findings_name_slips_and_typos(void **state)
{
    (void)state;
    expect_finding(CONFIG("input_cost_per_tokn: 1e-6"), OVERRIDES_MERGE,
                   "did you mean input_cost_per_token?");
    expect_finding(CONFIG("input_cost_per_token: 2.5"), OVERRIDES_MERGE, "1000000 times");
    expect_finding(CONFIG("input_cost_per_token: 2.5e-3"), OVERRIDES_MERGE, "1000 times");
    expect_finding(CONFIG("input_cost_per_token: 2.5e-5"), OVERRIDES_MERGE, " 10 times");
    expect_finding(CONFIG("input_cost_per_token: 2.5e-7"), OVERRIDES_MERGE, "10th");
    expect_finding("model_list:\n- model_name: m\n  litellm_params: {model: openai/acme}\n"
                   "  model_info: {input_cost_per_token: 3}\n",
                   OVERRIDES_MERGE, "per million");
    expect_finding("model_list:\n- model_name: m\n  litellm_params: {model: openai/acme}\n",
                   OVERRIDES_MERGE, "unpriced");
    expect_finding("litellm_settings: {cost_discount_config: {opnai: 0.1}}", OVERRIDES_MERGE,
                   "opnai");
    expect_finding("litellm_settings: {cost_discount_config: {opnai/gpt-4o: 0.1}}", OVERRIDES_MERGE,
                   "opnai/gpt-4o");
    expect_no_finding("litellm_settings: {cost_discount_config: {'openai/gpt-4o*': 0.5}}");
    expect_finding(CONFIG("off_peak_pricing: {hours_utc: '16:30-00:30', input_per_token: 1e-6}"),
                   OVERRIDES_MERGE, "input_per_token: looks like a price but is not a known one");
    expect_finding(CONFIG("tiered_pricing: [{range: [0, 1000], input_cost_per_tokn: 1e-6}]"),
                   OVERRIDES_MERGE, "did you mean input_cost_per_token?");
#define TIERS(low, high)                                                                           \
    CONFIG("tiered_pricing: [{range: " low ", input_cost_per_token: 1e-6}, "                       \
           "{range: " high ", input_cost_per_token: 2e-6}]")
    expect_finding(TIERS("[0, 1000]", "[900, 2000]"), OVERRIDES_MERGE,
                   "the ranges [0, 1000] and [900, 2000] overlap");
    expect_finding(TIERS("[900, 2000]", "[0, 1000]"), OVERRIDES_LITELLM,
                   "the ranges [0, 1000] and [900, 2000] overlap");
    expect_finding(TIERS("[0, 1000]", "[1000, 2000]"), OVERRIDES_MERGE, "");
    assert_null(strstr(found, "overlap"));
#undef TIERS
    static const char *const alone[] = {"input_cost_per_request", "file_search_cost_per_1k_calls",
                                        "code_interpreter_cost_per_session",
                                        "input_dbu_cost_per_token"};
    char config[256], want[128];
    for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++) {
        snprintf(config, sizeof(config), CONFIG("%s: 0.5"), alone[i]);
        snprintf(want, sizeof(want), "%s alone is read by no formula", alone[i]);
        expect_finding(config, OVERRIDES_MERGE, want);
        expect_finding(config, OVERRIDES_LITELLM, want);
    }
    expect_finding("model_list:\n- model_name: m\n  litellm_params: {model: openai/gpt-4o, "
                   "input_cost_per_token_above_64k_tokens: 1e-6}\n",
                   OVERRIDES_MERGE, "put it into model_info");
}

static void findings_warn_of_litellms_quirks(void **state)
{
    (void)state;
    expect_finding(CONFIG("input_cost_per_token: 2.5e-6"), OVERRIDES_LITELLM, "output is free");
    expect_finding(CONFIG("output_cost_per_token: 1e-5"), OVERRIDES_LITELLM, "input is free");
    expect_finding(CONFIG("cache_read_input_token_cost: 1e-6"), OVERRIDES_LITELLM, "ignores");
    expect_finding(CONFIG("input_cost_per_token_batches: 1e-6"), OVERRIDES_LITELLM, "only batches");
    expect_finding(CONFIG("input_cost_per_token: 2.5e-6\n    output_cost_per_token: 1e-5"),
                   OVERRIDES_LITELLM, "lost");
    expect_finding(CONFIG("input_cost_per_token: 2.5e-6"), OVERRIDES_MERGE, "at tier priority");
}

static void deployments_that_cannot_be_told_apart_are_named(void **state)
{
    (void)state;
    expect_finding("model_list:\n"
                   "- {model_name: m, litellm_params: {model: openai/gpt-4o}, model_info: "
                   "{input_cost_per_token: 1e-6}}\n"
                   "- {model_name: m, litellm_params: {model: openai/gpt-4o}, model_info: "
                   "{input_cost_per_token: 2e-6}}\n",
                   OVERRIDES_MERGE, "cannot be told from line 2");
}

static char described[65536];

static void describe_line(const char *text, void *context)
{
    (void)context;
    size_t used = strlen(described);
    snprintf(described + used, sizeof(described) - used, "%s\n", text);
}

static void a_description_says_what_is_set_inherited_and_lost(void **state)
{
    (void)state;
    static const char config[] = CONFIG("input_cost_per_token: 3e-6");
    for (int mode = 0; mode < 2; mode++) {
        struct book *book = book_of(config, (enum overrides_mode)mode);
        described[0] = '\0';
        book_describe(book, false, describe_line, NULL);
        assert_non_null(strstr(described, "m -> openai/gpt-4o"));
        assert_non_null(strstr(described, "0.000003 (map: 0.0000025)"));
        assert_non_null(strstr(described, "inherited  cache_read_input_token_cost"));
        assert_int_equal(strstr(described, "lost       output_cost_per_token ") != NULL,
                         mode == OVERRIDES_LITELLM);
        described[0] = '\0';
        book_describe(book, true, describe_line, NULL);
        assert_non_null(strstr(described, "\"set\":{\"input_cost_per_token\":0.000003}"));
        book_free(book);
    }
}

/* ---- the gate for maps -------------------------------------------------------------------------
 */

#define ROW(members) "{\"m\": {\"litellm_provider\": \"openai\", \"mode\": \"chat\"" members "}}"
#define PRICES ", \"input_cost_per_token\": 1, \"output_cost_per_token\": 2"
#define CALL "provider=openai model=m input_tokens=3"

static const struct charge *charged(const char *map, enum unknown_keys_mode mode)
{
    struct err err = {0};
    struct cost_map_source source = {file_of(1, map), INT64_MIN, NULL};
    struct book_options options = {.cost_maps = &source, .cost_map_count = 1, .unknown_keys = mode};
    struct book *book = book_load(&options, NULL, NULL, &err);
    if (!book)
        fail_msg("%s", err.text);
    const struct charge *charge = charge_of(book, CALL);
    book_free(book);
    return charge;
}

static void a_description_calls_free_only_what_is_billed_as_0(void **state)
{
    static const char config[] = "model_list:\n"
                                 "- model_name: m\n"
                                 "  litellm_params: {model: openai/in-no-map, "
                                 "input_cost_per_token: 0.000001}\n";
    static const char call[] = "provider=openai model=m model_group=m input_tokens=10 "
                               "output_tokens=5";
    static const char *const said[] = {
        [OVERRIDES_MERGE] = "is unpriced (rate_missing)", [OVERRIDES_LITELLM] = "is free"};
    (void)state;
    for (enum overrides_mode mode = OVERRIDES_MERGE; mode <= OVERRIDES_LITELLM; mode++) {
        struct book *book = book_of(config, mode);
        described[0] = '\0';
        book_describe(book, false, describe_line, NULL);
        assert_non_null(strstr(described, said[mode]));
        assert_string_equal(spend(book, call),
                            mode == OVERRIDES_LITELLM ? "0.00001" : "rate_missing");
        book_free(book);
    }
}

static void a_key_that_may_be_money_is_told_at_the_row(void **state)
{
    (void)state;
    static const char *const money[] = {
        ROW(PRICES ", \"fee_per_call\": 0.01"),
        ROW(PRICES ", \"pricing\": {\"input\": 1}"),
        ROW(PRICES ", \"surcharges\": [{\"usd\": 1}]"),
        ROW(PRICES ", \"night_uplift\": \"1.5\""),
        ROW(PRICES ", \"alias_for\": \"gpt-4o\""),
        ROW(PRICES ", \"tiered_pricing\": [{\"range\": [0, 9], \"input_cost_per_token\": 1, "
                   "\"output_cost_per_token\": 2, \"cost_per_gulp\": 1}]"),
    };
    static const char *const none[] = {
        ROW(PRICES),
        ROW(PRICES ", \"supports_warp\": true, \"motto\": \"fast\", \"max_tokens\": 5"),
        ROW(PRICES ", \"input_cost_per_token_above_900k_tokens\": 3"),
        ROW(PRICES ", \"supported_things\": [\"a\", \"b\"]"),
    };
    for (size_t i = 0; i < sizeof(money) / sizeof(money[0]); i++) {
        assert_int_equal(charged(money[i], UNKNOWN_KEYS_FLAG)->flags, FLAG_UNKNOWN_PRICE_KEY);
        assert_int_equal(charged(money[i], UNKNOWN_KEYS_FLAG)->status, CHARGE_PRICED);
        assert_int_equal(charged(money[i], UNKNOWN_KEYS_UNPRICE)->reason, REASON_UNKNOWN_PRICE_KEY);
        struct err err = {0};
        struct cost_map_source source = {file_of(1, money[i]), INT64_MIN, NULL};
        struct book_options options = {
            .cost_maps = &source, .cost_map_count = 1, .unknown_keys = UNKNOWN_KEYS_REFUSE};
        assert_null(book_load(&options, NULL, NULL, &err));
        assert_int_equal(err.kind, ERR_CONFIG);
    }
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(charged(none[i], UNKNOWN_KEYS_FLAG)->flags, 0);
}

/* What is nothing but for a key that nobody knows is not known to be free. */
static void rates_of_0_beside_a_key_that_may_be_money_are_no_price(void **state)
{
    (void)state;
#define NOTHING ", \"input_cost_per_token\": 0, \"output_cost_per_token\": 0"
    const struct charge *charge =
        charged(ROW(NOTHING ", \"pricing\": {\"input\": 1}"), UNKNOWN_KEYS_FLAG);
    assert_int_equal(charge->status, CHARGE_UNPRICED);
    assert_int_equal(charge->reason, REASON_UNKNOWN_PRICE_KEY);
    assert_int_equal(charge->flags, FLAG_UNKNOWN_PRICE_KEY);
    assert_int_equal(charged(ROW(NOTHING), UNKNOWN_KEYS_FLAG)->reason, REASON_ZERO_RATE);
}

static void keep_newer(enum finding_level level, const char *text, void *context)
{
    if (level == FINDING_WARNING && strstr(text, "is newer than the pricing rules") &&
        strstr(text, PRICING_RULES))
        ++*(unsigned *)context;
}

static void a_map_that_is_newer_than_the_rules_is_told(void **state)
{
    (void)state;
    static const char *const map[] = {ROW(PRICES), ROW(PRICES ", \"fee_per_call\": 0.01"), NULL};
    static const size_t rows[] = {0, 1, 0}; /* the last is the built-in map */
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
        struct err err = {0};
        struct cost_map_source source = {map[i] ? file_of(1, map[i]) : NULL, INT64_MIN, NULL};
        struct book_options options = {.cost_maps = &source, .cost_map_count = 1};
        unsigned told = 0;
        struct book *book = book_load(&options, keep_newer, &told, &err);
        assert_non_null(book);
        assert_int_equal(book_unknown_rows(book), rows[i]);
        assert_int_equal(told, rows[i]);
        book_free(book);
    }
}

static void a_row_without_a_readable_price_is_never_free(void **state)
{
    (void)state;
    static const char *const rows[] = {
        ROW(""),
        ROW(", \"max_tokens\": 5"),
        ROW(", \"pricing\": {\"input_cost_per_token\": 1}"),
        ROW(", \"input_cost_per_token\": null"),
        ROW(", \"regional_processing_uplift_multiplier_eu\": 1.1"),
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(charged(rows[i], UNKNOWN_KEYS_FLAG)->reason, REASON_NO_RATE);
    assert_int_equal(charged(ROW(", \"input_cost_per_token\": 0"), UNKNOWN_KEYS_FLAG)->reason,
                     REASON_ZERO_RATE);
}

static void a_row_of_an_unknown_structure_refuses_the_map(void **state)
{
    (void)state;
    static const char *const maps[] = {
        "{\"m\": {\"cost\": {\"input\": 1}}}",
        "{\"m\": {\"litellm_provider\": {\"name\": \"openai\"}, \"input_cost_per_token\": 1}}",
        "{\"m\": {\"mode\": 3, \"input_cost_per_token\": 1}}",
        "{\"m\": {\"input_cost_per_token\": {\"usd\": 1}}}",
        "{\"m\": [1]}",
    };
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
        load_error(NULL, maps[i]);
}

/* A cost map of chat models: pairs of a name and the members that are its prices, then NULL. */
static const char *map_of(const char *const pairs[])
{
    static char text[2048];
    size_t bytes = (size_t)snprintf(text, sizeof(text), "{");
    for (size_t i = 0; pairs[i]; i += 2)
        bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes,
                                  "%s\"%s\": {\"litellm_provider\": \"openai\", \"mode\":"
                                  " \"chat\", %s}",
                                  i ? ", " : "", pairs[i], pairs[i + 1]);
    snprintf(text + bytes, sizeof(text) - bytes, "}");
    return text;
}

#define INPUT(rate) "\"input_cost_per_token\": " rate

static struct book *book_here(const char *config, const char *map)
{
    struct err err = {0};
    struct book *book = book_with(config, map, OVERRIDES_MERGE, REPORTED_FALLBACK, &err);
    if (!book)
        fail_msg("%s", err.text);
    return book;
}

static void what_moved_between_two_books_is_counted_by_model(void **state)
{
    static const char *const before[] = {
        "same",      INPUT("1"), "gone",      INPUT("1"), "tenth",    INPUT("10"), "more",
        INPUT("10"), "less",     INPUT("10"), "key",      INPUT("1"), NULL};
    static const char *const after[] = {
        "same",  INPUT("1"),   "new",  INPUT("1"),
        "tenth", INPUT("11"),  "more", INPUT("11.1"),
        "less",  INPUT("8.9"), "key",  INPUT("1, \"output_cost_per_token\": 2"),
        NULL};
    struct book *old = book_here(NULL, map_of(before)), *new = book_here(NULL, map_of(after));
    struct books_moves moves;
    (void)state;
    assert_true(books_compare(old, new, &moves));
    assert_int_equal(moves.models, 6);
    assert_int_equal(moves.added, 1);
    assert_int_equal(moves.gone, 1);
    assert_int_equal(moves.moved, 3); /* more, less and key: a tenth is not more than a tenth */
    book_free(old);
    book_free(new);
}

static void a_line_keep(const char *text, void *context)
{
    strncat(context, text, 4000 - strlen(context));
    strcat(context, "\n");
}

static void a_deployments_prices_are_shown_as_set_inherited_and_lost(void **state)
{
    (void)state;
    char text[4096] = "";
    struct book *book = book_here(CONFIG("input_cost_per_token: 0.5"), NULL);
    assert_true(prices_show(book, SLICE("m"), false, a_line_keep, text));
    assert_non_null(strstr(text, "input_cost_per_token"));
    assert_non_null(strstr(text, "set"));
    assert_non_null(strstr(text, "inherited"));
    text[0] = '\0';
    assert_true(prices_show(book, SLICE("m"), true, a_line_keep, text));
    assert_non_null(strstr(text, "\"input_cost_per_token\""));
    assert_false(prices_show(book, SLICE("nobody's"), false, a_line_keep, text));
    book_free(book);
}

static void a_name_in_a_map_may_be_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *map, *said;
    } bad[] = {
        {"{\"a\\u00\"}", "\\u escape"},
        {"{\"a\\u00zz\": 1}", "bad \\u escape"},
        {"{\"a\\u0000\": 1}", "U+0000 or a lone surrogate"},
        {"{\"a\\ud800\": 1}", "U+0000 or a lone surrogate"},
        {"{\"a\\ud83d\\u0041\": 1}", "lone surrogate"},
        {"{\"a\\x\": 1}", "unknown escape"},
    };
    char text[4096] = "";
    static const char *const pairs[] = {"m\\u00e9\\uD83D\\ude00", INPUT("1"), NULL};
    struct book *book = book_here(NULL, map_of(pairs));
    assert_true(prices_show(book, SLICE("m\u00e9\U0001F600"), false, a_line_keep, text));
    book_free(book);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_error(NULL, bad[i].map, bad[i].said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_moved_between_two_books_is_counted_by_model),
        cmocka_unit_test(a_deployments_prices_are_shown_as_set_inherited_and_lost),
        cmocka_unit_test(a_name_in_a_map_may_be_escaped),
        cmocka_unit_test(a_bad_price_in_the_configuration_is_an_error_with_its_line),
        cmocka_unit_test(a_bad_price_in_the_map_ends_the_load),
        cmocka_unit_test(a_member_that_comes_twice_is_refused),
        cmocka_unit_test(a_threshold_that_is_said_twice_is_refused),
        cmocka_unit_test(the_maps_own_numeric_strings_are_numbers),
        cmocka_unit_test(three_ways_to_write_a_price_are_the_same_number),
        cmocka_unit_test(environment_references_are_resolved),
        cmocka_unit_test(an_id_that_is_a_model_of_the_map_is_refused),
        cmocka_unit_test(the_shape_of_a_configuration_is_checked),
        cmocka_unit_test(included_files_add_their_deployments),
        cmocka_unit_test(a_dumped_book_comes_back_the_same),
        cmocka_unit_test(a_map_of_an_unknown_structure_is_refused),
        cmocka_unit_test(a_broken_dump_is_refused),
        cmocka_unit_test(a_dump_of_other_rules_is_told_from_a_broken_one),
        cmocka_unit_test(secrets_are_not_dumped),
        cmocka_unit_test(the_id_follows_prices_and_policies_only),
        cmocka_unit_test(an_event_is_priced_as_of_its_start),
        cmocka_unit_test(overlapping_and_empty_times_are_refused),
        cmocka_unit_test(cost_maps_follow_one_another),
        cmocka_unit_test(what_moved_is_counted_at_all_times),
        cmocka_unit_test(findings_name_prices_in_wrong_places),
        cmocka_unit_test(findings_name_slips_and_typos),
        cmocka_unit_test(findings_warn_of_litellms_quirks),
        cmocka_unit_test(deployments_that_cannot_be_told_apart_are_named),
        cmocka_unit_test(a_description_says_what_is_set_inherited_and_lost),
        cmocka_unit_test(a_description_calls_free_only_what_is_billed_as_0),
        cmocka_unit_test(a_key_that_may_be_money_is_told_at_the_row),
        cmocka_unit_test(rates_of_0_beside_a_key_that_may_be_money_are_no_price),
        cmocka_unit_test(a_row_without_a_readable_price_is_never_free),
        cmocka_unit_test(a_map_that_is_newer_than_the_rules_is_told),
        cmocka_unit_test(a_row_of_an_unknown_structure_refuses_the_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
