/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP as protobuf, read in place as the values that its JSON would have: an object is a message's
 * bytes, an array the bytes of the message that has the repeated field. A message is checked whole
 * before anything is read from it; what comes after may rely on that.
 *
 *     enum wire_message root = wire_signal(bytes);
 *     if (wire_check(bytes, root, &fault)) { struct json value = wire_root(bytes, root); ... }
 *
 * Values are walked by ingest/walk.h and written out as JSON by text_json().
 */
#ifndef INGEST_WIRE_H
#define INGEST_WIRE_H

#include "core/arena.h"
#include "ingest/scan.h"
#include "ingest/varint.h"

enum wire_message {
    WIRE_JSON, /* no message: a value of JSON text */
#define MESSAGE(NAME, name) WIRE_##NAME,
#define FIELD(NAME, number, name, kind)
#define HOLDS(NAME, number, name, other)
#define LIST(NAME, number, name, other)
#include "ingest/otlp.def"
#undef MESSAGE
#undef FIELD
#undef HOLDS
#undef LIST
    WIRE_MESSAGES
};

/* What struct json's `wire` says: a message, or an array that is a repeated field. */
#define WIRE_LIST_FIRST 64u

struct wire_row; /* a field of the table */

/* Where a reader of a message stands. */
struct wire {
    const char *p, *end;
    enum wire_message message;
    uint32_t lists; /* fields, by number, whose array has come */
};

struct wire_field {
    struct field_bytes raw;
    const struct wire_row *row; /* NULL: not in the table */
};

struct wire_fault {
    enum reason reason;
    const char *at;
    char detail[128];
};

/* Which request the bytes are, by the first span, log record or metric in it; WIRE_TRACES when it
 * holds none of these. */
enum wire_message wire_signal(struct slice bytes);

/* Whether bytes begin as an OTLP request does and not as JSON. */
bool wire_begins(struct slice bytes);

/* false: the place of the fault, and which field of which message is at fault. */
bool wire_check(struct slice bytes, enum wire_message root, struct wire_fault *fault) MUST_CHECK;

struct json wire_root(struct slice bytes, enum wire_message root);

static inline bool json_is_wire(const struct json *json)
{
    return json->wire != WIRE_JSON;
}

/* The members of a message, one after the other; a repeated field comes once, as an array. Numbers
 * and ids are made into text in the arena: null when it is full. */
struct wire wire_open(const struct json *object);
bool wire_member(struct wire *wire, struct json *key, struct json *value, struct arena *batch);

/* The same in two steps, for who wants few of them. */
bool wire_next(struct wire *wire, struct json *key, struct wire_field *field);
void wire_value(const struct wire *wire, const struct wire_field *field, struct json *value,
                struct arena *batch);

/* The elements of an array: *p starts at array->p. */
bool wire_element(const struct json *array, const char **p, struct json *value);

/* Key and value of a KeyValue as its JSON has them; false: one is missing. */
bool wire_pair(const struct json *pair, struct json *key, struct json *value);
#endif
