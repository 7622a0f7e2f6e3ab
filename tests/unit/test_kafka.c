/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/* ldflags: -Wl,--wrap=rd_kafka_list_groups,--wrap=rd_kafka_group_list_destroy */
/*
 * The consumer against librdkafka's mock cluster: what it takes of a configuration, what a message
 * brings along, what is asked of the brokers. How it lives with brokers that answer with errors is
 * tests/integration/test_mock.c.
 */
#include "core/clock.h"
#include "core/log.h"
#include "ingest/kafka_impl.h"

#include <librdkafka/rdkafka_mock.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 30000
#define NOBODY "127.0.0.1:1"

static rd_kafka_t *producer;
static rd_kafka_mock_cluster_t *cluster;
static unsigned topics_made;

/* --- a consumer ------------------------------------------------------------------------------ */

struct member {
    struct consumer *consumer;
    char topic[32];
    const char *topics[1];
    struct kafka_property property[8];
    struct consumer_options options;
    unsigned assigned, revoked, told;
    char state; /* what messages have to come with */
};

static void on_assigned(void *context, const struct kafka_partition *partitions, size_t count)
{
    struct member *m = context;
    struct kafka_partition list[4];
    struct err err = {0};
    assert_true(count <= 4);
    for (size_t i = 0; i < count; i++) {
        list[i] = partitions[i];
        list[i].offset = 0;
        list[i].state = &m->state;
    }
    m->assigned++;
    assert_true(consumer_assign(m->consumer, list, count, &err));
}

static void on_revoked(void *context, bool lost)
{
    struct member *m = context;
    (void)lost;
    m->revoked++;
}

static void on_told(void *context, void *state)
{
    struct member *m = context;
    assert_ptr_equal(state, &m->state);
    m->told++;
}

/* The options of a member of a group of its own, on a topic of its own, which is not made yet. */
static void member_init(struct member *m, const char *brokers)
{
    memset(m, 0, sizeof(*m));
    snprintf(m->topic, sizeof(m->topic), "topic-%u", ++topics_made);
    m->topics[0] = m->topic;
    const struct kafka_property property[] = {
        {"bootstrap.servers", brokers, "a.yaml:1"},   {"group.id", m->topic, "a.yaml:2"},
        {"fetch.wait.max.ms", "50", "a.yaml:3"},      {"session.timeout.ms", "3000", "a.yaml:4"},
        {"heartbeat.interval.ms", "300", "a.yaml:5"},
    };
    memcpy(m->property, property, sizeof(property));
    m->options = (struct consumer_options){.property = m->property,
                                           .property_count = sizeof(property) / sizeof(property[0]),
                                           .topic = m->topics,
                                           .topic_count = 1,
                                           .lanes = 1,
                                           .handler = {on_assigned, on_revoked, on_told},
                                           .context = m,
                                           .quiet = true};
}

static void member_set(struct member *m, const char *name, const char *value)
{
    m->property[m->options.property_count++] = (struct kafka_property){name, value, "a.yaml:9"};
}

static void member_open(struct member *m, int partitions)
{
    struct err err = {0};
    if (partitions > 0)
        assert_int_equal(rd_kafka_mock_topic_create(cluster, m->topic, partitions, 1), 0);
    m->consumer = consumer_new(&m->options, &err);
    assert_string_equal(err.text, "");
}

static void member_here(struct member *m, int partitions)
{
    member_init(m, rd_kafka_mock_cluster_bootstraps(cluster));
    member_open(m, partitions);
}

static void produce(const struct member *m, const void *value, size_t bytes,
                    rd_kafka_headers_t *headers)
{
    assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(m->topic),
                                       RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_KEY("key", 3),
                                       RD_KAFKA_V_VALUE((void *)(uintptr_t)value, bytes),
                                       RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_TIMESTAMP(1234567),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                     0);
    assert_int_equal(rd_kafka_flush(producer, PATIENCE_MS), 0);
}

/* Polls until something of that kind comes; the caller releases it. */
static void await(struct member *m, enum poll_kind kind, struct kafka_message *message)
{
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    do {
        assert_true(clock_monotonic_ms() < end_ms);
        consumer_poll(m->consumer, 50, message);
        if (message->kind != kind)
            consumer_release(message);
    } while (message->kind != kind);
}

/* Without joining the group, which takes the mock cluster three seconds. */
static void read_from(struct member *m, int64_t offset)
{
    const struct kafka_partition one = {
        .topic = m->topic, .partition = 0, .offset = offset, .state = &m->state};
    struct err err = {0};
    assert_true(consumer_assign(m->consumer, &one, 1, &err));
}

static void read_to_end(struct member *m)
{
    struct kafka_message message;
    read_from(m, 0);
    await(m, POLL_EOF, &message);
    consumer_release(&message);
}

/* --- configuration --------------------------------------------------------------------------- */

static void properties_are_refused_with_their_origin(void **state)
{
    static const struct {
        const char *name, *value, *said;
    } row[] = {
        {"no.such.thing", "1", "has no property \"no.such.thing\""},
        {"fetch.min.bytes", "many", "a.yaml:9: fetch.min.bytes: "},
        {"ssl.key.password", "", NULL}, /* taken */
        {"security.protocol", "hunter2", "a.yaml:9: security.protocol: "},
        {"bootstrap.servers", "a:9092,b:123456", "port 123456 is not between 1 and 65535"},
        {"metadata.broker.list", "a:0", "port 0 is not between 1 and 65535"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct member m;
        struct err err = {0};
        member_init(&m, NOBODY);
        member_set(&m, row[i].name, row[i].value);
        assert_int_equal(consumer_options_check(&m.options, &err), row[i].said == NULL);
        if (row[i].said)
            assert_non_null(strstr(err.text, row[i].said));
        assert_int_equal(err.kind, row[i].said ? ERR_CONFIG : ERR_NONE);
        if (row[i].said)
            assert_null(consumer_new(&m.options, &err));
    }
}

static void a_secret_that_is_refused_is_not_quoted(void **state)
{
    struct member m;
    struct err err = {0};
    (void)state;
    member_init(&m, NOBODY);
    member_set(&m, "sasl.password.nonsense", "hunter2");
    assert_false(consumer_options_check(&m.options, &err));
    assert_null(strstr(err.text, "hunter2"));
}

static void a_group_is_needed(void **state)
{
    struct member m;
    struct err err = {0};
    (void)state;
    member_init(&m, NOBODY);
    m.options.property_count = 1;
    assert_false(consumer_options_check(&m.options, &err));
    assert_string_equal(err.text, "kafka: group.id is not set");
}

static void what_only_the_client_can_refuse_is_told(void **state)
{
    struct member m;
    struct err err = {0};
    (void)state;
    member_init(&m, NOBODY);
    member_set(&m, "security.protocol", "ssl");
    member_set(&m, "ssl.ca.location", "/nowhere/ca.pem");
    assert_null(consumer_new(&m.options, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "kafka: ssl.ca.location"));
}

static void topics_are_looked_for_as_often_as_is_said(void **state)
{
    static const struct {
        const char *value;
        int ms;
    } row[] = {{NULL, 30000}, {"700", 700}, {"-1", -1}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct member m;
        member_init(&m, NOBODY);
        if (row[i].value)
            member_set(&m, LOOK_PROPERTY, row[i].value);
        member_open(&m, 0);
        assert_int_equal(consumer_look_interval_ms(m.consumer), row[i].ms);
        consumer_close(m.consumer);
    }
}

/* --- messages -------------------------------------------------------------------------------- */

static rd_kafka_headers_t *headers_make(unsigned count)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(count);
    for (unsigned i = 0; i < count; i++) {
        char value[16];
        int bytes = snprintf(value, sizeof(value), "v%u", i);
        rd_kafka_header_add(headers, "h", 1, i ? value : NULL, i ? bytes : 0);
    }
    return headers;
}

static void a_message_comes_with_its_record_and_our_state(void **state)
{
    struct member m;
    struct kafka_message message;
    struct err err = {0};
    (void)state;
    member_here(&m, 1);
    produce(&m, "value", 5, headers_make(3));
    assert_true(consumer_subscribe(m.consumer, &err));
    await(&m, POLL_MESSAGE, &message);
    assert_string_equal(message.topic, m.topic);
    assert_int_equal(message.partition, 0);
    assert_int_equal(message.offset, 0);
    assert_int_equal(message.time_ms, 1234567);
    assert_ptr_equal(message.state, &m.state);
    assert_false(message.tombstone);
    assert_true(slice_is(message.value, "value"));
    assert_true(slice_is(message.envelope.key, "key"));
    assert_int_equal(message.envelope.header_count, 3);
    assert_null(message.envelope.headers[0].value.p);
    assert_true(slice_is(message.envelope.headers[2].value, "v2"));
    consumer_release(&message);
    await(&m, POLL_EOF, &message);
    assert_int_equal(message.offset, 1);
    consumer_release(&message);
    consumer_close(m.consumer);
    assert_int_equal(m.revoked, 1);
}

static void headers_beyond_the_limit_are_not_seen(void **state)
{
    struct member m;
    struct kafka_message message;
    (void)state;
    member_here(&m, 1);
    for (unsigned more = 0; more <= 1; more++)
        produce(&m, "value", 5, headers_make(HEADERS_MAX + more));
    read_from(&m, 0);
    assert_true(log_init("warn", "text"));
    for (unsigned more = 0; more <= 1; more++) {
        char told[512] = "";
        FILE *log = tmpfile();
        int saved = dup(STDERR_FILENO);
        fflush(stderr);
        dup2(fileno(log), STDERR_FILENO);
        await(&m, POLL_MESSAGE, &message);
        dup2(saved, STDERR_FILENO);
        close(saved);
        rewind(log);
        told[fread(told, 1, sizeof(told) - 1, log)] = '\0';
        fclose(log);
        assert_int_equal(message.envelope.header_count, HEADERS_MAX);
        assert_int_equal(strstr(told, "65 headers: those from the 65th on are not seen") != NULL,
                         more);
        consumer_release(&message);
    }
    assert_true(log_init("error", "text"));
    consumer_close(m.consumer);
}

static void a_deletion_is_a_tombstone(void **state)
{
    struct member m;
    struct kafka_message message;
    (void)state;
    member_here(&m, 1);
    produce(&m, NULL, 0, NULL);
    read_from(&m, 0);
    await(&m, POLL_MESSAGE, &message);
    assert_true(message.tombstone);
    assert_int_equal(message.envelope.header_count, 0);
    consumer_release(&message);
    consumer_close(m.consumer);
}

static void an_offset_that_the_log_does_not_hold_is_told(void **state)
{
    struct member m;
    struct kafka_message message;
    (void)state;
    member_here(&m, 1);
    read_from(&m, 77);
    await(&m, POLL_OUT_OF_RANGE, &message);
    assert_ptr_equal(message.state, &m.state);
    consumer_release(&message);
    consumer_close(m.consumer);
}

static void a_fatal_error_is_told_as_one(void **state)
{
    struct member m;
    struct kafka_message message;
    (void)state;
    member_init(&m, rd_kafka_mock_cluster_bootstraps(cluster));
    m.options.quiet = false;
    member_open(&m, 1);
    rd_kafka_test_fatal_error(m.consumer->rk, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "fenced");
    await(&m, POLL_FATAL, &message);
    assert_non_null(strstr(message.error, "fenced"));
    consumer_release(&message);
    consumer_close(m.consumer);
}

/* More than the queue holds goes through it: the threads that fetch are woken. */
static void a_small_queue_loses_nothing(void **state)
{
    static char big[4096];
    struct member m;
    struct kafka_message message;
    (void)state;
    member_init(&m, rd_kafka_mock_cluster_bootstraps(cluster));
    member_set(&m, "queued.max.messages.kbytes", "64");
    m.options.lanes = 8;
    member_open(&m, 1);
    for (int i = 0; i < 100; i++)
        produce(&m, big, sizeof(big), NULL);
    read_from(&m, 0);
    for (int64_t i = 0; i < 100; i++) {
        await(&m, POLL_MESSAGE, &message);
        assert_int_equal(message.offset, i);
        consumer_release(&message);
    }
    consumer_close(m.consumer);
}

/* --- what is asked of brokers ---------------------------------------------------------------- */

static void what_kafka_was_told_comes_back(void **state)
{
    struct member m;
    struct err err = {0};
    (void)state;
    member_here(&m, 3);
    produce(&m, "value", 5, NULL);
    read_to_end(&m);
    struct kafka_partition list[] = {
        {.topic = m.topic, .partition = 0, .offset = 1, .began = 123456789012},
        {.topic = m.topic, .partition = 1, .offset = 7, .began = -1},
        {.topic = m.topic, .partition = 2, .offset = 0, .began = 0}};
    consumer_commit(m.consumer, list, 2);
    for (int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS; m.told == 0;) {
        struct kafka_message message;
        assert_true(clock_monotonic_ms() < end_ms);
        consumer_poll(m.consumer, 50, &message);
        consumer_release(&message);
    }
    list[0].offset = list[1].offset = list[2].offset = 99;
    assert_true(consumer_committed(m.consumer, list, 3, &err));
    assert_int_equal(list[0].offset, 1);
    assert_int_equal(list[0].began, 123456789012);
    assert_int_equal(list[1].offset, 7);
    assert_int_equal(list[1].began, -1);
    assert_int_equal(list[2].offset, -1);
    assert_int_equal(list[2].began, -1);
    consumer_close(m.consumer);
}

/* Whatever another client has left beside an offset is not taken for where the group began. */
static void foreign_words_beside_an_offset_are_not_ours(void **state)
{
    static const char *const text[] = {"spendlog began at 12x", "spendlog began at ",
                                       "spendlog began at 1234567890123456789012", "else"};
    struct member m;
    struct err err = {0};
    (void)state;
    member_here(&m, 1);
    read_to_end(&m);
    for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
        struct kafka_partition asked = {.topic = m.topic, .partition = 0};
        rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_t *one = rd_kafka_topic_partition_list_add(list, m.topic, 0);
        one->offset = (int64_t)i;
        one->metadata = strdup(text[i]);
        one->metadata_size = strlen(text[i]);
        assert_int_equal(rd_kafka_commit(m.consumer->rk, list, 0), 0);
        rd_kafka_topic_partition_list_destroy(list);
        assert_true(consumer_committed(m.consumer, &asked, 1, &err));
        assert_int_equal(asked.offset, i);
        assert_int_equal(asked.began, -1);
    }
    consumer_close(m.consumer);
}

static void the_cluster_its_topics_and_their_ends_are_asked_for(void **state)
{
    struct member m;
    struct err err = {0};
    char id[64];
    const char *missing = "";
    int32_t count = 0;
    int64_t low, high;
    (void)state;
    member_here(&m, 2);
    produce(&m, "value", 5, NULL);
    assert_true(consumer_cluster_id(m.consumer, PATIENCE_MS, id, sizeof(id), &err));
    assert_true(id[0] != '\0');
    assert_true(consumer_partition_count(m.consumer, m.topic, &count, &err));
    assert_int_equal(count, 2);
    assert_true(consumer_watermarks(m.consumer, m.topic, 0, &low, &high, &err));
    assert_int_equal(high, 1);
    assert_false(consumer_watermarks(m.consumer, m.topic, 17, &low, &high, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    err_clear(&err);
    assert_true(consumer_topic_missing(m.consumer, &missing, &err));
    assert_null(missing);
    consumer_close(m.consumer);
}

static void a_pattern_misses_nothing(void **state)
{
    struct member m;
    struct err err = {0};
    const char *missing = "";
    (void)state;
    member_init(&m, rd_kafka_mock_cluster_bootstraps(cluster));
    member_open(&m, 1);
    m.consumer->options.topic = (const char *const[]){"^nothing-.*"};
    assert_true(consumer_topic_missing(m.consumer, &missing, &err));
    assert_null(missing);
    consumer_close(m.consumer);
}

static void without_a_broker_it_is_unavailable(void **state)
{
    struct member m;
    struct err err = {0};
    char id[64];
    const char *missing;
    (void)state;
    member_init(&m, NOBODY);
    member_open(&m, 0);
    assert_false(consumer_cluster_id(m.consumer, 200, id, sizeof(id), &err));
    assert_string_equal(err.text, "kafka: no broker answered within 200 ms");
    err_clear(&err);
    assert_false(consumer_topic_missing(m.consumer, &missing, &err));
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    struct kafka_partition asked = {.topic = m.topic, .partition = 0};
    err_clear(&err);
    assert_false(consumer_committed(m.consumer, &asked, 1, &err));
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    consumer_close(m.consumer);
}

struct seen {
    const char *topic;
    int32_t partitions;
};

static void on_topic(const char *topic, int32_t partitions, void *context)
{
    struct seen *seen = context;
    if (strcmp(topic, seen->topic) == 0)
        seen->partitions = partitions;
}

static void the_newest_message_is_found_without_joining(void **state)
{
    struct member m;
    struct kafka_message message;
    struct err err = {0};
    (void)state;
    member_here(&m, 2);
    struct seen seen = {m.topic, 0};
    assert_true(consumer_each_topic(m.consumer, on_topic, &seen, &err));
    assert_int_equal(seen.partitions, 2);
    assert_true(consumer_newest(m.consumer, m.topic, 2, &message, &err));
    assert_int_equal(message.kind, POLL_NOTHING);
    for (int i = 0; i < 12; i++)
        produce(&m, i == 11 ? "last" : "one", i == 11 ? 4 : 3, NULL);
    assert_true(consumer_newest(m.consumer, m.topic, 2, &message, &err));
    assert_int_equal(message.kind, POLL_MESSAGE);
    assert_int_equal(message.offset, 11);
    assert_true(slice_is(message.value, "last"));
    consumer_release(&message);
    assert_int_equal(m.assigned, 0);
    consumer_close(m.consumer);
}

static void who_joins_again_is_assigned_again(void **state)
{
    struct member m;
    struct err err = {0};
    (void)state;
    member_here(&m, 1);
    struct kafka_message first;
    assert_true(consumer_subscribe(m.consumer, &err));
    await(&m, POLL_EOF, &first);
    consumer_release(&first);
    unsigned assigned = m.assigned;
    assert_true(consumer_rejoin(m.consumer, &err));
    for (int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS; m.assigned == assigned;) {
        struct kafka_message message;
        assert_true(clock_monotonic_ms() < end_ms);
        consumer_poll(m.consumer, 50, &message);
        consumer_release(&message);
    }
    assert_int_equal(m.revoked, 1);
    consumer_close(m.consumer);
}

/* --- what belongs to nobody ------------------------------------------------------------------ */

/* The mock cluster does not know this request: answered here, as a broker would. */
static struct rd_kafka_group_member_info members[2];
static char stable[] = "Stable", preparing[] = "PreparingRebalance";
static struct rd_kafka_group_info group = {.state = stable, .members = members, .member_cnt = 2};
static rd_kafka_resp_err_t group_code;

rd_kafka_resp_err_t __wrap_rd_kafka_list_groups(rd_kafka_t *rk, const char *name,
                                                const struct rd_kafka_group_list **list,
                                                int timeout_ms);
rd_kafka_resp_err_t __wrap_rd_kafka_list_groups(rd_kafka_t *rk, const char *name,
                                                const struct rd_kafka_group_list **list,
                                                int timeout_ms)
{
    (void)rk;
    (void)name;
    (void)timeout_ms;
    static struct rd_kafka_group_list one;
    one.groups = &group;
    one.group_cnt = 1;
    *list = &one;
    return group_code;
}

void __wrap_rd_kafka_group_list_destroy(const struct rd_kafka_group_list *list);
void __wrap_rd_kafka_group_list_destroy(const struct rd_kafka_group_list *list)
{
    (void)list;
}

/* ConsumerProtocolAssignment: version 0, one topic, partitions 0 to count - 1. */
static size_t assignment_write(unsigned char *p, const char *topic, unsigned count)
{
    size_t bytes = strlen(topic), n = 0;
    const unsigned char head[] = {0, 0, 0, 0, 0, 1, 0, (unsigned char)bytes};
    memcpy(p, head, sizeof(head));
    n = sizeof(head);
    memcpy(p + n, topic, bytes);
    n += bytes;
    const unsigned char partitions[] = {0, 0, 0, (unsigned char)count};
    memcpy(p + n, partitions, sizeof(partitions));
    n += sizeof(partitions);
    memset(p + n, 0, (size_t)count * 4);
    for (unsigned i = 0; i < count; i++)
        p[n + (size_t)i * 4 + 3] = (unsigned char)i;
    return n + (size_t)count * 4;
}

static bool is_topic(const void *context, const char *topic)
{
    return strcmp(topic, context) == 0;
}

static void partitions_without_an_owner_are_counted(void **state)
{
    static unsigned char bytes[2][128];
    struct member m;
    struct err err = {0};
    int32_t unowned = -1;
    (void)state;
    member_here(&m, 4);
    members[0].member_assignment = bytes[0];
    members[0].member_assignment_size = (int)assignment_write(bytes[0], m.topic, 2);
    members[1].member_assignment = bytes[1];
    members[1].member_assignment_size = (int)assignment_write(bytes[1], m.topic, 1);
    assert_true(consumer_unowned(m.consumer, is_topic, m.topic, &unowned, &err));
    assert_int_equal(unowned, 1);
    group.state = preparing;
    assert_true(consumer_unowned(m.consumer, is_topic, m.topic, &unowned, &err));
    assert_int_equal(unowned, 0);
    group.state = stable;
    group_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    assert_false(consumer_unowned(m.consumer, is_topic, m.topic, &unowned, &err));
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    group_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    consumer_close(m.consumer);
}

/* A member's bytes are its own: cut anywhere, they own no more than they say. */
static void an_assignment_cut_anywhere_is_read_within_its_bytes(void **state)
{
    static unsigned char bytes[128];
    struct member m;
    struct err err = {0};
    int32_t unowned;
    (void)state;
    member_here(&m, 2);
    size_t whole = assignment_write(bytes, m.topic, 2);
    members[1].member_assignment = NULL;
    for (size_t cut = 0; cut <= whole; cut++) {
        unsigned char *copy = test_malloc(cut ? cut : 1); /* its end is the end of the memory */
        memcpy(copy, bytes, cut);
        members[0].member_assignment = copy;
        members[0].member_assignment_size = (int)cut;
        group.state = stable;
        assert_true(consumer_unowned(m.consumer, is_topic, m.topic, &unowned, &err));
        assert_int_equal(unowned, cut < whole ? 2 : 0);
        test_free(copy);
    }
    consumer_close(m.consumer);
}

/* --- figures --------------------------------------------------------------------------------- */

static void totals_are_the_last_of_their_name_and_connections_are_summed(void **state)
{
    char json[] = "{\"brokers\":{\"a\":{\"tx\":1,\"rx\":2,\"connects\":3,\"disconnects\":1},"
                  "\"b\":{\"tx\":4,\"connects\":5,\"disconnects\":0}},"
                  "\"tx\":50,\"rx\":40,\"rx_bytes\":3000,\"rxmsgs\":20}";
    struct member m;
    struct consumer_figures f;
    (void)state;
    member_init(&m, NOBODY);
    member_open(&m, 0);
    assert_int_equal(kafka_on_figures(m.consumer->rk, json, sizeof(json) - 1, m.consumer), 0);
    consumer_figures(m.consumer, &f);
    assert_int_equal(f.requests, 50);
    assert_int_equal(f.responses, 40);
    assert_int_equal(f.received_bytes, 3000);
    assert_int_equal(f.messages, 20);
    assert_int_equal(f.connects, 8);
    assert_int_equal(f.disconnects, 1);
    consumer_close(m.consumer);
}

static void the_end_of_a_log_is_known_once_it_was_read(void **state)
{
    struct member m;
    (void)state;
    member_here(&m, 1);
    produce(&m, "value", 5, NULL);
    assert_int_equal(consumer_cached_end(m.consumer, m.topic, 0), -1);
    read_to_end(&m);
    assert_int_equal(consumer_cached_end(m.consumer, m.topic, 0), 1);
    consumer_close(m.consumer);
}

/* --- the cluster ----------------------------------------------------------------------------- */

static int cluster_open(void **state)
{
    char text[256];
    (void)state;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "linger.ms", "0", text, sizeof(text)) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", text, sizeof(text)) !=
            RD_KAFKA_CONF_OK)
        return -1;
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    cluster = producer ? rd_kafka_handle_mock_cluster(producer) : NULL;
    return cluster ? 0 : -1;
}

static int cluster_close(void **state)
{
    (void)state;
    rd_kafka_destroy(producer);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties_are_refused_with_their_origin),
        cmocka_unit_test(a_secret_that_is_refused_is_not_quoted),
        cmocka_unit_test(a_group_is_needed),
        cmocka_unit_test(what_only_the_client_can_refuse_is_told),
        cmocka_unit_test(topics_are_looked_for_as_often_as_is_said),
        cmocka_unit_test(a_message_comes_with_its_record_and_our_state),
        cmocka_unit_test(headers_beyond_the_limit_are_not_seen),
        cmocka_unit_test(a_deletion_is_a_tombstone),
        cmocka_unit_test(an_offset_that_the_log_does_not_hold_is_told),
        cmocka_unit_test(a_fatal_error_is_told_as_one),
        cmocka_unit_test(a_small_queue_loses_nothing),
        cmocka_unit_test(what_kafka_was_told_comes_back),
        cmocka_unit_test(foreign_words_beside_an_offset_are_not_ours),
        cmocka_unit_test(the_cluster_its_topics_and_their_ends_are_asked_for),
        cmocka_unit_test(a_pattern_misses_nothing),
        cmocka_unit_test(without_a_broker_it_is_unavailable),
        cmocka_unit_test(the_newest_message_is_found_without_joining),
        cmocka_unit_test(who_joins_again_is_assigned_again),
        cmocka_unit_test(partitions_without_an_owner_are_counted),
        cmocka_unit_test(an_assignment_cut_anywhere_is_read_within_its_bytes),
        cmocka_unit_test(totals_are_the_last_of_their_name_and_connections_are_summed),
        cmocka_unit_test(the_end_of_a_log_is_known_once_it_was_read),
    };
    if (!log_init("error", "text"))
        return 1;
    return cmocka_run_group_tests(tests, cluster_open, cluster_close);
}
