/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf along a schema of a registry. The registry gives the schema as a FileDescriptorProto
 * (google/protobuf/descriptor.proto), itself Protobuf, of which the few fields that say names,
 * numbers and types are read here. Types go by their full names; one that no file has is written as
 * null, but for google.protobuf.Timestamp.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "ingest/json_out.h"
#include "ingest/scan.h"
#include "ingest/schema.h"
#include "ingest/varint.h"

#include <stdlib.h>

#define SCHEMA_BYTES_MAX (16u << 20)

/* FieldDescriptorProto.Type */
enum type {
    TYPE_DOUBLE = 1,
    TYPE_FLOAT,
    TYPE_INT64,
    TYPE_UINT64,
    TYPE_INT32,
    TYPE_FIXED64,
    TYPE_FIXED32,
    TYPE_BOOL,
    TYPE_STRING,
    TYPE_GROUP,
    TYPE_MESSAGE,
    TYPE_BYTES,
    TYPE_UINT32,
    TYPE_ENUM,
    TYPE_SFIXED32,
    TYPE_SFIXED64,
    TYPE_SINT32,
    TYPE_SINT64,
};

struct member { /* a field of a message, or an enumerator */
    struct slice name, type_name;
    uint32_t number;
    uint8_t type; /* enum type */
    bool repeated;
    const struct definition *of; /* MESSAGE, ENUM: NULL when unknown */
    struct member *next;
};

struct definition {    /* of a message or an enum */
    struct slice name; /* ".package.Outer.Inner" */
    bool map_entry;
    struct member *members;
    struct definition *nested, *next; /* next: the sibling, as declared */
    struct definition *all;
};

struct schema_protobuf {
    struct arena arena;
    struct definition *top; /* messages of the schema's own file */
    struct definition *all;
    bool failed;
};

/* --- the schema ------------------------------------------------------------------------------- */

/* The next field of a descriptor; false at the end, or at what is wrong, which `failed` says. */
static bool descriptor_next(struct schema_protobuf *pb, const char **p, const char *end,
                            struct field_bytes *field)
{
    if (*p >= end || pb->failed)
        return false;
    pb->failed = field_take(p, end, field) != NULL;
    return !pb->failed;
}

static void *keep(struct schema_protobuf *pb, size_t bytes)
{
    void *p = arena_zalloc(&pb->arena, bytes);
    pb->failed |= p == NULL;
    return p;
}

static struct slice keep_text(struct schema_protobuf *pb, struct slice text)
{
    struct slice kept = arena_slice(&pb->arena, text);
    pb->failed |= kept.p == NULL;
    return kept;
}

static struct slice joined(struct schema_protobuf *pb, struct slice scope, struct slice name)
{
    char *text = keep(pb, scope.bytes + 1 + name.bytes);
    if (pb->failed)
        return (struct slice){NULL, 0};
    memcpy(text, scope.p, scope.bytes);
    text[scope.bytes] = '.';
    memcpy(text + scope.bytes + 1, name.p, name.bytes);
    return (struct slice){text, scope.bytes + 1 + name.bytes};
}

/* The bytes field of this number that comes first. */
static struct slice bytes_of(struct schema_protobuf *pb, struct slice descriptor, uint32_t number)
{
    const char *p = descriptor.p, *end = p + descriptor.bytes;
    struct field_bytes field;
    while (descriptor_next(pb, &p, end, &field))
        if (field.number == number && field.type == WIRE_BYTES)
            return keep_text(pb, field.bytes);
    return SLICE("");
}

/* FieldDescriptorProto: name 1, number 3, label 4 (3: repeated), type 5, type_name 6;
 * EnumValueDescriptorProto: name 1, number 2. */
static void member_add(struct schema_protobuf *pb, struct slice bytes, bool enumerator,
                       struct member ***last)
{
    const char *p = bytes.p, *end = p + bytes.bytes;
    struct field_bytes field;
    struct member *member = keep(pb, sizeof *member);
    if (!member)
        return;
    while (descriptor_next(pb, &p, end, &field)) {
        if (field.number == 1 && field.type == WIRE_BYTES)
            member->name = keep_text(pb, field.bytes);
        else if (field.number == 6 && field.type == WIRE_BYTES)
            member->type_name = keep_text(pb, field.bytes);
        else if (field.number == (enumerator ? 2u : 3u) && field.type == WIRE_VARINT)
            member->number = (uint32_t)field.v;
        else if (field.number == 4 && field.type == WIRE_VARINT)
            member->repeated = field.v == 3;
        else if (field.number == 5 && field.type == WIRE_VARINT)
            member->type = (uint8_t)field.v;
    }
    **last = member;
    *last = &member->next;
}

static struct definition *definition_new(struct schema_protobuf *pb, struct slice scope,
                                         struct slice bytes)
{
    struct definition *definition = keep(pb, sizeof *definition);
    if (!definition)
        return NULL;
    definition->name = joined(pb, scope, bytes_of(pb, bytes, 1));
    definition->all = pb->all;
    pb->all = definition;
    return definition;
}

/* EnumDescriptorProto: name 1, value 2. */
static void enum_add(struct schema_protobuf *pb, struct slice scope, struct slice bytes)
{
    const char *p = bytes.p, *end = p + bytes.bytes;
    struct field_bytes field;
    struct definition *definition = definition_new(pb, scope, bytes);
    struct member **last = definition ? &definition->members : NULL;
    while (last && descriptor_next(pb, &p, end, &field))
        if (field.number == 2 && field.type == WIRE_BYTES)
            member_add(pb, field.bytes, true, &last);
}

/* MessageOptions: map_entry 7. */
static bool is_map_entry(struct schema_protobuf *pb, struct slice options)
{
    const char *p = options.p, *end = p + options.bytes;
    struct field_bytes field;
    bool map = false;
    while (descriptor_next(pb, &p, end, &field))
        map |= field.number == 7 && field.type == WIRE_VARINT && field.v;
    return map;
}

/* DescriptorProto: name 1, field 2, nested_type 3, enum_type 4, options 7. */
static struct definition *message_add(struct schema_protobuf *pb, struct slice scope,
                                      struct slice bytes, unsigned depth)
{
    const char *p = bytes.p, *end = p + bytes.bytes;
    struct field_bytes field;
    struct definition *definition = definition_new(pb, scope, bytes);
    pb->failed |= depth > JSON_DEPTH_MAX;
    if (!definition)
        return NULL;
    struct member **last = &definition->members;
    struct definition **nested = &definition->nested;
    while (descriptor_next(pb, &p, end, &field)) {
        if (field.type != WIRE_BYTES)
            continue;
        if (field.number == 2)
            member_add(pb, field.bytes, false, &last);
        else if (field.number == 3 &&
                 (*nested = message_add(pb, definition->name, field.bytes, depth + 1)))
            nested = &(*nested)->next;
        else if (field.number == 4)
            enum_add(pb, definition->name, field.bytes);
        else if (field.number == 7)
            definition->map_entry = is_map_entry(pb, field.bytes);
    }
    return definition;
}

/* FileDescriptorProto: package 2, message_type 4, enum_type 5. */
static struct definition *file_add(struct schema_protobuf *pb, struct slice file)
{
    struct slice package = bytes_of(pb, file, 2);
    struct slice scope = package.bytes ? joined(pb, SLICE(""), package) : SLICE("");
    const char *p = file.p, *end = p + file.bytes;
    struct field_bytes field;
    struct definition *top = NULL, **last = &top;
    while (descriptor_next(pb, &p, end, &field)) {
        if (field.type != WIRE_BYTES)
            continue;
        if (field.number == 4 && (*last = message_add(pb, scope, field.bytes, 1)))
            last = &(*last)->next;
        else if (field.number == 5)
            enum_add(pb, scope, field.bytes);
    }
    return top;
}

static void types_resolve(struct schema_protobuf *pb)
{
    for (struct definition *d = pb->all; d; d = d->all)
        for (struct member *member = d->members; member; member = member->next)
            for (const struct definition *of = pb->all; of && member->type_name.p; of = of->all)
                if (slice_eq(of->name, member->type_name)) {
                    member->of = of;
                    break;
                }
}

struct schema_protobuf *schema_protobuf_new(const struct slice *files, size_t count,
                                            struct err *err)
{
    struct schema_protobuf *pb = calloc(1, sizeof *pb);
    if (!pb) {
        err_set(err, ERR_FATAL, "out of memory");
        return NULL;
    }
    arena_init(&pb->arena, SCHEMA_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct definition *top = file_add(pb, files[i]);
        pb->top = i == 0 ? top : pb->top;
    }
    types_resolve(pb);
    if (pb->top && !pb->failed)
        return pb;
    err_set(err, ERR_INPUT,
            pb->arena.full ? "a schema that takes more than 16 MiB"
                           : "not a FileDescriptorProto with a message");
    schema_protobuf_free(pb);
    return NULL;
}

void schema_protobuf_free(struct schema_protobuf *protobuf)
{
    if (protobuf)
        arena_free(&protobuf->arena);
    free(protobuf);
}

/* --- a message -------------------------------------------------------------------------------- */

struct decoder {
    struct buf *out;
    const char *why, *at;
};

static bool fail(struct decoder *d, const char *why, const char *at)
{
    if (!d->why) {
        d->why = why;
        d->at = at;
    }
    return false;
}

static unsigned wire_type_of(unsigned type)
{
    switch (type) {
    case TYPE_DOUBLE:
    case TYPE_FIXED64:
    case TYPE_SFIXED64:
        return WIRE_I64;
    case TYPE_FLOAT:
    case TYPE_FIXED32:
    case TYPE_SFIXED32:
        return WIRE_I32;
    case TYPE_STRING:
    case TYPE_MESSAGE:
    case TYPE_BYTES:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

static void enumerator_out(struct decoder *d, const struct definition *of, uint64_t v)
{
    for (const struct member *m = of ? of->members : NULL; m; m = m->next)
        if (m->number == (uint32_t)v) {
            buf_add_json_string(d->out, m->name);
            return;
        }
    buf_printf(d->out, "%d", (int)(int32_t)(uint32_t)v);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static void real_out(struct decoder *d, unsigned type, uint64_t bits)
{
    double real;
    float narrow;
    uint32_t low = (uint32_t)bits;
    memcpy(&real, &bits, sizeof real);
    memcpy(&narrow, &low, sizeof narrow);
    if (type == TYPE_DOUBLE)
        json_out_double(d->out, real);
    else
        json_out_float(d->out, narrow);
}

static void number_out(struct decoder *d, const struct member *member, uint64_t v)
{
    switch (member->type) {
    case TYPE_DOUBLE:
    case TYPE_FLOAT:
        real_out(d, member->type, v);
        break;
    case TYPE_BOOL:
        buf_add_text(d->out, v ? "true" : "false");
        break;
    case TYPE_ENUM:
        enumerator_out(d, member->of, v);
        break;
    case TYPE_UINT64:
    case TYPE_FIXED64:
        buf_printf(d->out, "%llu", (unsigned long long)v);
        break;
    case TYPE_UINT32:
    case TYPE_FIXED32:
        buf_printf(d->out, "%lu", (unsigned long)(uint32_t)v);
        break;
    case TYPE_INT32:
    case TYPE_SFIXED32:
        buf_printf(d->out, "%d", (int)(int32_t)(uint32_t)v);
        break;
    case TYPE_SINT32:
    case TYPE_SINT64:
        buf_printf(d->out, "%lld", (long long)unzigzag(v));
        break;
    default:
        buf_printf(d->out, "%lld", (long long)v);
    }
}

/* google.protobuf.Timestamp: seconds 1, nanos 2. */
static bool timestamp_out(struct decoder *d, struct slice bytes)
{
    const char *p = bytes.p, *end = p + bytes.bytes;
    struct field_bytes field;
    char text[CLOCK_TEXT_MAX];
    int64_t seconds = 0, nanos = 0, us;
    while (p < end) {
        const char *why = field_take(&p, end, &field);
        if (why)
            return fail(d, why, field.start);
        if (field.type == WIRE_VARINT && field.number == 1)
            seconds = (int64_t)field.v;
        else if (field.type == WIRE_VARINT && field.number == 2)
            nanos = (int64_t)field.v;
    }
    if (__builtin_mul_overflow(seconds, 1000000, &us) || seconds < 0 || seconds > 253402300799 ||
        nanos < 0 || nanos > 999999999) {
        buf_add_text(d->out, "null");
        return true;
    }
    clock_format(us + nanos / 1000, text);
    buf_add_char(d->out, '"');
    buf_add_text(d->out, text);
    buf_add_char(d->out, '"');
    return true;
}

static bool message_out(struct decoder *d, const struct definition *of, struct slice bytes,
                        unsigned depth);

static bool counted_out(struct decoder *d, const struct member *member, struct slice bytes,
                        unsigned depth)
{
    if (member->type == TYPE_STRING)
        buf_add_json_string(d->out, bytes);
    else if (member->type == TYPE_BYTES)
        json_out_base64(d->out, bytes);
    else if (slice_is(member->type_name, ".google.protobuf.Timestamp"))
        return timestamp_out(d, bytes);
    else if (member->of)
        return message_out(d, member->of, bytes, depth);
    else
        buf_add_text(d->out, "null");
    return true;
}

static bool value_out(struct decoder *d, const struct member *member,
                      const struct field_bytes *field, unsigned depth)
{
    if (!buf_ok(d->out))
        return fail(d, "it expands beyond the limit of a message", field->start);
    if (wire_type_of(member->type) == WIRE_BYTES)
        return counted_out(d, member, field->bytes, depth);
    number_out(d, member, field->v);
    return true;
}

/* Numbers of a repeated field may stand in one field of counted bytes. */
static bool packed_out(struct decoder *d, const struct member *member, struct slice bytes,
                       bool *first)
{
    const char *p = bytes.p, *end = p + bytes.bytes;
    unsigned type = wire_type_of(member->type);
    while (p < end) {
        uint64_t v;
        unsigned size = type == WIRE_I64 ? 8 : 4;
        if (type == WIRE_VARINT ? !varint_take(&p, end, &v) : (size_t)(end - p) < size)
            return fail(d, "packed numbers are cut", p);
        if (type != WIRE_VARINT) {
            v = little_endian(p, size);
            p += size;
        }
        if (!buf_ok(d->out))
            return fail(d, "it expands beyond the limit of a message", p);
        if (!*first)
            buf_add_char(d->out, ',');
        *first = false;
        number_out(d, member, v);
    }
    return true;
}

/* A map's entry is a message of key 1 and value 2. */
static bool entry_out(struct decoder *d, const struct definition *entry, struct slice bytes,
                      unsigned depth)
{
    const struct member *members[2] = {NULL, NULL};
    struct field_bytes field, found[2] = {{.number = 0}, {.number = 0}};
    for (const struct member *m = entry->members; m; m = m->next)
        if (m->number == 1 || m->number == 2)
            members[m->number - 1] = m;
    for (const char *p = bytes.p, *end = p + bytes.bytes; p < end;) {
        const char *why = field_take(&p, end, &field);
        if (why)
            return fail(d, why, field.start);
        if (field.number == 1 || field.number == 2)
            found[field.number - 1] = field;
    }
    if (!members[0] || !members[1])
        return fail(d, "a map whose entry has no key and value", bytes.p);
    bool text = members[0]->type == TYPE_STRING;
    if (text) {
        buf_add_json_string(d->out, found[0].bytes);
    } else {
        buf_add_char(d->out, '"');
        number_out(d, members[0], found[0].v);
        buf_add_char(d->out, '"');
    }
    buf_add_char(d->out, ':');
    if (found[1].number && found[1].type == wire_type_of(members[1]->type))
        return value_out(d, members[1], &found[1], depth);
    buf_add_text(d->out, members[1]->type == TYPE_STRING ? "\"\"" : "null");
    return true;
}

/* All of a repeated field, from its first element on. */
static bool list_out(struct decoder *d, const struct member *member, const char *p, const char *end,
                     unsigned depth)
{
    bool map = member->of && member->of->map_entry, first = true;
    struct field_bytes field;
    buf_add_char(d->out, map ? '{' : '[');
    while (p < end) {
        const char *why = field_take(&p, end, &field);
        if (why)
            return fail(d, why, field.start);
        if (field.number != member->number)
            continue;
        bool packed = field.type == WIRE_BYTES && wire_type_of(member->type) != WIRE_BYTES;
        if (packed && !packed_out(d, member, field.bytes, &first))
            return false;
        if (packed)
            continue;
        if (field.type != wire_type_of(member->type))
            return fail(d, "a field of another wire type", field.start);
        if (!first)
            buf_add_char(d->out, ',');
        first = false;
        if (!(map ? entry_out(d, member->of, field.bytes, depth + 1)
                  : value_out(d, member, &field, depth + 1)))
            return false;
    }
    buf_add_char(d->out, map ? '}' : ']');
    return true;
}

static const struct member *member_find(const struct definition *of, uint32_t number)
{
    const struct member *member = of->members;
    while (member && member->number != number)
        member = member->next;
    return member;
}

#define LISTS_MAX 64 /* repeated fields of a message that are told apart */

static bool message_out(struct decoder *d, const struct definition *of, struct slice bytes,
                        unsigned depth)
{
    const struct member *lists[LISTS_MAX];
    size_t list_count = 0;
    bool first = true;
    struct field_bytes field;
    if (depth >= JSON_DEPTH_MAX)
        return fail(d, "nested deeper than 64 levels", bytes.p);
    buf_add_char(d->out, '{');
    for (const char *p = bytes.p, *end = p + bytes.bytes; p < end;) {
        const char *why = field_take(&p, end, &field);
        if (why)
            return fail(d, why, field.start);
        const struct member *member = member_find(of, field.number);
        bool seen = false;
        for (size_t i = 0; member && member->repeated && i < list_count; i++)
            seen |= lists[i] == member;
        if (!member || seen)
            continue;
        if (member->repeated && list_count == LISTS_MAX)
            return fail(d, "more than 64 repeated fields in a message", field.start);
        if (!member->repeated && field.type != wire_type_of(member->type))
            return fail(d, "a field of another wire type", field.start);
        if (!first)
            buf_add_char(d->out, ',');
        first = false;
        buf_add_json_string(d->out, member->name);
        buf_add_char(d->out, ':');
        if (member->repeated)
            lists[list_count++] = member;
        if (!(member->repeated ? list_out(d, member, field.start, end, depth + 1)
                               : value_out(d, member, &field, depth + 1)))
            return false;
    }
    buf_add_char(d->out, '}');
    return true;
}

/* Which message of the file it is: so many indexes, each among the messages nested in the one
 * before; zigzag varints. A single 0 stands for the first. */
static const struct definition *indexes_take(const struct schema_protobuf *pb, const char **p,
                                             const char *end)
{
    const struct definition *of = pb->top;
    uint64_t v;
    int64_t count, index;
    if (!varint_take(p, end, &v))
        return NULL;
    count = unzigzag(v);
    for (int64_t i = 0; i < count && of; i++) {
        if (i > 0)
            of = of->nested;
        if (!varint_take(p, end, &v) || (index = unzigzag(v)) < 0)
            return NULL;
        while (index-- > 0 && of)
            of = of->next;
    }
    return count < 0 ? NULL : of;
}

bool schema_protobuf_json(const struct schema_protobuf *protobuf, struct slice bytes,
                          struct buf *json, const char **why, const char **at)
{
    struct decoder d = {.out = json};
    const char *p = bytes.p, *end = p + bytes.bytes;
    const struct definition *of = indexes_take(protobuf, &p, end);
    bool ok = of ? message_out(&d, of, (struct slice){p, (size_t)(end - p)}, 0)
                 : fail(&d, "no message of the schema has these indexes", bytes.p);
    if (ok && !buf_ok(json))
        ok = fail(&d, "it expands beyond the limit of a message", bytes.p);
    *why = d.why;
    *at = d.at;
    return ok;
}
