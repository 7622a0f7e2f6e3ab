/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running values and conditions of a mapping against the record that the reader holds. Results are
 * slices of the message where possible; what had to be made lives in the batch arena.
 */
#ifndef INGEST_EVAL_H
#define INGEST_EVAL_H

#include "ingest/mapping.h"
#include "ingest/program.h"
#include "ingest/reader.h"

/* A value on its way: what the reader found, or what an operator made of it. Two words, so that it
 * travels in registers; `type` goes on from enum token, and has its members' layout. */
enum val_type {
    VAL_NULL = TOKEN_NONE,
    VAL_TEXT = TOKEN_ARRAY + 1, /* p, bytes: valid UTF-8 without U+0000 */
    VAL_INT,
    VAL_TIME, /* i: microseconds */
    VAL_DECIMAL,
};

struct val {
    union {
        const char *p; /* every enum token, and TEXT */
        int64_t i;
        const struct decimal *d;
    };
    uint32_t bytes;
    uint8_t type;  /* enum token or enum val_type */
    uint8_t flags; /* enum json_flag */
    uint16_t wire; /* of struct json */
};

static inline struct val val_of(const struct json *json)
{
    return (struct val){.p = json->p,
                        .bytes = json->bytes,
                        .type = json->type,
                        .flags = json->flags,
                        .wire = json->wire};
}

static inline bool val_is_json(struct val val)
{
    return val.type > TOKEN_NONE && val.type <= TOKEN_ARRAY;
}

static inline struct json val_json(struct val val)
{
    return (struct json){val.p, val.bytes, val.type, val.flags, val.wire};
}

/* What a pattern said of a text the last time: hosts, models and call types come again and again.
 * 800 instructions a hit less. */
struct match_memo {
    const struct pattern *pattern;
    uint8_t bytes, from, to;
    bool matched, gave_up;
    char text[51];
};

#define MATCH_MEMOS 32 /* a power of two */

struct eval {
    struct reader reader;
    const struct message *message;
    /* What was opened around the record, if its members are headers; NONE: nothing. */
    struct json around;
    struct slice around_prefix;
    struct arena *batch;
    int64_t index;      /* @index */
    unsigned flags;     /* enum flag of the record */
    bool gave_up;       /* a pattern of any mapping that was tried ran away over the record */
    struct json misfit; /* the last value whose type or content did not fit; NONE: there was none */
    bool defaulted;     /* the field's value is its `default` */
    const char *cache_by, *reasoning_by; /* for explain: the emitter known to read so, or NULL */
    struct slice unread;                 /* for explain: a usage number that no path leads to */
    const struct expr *taken;            /* for explain: what gave the value; NULL: its `default` */
    struct match_memo memo[MATCH_MEMOS];
};

/* What the reader has at an expression's place; NULL: absent or null. */
static inline const struct json *place_get(struct eval *eval, const struct expr *expr)
{
    if (!reader_loaded(&eval->reader, expr->scope_id) && !reader_load(&eval->reader, expr->scope))
        return NULL;
    return reader_slot(&eval->reader, expr->slot);
}

#define WANT_ANY (-1)

/* `want` is the enum field_kind of the field, or WANT_ANY: alternatives that do not fit are null.
 */
struct val expr_eval(struct eval *eval, const struct expr *expr, int want);
bool cond_holds(struct eval *eval, const struct cond *cond);

/* The text of a scalar; false for null, objects, arrays, and when the arena is full. */
bool val_text(struct eval *eval, struct val val, struct slice *text);
bool val_decimal(struct eval *eval, struct val val, struct decimal *out);

#endif
