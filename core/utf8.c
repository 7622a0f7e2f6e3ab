/* SPDX-License-Identifier: Apache-2.0 */
/* The table of RFC 3629, section 4: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
#include "core/utf8.h"

#include <string.h>

size_t utf8_length(const char *at, const char *end)
{
    const unsigned char *p = (const unsigned char *)at;
    unsigned char low = 0x80, high = 0xbf;
    size_t left = (size_t)(end - at), n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return n;
}

unsigned utf8_point(const char *at, size_t length)
{
    const unsigned char *p = (const unsigned char *)at;
    if (length == 1)
        return p[0];
    unsigned point = p[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++)
        point = point << 6 | (p[i] & 0x3fu);
    return point;
}

char *utf8_put(char *out, unsigned c)
{
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    int length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (length == 1) {
        *out = (char)c;
        return out + 1;
    }
    for (int i = length - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(first[length] | c);
    return out + length;
}

bool utf8_valid(struct slice text)
{
    const char *p = text.p, *end = text.p + text.bytes;
    while (p < end) {
        uint64_t eight; /* plain ASCII, eight bytes at a time */
        if (end - p >= 8 && (memcpy(&eight, p, 8), !(eight & UINT64_C(0x8080808080808080)))) {
            p += 8;
            continue;
        }
        size_t n = utf8_length(p, end);
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

struct slice utf8_cut(struct slice text, size_t bytes_max)
{
    if (text.bytes <= bytes_max)
        return text;
    size_t n = bytes_max;
    while (n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--;
    return (struct slice){text.p, n};
}

void utf8_copy(char *to, size_t capacity, struct slice text)
{
    struct slice cut = utf8_cut(text, capacity - 1);
    if (cut.bytes > 0)
        memcpy(to, cut.p, cut.bytes);
    to[cut.bytes] = '\0';
}

void utf8_mend(char *to, size_t capacity, struct slice text)
{
    size_t bytes = 0;
    while (bytes < text.bytes) {
        const char *p = text.p + bytes;
        size_t length = *p ? utf8_length(p, text.p + text.bytes) : 0; /* no string holds a NUL */
        if (bytes + (length ? length : 1) >= capacity)
            break;
        if (length)
            memcpy(to + bytes, p, length);
        else
            to[bytes] = '?';
        bytes += length ? length : 1;
    }
    to[bytes] = '\0';
}
