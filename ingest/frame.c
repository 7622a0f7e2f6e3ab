/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/frame.h"

#include <stdint.h>

/* A protobuf varint; false when it does not end within the bytes. */
static bool varint_take(struct slice *rest, uint64_t *v)
{
    *v = 0;
    for (unsigned shift = 0; shift < 64 && rest->bytes > 0; shift += 7) {
        unsigned char c = (unsigned char)*rest->p;
        *rest = (struct slice){rest->p + 1, rest->bytes - 1};
        *v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return true;
    }
    return false;
}

/*
 * ExportTraceServiceRequest and its siblings for logs and metrics: nothing but fields number 1 of
 * wire type 2, each a Resource (0x0a) or scope (0x12) message. 0x0a is also a newline, so the whole
 * length has to come out even before JSON is ruled out.
 */
static bool is_otlp_protobuf(struct slice message)
{
    struct slice rest = message;
    uint64_t bytes;
    while (rest.bytes > 0) {
        if (*rest.p != 0x0a)
            return false;
        rest = (struct slice){rest.p + 1, rest.bytes - 1};
        if (!varint_take(&rest, &bytes) || bytes == 0 || bytes > rest.bytes)
            return false;
        if (*rest.p != 0x0a && *rest.p != 0x12)
            return false;
        rest = (struct slice){rest.p + bytes, rest.bytes - (size_t)bytes};
    }
    return true;
}

static bool starts_json(struct slice text)
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
enum reason frame_open(struct slice message, struct slice *json, const char **detail)
{
    *json = message;
    if (message.bytes == 0)
        return REASON_EMPTY;
    if (message.p[0] == '\0') {
        *json = message.bytes < 5 ? message : (struct slice){message.p + 5, message.bytes - 5};
        if (message.bytes > 5 && starts_json(*json))
            return REASON_NONE;
        *detail = "schema registry framing around something that is not JSON: use a JSON converter "
                  "or JSON Schema";
        return REASON_AVRO_OR_PROTOBUF;
    }
    if (message.p[0] == 0x0a && message.bytes > 2 && is_otlp_protobuf(message)) {
        *detail = "OTLP as protobuf: set `encoding: otlp_json` in the Collector's kafka exporter";
        return REASON_OTLP_PROTOBUF;
    }
    return REASON_NONE;
}
