/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running values and conditions of a mapping against the record that the reader holds. Results are
 * slices of the message where possible; what had to be made lives in the batch arena.
 */
#ifndef INGEST_EVAL_H
#define INGEST_EVAL_H

#include "ingest/program.h"
#include "ingest/reader.h"

enum val_kind { VAL_NULL, VAL_JSON, VAL_TEXT, VAL_INT, VAL_TIME, VAL_DECIMAL };

struct val {
    enum val_kind kind;
    union {
        struct json json;
        struct slice text; /* valid UTF-8 without U+0000 */
        int64_t i;         /* INT; TIME in microseconds */
        const struct decimal *d;
    };
};

struct eval {
    struct reader reader;
    struct arena *batch;
    int64_t index;      /* @index */
    unsigned flags;     /* enum event_flag of the record */
    struct json misfit; /* the last value whose type or content did not fit; NONE: there was none */
    struct slice taken; /* for explain: the alternative that gave the value */
};

#define WANT_ANY (-1)

/* `want` is the enum field_kind of the field, or WANT_ANY: alternatives that do not fit are null.
 */
struct val expr_eval(struct eval *eval, const struct expr *expr, int want);
bool cond_holds(struct eval *eval, const struct cond *cond);

/* The text of a scalar; false for null, objects, arrays, and when the arena is full. */
bool val_text(struct eval *eval, const struct val *val, struct slice *text);
bool val_decimal(struct eval *eval, const struct val *val, struct decimal *out);

#endif
