/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/* seeds: tests/fuzz/seeds/schema */
/*
 * Avro and Protobuf by a schema: any bytes become JSON that the reader takes, or a fault with its
 * place. The first byte chooses: Avro by a fixed schema, Protobuf by a fixed descriptor, or the
 * rest as a descriptor and then as a message of it.
 */
#include "ingest/scan.h"
#include "ingest/schema.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const char avro_text[] =
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"s\",\"type\":\"string\"},"
    "{\"name\":\"n\",\"type\":[\"null\",\"R\"]},{\"name\":\"a\",\"type\":{\"type\":\"array\","
    "\"items\":\"null\"}},{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"double\"}},"
    "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}},"
    "{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}},"
    "{\"name\":\"l\",\"type\":\"long\"},{\"name\":\"r\",\"type\":\"float\"}]}";

/* message M { string s = 1; repeated int32 p = 2; M m = 3; map<string, M> d = 4; double f = 5; E e
 * = 6; repeated M l = 7; bytes b = 8; repeated fixed64 x = 9; sint64 z = 10; } enum E { A = 0; B =
 * 1; } */
static const char file_bytes[] =
    "\x0a\x07\x66\x2e\x70\x72\x6f\x74\x6f\x22\xb6\x01\x0a\x01\x4d\x12\x09\x0a\x01\x73\x18\x01"
    "\x20\x01\x28\x09\x12\x09\x0a\x01\x70\x18\x02\x20\x03\x28\x05\x12\x0d\x0a\x01\x6d\x18\x03"
    "\x20\x01\x28\x0b\x32\x02\x2e\x4d\x12\x14\x0a\x01\x64\x18\x04\x20\x03\x28\x0b\x32\x09\x2e"
    "\x4d\x2e\x44\x45\x6e\x74\x72\x79\x12\x09\x0a\x01\x66\x18\x05\x20\x01\x28\x01\x12\x0d\x0a"
    "\x01\x65\x18\x06\x20\x01\x28\x0e\x32\x02\x2e\x45\x12\x0d\x0a\x01\x6c\x18\x07\x20\x03\x28"
    "\x0b\x32\x02\x2e\x4d\x12\x09\x0a\x01\x62\x18\x08\x20\x01\x28\x0c\x12\x09\x0a\x01\x78\x18"
    "\x09\x20\x03\x28\x06\x12\x09\x0a\x01\x7a\x18\x0a\x20\x01\x28\x12\x1a\x2c\x0a\x06\x44\x45"
    "\x6e\x74\x72\x79\x12\x0b\x0a\x03\x6b\x65\x79\x18\x01\x20\x01\x28\x09\x12\x11\x0a\x05\x76"
    "\x61\x6c\x75\x65\x18\x02\x20\x01\x28\x0b\x32\x02\x2e\x4d\x3a\x02\x38\x01\x2a\x11\x0a\x01"
    "\x45\x12\x05\x0a\x01\x41\x10\x00\x12\x05\x0a\x01\x42\x10\x01\x62\x06\x70\x72\x6f\x74\x6f"
    "\x33";

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static void json_check(bool ok, const struct buf *json, struct slice bytes, const char *why,
                       const char *at)
{
    struct json value;
    if (!ok) {
        expect(why && at >= bytes.p && at <= bytes.p + bytes.bytes);
        return;
    }
    struct scan scan = {.p = json->p, .end = json->p + json->bytes};
    expect(scan_text(&scan, &value) || scan.reason == REASON_TOO_DEEP);
}

static void protobuf_check(const struct schema_protobuf *protobuf, struct slice bytes)
{
    const char *why = NULL, *at = NULL;
    struct buf json;
    buf_init(&json, 1u << 20);
    bool ok = protobuf && schema_protobuf_json(protobuf, bytes, &json, &why, &at);
    if (protobuf)
        json_check(ok, &json, bytes, why, at);
    buf_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct schema_avro *avro;
    static struct schema_protobuf *fixed;
    struct err err = {0};
    const char *why = NULL, *at = NULL;
    if (!avro) {
        struct slice file = {file_bytes, sizeof file_bytes - 1};
        avro = schema_avro_new(slice_of(avro_text), &err);
        fixed = schema_protobuf_new(&file, 1, &err);
        expect(avro && fixed);
    }
    if (bytes == 0)
        return 0;
    struct slice rest = {(const char *)data + 1, bytes - 1};
    if (*data % 3 == 0) {
        struct buf json;
        buf_init(&json, 1u << 20);
        bool ok = schema_avro_json(avro, rest, &json, &why, &at);
        json_check(ok, &json, rest, why, at);
        buf_free(&json);
    } else if (*data % 3 == 1) {
        protobuf_check(fixed, rest);
    } else {
        struct schema_protobuf *any = schema_protobuf_new(&rest, 1, &err);
        protobuf_check(any, rest);
        schema_protobuf_free(any);
    }
    return 0;
}
