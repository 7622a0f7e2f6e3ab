/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Avro's binary encoding (avro.apache.org/docs, "Binary encoding"), along a schema that libavro has
 * parsed. The library's own reader makes values in memory of whatever sizes the bytes state; here a
 * size is held against what is left of the message, and what comes out against a ceiling. Logical
 * types (avro_logical.h) are written as what they mean.
 */
#include "ingest/avro_logical.h"
#include "ingest/json_out.h"
#include "ingest/scan.h"
#include "ingest/schema.h"
#include "ingest/varint.h"

#include <avro.h>
#include <stdlib.h>

struct schema_avro {
    avro_schema_t schema;
};

struct decoder {
    const char *p, *end;
    struct buf *out;
    const char *why;
};

struct schema_avro *schema_avro_new(struct slice json, struct err *err)
{
    struct schema_avro *avro = calloc(1, sizeof *avro);
    if (!avro) {
        err_set(err, ERR_FATAL, "out of memory");
        return NULL;
    }
    char *marked = avro_logical_mark(json);
    if (!marked)
        err_set(err, ERR_INPUT, "not an Avro schema: not JSON");
    else if (avro_schema_from_json_length(marked, strlen(marked), &avro->schema) != 0)
        err_set(err, ERR_INPUT, "not an Avro schema: %s", avro_strerror());
    free(marked);
    if (avro->schema)
        return avro;
    free(avro);
    return NULL;
}

void schema_avro_free(struct schema_avro *avro)
{
    if (avro)
        avro_schema_decref(avro->schema);
    free(avro);
}

static bool fail(struct decoder *d, const char *why)
{
    if (!d->why)
        d->why = why;
    return false;
}

static bool long_take(struct decoder *d, int64_t *v)
{
    uint64_t u;
    if (!varint_take(&d->p, d->end, &u))
        return fail(d, "a number does not end");
    *v = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
    return true;
}

static bool bytes_take(struct decoder *d, uint64_t count, struct slice *bytes)
{
    if (count > (uint64_t)(d->end - d->p))
        return fail(d, "longer than what is left");
    *bytes = (struct slice){d->p, (size_t)count};
    d->p += count;
    return true;
}

static bool counted_take(struct decoder *d, struct slice *bytes)
{
    int64_t count;
    if (!long_take(d, &count))
        return false;
    return count < 0 ? fail(d, "a length below 0") : bytes_take(d, (uint64_t)count, bytes);
}

static bool value_decode(struct decoder *d, avro_schema_t schema, unsigned depth);

static bool record_decode(struct decoder *d, avro_schema_t schema, unsigned depth)
{
    size_t count = avro_schema_record_size(schema);
    buf_add_char(d->out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(d->out, ',');
        buf_add_json_string(d->out, slice_of(avro_schema_record_field_name(schema, (int)i)));
        buf_add_char(d->out, ':');
        if (!value_decode(d, avro_schema_record_field_get_by_index(schema, (int)i), depth))
            return false;
    }
    buf_add_char(d->out, '}');
    return true;
}

/* Blocks of items; a negative count is followed by the block's bytes. The last block has none. */
static bool block_take(struct decoder *d, int64_t *count)
{
    int64_t bytes;
    if (!long_take(d, count))
        return false;
    if (*count >= 0)
        return true;
    if (*count == INT64_MIN || !long_take(d, &bytes))
        return fail(d, "a count that cannot be");
    *count = -*count;
    return true;
}

static bool items_decode(struct decoder *d, avro_schema_t items, bool map, unsigned depth)
{
    int64_t count;
    bool first = true;
    struct slice key;
    buf_add_char(d->out, map ? '{' : '[');
    for (;;) {
        if (!block_take(d, &count))
            return false;
        for (int64_t i = 0; i < count; i++, first = false) {
            if (!first)
                buf_add_char(d->out, ',');
            if (map) {
                if (!counted_take(d, &key))
                    return false;
                buf_add_json_string(d->out, key);
                buf_add_char(d->out, ':');
            }
            if (!value_decode(d, items, depth))
                return false;
        }
        if (count == 0)
            break;
    }
    buf_add_char(d->out, map ? '}' : ']');
    return true;
}

static bool union_decode(struct decoder *d, avro_schema_t schema, unsigned depth)
{
    int64_t branch;
    if (!long_take(d, &branch))
        return false;
    if (branch < 0 || (uint64_t)branch >= avro_schema_union_size(schema))
        return fail(d, "a branch that the union does not have");
    return value_decode(d, avro_schema_union_branch(schema, (int)branch), depth);
}

static bool enum_decode(struct decoder *d, avro_schema_t schema)
{
    int64_t symbol;
    if (!long_take(d, &symbol))
        return false;
    const char *name =
        symbol >= 0 && symbol <= INT32_MAX ? avro_schema_enum_get(schema, (int)symbol) : NULL;
    if (!name)
        return fail(d, "a symbol that the enum does not have");
    buf_add_json_string(d->out, slice_of(name));
    return true;
}

static bool number_decode(struct decoder *d, avro_type_t type)
{
    struct slice bytes;
    int64_t v;
    double real;
    float narrow;
    if (type == AVRO_INT32 || type == AVRO_INT64) {
        if (!long_take(d, &v))
            return false;
        buf_printf(d->out, "%lld", (long long)v);
        return true;
    }
    if (!bytes_take(d, type == AVRO_DOUBLE ? 8 : 4, &bytes))
        return false;
    uint64_t bits = little_endian(bytes.p, (unsigned)bytes.bytes);
    if (type == AVRO_DOUBLE) {
        memcpy(&real, &bits, sizeof real);
        json_out_double(d->out, real);
    } else {
        uint32_t low = (uint32_t)bits;
        memcpy(&narrow, &low, sizeof narrow);
        json_out_float(d->out, narrow);
    }
    return true;
}

static bool scalar_decode(struct decoder *d, avro_schema_t schema, avro_type_t type)
{
    struct slice bytes;
    switch (type) {
    case AVRO_NULL:
        buf_add_text(d->out, "null");
        return true;
    case AVRO_BOOLEAN:
        if (!bytes_take(d, 1, &bytes))
            return false;
        buf_add_text(d->out, *bytes.p ? "true" : "false");
        return true;
    case AVRO_STRING:
        if (!counted_take(d, &bytes))
            return false;
        buf_add_json_string(d->out, bytes);
        return true;
    case AVRO_BYTES:
    case AVRO_FIXED:
        if (!(type == AVRO_BYTES ? counted_take(d, &bytes)
                                 : bytes_take(d, (uint64_t)avro_schema_fixed_size(schema), &bytes)))
            return false;
        json_out_base64(d->out, bytes);
        return true;
    case AVRO_ENUM:
        return enum_decode(d, schema);
    default:
        return number_decode(d, type);
    }
}

static bool stored_take(struct decoder *d, avro_schema_t stored, int64_t *v, struct slice *bytes)
{
    switch (avro_typeof(stored)) {
    case AVRO_INT32:
    case AVRO_INT64:
        return long_take(d, v);
    case AVRO_FIXED:
        return bytes_take(d, (uint64_t)avro_schema_fixed_size(stored), bytes);
    default:
        return counted_take(d, bytes);
    }
}

/* What avro_logical_mark() has put around a value: a record of one field, which is stored as its
 * field is. */
static bool logical_decode(struct decoder *d, avro_schema_t record, const struct logical *logical)
{
    struct slice bytes = {NULL, 0};
    int64_t v = 0;
    if (!stored_take(d, avro_schema_record_field_get_by_index(record, 0), &v, &bytes))
        return false;
    avro_logical_json(d->out, logical, v, bytes);
    return true;
}

static bool record_or_logical_decode(struct decoder *d, avro_schema_t schema, unsigned depth)
{
    struct logical logical;
    if (avro_schema_record_size(schema) == 1 &&
        avro_logical_marked(avro_schema_record_field_name(schema, 0), &logical))
        return logical_decode(d, schema, &logical);
    return record_decode(d, schema, depth);
}

static bool value_decode(struct decoder *d, avro_schema_t schema, unsigned depth)
{
    avro_type_t type = avro_typeof(schema);
    if (!buf_ok(d->out))
        return fail(d, "it expands beyond the limit of a message");
    if (depth >= JSON_DEPTH_MAX)
        return fail(d, "nested deeper than 64 levels");
    switch (type) {
    case AVRO_RECORD:
        return record_or_logical_decode(d, schema, depth + 1);
    case AVRO_ARRAY:
        return items_decode(d, avro_schema_array_items(schema), false, depth + 1);
    case AVRO_MAP:
        return items_decode(d, avro_schema_map_values(schema), true, depth + 1);
    case AVRO_UNION:
        return union_decode(d, schema, depth + 1);
    case AVRO_LINK:
        return value_decode(d, avro_schema_link_target(schema), depth + 1);
    default:
        return scalar_decode(d, schema, type);
    }
}

bool schema_avro_json(const struct schema_avro *avro, struct slice bytes, struct buf *json,
                      const char **why, const char **at)
{
    struct decoder d = {bytes.p, bytes.p + bytes.bytes, json, NULL};
    bool ok = value_decode(&d, avro->schema, 0);
    if (ok && d.p < d.end)
        ok = fail(&d, "bytes behind the value");
    if (ok && !buf_ok(json))
        ok = fail(&d, "it expands beyond the limit of a message");
    *why = d.why;
    *at = d.p;
    return ok;
}
