/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest pricing */
/* ldflags: -Wl,--wrap=arena_init,--wrap=buf_init,--wrap=fopen */
/*
 * Ceilings of memory that no test could reach as they are: they are lowered here, to one step after
 * another, until the work fits. Each run below that ends in the error that its row says, never in a
 * crash and never in another result than that of the run which had room.
 */
#include "core/config.h"
#include "ingest/mapping.h"
#include "pricing/book.h"
#include "pricing/map/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/pricing_fixture.h"

static size_t ceiling, lowered; /* who asks for `ceiling` gets `lowered`, if that is not 0 */

void __real_arena_init(struct arena *arena, size_t ceiling_bytes);
void __real_buf_init(struct buf *buf, size_t ceiling_bytes);
void __wrap_arena_init(struct arena *arena, size_t ceiling_bytes);
void __wrap_buf_init(struct buf *buf, size_t ceiling_bytes);

static size_t bytes_of(size_t ceiling_bytes)
{
    return lowered && ceiling_bytes == ceiling ? lowered : ceiling_bytes;
}

void __wrap_arena_init(struct arena *arena, size_t ceiling_bytes)
{
    __real_arena_init(arena, bytes_of(ceiling_bytes));
}

void __wrap_buf_init(struct buf *buf, size_t ceiling_bytes)
{
    __real_buf_init(buf, bytes_of(ceiling_bytes));
}

/* --- what needs memory ----------------------------------------------------------------------- */

/* true: done; `result` says what came out, the same for each run that had room. */
typedef bool work_fn(char result[256], struct err *err);

static bool read_yaml(char result[256], struct err *err)
{
    struct yaml_tree *tree = yaml_parse(SLICE("a: [1, 2, {b: c}]\nd: |\n  text\n"), "t.yaml", err);
    snprintf(result, 256, "%zu", tree ? yaml_root(tree)->count : 0);
    yaml_free(tree);
    return tree != NULL;
}

static bool read_config(char result[256], struct err *err)
{
    struct config config;
    bool ok =
        config_load(&config, file_of(0, "lanes: 3\npostgres: host=db\ntopics: [{name: a}]\n"), err);
    snprintf(result, 256, "%u %s", ok ? config.lanes : 0, ok ? config.postgres : "");
    config_free(&config);
    return ok;
}

static bool compile_mappings(char result[256], struct err *err)
{
    struct mappings *set = mappings_compile(NULL, 0, NULL, err);
    snprintf(result, 256, "%d", set != NULL);
    mappings_free(set);
    return set != NULL;
}

static const char tested[] = "- name: m\n  keep: ''\n  fields: {model: /m}\n"
                             "  tests: [{message: '{\"m\":\"\\u0067pt-with-a-long-name\"}', "
                             "expect: [{model: gpt-with-a-long-name}]}]\n";

static bool test_mappings(char result[256], struct err *err)
{
    static const char *const names[] = {"m"};
    size_t tests = 0;
    struct yaml_tree *tree = yaml_parse(SLICE(tested), "t.yaml", err);
    struct mappings *set = tree ? mappings_compile(names, 1, yaml_root(tree), err) : NULL;
    bool ok = set && mappings_test(set, &tests, err);
    snprintf(result, 256, "%zu", tests);
    mappings_free(set);
    yaml_free(tree);
    return ok;
}

static const char map[] = "{\"gpt\":{\"litellm_provider\":\"openai\",\"mode\":\"chat\","
                          "\"input_cost_per_token\":1e-6,\"output_cost_per_token\":2e-6}}";

static bool load_book(char result[256], struct err *err)
{
    struct book *book =
        book_with("model_list: [{model_name: a, litellm_params: {model: openai/gpt, "
                  "input_cost_per_token: 3e-6}}]\n",
                  map, OVERRIDES_MERGE, REPORTED_FALLBACK, err);
    snprintf(result, 256, "%s", book ? book_id(book) : "");
    book_free(book);
    return book != NULL;
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    work_fn *work;
    size_t ceiling, from, to; /* lowered to `from`, `from` * 5/4, ... until it fits, `to` at most */
    enum err_kind kind;
    const char *said;
} rows[] = {
    {"a YAML tree", read_yaml, 512u << 20, 64, 64u << 10, ERR_CONFIG, "t.yaml: larger than"},
    {"a configuration", read_config, 64u << 20, 16, 64u << 10, ERR_CONFIG, "too large"},
    {"mappings", compile_mappings, 64u << 20, 256, 32u << 20, ERR_CONFIG, "too large"},
    {"a test of a mapping", test_mappings, 16u << 20, 16, 1u << 20, ERR_CONFIG,
     "memory is used up"},
    {"a price book", load_book, 1u << 30, 256, 4u << 20, ERR_CONFIG, "too large"},
    {"a price book as text", load_book, 256u << 20, 16, 1u << 20, ERR_CONFIG, "too large"},
};

static void what_exceeds_its_memory_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char whole[256], result[256];
        struct err err = {0};
        unsigned told = 0;
        bool fits = false;
        lowered = 0;
        ceiling = rows[i].ceiling;
        assert_true(rows[i].work(whole, &err));
        for (lowered = rows[i].from; !fits && lowered <= rows[i].to; lowered += lowered / 4) {
            err = (struct err){0};
            fits = rows[i].work(result, &err);
            if (fits && strcmp(result, whole) != 0)
                fail_msg("%s in %zu bytes: %s, not %s", rows[i].name, lowered, result, whole);
            if (!fits && (err.kind != rows[i].kind || !strstr(err.text, rows[i].said)))
                fail_msg("%s in %zu bytes: %d %s", rows[i].name, lowered, err.kind, err.text);
            told += !fits;
        }
        lowered = 0;
        print_message("%s: told %u times\n", rows[i].name, told);
        assert_true(told > 0 && fits);
    }
}

/* --- files of time zones ---------------------------------------------------------------------- */

static size_t zone_bytes; /* 0: the one that is there */

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);

/* A file that is a zone and goes on: as long as asked for. */
FILE *__wrap_fopen(const char *path, const char *mode)
{
    FILE *file = __real_fopen(path, mode);
    if (!zone_bytes || !file || !strstr(path, "zoneinfo"))
        return file;
    FILE *longer = tmpfile();
    assert_non_null(longer);
    for (size_t i = 0; i < zone_bytes; i++) {
        int c = fgetc(file);
        fputc(c == EOF ? '\n' : c, longer);
    }
    fclose(file);
    rewind(longer);
    return longer;
}

static void a_file_of_a_time_zone_is_bounded(void **state)
{
    (void)state;
    struct arena book;
    arena_init(&book, 1u << 20);
    for (zone_bytes = 64u << 10; zone_bytes <= (64u << 10) + 1; zone_bytes++)
        assert_int_equal(zone_load(&book, "Europe/Berlin") != NULL, zone_bytes == 64u << 10);
    zone_bytes = 0;
    arena_free(&book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_exceeds_its_memory_is_told),
        cmocka_unit_test(a_file_of_a_time_zone_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
