/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/* The record around the value: key, headers, topic, partition, time; CloudEvents in both modes; the
 * examples of docs/mappings.md. */
#include "tests/unit/mapping_fixture.h"

#include "core/buf.h"

#define MANUAL "docs/mappings.md"
#define EXAMPLES_MIN 3

static const char *read_around(const char *value, const struct header *headers, size_t count,
                               const char *key)
{
    struct message message = {.bytes = slice_of(value),
                              .topic = SLICE("t"),
                              .partition = 7,
                              .kafka_time_us = 1795493094000000};
    message.envelope = (struct envelope){
        .key = key ? slice_of(key) : (struct slice){NULL, 0},
        .headers = headers,
        .header_count = count,
    };
    world.length = world.records = 0;
    world.out[0] = '\0';
    arena_reset(&world.batch);
    mapper_read(world.mapper, &message, &world.batch, on_record, NULL);
    return world.out;
}

#define WITH(headers) (headers), sizeof(headers) / sizeof((headers)[0])

static void examples_of_the_manual_hold(void **state)
{
    static char text[1 << 20];
    unsigned examples = 0;
    (void)state;
    FILE *file = fopen(MANUAL, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    for (char *block = text; (block = strstr(block, "```yaml\n"));) {
        struct err err = {0};
        size_t tests = 0;
        block += strlen("```yaml\n");
        char *end = strstr(block, "\n```");
        assert_non_null(end);
        struct yaml_tree *tree =
            yaml_parse((struct slice){block, (size_t)(end - block)}, MANUAL, &err);
        const struct yaml_node *list = tree ? yaml_get(yaml_root(tree), "mappings") : NULL;
        const struct yaml_node *first = list && list->kind == YAML_LIST ? list->children : NULL;
        if (!tree)
            fail_msg("%s", err.text);
        for (; first; first = first->next) {
            const char *name = yaml_get(first, "name")->text.p;
            struct mappings *set = mappings_compile(&name, 1, list, &err);
            if (!set || !mappings_test(set, &tests, &err))
                fail_msg("%s", err.text);
            assert_true(tests > 0);
            mappings_free(set);
            examples++;
        }
        yaml_free(tree);
    }
    assert_true(examples >= EXAMPLES_MIN);
}

static void headers_choose_and_the_last_of_a_name_counts(void **state)
{
    static const struct header wanted[] = {
        {{"kind", sizeof("kind") - 1}, {"audit", sizeof("audit") - 1}},
        {{"kind", sizeof("kind") - 1}, {"usage", sizeof("usage") - 1}},
        {{"none", sizeof("none") - 1}, {NULL, 0}}};
    static const struct header other[] = {
        {{"kind", sizeof("kind") - 1}, {"usage", sizeof("usage") - 1}},
        {{"kind", sizeof("kind") - 1}, {"audit", sizeof("audit") - 1}}};
    (void)state;
    open_yaml("- name: m\n  keep: {header: kind, eq: usage}\n"
              "  fields: {request_id: /id, user: [{header: none}, {header: kind}]}\n");
    assert_string_equal(read_around("{\"id\":1}", WITH(wanted), NULL),
                        "started_at=2026-11-24T04:04:54Z request_id=1 user=usage");
    assert_string_equal(read_around("{\"id\":1}", WITH(other), NULL), "no_mapping");
    assert_string_equal(read_text("{\"id\":1}"), "no_mapping");
}

static void headers_beyond_the_limit_are_not_seen(void **state)
{
    struct header headers[HEADERS_MAX + 1], read[HEADERS_MAX];
    struct envelope envelope;
    struct buf bytes;
    (void)state;
    for (size_t i = 0; i <= HEADERS_MAX; i++)
        headers[i] = (struct header){SLICE("n"), SLICE("v")};
    for (size_t count = HEADERS_MAX; count <= HEADERS_MAX + 1; count++) {
        buf_init(&bytes, 1 << 20);
        envelope_write(&(struct envelope){{NULL, 0}, headers, count}, &bytes);
        assert_int_equal(envelope_read(buf_slice(&bytes), read, &envelope), count == HEADERS_MAX);
        buf_free(&bytes);
    }
}

static void what_is_kept_of_a_record_reads_back(void **state)
{
    const struct header headers[] = {{{"a", sizeof("a") - 1}, {"x", sizeof("x") - 1}},
                                     {{"", sizeof("") - 1}, {NULL, 0}},
                                     {{"b", sizeof("b") - 1}, {"", sizeof("") - 1}}};
    const struct envelope envelope = {{"k\0y", 3}, headers, 3};
    struct header read[HEADERS_MAX];
    struct envelope back;
    struct buf bytes;
    (void)state;
    buf_init(&bytes, 1024);
    envelope_write(&envelope, &bytes);
    assert_true(envelope_read(buf_slice(&bytes), read, &back));
    assert_true(slice_eq(back.key, envelope.key) && back.header_count == 3);
    assert_true(slice_is(back.headers[0].value, "x") && !back.headers[1].value.p &&
                back.headers[2].value.p && back.headers[2].value.bytes == 0);
    for (size_t n = 1; n < bytes.bytes; n++) /* no cut makes it read beyond */
        (void)!envelope_read((struct slice){bytes.p, n}, read, &back);
    assert_true(envelope_read(SLICE(""), read, &back) && !back.key.p);
    buf_free(&bytes);
}

static void bytes_around_the_value_that_are_not_text_are_their_hex_digits(void **state)
{
    const struct header headers[] = {{{"u", sizeof("u") - 1}, {"a\0\xff\"\\", 5}}};
    (void)state;
    open_yaml("- {name: m, keep: /id, fields: {request_id: /id, user: {header: u}, team: {key: "
              "true}, metadata: {object: {u: {header: u}}}}}\n");
    assert_string_equal(read_around("{\"id\":1}", WITH(headers), "k\xc3\xa9"),
                        "started_at=2026-11-24T04:04:54Z request_id=1 user=6100ff225c "
                        "team=k\xc3\xa9 metadata={\"u\":\"6100ff225c\"}");
    assert_false(world.last.flags & FLAG_TEXT_REPAIRED);
}

/* Two ids of 16 raw bytes are two events, though neither is text. */
static void ids_in_binary_stay_apart(void **state)
{
    const struct header a[] = {{{"id", sizeof("id") - 1}, {"\x80\x81", 2}}};
    const struct header b[] = {{{"id", sizeof("id") - 1}, {"\x81\x80", 2}}};
    uint8_t first[16];
    (void)state;
    open_yaml("- {name: m, keep: /n, fields: {input_tokens: /n}, identity: [{header: id}]}\n");
    read_around("{\"n\":1}", WITH(a), NULL);
    memcpy(first, world.last.identity, sizeof first);
    read_around("{\"n\":1}", WITH(b), NULL);
    assert_memory_not_equal(first, world.last.identity, sizeof first);
}

static void a_key_that_is_no_json_has_no_members(void **state)
{
    (void)state;
    open_yaml("- {name: m, keep: /id, fields: {request_id: /id, team: {key: /a/b}, user: {key: "
              "true}, org: {key: /list/0}}}\n");
    assert_string_equal(read_around("{\"id\":1}", NULL, 0, " {\"a\":{\"b\":\"x\"},\"list\":[5]}"),
                        "started_at=2026-11-24T04:04:54Z request_id=1 user= "
                        "{\"a\":{\"b\":\"x\"},\"list\":[5]} team=x org=5");
    assert_string_equal(read_around("{\"id\":1}", NULL, 0, "plain"),
                        "started_at=2026-11-24T04:04:54Z request_id=1 user=plain");
    assert_string_equal(read_around("{\"id\":1}", NULL, 0, "{\"a\":{\"b\":\"x\"}"),
                        "started_at=2026-11-24T04:04:54Z request_id=1 user={\"a\":{\"b\":\"x\"}");
    assert_string_equal(read_around("{\"id\":1}", NULL, 0, NULL),
                        "started_at=2026-11-24T04:04:54Z request_id=1");
}

static void a_record_may_be_told_apart_by_what_is_around_it(void **state)
{
    const struct header a[] = {{{"id", sizeof("id") - 1}, {"a", sizeof("a") - 1}}};
    const struct header b[] = {{{"id", sizeof("id") - 1}, {"b", sizeof("b") - 1}}};
    uint8_t first[16];
    (void)state;
    open_yaml("- {name: m, keep: /n, fields: {input_tokens: /n}, identity: [{header: id}, {key: "
              "true}, {topic: true}, {partition: true}]}\n");
    read_around("{\"n\":1}", WITH(a), "k");
    assert_true(world.last.has_identity);
    memcpy(first, world.last.identity, sizeof first);
    read_around("{\"n\":1}", WITH(a), "k");
    assert_memory_equal(first, world.last.identity, sizeof first);
    read_around("{\"n\":1}", WITH(b), "k");
    assert_memory_not_equal(first, world.last.identity, sizeof first);
    read_around("{\"n\":1}", WITH(a), "l");
    assert_memory_not_equal(first, world.last.identity, sizeof first);
}

static void a_cloudevent_is_the_same_event_in_both_modes(void **state)
{
    static const struct header binary[] = {
        {{"ce_specversion", sizeof("ce_specversion") - 1}, {"1.0", sizeof("1.0") - 1}},
        {{"ce_type", sizeof("ce_type") - 1}, {"u", sizeof("u") - 1}},
        {{"ce_id", sizeof("ce_id") - 1}, {"e1", sizeof("e1") - 1}},
        {{"ce_source", sizeof("ce_source") - 1}, {"/s", sizeof("/s") - 1}}};
    static const char structured[] = "{\"specversion\":\"1.0\",\"type\":\"u\",\"id\":\"e1\","
                                     "\"source\":\"/s\",\"data\":{\"n\":1}}";
    static const char *const mappings[] = {
        "- {name: m, keep: {header: ce_type, eq: u}, fields: {request_id: {header: ce_id}, "
        "input_tokens: /n}, identity: [{header: ce_id}, {header: ce_source}]}\n",
        "- {name: m, keep: {path: /type, eq: u}, fields: {request_id: /id, input_tokens: /data/n}, "
        "identity: [{path: /id}, {path: /source}]}\n"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        uint8_t identity[16];
        open_yaml(mappings[i]);
        assert_string_equal(read_around("{\"n\":1}", WITH(binary), NULL),
                            "started_at=2026-11-24T04:04:54Z input_tokens=1 request_id=e1");
        uint64_t content = world.last.content_hash;
        memcpy(identity, world.last.identity, sizeof identity);
        assert_string_equal(read_around(structured, NULL, 0, NULL),
                            "started_at=2026-11-24T04:04:54Z input_tokens=1 request_id=e1");
        assert_memory_equal(identity, world.last.identity, sizeof identity);
        assert_int_equal(content, world.last.content_hash);
    }
    /* The data in base64, padded and not; what is not JSON in it, or not base64, is not read. */
    open_yaml(mappings[0]);
    static const char *const base64[] = {
        "eyJuIjoxfQ==", "eyJuIjoxfQ", "ICB7Im4iOjF9", "eyJu", "AAEC", "*", "e", ""};
    for (size_t i = 0; i < sizeof base64 / sizeof base64[0]; i++) {
        char event[256];
        snprintf(event, sizeof event,
                 "{\"specversion\":\"1.0\",\"type\":\"u\",\"id\":\"e1\",\"data_base64\":\"%s\"}",
                 base64[i]);
        assert_string_equal(read_around(event, NULL, 0, NULL),
                            i < 3 ? "started_at=2026-11-24T04:04:54Z input_tokens=1 request_id=e1"
                                  : "no_mapping");
    }
    /* A batch of them, and one that nobody takes. */
    char batch[512];
    snprintf(batch, sizeof batch, "[%s,%s]", structured, structured);
    assert_non_null(strstr(read_around(batch, NULL, 0, NULL), " | "));
    assert_string_equal(read_around("{\"x\":1}", binary, 1, NULL), "no_mapping");
}

/* What log shippers and connectors put around an event, as their documentation shows it. */
#define EVENT                                                                                      \
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"model\":\"gpt-4o\",\"usage\":"        \
    "{\"prompt_tokens\":12,\"completion_tokens\":3,\"total_tokens\":15}}"
#define QUOTED                                                                                     \
    "\"{\\\"id\\\":\\\"chatcmpl-1\\\",\\\"object\\\":\\\"chat.completion\\\",\\\"model\\\":"       \
    "\\\"gpt-"                                                                                     \
    "4o\\\",\\\"usage\\\":{\\\"prompt_tokens\\\":12,\\\"completion_tokens\\\":3,\\\"total_"        \
    "tokens\\\":15}}"                                                                              \
    "\""

static void sinks_are_read_as_they_come(void **state)
{
    static const char *const values[] = {
        /* Fluent Bit, output kafka, format json: the record, with @timestamp */
        "{\"@timestamp\":1795493094.930817,\"log\":" QUOTED "}",
        "{\"@timestamp\":\"2026-11-24T04:04:54.930Z\",\"stream\":\"stdout\",\"log_"
        "processed\":" EVENT "}",
        /* Vector, sink kafka, encoding.codec json and text */
        "{\"file\":\"/var/log/llm.log\",\"host\":\"h\",\"message\":" QUOTED
        ",\"source_type\":\"file\",\"timestamp\":\"2026-11-24T04:04:54.93Z\"}",
        EVENT,
        /* Debezium: a row with a JSON column, with schemas and without */
        "{\"schema\":{\"type\":\"struct\",\"optional\":false},\"payload\":{\"before\":null,"
        "\"after\":{"
        "\"row\":7,\"payload\":" QUOTED
        "},\"source\":{\"connector\":\"postgresql\"},\"op\":\"c\",\"ts_ms\":1795493094930}}",
        "{\"before\":null,\"after\":{\"row\":7,\"body\":" QUOTED
        "},\"source\":{\"connector\":\"postgresql\"},\"op\":\"c\",\"ts_ms\":1795493094930}",
        /* its outbox event router: StringConverter, JsonConverter without and with schemas */
        EVENT,
        QUOTED,
        "{\"schema\":{\"type\":\"string\",\"optional\":true},\"payload\":" QUOTED "}",
    };
    static const struct header headers[] = {{{"id", 2}, {"7c9e6679", 8}},
                                            {{"eventType", 9}, {"LlmCall", 7}}};
    struct err err = {0};
    (void)state;
    assert_true(open_world("[]", NULL, &err));
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const char *got = read_around(values[i], WITH(headers), "order-1");
        if (!strstr(got, "request_id=chatcmpl-1") || !strstr(got, "input_tokens=12 "))
            fail_msg("value %zu: %s", i, got);
    }
}

static void words_that_are_none_are_refused_with_their_place(void **state)
{
    static const char *const wrong[] = {
        "- {name: m, keep: {header: ''}, fields: {model: /m}}\n",
        "- {name: m, keep: {topic: yes-please}, fields: {model: /m}}\n",
        "- {name: m, keep: {key: m}, fields: {model: /m}}\n",
        "- {name: m, keep: {header: a, path: /b}, fields: {model: /m}}\n"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err err = {0};
        assert_false(open_world(wrong[i], "m", &err));
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_non_null(strstr(err.text, "t.yaml:1:"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_of_a_record_reads_back),
        cmocka_unit_test(headers_beyond_the_limit_are_not_seen),
        cmocka_unit_test(headers_choose_and_the_last_of_a_name_counts),
        cmocka_unit_test(bytes_around_the_value_that_are_not_text_are_their_hex_digits),
        cmocka_unit_test(a_key_that_is_no_json_has_no_members),
        cmocka_unit_test(a_record_may_be_told_apart_by_what_is_around_it),
        cmocka_unit_test(ids_in_binary_stay_apart),
        cmocka_unit_test(a_cloudevent_is_the_same_event_in_both_modes),
        cmocka_unit_test(sinks_are_read_as_they_come),
        cmocka_unit_test(words_that_are_none_are_refused_with_their_place),
        cmocka_unit_test(examples_of_the_manual_hold),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    close_world();
    return failed;
}
