/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration names and other folders read: plain data that crosses from one to the
 * other. */
#ifndef CORE_SOURCES_H
#define CORE_SOURCES_H

#include <stdint.h>

/* A librdkafka property, passed through. */
struct kafka_property {
    const char *name, *value;
    const char *origin; /* "file:line" or "-X", for messages */
};

struct cost_map_source {
    const char *file;          /* NULL: the builtin map */
    int64_t effective_from_us; /* INT64_MIN: always. A map holds until the next one's from */
    const char *origin;        /* "file:line" of the configuration; NULL: not named there */
};

#endif
