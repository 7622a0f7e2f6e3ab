/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/*
 * Avro and Protobuf behind a schema registry's framing, with a small registry of this test's own
 * that has the documented answers (GET /schemas/ids/{id}[?format=…], GET
 * /subjects/{s}/versions/{v}).
 */
#include "tests/unit/mapping_fixture.h"

#include "ingest/registry.h"

#include <microhttpd.h>
#include <netinet/in.h>

#define AVRO_ID 1
#define PROTOBUF_ID 7
#define MONEY_ID 8
#define LATER_ID 99
#define ODD_ID 204     /* a file that imports one of no subject, or of a very long one */
#define FILES_ID 200   /* a file that imports `server.imports` others, each of which imports all */
#define LARGE_ID 201   /* an answer of `server.large` bytes */
#define JSON_ID 100000 /* and above: JSON */

static const char avro_schema[] =
    "{\"type\":\"record\",\"name\":\"Usage\",\"namespace\":\"acme\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"string\"},"
    "{\"name\":\"model\",\"type\":[\"null\",\"string\"]},"
    "{\"name\":\"tokens\",\"type\":{\"type\":\"record\",\"name\":\"Tokens\",\"fields\":["
    "{\"name\":\"in\",\"type\":\"long\"},{\"name\":\"out\",\"type\":\"int\"}]}},"
    "{\"name\":\"kind\",\"type\":{\"type\":\"enum\",\"name\":\"Kind\",\"symbols\":[\"CHAT\","
    "\"EMBED\"]}},"
    "{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":\"string\"}},"
    "{\"name\":\"labels\",\"type\":{\"type\":\"map\",\"values\":\"string\"}},"
    "{\"name\":\"cost\",\"type\":\"double\"},{\"name\":\"rate\",\"type\":\"float\"},"
    "{\"name\":\"raw\",\"type\":{\"type\":\"fixed\",\"name\":\"Two\",\"size\":2}},"
    "{\"name\":\"cached\",\"type\":\"boolean\"},"
    "{\"name\":\"last\",\"type\":[\"null\",\"Tokens\"]}]}";

/* id "e1", model "gpt-4o", 1000 in and 3 out, EMBED, [a, b"], {team: search}, 0.25, 0.1, 00 ff,
 * true, a second Tokens by its name. */
static const char avro_value[] = "\x04"
                                 "e1\x02\x0cgpt-4o\xd0\x0f\x06\x02\x04\x02"
                                 "a\x04"
                                 "b\"\x00\x01\x18\x08team\x0csearch\x00"
                                 "\x00\x00\x00\x00\x00\x00\xd0\x3f\xcd\xcc\xcc\x3d\x00\xff\x01"
                                 "\x02\x04\x06";

/* decimal in bytes and in a fixed that is named once more, in a union and in an array; date, uuid
 * and duration; times, and what is not what it says, as they are stored. */
static const char logical_schema[] =
    "{\"type\":\"record\",\"name\":\"L\",\"namespace\":\"acme\",\"fields\":["
    "{\"name\":\"id\",\"type\":{\"type\":\"string\",\"logicalType\":\"uuid\"}},"
    "{\"name\":\"a\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":20,"
    "\"scale\":4}},"
    "{\"name\":\"b\",\"type\":{\"type\":\"fixed\",\"name\":\"D\",\"size\":17,\"logicalType\":"
    "\"decimal\",\"precision\":38,\"scale\":2}},"
    "{\"name\":\"c\",\"type\":[\"null\",\"D\"]},"
    "{\"name\":\"d\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"bytes\",\"logicalType\":"
    "\"decimal\",\"precision\":4}}},"
    "{\"name\":\"e\",\"type\":{\"type\":\"int\",\"logicalType\":\"date\"}},"
    "{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"U\",\"size\":16,\"logicalType\":"
    "\"uuid\"}},"
    "{\"name\":\"g\",\"type\":{\"type\":\"fixed\",\"name\":\"P\",\"size\":12,\"logicalType\":"
    "\"duration\"}},"
    "{\"name\":\"h\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}},"
    "{\"name\":\"i\",\"type\":{\"type\":\"string\",\"logicalType\":\"decimal\",\"precision\":4}},"
    "{\"name\":\"j\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,"
    "\"scale\":0},\"default\":\"\"}]}";

/* usage.proto and money.proto (tests/cases/registry), as protoc compiles them. */
static const char usage_file[] =
    "Cgd1LnByb3RvEgRhY21lGh9nb29nbGUvcHJvdG9idWYvdGltZXN0YW1wLnByb3RvGgttb25leS5wcm90byIVCgVPdGhlch"
    "IMCgF4GAEgASgFUgF4Io8ECgVVc2FnZRIOCgJpZBgBIAEoCVICaWQSFAoFbW9kZWwYAiABKAlSBW1vZGVsEioKBnRva2Vu"
    "cxgDIAEoCzISLmFjbWUuVXNhZ2UuVG9rZW5zUgZ0b2tlbnMSJAoEa2luZBgEIAEoDjIQLmFjbWUuVXNhZ2UuS2luZFIEa2"
    "luZBISCgR0YWdzGAUgAygJUgR0YWdzEi8KBmxhYmVscxgGIAMoCzIXLmFjbWUuVXNhZ2UuTGFiZWxzRW50cnlSBmxhYmVs"
    "cxIqCgJhdBgHIAEoCzIaLmdvb2dsZS5wcm90b2J1Zi5UaW1lc3RhbXBSAmF0EhIKBGNvc3QYCCABKAFSBGNvc3QSEAoDcm"
    "F3GAkgASgMUgNyYXcSFgoGY2FjaGVkGAogASgIUgZjYWNoZWQSIQoFcHJpY2UYCyABKAsyCy5hY21lLk1vbmV5UgVwcmlj"
    "ZRpiCgZUb2tlbnMSFAoFaW5wdXQYASABKARSBWlucHV0EhYKBm91dHB1dBgCIAEoA1IGb3V0cHV0EhQKBWRlbHRhGAMgAS"
    "gRUgVkZWx0YRIUCgVwYXJ0cxgEIAMoBVIFcGFydHMaOQoLTGFiZWxzRW50cnkSEAoDa2V5GAEgASgJUgNrZXkSFAoFdmFs"
    "dWUYAiABKAlSBXZhbHVlOgI4ASIdCgRLaW5kEgsKB1VOS05PV04QABIICgRDSEFUEAFiBnByb3RvMw==";
static const char money_file[] =
    "Cgttb25leS5wcm90bxIEYWNtZSI5CgVNb25leRIaCghjdXJyZW5jeRgBIAEoCVIIY3VycmVuY3kSFAoFbmFub3MYAiABKA"
    "ZSBW5hbm9zYgZwcm90bzM=";
/* Serialized by Google's library. */
static const char usage_value[] =
    "\x0a\x02\x65\x31\x12\x06\x67\x70\x74\x2d\x34\x6f\x1a\x1e\x08\x80\x80\x80\x80\x80\x80\x80\x80"
    "\x80"
    "\x01\x10\xfd\xff\xff\xff\xff\xff\xff\xff\xff\x01\x18\x0d\x22\x04\x01\x02\xac\x02\x20\x01\x2a"
    "\x01"
    "\x61\x2a\x02\x62\x22\x32\x0e\x0a\x04\x74\x65\x61\x6d\x12\x06\x73\x65\x61\x72\x63\x68\x3a\x0c"
    "\x08"
    "\xe6\x99\x94\xd8\x06\x10\x8b\xcf\xec\xbb\x03\x41\x00\x00\x00\x00\x00\x00\xd0\x3f\x4a\x02\x00"
    "\xff"
    "\x50\x01\x5a\x0e\x0a\x03\x55\x53\x44\x11\x0c\x00\x00\x00\x00\x00\x00\x00";

/* --- the registry ---------------------------------------------------------------------------- */

static struct {
    struct MHD_Daemon *daemon;
    int status; /* 0: as asked for */
    bool later; /* LATER_ID is there now */
    _Atomic int requests;
    unsigned imports;
    size_t large;
    char authorization[64];
} server;

/* References to all files but the first, in each of them: a name is asked for once. */
static void files_answer(bool serialized, char *text, size_t capacity)
{
    size_t bytes = (size_t)snprintf(text, capacity,
                                    "{\"schemaType\":\"PROTOBUF\",\"id\":%d,\"schema\":\"%s\","
                                    "\"references\":[",
                                    FILES_ID, serialized ? money_file : "syntax = ...");
    for (unsigned i = 0; i < server.imports; i++)
        bytes += (size_t)snprintf(text + bytes, capacity - bytes,
                                  "%s{\"name\":\"f%u.proto\",\"subject\":\"f%u\",\"version\":1}",
                                  i ? "," : "", i, i);
    snprintf(text + bytes, capacity - bytes, "]}");
}

static bool many_answer(const char *url, bool serialized, char *text, size_t capacity)
{
    int id = strncmp(url, "/schemas/ids/", 13) == 0 ? atoi(url + 13) : 0;
    if (id == FILES_ID || strncmp(url, "/subjects/f", 11) == 0)
        files_answer(serialized, text, capacity);
    else if (id == ODD_ID && server.imports == 0)
        snprintf(text, capacity,
                 "{\"schemaType\":\"PROTOBUF\",\"schema\":\"\",\"references\":[{\"name\":\"a\"}]}");
    else if (id == ODD_ID)
        snprintf(text, capacity,
                 "{\"schemaType\":\"PROTOBUF\",\"schema\":\"\",\"references\":[{\"name\":\"a\","
                 "\"subject\":\"%0*d\"}]}",
                 2000, 0);
    else if (id == LARGE_ID)
        snprintf(text, capacity, "{\"schemaType\":\"JSON\",\"pad\":\"%*s\"}",
                 (int)(server.large - strlen("{\"schemaType\":\"JSON\",\"pad\":\"\"}")), "");
    else if (id >= JSON_ID)
        snprintf(text, capacity, "{\"schemaType\":\"JSON\"}");
    else
        return false;
    return true;
}

static const char *answer_of(const char *url, const char *format, char *text, size_t capacity)
{
    char escaped[2 * sizeof logical_schema + 2 * sizeof avro_schema], *out = escaped;
    bool serialized = format && strcmp(format, "serialized") == 0;
    bool logical = strcmp(url, "/schemas/ids/10") == 0;
    for (const char *p = logical ? logical_schema : avro_schema; *p; p++) {
        if (*p == '"')
            *out++ = '\\';
        *out++ = *p;
    }
    *out = '\0';
    if (logical || strcmp(url, "/schemas/ids/1") == 0 ||
        (strcmp(url, "/schemas/ids/99") == 0 && server.later))
        snprintf(text, capacity, "{\"schema\":\"%s\"}", escaped);
    else if (strcmp(url, "/schemas/ids/7") == 0)
        snprintf(text, capacity,
                 "{\"schemaType\":\"PROTOBUF\",\"schema\":\"%s\",\"references\":[{\"name\":\"money."
                 "proto\",\"subject\":\"money\",\"version\":1}]}",
                 serialized ? usage_file : "syntax = ...");
    else if (strcmp(url, "/subjects/money/versions/1") == 0)
        snprintf(text, capacity, "{\"subject\":\"money\",\"version\":1,\"id\":8,\"schema\":\"\"}");
    else if (strcmp(url, "/schemas/ids/8") == 0)
        snprintf(text, capacity, "{\"schemaType\":\"PROTOBUF\",\"schema\":\"%s\"}",
                 serialized ? money_file : "syntax = ...");
    else if (strcmp(url, "/schemas/ids/9") == 0)
        snprintf(text, capacity, "{\"schema\":\"{\\\"type\\\":\\\"nothing\\\"}\"}");
    else if (!many_answer(url, serialized, text, capacity))
        return NULL;
    return text;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *bytes, void **request)
{
    static const char absent[] = "{\"error_code\":40403,\"message\":\"Schema not found\"}";
    static char text[(8 << 20) + 64];
    (void)context;
    (void)method;
    (void)version;
    (void)data;
    (void)bytes;
    (void)request;
    server.requests++;
    const char *login = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    snprintf(server.authorization, sizeof server.authorization, "%s", login ? login : "");
    const char *format = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "format");
    const char *answer = answer_of(url, format, text, sizeof text);
    unsigned status = server.status ? (unsigned)server.status : answer ? 200 : 404;
    answer = answer ? answer : absent;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(answer), (void *)(uintptr_t)answer, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static void server_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    server.status = 0;
    server.later = false;
    server.requests = 0;
    server.daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request,
                                     NULL, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_END);
    assert_non_null(server.daemon);
}

static struct registry *registry_start(void)
{
    char url[64];
    struct err err = {0};
    server_start();
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server.daemon, MHD_DAEMON_INFO_BIND_PORT);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", (unsigned)info->port);
    struct registry *registry =
        registry_new(&(struct registry_options){.url = url, .credentials = "user:pass word"}, &err);
    assert_non_null(registry);
    return registry;
}

static void registry_end(struct registry *registry)
{
    registry_free(registry);
    if (server.daemon)
        MHD_stop_daemon(server.daemon);
    server.daemon = NULL;
}

/* --- reading --------------------------------------------------------------------------------- */

static const char *read_framed(struct registry *registry, uint32_t id, const char *value,
                               size_t bytes)
{
    static char message[4096];
    static struct err err;
    err_clear(&err);
    memcpy(message, (char[]){0, 0, 0, (char)(id >> 8), (char)id}, 5);
    memcpy(message + 5, value, bytes);
    mappings_registry(world.set, registry);
    if (!mapper_ready(world.mapper, (struct slice){message, bytes + 5}, &err))
        return err.kind == ERR_UNAVAILABLE ? "away" : err.text;
    return read_bytes(message, bytes + 5, 0);
}

static const char avro_mapping[] =
    "- {name: m, keep: /id, fields: {request_id: /id, model: /model, input_tokens: /tokens/in, "
    "output_tokens: /tokens/out, call_type: /kind, tags: /tags, team: /labels/team, gateway_cost: "
    "/cost, upstream_cost: /rate, user: /raw, stream: /cached, reasoning_tokens: /last/out}}\n";

static void avro_is_read_by_its_schema(void **state)
{
    (void)state;
    open_yaml(avro_mapping);
    struct registry *registry = registry_start();
    for (int i = 0; i < 3; i++)
        assert_string_equal(
            read_framed(registry, AVRO_ID, avro_value, sizeof avro_value - 1),
            "provider=openai model=gpt-4o call_type=EMBED input_tokens=1000 output_tokens=3 "
            "reasoning_tokens=3 "
            "gateway_cost=0.25 upstream_cost=0.1 request_id=e1 user=AP8= team=search stream=true "
            "tags=a,b\"");
    assert_int_equal(server.requests, 1);
    assert_string_equal(server.authorization, "Basic dXNlcjpwYXNzIHdvcmQ=");
    registry_end(registry);
}

static void logical_types_are_read_as_what_they_mean(void **state)
{
    static const char value[] =
        "\x04"
        "u1"
        "\x04\xcf\xc7"                                                             /* -12345 */
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\xd2"                                   /* 1234 */
        "\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" /* -1 */
        "\x04\x02\x07\x22\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0"
        "\xce\xc3\x02" /* 20711 */
        "\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x14\x17\x40\0"
        "\x01\0\0\0\x02\0\0\0\x03\0\0\x80"
        "\x02\x02"
        "9\0";
    (void)state;
    open_yaml(
        "- {name: m, keep: /id, fields: {request_id: /id, upstream_cost: /b, input_tokens: /d/0, "
        "started_at: {path: /e, time: '%Y-%m-%d'}, user: /f, metadata: {object: "
        "{a: /a, c: /c, d: /d/1, g: /g, h: /h, i: /i, j: /j}}}}\n");
    struct registry *registry = registry_start();
    assert_string_equal(
        read_framed(registry, 10, value, sizeof value - 1),
        "started_at=2026-09-15T00:00:00Z input_tokens=7 upstream_cost=12.34 request_id=u1 "
        "user=123e4567-e89b-12d3-a456-426614174000 metadata={\"a\":-1.2345,\"c\":-0.01,"
        "\"d\":\"f/////////////////////8=\",\"g\":{\"months\":1,\"days\":2,\"milliseconds\":"
        "2147483651},\"h\":1,\"i\":\"9\",\"j\":0}");
    for (size_t bytes = 0; bytes < sizeof value - 1; bytes++)
        assert_string_equal(read_framed(registry, 10, value, bytes), "bad_encoding");
    registry_end(registry);
}

static void protobuf_is_read_by_its_schema(void **state)
{
    char value[sizeof usage_value + 2];
    (void)state;
    open_yaml("- {name: m, keep: /id, fields: {request_id: /id, model: /model, output_tokens: "
              "/tokens/parts/2, call_type: /kind, tags: /tags, team: /labels/team, gateway_cost: "
              "/cost, user: /raw, stream: /cached, started_at: {path: /at, time: rfc3339}, org: "
              "/price/currency, metadata: /tokens, status_code: /price/nanos}}\n");
    struct registry *registry = registry_start();
    memcpy(value, "\x02\x02", 2); /* one index: 1, the second message of the file */
    memcpy(value + 2, usage_value, sizeof usage_value - 1);
    assert_string_equal(
        read_framed(registry, PROTOBUF_ID, value, sizeof usage_value + 1),
        "provider=openai model=gpt-4o call_type=CHAT started_at=2026-11-24T04:04:54.930817Z "
        "output_tokens=300 "
        "gateway_cost=0.25 request_id=e1 user=AP8= team=search org=USD status_code=12 stream=true "
        "tags=a,b\" metadata={\"input\":9223372036854775808,\"output\":-3,\"delta\":-7,\"parts\":"
        "[1,2,300]}");
    assert_int_equal(server.requests, 4);
    /* A single 0 is the first message, which has no such fields. */
    memcpy(value, "\0", 1);
    assert_string_equal(read_framed(registry, PROTOBUF_ID, value, 1), "no_mapping");
    assert_string_equal(read_framed(registry, PROTOBUF_ID, "\x02\x09", 2), "bad_encoding");
    registry_end(registry);
}

static void a_schema_that_is_not_known_is_told_with_its_id(void **state)
{
    (void)state;
    open_yaml(avro_mapping);
    struct registry *registry = registry_start();
    for (int i = 0; i < 3; i++) {
        assert_string_equal(read_framed(registry, 1234, "\2x", 2), "unknown_schema");
        assert_non_null(strstr(world.last_detail, "1234"));
    }
    assert_int_equal(server.requests, 1);
    assert_string_equal(read_framed(registry, 9, "\2x", 2), "bad_encoding");
    assert_non_null(strstr(world.last_detail, "schema 9: not an Avro schema"));
    registry_end(registry);
    assert_string_equal(read_framed(NULL, 1, "\2x", 2), "avro_or_protobuf");
}

static void a_registry_that_is_away_makes_the_caller_pause(void **state)
{
    (void)state;
    open_yaml(avro_mapping);
    struct registry *registry = registry_start();
    const int statuses[] = {500, 503, 401, 429, 404}; /* 404: not the registry's own */
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        server.status = statuses[i];
        assert_string_equal(read_framed(registry, AVRO_ID, avro_value, sizeof avro_value - 1),
                            "away");
    }
    server.status = 0;
    assert_non_null(
        strstr(read_framed(registry, AVRO_ID, avro_value, sizeof avro_value - 1), "gpt-4o"));
    MHD_stop_daemon(server.daemon);
    server.daemon = NULL;
    /* What is known is read without it; JSON needs none. */
    assert_non_null(
        strstr(read_framed(registry, AVRO_ID, avro_value, sizeof avro_value - 1), "gpt-4o"));
    assert_string_equal(read_framed(registry, 55, "{\"id\":1}", 8), "request_id=1");
    assert_string_equal(read_framed(registry, 55, "\2x", 2), "away");
    registry_end(registry);
}

/* --- limits ---------------------------------------------------------------------------------- */

static void a_schema_of_too_many_files_is_told(void **state)
{
    (void)state;
    open_yaml(avro_mapping);
    for (unsigned more = 0; more <= 1; more++) {
        struct registry *registry = registry_start();
        server.imports = 63 + more; /* FILES_MAX with the schema's own */
        assert_string_equal(read_framed(registry, FILES_ID, "\0\x0a\x03USD", 6),
                            more ? "bad_encoding" : "no_mapping");
        if (more)
            assert_non_null(strstr(world.last_detail, "more than 64 files"));
        else /* the schema, its own file, and two for each that it imports */
            assert_int_equal(server.requests, 2 + 2 * 63);
        registry_end(registry);
    }
}

static void a_reference_that_cannot_be_asked_for_is_told(void **state)
{
    (void)state;
    open_yaml(avro_mapping);
    for (unsigned is_long = 0; is_long <= 1; is_long++) {
        struct registry *registry = registry_start();
        server.imports = is_long;
        assert_string_equal(read_framed(registry, ODD_ID, "\0\x0a\x03USD", 6), "bad_encoding");
        assert_non_null(
            strstr(world.last_detail, is_long ? "a subject of 2000 bytes" : "names no subject"));
        registry_end(registry);
    }
}

static void an_answer_that_is_too_large_holds_nobody_up(void **state)
{
    (void)state;
    open_yaml(avro_mapping);
    for (size_t more = 0; more <= 1; more++) {
        struct registry *registry = registry_start();
        server.large = (8u << 20) + more; /* ANSWER_BYTES_MAX */
        assert_string_equal(read_framed(registry, LARGE_ID, "\2x", 2), "bad_encoding");
        assert_non_null(strstr(world.last_detail, more ? "larger than 8 MiB" : "not JSON"));
        server.status = 500; /* of an error it means nothing */
        assert_string_equal(read_framed(registry, LARGE_ID, "\2x", 2), "bad_encoding");
        registry_end(registry);
    }
}

static void schemas_beyond_those_kept_are_told_with_their_id(void **state)
{
    (void)state;
    open_yaml(avro_mapping);
    struct registry *registry = registry_start();
    for (uint32_t i = 0; i < 4096; i++) { /* SCHEMAS_MAX */
        struct err err = {0};
        assert_true(registry_load(registry, JSON_ID + i, &err));
    }
    assert_int_equal(registry_find(registry, JSON_ID + 4095)->kind, SCHEMA_JSON);
    assert_string_equal(read_framed(registry, AVRO_ID, "\2x", 2), "unknown_schema");
    assert_non_null(strstr(world.last_detail, "schema 1"));
    assert_int_equal(server.requests, 4096);
    registry_end(registry);
}

/* Field `number` of counted bytes, before what is written already: descriptors from within. */
static void wrap(struct buf *descriptor, unsigned char number, struct slice bytes)
{
    size_t n = bytes.bytes;
    buf_add_char(descriptor, (char)(number << 3 | 2));
    for (; n >= 0x80; n >>= 7)
        buf_add_char(descriptor, (char)(n | 0x80));
    buf_add_char(descriptor, (char)n);
    buf_add(descriptor, bytes);
}

/* A file with one message whose name has so many bytes. */
static struct schema_protobuf *protobuf_named(size_t bytes, struct err *err)
{
    char *name = calloc(1, bytes);
    struct buf message, file;
    buf_init(&message, 64 << 20);
    buf_init(&file, 64 << 20);
    memset(name, 'n', bytes);
    wrap(&message, 1, (struct slice){name, bytes});
    wrap(&file, 4, buf_slice(&message));
    struct schema_protobuf *schema =
        schema_protobuf_new(&(struct slice){file.p, file.bytes}, 1, err);
    buf_free(&message);
    buf_free(&file);
    free(name);
    return schema;
}

static void a_schema_of_protobuf_is_bounded(void **state)
{
    struct err err = {0};
    (void)state;
    struct schema_protobuf *schema = protobuf_named(7u << 20, &err); /* kept twice */
    assert_non_null(schema);
    schema_protobuf_free(schema);
    assert_null(protobuf_named((16u << 20) + 1, &err)); /* SCHEMA_BYTES_MAX */
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.text, "more than 16 MiB"));
}

/* A file with one message of `count` repeated int32: field i is named as its number. */
static struct schema_protobuf *protobuf_lists(unsigned count, struct err *err)
{
    struct buf field, message, file;
    buf_init(&message, 1 << 20);
    buf_init(&file, 1 << 20);
    wrap(&message, 1, SLICE("M"));
    for (unsigned i = 1; i <= count; i++) {
        char name[8];
        buf_init(&field, 64);
        snprintf(name, sizeof(name), "f%u", i);
        wrap(&field, 1, slice_of(name));
        buf_add(&field, (struct slice){(char[]){0x18, (char)i, 0x20, 3, 0x28, 5}, 6});
        wrap(&message, 2, buf_slice(&field));
        buf_free(&field);
    }
    wrap(&file, 4, buf_slice(&message));
    struct schema_protobuf *schema =
        schema_protobuf_new(&(struct slice){file.p, file.bytes}, 1, err);
    buf_free(&message);
    buf_free(&file);
    return schema;
}

static void more_lists_in_a_message_than_are_told_apart_are_told(void **state)
{
    (void)state;
    for (unsigned count = 64; count <= 65; count++) { /* LISTS_MAX */
        struct err err = {0};
        struct buf value, json;
        const char *why = NULL, *at;
        struct schema_protobuf *schema = protobuf_lists(count, &err);
        assert_non_null(schema);
        buf_init(&value, 1 << 16);
        buf_init(&json, 1 << 16);
        buf_add_char(&value, 0); /* the first message */
        for (unsigned i = 1; i <= count; i++)
            buf_add(&value,
                    i < 16 ? (struct slice){(char[]){(char)(i << 3), 1}, 2}
                           : (struct slice){(char[]){(char)(i << 3 | 0x80), (char)(i >> 4), 1}, 3});
        assert_int_equal(schema_protobuf_json(schema, buf_slice(&value), &json, &why, &at),
                         count == 64);
        if (count == 64)
            assert_non_null(strstr(json.p, "\"f64\":[1]"));
        else
            assert_non_null(strstr(why, "more than 64 repeated fields"));
        buf_free(&value);
        buf_free(&json);
        schema_protobuf_free(schema);
    }
}

static void bytes_that_are_not_of_the_schema_are_refused(void **state)
{
    (void)state;
    open_yaml(avro_mapping);
    struct registry *registry = registry_start();
    for (size_t bytes = 0; bytes < sizeof avro_value - 1; bytes++)
        assert_string_equal(read_framed(registry, AVRO_ID, avro_value, bytes), "bad_encoding");
    assert_string_equal(read_framed(registry, AVRO_ID, avro_value, sizeof avro_value),
                        "bad_encoding");
    assert_non_null(strstr(world.last_detail, "bytes behind the value"));
    registry_end(registry);
}

static void a_url_must_be_one_of_http(void **state)
{
    struct err err = {0};
    (void)state;
    assert_null(registry_new(&(struct registry_options){.url = "file:///etc/passwd"}, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(avro_is_read_by_its_schema),
        cmocka_unit_test(logical_types_are_read_as_what_they_mean),
        cmocka_unit_test(protobuf_is_read_by_its_schema),
        cmocka_unit_test(a_schema_that_is_not_known_is_told_with_its_id),
        cmocka_unit_test(a_registry_that_is_away_makes_the_caller_pause),
        cmocka_unit_test(a_schema_of_too_many_files_is_told),
        cmocka_unit_test(a_reference_that_cannot_be_asked_for_is_told),
        cmocka_unit_test(an_answer_that_is_too_large_holds_nobody_up),
        cmocka_unit_test(schemas_beyond_those_kept_are_told_with_their_id),
        cmocka_unit_test(a_schema_of_protobuf_is_bounded),
        cmocka_unit_test(more_lists_in_a_message_than_are_told_apart_are_told),
        cmocka_unit_test(bytes_that_are_not_of_the_schema_are_refused),
        cmocka_unit_test(a_url_must_be_one_of_http),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    close_world();
    return failed;
}
