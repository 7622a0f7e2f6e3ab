/* SPDX-License-Identifier: Apache-2.0 */
/* Times as gateways write them, to microseconds since 1970 in UTC. */
#ifndef INGEST_TIMESTAMP_H
#define INGEST_TIMESTAMP_H

#include "core/slice.h"

#include <stdint.h>

enum time_kind { TIME_UNIT, TIME_RFC3339, TIME_STRPTIME };

struct time_format {
    enum time_kind kind;
    int us_exponent;     /* UNIT: one is 10^us_exponent microseconds */
    const char *pattern; /* STRPTIME */
};

/* "s", "ms", "us", "ns", "rfc3339" or a strptime(3) pattern (one with a '%'). `text` must be
 * NUL-terminated and outlive the format. A pattern with a conversion that strptime() does not know,
 * or takes and passes over (%Z: an abbreviation names several zones), is refused, and *conversion
 * its letter; 0 when the text has nothing of a format. */
bool time_format_parse(const char *text, struct time_format *format, char *conversion);

/* Numbers of a unit are decimal text between 1970 (exclusive) and 2200: that tells seconds from
 * milliseconds when both are in a list. Seconds come as binary fractions and are rounded half up to
 * microseconds; nanoseconds are counted, and cut. RFC 3339 is read by clock_parse(). */
bool time_parse(struct slice text, const struct time_format *format, int64_t *us);

#endif
