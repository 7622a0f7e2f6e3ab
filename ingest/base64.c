/* SPDX-License-Identifier: Apache-2.0 */
/* Four characters become three bytes; a character outside the alphabet refuses the whole text. */
#include "ingest/base64.h"

#include <string.h>

bool base64_decode(struct slice text, char *out, size_t *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
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
