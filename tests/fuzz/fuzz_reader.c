/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/* seeds: tests/cases/events */
/*
 * The reader against jansson: the same verdict on every text and the same values, but for these
 * classes, in which the reader is made to differ:
 *
 *   content   U+0000, lone surrogates and invalid UTF-8 are accepted, and repaired in what is kept
 *   numbers   integers beyond int64 and reals beyond double are accepted, and judged by who asks
 *   depth     64 levels, not 2048
 *   NUL       a byte 0 behind a number is refused; jansson 2.14 steps over it
 *
 * Then the text goes through all built-in mappings: what comes out must be fit to be stored.
 */
#include "ingest/mapping.h"
#include "ingest/reader.h"
#include "ingest/text.h"

#include <jansson.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct arena arena;
static struct mapper *mapper;
static struct trie trie;
static struct reader reader;
static const char *const names[] = {"a", "b", "id", "usage", "model"};
#define NAMES (sizeof names / sizeof names[0])
static const struct node *first[NAMES], *second[NAMES][NAMES];

static void expect(bool ok)
{
    if (!ok)
        abort();
}

/* Two levels of five names. */
static void paths_make(void)
{
    static struct arena process;
    arena_init(&process, 1u << 20);
    expect(trie_init(&trie, &process));
    for (size_t i = 0; i < NAMES; i++) {
        struct node *node = trie_member(&trie, trie.record->root, slice_of(names[i]));
        first[i] = node;
        for (size_t k = 0; k < NAMES; k++)
            second[i][k] = trie_member(&trie, node, slice_of(names[k]));
    }
    expect(trie_freeze(&trie) && reader_init(&reader, &trie));
    reader.batch = &arena;
}

static void set_up(void)
{
    struct err err = {0};
    arena_init(&arena, 64u << 20);
    struct mappings *set = mappings_compile(NULL, 0, NULL, &err);
    mapper = set ? mapper_new(set) : NULL;
    expect(mapper != NULL);
    paths_make();
}

/* --- values -------------------------------------------------------------------------------- */

static void value_compare(const struct json *ours, const json_t *theirs);

static void string_compare(const struct json *ours, const char *p, size_t bytes)
{
    bool repaired = false;
    struct slice text = text_of(ours, &arena, &repaired);
    expect(text.p && !repaired && slice_eq(text, (struct slice){p, bytes}));
    expect(text_equals(ours, text));
}

static void number_compare(const struct json *ours, const json_t *theirs)
{
    char text[512];
    if (ours->bytes >= sizeof text)
        return;
    memcpy(text, ours->p, ours->bytes);
    text[ours->bytes] = '\0';
    if (json_is_integer(theirs))
        expect(strtoll(text, NULL, 10) == json_integer_value(theirs));
    else
        expect(strtod(text, NULL) == json_real_value(theirs));
}

static void array_compare(const struct json *ours, const json_t *theirs)
{
    struct walk walk;
    struct json element;
    size_t i = 0;
    walk_open(&walk, ours, NULL);
    while (walk_element(&walk, &element))
        value_compare(&element, json_array_get(theirs, i++));
    expect(i == json_array_size(theirs));
}

/* Every member of theirs is the last of that name of ours. */
static void object_compare(const struct json *ours, json_t *theirs)
{
    const char *name;
    size_t bytes, count = 0;
    json_t *value;
    struct json member;
    if (json_object_size(theirs) > 50) /* json_member() is linear */
        return;
    json_object_keylen_foreach(theirs, name, bytes, value)
    {
        expect(json_member(ours, (struct slice){name, bytes}, &member, NULL));
        value_compare(&member, value);
        count++;
    }
    expect(count == json_object_size(theirs));
}

static void value_compare(const struct json *ours, const json_t *theirs)
{
    expect(theirs != NULL);
    switch ((enum token)ours->type) {
    case TOKEN_NULL:
        expect(json_is_null(theirs));
        break;
    case TOKEN_TRUE:
    case TOKEN_FALSE:
        expect(json_is_boolean(theirs) && json_is_true(theirs) == (ours->type == TOKEN_TRUE));
        break;
    case TOKEN_NUMBER:
        expect(json_is_number(theirs));
        number_compare(ours, theirs);
        break;
    case TOKEN_STRING:
        expect(json_is_string(theirs));
        string_compare(ours, json_string_value(theirs), json_string_length(theirs));
        break;
    case TOKEN_ARRAY:
        expect(json_is_array(theirs));
        array_compare(ours, theirs);
        break;
    case TOKEN_OBJECT:
        expect(json_is_object(theirs));
        object_compare(ours, (json_t *)(uintptr_t)theirs);
        break;
    case TOKEN_NONE:
        abort();
    }
}

/* --- verdicts ------------------------------------------------------------------------------ */

/* The classes in which jansson may refuse what the reader takes. */
static bool refusal_allowed(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_invalid_utf8 || code == json_error_null_character ||
           code == json_error_null_byte_in_key || code == json_error_numeric_overflow ||
           strstr(error->text, "invalid Unicode") || strstr(error->text, "\\u0000");
}

static void slots_compare(struct slice text, const json_t *theirs)
{
    struct scan scan = {.p = text.p, .end = text.p + text.bytes};
    scan_space(&scan);
    expect(reader_record(&reader, &scan, 0));
    for (size_t i = 0; i < NAMES; i++) {
        const json_t *value = json_object_get(theirs, names[i]);
        const struct json *slot = reader_get(&reader, trie.record, first[i]);
        expect((slot != NULL) == (value && !json_is_null(value)));
        if (slot)
            value_compare(slot, value);
        for (size_t k = 0; k < NAMES; k++) {
            const json_t *inner = json_object_get(value, names[k]);
            slot = reader_get(&reader, trie.record, second[i][k]);
            expect((slot != NULL) == (inner && !json_is_null(inner)));
            if (slot)
                value_compare(slot, inner);
        }
    }
}

static void verdict_compare(struct slice text)
{
    json_error_t error;
    struct json ours = {0};
    struct scan scan = {.p = text.p, .end = text.p + text.bytes};
    bool ok = scan_text(&scan, &ours);
    json_t *theirs = json_loadb(text.p, text.bytes, JSON_DECODE_ANY, &error);
    if (ok && theirs) {
        value_compare(&ours, theirs);
        slots_compare(text, theirs);
    } else if (ok) {
        expect(refusal_allowed(&error));
    } else {
        bool nul = scan.p < scan.end && *scan.p == '\0';
        expect(!theirs || scan.reason == REASON_TOO_DEEP || nul);
        expect(scan.reason == REASON_BAD_JSON || scan.reason == REASON_TOO_DEEP);
        expect(scan.p >= text.p && scan.p <= text.p + text.bytes && scan.detail);
    }
    json_decref(theirs);
}

/* --- events -------------------------------------------------------------------------------- */

static bool storable(struct slice text)
{
    json_t *string = json_stringn(text.p, text.bytes); /* NULL: invalid UTF-8 */
    bool ok = string && !memchr(text.p, '\0', text.bytes);
    json_decref(string);
    return ok;
}

static void value_check(enum field_kind kind, union value value)
{
    json_t *object;
    switch (kind) {
    case KIND_TEXT:
        expect(value.s.bytes > 0 && value.s.bytes <= 8192 && storable(value.s));
        break;
    case KIND_COUNT:
        expect(value.i >= 0);
        break;
    case KIND_BOOL:
        expect(value.i == 0 || value.i == 1);
        break;
    case KIND_DECIMAL:
        expect(!value.d->negative && value.d->scale <= DECIMAL_SCALE_MAX);
        break;
    case KIND_TIME:
        expect(value.i > 0);
        break;
    case KIND_TAGS:
        for (size_t i = 0; i < value.t->count; i++)
            expect(storable(value.t->tag[i]));
        break;
    case KIND_JSON:
        object = json_loadb(value.s.p, value.s.bytes, JSON_DECODE_INT_AS_REAL, NULL);
        expect(storable(value.s) && value.s.p[0] == '{');
        json_decref(object);
        break;
    }
}

static void on_record(const struct record *record, void *context)
{
    unsigned *records = context;
    expect(record->index == (*records)++);
    if (record->outcome != RECORD_EVENT) {
        expect(record->reason != REASON_NONE);
        expect(record->outcome == RECORD_SKIPPED || record->detail);
        return;
    }
    for (unsigned i = 0; i < FACT_COUNT; i++)
        if (facts_has(&record->event->facts, (enum fact)i))
            value_check(fact_info[i].kind, record->event->facts.v[i]);
    for (unsigned i = 0; i < LABEL_COUNT; i++)
        if (labels_has(&record->event->labels, (enum label)i))
            value_check(label_info[i].kind, record->event->labels.v[i]);
    expect(facts_has(&record->event->facts, FACT_STARTED_AT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct slice text = {(const char *)data, bytes};
    struct message message = {.bytes = text, .kafka_time_us = 1};
    unsigned records = 0;
    if (!mapper)
        set_up();
    arena_reset(&arena);
    if (bytes > 0)
        verdict_compare(text);
    mapper_read(mapper, &message, &arena, on_record, &records);
    expect(records > 0);
    return 0;
}
