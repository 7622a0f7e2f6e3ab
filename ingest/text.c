/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A string is copied out at most once: runs of plain bytes by memcpy, escapes and multi-byte
 * characters one by one through code points. Output never grows beyond three times the input
 * (an invalid byte becomes the three of U+FFFD), which is what is asked of the arena.
 */
#include "ingest/text.h"

#include "core/utf8.h"

#include <assert.h>

#define REPLACEMENT 0xfffdu

struct copier {
    const char *p, *end;
    char *out;
    bool repaired;
};

static unsigned hex_value(const char *p)
{
    unsigned v = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)p[i];
        v = v << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

static unsigned surrogate_pair(const char **at, const char *end, unsigned high)
{
    const char *p = *at;
    if (high < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        unsigned low = hex_value(p + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            *at = p + 6;
            return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return UINT32_MAX;
}

/* The code point of the escape at *at, which is stepped over; UINT32_MAX for a lone surrogate. */
static unsigned escape_point(const char **at, const char *end)
{
    char c = (*at)[1];
    if (c != 'u') {
        *at += 2;
        switch (c) {
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        default:
            return (unsigned char)c;
        }
    }
    unsigned v = hex_value(*at + 2);
    *at += 6;
    return v >= 0xd800 && v < 0xe000 ? surrogate_pair(at, end, v) : v;
}

static unsigned repair(struct copier *copier)
{
    copier->repaired = true;
    return REPLACEMENT;
}

/* Eight bytes at a time as long as all are plain ASCII; what stops it is left to a step. */
static void copy_plain(struct copier *copier)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t v;
    while (copier->end - copier->p >= 8) {
        memcpy(&v, copier->p, 8);
        uint64_t slash = v ^ ones * '\\';
        if ((v | (slash - ones)) & tops)
            break;
        memcpy(copier->out, &v, 8);
        copier->p += 8;
        copier->out += 8;
    }
}

/* One step: an escape, a plain byte or a multi-byte character. */
static void copy_step(struct copier *copier)
{
    const char *p = copier->p;
    if (*p == '\\') {
        unsigned c = escape_point(&copier->p, copier->end);
        if (c == UINT32_MAX || c == 0)
            c = repair(copier);
        copier->out = utf8_put(copier->out, c);
        return;
    }
    size_t n = utf8_length(p, copier->end);
    if (n == 0) {
        copier->out = utf8_put(copier->out, repair(copier));
        copier->p++;
        return;
    }
    memcpy(copier->out, p, n);
    copier->out += n;
    copier->p += n;
}

uint8_t text_plain_flags(struct slice text)
{
    const char *p = text.p, *end = p + text.bytes;
    unsigned high = 0;
#ifdef __SSE2__
    __m128i seen = _mm_setzero_si128();
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        seen = _mm_or_si128(seen, _mm_or_si128(v, _mm_cmpeq_epi8(v, _mm_setzero_si128())));
    }
    high = (unsigned)_mm_movemask_epi8(seen);
#endif
    for (; p < end; p++)
        high |= (unsigned char)*p - 1u > 0x7e;
    return JSON_PLAIN | (high ? JSON_HIGH : 0);
}

/* Bytes that stand for themselves, one of which is beyond ASCII or NUL. */
static struct slice plain_of(struct slice raw, struct arena *batch, bool *repaired)
{
    char *out = arena_alloc(batch, raw.bytes * 3);
    if (!out)
        return (struct slice){NULL, 0};
    struct copier copier = {raw.p, raw.p + raw.bytes, out, false};
    while (copier.p < copier.end) {
        size_t n = *copier.p ? utf8_length(copier.p, copier.end) : 0;
        if (n == 0)
            copier.out = utf8_put(copier.out, repair(&copier));
        else
            copier.out = (char *)memcpy(copier.out, copier.p, n) + n;
        copier.p += n ? n : 1;
    }
    *repaired |= copier.repaired;
    return (struct slice){out, (size_t)(copier.out - out)};
}

struct slice text_of(const struct json *string, struct arena *batch, bool *repaired)
{
    struct slice raw = json_slice(string);
    if (string->flags & JSON_PLAIN) {
        bool fine =
            !(string->flags & JSON_HIGH) || (utf8_valid(raw) && !memchr(raw.p, '\0', raw.bytes));
        return fine ? raw : plain_of(raw, batch, repaired);
    }
    if (!(string->flags & JSON_ESCAPED) && (!(string->flags & JSON_HIGH) || utf8_valid(raw)))
        return raw;
    char *out = arena_alloc(batch, raw.bytes * (string->flags & JSON_HIGH ? 3 : 1));
    if (!out)
        return (struct slice){NULL, 0};
    struct copier copier = {raw.p, raw.p + raw.bytes, out, false};
    while (copier.p < copier.end) {
        copy_plain(&copier);
        for (int i = 0; i < 8 && copier.p < copier.end; i++)
            copy_step(&copier);
    }
    *repaired |= copier.repaired;
    return (struct slice){out, (size_t)(copier.out - out)};
}

struct slice text_raw(const struct json *string, struct arena *batch)
{
    struct slice raw = json_slice(string);
    if (!(string->flags & JSON_ESCAPED))
        return raw;
    char *start = arena_alloc(batch, raw.bytes), *out = start;
    if (!start)
        return (struct slice){NULL, 0};
    for (const char *p = raw.p, *end = p + raw.bytes; p < end;) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash ? slash : end) - p);
        memcpy(out, p, plain);
        out += plain;
        p += plain;
        if (slash) {
            unsigned c = escape_point(&p, end);
            /* An escape is at least as long as its character; a lone surrogate is invalid anyway.
             */
            out = utf8_put(out, c == UINT32_MAX ? REPLACEMENT : c);
        }
    }
    return (struct slice){start, (size_t)(out - start)};
}

bool text_equals(const struct json *string, struct slice text)
{
    if (!(string->flags & JSON_ESCAPED))
        return slice_eq(json_slice(string), text);
    const char *p = string->p, *end = p + string->bytes;
    size_t at = 0;
    while (p < end) {
        char point[4];
        size_t n = 1;
        if (*p == '\\') {
            unsigned c = escape_point(&p, end);
            n = (size_t)(utf8_put(point, c == UINT32_MAX ? REPLACEMENT : c) - point);
        } else {
            point[0] = *p++;
        }
        if (text.bytes - at < n || memcmp(text.p + at, point, n) != 0)
            return false;
        at += n;
    }
    return at == text.bytes;
}

/* A character of a JSON string in the form in which it is stored: escapes stay as they are. */
static void json_step(struct copier *copier)
{
    const char *p = copier->p;
    if (*p != '\\') {
        copy_step(copier);
        return;
    }
    unsigned c = escape_point(&copier->p, copier->end);
    if (c == UINT32_MAX || c == 0) {
        copier->out = utf8_put(copier->out, repair(copier));
        return;
    }
    size_t n = (size_t)(copier->p - p);
    memcpy(copier->out, p, n);
    copier->out += n;
}

struct slice text_of_json(const struct json *value, struct arena *batch, bool *repaired)
{
    struct slice raw = json_slice(value);
    if (value->type == TOKEN_STRING && value->flags & JSON_PLAIN) {
        struct slice text = text_of(value, batch, repaired);
        return text.p ? text_quote(text, batch) : text;
    }
    if (value->type == TOKEN_STRING) /* with its quotes */
        raw = (struct slice){raw.p - 1, raw.bytes + 2};
    /* Outside of strings valid JSON is plain ASCII, so the whole text can be treated as one. */
    if (utf8_valid(raw) && !memmem(raw.p, raw.bytes, "\\u", 2))
        return raw;
    char *out = arena_alloc(batch, raw.bytes * 3);
    if (!out)
        return (struct slice){NULL, 0};
    struct copier copier = {raw.p, raw.p + raw.bytes, out, false};
    while (copier.p < copier.end)
        json_step(&copier);
    *repaired |= copier.repaired;
    return (struct slice){out, (size_t)(copier.out - out)};
}

struct slice text_quote(struct slice text, struct arena *batch)
{
    char *start = arena_alloc(batch, text.bytes * 6 + 2), *out = start;
    if (!start)
        return (struct slice){NULL, 0};
    *out++ = '"';
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '"' || c == '\\')
            *out++ = '\\';
        if (c < 0x20) {
            memcpy(out, "\\u00", 4);
            out[4] = "0123456789abcdef"[c >> 4];
            out[5] = "0123456789abcdef"[c & 15];
            out += 6;
        } else {
            *out++ = (char)c;
        }
    }
    *out++ = '"';
    return (struct slice){start, (size_t)(out - start)};
}

/* Python 3.11 str.isspace(): bidirectional type WS, B or S, or category Zs. */
static bool point_is_space(unsigned c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

int64_t text_characters(struct slice text)
{
    int64_t count = 0;
    for (const char *p = text.p, *end = p + text.bytes; p < end;) {
        if ((unsigned char)*p > ' ' && (unsigned char)*p < 0x80) {
            count++;
            p++;
            continue;
        }
        size_t n = utf8_length(p, end);
        assert(n > 0);
        count += !point_is_space(utf8_point(p, n));
        p += n;
    }
    return count;
}
