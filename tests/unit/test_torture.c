/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest pricing */
/* ldflags: -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup */
/*
 * Torture: the k-th allocation fails, for k = 1, 2, 3 ... until a run makes fewer than k. Each run
 * ends in success or in a told error, never in a crash; under ASan nothing is leaked. jansson takes
 * its memory through the same counter.
 */
#include "ingest/mapping.h"
#include "pricing/book.h"

#include <jansson.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Every allocation up to here, then every STRIDE-th: a compile makes thousands, each run costs one.
 */
#define EVERY 400
#define STRIDE 37

static long made, fails_at; /* fails_at 0: none fails */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
char *__wrap_strdup(const char *text);

static bool fails(void)
{
    return ++made == fails_at;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *p, size_t bytes)
{
    return fails() ? NULL : __real_realloc(p, bytes);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

/* true: done as if nothing had failed. */
typedef bool work_fn(struct err *err);

static void torture(work_fn *work)
{
    long runs = 0, errors = 0;
    for (long k = 1;; k += k < EVERY ? 1 : STRIDE) {
        struct err err = {0};
        made = 0;
        fails_at = k;
        bool ok = work(&err);
        fails_at = 0;
        runs++;
        if (!ok) {
            assert_int_not_equal(err.kind, ERR_NONE);
            assert_true(err.text[0] != '\0');
            errors++;
        }
        if (made < k) {
            assert_true(ok);
            break;
        }
    }
    print_message("%ld runs, %ld told an error\n", runs, errors);
    assert_true(errors > 0);
}

static const char yaml_text[] = "base: &base {a: 1, b: [x, \"y\", ~]}\n"
                                "list:\n- {<<: *base, c: 'z'}\n- |\n  block\n  text\n";

static bool work_yaml(struct err *err)
{
    struct yaml_tree *tree = yaml_parse(SLICE(yaml_text), "torture.yaml", err);
    bool ok = tree != NULL;
    yaml_free(tree);
    return ok;
}

static void yaml_parse_survives_a_failed_allocation(void **state)
{
    (void)state;
    torture(work_yaml);
}

static const char *const mapping_names[] = {"litellm", "openai"};

static bool work_mappings(struct err *err)
{
    struct mappings *set = mappings_compile(mapping_names, 2, NULL, err);
    bool ok = set != NULL;
    mappings_free(set);
    return ok;
}

static void mappings_compile_survives_a_failed_allocation(void **state)
{
    (void)state;
    torture(work_mappings);
}

static const char event_text[] =
    "{\"id\":\"chatcmpl-1\",\"litellm_call_id\":\"c-1\",\"call_type\":\"acompletion\",\"status\":"
    "\"success\",\"custom_llm_provider\":\"openai\",\"startTime\":1795493214.5,\"endTime\":"
    "1795493215.5,\"model\":\"gpt-\\u0034o\",\"prompt_tokens\":12,\"completion_tokens\":3,"
    "\"response_cost\":0.000125,\"request_tags\":[\"a\",\"b\"],\"metadata\":{"
    "\"user_api_key_hash\":\"sk-raw\",\"spend_logs_metadata\":{\"k\":\"v\"}}}";

static struct mappings *read_set;

static void on_record(const struct record *record, void *context)
{
    unsigned *records = context;
    (*records)++;
    assert_true(record->outcome == RECORD_EVENT || record->reason != REASON_NONE);
}

static bool work_read(struct err *err)
{
    struct message message = {.bytes = SLICE(event_text)};
    struct arena batch;
    unsigned records = 0;
    struct mapper *mapper = mapper_new(read_set);
    if (!mapper)
        return err_set(err, ERR_FATAL, "out of memory");
    arena_init(&batch, 1 << 20);
    mapper_read(mapper, &message, &batch, on_record, &records);
    bool full = batch.full;
    arena_free(&batch);
    mapper_free(mapper);
    assert_int_equal(records, 1); /* whatever happens, a message has max(1, elements) records */
    return full ? err_set(err, ERR_INPUT, "the batch is full") : true;
}

static void mapper_read_survives_a_failed_allocation(void **state)
{
    (void)state;
    struct err err = {0};
    read_set = mappings_compile(mapping_names, 2, NULL, &err);
    assert_non_null(read_set);
    torture(work_read);
    mappings_free(read_set);
}

static char map_path[] = "/tmp/torture-map-XXXXXX", config_path[] = "/tmp/torture-config-XXXXXX";

static const char map_text[] =
    "{\"m-1\":{\"litellm_provider\":\"openai\",\"mode\":\"chat\",\"input_cost_per_token\":3e-07,"
    "\"output_cost_per_token\":1.2e-06,\"input_cost_per_token_above_128k_tokens\":6e-07},"
    "\"azure/"
    "m-2\":{\"litellm_provider\":\"azure\",\"mode\":\"chat\",\"input_cost_per_token\":1e-06,"
    "\"output_cost_per_token\":2e-06}}";
static const char config_text[] =
    "model_list:\n"
    "- model_name: ours\n"
    "  litellm_params: {model: azure/m-2, input_cost_per_token: 0.0000005}\n"
    "litellm_settings:\n"
    "  cost_discount_config: {azure: 0.1}\n";

static void file_write(char *path, const char *text)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static bool work_book(struct err *err)
{
    struct cost_map_source map = {map_path, INT64_MIN, NULL};
    struct book_options options = {
        .cost_maps = &map, .cost_map_count = 1, .litellm_config = config_path};
    struct book *book = book_load(&options, NULL, NULL, err);
    bool ok = book != NULL;
    book_free(book);
    return ok;
}

static void book_load_survives_a_failed_allocation(void **state)
{
    (void)state;
    file_write(map_path, map_text);
    file_write(config_path, config_text);
    torture(work_book);
    unlink(map_path);
    unlink(config_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_parse_survives_a_failed_allocation),
        cmocka_unit_test(mappings_compile_survives_a_failed_allocation),
        cmocka_unit_test(mapper_read_survives_a_failed_allocation),
        cmocka_unit_test(book_load_survives_a_failed_allocation),
    };
    json_set_alloc_funcs(__wrap_malloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
