/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/*
 * Real messages of 23 emitters (tests/cases/events, origin in PROVENANCE.md), read with all
 * built-in mappings in their order: each record must come out of the mapping and with the fields
 * that expected.json names. A field that is not named there may be there or not.
 */
#include "core/clock.h"
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
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
