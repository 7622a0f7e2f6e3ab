/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/*
 * Real messages of 23 emitters (tests/cases/events, origin in PROVENANCE.md), read with all
 * built-in mappings in their order: each record must come out of the mapping and with the fields
 * that expected.json names. A field that is not named there may be there or not.
 */
#include "core/clock.h"
#include "core/yaml.h"
#include "ingest/mapping.h"

#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CASES "tests/cases/events"

static struct mappings *set;
static struct mapper *mapper;
static struct arena batch;
static unsigned failures;

static json_t *text_json(struct slice text)
{
    return json_stringn(text.p, text.bytes);
}

static json_t *decimal_json(const struct decimal *d)
{
    char text[DECIMAL_TEXT_MAX];
    decimal_format(d, text);
    return json_real(strtod(text, NULL));
}

static json_t *time_json(int64_t us)
{
    char text[CLOCK_TEXT_MAX];
    clock_format(us, text);
    return json_string(text);
}

static json_t *tags_json(const struct tags *tags)
{
    json_t *list = json_array();
    for (size_t i = 0; i < tags->count; i++)
        json_array_append_new(list, text_json(tags->tag[i]));
    return list;
}

static json_t *value_json(enum field_kind kind, union value value)
{
    switch (kind) {
    case KIND_TEXT:
        return text_json(value.s);
    case KIND_COUNT:
        return json_integer(value.i);
    case KIND_DECIMAL:
        return decimal_json(value.d);
    case KIND_BOOL:
        return json_boolean(value.i);
    case KIND_TIME:
        return time_json(value.i);
    case KIND_TAGS:
        return tags_json(value.t);
    case KIND_JSON:
        return json_loadb(value.s.p, value.s.bytes, 0, NULL);
    }
    return NULL;
}

static json_t *event_json(const struct event *event)
{
    json_t *object = json_object();
    json_object_set_new(object, "mapping", json_string(event->mapping));
    for (unsigned i = 0; i < FACT_COUNT; i++)
        if (facts_has(&event->facts, (enum fact)i))
            json_object_set_new(object, fact_info[i].name,
                                value_json(fact_info[i].kind, event->facts.v[i]));
    for (unsigned i = 0; i < LABEL_COUNT; i++)
        if (labels_has(&event->labels, (enum label)i))
            json_object_set_new(object, label_info[i].name,
                                value_json(label_info[i].kind, event->labels.v[i]));
    return object;
}

static bool same_time(const json_t *a, const json_t *b)
{
    int64_t left, right;
    return json_is_string(a) && json_is_string(b) &&
           clock_parse(slice_of(json_string_value(a)), &left) &&
           clock_parse(slice_of(json_string_value(b)), &right) && left == right;
}

static bool same(const json_t *expected, const json_t *actual)
{
    if (json_is_number(expected) && json_is_number(actual)) {
        double a = json_number_value(expected), b = json_number_value(actual);
        double difference = a > b ? a - b : b - a;
        return difference <= 1e-12 + 1e-9 * (a < 0 ? -a : a);
    }
    return json_equal(expected, actual) || same_time(expected, actual);
}

static void complain(const char *where, const char *field, const json_t *expected,
                     const json_t *actual)
{
    char *want = expected ? json_dumps(expected, JSON_ENCODE_ANY) : NULL;
    char *got = actual ? json_dumps(actual, JSON_ENCODE_ANY) : NULL;
    print_error("%s: %s is %s, expected %s\n", where, field, got ? got : "absent",
                want ? want : "absent");
    free(want);
    free(got);
    failures++;
}

static void compare(const char *where, json_t *expected, json_t *actual)
{
    const char *field;
    json_t *value;
    if (!json_is_object(expected)) {
        if (!json_equal(expected, actual))
            complain(where, "record", expected, actual);
        return;
    }
    json_object_foreach(expected, field, value)
    {
        json_t *got = json_is_object(actual) ? json_object_get(actual, field) : NULL;
        if (!got || !same(value, got))
            complain(where, field, value, got);
    }
}

static void on_record(const struct record *record, void *context)
{
    json_t *records = context;
    if (record->outcome == RECORD_EVENT)
        json_array_append_new(records, event_json(record->event));
    else if (record->outcome == RECORD_SKIPPED)
        json_array_append_new(records, json_string("skip"));
    else
        json_array_append_new(records,
                              json_pack("{s:s, s:s, s:s?, s:I}", "rejected",
                                        reason_info[record->reason].name, "detail", record->detail,
                                        "field", record->field, "byte", (json_int_t)record->byte));
}

static void message_read(struct slice bytes, json_t *records)
{
    struct message message = {.bytes = bytes};
    arena_reset(&batch);
    mapper_read(mapper, &message, &batch, on_record, records);
}

static struct slice file_read(const char *path, char **memory)
{
    struct slice text = {NULL, 0};
    FILE *file = fopen(path, "rb");
    *memory = NULL;
    if (!file)
        return text;
    size_t capacity = 4u << 20;
    *memory = malloc(capacity);
    assert_non_null(*memory);
    text = (struct slice){*memory, fread(*memory, 1, capacity, file)};
    fclose(file);
    return text;
}

/* A .jsonl file is a topic: one message a line. */
static void file_compare(const char *folder, const char *name, json_t *expected)
{
    char path[600], where[700], *memory;
    json_t *records = json_array();
    snprintf(path, sizeof path, CASES "/%s/%s", folder, name);
    struct slice text = file_read(path, &memory);
    if (!text.p) {
        print_error("%s: cannot be read\n", path);
        failures++;
    }
    bool lines = strstr(name, ".jsonl") != NULL;
    while (text.bytes > 0) {
        const char *end = lines ? memchr(text.p, '\n', text.bytes) : NULL;
        struct slice message = {text.p, end ? (size_t)(end - text.p) : text.bytes};
        if (message.bytes > 0)
            message_read(message, records);
        size_t step = message.bytes + (end != NULL);
        text = (struct slice){text.p + step, text.bytes - step};
    }
    if (json_array_size(records) != json_array_size(expected))
        complain(path, "number of records", expected, records);
    for (size_t i = 0; i < json_array_size(expected); i++) {
        snprintf(where, sizeof where, "%s record %zu", path, i);
        compare(where, json_array_get(expected, i), json_array_get(records, i));
    }
    json_decref(records);
    free(memory);
}

static unsigned folder_compare(const char *folder)
{
    char path[512];
    json_error_t error;
    const char *name;
    json_t *expected, *root;
    unsigned files = 0;
    snprintf(path, sizeof path, CASES "/%s/expected.json", folder);
    root = json_load_file(path, 0, &error);
    assert_non_null(root);
    json_object_foreach(json_object_get(root, "files"), name, expected)
    {
        file_compare(folder, name, expected);
        files++;
    }
    json_decref(root);
    return files;
}

static void every_sample_comes_out_of_its_mapping_as_expected(void **state)
{
    (void)state;
    struct dirent *entry;
    unsigned folders = 0, files = 0;
    DIR *dir = opendir(CASES);
    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' && !strchr(entry->d_name, '.')) {
            files += folder_compare(entry->d_name);
            folders++;
        }
    closedir(dir);
    assert_int_equal(folders, 23);
    assert_true(files >= 70);
    assert_int_equal(failures, 0);
}

static void tests_within_the_mappings_pass(void **state)
{
    (void)state;
    struct err err = {0};
    size_t count = 0;
    if (!mappings_test(set, &count, &err))
        fail_msg("%s", err.text);
    assert_true(count >= 20);
}

/* A message of each gateway that states an HTTP status; $ is the status. */
static const char *const stating[] = {
    "{\"request\":{\"id\":\"k\"},\"response\":{\"status\":$},\"ai\":{\"proxy\":{\"meta\":{"
    "\"provider_name\":\"openai\",\"request_model\":\"gpt-4o\"}}}}",
    "{\"upstream\":\"api.openai.com:443\",\"response\":{\"status\":$},"
    "\"llm_summary\":{\"request_model\":\"gpt-4o\"}}",
    "{\"ai_log\":\"{\\\"model\\\":\\\"gpt-4o\\\"}\",\"response_code\":$,\"request_id\":\"h\"}",
    "{\"_id\":\"p\",\"request\":{\"body\":{\"model\":\"gpt-4o\"}},\"response\":{\"status\":$}}",
    "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"spanId\":\"s\",\"attributes\":[{"
    "\"key\":\"gen_ai.operation.name\",\"value\":{\"stringValue\":\"chat\"}},{\"key\":"
    "\"gen_ai.request.model\",\"value\":{\"stringValue\":\"gpt-4o\"}},{\"key\":"
    "\"http.response.status_code\",\"value\":{\"stringValue\":$}}]}]}]}]}",
    "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"spanId\":\"s\",\"attributes\":[{"
    "\"key\":\"gen_ai.request.model\",\"value\":{\"stringValue\":\"gpt-4o\"}},{\"key\":"
    "\"http.status\",\"value\":{\"stringValue\":$}}]}]}]}]}",
};

static const char *const stated_statuses[][2] = {
    {"200", "success"},
    {"\"200\"", "success"},
    {"304", "success"},
    {"503", "failure"},
    {"\"503\"", "failure"},
    {"0", "failure"},
    {"\"HTTP/1.1 503\"", "failure"},
    {"\"unknown\"", "failure"},
    {"\"-\"", "success"},
};

static void a_status_that_is_stated_and_not_known_is_no_success(void **state)
{
    char message[1024];
    (void)state;
    for (size_t i = 0; i < sizeof stating / sizeof stating[0]; i++)
        for (size_t j = 0; j < sizeof stated_statuses / sizeof stated_statuses[0]; j++) {
            const char *place = strchr(stating[i], '$');
            json_t *records = json_array();
            snprintf(message, sizeof message, "%.*s%s%s", (int)(place - stating[i]), stating[i],
                     stated_statuses[j][0], place + 1);
            message_read((struct slice){message, strlen(message)}, records);
            const char *status =
                json_string_value(json_object_get(json_array_get(records, 0), "status"));
            if (!status || strcmp(status, stated_statuses[j][1]) != 0)
                fail_msg("%s, not %s: %s", status ? status : "none", stated_statuses[j][1],
                         message);
            json_decref(records);
        }
}

static void remark_refuse(const char *text, void *context)
{
    (void)context;
    fail_msg("%s", text);
}

static void no_built_in_mapping_passes_over_a_status(void **state)
{
    (void)state;
    mappings_remarks(set, remark_refuse, NULL);
}

/* --- usage of OpenAI's form, passed on -------------------------------------------------------- */

#define OPENAI_BODY "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"gpt-4o\",\"usage\":$}"

/* Who passes it on as it is; $ is the usage. LiteLLM does not: it makes one of its own. */
static const char *const passing_on[] = {
    "{\"_id\":\"p\",\"response\":{\"status\":200,\"body\":" OPENAI_BODY "}}",
    "{\"request\":{\"id\":\"k\"},\"ai\":{\"usage\":$}}",
    "{\"request\":{\"id\":\"k\"},\"ai\":{\"proxy\":{\"usage\":$}}}",
    "{\"request\":{\"id\":\"k\"},\"ai\":{\"ai-proxy\":{\"usage\":$}}}",
    "{\"request\":{\"id\":\"k\"},\"ai\":{\"ai-proxy-advanced\":{\"usage\":$}}}",
    "{\"request\":{\"id\":\"k\"},\"ai\":{\"ai-request-transformer\":{\"usage\":$}}}",
    "{\"request\":{\"id\":\"k\"},\"ai\":{\"ai-response-transformer\":{\"usage\":$}}}",
};

/* Of the message around {"a": {"b": 7}}. */
static int64_t count_read(const char *around, const char *path, const char *fact)
{
    char usage[512] = "7", outer[512], left[256], message[1024], *name;
    snprintf(left, sizeof left, "%s", path);
    while ((name = strrchr(left, '/'))) {
        snprintf(outer, sizeof outer, "{\"%s\":%.480s}", name + 1, usage);
        snprintf(usage, sizeof usage, "%s", outer);
        *name = '\0';
    }
    const char *place = strchr(around, '$');
    json_t *records = json_array();
    snprintf(message, sizeof message, "%.*s%s%s", (int)(place - around), around, usage, place + 1);
    message_read((struct slice){message, strlen(message)}, records);
    int64_t count = json_integer_value(json_object_get(json_array_get(records, 0), fact));
    json_decref(records);
    return count;
}

static void path_check(const char *fact, const struct yaml_node *value, unsigned *count)
{
    if (value->kind == YAML_LIST)
        for (const struct yaml_node *child = value->children; child; child = child->next)
            path_check(fact, child, count);
    if (value->kind != YAML_SCALAR || strncmp(value->text.p, "/usage/", 7) != 0)
        return;
    const char *path = value->text.p + 6;
    assert_int_equal(count_read(OPENAI_BODY, path, fact), 7);
    for (size_t i = 0; i < sizeof passing_on / sizeof passing_on[0]; i++)
        if (count_read(passing_on[i], path, fact) != 7)
            fail_msg("%s is not read from usage%s in %s", fact, path, passing_on[i]);
    ++*count;
}

static void who_passes_usage_on_is_read_as_its_source(void **state)
{
    struct err err = {0};
    struct yaml_tree *tree = yaml_load("ingest/mappings/60-openai.yaml", &err);
    unsigned count = 0;
    (void)state;
    assert_non_null(tree);
    const struct yaml_node *mapping = yaml_get(yaml_root(tree), "mappings")->children;
    while (mapping && !slice_is(yaml_get(mapping, "name")->text, "openai"))
        mapping = mapping->next;
    assert_non_null(mapping);
    for (const struct yaml_node *field = yaml_get(mapping, "fields")->children; field;
         field = field->next) {
        enum fact fact = fact_find(field->key->text);
        if (fact < FACT_COUNT && fact_info[fact].kind == KIND_COUNT)
            path_check(fact_info[fact].name, field, &count);
    }
    assert_true(count >= 40);
    yaml_free(tree);
}

static int set_up(void **state)
{
    (void)state;
    struct err err = {0};
    set = mappings_compile(NULL, 0, NULL, &err);
    if (!set)
        print_error("%s\n", err.text);
    mapper = set ? mapper_new(set) : NULL;
    arena_init(&batch, 16u << 20);
    return mapper ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&batch);
    mapper_free(mapper);
    mappings_free(set);
    return 0;
}

static void about_check(const struct mapping_about *about, void *context)
{
    unsigned *count = context;
    if (!about->emitters || !about->tried || !about->emitters[0] || !about->tried[0])
        fail_msg("mapping %s does not say who writes its events and what was tried", about->name);
    assert_true(about->cache[0] && about->reasoning[0] && about->evidence[0] && about->group);
    if (strcmp(about->name, "otlp") == 0)
        assert_non_null(strstr(about->cache, "outside for OpenLIT"));
    ++*count;
}

static void built_in_mappings_say_whose_they_are(void **state)
{
    struct err err = {0};
    unsigned count = 0;
    struct mappings *all = mappings_compile(NULL, 0, NULL, &err);
    (void)state;
    assert_non_null(all);
    mappings_about(all, about_check, &count);
    assert_true(count >= 30);
    mappings_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_in_mappings_say_whose_they_are),
        cmocka_unit_test(every_sample_comes_out_of_its_mapping_as_expected),
        cmocka_unit_test(tests_within_the_mappings_pass),
        cmocka_unit_test(who_passes_usage_on_is_read_as_its_source),
        cmocka_unit_test(no_built_in_mapping_passes_over_a_status),
        cmocka_unit_test(a_status_that_is_stated_and_not_known_is_no_success),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
