/* SPDX-License-Identifier: Apache-2.0 */
/* Checks and sets one field of the event, by its kind. */
#include "ingest/field.h"

#include "core/utf8.h"
#include "ingest/number.h"
#include "ingest/text.h"

/* Keeps big frames out of field_read()'s. */
#define COLD __attribute__((noinline))

struct setter {
    struct eval *eval;
    const struct field *field;
    struct event *event;
    enum reason reason; /* why it could not be set */
    const char *detail;
};

static bool refuse(struct setter *setter, enum reason reason, const char *detail)
{
    setter->reason = reason;
    setter->detail = detail;
    return false;
}

static void put(struct setter *setter, union value value)
{
    event_set(setter->event, setter->field->id, value);
}

static bool number_refuse(struct setter *setter, enum number_result result)
{
    if (result == NUMBER_NULL)
        return true;
    return result == NUMBER_NONE ? refuse(setter, REASON_BAD_TYPE, "not a number")
                                 : refuse(setter, REASON_BAD_NUMBER, "out of range");
}

static bool count_set(struct setter *setter, struct val val)
{
    union value value = {.i = 0};
    struct slice text;
    if (val.type == TOKEN_NUMBER)
        text = (struct slice){val.p, val.bytes};
    else if (!val_text(setter->eval, val, &text))
        return refuse(setter, REASON_BAD_TYPE, "not a number");
    enum number_result result = number_count(text, &value.i);
    if (result == NUMBER_BAD)
        return refuse(setter, REASON_BAD_NUMBER, "not an integer from 0 to 2^63-1");
    if (result != NUMBER_OK)
        return number_refuse(setter, result);
    put(setter, value);
    return true;
}

static bool decimal_set(struct setter *setter, struct val val)
{
    struct slice text;
    const struct decimal *d = val.type == VAL_DECIMAL ? val.d : NULL;
    if (!d) {
        struct decimal *parsed = arena_alloc(setter->eval->batch, sizeof *parsed);
        if (!parsed || !val_text(setter->eval, val, &text))
            return refuse(setter, REASON_BAD_TYPE, "not a number");
        enum number_result result = number_decimal(text, parsed);
        if (result != NUMBER_OK)
            return number_refuse(setter, result);
        d = parsed;
    }
    /* A negative duration is a label that ingest/event_finish.c drops and flags. */
    if (d->negative && setter->field->id != label_field(LABEL_DURATION_S))
        return refuse(setter, REASON_BAD_NUMBER, "negative");
    put(setter, (union value){.d = d});
    return true;
}

/* What a session or a job was billed for, one row after the other: half of it would be half the
 * price. */
static bool is_whole_or_none(const struct field *field)
{
    return !field_is_label(field) && fact_info[field->id].store == STORE_USAGE;
}

static bool text_set(struct setter *setter, struct val val)
{
    struct slice text;
    if (!val_text(setter->eval, val, &text))
        return refuse(setter, REASON_BAD_TYPE, "not a text");
    if (text.bytes == 0)
        return true;
    if (text.bytes > TEXT_BYTES_MAX) {
        text = utf8_cut(text, TEXT_BYTES_MAX);
        setter->eval->flags |= FLAG_TEXT_CUT;
    }
    if (setter->eval->flags & FLAG_TEXT_CUT && is_whole_or_none(setter->field))
        return refuse(setter, REASON_BAD_TYPE, "longer than a text may be");
    put(setter, (union value){.s = text});
    return true;
}

static bool bool_set(struct setter *setter, struct val val)
{
    struct slice text;
    if (!val_text(setter->eval, val, &text) || text.bytes == 0)
        return refuse(setter, REASON_BAD_TYPE, "neither true nor false");
    put(setter, (union value){.i = text.p[0] == 't' || text.p[0] == 'T' || text.p[0] == '1'});
    return true;
}

static bool time_set(struct setter *setter, struct val val)
{
    static const struct time_format rfc3339 = {.kind = TIME_RFC3339};
    union value value;
    struct slice text;
    if (val.type == VAL_TIME) {
        put(setter, (union value){.i = val.i});
        return true;
    }
    if (!val_text(setter->eval, val, &text) || !time_parse(text, &rfc3339, &value.i))
        return refuse(setter, REASON_BAD_TIME, "not a time");
    put(setter, value);
    return true;
}

/* JSON in a string: the parsed value, all of whose bytes are in the arena or the message. */
static bool string_parse(struct eval *eval, const struct json *string, struct json *out)
{
    struct slice text = text_raw(string, eval->batch);
    if (!text.p)
        return false;
    struct scan scan = {.p = text.p, .end = text.p + text.bytes};
    return scan_text(&scan, out);
}

static void tags_put(struct setter *setter, const struct slice *texts, size_t count)
{
    struct tags *tags = arena_alloc(setter->eval->batch, sizeof *tags);
    struct slice *list = arena_alloc(setter->eval->batch, count * sizeof *list);
    if (!tags || !list || count == 0)
        return; /* the arena's owner sees that it is full */
    memcpy(list, texts, count * sizeof *list);
    *tags = (struct tags){count, list};
    put(setter, (union value){.t = tags});
}

/* A call has a tag or not: said twice, it would count twice under it. */
static bool tag_is_said(const struct slice *texts, size_t count, struct slice text)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(texts[i], text))
            return true;
    return false;
}

COLD static bool tags_list(struct setter *setter, const struct json *array)
{
    struct walk walk;
    struct json element;
    struct slice texts[TAGS_MAX], text;
    size_t count = 0;
    walk_open(&walk, array, setter->eval->batch);
    while (walk_element(&walk, &element)) {
        if (!val_text(setter->eval, val_of(&element), &text) || text.bytes == 0)
            continue;
        if (text.bytes > TEXT_BYTES_MAX)
            text = utf8_cut(text, TEXT_BYTES_MAX);
        if (tag_is_said(texts, count, text))
            continue;
        if (count == TAGS_MAX) {
            setter->eval->flags |= FLAG_TEXT_CUT;
            break;
        }
        texts[count++] = text;
    }
    tags_put(setter, texts, count);
    return true;
}

/* An array, JSON of one in a string, or a text that is a tag by itself. */
COLD static bool tags_set(struct setter *setter, struct val val)
{
    struct json json = val_json(val), array;
    struct slice text;
    if (val.type == TOKEN_ARRAY)
        return tags_list(setter, &json);
    if (val.type == TOKEN_STRING && string_parse(setter->eval, &json, &array) &&
        array.type == TOKEN_ARRAY)
        return tags_list(setter, &array);
    if (!val_text(setter->eval, val, &text))
        return refuse(setter, REASON_BAD_TYPE, "not a list of tags");
    text = utf8_cut(text, TEXT_BYTES_MAX);
    tags_put(setter, &text, 1);
    return true;
}

COLD static bool object_set(struct setter *setter, struct val val)
{
    struct json object = val_json(val), string = object;
    bool repaired = false;
    if (val.type == TOKEN_STRING && !string_parse(setter->eval, &string, &object))
        return refuse(setter, REASON_BAD_TYPE, "not an object");
    if (object.type != TOKEN_OBJECT)
        return refuse(setter, REASON_BAD_TYPE, "not an object");
    if (object.bytes > METADATA_BYTES_MAX) {
        setter->eval->flags |= FLAG_TEXT_CUT;
        return true;
    }
    struct slice text = text_json(&object, setter->eval->batch, &repaired);
    if (repaired)
        setter->eval->flags |= FLAG_TEXT_REPAIRED;
    if (json_is_wire(&object) && text.bytes > METADATA_BYTES_MAX)
        setter->eval->flags |= FLAG_TEXT_CUT; /* protobuf is shorter than its JSON */
    else if (text.p)
        put(setter, (union value){.s = text});
    return true;
}

static bool val_set(struct setter *setter, struct val val)
{
    switch (setter->field->kind) {
    case KIND_COUNT:
        return count_set(setter, val);
    case KIND_DECIMAL:
        return decimal_set(setter, val);
    case KIND_TEXT:
        return text_set(setter, val);
    case KIND_BOOL:
        return bool_set(setter, val);
    case KIND_TIME:
        return time_set(setter, val);
    case KIND_TAGS:
        return tags_set(setter, val);
    case KIND_JSON:
        return object_set(setter, val);
    }
    return true;
}

/* What the whole price or the identity hangs on: the facts that are columns, but for these. */
static bool fact_costs_row(unsigned fact)
{
    static const enum fact optional[] = {FACT_SERVICE_TIER, FACT_TOTAL_TOKENS, FACT_GATEWAY_COST};
    for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++)
        if (fact == optional[i])
            return false;
    return fact_info[fact].store == STORE_COLUMN;
}

/* Losing a call over its image size would be worse than not knowing the size: what is optional is
 * left out, and the row says so. A time that cannot be read is ignored: the message has one. false:
 * the record is to be rejected. */
static bool field_drop(struct eval *eval, const struct field *field)
{
    bool label = field_is_label(field) || field->kind == KIND_TIME;
    if (!label && fact_costs_row(field->id))
        return false;
    eval->flags |= label ? FLAG_LABEL_DROPPED : FLAG_FACT_DROPPED;
    return true;
}

/* Most fields are one or more paths, the first of which with a value holds a plain text or number:
 * set without more ado. */
static inline bool plain_set(struct eval *eval, const struct field *field, struct event *event)
{
    union value value;
    const struct expr *expr = field->expr;
    if (!expr->plain)
        return false;
    const struct json *json = expr->op == EXPR_PATH ? place_get(eval, expr) : NULL;
    for (size_t i = 0; !json && i < field->expr->arg_count; i++) {
        expr = field->expr->args[i];
        json = place_get(eval, expr);
    }
    if (!json)
        return true;
    eval->taken = expr;
    if (field->kind == KIND_TEXT && json->type == TOKEN_STRING && !(json->flags & ~JSON_PLAIN) &&
        json->bytes > 0 && json->bytes <= TEXT_BYTES_MAX)
        value.s = json_slice(json);
    else if (field->kind != KIND_COUNT || json->type != TOKEN_NUMBER ||
             number_count(json_slice(json), &value.i) != NUMBER_OK)
        return false;
    event_set(event, field->id, value);
    return true;
}

/* Whether what did not fit counts, though the field has a value: a default stands for what is
 * absent, and another count in the place of the one that is broken would be billed. */
static bool misfit_counts(const struct eval *eval, const struct field *field, struct val val)
{
    if (eval->misfit.type == TOKEN_NONE)
        return false;
    return val.type == VAL_NULL || eval->defaulted ||
           (field->kind == KIND_COUNT && !field_is_label(field) && fact_costs_row(field->id));
}

static struct fault misfit_fault(const struct eval *eval, const struct field *field)
{
    bool number = eval->misfit.type == TOKEN_NUMBER && field->kind == KIND_COUNT;
    return (struct fault){number ? REASON_BAD_NUMBER : REASON_BAD_TYPE, field->name,
                          number ? "not an integer from 0 to 2^63-1"
                                 : "a value that does not fit the field",
                          json_slice(&eval->misfit)};
}

/* Evaluates and sets. false: the record is to be rejected for `fault`. */
static bool field_set(struct setter *setter, struct fault *fault)
{
    struct eval *eval = setter->eval;
    const struct field *field = setter->field;
    eval->misfit.type = TOKEN_NONE;
    eval->defaulted = false;
    struct val val = expr_eval(eval, field->expr, (int)field->kind);
    if (misfit_counts(eval, field, val)) {
        *fault = misfit_fault(eval, field);
        return field_drop(eval, field);
    }
    if (val.type == VAL_NULL)
        return true;
    if (val_set(setter, val) || field_drop(eval, field))
        return true;
    *fault = (struct fault){setter->reason, field->name, setter->detail,
                            val_is_json(val) ? (struct slice){val.p, val.bytes}
                                             : (struct slice){NULL, 0}};
    return false;
}

bool field_read(struct eval *eval, const struct field *field, struct event *event,
                struct fault *fault)
{
    if (plain_set(eval, field, event))
        return true;
    struct setter setter = {.eval = eval, .field = field, .event = event};
    unsigned before = eval->flags;
    eval->flags &=
        ~(unsigned)FLAG_TEXT_CUT; /* so that the setter sees what this field was cut by */
    bool set = field_set(&setter, fault);
    eval->flags |= before;
    return set;
}
