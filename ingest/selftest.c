/* SPDX-License-Identifier: Apache-2.0 */
/* The `tests:` of mappings: a message, and what each of its records must come out as. */
#include "ingest/mapper.h"

#include "core/clock.h"
#include "ingest/number.h"

#include <stdio.h>

#define TEST_BYTES_MAX (16u << 20)
#define SHOWN_MAX 160
#define CUT "..."

struct selftest {
    const struct mapping *mapping;
    const struct yaml_node *expect; /* of the next record; NULL: no more are expected */
    const struct yaml_node *test;
    struct err *err;
    bool failed;
};

/* A field as people read it, cut to fit a message. */
static void value_show(enum field_kind kind, union value value, char text[SHOWN_MAX])
{
    char number[DECIMAL_TEXT_MAX > CLOCK_TEXT_MAX ? DECIMAL_TEXT_MAX : CLOCK_TEXT_MAX];
    switch (kind) {
    case KIND_COUNT:
        snprintf(text, SHOWN_MAX, "%lld", (long long)value.i);
        break;
    case KIND_BOOL:
        snprintf(text, SHOWN_MAX, "%s", value.i ? "true" : "false");
        break;
    case KIND_TIME:
        clock_format(value.i, number);
        snprintf(text, SHOWN_MAX, "%s", number);
        break;
    case KIND_DECIMAL:
        decimal_format(value.d, number);
        snprintf(text, SHOWN_MAX, "%s", number);
        break;
    case KIND_TAGS:
        snprintf(text, SHOWN_MAX, "%zu tags", value.t->count);
        break;
    case KIND_TEXT:
    case KIND_JSON:
        if (snprintf(text, SHOWN_MAX, SLICE_FMT, SLICE_ARG(value.s)) >= SHOWN_MAX)
            memcpy(text + SHOWN_MAX - sizeof(CUT), CUT, sizeof(CUT));
        break;
    }
}

static bool tags_equal(const struct tags *tags, const struct yaml_node *expected)
{
    size_t i = 0;
    if (expected->kind != YAML_LIST || expected->count != tags->count)
        return false;
    for (const struct yaml_node *child = expected->children; child; child = child->next)
        if (child->kind != YAML_SCALAR || !slice_eq(child->text, tags->tag[i++]))
            return false;
    return true;
}

static bool value_equal(enum field_kind kind, union value value, const struct yaml_node *expected)
{
    struct decimal d;
    int64_t i;
    if (kind == KIND_TAGS)
        return tags_equal(value.t, expected);
    if (expected->kind != YAML_SCALAR)
        return false;
    switch (kind) {
    case KIND_COUNT:
        return number_count(expected->text, &i) == NUMBER_OK && i == value.i;
    case KIND_BOOL:
        return slice_is(expected->text, value.i ? "true" : "false");
    case KIND_TIME:
        return clock_parse(expected->text, &i) && i == value.i;
    case KIND_DECIMAL:
        return number_decimal(expected->text, &d) == NUMBER_OK && decimal_cmp(&d, value.d) == 0;
    default:
        return slice_eq(expected->text, value.s);
    }
}

static void fail(struct selftest *selftest, const struct yaml_node *node, struct slice name,
                 const char *got)
{
    struct slice expected = node->kind == YAML_SCALAR ? node->text : SLICE("something else");
    selftest->failed = true;
    yaml_err(selftest->err, node,
             "test of mapping \"%s\": " SLICE_FMT " is %s, expected " SLICE_FMT,
             selftest->mapping->name, SLICE_ARG(name), got,
             SLICE_ARG(node->kind == YAML_NULL ? SLICE("absent") : expected));
}

static void field_check(struct selftest *selftest, const struct event *event,
                        const struct yaml_node *expected)
{
    char shown[SHOWN_MAX] = "absent";
    struct slice name = expected->key->text;
    enum fact fact = fact_find(name);
    enum label label = label_find(name);
    if (fact == FACT_COUNT && label == LABEL_COUNT) {
        selftest->failed = true;
        yaml_err(selftest->err, expected->key, "unknown field \"" SLICE_FMT "\"", SLICE_ARG(name));
        return;
    }
    unsigned field = fact < FACT_COUNT ? (unsigned)fact : label_field(label);
    enum field_kind kind = fact < FACT_COUNT ? fact_info[fact].kind : label_info[label].kind;
    bool there = event_has(event, field);
    if (there)
        value_show(kind, event_value(event, field), shown);
    if (there
            ? expected->kind == YAML_NULL || !value_equal(kind, event_value(event, field), expected)
            : expected->kind != YAML_NULL)
        fail(selftest, expected, name, shown);
}

/* "skip", {skipped: reason}, {rejected: reason} or the fields of an event. */
static void record_check(struct selftest *selftest, const struct record *record,
                         const struct yaml_node *expected)
{
    static const char *const outcomes[] = {"an event", "skipped", "rejected"};
    const struct yaml_node *skipped = yaml_get(expected, "skipped");
    const struct yaml_node *rejected = yaml_get(expected, "rejected");
    const struct yaml_node *reason = skipped ? skipped : rejected;
    bool skip = skipped || (expected->kind == YAML_SCALAR && slice_is(expected->text, "skip"));
    enum record_outcome outcome = rejected ? RECORD_REJECTED : skip ? RECORD_SKIPPED : RECORD_EVENT;

    if (record->outcome != outcome) {
        const char *detail = record->detail ? record->detail : outcomes[record->outcome];
        fail(selftest, expected, SLICE("record"), detail);
        return;
    }
    if (reason && !slice_is(reason->text, reason_info[record->reason].name))
        fail(selftest, reason, SLICE("reason"), reason_info[record->reason].name);
    for (const struct yaml_node *child = expected->children;
         outcome == RECORD_EVENT && child && !selftest->failed; child = child->next)
        field_check(selftest, record->event, child);
}

static void on_record(const struct record *record, void *context)
{
    struct selftest *selftest = context;
    if (selftest->failed)
        return;
    if (!selftest->expect) {
        fail(selftest, selftest->test, SLICE("the message"), "more records than expected");
        return;
    }
    record_check(selftest, record, selftest->expect);
    selftest->expect = selftest->expect->next;
}

/* The record around the message: key, headers, topic, partition, kafka_time. */
static bool around_of(struct selftest *selftest, struct header *headers, struct message *message)
{
    const struct yaml_node *key = yaml_get(selftest->test, "key");
    const struct yaml_node *list = yaml_get(selftest->test, "headers");
    const struct yaml_node *topic = yaml_get(selftest->test, "topic");
    const struct yaml_node *partition = yaml_get(selftest->test, "partition");
    const struct yaml_node *time = yaml_get(selftest->test, "kafka_time");
    struct envelope *envelope = &message->envelope;
    int64_t number = 0;
    envelope->headers = headers;
    for (const struct yaml_node *child = list ? list->children : NULL;
         child && list->kind == YAML_MAP && envelope->header_count < HEADERS_MAX;
         child = child->next)
        headers[envelope->header_count++] = (struct header){child->key->text, child->text};
    if (key)
        envelope->key = key->text;
    message->topic = topic ? topic->text : SLICE("test");
    if (partition && !slice_count(partition->text, &number))
        return yaml_err(selftest->err, partition, "`partition` is a number");
    message->partition = (int32_t)number;
    return !time || clock_parse(time->text, &message->kafka_time_us) ||
           yaml_err(selftest->err, time, "`kafka_time` is a time as in RFC 3339");
}

static bool test_run(struct mapper *mapper, struct arena *arena, struct selftest *selftest)
{
    static const char *const words[] = {"message", "expect",    "key",       "headers",
                                        "topic",   "partition", "kafka_time"};
    const struct yaml_node *text = yaml_get(selftest->test, "message");
    const struct yaml_node *expect = yaml_get(selftest->test, "expect");

    if (selftest->test->kind != YAML_MAP || !text || text->kind != YAML_SCALAR || !expect ||
        expect->kind != YAML_LIST)
        return yaml_err(selftest->err, selftest->test,
                        "a test is a `message` (a text) and a list to `expect`");
    if (!yaml_only(selftest->test, words, 7, selftest->err))
        return false;
    struct header headers[HEADERS_MAX];
    struct message message = {.bytes = text->text};
    if (!around_of(selftest, headers, &message))
        return false;
    selftest->expect = expect->children;
    arena_reset(arena);
    mapper_read(mapper, &message, arena, on_record, selftest);
    if (!selftest->failed && selftest->expect)
        fail(selftest, selftest->expect, SLICE("the message"), "out of records");
    return !selftest->failed;
}

static bool mapping_test(struct mapper *mapper, const struct mapping *mapping, struct arena *arena,
                         size_t *tests_run, struct err *err)
{
    const struct yaml_node *tests = mapping->tests;
    if (tests && tests->kind != YAML_LIST)
        return yaml_err(err, tests, "`tests` is a list");
    mapper_only(mapper, mapping);
    for (const struct yaml_node *test = tests ? tests->children : NULL; test; test = test->next) {
        struct selftest selftest = {.mapping = mapping, .test = test, .err = err};
        if (!test_run(mapper, arena, &selftest))
            return false;
        ++*tests_run;
    }
    return true;
}

bool mappings_test(const struct mappings *set, size_t *tests_run, struct err *err)
{
    struct arena arena;
    struct mapper *mapper = mapper_new(set);
    bool ok = mapper || err_set(err, ERR_FATAL, "out of memory");
    *tests_run = 0;
    arena_init(&arena, TEST_BYTES_MAX);
    for (size_t i = 0; ok && i < set->count; i++)
        ok = mapping_test(mapper, set->list[i], &arena, tests_run, err);
    arena_free(&arena);
    mapper_free(mapper);
    return ok;
}
