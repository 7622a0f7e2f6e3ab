/* SPDX-License-Identifier: Apache-2.0 */
/* What a Kafka message is, before a mapping can look at it. */
#ifndef INGEST_FRAME_H
#define INGEST_FRAME_H

#include "core/charge.h"
#include "core/slice.h"

#define MESSAGE_BYTES_MAX (8u << 20)

enum content {
    CONTENT_JSON,
    CONTENT_OTLP,   /* OTLP as protobuf */
    CONTENT_SCHEMA, /* what a schema registry tells how to read */
};

/* An object or an array, behind white space. */
bool starts_json(struct slice text);

/* What the bytes of a message that is not empty are; `content` is without the framing of JSON. */
enum content frame_open(struct slice message, struct slice *content);

#endif
