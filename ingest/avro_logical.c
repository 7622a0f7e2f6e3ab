/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libavro forgets logical types. So a schema is marked before libavro sees it: what carries a known
 * logical type is wrapped in a record whose field's name says type and scale, and is recognised by
 * that name when values are printed.
 */
#include "ingest/avro_logical.h"

#include "core/clock.h"
#include "core/decimal.h"
#include "ingest/json_out.h"
#include "ingest/varint.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define MARK "spendlog_logical_"
#define DATE_FIRST (-719528) /* 0000-01-01 */
#define DATE_LAST 2932896    /* 9999-12-31 */

/* `size` of a fixed; 0: any. */
static const struct {
    enum logical_type type;
    const char *name, *stored;
    json_int_t size;
} known[] = {{LOGICAL_DECIMAL, "decimal", "bytes", 0},
             {LOGICAL_DECIMAL, "decimal", "fixed", 0},
             {LOGICAL_DATE, "date", "int", 0},
             {LOGICAL_UUID, "uuid", "fixed", 16},
             {LOGICAL_DURATION, "duration", "fixed", 12}};

/* --- marking --------------------------------------------------------------------------------- */

static bool member_is(const json_t *object, const char *name, const char *text)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value && strcmp(value, text) == 0;
}

/* Whether a schema is one of a logical type that is known here. */
static bool logical_of(const json_t *schema, struct logical *logical)
{
    json_int_t scale = json_integer_value(json_object_get(schema, "scale"));
    json_int_t size = json_integer_value(json_object_get(schema, "size"));
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (member_is(schema, "logicalType", known[i].name) &&
            member_is(schema, "type", known[i].stored) &&
            (known[i].size == 0 || known[i].size == size)) {
            *logical = (struct logical){known[i].type, (unsigned)scale};
            return scale >= 0 && scale <= DECIMAL_SCALE_MAX;
        }
    return false;
}

/* The record takes a fixed's name, so that who refers to it gets the mark too. */
static void mark_one(json_t *schema, const struct logical *logical, unsigned *number)
{
    char field[64], own[64];
    snprintf(field, sizeof field, MARK "%d_%u", (int)logical->type, logical->scale);
    snprintf(own, sizeof own, MARK "%u", (*number)++);
    json_t *stored = json_object();
    json_t *name = json_object_get(schema, "name");
    json_object_set(stored, "type", json_object_get(schema, "type"));
    if (name) {
        json_object_set_new(stored, "name", json_string(own));
        json_object_set(stored, "size", json_object_get(schema, "size"));
    } else {
        json_object_set_new(schema, "name", json_string(own));
    }
    json_object_del(schema, "logicalType");
    json_object_set_new(schema, "type", json_string("record"));
    json_object_set_new(schema, "fields", json_pack("[{s:s,s:o}]", "name", field, "type", stored));
}

static void mark_in(json_t *schema, unsigned *number)
{
    static const char *const inner[] = {"type", "items", "values"};
    struct logical logical;
    size_t i;
    json_t *each;
    json_array_foreach(schema, i, each)
    {
        mark_in(each, number);
    }
    if (!json_is_object(schema))
        return;
    if (logical_of(schema, &logical)) {
        mark_one(schema, &logical, number);
        return;
    }
    for (i = 0; i < sizeof inner / sizeof inner[0]; i++)
        mark_in(json_object_get(schema, inner[i]), number);
    json_array_foreach(json_object_get(schema, "fields"), i, each)
    {
        mark_in(json_object_get(each, "type"), number);
    }
}

char *avro_logical_mark(struct slice schema)
{
    unsigned number = 0;
    json_t *root = json_loadb(schema.p, schema.bytes, JSON_DECODE_ANY, NULL);
    if (!root)
        return NULL;
    mark_in(root, &number);
    char *text = json_dumps(root, JSON_ENCODE_ANY | JSON_COMPACT);
    json_decref(root);
    return text;
}

bool avro_logical_marked(const char *field, struct logical *logical)
{
    int type, end = -1;
    if (!field || strncmp(field, MARK, sizeof MARK - 1) != 0 ||
        sscanf(field + sizeof MARK - 1, "%d_%u%n", &type, &logical->scale, &end) != 2 || end < 0 ||
        type < 0 || type > LOGICAL_DURATION || logical->scale > DECIMAL_SCALE_MAX)
        return false;
    logical->type = (enum logical_type)type;
    return true;
}

/* --- values ---------------------------------------------------------------------------------- */

/* Two's complement, the highest byte first; false: more than 16 bytes are needed. */
static bool unscaled_of(struct slice bytes, u128 *magnitude, bool *negative)
{
    *negative = bytes.bytes > 0 && ((unsigned char)bytes.p[0] & 0x80);
    u128 v = *negative ? ~(u128)0 : 0;
    for (size_t i = 0; i < bytes.bytes; i++) {
        unsigned char fill = *negative ? 0xff : 0, byte = (unsigned char)bytes.p[i];
        if (i + 16 < bytes.bytes && byte != fill)
            return false;
        v = v << 8 | byte;
    }
    if ((v >> 127 != 0) != *negative)
        return false;
    *magnitude = *negative ? -v : v;
    return true;
}

/* All digits of it: what has more than a decimal may have is rounded, or refused, where it is
 * read. */
static void decimal_out(struct buf *out, unsigned scale, struct slice bytes)
{
    char text[DECIMAL_TEXT_MAX], *p = text + sizeof text;
    unsigned digits = 0;
    u128 v;
    bool negative;
    if (!unscaled_of(bytes, &v, &negative)) {
        json_out_base64(out, bytes);
        return;
    }
    for (; v > 0 || digits <= scale; v /= 10, digits++) {
        if (digits == scale && scale > 0)
            *--p = '.';
        *--p = (char)('0' + (int)(v % 10));
    }
    if (negative)
        *--p = '-';
    buf_add(out, (struct slice){p, (size_t)(text + sizeof text - p)});
}

static void date_out(struct buf *out, int64_t days)
{
    if (days < DATE_FIRST || days > DATE_LAST) {
        buf_printf(out, "%lld", (long long)days);
        return;
    }
    struct civil date = clock_civil(days);
    buf_printf(out, "\"%04d-%02u-%02u\"", (int)date.year, (unsigned)date.month, (unsigned)date.day);
}

static void uuid_out(struct buf *out, struct slice bytes)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < bytes.bytes; i++)
        buf_printf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
                   (unsigned)(unsigned char)bytes.p[i]);
    buf_add_char(out, '"');
}

static void duration_out(struct buf *out, struct slice bytes)
{
    unsigned part[3];
    for (size_t i = 0; i < 3; i++)
        part[i] = (unsigned)little_endian(bytes.p + 4 * i, 4);
    buf_printf(out, "{\"months\":%u,\"days\":%u,\"milliseconds\":%u}", part[0], part[1], part[2]);
}

void avro_logical_json(struct buf *out, const struct logical *logical, int64_t v,
                       struct slice bytes)
{
    switch (logical->type) {
    case LOGICAL_DECIMAL:
        decimal_out(out, logical->scale, bytes);
        break;
    case LOGICAL_DATE:
        date_out(out, v);
        break;
    case LOGICAL_UUID:
        uuid_out(out, bytes);
        break;
    case LOGICAL_DURATION:
        duration_out(out, bytes);
        break;
    }
}
