/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf's encoding (protobuf.dev/programming-guides/encoding) over the fields of otlp.def. A
 * repeated field need not stand together in its message, so an array is the whole message, walked
 * for that field's number.
 */
#include "ingest/wire.h"

#include "core/base64.h"
#include "core/hex.h"
#include "ingest/text.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum kind { TEXT, HEX, BASE64, BOOL, INT64, UINT32, INT32, FIXED64, DOUBLE, FIXED32, HOLDS, LIST };

struct wire_row {
    struct slice name;
    uint8_t message, number, kind, other;
};

static const unsigned type_of[] = {
    [TEXT] = WIRE_BYTES,   [HEX] = WIRE_BYTES,     [BASE64] = WIRE_BYTES, [BOOL] = WIRE_VARINT,
    [INT64] = WIRE_VARINT, [UINT32] = WIRE_VARINT, [INT32] = WIRE_VARINT, [FIXED64] = WIRE_I64,
    [DOUBLE] = WIRE_I64,   [FIXED32] = WIRE_I32,   [HOLDS] = WIRE_BYTES,  [LIST] = WIRE_BYTES,
};

static const char *const message_name[] = {
#define MESSAGE(NAME, name) [WIRE_##NAME] = name,
#define FIELD(NAME, number, name, kind)
#define HOLDS(NAME, number, name, other)
#define LIST(NAME, number, name, other)
#include "ingest/otlp.def"
#undef MESSAGE
#undef FIELD
#undef HOLDS
#undef LIST
};

#define NUMBER_LAST 16

/* By message and number; a row without a name is not in the table. */
static const struct wire_row rows[WIRE_MESSAGES][NUMBER_LAST + 1] = {
#define MESSAGE(NAME, name)
#define ROW(NAME, number, name, kind, other)                                                       \
    [WIRE_##NAME][number] = {{name, sizeof(name) - 1}, WIRE_##NAME, number, kind, other},
#define FIELD(NAME, number, name, kind) ROW(NAME, number, name, kind, 0)
#define HOLDS(NAME, number, name, other) ROW(NAME, number, name, HOLDS, WIRE_##other)
#define LIST(NAME, number, name, other) ROW(NAME, number, name, LIST, WIRE_##other)
#include "ingest/otlp.def"
#undef MESSAGE
#undef ROW
#undef FIELD
#undef HOLDS
#undef LIST
};

_Static_assert(WIRE_MESSAGES < WIRE_LIST_FIRST, "messages and lists share a number");
_Static_assert(WIRE_LIST_FIRST + WIRE_MESSAGES * (NUMBER_LAST + 1) <= UINT16_MAX, "fits");

static const struct wire_row *row_of(enum wire_message message, uint32_t number)
{
    if (number > NUMBER_LAST || !rows[message][number].name.p)
        return NULL;
    return &rows[message][number];
}

/* --- what a field says ---------------------------------------------------------------------- */

static struct json text_value(struct slice text)
{
    return (struct json){text.p, (uint32_t)text.bytes, TOKEN_STRING, text_plain_flags(text), 0};
}

static void made_value(struct json *value, enum token type, const char *text, size_t bytes,
                       struct arena *batch)
{
    char *p = arena_alloc(batch, bytes);
    *value = (struct json){.type = TOKEN_NULL};
    if (!p)
        return;
    memcpy(p, text, bytes);
    *value =
        (struct json){p, (uint32_t)bytes, (uint8_t)type, type == TOKEN_STRING ? JSON_PLAIN : 0, 0};
}

/* Digits, without printf's detours: times come with every span. */
static void integer_value(struct json *value, enum token type, uint64_t v, bool negative,
                          struct arena *batch)
{
    char text[24], *p = text + sizeof text;
    do
        *--p = (char)('0' + v % 10);
    while (v /= 10);
    if (negative)
        *--p = '-';
    made_value(value, type, p, (size_t)(text + sizeof text - p), batch);
}

static void signed_value(struct json *value, enum token type, int64_t v, struct arena *batch)
{
    integer_value(value, type, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0, batch);
}

/* The shortest text that reads back as the same number. */
static void double_value(struct json *value, uint64_t bits, struct arena *batch)
{
    char text[32];
    double d;
    int bytes = 0;
    memcpy(&d, &bits, sizeof d);
    if (!isfinite(d)) {
        const char *word = isnan(d) ? "NaN" : d < 0 ? "-Infinity" : "Infinity";
        made_value(value, TOKEN_STRING, word, strlen(word), batch);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        bytes = snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    made_value(value, TOKEN_NUMBER, text, (size_t)bytes, batch);
}

static void hex_value(struct json *value, struct slice bytes, struct arena *batch)
{
    char *text = arena_alloc(batch, bytes.bytes * 2);
    *value = (struct json){.type = TOKEN_NULL};
    if (!text)
        return;
    hex_write(bytes.p, bytes.bytes, text);
    *value = (struct json){text, (uint32_t)bytes.bytes * 2, TOKEN_STRING, JSON_PLAIN, 0};
}

static void base64_value(struct json *value, struct slice bytes, struct arena *batch)
{
    size_t count = base64_characters(bytes.bytes);
    char *text = arena_alloc(batch, count);
    *value = (struct json){.type = TOKEN_NULL};
    if (!text)
        return;
    base64_encode(bytes, text);
    *value = (struct json){text, (uint32_t)count, TOKEN_STRING, JSON_PLAIN, 0};
}

static struct json message_value(struct slice bytes, unsigned message)
{
    return (struct json){bytes.p, (uint32_t)bytes.bytes, TOKEN_OBJECT, 0, (uint16_t)message};
}

/* From its first element on to the end of the message. */
static struct json list_value(const struct wire *wire, const struct wire_field *field)
{
    const struct wire_row *row = field->row;
    unsigned list = WIRE_LIST_FIRST + row->message * (NUMBER_LAST + 1u) + row->number;
    const char *start = field->raw.start;
    return (struct json){start, (uint32_t)(wire->end - start), TOKEN_ARRAY, 0, (uint16_t)list};
}

static const struct wire_row *row_of_list(unsigned list)
{
    unsigned place = list - WIRE_LIST_FIRST;
    return &rows[place / (NUMBER_LAST + 1)][place % (NUMBER_LAST + 1)];
}

void wire_value(const struct wire *wire, const struct wire_field *field, struct json *value,
                struct arena *batch)
{
    const struct wire_row *row = field->row;
    const struct field_bytes *raw = &field->raw;
    switch ((enum kind)row->kind) {
    case TEXT:
        *value = text_value(raw->bytes);
        break;
    case HEX:
        hex_value(value, raw->bytes, batch);
        break;
    case BASE64:
        base64_value(value, raw->bytes, batch);
        break;
    case BOOL:
        *value = raw->v ? (struct json){"true", 4, TOKEN_TRUE, 0, 0}
                        : (struct json){"false", 5, TOKEN_FALSE, 0, 0};
        break;
    case INT64:
        signed_value(value, TOKEN_STRING, (int64_t)raw->v, batch);
        break;
    case FIXED64:
        integer_value(value, TOKEN_STRING, raw->v, false, batch);
        break;
    case INT32:
        signed_value(value, TOKEN_NUMBER, (int32_t)(uint32_t)raw->v, batch);
        break;
    case UINT32:
    case FIXED32:
        integer_value(value, TOKEN_NUMBER, (uint32_t)raw->v, false, batch);
        break;
    case DOUBLE:
        double_value(value, raw->v, batch);
        break;
    case HOLDS:
        *value = message_value(raw->bytes, row->other);
        break;
    case LIST:
        *value = list_value(wire, field);
        break;
    }
}

/* --- walking what was checked --------------------------------------------------------------- */

struct json wire_root(struct slice bytes, enum wire_message root)
{
    return message_value(bytes, root);
}

struct wire wire_open(const struct json *object)
{
    assert(object->type == TOKEN_OBJECT && object->wire < WIRE_MESSAGES);
    return (struct wire){object->p, object->p + object->bytes, (enum wire_message)object->wire, 0};
}

static void checked_take(const char **p, const char *end, struct field_bytes *field)
{
    const char *fault = field_take(p, end, field);
    assert(!fault); /* wire_check() accepted it */
    (void)fault;
}

bool wire_next(struct wire *wire, struct json *key, struct wire_field *field)
{
    while (wire->p < wire->end) {
        checked_take(&wire->p, wire->end, &field->raw);
        field->row = row_of(wire->message, field->raw.number);
        if (!field->row)
            continue;
        if (field->row->kind == LIST) {
            if (wire->lists >> field->row->number & 1)
                continue;
            wire->lists |= UINT32_C(1) << field->row->number;
        }
        struct slice name = field->row->name;
        *key = (struct json){name.p, (uint32_t)name.bytes, TOKEN_STRING, 0, 0};
        return true;
    }
    return false;
}

bool wire_member(struct wire *wire, struct json *key, struct json *value, struct arena *batch)
{
    struct wire_field field;
    if (!wire_next(wire, key, &field))
        return false;
    wire_value(wire, &field, value, batch);
    return true;
}

bool wire_element(const struct json *array, const char **p, struct json *value)
{
    const char *end = array->p + array->bytes;
    const struct wire_row *row = row_of_list(array->wire);
    struct field_bytes raw;
    while (*p < end) {
        checked_take(p, end, &raw);
        if (raw.number == row->number) {
            *value = message_value(raw.bytes, row->other);
            return true;
        }
    }
    return false;
}

bool wire_pair(const struct json *pair, struct json *key, struct json *value)
{
    const char *p = pair->p, *end = p + pair->bytes;
    struct field_bytes raw;
    *key = *value = (struct json){0};
    while (p < end) {
        checked_take(&p, end, &raw);
        if (raw.number == 1)
            *key = text_value(raw.bytes);
        else if (raw.number == 2)
            *value = message_value(raw.bytes, WIRE_ANY_VALUE);
    }
    return key->type != TOKEN_NONE && value->type != TOKEN_NONE;
}

/* --- checking -------------------------------------------------------------------------------- */

static bool check_fail(struct wire_fault *fault, enum reason reason, const char *at,
                       const char *why, enum wire_message message, uint32_t number)
{
    fault->reason = reason;
    fault->at = at;
    snprintf(fault->detail, sizeof fault->detail, "field %u of %s: %s", (unsigned)number,
             message_name[message], why);
    return false;
}

/* `depth` counts this message as its JSON would be nested. */
static bool message_check(struct slice bytes, enum wire_message message, unsigned depth,
                          struct wire_fault *fault)
{
    const char *p = bytes.p, *end = p + bytes.bytes;
    struct field_bytes raw;
    while (p < end) {
        const char *why = field_take(&p, end, &raw);
        if (why)
            return check_fail(fault, REASON_BAD_PROTOBUF, raw.start, why, message, raw.number);
        const struct wire_row *row = row_of(message, raw.number);
        if (!row)
            continue;
        if (raw.type != type_of[row->kind])
            return check_fail(fault, REASON_BAD_PROTOBUF, raw.start, "it has another wire type",
                              message, raw.number);
        if (row->kind != HOLDS && row->kind != LIST)
            continue;
        unsigned below = depth + (row->kind == LIST ? 2 : 1);
        if (below > JSON_DEPTH_MAX)
            return check_fail(fault, REASON_TOO_DEEP, raw.start, "nested deeper than 64 levels",
                              message, raw.number);
        if (!message_check(raw.bytes, (enum wire_message)row->other, below, fault))
            return false;
    }
    return true;
}

bool wire_check(struct slice bytes, enum wire_message root, struct wire_fault *fault)
{
    return message_check(bytes, root, 1, fault);
}

/* --- which request it is ---------------------------------------------------------------------- */

/* The first field of this number that holds something; p == NULL: there is none. */
static struct slice first_of(struct slice bytes, uint32_t number)
{
    const char *p = bytes.p, *end = bytes.bytes ? p + bytes.bytes : p;
    struct field_bytes raw;
    while (p < end && !field_take(&p, end, &raw))
        if (raw.number == number && raw.type == WIRE_BYTES && raw.bytes.bytes > 0)
            return raw.bytes;
    return (struct slice){NULL, 0};
}

/* A span or log record knows when it was or which span it is; a metric may have a name of sixteen
 * bytes, which looks like a trace's id. */
static bool item_is(struct slice item, enum wire_message message)
{
    const char *p = item.p, *end = p + item.bytes;
    struct field_bytes raw;
    bool span = false;
    while (p < end) {
        if (field_take(&p, end, &raw))
            return false;
        const struct wire_row *row = row_of(message, raw.number);
        if (!row)
            continue;
        bool trace = message == WIRE_SPAN ? raw.number == 1 : raw.number == 9;
        if (raw.type != type_of[row->kind] ||
            (row->kind == HEX && raw.bytes.bytes > 0 && raw.bytes.bytes != (trace ? 16 : 8)))
            return false;
        span |= message == WIRE_SPAN && (raw.number == 2 || raw.type == WIRE_I64);
    }
    return span || message != WIRE_SPAN;
}

enum wire_message wire_signal(struct slice bytes)
{
    static const enum wire_message item[] = {WIRE_SPAN, WIRE_LOG_RECORD, WIRE_METRIC};
    static const enum wire_message root[] = {WIRE_TRACES, WIRE_LOGS, WIRE_METRICS};
    const char *p = bytes.p, *end = p + bytes.bytes;
    struct field_bytes raw;
    while (p < end && !field_take(&p, end, &raw)) {
        struct slice first = raw.number == 1 && raw.type == WIRE_BYTES
                                 ? first_of(first_of(raw.bytes, 2), 2)
                                 : (struct slice){NULL, 0};
        for (size_t i = 0; first.p && i < sizeof item / sizeof item[0]; i++)
            if (item_is(first, item[i]))
                return root[i];
    }
    return WIRE_TRACES;
}

/* Nothing but fields number 1 of counted bytes, each with a resource or scopes in front. */
static bool frames_evenly(struct slice bytes)
{
    const char *p = bytes.p, *end = p + bytes.bytes;
    struct field_bytes raw;
    while (p < end)
        if (*p != 0x0a || field_take(&p, end, &raw) || raw.bytes.bytes == 0 ||
            (*raw.bytes.p != 0x0a && *raw.bytes.p != 0x12 && *raw.bytes.p != 0x1a))
            return false;
    return true;
}

/* The first byte is that of a newline before JSON too: there the whole length has to come out even.
 * Elsewhere a request that is cut or broken is known by its beginning. */
bool wire_begins(struct slice bytes)
{
    struct scan json = {.p = bytes.p, .end = bytes.p + bytes.bytes};
    const char *p = bytes.p + 1;
    uint64_t length;
    if (bytes.bytes < 3 || *bytes.p != 0x0a)
        return false;
    if (frames_evenly(bytes))
        return true;
    int first = scan_peek(&json);
    return first != -1 && first != '{' && first != '[' && varint_take(&p, json.end, &length) &&
           p < json.end && (*p == 0x0a || *p == 0x12);
}
