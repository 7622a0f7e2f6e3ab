/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/field.h"

#include "ingest/number.h"
#include "ingest/text.h"

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

static bool count_set(struct setter *setter, const struct val *val)
{
    union value value = {.i = 0};
    struct slice text;
    if (val->kind == VAL_JSON && val->json.type == JSON_NUMBER)
        text = json_slice(&val->json);
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

static bool decimal_set(struct setter *setter, const struct val *val)
{
    struct slice text;
    const struct decimal *d = val->kind == VAL_DECIMAL ? val->d : NULL;
    if (!d) {
        struct decimal *parsed = arena_alloc(setter->eval->batch, sizeof *parsed);
        if (!parsed || !val_text(setter->eval, val, &text))
            return refuse(setter, REASON_BAD_TYPE, "not a number");
        enum number_result result = number_decimal(text, parsed);
        if (result != NUMBER_OK)
            return number_refuse(setter, result);
        d = parsed;
    }
    /* A negative duration is a label that ingest/finish.c drops and flags. */
    if (d->negative && setter->field->id != label_field(LABEL_DURATION_S))
        return refuse(setter, REASON_BAD_NUMBER, "negative");
    put(setter, (union value){.d = d});
    return true;
}

static bool text_set(struct setter *setter, const struct val *val)
{
    struct slice text;
    if (!val_text(setter->eval, val, &text))
        return refuse(setter, REASON_BAD_TYPE, "not a text");
    if (text.bytes == 0)
        return true;
    if (text.bytes > TEXT_BYTES_MAX) {
        text = text_cut(text, TEXT_BYTES_MAX);
        setter->eval->flags |= EVENT_TEXT_CUT;
    }
    put(setter, (union value){.s = text});
    return true;
}

static bool bool_set(struct setter *setter, const struct val *val)
{
    struct slice text;
    if (!val_text(setter->eval, val, &text) || text.bytes == 0)
        return refuse(setter, REASON_BAD_TYPE, "neither true nor false");
    put(setter, (union value){.i = text.p[0] == 't' || text.p[0] == 'T' || text.p[0] == '1'});
    return true;
}

static bool time_set(struct setter *setter, const struct val *val)
{
    static const struct time_format rfc3339 = {.kind = TIME_RFC3339};
    union value value;
    struct slice text;
    if (val->kind == VAL_TIME) {
        put(setter, (union value){.i = val->i});
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

static bool tags_list(struct setter *setter, const struct json *array)
{
    struct walk walk;
    struct json element;
    struct slice texts[TAGS_MAX];
    size_t count = 0;
    walk_open(&walk, array);
    while (walk_element(&walk, &element)) {
        struct val val = {.kind = VAL_JSON, .json = element};
        if (count == TAGS_MAX) {
            setter->eval->flags |= EVENT_TEXT_CUT;
            break;
        }
        if (val_text(setter->eval, &val, &texts[count]) && texts[count].bytes > 0) {
            texts[count] = text_cut(texts[count], TEXT_BYTES_MAX);
            count++;
        }
    }
    if (count == 0)
        return true;
    struct tags *tags = arena_alloc(setter->eval->batch, sizeof *tags);
    struct slice *list = arena_alloc(setter->eval->batch, count * sizeof *list);
    if (!tags || !list)
        return true; /* the arena's owner sees that it is full */
    memcpy(list, texts, count * sizeof *list);
    *tags = (struct tags){count, list};
    put(setter, (union value){.t = tags});
    return true;
}

/* An array, JSON of one in a string, or a text that is a tag by itself. */
static bool tags_set(struct setter *setter, const struct val *val)
{
    struct json array, one;
    if (val->kind == VAL_JSON && val->json.type == JSON_ARRAY)
        return tags_list(setter, &val->json);
    if (val->kind == VAL_JSON && val->json.type == JSON_STRING &&
        string_parse(setter->eval, &val->json, &array) && array.type == JSON_ARRAY)
        return tags_list(setter, &array);
    struct slice text;
    if (!val_text(setter->eval, val, &text))
        return refuse(setter, REASON_BAD_TYPE, "not a list of tags");
    /* A list of one, in the form the others come in. */
    text = text_quote(text, setter->eval->batch);
    char *list = text.p ? arena_alloc(setter->eval->batch, text.bytes + 2) : NULL;
    if (!list)
        return true;
    list[0] = '[';
    memcpy(list + 1, text.p, text.bytes);
    list[text.bytes + 1] = ']';
    one = (struct json){list, (uint32_t)text.bytes + 2, JSON_ARRAY, 0};
    return tags_list(setter, &one);
}

static bool object_set(struct setter *setter, const struct val *val)
{
    struct json object;
    bool repaired = false;
    if (val->kind != VAL_JSON)
        return refuse(setter, REASON_BAD_TYPE, "not an object");
    object = val->json;
    if (object.type == JSON_STRING && !string_parse(setter->eval, &val->json, &object))
        return refuse(setter, REASON_BAD_TYPE, "not an object");
    if (object.type != JSON_OBJECT)
        return refuse(setter, REASON_BAD_TYPE, "not an object");
    if (object.bytes > METADATA_BYTES_MAX) {
        setter->eval->flags |= EVENT_TEXT_CUT;
        return true;
    }
    struct slice text = text_json(&object, setter->eval->batch, &repaired);
    if (repaired)
        setter->eval->flags |= EVENT_TEXT_REPAIRED;
    if (text.p)
        put(setter, (union value){.s = text});
    return true;
}

static bool val_set(struct setter *setter, const struct val *val)
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

static enum reason misfit_reason(enum field_kind kind)
{
    return kind == KIND_TIME ? REASON_BAD_TIME : REASON_BAD_TYPE;
}

/* Losing a call over its image size would be worse than not knowing the size. */
static bool field_may_fail(const struct field *field)
{
    bool number = field->kind != KIND_TEXT && field->kind != KIND_BOOL;
    return field_is_label(field) || (!number && fact_info[field->id].store == STORE_USAGE);
}

bool field_read(struct eval *eval, const struct field *field, struct event *event,
                struct fault *fault)
{
    struct setter setter = {.eval = eval, .field = field, .event = event};
    eval->misfit.type = JSON_NONE;
    struct val val = expr_eval(eval, field->expr, (int)field->kind);
    if (val.kind == VAL_NULL) {
        if (eval->misfit.type == JSON_NONE || field_may_fail(field))
            return true;
        *fault = (struct fault){misfit_reason(field->kind), field->name,
                                "a value that does not fit the field", json_slice(&eval->misfit)};
        return false;
    }
    if (val_set(&setter, &val) || field_may_fail(field))
        return true;
    *fault = (struct fault){setter.reason, field->name, setter.detail,
                            val.kind == VAL_JSON ? json_slice(&val.json) : (struct slice){NULL, 0}};
    return false;
}
