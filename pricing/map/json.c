/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON to a value tree, by recursive descent. A library would give doubles: a price of 400 digits
 * would be rounded and 1e-400 be 0 before anybody could refuse them, and no node would know its
 * line.
 */
#include "pricing/map/node.h"

#include "core/hex.h"
#include "core/utf8.h"

#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 64

struct reader {
    struct arena *arena;
    const char *p, *end;
    const char *file;
    unsigned line;
    node_keep_fn *keep;
    struct err *err;
};

static bool fail(struct reader *r, const char *what)
{
    return err_set(r->err, ERR_CONFIG, "%s:%u: %s", r->file ? r->file : "cost map", r->line, what);
}

static void skip_blanks(struct reader *r)
{
    for (; r->p < r->end; r->p++) {
        if (*r->p == '\n')
            r->line++;
        else if (*r->p != ' ' && *r->p != '\t' && *r->p != '\r')
            return;
    }
}

static bool take(struct reader *r, char c)
{
    skip_blanks(r);
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

static bool read_hex4(struct reader *r, unsigned *code)
{
    *code = 0;
    if (r->end - r->p < 4)
        return fail(r, "\\u escape cut short");
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(*r->p++);
        if (digit < 0)
            return fail(r, "bad \\u escape");
        *code = *code * 16 + (unsigned)digit;
    }
    return true;
}

static bool read_unicode(struct reader *r, char *out, size_t *bytes)
{
    unsigned code, low;
    if (!read_hex4(r, &code))
        return false;
    if (code >= 0xd800 && code < 0xdc00 && r->end - r->p >= 6 && r->p[0] == '\\' &&
        r->p[1] == 'u') {
        r->p += 2;
        if (!read_hex4(r, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return fail(r, "lone surrogate");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code == 0 || (code >= 0xd800 && code < 0xe000)) {
        return fail(r, "U+0000 or a lone surrogate in a string");
    }
    *bytes = (size_t)(utf8_put(out + *bytes, code) - out);
    return true;
}

static bool read_escape(struct reader *r, char *out, size_t *bytes)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->p == r->end)
        return fail(r, "string without an end");
    char c = *r->p++;
    if (c == 'u')
        return read_unicode(r, out, bytes);
    const char *found = memchr(from, c, sizeof(from) - 1);
    if (!found)
        return fail(r, "unknown escape in a string");
    out[(*bytes)++] = to[found - from];
    return true;
}

/* Behind the opening quote. A string never grows when it is decoded. */
static bool read_string(struct reader *r, bool kept, struct slice *text)
{
    const char *start = r->p;
    while (r->p < r->end && *r->p != '"' && *r->p != '\\' && (unsigned char)*r->p >= 0x20)
        r->p++;
    if (r->p < r->end && *r->p == '"') {
        *text = (struct slice){start, (size_t)(r->p++ - start)};
        if (!kept)
            return true;
        text->p = arena_text(r->arena, *text);
        return text->p || fail(r, "too large");
    }
    const char *close = r->p;
    while (close < r->end && *close != '"')
        close += *close == '\\' ? 2 : 1;
    if (close >= r->end)
        return fail(r, "string without an end");
    char *out = arena_alloc(r->arena, (size_t)(close - start) + 1);
    if (!out)
        return fail(r, "too large");
    size_t bytes = 0;
    for (r->p = start; *r->p != '"';) {
        if ((unsigned char)*r->p < 0x20)
            return fail(r, "control character in a string");
        if (*r->p != '\\')
            out[bytes++] = *r->p++;
        else if (r->p++, !read_escape(r, out, &bytes))
            return false;
    }
    r->p++;
    out[bytes] = '\0';
    *text = (struct slice){out, bytes};
    return true;
}

static size_t digits(struct reader *r)
{
    const char *start = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return (size_t)(r->p - start);
}

static bool read_number(struct reader *r, struct slice *text)
{
    const char *start = r->p;
    if (r->p < r->end && *r->p == '-')
        r->p++;
    const char *first = r->p;
    size_t whole = digits(r);
    if (whole == 0 || (whole > 1 && *first == '0'))
        return fail(r, "neither a value nor a number");
    if (r->p < r->end && *r->p == '.') {
        r->p++;
        if (digits(r) == 0)
            return fail(r, "number without digits after its point");
    }
    if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
            r->p++;
        if (digits(r) == 0)
            return fail(r, "number without digits in its exponent");
    }
    *text = (struct slice){start, (size_t)(r->p - start)};
    return true;
}

static bool take_word(struct reader *r, const char *word)
{
    size_t bytes = strlen(word);
    if ((size_t)(r->end - r->p) < bytes || memcmp(r->p, word, bytes) != 0)
        return false;
    r->p += bytes;
    return true;
}

static bool read_value(struct reader *r, unsigned depth, bool kept, struct node **out);

static int by_name(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
    int order = strcmp(x->key, y->key);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* No member of a map comes twice, however many it has. */
static bool names_differ(struct reader *r, const struct node *map)
{
    size_t count = 0, twice = 0;
    const struct node **by = malloc((map->count + 1) * sizeof(*by));
    if (!by)
        return fail(r, "out of memory");
    for (const struct node *member = map->children; member; member = member->next)
        by[count++] = member;
    qsort(by, count, sizeof(*by), by_name);
    for (size_t i = 1; twice == 0 && i < count; i++)
        if (strcmp(by[i - 1]->key, by[i]->key) == 0)
            twice = i;
    if (twice)
        err_set(r->err, ERR_CONFIG, "%s:%u: \"%.200s\" is named twice",
                r->file ? r->file : "cost map", by[twice]->line, by[twice]->key);
    free(by);
    return twice == 0;
}

static bool read_members(struct reader *r, unsigned depth, bool kept, struct node *map)
{
    struct node **end = map ? &map->children : NULL;
    if (take(r, '}'))
        return true;
    do {
        struct slice key = {"", 0};
        struct node *member = NULL;
        if (!take(r, '"'))
            return fail(r, "a member's name must be a string");
        if (!read_string(r, false, &key))
            return false;
        if (!take(r, ':'))
            return fail(r, "a member's name without ':'");
        bool keep = kept && (!r->keep || r->keep(depth, key));
        if (!read_value(r, depth + 1, keep, &member))
            return false;
        if (member) {
            if (!(member->key = arena_text(r->arena, key)))
                return fail(r, "too large");
            *end = member;
            end = &member->next;
            map->count++;
        }
    } while (take(r, ','));
    if (!take(r, '}'))
        return fail(r, "',' or '}' expected");
    return depth == 1 || !map || names_differ(r, map); /* the catalog checks names of models */
}

static bool read_elements(struct reader *r, unsigned depth, bool kept, struct node *list)
{
    struct node **end = list ? &list->children : NULL;
    if (take(r, ']'))
        return true;
    do {
        struct node *element = NULL;
        if (!read_value(r, depth + 1, kept, &element))
            return false;
        if (element) {
            *end = element;
            end = &element->next;
            list->count++;
        }
    } while (take(r, ','));
    return take(r, ']') || fail(r, "',' or ']' expected");
}

static bool read_scalar(struct reader *r, bool kept, struct node *value)
{
    struct slice text = {NULL, 0};
    if (*r->p == '"') {
        r->p++;
        if (!read_string(r, kept, &text))
            return false;
        value->kind = NODE_TEXT;
    } else if (take_word(r, "null")) {
        value->kind = NODE_NULL;
    } else if (take_word(r, "true") || take_word(r, "false")) {
        value->kind = NODE_BOOL;
        value->truth = r->p[-2] == 'u';
    } else {
        if (!read_number(r, &text))
            return false;
        value->kind = NODE_NUMBER;
        if (kept && !(text.p = arena_text(r->arena, text)))
            return fail(r, "too large");
    }
    value->text = text.p;
    return true;
}

static bool read_value(struct reader *r, unsigned depth, bool kept, struct node **out)
{
    struct node dropped = {0}, *value = &dropped;
    skip_blanks(r);
    if (r->p == r->end)
        return fail(r, "ends in the middle");
    if (depth > DEPTH_MAX)
        return fail(r, "nested too deep");
    if (kept && !(value = arena_zalloc(r->arena, sizeof(*value))))
        return fail(r, "too large");
    value->line = r->line;
    value->file = r->file;
    if (kept)
        *out = value;
    if (*r->p != '{' && *r->p != '[')
        return read_scalar(r, kept, value);
    value->kind = *r->p == '{' ? NODE_MAP : NODE_LIST;
    r->p++;
    return value->kind == NODE_MAP ? read_members(r, depth, kept, value)
                                   : read_elements(r, depth, kept, value);
}

struct node *node_parse_json(struct arena *arena, struct slice text, const char *file,
                             node_keep_fn *keep, struct err *err)
{
    struct reader r = {arena, text.p, text.p + text.bytes, file, 1, keep, err};
    struct node *value = NULL;
    if (!read_value(&r, 1, true, &value))
        return NULL;
    skip_blanks(&r);
    if (r.p != r.end) {
        fail(&r, "something follows the value");
        return NULL;
    }
    return value;
}
