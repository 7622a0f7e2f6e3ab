/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as events carry them: JSON numbers and numeric strings, counts and exact decimals. */
#ifndef INGEST_NUMBER_H
#define INGEST_NUMBER_H

#include "core/decimal.h"

enum number_result {
    NUMBER_OK,
    NUMBER_NULL, /* "", "-", "NA", "None", "null": how emitters write that there is none */
    NUMBER_NONE, /* no number at all */
    NUMBER_BAD,  /* one that cannot be taken: negative, fractional, too large, not finite */
};

/* An integer from 0 to INT64_MAX; 1.0 and 1e3 are integers too. */
enum number_result number_count(struct slice text, int64_t *count);

/* Any sign. What has more digits or decimals than struct decimal holds is rounded to what it does
 * hold: costs that others computed in binary floating point are still worth comparing with. */
enum number_result number_decimal(struct slice text, struct decimal *out);

#endif
