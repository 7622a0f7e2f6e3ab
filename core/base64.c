/* SPDX-License-Identifier: Apache-2.0 */
/* Four characters are three bytes; a character outside the alphabet refuses the whole text. */
#include "core/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_decode(struct slice text, char *out, size_t *bytes)
{
    unsigned v = 0, bits = 0;
    *bytes = 0;
    while (text.bytes > 0 && text.p[text.bytes - 1] == '=')
        text.bytes--;
    for (size_t i = 0; i < text.bytes; i++) {
        const char *digit = memchr(digits, text.p[i], 64);
        if (!digit)
            return false;
        v = v << 6 | (unsigned)(digit - digits);
        bits += 6;
        if (bits >= 8)
            out[(*bytes)++] = (char)(v >> (bits -= 8) & 0xff);
    }
    return bits < 6; /* a lone digit is not a byte */
}

void base64_encode(struct slice bytes, char *out)
{
    for (size_t i = 0; i < bytes.bytes; i += 3) {
        size_t left = bytes.bytes - i;
        uint32_t v = (uint32_t)(unsigned char)bytes.p[i] << 16;
        v |= left > 1 ? (uint32_t)(unsigned char)bytes.p[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)(unsigned char)bytes.p[i + 2] : 0;
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[v & 63] : '=';
    }
}
