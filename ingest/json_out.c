/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64, and floating point as the shortest digits that read back as the same number; NaN and
 * infinities become null.
 */
#include "ingest/json_out.h"

#include "core/base64.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void json_out_base64(struct buf *out, struct slice bytes)
{
    size_t count = base64_characters(bytes.bytes);
    char *p = buf_reserve(out, count + 2);
    if (!p)
        return;
    p[0] = p[count + 1] = '"';
    base64_encode(bytes, p + 1);
    out->bytes += count + 2;
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
