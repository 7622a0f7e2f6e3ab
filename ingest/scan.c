/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/scan.h"

#include "ingest/text.h"

#include <assert.h>

bool scan_fail(struct scan *scan, enum reason reason, const char *detail)
{
    if (scan->reason == REASON_NONE) {
        scan->reason = reason;
        scan->detail = detail;
    }
    return false;
}

const unsigned char scan_escape_short[256] = {
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

bool scan_escape(struct scan *scan, unsigned *flags)
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

static const char *digits(const char *p, const char *end)
{
    while (p < end && (unsigned)(*p - '0') < 10)
        p++;
    return p;
}

/* The digits of a fraction or an exponent, of which there must be one; NULL: there is none. */
static const char *digits_behind(struct scan *scan, const char *p)
{
    const char *behind = digits(p, scan->end);
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
    const char *p = digits(first, end);
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
    *out = (struct json){start, (uint32_t)(scan->p - start), (uint8_t)type, 0};
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
                             (uint8_t)(*start == '{' ? TOKEN_OBJECT : TOKEN_ARRAY), 0};
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

void walk_open(struct walk *walk, const struct json *container)
{
    assert(container->type == TOKEN_OBJECT || container->type == TOKEN_ARRAY);
    walk->scan = (struct scan){.p = container->p + 1, .end = container->p + container->bytes - 1};
}

bool walk_more(struct walk *walk)
{
    scan_space(&walk->scan);
    if (walk->scan.p < walk->scan.end && *walk->scan.p == ',') {
        walk->scan.p++;
        scan_space(&walk->scan);
    }
    return walk->scan.p < walk->scan.end;
}

bool walk_element(struct walk *walk, struct json *value)
{
    return walk_more(walk) && scan_value(&walk->scan, value, 0);
}

bool walk_member(struct walk *walk, struct json *key, struct json *value)
{
    if (!walk_more(walk) || !scan_string(&walk->scan, key) || !scan_expect(&walk->scan, ':', ""))
        return false;
    scan_space(&walk->scan);
    return scan_value(&walk->scan, value, 0);
}

bool json_member(const struct json *object, struct slice name, struct json *value)
{
    struct walk walk;
    struct json key, candidate;
    bool found = false;
    walk_open(&walk, object);
    while (walk_member(&walk, &key, &candidate))
        if (text_equals(&key, name)) {
            *value = candidate;
            found = true;
        }
    return found;
}
