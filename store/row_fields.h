/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a row in COPY's binary form, written through a bare pointer into room that is there.
 * Internal to store/row*.c and store/sums_lines.c. */
#ifndef STORE_ROW_FIELDS_H
#define STORE_ROW_FIELDS_H

#include "core/big_endian.h"
#include "core/charge.h"
#include "core/event.h"
#include "store/numeric.h"
#include "store/pg.h"
#include "store/row.h"
#include "store/row_items.h"

#define FIELD_BYTES_MAX 128 /* of any field or member of usage but for its text */

static inline char *field_null(char *p)
{
    return put_be32(p, UINT32_MAX);
}

static inline char *field_int4(char *p, uint32_t v)
{
    return put_be32(put_be32(p, 4), v);
}

static inline char *field_int8(char *p, uint64_t v)
{
    return put_be64(put_be32(p, 8), v);
}

static inline char *field_bytes(char *p, const void *bytes, size_t count)
{
    p = put_be32(p, (uint32_t)count);
    memcpy(p, bytes, count);
    return p + count;
}

static inline char *field_text(char *p, struct slice s)
{
    return s.bytes ? field_bytes(p, s.p, s.bytes) : put_be32(p, 0);
}

/* A short word: copied while its end is looked for. */
static inline char *field_word(char *p, const char *word)
{
    char *start = p + 4, *end = start;
    for (; *word; word++)
        *end++ = *word;
    put_be32(p, (uint32_t)(end - start));
    return end;
}

static inline char *field_money(char *p, bool present, struct money m)
{
    if (!present)
        return field_null(p);
    size_t bytes = numeric_encode_money(p + 4, m);
    return put_be32(p, (uint32_t)bytes) + bytes;
}

static inline char *field_decimal(char *p, const struct decimal *d)
{
    size_t bytes = numeric_encode(p + 4, d->coef, d->scale, d->negative);
    return put_be32(p, (uint32_t)bytes) + bytes;
}

static inline char *field_json(char *p, struct slice json)
{
    p = put_be32(p, (uint32_t)json.bytes + 1);
    *p++ = 1; /* version of jsonb's binary form */
    memcpy(p, json.p, json.bytes);
    return p + json.bytes;
}

static inline char *field_tags(char *p, const struct tags *tags)
{
    char *length = p;
    p = put_be32(p + 4, tags->count ? 1 : 0); /* dimensions */
    p = put_be32(p, 0);                       /* no NULL inside */
    p = put_be32(p, PG_TEXT);
    if (tags->count) {
        p = put_be32(p, (uint32_t)tags->count);
        p = put_be32(p, 1); /* lower bound */
    }
    for (size_t i = 0; i < tags->count; i++)
        p = field_text(p, tags->tag[i]);
    put_be32(length, (uint32_t)(p - length - 4));
    return p;
}

static inline char *field_value(char *p, enum field_kind kind, const union value *v)
{
    switch (kind) {
    case KIND_TEXT:
        return field_text(p, v->s);
    case KIND_COUNT:
        return field_int8(p, (uint64_t)v->i);
    case KIND_DECIMAL:
        return field_decimal(p, v->d);
    case KIND_BOOL:
        return field_bytes(p, v->i ? "\1" : "\0", 1);
    case KIND_TIME:
        return field_int8(p, (uint64_t)(v->i - PG_EPOCH_US));
    case KIND_TAGS:
        return field_tags(p, v->t);
    case KIND_JSON:
        return field_json(p, v->s);
    }
    return p;
}

/* usage as a JSON object of the facts in `set`; jsonb: with the version byte of its binary form.
 * NULL when there are none. */
char *row_put_usage(char *p, const struct facts *facts, const u128 *set, bool jsonb);

/* What is the same in a row of either form, after batch id and price book: identity, place,
 * content, flags, money and its items. */
char *row_put_common(char *p, const struct event *event, const struct charge *charge,
                     const struct row_items *items, const struct row_place *place);
/* Room for the whole row; NULL: there is none, or the event cannot be stored. */
char *row_begin(struct buf *rows, const struct event *event, const struct row_items *items,
                struct err *err);
/* The row is whole, and within the room that was made for it. */
void row_end(struct buf *rows, const char *first, const char *end);
extern const u128 row_usage_facts;

#endif
