/* SPDX-License-Identifier: Apache-2.0 */
/* The values and conditions of a compiled mapping, against one record. */
#include "ingest/eval.h"

#include "core/hash.h"
#include "core/hex.h"
#include "core/utf8.h"
#include "ingest/number.h"
#include "ingest/text.h"

#include <assert.h>
#include <stdio.h>

#define COLD __attribute__((noinline)) /* keeps its big frame out of expr_eval()'s */
#define JOIN_TEXTS_MAX 256
#define INT_TEXT_MAX 24

static const struct val null_val = {.type = VAL_NULL};

/* --- conversions --------------------------------------------------------------------------- */

static bool int_text(struct eval *eval, int64_t i, struct slice *text)
{
    char *p = arena_alloc(eval->batch, INT_TEXT_MAX);
    if (!p)
        return false;
    *text = (struct slice){p, (size_t)snprintf(p, INT_TEXT_MAX, "%lld", (long long)i)};
    return true;
}

static bool decimal_text(struct eval *eval, const struct decimal *d, struct slice *text)
{
    char *p = arena_alloc(eval->batch, DECIMAL_TEXT_MAX);
    if (!p)
        return false;
    *text = (struct slice){p, decimal_format(d, p)};
    return true;
}

static bool string_text(struct eval *eval, struct val val, struct slice *text)
{
    bool repaired = false;
    struct json json = val_json(val);
    *text = text_of(&json, eval->batch, &repaired);
    if (repaired)
        eval->flags |= FLAG_TEXT_REPAIRED;
    return text->p != NULL;
}

bool val_text(struct eval *eval, struct val val, struct slice *text)
{
    switch (val.type) {
    case TOKEN_STRING:
        if (val.flags & ~JSON_PLAIN)
            return string_text(eval, val, text);
        break;
    case TOKEN_NUMBER:
    case TOKEN_TRUE:
    case TOKEN_FALSE:
    case VAL_TEXT:
        break;
    case VAL_INT:
    case VAL_TIME:
        return int_text(eval, val.i, text);
    case VAL_DECIMAL:
        return decimal_text(eval, val.d, text);
    default:
        return false;
    }
    *text = (struct slice){val.p, val.bytes};
    return true;
}

bool val_decimal(struct eval *eval, struct val val, struct decimal *out)
{
    struct slice text;
    if (val.type == VAL_DECIMAL) {
        *out = *val.d;
        return true;
    }
    if (val.type == VAL_INT) {
        *out = decimal_from_int(val.i);
        return true;
    }
    return val_text(eval, val, &text) && number_decimal(text, out) == NUMBER_OK;
}

static struct val text_val(struct slice text)
{
    return (struct val){.p = text.p, .bytes = (uint32_t)text.bytes, .type = VAL_TEXT};
}

static struct val int_val(enum val_type type, int64_t i)
{
    return (struct val){.i = i, .type = (uint8_t)type};
}

static struct val decimal_val(struct eval *eval, const struct decimal *d)
{
    struct decimal *copy = arena_alloc(eval->batch, sizeof *copy);
    if (!copy)
        return null_val;
    *copy = *d;
    return (struct val){.d = copy, .type = VAL_DECIMAL};
}

/* --- what fits a field --------------------------------------------------------------------- */

enum fit { FIT_YES, FIT_NULL, FIT_NO };

static bool looks_numeric(struct slice text)
{
    return text.bytes > 0 && ((unsigned)(text.p[0] - '0') <= 9 || text.p[0] == '-' ||
                              text.p[0] == '+' || text.p[0] == '.');
}

static enum fit number_fits(struct slice text)
{
    struct decimal d;
    if (looks_numeric(text) && text.bytes > 1)
        return FIT_YES;
    switch (number_decimal(text, &d)) {
    case NUMBER_NULL:
        return FIT_NULL;
    case NUMBER_NONE:
        return FIT_NO;
    default:
        return FIT_YES; /* a bad one is for the field to reject */
    }
}

static enum fit bool_fits(struct slice text)
{
    if (slice_is(text, "true") || slice_is(text, "false") || slice_is(text, "True") ||
        slice_is(text, "False") || slice_is(text, "1") || slice_is(text, "0"))
        return FIT_YES;
    struct decimal d;
    return number_decimal(text, &d) == NUMBER_NULL ? FIT_NULL : FIT_NO;
}

static enum fit text_fits(struct slice text, int want)
{
    switch (want) {
    case KIND_COUNT:
    case KIND_DECIMAL:
    case KIND_TIME:
        return number_fits(text);
    case KIND_BOOL:
        return bool_fits(text);
    case KIND_JSON:
        return text.bytes > 0 && text.p[0] == '{' ? FIT_YES : FIT_NO;
    default:
        return text.bytes > 0 ? FIT_YES : FIT_NULL;
    }
}

static enum fit val_fits(struct val val, int want)
{
    switch (val.type) {
    case TOKEN_STRING:
    case VAL_TEXT:
        return text_fits((struct slice){val.p, val.bytes}, want);
    case TOKEN_NUMBER:
        if (want == KIND_BOOL)
            return bool_fits((struct slice){val.p, val.bytes});
        return want == KIND_JSON || want == KIND_TAGS ? FIT_NO : FIT_YES;
    case TOKEN_TRUE:
    case TOKEN_FALSE:
        return want == KIND_BOOL || want == KIND_TEXT ? FIT_YES : FIT_NO;
    case TOKEN_OBJECT:
        return want == KIND_JSON ? FIT_YES : FIT_NO;
    case TOKEN_ARRAY:
        return want == KIND_TAGS ? FIT_YES : FIT_NO;
    case VAL_NULL:
        return FIT_NULL;
    default:
        return FIT_YES;
    }
}

/* What does not fit is not absent: the field is told of it, whatever comes in its place. */
static struct val misfit_val(struct eval *eval, struct val val)
{
    if (val_is_json(val))
        eval->misfit = val_json(val);
    return null_val;
}

static inline struct val fit(struct eval *eval, struct val val, int want)
{
    if (want == WANT_ANY || val.type == VAL_NULL ||
        (val.type == TOKEN_NUMBER && (want == KIND_COUNT || want == KIND_DECIMAL)) ||
        (val.type == TOKEN_STRING && want == KIND_TEXT && val.bytes > 0))
        return val;
    enum fit fits = val_fits(val, want);
    if (fits == FIT_YES)
        return val;
    return fits == FIT_NO ? misfit_val(eval, val) : null_val;
}

/* --- operators ----------------------------------------------------------------------------- */

static inline struct val path_eval(struct eval *eval, const struct expr *expr)
{
    const struct json *json = place_get(eval, expr);
    if (!json)
        return null_val;
    eval->taken = expr;
    return val_of(json);
}

static struct val first_eval(struct eval *eval, const struct expr *expr, int want)
{
    for (size_t i = 0; i < expr->arg_count; i++) {
        struct val val = expr_eval(eval, expr->args[i], want);
        if (val.type != VAL_NULL)
            return val;
    }
    return null_val;
}

/* Names of one number: the first that is there, and it is told when another says something else. */
static struct val same_eval(struct eval *eval, const struct expr *expr, int want)
{
    struct decimal first, other;
    struct val taken = null_val;
    size_t i = 0;
    for (; i < expr->arg_count && taken.type == VAL_NULL; i++)
        taken = expr_eval(eval, expr->args[i], want);
    const struct expr *by = eval->taken;
    struct json misfit = eval->misfit;
    bool defaulted = eval->defaulted;
    bool is_number = taken.type != VAL_NULL && val_decimal(eval, taken, &first);
    for (; is_number && i < expr->arg_count; i++) {
        struct val val = expr_eval(eval, expr->args[i], want);
        if (val.type != VAL_NULL && val_decimal(eval, val, &other) &&
            decimal_cmp(&first, &other) != 0)
            eval->flags |= FLAG_COUNTS_CONTRADICT;
    }
    eval->taken = by;
    eval->misfit = misfit;
    eval->defaulted = defaulted;
    return taken;
}

/* One number of a sum; false: there is none, or none that may be. A negative count would take from
 * the others. */
static bool term_eval(struct eval *eval, const struct expr *expr, int want, struct decimal *d)
{
    struct val val = expr_eval(eval, expr, want == KIND_COUNT ? KIND_COUNT : KIND_DECIMAL);
    if (val.type == VAL_NULL)
        return false;
    if (val_decimal(eval, val, d) && !(want == KIND_COUNT && d->negative))
        return true;
    misfit_val(eval, val);
    return false;
}

static struct val sum_eval(struct eval *eval, const struct expr *expr, int want)
{
    struct decimal sum = DECIMAL_ZERO, d;
    struct json before = eval->misfit;
    bool any = false;
    eval->misfit.type = TOKEN_NONE;
    for (size_t i = 0; i < expr->arg_count; i++) {
        bool there = term_eval(eval, expr->args[i], want, &d);
        if (eval->misfit.type != TOKEN_NONE)
            return null_val;
        if (!there)
            continue;
        if (expr->op == EXPR_SUB && i > 0)
            d.negative = !d.negative && d.coef != 0;
        else if (expr->op == EXPR_SUB)
            any = true;
        any |= expr->op == EXPR_ADD;
        if (!decimal_add(&sum, &d, &sum))
            return null_val;
    }
    eval->misfit = before;
    if (!any || (expr->op == EXPR_SUB && sum.negative))
        return null_val;
    return decimal_val(eval, &sum);
}

COLD static struct val texts_join(struct eval *eval, const struct slice *texts, size_t count,
                                  struct slice between)
{
    size_t bytes = count > 1 ? between.bytes * (count - 1) : 0;
    for (size_t i = 0; i < count; i++)
        bytes += texts[i].bytes;
    char *out = arena_alloc(eval->batch, bytes + 1), *p = out;
    if (!out)
        return null_val;
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            memcpy(p, between.p, between.bytes);
            p += between.bytes;
        }
        memcpy(p, texts[i].p, texts[i].bytes);
        p += texts[i].bytes;
    }
    return text_val((struct slice){out, bytes});
}

COLD static struct val concat_eval(struct eval *eval, const struct expr *expr)
{
    struct slice texts[JOIN_TEXTS_MAX];
    assert(expr->arg_count <= JOIN_TEXTS_MAX);
    for (size_t i = 0; i < expr->arg_count; i++) {
        struct val val = expr_eval(eval, expr->args[i], WANT_ANY);
        if (!val_text(eval, val, &texts[i]))
            return null_val;
    }
    return texts_join(eval, texts, expr->arg_count, SLICE(""));
}

/* A value as a member of an object: valid JSON text, or p == NULL to leave it out. */
static struct slice member_json(struct eval *eval, struct val val)
{
    struct slice text;
    bool repaired = false;
    if (val_is_json(val)) {
        struct json json = val_json(val);
        text = text_json(&json, eval->batch, &repaired);
        if (repaired)
            eval->flags |= FLAG_TEXT_REPAIRED;
        return text;
    }
    if (!val_text(eval, val, &text))
        return (struct slice){NULL, 0};
    return val.type == VAL_TEXT ? text_quote(text, eval->batch) : text;
}

COLD static struct val object_eval(struct eval *eval, const struct expr *expr)
{
    struct slice parts[JOIN_TEXTS_MAX];
    size_t count = 0;
    parts[count++] = SLICE("{");
    for (size_t i = 0; i < expr->arg_count; i++) {
        struct val val = expr_eval(eval, expr->args[i], WANT_ANY);
        struct slice json = member_json(eval, val);
        if (!json.p)
            continue;
        if (count > 1)
            parts[count++] = SLICE(",");
        parts[count++] = expr->names[i]; /* quoted, with its colon */
        parts[count++] = json;
    }
    if (count == 1)
        return null_val;
    parts[count++] = SLICE("}");
    assert(count <= JOIN_TEXTS_MAX);
    struct val val = texts_join(eval, parts, count, SLICE(""));
    if (val.type == VAL_NULL)
        return null_val;
    val.type = TOKEN_OBJECT;
    return val;
}

/* --- over the elements of an array --------------------------------------------------------- */

struct fold {
    struct eval *eval;
    const struct expr *expr;
    struct walk walk;
};

static bool fold_open(struct fold *fold, struct eval *eval, const struct expr *expr)
{
    const struct json *array = place_get(eval, expr);
    if (!array || array->type != TOKEN_ARRAY)
        return false;
    *fold = (struct fold){.eval = eval, .expr = expr};
    walk_open(&fold->walk, array, eval->batch);
    return true;
}

/* The next element that `where` wants, as the current one of its scope. */
static bool fold_next(struct fold *fold)
{
    while (reader_next(&fold->eval->reader, fold->expr->each, &fold->walk))
        if (!fold->expr->where || cond_holds(fold->eval, fold->expr->where))
            return true;
    return false;
}

static struct val count_eval(struct eval *eval, const struct expr *expr)
{
    struct fold fold;
    int64_t count = 0;
    if (!fold_open(&fold, eval, expr))
        return null_val;
    while (fold_next(&fold))
        count++;
    return int_val(VAL_INT, count);
}

static struct val fold_sum_eval(struct eval *eval, const struct expr *expr, int want)
{
    struct fold fold;
    struct decimal sum = DECIMAL_ZERO, d;
    struct json before = eval->misfit;
    bool any = false;
    if (!fold_open(&fold, eval, expr))
        return null_val;
    eval->misfit.type = TOKEN_NONE;
    while (fold_next(&fold)) {
        bool there = term_eval(eval, expr->of, want, &d);
        if (eval->misfit.type != TOKEN_NONE)
            return null_val;
        any |= there;
        if (there && !decimal_add(&sum, &d, &sum))
            return null_val;
    }
    eval->misfit = before;
    return any ? decimal_val(eval, &sum) : null_val;
}

static bool text_known(const struct slice *texts, size_t count, struct slice text)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(texts[i], text))
            return true;
    return false;
}

COLD static struct val join_eval(struct eval *eval, const struct expr *expr)
{
    struct fold fold;
    struct slice texts[JOIN_TEXTS_MAX];
    size_t count = 0;
    if (!fold_open(&fold, eval, expr))
        return null_val;
    while (fold_next(&fold)) {
        struct val val = expr_eval(eval, expr->of, KIND_TEXT);
        if (!val_text(eval, val, &texts[count]))
            continue;
        if (expr->distinct && text_known(texts, count, texts[count]))
            continue;
        if (++count == JOIN_TEXTS_MAX) {
            eval->flags |= FLAG_TEXT_CUT;
            break;
        }
    }
    return count > 0 ? texts_join(eval, texts, count, expr->text) : null_val;
}

static struct val pick_eval(struct eval *eval, const struct expr *expr, int want)
{
    struct fold fold;
    if (!fold_open(&fold, eval, expr))
        return null_val;
    while (fold_next(&fold)) {
        struct val val = expr_eval(eval, expr->of, want);
        if (val.type != VAL_NULL)
            return val;
    }
    return null_val;
}

static struct val member_eval(struct eval *eval, const struct expr *expr)
{
    struct slice name;
    struct json value;
    const struct json *object = place_get(eval, expr);
    if (!object || object->type != TOKEN_OBJECT)
        return null_val;
    struct json held = *object; /* args[0] may read scopes */
    struct val val = expr_eval(eval, expr->args[0], KIND_TEXT);
    if (!val_text(eval, val, &name) || !json_member(&held, name, &value, eval->batch) ||
        value.type == TOKEN_NULL)
        return null_val;
    return val_of(&value);
}

static struct val characters_eval(struct eval *eval, const struct expr *expr)
{
    struct slice text;
    struct val val = expr_eval(eval, expr->args[0], WANT_ANY);
    if (val_is_json(val) && val.type != TOKEN_STRING)
        return null_val;
    if (!val_text(eval, val, &text))
        return null_val;
    return int_val(VAL_INT, text_characters(text));
}

/* --- the record around the value ------------------------------------------------------------ */

/* Bytes that are not text are their hex digits: ids in binary stay apart, where repaired text would
 * make one of two. {NULL, 0}: no memory. */
static struct slice hex_of(struct eval *eval, struct slice bytes)
{
    char *out = arena_alloc(eval->batch, 2 * bytes.bytes);
    if (!out)
        return (struct slice){NULL, 0};
    hex_write(bytes.p, bytes.bytes, out);
    return (struct slice){out, 2 * bytes.bytes};
}

static struct val bytes_val(struct eval *eval, const struct expr *expr, struct slice bytes)
{
    if (bytes.p && (!utf8_valid(bytes) || memchr(bytes.p, '\0', bytes.bytes)))
        bytes = hex_of(eval, bytes);
    if (!bytes.p || bytes.bytes > UINT32_MAX)
        return null_val;
    eval->taken = expr;
    return (struct val){.p = bytes.p,
                        .bytes = (uint32_t)bytes.bytes,
                        .type = TOKEN_STRING,
                        .flags = text_plain_flags(bytes)};
}

/* A member of what stands around the event is a header of it: a CloudEvent is the same in its
 * structured mode and in its binary one. */
static bool around_eval(struct eval *eval, struct slice name, struct json *value)
{
    struct slice prefix = eval->around_prefix;
    if (eval->around.type != TOKEN_OBJECT || !slice_starts(name, prefix))
        return false;
    name = (struct slice){name.p + prefix.bytes, name.bytes - prefix.bytes};
    return json_member(&eval->around, name, value, eval->batch) && value->type != TOKEN_NULL &&
           value->type != TOKEN_OBJECT && value->type != TOKEN_ARRAY;
}

static struct val header_eval(struct eval *eval, const struct expr *expr)
{
    struct json value;
    if (around_eval(eval, expr->names[0], &value)) {
        eval->taken = expr;
        return val_of(&value);
    }
    const struct header *header = envelope_header(&eval->message->envelope, expr->names[0]);
    return header ? bytes_val(eval, expr, header->value) : null_val;
}

static struct val kafka_time_eval(struct eval *eval, const struct expr *expr)
{
    if (eval->message->kafka_time_us <= 0)
        return null_val;
    eval->taken = expr;
    return int_val(VAL_TIME, eval->message->kafka_time_us);
}

static struct val op_eval(struct eval *eval, const struct expr *expr, int want)
{
    switch ((enum expr_op)expr->op) {
    case EXPR_PATH:
        return path_eval(eval, expr);
    case EXPR_INDEX:
        return int_val(VAL_INT, eval->index);
    case EXPR_HEADER:
        return header_eval(eval, expr);
    case EXPR_KEY:
        return bytes_val(eval, expr, eval->message->envelope.key);
    case EXPR_TOPIC:
        return bytes_val(eval, expr, eval->message->topic);
    case EXPR_PARTITION:
        eval->taken = expr;
        return eval->message->topic.p ? int_val(VAL_INT, eval->message->partition) : null_val;
    case EXPR_KAFKA_TIME:
        return kafka_time_eval(eval, expr);
    case EXPR_CONST:
        eval->taken = expr;
        return text_val(expr->text);
    case EXPR_FIRST:
        return first_eval(eval, expr, want);
    case EXPR_SAME:
        return same_eval(eval, expr, want);
    case EXPR_ADD:
    case EXPR_SUB:
        return sum_eval(eval, expr, want);
    case EXPR_CONCAT:
        return concat_eval(eval, expr);
    case EXPR_OBJECT:
        return object_eval(eval, expr);
    case EXPR_COUNT:
        return count_eval(eval, expr);
    case EXPR_SUM:
        return fold_sum_eval(eval, expr, want);
    case EXPR_JOIN:
        return join_eval(eval, expr);
    case EXPR_PICK:
        return pick_eval(eval, expr, want);
    case EXPR_MEMBER:
        return member_eval(eval, expr);
    case EXPR_CHARACTERS:
        return characters_eval(eval, expr);
    }
    return null_val;
}

/* --- patterns ------------------------------------------------------------------------------ */

static bool match(struct eval *eval, const struct pattern *pattern, struct slice text,
                  struct slice *out)
{
    struct match_memo *memo = &eval->memo[(uintptr_t)pattern / 8 % MATCH_MEMOS];
    if (text.bytes == 0 || text.bytes > sizeof memo->text)
        return pattern_match(pattern, text, out, &eval->gave_up);
    if (memo->pattern != pattern || memo->bytes != text.bytes ||
        memcmp(memo->text, text.p, text.bytes) != 0) {
        *out = (struct slice){text.p, 0};
        memo->gave_up = false;
        memo->matched = pattern_match(pattern, text, out, &memo->gave_up);
        memo->pattern = pattern;
        memo->bytes = (uint8_t)text.bytes;
        memo->from = (uint8_t)(out->p - text.p);
        memo->to = (uint8_t)(memo->from + out->bytes);
        memcpy(memo->text, text.p, text.bytes);
    }
    *out = (struct slice){text.p + memo->from, (size_t)(memo->to - memo->from)};
    eval->gave_up |= memo->gave_up;
    return memo->matched;
}

/* --- filters ------------------------------------------------------------------------------- */

static bool words_have(const struct slice *words, size_t count, struct slice text)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(words[i], text))
            return true;
    return false;
}

/* A word, or any other value that is not null for '*'. */
static struct val map_eval(const struct filters *filters, struct val val, const struct slice *text)
{
    for (size_t i = 0; text && i < filters->map_count; i++)
        if (slice_eq(filters->map[i].from, *text))
            return text_val(filters->map[i].to);
    return filters->map_rest ? text_val(*filters->map_rest) : val;
}

static struct val time_eval(struct eval *eval, const struct filters *filters, struct val val)
{
    struct slice text;
    int64_t us;
    if (!val_text(eval, val, &text))
        return null_val;
    for (size_t i = 0; i < filters->time_count; i++)
        if (time_parse(text, &filters->time[i], &us))
            return int_val(VAL_TIME, us);
    struct decimal zero; /* how OTLP and others say "not set" */
    enum number_result result = number_decimal(text, &zero);
    if (val_is_json(val) && result != NUMBER_NULL && !(result == NUMBER_OK && zero.coef == 0))
        eval->misfit = val_json(val);
    return null_val;
}

static struct val scale_eval(struct eval *eval, const struct filters *filters, struct val val)
{
    struct decimal d;
    if (!val_decimal(eval, val, &d) || !decimal_mul(&d, filters->scale, &d))
        return misfit_val(eval, val);
    return decimal_val(eval, &d);
}

static struct val hash_eval(struct eval *eval, struct val val)
{
    struct slice text;
    char *hex = arena_alloc(eval->batch, SHA256_HEX_BYTES);
    if (!hex || !val_text(eval, val, &text))
        return null_val;
    hash_sha256_hex(text, hex);
    return text_val((struct slice){hex, SHA256_HEX_BYTES - 1});
}

static struct val words_eval(struct eval *eval, const struct filters *filters, struct val val)
{
    struct slice text;
    bool has_text = val_text(eval, val, &text);
    if (has_text && words_have(filters->null_if, filters->null_if_count, text))
        return null_val;
    if (filters->match) {
        if (!has_text)
            return misfit_val(eval, val);
        if (!match(eval, filters->match, text, &text))
            return null_val;
        val = text_val(text);
    }
    return filters->map ? map_eval(filters, val, has_text ? &text : NULL) : val;
}

static struct val filters_eval(struct eval *eval, const struct filters *filters, struct val val)
{
    if (val.type != VAL_NULL && (filters->null_if || filters->match || filters->map))
        val = words_eval(eval, filters, val);
    if (val.type != VAL_NULL && filters->time)
        val = time_eval(eval, filters, val);
    if (val.type != VAL_NULL && filters->scale)
        val = scale_eval(eval, filters, val);
    if (val.type != VAL_NULL && filters->hash)
        val = hash_eval(eval, val);
    return val;
}

struct val expr_eval(struct eval *eval, const struct expr *expr, int want)
{
    const struct filters *filters = expr->filters;
    if (!filters && expr->op == EXPR_PATH)
        return fit(eval, path_eval(eval, expr), want);
    if (!filters)
        return fit(eval, op_eval(eval, expr, want), want);
    struct val val = null_val;
    if (!filters->when || cond_holds(eval, filters->when)) {
        bool as_is = !filters->match && !filters->map && !filters->time && !filters->hash;
        val = op_eval(eval, expr, as_is ? want : WANT_ANY);
        val = fit(eval, filters_eval(eval, filters, val), want);
    }
    if (val.type == VAL_NULL && filters->fallback) {
        eval->taken = NULL;
        eval->defaulted = true;
        return text_val(*filters->fallback);
    }
    return val;
}

/* --- conditions ---------------------------------------------------------------------------- */

static bool words_hold(struct eval *eval, const struct cond *cond)
{
    struct slice text;
    struct val val = expr_eval(eval, cond->expr, WANT_ANY);
    return val_text(eval, val, &text) && words_have(cond->words, cond->word_count, text);
}

static bool pattern_holds(struct eval *eval, const struct cond *cond)
{
    struct slice text, group;
    struct val val = expr_eval(eval, cond->expr, WANT_ANY);
    return val_text(eval, val, &text) && match(eval, cond->pattern, text, &group);
}

static bool greater_holds(struct eval *eval, const struct cond *cond)
{
    struct decimal d;
    struct val val = expr_eval(eval, cond->expr, WANT_ANY);
    return val_decimal(eval, val, &d) && decimal_cmp(&d, cond->limit) > 0;
}

bool cond_holds(struct eval *eval, const struct cond *cond)
{
    switch (cond->op) {
    case COND_EXISTS:
        return (expr_eval(eval, cond->expr, WANT_ANY).type != VAL_NULL) == cond->expected;
    case COND_EQ:
        return words_hold(eval, cond);
    case COND_MATCH:
        return pattern_holds(eval, cond);
    case COND_GT:
        return greater_holds(eval, cond);
    case COND_NOT:
        return !cond_holds(eval, cond->args[0]);
    case COND_ALL:
    case COND_ANY:
        for (size_t i = 0; i < cond->arg_count; i++)
            if (cond_holds(eval, cond->args[i]) != (cond->op == COND_ALL))
                return cond->op == COND_ANY;
        return cond->op == COND_ALL;
    }
    return false;
}
