/* SPDX-License-Identifier: Apache-2.0 */
/* The content of a message: JSON, OTLP as protobuf, or behind the five bytes of a schema id. */
#include "ingest/frame.h"

#include "ingest/wire.h"

bool starts_json(struct slice text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.p[i] == '{' || text.p[i] == '[')
            return true;
        if (text.p[i] != ' ' && text.p[i] != '\t' && text.p[i] != '\r' && text.p[i] != '\n')
            return false;
    }
    return false;
}

/* Confluent wire format: byte 0, four bytes of schema id, the payload. */
enum content frame_open(struct slice message, struct slice *content)
{
    *content = message;
    if (message.p[0] == '\0') {
        struct slice behind = {message.p + 5, message.bytes - 5};
        if (message.bytes <= 5 || !starts_json(behind))
            return CONTENT_SCHEMA;
        *content = behind;
        return CONTENT_JSON;
    }
    return wire_begins(message) ? CONTENT_OTLP : CONTENT_JSON;
}
