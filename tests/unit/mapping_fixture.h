/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of ingest/: compiles one mapping `m`, reads a message and says in one line what came
 * out: "field=value ..." for each event, the reason for the others, " | " between records.
 */
#ifndef TESTS_UNIT_MAPPING_FIXTURE_H
#define TESTS_UNIT_MAPPING_FIXTURE_H

#include "core/clock.h"
#include "ingest/mapping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define OUT_MAX 65536

struct world {
    struct yaml_tree *tree;
    struct mappings *set;
    struct mapper *mapper;
    struct arena batch;
    char out[OUT_MAX];
    size_t length;
    unsigned records;
    struct event last;
    struct record last_record;
    char last_detail[256];
    char *message; /* of the last read: events hold slices of it */
};

static struct world world;

static inline void close_world(void)
{
    mapper_free(world.mapper);
    mappings_free(world.set);
    yaml_free(world.tree);
    arena_free(&world.batch);
    free(world.message);
    world.message = NULL;
    world.mapper = NULL;
    world.set = NULL;
    world.tree = NULL;
}

/* The set of the mapping `m` of a YAML text, or the error. */
static inline bool open_world(const char *yaml, const char *name, struct err *err)
{
    close_world();
    arena_init(&world.batch, 32u << 20);
    world.tree = yaml_parse(slice_of(yaml), "t.yaml", err);
    if (!world.tree)
        return false;
    world.set = mappings_compile(name ? &name : NULL, name ? 1 : 0, yaml_root(world.tree), err);
    world.mapper = world.set ? mapper_new(world.set) : NULL;
    return world.mapper != NULL;
}

static inline void out(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    world.length += (size_t)vsnprintf(world.out + world.length, OUT_MAX - world.length, fmt, args);
    va_end(args);
    assert_true(world.length < OUT_MAX);
}

static inline void out_value(const char *name, enum field_kind kind, union value value)
{
    char text[DECIMAL_TEXT_MAX] = "";
    out("%s%s=", world.length > 0 && world.out[world.length - 1] != ' ' ? " " : "", name);
    switch (kind) {
    case KIND_TEXT:
    case KIND_JSON:
        out(SLICE_FMT, SLICE_ARG(value.s));
        break;
    case KIND_COUNT:
        out("%lld", (long long)value.i);
        break;
    case KIND_BOOL:
        out("%s", value.i ? "true" : "false");
        break;
    case KIND_TIME:
        clock_format(value.i, text);
        out("%s", text);
        break;
    case KIND_DECIMAL:
        decimal_format(value.d, text);
        out("%s", text);
        break;
    case KIND_TAGS:
        for (size_t i = 0; i < value.t->count; i++)
            out("%s" SLICE_FMT, i ? "," : "", SLICE_ARG(value.t->tag[i]));
        break;
    }
}

/* All fields but those that most events have. */
static inline void out_event(const struct event *event)
{
    for (unsigned i = 0; i < FACT_COUNT; i++)
        if (facts_has(&event->facts, (enum fact)i) && i != FACT_MODEL_ANSWERED &&
            !(i == FACT_STATUS && slice_is(event->facts.v[i].s, "success")))
            out_value(fact_info[i].name, fact_info[i].kind, event->facts.v[i]);
    for (unsigned i = 0; i < LABEL_COUNT; i++)
        if (labels_has(&event->labels, (enum label)i))
            out_value(label_info[i].name, label_info[i].kind, event->labels.v[i]);
}

static inline void on_record(const struct record *record, void *context)
{
    (void)context;
    assert_int_equal(record->index, world.records);
    if (world.records++ > 0)
        out(" | ");
    world.last_record = *record;
    snprintf(world.last_detail, sizeof world.last_detail, "%s",
             record->detail ? record->detail : "");
    if (record->outcome == RECORD_EVENT) {
        world.last = *record->event;
        out_event(record->event);
        return;
    }
    out("%s", reason_info[record->reason].name);
    if (record->field)
        out("(%s)", record->field);
}

static inline const char *read_bytes(const char *p, size_t bytes, int64_t kafka_time_us)
{
    /* Memory of just that size, so that a sanitizer sees a byte read beyond. */
    free(world.message);
    world.message = malloc(bytes ? bytes : 1);
    assert_non_null(world.message);
    memcpy(world.message, p, bytes);
    struct message message = {.bytes = {world.message, bytes}, .kafka_time_us = kafka_time_us};
    world.length = 0;
    world.records = 0;
    world.out[0] = '\0';
    arena_reset(&world.batch);
    mapper_read(world.mapper, &message, &world.batch, on_record, NULL);
    return world.out;
}

static inline const char *read_text(const char *text)
{
    return read_bytes(text, strlen(text), 0);
}

/* One mapping with these fields that takes everything. */
static inline void open_fields(const char *fields)
{
    char yaml[8192];
    struct err err = {0};
    snprintf(yaml, sizeof yaml, "- name: m\n  keep: ''\n  fields: {%s}\n", fields);
    if (!open_world(yaml, "m", &err))
        fail_msg("%s", err.text);
}

static inline void open_yaml(const char *yaml)
{
    struct err err = {0};
    if (!open_world(yaml, "m", &err))
        fail_msg("%s", err.text);
}

/* What one value makes of a message, as the text fact `model`. */
static inline void expect(const char *fields, const char *message, const char *expected)
{
    open_fields(fields);
    const char *got = read_text(message);
    if (strcmp(got, expected) != 0)
        fail_msg("{%s} of %s: %s, expected %s", fields, message, got, expected);
}

static inline int tear_down(void **state)
{
    (void)state;
    close_world();
    return 0;
}

#endif
