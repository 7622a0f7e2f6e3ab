/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a schema registry says of bytes that are not JSON: Avro's binary encoding, or Protobuf. A
 * message is written out as JSON text, which mappings read like any other; a schema is compiled
 * once, immutable and shared by all lanes.
 *
 * Names are the schema's own. Avro: the branch of a union stands for itself, bytes are base64;
 * avro_logical.h has the logical types.
 * Protobuf: enumerators by name, 64 bit integers as numbers, bytes as base64, Timestamp as RFC
 * 3339; fields that are not there are absent.
 */
#ifndef INGEST_SCHEMA_H
#define INGEST_SCHEMA_H

#include "core/buf.h"
#include "core/err.h"

enum schema_kind {
    SCHEMA_ABSENT, /* there is none */
    SCHEMA_JSON,
    SCHEMA_AVRO,
    SCHEMA_PROTOBUF,
    SCHEMA_BROKEN, /* there is one that cannot be used: `why` */
};

struct schema_avro;
struct schema_protobuf;

struct schema {
    enum schema_kind kind;
    struct schema_avro *avro;
    struct schema_protobuf *protobuf;
    char why[160];
};

/* ERR_INPUT: the text is not a schema. */
struct schema_avro *schema_avro_new(struct slice json, struct err *err);
void schema_avro_free(struct schema_avro *avro);
/* false: the bytes are not of this schema; `why` is a static text, *at the place. */
bool schema_avro_json(const struct schema_avro *avro, struct slice bytes, struct buf *json,
                      const char **why, const char **at) MUST_CHECK;

/* `files`: FileDescriptorProtos, the schema's own first, then those it imports. ERR_INPUT. */
struct schema_protobuf *schema_protobuf_new(const struct slice *files, size_t count,
                                            struct err *err);
void schema_protobuf_free(struct schema_protobuf *protobuf);
/* The bytes behind the schema id: the indexes of the message's type, and the message. */
bool schema_protobuf_json(const struct schema_protobuf *protobuf, struct slice bytes,
                          struct buf *json, const char **why, const char **at) MUST_CHECK;

#endif
