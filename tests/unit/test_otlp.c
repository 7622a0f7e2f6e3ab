/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/*
 * OTLP as protobuf: the same facts as from its JSON for every sample there is
 * (tests/cases/otlp/samples.jsonl, made by the public opentelemetry-proto package), what is
 * refused, and requests with thousands of spans.
 */
#include "tests/unit/mapping_fixture.h"

#include "ingest/wire.h"

#define SAMPLES "tests/cases/otlp/samples.jsonl"

static struct slice base64_bytes(const char *text, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, v = 0;
    size_t n = 0;
    for (; *text && *text != '='; text++) {
        v = v << 6 | (unsigned)(strchr(digits, *text) - digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (char)(v >> bits & 0xff);
        }
    }
    return (struct slice){out, n};
}

/* What read_bytes() says, with mapping, flags and the hashes of identity and content. */
static char *read_fully(struct slice bytes)
{
    char *text = NULL, hash[33];
    read_bytes(bytes.p, bytes.bytes, 1795493094000000);
    for (unsigned i = 0; i < 16; i++)
        snprintf(hash + 2 * i, 3, "%02x", world.last.identity[i]);
    assert_true(asprintf(&text, "%s; %s, flags %u, identity %s, content %016llx", world.out,
                         world.last.mapping ? world.last.mapping : "-", world.last.flags, hash,
                         (unsigned long long)world.last.content_hash) > 0);
    return text;
}

static void json_and_protobuf_give_the_same_facts(void **state)
{
    struct err err = {0};
    unsigned samples = 0, differ = 0, events = 0;
    static char line[1 << 20], bytes[1 << 20];
    (void)state;
    FILE *file = fopen(SAMPLES, "r");
    assert_non_null(file);
    assert_true(open_world("[]", NULL, &err));
    while (fgets(line, sizeof line, file)) {
        char *json = strstr(line, ",\"json\":"), *encoded = strstr(line, ",\"protobuf\":\"");
        assert_true(json && encoded);
        *json = *encoded = '\0';
        encoded += strlen(",\"protobuf\":\"");
        *strchr(encoded, '"') = '\0';
        char *theirs = read_fully(slice_of(json + strlen(",\"json\":")));
        unsigned records = world.records;
        char *ours = read_fully(base64_bytes(encoded, bytes));
        events += world.last_record.outcome == RECORD_EVENT;
        if (strcmp(ours, theirs) != 0 || records != world.records) {
            print_error("%s\n  json:     %s\n  protobuf: %s\n", line, theirs, ours);
            differ++;
        }
        samples++;
        free(ours);
        free(theirs);
    }
    fclose(file);
    assert_int_equal(differ, 0);
    assert_true(samples >= 80 && events >= 75);
}

/* --- bytes that are refused ----------------------------------------------------------------- */

static const char attributes_mapping[] =
    "- name: m\n"
    "  unwrap: [{each: /resourceSpans}, {each: /scopeSpans}, {each: /spans}, {kv: /attributes}]\n"
    "  keep: /name\n"
    "  fields: {request_id: /name, input_tokens: /attributes/n, user: /attributes/u, team: "
    "'@0/resourceSpans/0/resource/attributes/[key=team]/value/stringValue'}\n";

static void refused(const char *bytes, size_t length, const char *reason, int64_t at,
                    const char *detail)
{
    assert_string_equal(read_bytes(bytes, length, 0), reason);
    assert_int_equal(world.last_record.byte, at);
    if (!strstr(world.last_detail, detail))
        fail_msg("\"%s\" does not say \"%s\"", world.last_detail, detail);
}

#define BYTES(text) text, sizeof(text) - 1

static void broken_protobuf_is_refused_with_its_byte_and_field(void **state)
{
    (void)state;
    open_yaml(attributes_mapping);
    refused(BYTES("\x0a\x10\x12\x02\x12"), "bad_protobuf", 0,
            "field 1 of ExportTraceServiceRequest");
    refused(BYTES("\x0a\x04\x12\x09\x12\x01"), "bad_protobuf", 2, "field 2 of ResourceSpans");
    refused(BYTES("\x0a\x06\x12\x04\x12\x02\x28\x01"), "bad_protobuf", 6,
            "field 5 of Span: it has another wire type");
    refused(BYTES("\x0a\x06\x12\x04\x12\x02\x2b\x01"), "bad_protobuf", 6, "field 5 of Span");
    refused(BYTES("\x0a\x06\x12\x04\x12\x02\x00\x01"), "bad_protobuf", 6, "field 0 of Span");
    refused(BYTES("\x0a\x04\x0a\x02\x61\x62"), "bad_protobuf", 4, "field 12 of Resource");
}

static void a_topic_may_say_that_it_is_otlp(void **state)
{
    (void)state;
    open_yaml(attributes_mapping);
    /* Bytes that could be anything. */
    assert_string_equal(read_bytes(BYTES("\x1a\x01x"), 0), "bad_json");
    mappings_otlp(world.set);
    refused(BYTES("\x0d\x01x"), "bad_protobuf", 0, "field 1 of ExportTraceServiceRequest");
    assert_string_equal(read_bytes(BYTES("\x1a\x01x"), 0), "no_mapping");
    assert_string_equal(read_text("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":"
                                  "\"q\"}]}]}]}"),
                        "request_id=q");
}

static void numbers_that_are_not_in_the_table_are_passed_over(void **state)
{
    (void)state;
    open_yaml(attributes_mapping);
    /* Field 100 of the span, of each wire type that there is. */
    assert_string_equal(
        read_bytes(BYTES("\x0a\x28\x12\x26\x12\x24\x12\x08spanspan\xa0\x06\x01\xa1\x06"
                         "12345678\xa2\x06\x01x\xa5\x06"
                         "1234\x2a\x01q"),
                   0),
        "request_id=q");
}

static void json_behind_a_newline_is_json(void **state)
{
    (void)state;
    open_yaml("- {name: m, keep: /id, fields: {request_id: /id}}\n");
    assert_string_equal(read_text("\n{\"id\":1}"), "request_id=1");
    assert_string_equal(read_text("\n{\n\"id\":1}"), "request_id=1");
    assert_string_equal(read_text("\n\n[{\"id\":1}]"), "request_id=1");
    assert_string_equal(read_text("\nhello"), "bad_json");
    assert_string_equal(read_text("\n\n\n"), "empty");
}

/* --- made requests --------------------------------------------------------------------------- */

struct made {
    unsigned char *p;
    size_t bytes;
};

static void put_varint(struct made *to, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        to->p[to->bytes++] = (unsigned char)(v | 0x80);
    to->p[to->bytes++] = (unsigned char)v;
}

static void put_bytes(struct made *to, unsigned number, const void *p, size_t bytes)
{
    put_varint(to, number << 3 | 2);
    put_varint(to, bytes);
    memcpy(to->p + to->bytes, p, bytes);
    to->bytes += bytes;
}

/* The message so far becomes field `number` of a new one. */
static void wrap(struct made *made, unsigned number)
{
    struct made outer = {malloc(made->bytes + 16), 0};
    assert_non_null(outer.p);
    put_bytes(&outer, number, made->p, made->bytes);
    free(made->p);
    *made = outer;
}

static void put_attribute(struct made *span, const char *key, unsigned kind, int64_t v,
                          struct slice text)
{
    unsigned char value[512], pair[600];
    struct made any = {value, 0}, both = {pair, 0};
    if (kind == 3) {
        put_varint(&any, 3 << 3);
        put_varint(&any, (uint64_t)v);
    } else {
        put_bytes(&any, kind, text.p, text.bytes);
    }
    put_bytes(&both, 1, key, strlen(key));
    put_bytes(&both, 2, any.p, any.bytes);
    put_bytes(span, 9, both.p, both.bytes);
}

/* A request of one scope; `attribute` of each span is its number, or -1 for every `bad`-th. */
static struct made request_make(unsigned spans, unsigned bad)
{
    struct made made = {malloc(64 * (size_t)spans + 64), 0};
    for (unsigned i = 0; i < spans; i++) {
        unsigned char bytes[128];
        char name[16];
        struct made span = {bytes, 0};
        int length = snprintf(name, sizeof name, "s%u", i);
        put_bytes(&span, 2, "spanspan", 8);
        put_bytes(&span, 5, name, (size_t)length);
        put_attribute(&span, "n", 3, bad && i % bad == bad - 1 ? -1 : (int64_t)i, SLICE(""));
        put_bytes(&made, 2, span.p, span.bytes);
    }
    wrap(&made, 2);
    wrap(&made, 1);
    return made;
}

static void texts_are_repaired_as_those_of_json_are(void **state)
{
    unsigned char bytes[512];
    struct made made = {malloc(512), 0}, span = {bytes, 0};
    (void)state;
    open_yaml(attributes_mapping);
    put_bytes(&span, 2, "spanspan", 8);
    put_bytes(&span, 5, "a\"b\\", 4);
    put_attribute(&span, "u", 1, 0, (struct slice){"x\0y\xff\xc3\xa9\n", 7});
    put_bytes(&made, 2, span.p, span.bytes);
    wrap(&made, 2);
    wrap(&made, 1);
    assert_string_equal(read_bytes((char *)made.p, made.bytes, 0),
                        "request_id=a\"b\\ user=x\xef\xbf\xbdy\xef\xbf\xbd\xc3\xa9\n");
    assert_true(world.last.flags & FLAG_TEXT_REPAIRED);
    free(made.p);
}

static struct tally {
    unsigned records, rejected;
    enum reason last;
} tally;

static void on_any(const struct record *record, void *context)
{
    (void)context;
    assert_int_equal(record->index, tally.records++);
    tally.rejected += record->outcome == RECORD_REJECTED;
    tally.last = record->reason;
}

static void a_request_of_thousands_of_spans_is_one_message(void **state)
{
    (void)state;
    enum { SPANS = 5000 };
    open_yaml(attributes_mapping);
    struct made made = request_make(SPANS, 10);
    struct message message = {.bytes = {(char *)made.p, made.bytes}, .kafka_time_us = 1};
    tally = (struct tally){0};
    mapper_read(world.mapper, &message, &world.batch, on_any, NULL);
    /* What is wrong with one is nothing to its siblings; each has its index. */
    assert_int_equal(tally.records, SPANS);
    assert_int_equal(tally.rejected, SPANS / 10);
    /* A retry by index reads on from there. */
    message.first_index = SPANS - 2;
    message.kafka_time_us = 0;
    world.length = 0;
    world.records = SPANS - 2;
    mapper_read(world.mapper, &message, &world.batch, on_record, NULL);
    assert_string_equal(world.out,
                        " | input_tokens=4998 request_id=s4998 | bad_number(input_tokens)");
    free(made.p);
}

static void the_limits_are_those_of_json(void **state)
{
    (void)state;
    open_yaml(attributes_mapping);
    struct made made = request_make(100001, 0);
    struct message message = {.bytes = {(char *)made.p, made.bytes}, .kafka_time_us = 1};
    tally = (struct tally){0};
    mapper_read(world.mapper, &message, &world.batch, on_any, NULL);
    assert_int_equal(tally.records, 100001);
    assert_int_equal(tally.rejected, 1);
    assert_int_equal(tally.last, REASON_TOO_LARGE);
    free(made.p);

    /* An AnyValue in an AnyValue is three levels of JSON. */
    for (unsigned levels = 17; levels <= 19; levels++) {
        unsigned char bytes[1024];
        struct made value = {malloc(1024), 0}, span = {bytes, 0};
        put_bytes(&value, 1, "x", 1);
        for (unsigned i = 0; i < levels; i++) {
            wrap(&value, 1); /* values of an ArrayValue */
            wrap(&value, 5); /* arrayValue of an AnyValue */
        }
        struct made pair = {malloc(1024), 0};
        put_bytes(&pair, 1, "u", 1);
        put_bytes(&pair, 2, value.p, value.bytes);
        put_bytes(&span, 2, "spanspan", 8);
        put_bytes(&span, 5, "q", 1);
        put_bytes(&span, 9, pair.p, pair.bytes);
        struct made whole = {malloc(1024), 0};
        put_bytes(&whole, 2, span.p, span.bytes);
        wrap(&whole, 2);
        wrap(&whole, 1);
        const char *got = read_bytes((char *)whole.p, whole.bytes, 0);
        assert_string_equal(got, levels <= 18 ? "request_id=q" : "too_deep");
        free(whole.p);
        free(pair.p);
        free(value.p);
    }
}

static void metrics_are_skipped_by_reason(void **state)
{
    (void)state;
    open_yaml(attributes_mapping);
    /* A gauge whose name has the sixteen bytes of a trace's id. */
    struct made made = {malloc(256), 0};
    unsigned char bytes[64];
    struct made metric = {bytes, 0};
    put_bytes(&metric, 1, "http.requests.in", 16);
    put_bytes(&metric, 5, "", 0);
    put_bytes(&made, 2, metric.p, metric.bytes);
    wrap(&made, 2);
    wrap(&made, 1);
    assert_string_equal(read_bytes((char *)made.p, made.bytes, 0), "otlp_metrics");
    assert_int_equal(world.last_record.outcome, RECORD_SKIPPED);
    free(made.p);
    assert_string_equal(read_text("{\"resourceMetrics\":[{\"scopeMetrics\":[]}]}"), "otlp_metrics");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_and_protobuf_give_the_same_facts),
        cmocka_unit_test(broken_protobuf_is_refused_with_its_byte_and_field),
        cmocka_unit_test(a_topic_may_say_that_it_is_otlp),
        cmocka_unit_test(numbers_that_are_not_in_the_table_are_passed_over),
        cmocka_unit_test(json_behind_a_newline_is_json),
        cmocka_unit_test(texts_are_repaired_as_those_of_json_are),
        cmocka_unit_test(a_request_of_thousands_of_spans_is_one_message),
        cmocka_unit_test(the_limits_are_those_of_json),
        cmocka_unit_test(metrics_are_skipped_by_reason),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    close_world();
    return failed;
}
