/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Kafka record has beside its value: key and headers. Mappings may read both, so a record
 * that is kept for a retry keeps them as bytes.
 */
#ifndef CORE_ENVELOPE_H
#define CORE_ENVELOPE_H

#include "core/buf.h"

#define HEADERS_MAX 64 /* of a record; later ones are not seen */

struct header {
    struct slice name, value; /* value.p == NULL: it has none */
};

struct envelope {
    struct slice key; /* p == NULL: none */
    const struct header *headers;
    size_t header_count;
};

static inline bool envelope_is_empty(const struct envelope *envelope)
{
    return !envelope->key.p && envelope->header_count == 0;
}

/* The last header of a name counts, as for librdkafka; NULL: there is none. */
const struct header *envelope_header(const struct envelope *envelope, struct slice name);

void envelope_write(const struct envelope *envelope, struct buf *out);
/* Slices of the bytes; `headers` has HEADERS_MAX of them. false: the bytes are not an envelope. */
bool envelope_read(struct slice bytes, struct header *headers,
                   struct envelope *envelope) MUST_CHECK;

#endif
