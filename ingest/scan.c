/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of JSON, forward, without allocating. */
#include "ingest/scan.h"

#include "ingest/digits.h"

bool scan_fail(struct scan *scan, enum reason reason, const char *detail)
{
    if (scan->reason == REASON_NONE) {
        scan->reason = reason;
        scan->detail = detail;
    }
    return false;
}

/* 1: may stand behind a backslash, alone. */
static const unsigned char escape_short[256] = {
    ['"'] = 1, ['\\'] = 1, ['/'] = 1, ['b'] = 1, ['f'] = 1, ['n'] = 1, ['r'] = 1, ['t'] = 1};

static bool hex4(const char *p)
{
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return true;
}

/* What scan_plain() stopped at when that is neither the closing quote nor a short escape. */
static bool scan_escape(struct scan *scan, unsigned *flags)
{
    const char *p = scan->p;
    if (p >= scan->end)
        return scan_fail(scan, REASON_BAD_JSON, "truncated in a string");
    if (*p != '\\')
        return scan_fail(scan, REASON_BAD_JSON, "control character in a string");
    if (scan->end - p < 2)
        return scan_fail(scan, REASON_BAD_JSON, "truncated in a string");
    if (p[1] != 'u')
        return scan_fail(scan, REASON_BAD_JSON, "unknown escape in a string");
    if (scan->end - p < 6 || !hex4(p + 2))
        return scan_fail(scan, REASON_BAD_JSON, "\\u without four hex digits");
    *flags |= JSON_ESCAPED;
    scan->p = p + 6;
    return true;
}

/* The first byte from p on that is a quote, a backslash or a control character; sets JSON_HIGH. */
static const char *scan_plain(const char *p, const char *end, unsigned *flags)
{
#ifdef __SSE2__
    __m128i seen = _mm_setzero_si128();
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        unsigned mask = scan_stops16(v);
        if (mask) {
            unsigned i = (unsigned)__builtin_ctz(mask);
            unsigned high = (unsigned)_mm_movemask_epi8(v) & ((1u << i) - 1);
            *flags |= high | (unsigned)_mm_movemask_epi8(seen) ? JSON_HIGH : 0;
            return p + i;
        }
        seen = _mm_or_si128(seen, v);
    }
    *flags |= _mm_movemask_epi8(seen) ? JSON_HIGH : 0;
#endif
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p > 0x1f) {
        if ((unsigned char)*p > 0x7f)
            *flags |= JSON_HIGH;
        p++;
    }
    return p;
}

#ifdef __SSE2__
static inline __m128i load16(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* A bit for each of 64 bytes. */
static inline uint64_t stops64(const char *p)
{
    uint64_t low = scan_stops16(load16(p)) | scan_stops16(load16(p + 16)) << 16;
    uint64_t high = scan_stops16(load16(p + 32)) | scan_stops16(load16(p + 48)) << 16;
    return low | high << 32;
}

static inline uint64_t high64(const char *p)
{
    uint64_t low =
        (unsigned)_mm_movemask_epi8(load16(p)) | (unsigned)_mm_movemask_epi8(load16(p + 16)) << 16;
    uint64_t high = (unsigned)_mm_movemask_epi8(load16(p + 32)) |
                    (unsigned)_mm_movemask_epi8(load16(p + 48)) << 16;
    return low | high << 32;
}

static inline bool any_high64(const char *p)
{
    return _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(load16(p), load16(p + 16)),
                                          _mm_or_si128(load16(p + 32), load16(p + 48)))) != 0;
}

/* Steps over whole blocks of text and the short escapes in them: prompts have one in each line.
 * Ends at what is neither, or where less than a block is left. */
static const char *scan_blocks(const char *p, const char *end, unsigned *flags)
{
    while (end - p > 64) { /* the last byte may be a backslash */
        unsigned step = 64;
        for (uint64_t stops = stops64(p); stops;) {
            unsigned i = (unsigned)__builtin_ctzll(stops);
            if (p[i] != '\\' || !escape_short[(unsigned char)p[i + 1]]) {
                *flags |= high64(p) & ((UINT64_C(1) << i) - 1) ? JSON_HIGH : 0;
                return p + i;
            }
            *flags |= JSON_ESCAPED;
            stops &= ~(UINT64_C(3) << i);
            step = i == 63 ? 65 : 64;
        }
        *flags |= any_high64(p) ? JSON_HIGH : 0;
        p += step;
    }
    return p;
}
#else
static const char *scan_blocks(const char *p, const char *end, unsigned *flags)
{
    (void)end;
    (void)flags;
    return p;
}
#endif

bool scan_string_long(struct scan *scan, struct json *out)
{
    const char *start = scan->p + 1, *p = start, *end = scan->end;
    unsigned flags = 0;
    for (;;) {
        p = scan_blocks(p, end, &flags);
        p = scan_plain(p, end, &flags);
        if (p < end && *p == '"')
            break;
        if (end - p >= 2 && *p == '\\' && escape_short[(unsigned char)p[1]]) {
            flags |= JSON_ESCAPED;
            p += 2;
            continue;
        }
        scan->p = p;
        if (!scan_escape(scan, &flags))
            return false;
        p = scan->p;
    }
    *out = (struct json){start, (uint32_t)(p - start), TOKEN_STRING, (uint8_t)flags, 0};
    scan->p = p + 1;
    return true;
}

/* The digits of a fraction or an exponent, of which there must be one; NULL: there is none. */
static const char *digits_behind(struct scan *scan, const char *p)
{
    const char *behind = digits_end(p, scan->end);
    scan->p = behind;
    if (behind > p)
        return behind;
    scan_fail(scan, REASON_BAD_JSON, "digit expected in a number");
    return NULL;
}

/* RFC 8259, section 6. */
static bool number_scan(struct scan *scan)
{
    const char *end = scan->end, *first = scan->p + (*scan->p == '-');
    const char *p = digits_end(first, end);
    if (p == first)
        return digits_behind(scan, p);
    if (*first == '0' && p > first + 1) {
        scan->p = first + 1;
        return scan_fail(scan, REASON_BAD_JSON, "number with a leading zero");
    }
    if (p < end && *p == '.' && !(p = digits_behind(scan, p + 1)))
        return false;
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        if (!(p = digits_behind(scan, p)))
            return false;
    }
    scan->p = p;
    return true;
}

static bool word(struct scan *scan, const char *text, size_t bytes)
{
    if ((size_t)(scan->end - scan->p) < bytes || memcmp(scan->p, text, bytes) != 0)
        return scan_fail(scan, REASON_BAD_JSON, "value expected");
    scan->p += bytes;
    return true;
}

bool scan_literal(struct scan *scan, struct json *out)
{
    const char *start = scan->p;
    enum token type;
    bool ok;

    switch (*start) {
    case 'n':
        type = TOKEN_NULL;
        ok = word(scan, "null", 4);
        break;
    case 't':
        type = TOKEN_TRUE;
        ok = word(scan, "true", 4);
        break;
    case 'f':
        type = TOKEN_FALSE;
        ok = word(scan, "false", 5);
        break;
    default:
        type = TOKEN_NUMBER;
        ok = *start == '-' || (unsigned)(*start - '0') < 10
                 ? number_scan(scan)
                 : scan_fail(scan, REASON_BAD_JSON, "value expected");
    }
    *out = (struct json){start, (uint32_t)(scan->p - start), (uint8_t)type, 0, 0};
    return ok;
}

static bool array_skip(struct scan *scan, unsigned depth)
{
    scan->p++;
    if (scan_peek(scan) == ']') {
        scan->p++;
        return true;
    }
    for (;;) {
        scan_space(scan);
        if (!scan_value(scan, NULL, depth))
            return false;
        int c = scan_peek(scan);
        if (c != ',' && c != ']')
            return scan_expect(scan, ']', "',' or ']' expected");
        scan->p++;
        if (c == ']')
            return true;
    }
}

static bool object_skip(struct scan *scan, unsigned depth)
{
    struct json key;
    scan->p++;
    if (scan_peek(scan) == '}') {
        scan->p++;
        return true;
    }
    for (;;) {
        if (scan_peek(scan) != '"')
            return scan_expect(scan, '"', "member name expected");
        if (!scan_string(scan, &key) || !scan_expect(scan, ':', "':' expected"))
            return false;
        scan_space(scan);
        if (!scan_value(scan, NULL, depth))
            return false;
        int c = scan_peek(scan);
        if (c != ',' && c != '}')
            return scan_expect(scan, '}', "',' or '}' expected");
        scan->p++;
        if (c == '}')
            return true;
    }
}

bool scan_value(struct scan *scan, struct json *out, unsigned depth)
{
    struct json unused;
    const char *start = scan->p;
    if (start >= scan->end)
        return scan_fail(scan, REASON_BAD_JSON, "truncated");
    if (*start == '"')
        return scan_string(scan, out ? out : &unused);
    if (*start != '{' && *start != '[')
        return scan_literal(scan, out ? out : &unused);
    if (depth >= JSON_DEPTH_MAX)
        return scan_fail(scan, REASON_TOO_DEEP, "nested deeper than 64 levels");
    if (!(*start == '{' ? object_skip(scan, depth + 1) : array_skip(scan, depth + 1)))
        return false;
    if (out)
        *out = (struct json){start, (uint32_t)(scan->p - start),
                             (uint8_t)(*start == '{' ? TOKEN_OBJECT : TOKEN_ARRAY), 0, 0};
    return true;
}

bool scan_text(struct scan *scan, struct json *out)
{
    scan_space(scan);
    if (!scan_value(scan, out, 0))
        return false;
    scan_space(scan);
    if (scan->p < scan->end)
        return scan_fail(scan, REASON_BAD_JSON, "bytes after the value");
    return true;
}
