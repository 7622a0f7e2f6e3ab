/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64, and floating point as the shortest digits that read back as the same number; NaN and
 * infinities become null.
 */
#include "ingest/json_out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void json_out_base64(struct buf *out, struct slice bytes)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buf_add_char(out, '"');
    for (size_t i = 0; i < bytes.bytes; i += 3) {
        size_t left = bytes.bytes - i;
        uint32_t v = (uint32_t)(unsigned char)bytes.p[i] << 16;
        v |= left > 1 ? (uint32_t)(unsigned char)bytes.p[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)(unsigned char)bytes.p[i + 2] : 0;
        buf_add_char(out, digit[v >> 18]);
        buf_add_char(out, digit[v >> 12 & 63]);
        buf_add_char(out, left > 1 ? digit[v >> 6 & 63] : '=');
        buf_add_char(out, left > 2 ? digit[v & 63] : '=');
    }
    buf_add_char(out, '"');
}

static void number_out(struct buf *out, double d, int least, int most, bool narrow)
{
    char text[32];
    if (!isfinite(d)) {
        buf_add_text(out, "null");
        return;
    }
    for (int digits = least; digits <= most; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (narrow ? strtof(text, NULL) == (float)d : strtod(text, NULL) == d)
            break;
    }
    buf_add_text(out, text);
}

void json_out_double(struct buf *out, double d)
{
    number_out(out, d, 15, 17, false);
}

void json_out_float(struct buf *out, float f)
{
    number_out(out, (double)f, 6, 9, true);
}
