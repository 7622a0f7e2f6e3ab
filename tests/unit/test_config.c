/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: each setting with its default, its bounds and its mistakes, and that what is
 * printed reads back as the same.
 */
#include "core/buf.h"
#include "core/config_impl.h"
#include "core/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define FOLDER_MAX 64

static char folder[FOLDER_MAX];
static char path[FOLDER_MAX + 32];

static void file_write(const char *text)
{
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/spendlog-test-config-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/spendlog.yaml", folder);
    setenv("SPENDLOG_TEST_VALUE", "hunter2", 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void load(struct config *config, const char *text)
{
    struct err err = {0};
    file_write(text);
    if (!config_load(config, path, &err))
        fail_msg("%s", err.text);
}

static void refuse(const char *text, const char *message)
{
    struct config config;
    struct err err = {0};
    file_write(text);
    if (config_load(&config, path, &err))
        fail_msg("taken: %s", text);
    assert_int_equal(err.kind, ERR_CONFIG);
    if (!strstr(err.text, message))
        fail_msg("\"%s\" lacks \"%s\"", err.text, message);
}

/* What config_print() writes; to be freed. */
static char *printed(const struct config *config)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    config_print(config, out);
    fclose(out);
    return text;
}

static const char everything[] =
    "kafka:\n"
    "  bootstrap.servers: a:9092,b:9092\n"
    "  group.id: g\n"
    "  sasl.password: os.environ/SPENDLOG_TEST_VALUE\n"
    "  socket.keepalive.enable: true\n"
    "kafka_gap: skip\n"
    "topics:\n"
    "  - {name: llm.usage, mappings: [litellm, otlp], defaults: {provider: azure, n: '1', m: "
    "-.5}}\n"
    "  - {name: '^x\\..*$', start: latest}\n"
    "postgres: host=localhost dbname=spend user=spendlog_writer\n"
    "pricing:\n"
    "  cost_map:\n"
    "    - {file: builtin}\n"
    "    - {file: maps/new.json, effective_from: 2026-01-01T00:00:00+01:00}\n"
    "  litellm_config: ./config.yaml\n"
    "  overrides: litellm\n"
    "  reported_cost: prefer\n"
    "mappings:\n"
    "  - name: own\n"
    "    identity: [request_id]\n"
    "    text: \"a: \\\"b\\\\\\n\\x7f\\u2028ü\"\n"
    "    empty: {}\n"
    "    nothing: ~\n"
    "    deep: [[1, [2, {}]], {k: [v]}]\n"
    "lanes: 3\n"
    "batch: {rows: 5000, wait_ms: 100, bytes: 100000}\n"
    "storage: {retain_days: 0, future_days: 2, payloads: drop}\n"
    "privacy: {end_user: hash, ip: keep}\n"
    "metrics: {listen: '[::1]:80'}\n";

static void every_setting_reaches_its_field(void **state)
{
    (void)state;
    struct config c;
    load(&c, everything);
    assert_int_equal(c.kafka_count, 4);
    assert_string_equal(config_kafka(&c, "sasl.password"), "hunter2");
    assert_string_equal(config_kafka(&c, "socket.keepalive.enable"), "true");
    assert_null(config_kafka(&c, "client.id"));
    assert_non_null(strstr(c.kafka[1].origin, "spendlog.yaml:3"));
    assert_int_equal(c.kafka_gap_skip, 1);
    assert_int_equal(c.topic_count, 2);
    assert_int_equal(c.topic[0].mapping_count, 2);
    assert_string_equal(c.topic[0].mappings[1], "otlp");
    assert_int_equal(c.topic[0].defaults->count, 3);
    assert_int_equal(c.topic[0].start_latest, 0);
    assert_int_equal(c.topic[1].start_latest, 1);
    assert_int_equal(c.topic[1].line, 9);
    assert_string_equal(c.postgres, "host=localhost dbname=spend user=spendlog_writer");
    assert_int_equal(c.cost_map_count, 2);
    assert_null(c.cost_map[0].file);
    assert_int_equal(c.cost_map[0].effective_from_us, INT64_MIN);
    assert_int_equal(c.cost_map[1].effective_from_us, 1767222000000000);
    assert_int_equal(c.overrides_litellm, 1);
    assert_int_equal(c.reported_cost, 1);
    assert_int_equal(c.mappings->count, 1);
    assert_int_equal(c.lanes, 3);
    assert_int_equal(c.batch_rows, 5000);
    assert_int_equal(c.batch_wait_ms, 100);
    assert_int_equal(c.batch_bytes, 100000);
    assert_int_equal(c.retain_days, 0);
    assert_int_equal(c.future_days, 2);
    assert_int_equal(c.payloads, PAYLOADS_DROP);
    assert_int_equal(c.privacy.end_user, PRIVACY_HASH);
    assert_int_equal(c.privacy.ip, PRIVACY_KEEP);
    assert_string_equal(c.metrics_listen, "[::1]:80");
    config_free(&c);
}

static void an_empty_file_gives_the_documented_defaults(void **state)
{
    (void)state;
    struct config c;
    load(&c, "# nothing\n");
    assert_int_equal(c.kafka_count + c.topic_count + c.cost_map_count, 0);
    assert_null(c.postgres);
    assert_null(c.litellm_config);
    assert_null(c.mappings);
    assert_int_equal(c.kafka_gap_skip + c.overrides_litellm + c.reported_cost, 0);
    assert_in_range(c.lanes, 1, 64);
    assert_int_equal(c.batch_rows, 10000);
    assert_int_equal(c.batch_wait_ms, 500);
    assert_int_equal(c.batch_bytes, 8 << 20);
    assert_int_equal(c.retain_days, 400);
    assert_int_equal(c.future_days, 1);
    assert_int_equal(c.payloads, PAYLOADS_KEEP);
    assert_null(config_sealing(&c));
    assert_int_equal(c.privacy.end_user, PRIVACY_KEEP);
    assert_int_equal(c.privacy.ip, PRIVACY_DROP);
    assert_string_equal(c.metrics_listen, "127.0.0.1:9464");
    config_free(&c);
}

static void paths_start_at_the_files_folder(void **state)
{
    (void)state;
    struct config c;
    char expected[FOLDER_MAX + 32];
    load(&c, everything);
    snprintf(expected, sizeof(expected), "%s/./config.yaml", folder);
    assert_string_equal(c.litellm_config, expected);
    snprintf(expected, sizeof(expected), "%s/maps/new.json", folder);
    assert_string_equal(c.cost_map[1].file, expected);
    config_free(&c);
    load(&c, "pricing: {cost_map: /abs/map.json}");
    assert_string_equal(c.cost_map[0].file, "/abs/map.json");
    assert_int_equal(c.cost_map[0].effective_from_us, INT64_MIN);
    config_free(&c);
}

static void what_is_printed_reads_back_to_itself(void **state)
{
    (void)state;
    static const char *const files[] = {everything, "", "kafka: {}\ntopics: []\n"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct config first, second;
        load(&first, files[i]);
        char *once = printed(&first);
        load(&second, once);
        char *twice = printed(&second);
        assert_string_equal(once, twice);
        assert_int_equal(first.kafka_count, second.kafka_count);
        assert_int_equal(first.topic_count, second.topic_count);
        assert_int_equal(first.lanes_setting, second.lanes_setting);
        config_free(&first);
        config_free(&second);
        free(once);
        free(twice);
    }
}

static void the_printed_text_of_a_mapping_is_the_same_text(void **state)
{
    (void)state;
    struct config first, second;
    load(&first, everything);
    char *text = printed(&first);
    load(&second, text);
    const struct yaml_node *a = first.mappings->children, *b = second.mappings->children;
    assert_string_equal(yaml_get(a, "text")->text.p, "a: \"b\\\n\x7f\xe2\x80\xa8\xc3\xbc");
    assert_string_equal(yaml_get(b, "text")->text.p, yaml_get(a, "text")->text.p);
    assert_int_equal(yaml_get(b, "nothing")->kind, YAML_NULL);
    assert_int_equal(yaml_get(b, "empty")->kind, YAML_MAP);
    assert_true(yaml_get(second.topic[0].defaults, "n")->quoted);
    assert_false(yaml_get(second.topic[0].defaults, "m")->quoted);
    free(text);
    config_free(&first);
    config_free(&second);
}

static void secrets_are_printed_as_references_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *file, *expected;
    } cases[] = {
        {"kafka: {sasl.password: os.environ/SPENDLOG_TEST_VALUE}",
         "\"sasl.password\": \"os.environ/SPENDLOG_TEST_VALUE\""},
        {"postgres: os.environ/SPENDLOG_TEST_VALUE",
         "postgres: \"os.environ/SPENDLOG_TEST_VALUE\""},
        {"kafka: {sasl.password: hunter2, group.id: g}",
         "kafka:\n  \"group.id\": \"g\"\nkafka_gap"},
        {"kafka: {ssl.key.pem: hunter2, sasl.oauthbearer.client.secret: hunter2}",
         "kafka:\nkafka_gap"},
        {"postgres: host=h password=hunter2 user=u", "postgres: \"host=h user=u\""},
        {"postgres: host=h password = 'a\\'b hunter2' user=u", "postgres: \"host=h user=u\""},
        {"postgres: \"password=hunter2\\tuser=u\"", "postgres: \"user=u\""},
        {"postgres: sslpassword=hunter2", "postgres: \"\""},
        {"postgres: postgresql://u:hunter2@h:5/d", "postgres: \"postgresql://u@h:5/d\""},
        {"postgres: postgresql://u:hunter2?@h/d", "postgres: \"postgresql://u@h/d\""},
        {"postgres: postgres://h/d?password=hunter2&a=b&sslpassword=hunter2",
         "postgres: \"postgres://h/d?a=b\""},
        {"postgres: postgres://u@h:5", "postgres: \"postgres://u@h:5\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config c;
        load(&c, cases[i].file);
        char *text = printed(&c);
        if (!strstr(text, cases[i].expected))
            fail_msg("\"%s\" lacks \"%s\"", text, cases[i].expected);
        assert_null(strstr(text, "hunter2"));
        free(text);
        config_free(&c);
    }
}

static void what_a_command_needs_is_missed_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *file, *run, *retry; /* what is missed; NULL: nothing */
    } cases[] = {
        {"lanes: 2", "spendlog.yaml:1: kafka: bootstrap.servers is not set", "1: kafka: group.id"},
        {"lanes: 2\nkafka: {group.id: g}", "spendlog.yaml:2: kafka: bootstrap.servers",
         "1: topics"},
        {"lanes: 2\nkafka: {bootstrap.servers: '', group.id: g}", "2: kafka: bootstrap.servers",
         "1: topics"},
        {"\nkafka: {bootstrap.servers: b}", "2: kafka: group.id", "2: kafka: group.id"},
        {"kafka: {bootstrap.servers: b, group.id: ''}", "1: kafka: group.id", "1: kafka: group.id"},
        {"kafka: {metadata.broker.list: b, group.id: g}\n\ntopics: []", "3: topics is not set",
         "3: topics is not set"},
        {"topics: [{name: t}]\nkafka: {bootstrap.servers: b, group.id: g}\n", "1: postgres is not",
         "1: postgres is not"},
        {"topics: [{name: t}]\nkafka: {bootstrap.servers: b, group.id: g}\npostgres: ''",
         "3: postgres is not set", "3: postgres is not set"},
        {"topics: [{name: t}]\nkafka: {group.id: g}\npostgres: host=h",
         "2: kafka: bootstrap.servers", NULL},
        {"topics: [{name: t}]\nkafka: {bootstrap.servers: b, group.id: g}\npostgres: host=h", NULL,
         NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int retry = 0; retry < 2; retry++) {
            struct config c;
            struct err err = {0};
            const char *missed = retry ? cases[i].retry : cases[i].run;
            load(&c, cases[i].file);
            bool ready = config_ready(&c, retry ? CONFIG_RETRY : CONFIG_RUN, &err);
            assert_int_equal(ready, !missed);
            assert_int_equal(err.kind, missed ? ERR_CONFIG : ERR_NONE);
            if (missed && !strstr(err.text, missed))
                fail_msg("%zu: \"%s\" lacks \"%s\"", i, err.text, missed);
            config_free(&c);
        }
}

static void keys_of_messages_are_references_and_never_quoted(void **state)
{
    (void)state;
    static const struct {
        const char *file, *key, *message;
    } cases[] = {
        {"storage: {payloads: encrypt}", NULL, "1:21: storage.payloads: encrypt needs"},
        {"storage: {payload_key: canary}", NULL, "1:24: storage.payload_key: os.environ/NAME or"},
        {"storage: {payload_key: os.environ/D_KEY}", "canary", "1:24: storage.payload_key: os.env"},
        {"storage: {payload_key: os.environ/D_KEY}", "", "there is no key in it"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config c;
        struct err err = {0};
        setenv("D_KEY", cases[i].key ? cases[i].key : "", 1);
        file_write(cases[i].file);
        assert_false(config_load(&c, path, &err));
        assert_int_equal(err.kind, ERR_CONFIG);
        if (!strstr(err.text, cases[i].message) || strstr(err.text, "canary"))
            fail_msg("%s", err.text);
    }
    struct config c;
    setenv("D_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 1);
    load(&c, "storage: {payloads: encrypt, payload_key: os.environ/D_KEY}");
    assert_ptr_equal(config_sealing(&c), &c.payload_keys);
    assert_int_equal(c.payload_keys.key[0].key[31], 31);
    config_free(&c);
    load(&c, "storage: {payload_key: os.environ/D_KEY}"); /* to read what is there */
    assert_null(config_sealing(&c));
    assert_int_equal(c.payload_keys.count, 1);
    config_free(&c);
    unsetenv("D_KEY");
}

/* A setting that had one word is read as before, told of once, and printed no more. */
static void a_setting_that_is_gone_is_told_of(void **state)
{
    (void)state;
    struct config c;
    char said[512] = "";
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_non_null(file);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    load(&c, "storage: {partition: day, retain_days: 7}");
    log_flush();
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
    fclose(file);
    assert_non_null(strstr(said, "spendlog.yaml:1: storage.partition does nothing any more"));
    assert_int_equal(c.retain_days, 7);
    char *text = printed(&c);
    assert_null(strstr(text, "partition"));
    free(text);
    config_free(&c);
}

#define FIFTY "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void mistakes_name_their_place_and_what_was_meant(void **state)
{
    (void)state;
    static const struct {
        const char *file, *message;
    } cases[] = {
        {"topcis: []", "spendlog.yaml:1:1: unknown key \"topcis\"; did you mean \"topics\"?"},
        {"batch:\n  row: 5", "spendlog.yaml:2:3: unknown key \"row\"; did you mean \"rows\"?"},
        {"batch: 5", "1:8: batch: a map expected"},
        {"batch: {rows: 0}", "1:15: rows: must be between 1 and 100000"},
        {"batch: {rows: many}", "rows: a whole number expected"},
        {"batch: {rows: [1]}", "batch.rows: a single value expected"},
        {"lanes: 65", "lanes: must be between 1 and 64"},
        {"lanes: automatic", "lanes: a whole number expected"},
        {"pricing: {overrides: merg}", "not one of merge|litellm; did you mean \"merge\"?"},
        {"pricing: {reported_cost: 1}", "\"1\" is not one of fallback|prefer|ignore"},
        {"privacy: {ip: Drop}", "did you mean \"drop\"?"},
        {"kafka_gap: jump", "kafka_gap: \"jump\" is not one of stop|skip"},
        {"kafka: [a]", "kafka: a map of librdkafka properties expected"},
        {"kafka: {a: [b]}", "a: a single value expected"},
        {"kafka:\n  group.id: g\n  auto.offset.reset: latest",
         "3:3: \"auto.offset.reset\" cannot be set"},
        {"kafka: {enable.auto.commit: true}", "\"enable.auto.commit\" cannot be set"},
        {"kafka: {enable.auto.offset.store: true}", "cannot be set"},
        {"kafka: {isolation.level: read_uncommitted}", "cannot be set"},
        {"kafka: {partition.assignment.strategy: range}", "cannot be set"},
        {"kafka: {group.protocol: consumer}", "cannot be set"},
        {"kafka: {a: os.environ/SPENDLOG_TEST_MISSING}",
         "1:12: environment variable SPENDLOG_TEST_MISSING is not set"},
        {"postgres: file:missing", "missing: No such file"},
        {"topics: {name: x}", "topics: a list expected"},
        {"topics: [x]", "topics: a list of maps with a name expected"},
        {"topics: [{}]", "a topic needs a name"},
        {"topics: [{name: a b}]", "\"a b\" is not a topic name"},
        {"topics: [{name: " FIFTY FIFTY FIFTY FIFTY FIFTY "}]",
         "name: 1 to 249 characters expected"},
        {"topics: [{name: ''}]", "1 to 249 characters"},
        {"topics: [{name: '^(a'}]", "not a regular expression"},
        {"topics: [{name: a}, {name: a}]", "1:28: topic \"a\" is in the list already"},
        {"topics: [{name: a, start: late}]", "start: earliest or latest expected"},
        {"topics: [{name: a, mappings: litellm}]", "mappings: a list of names expected"},
        {"topics: [{name: a, mappings: []}]", "mappings: a list of names expected"},
        {"topics: [{name: a, defaults: [x]}]", "defaults: a map of fields expected"},
        {"topics: [{name: a, mapping: [x]}]", "did you mean \"mappings\"?"},
        {"pricing: {cost_map: {file: x}}", "cost_map: builtin, a file, or a list expected"},
        {"pricing: {cost_map: []}", "cost_map: nothing named"},
        {"pricing: {cost_map: [x]}", "cost_map: a list of {file, effective_from} expected"},
        {"pricing: {cost_map: [{effective_from: 2026-01-01T00:00:00Z}]}", "needs a file"},
        {"pricing: {cost_map: [{file: x, effective_from: 2026-01-01}]}",
         "an RFC 3339 time expected"},
        {"pricing: {cost_map: [{file: x, effective_from: 2026-01-01T00:00:00Z}, {file: y}]}",
         "must be later than the entry's before"},
        {"mappings: {name: x}", "mappings: a list expected"},
        {"metrics: {listen: 9464}", "\"host:port\" expected"},
        {"metrics: {listen: 'x:0'}", "port 0 is not between 1 and 65535"},
        {"metrics: {listen: 'x:1y'}", "\"host:port\" expected"},
        {"storage: {partition: month}",
         "1:22: storage.partition: a partition of spend_logs holds a day"},
        {"storage: {retain_days: -1}", "must be between 0 and 36500"},
        {"[]", "a map of settings expected"},
        {"a: 1\na: 2", "duplicate key"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refuse(cases[i].file, cases[i].message);
}

static void error_texts_never_hold_a_secret(void **state)
{
    (void)state;
    struct config config;
    struct err err = {0};
    file_write("kafka: {sasl.password: os.environ/SPENDLOG_TEST_VALUE}\nlanes: x\n");
    assert_false(config_load(&config, path, &err));
    assert_null(strstr(err.text, "hunter2"));
}

static void properties_of_the_command_line_replace_those_of_the_file(void **state)
{
    (void)state;
    struct config c;
    struct err err = {0};
    load(&c, "kafka: {group.id: g, client.id: c}");
    assert_true(config_kafka_set(&c, "group.id=other", &err));
    assert_true(config_kafka_set(&c, "debug=a=b", &err));
    assert_true(config_kafka_set(&c, "sasl.password=os.environ/SPENDLOG_TEST_VALUE", &err));
    assert_int_equal(c.kafka_count, 4);
    assert_string_equal(config_kafka(&c, "group.id"), "other");
    assert_string_equal(config_kafka(&c, "client.id"), "c");
    assert_string_equal(config_kafka(&c, "debug"), "a=b");
    assert_string_equal(config_kafka(&c, "sasl.password"), "hunter2");
    assert_string_equal(c.kafka[2].origin, "-X");
    assert_false(config_kafka_set(&c, "novalue", &err));
    assert_int_equal(err.kind, ERR_USAGE);
    err_clear(&err);
    assert_false(config_kafka_set(&c, "isolation.level=read_uncommitted", &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    char *text = printed(&c);
    assert_null(strstr(text, "hunter2"));
    free(text);
    config_free(&c);
}

static void properties_can_be_set_without_a_file(void **state)
{
    (void)state;
    struct config c;
    struct err err = {0};
    config_default(&c);
    assert_string_equal(c.path, "defaults");
    assert_true(config_kafka_set(&c, "bootstrap.servers=x:1", &err));
    assert_string_equal(config_kafka(&c, "bootstrap.servers"), "x:1");
    config_free(&c);
}

static void a_litellm_file_is_the_source_of_overrides(void **state)
{
    (void)state;
    static const char *const files[] = {
        "model_list:\n  - model_name: x\n    litellm_params: {model: y}\n",
        "litellm_settings: {drop_params: true}\ngeneral_settings: {master_key: sk-1}\n"};
    for (size_t i = 0; i < 2; i++) {
        struct config c;
        load(&c, files[i]);
        assert_string_equal(c.litellm_config, path);
        assert_int_equal(c.topic_count, 0);
        assert_int_equal(c.batch_rows, 10000);
        config_free(&c);
    }
    refuse("model_list: []\ntopics: []\n", "unknown key \"model_list\"");
}

/* The first literal block of the manual, as a reader sees it: \\e is a backslash. */
static void manual_example(char *example, size_t capacity)
{
    char line[256];
    bool inside = false;
    size_t bytes = 0;
    FILE *in = fopen("docs/spendlog.conf.5", "re");
    assert_non_null(in);
    while (fgets(line, sizeof(line), in)) {
        char *escape = strstr(line, "\\e");
        if (line[0] == '.') {
            inside = bytes == 0 && strncmp(line, ".Bd -literal", 12) == 0;
            continue;
        }
        if (escape)
            memmove(escape + 1, escape + 2, strlen(escape + 1));
        if (inside)
            bytes += (size_t)snprintf(example + bytes, capacity - bytes, "%s", line);
        assert_true(bytes < capacity);
    }
    fclose(in);
}

static void the_examples_of_manual_and_package_are_taken(void **state)
{
    (void)state;
    char example[4096] = "";
    struct config c;
    struct err err = {0};
    setenv("SPENDLOG_KAFKA_PASSWORD", "hunter2", 1);
    setenv("SPENDLOG_POSTGRES", "host=db", 1);
    manual_example(example, sizeof(example));
    load(&c, example);
    assert_int_equal(c.topic_count, 2);
    assert_string_equal(c.topic[1].name, "^gateway\\..*");
    assert_string_equal(c.postgres, "host=db");
    config_free(&c);
    if (!config_load(&c, "examples/spendlog.yaml", &err))
        fail_msg("%s", err.text);
    assert_int_equal(c.topic_count, 1);
    config_free(&c);
}

static void rows_of_the_table_are_unique_and_documented(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        assert_true(setting[i].help[0] != '\0');
        assert_true(setting[i].min <= setting[i].max);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(setting[i].name, setting[j].name);
    }
}

/* Each setting alone, at its default: read, printed, read again. A new row is tested unasked. */
static void every_default_can_be_written_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &setting[i];
        const char *dot = strchr(row->name, '.');
        char text[256];
        if (row->def[0] == '\0')
            continue;
        if (dot)
            snprintf(text, sizeof(text), "%.*s: {%s: %s%s%s}", (int)(dot - row->name), row->name,
                     dot + 1, row->type == SETTING_LISTEN ? "\"" : "", row->def,
                     row->type == SETTING_LISTEN ? "\"" : "");
        else
            snprintf(text, sizeof(text), "%s: %s", row->name, row->def);
        struct config set, unset;
        load(&set, text);
        load(&unset, "");
        char *a = printed(&set), *b = printed(&unset);
        assert_string_equal(a, b);
        free(a);
        free(b);
        config_free(&set);
        config_free(&unset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_the_table_are_unique_and_documented),
        cmocka_unit_test(an_empty_file_gives_the_documented_defaults),
        cmocka_unit_test(every_default_can_be_written_out),
        cmocka_unit_test(every_setting_reaches_its_field),
        cmocka_unit_test(paths_start_at_the_files_folder),
        cmocka_unit_test(what_is_printed_reads_back_to_itself),
        cmocka_unit_test(the_printed_text_of_a_mapping_is_the_same_text),
        cmocka_unit_test(secrets_are_printed_as_references_or_not_at_all),
        cmocka_unit_test(what_a_command_needs_is_missed_with_its_line),
        cmocka_unit_test(keys_of_messages_are_references_and_never_quoted),
        cmocka_unit_test(a_setting_that_is_gone_is_told_of),
        cmocka_unit_test(mistakes_name_their_place_and_what_was_meant),
        cmocka_unit_test(error_texts_never_hold_a_secret),
        cmocka_unit_test(properties_of_the_command_line_replace_those_of_the_file),
        cmocka_unit_test(properties_can_be_set_without_a_file),
        cmocka_unit_test(a_litellm_file_is_the_source_of_overrides),
        cmocka_unit_test(the_examples_of_manual_and_package_are_taken),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
