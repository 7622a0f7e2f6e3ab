/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of JSON (RFC 8259), read forward over bytes that need not end in a NUL. Grammar is strict;
 * what is inside a string is not looked at beyond its escapes (ingest/text.h repairs it when it is
 * copied out). Nothing is allocated and nothing is kept: a value is a slice of the input.
 *
 * All functions return false at the first fault and leave its place in `p` and its kind in
 * `reason`.
 */
#ifndef INGEST_SCAN_H
#define INGEST_SCAN_H

#include "core/charge.h"
#include "core/slice.h"

#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define JSON_DEPTH_MAX 64

enum token {
    TOKEN_NONE, /* absent */
    TOKEN_NULL,
    TOKEN_FALSE,
    TOKEN_TRUE,
    TOKEN_NUMBER,
    TOKEN_STRING,
    TOKEN_OBJECT,
    TOKEN_ARRAY,
};

enum json_flag {
    JSON_ESCAPED = 1, /* a string with a backslash in it */
    JSON_HIGH = 2,    /* a string with bytes beyond ASCII, or with NUL */
    JSON_PLAIN = 4,   /* a string whose bytes stand for themselves: no quotes, no escapes */
};

struct scan {
    const char *p, *end;
    enum reason reason;
    const char *detail; /* a static text */
};

/* A value of the input: a string without its quotes, everything else as it stands. */
struct json {
    const char *p;
    uint32_t bytes;
    uint8_t type;  /* enum token */
    uint8_t flags; /* enum json_flag */
    uint16_t wire; /* 0; or an object or array that is protobuf (ingest/wire.h) */
};

static inline struct slice json_slice(const struct json *json)
{
    return (struct slice){json->p, json->bytes};
}

bool scan_fail(struct scan *scan, enum reason reason, const char *detail);

/* Any value, at its first byte; fills `out` (NULL: only validates). `depth` counts the containers
 * around it. Messages longer than UINT32_MAX bytes are the caller's to refuse. */
bool scan_value(struct scan *scan, struct json *out, unsigned depth);
/* A number, true, false or null at its first byte. */
bool scan_literal(struct scan *scan, struct json *out);

/* A whole text: one value with white space around it. */
bool scan_text(struct scan *scan, struct json *out);

static inline void scan_space(struct scan *scan)
{
    const char *p = scan->p;
    while (p < scan->end && (unsigned char)*p <= ' ' &&
           (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    scan->p = p;
}

/* The next byte after white space; -1 at the end. */
static inline int scan_peek(struct scan *scan)
{
    if (scan->p < scan->end && (unsigned char)*scan->p > ' ')
        return (unsigned char)*scan->p;
    scan_space(scan);
    return scan->p < scan->end ? (unsigned char)*scan->p : -1;
}

/* The byte at p (after white space) must be `c`; steps over it. */
static inline bool scan_expect(struct scan *scan, char c, const char *detail)
{
    if (scan_peek(scan) != (unsigned char)c)
        return scan_fail(scan, REASON_BAD_JSON, scan->p < scan->end ? detail : "truncated");
    scan->p++;
    return true;
}

#ifdef __SSE2__
/* Bits of 16 bytes: those that end plain text (quote, backslash, control character). */
static inline unsigned scan_stops16(__m128i v)
{
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);
    __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash));
    stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
    return (unsigned)_mm_movemask_epi8(stop);
}
#endif

/* A string at its opening quote: any, and what is left when it is not short and plain. */
bool scan_string_long(struct scan *scan, struct json *out);

static inline bool scan_string(struct scan *scan, struct json *out)
{
#ifdef __SSE2__
    const char *start = scan->p + 1, *p = start;
    __m128i seen = _mm_setzero_si128();
    for (unsigned n = 0; n < 6 && scan->end - p >= 16; n++, p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        unsigned mask = scan_stops16(v);
        if (!mask) {
            seen = _mm_or_si128(seen, v);
            continue;
        }
        unsigned i = (unsigned)__builtin_ctz(mask);
        if (p[i] != '"')
            break;
        unsigned high = (unsigned)_mm_movemask_epi8(v) & ((1u << i) - 1);
        high |= (unsigned)_mm_movemask_epi8(seen);
        *out =
            (struct json){start, (uint32_t)(p + i - start), TOKEN_STRING, high ? JSON_HIGH : 0, 0};
        scan->p = p + i + 1;
        return true;
    }
#endif
    return scan_string_long(scan, out);
}

#endif
