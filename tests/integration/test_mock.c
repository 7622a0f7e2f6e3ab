/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/*
 * The consumer against librdkafka's mock cluster, which answers with errors on demand. A member
 * that keeps its offsets itself, as a lane does with its rows in PostgreSQL, must see every message
 * exactly once and in order, whatever the brokers say.
 */
#include "core/clock.h"
#include "core/log.h"
#include "ingest/kafka.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PARTITIONS 3
#define PATIENCE_MS 30000

/* Request types by number (Kafka protocol guide, "API keys"). */
enum {
    FETCH = 1,
    LIST_OFFSETS = 2,
    OFFSET_COMMIT = 8,
    FIND_COORDINATOR = 10,
    JOIN_GROUP = 11,
    HEARTBEAT = 12,
    SYNC_GROUP = 14
};

static rd_kafka_t *producer;
static rd_kafka_mock_cluster_t *cluster;
static unsigned topics_made;

struct member {
    struct consumer *consumer;
    char topic[32], group[32];
    int64_t next[PARTITIONS]; /* what the rows of kafka_offsets would say */
    int64_t wanted;           /* messages produced to each partition */
    unsigned assigned, revoked, eof, out_of_range;
    bool broken; /* a message came twice, or one was left out */
};

static void on_assigned(void *context, const struct kafka_partition *partitions, size_t count)
{
    struct member *m = context;
    struct kafka_partition list[PARTITIONS];
    struct err err = {0};
    assert_true(count <= PARTITIONS);
    for (size_t i = 0; i < count; i++) {
        list[i] = partitions[i];
        list[i].offset = m->next[partitions[i].partition];
        list[i].state = &m->next[partitions[i].partition];
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

static void member_open(struct member *m)
{
    struct kafka_property property[] = {
        {"bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster), "test"},
        {"group.id", m->group, "test"},
        {"session.timeout.ms", "3000", "test"},
        {"heartbeat.interval.ms", "300", "test"},
        {"retry.backoff.ms", "50", "test"},
        {"fetch.error.backoff.ms", "50", "test"},
        {"fetch.wait.max.ms", "100", "test"},
        {"max.poll.interval.ms", "3000", "test"},
    };
    const char *const topic[] = {m->topic};
    struct err err = {0};
    struct consumer_options options = {.property = property,
                                       .property_count = sizeof(property) / sizeof(property[0]),
                                       .topic = topic,
                                       .topic_count = 1,
                                       .lanes = 1,
                                       .handler = {on_assigned, on_revoked},
                                       .context = m};
    m->consumer = consumer_new(&options, &err);
    assert_string_equal(err.text, "");
    assert_non_null(m->consumer);
    assert_true(consumer_subscribe(m->consumer, &err));
}

static void member_init(struct member *m)
{
    memset(m, 0, sizeof(*m));
    snprintf(m->topic, sizeof(m->topic), "topic-%u", ++topics_made);
    snprintf(m->group, sizeof(m->group), "group-%u", topics_made);
    assert_int_equal(rd_kafka_mock_topic_create(cluster, m->topic, PARTITIONS, 1), 0);
}

static void produce(struct member *m, int64_t more)
{
    for (int64_t i = 0; i < more; i++)
        for (int32_t p = 0; p < PARTITIONS; p++) {
            char text[32];
            int bytes = snprintf(text, sizeof(text), "%d-%lld", (int)p, (long long)(m->wanted + i));
            assert_int_equal(
                rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(m->topic), RD_KAFKA_V_PARTITION(p),
                                  RD_KAFKA_V_VALUE(text, (size_t)bytes),
                                  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                0);
        }
    m->wanted += more;
    assert_int_equal(rd_kafka_flush(producer, PATIENCE_MS), 0);
}

static void take(struct member *m, const struct kafka_message *message)
{
    char text[32];
    int64_t *next = message->state;
    int bytes = snprintf(text, sizeof(text), "%d-%lld", (int)message->partition,
                         (long long)message->offset);
    if (!next || message->offset != *next ||
        !slice_eq(message->value, (struct slice){text, (size_t)bytes}))
        m->broken = true;
    else
        (*next)++;
}

static void turn(struct member *m)
{
    struct kafka_message message;
    consumer_poll(m->consumer, 50, &message);
    if (message.kind == POLL_MESSAGE)
        take(m, &message);
    m->eof += message.kind == POLL_EOF;
    m->out_of_range += message.kind == POLL_OUT_OF_RANGE;
    assert_int_not_equal(message.kind, POLL_FATAL);
    consumer_release(&message);
}

static bool complete(const struct member *m)
{
    for (int p = 0; p < PARTITIONS; p++)
        if (m->next[p] != m->wanted)
            return false;
    return true;
}

/* Reads until everything has come; then a little longer: nothing may come after it. */
static void read_all(struct member *m)
{
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (!complete(m) && !m->broken && clock_monotonic_ms() < end_ms)
        turn(m);
    assert_false(m->broken);
    assert_true(complete(m));
    for (int64_t quiet_ms = clock_monotonic_ms() + 300; clock_monotonic_ms() < quiet_ms;)
        turn(m);
    assert_false(m->broken);
}

static void fails_next(int16_t api, size_t count, rd_kafka_resp_err_t code)
{
    for (size_t i = 0; i < count; i++)
        rd_kafka_mock_push_request_errors(cluster, api, 1, code);
}

/* --- claims */

static void everything_comes_once_and_in_order(void **state)
{
    struct member m;
    (void)state;
    member_init(&m);
    produce(&m, 100);
    member_open(&m);
    read_all(&m);
    assert_true(m.eof >= PARTITIONS);
    produce(&m, 50);
    read_all(&m);
    consumer_close(m.consumer);
}

static void fetch_errors_lose_and_repeat_nothing(void **state)
{
    static const rd_kafka_resp_err_t code[] = {
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,     RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,      RD_KAFKA_RESP_ERR_UNKNOWN,
    };
    struct member m;
    (void)state;
    member_init(&m);
    member_open(&m);
    for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++) {
        fails_next(FETCH, 3, code[i]);
        produce(&m, 20);
        read_all(&m);
    }
    consumer_close(m.consumer);
    rd_kafka_mock_clear_request_errors(cluster, FETCH);
}

static void group_errors_end_in_a_new_assignment_from_our_offsets(void **state)
{
    static const rd_kafka_resp_err_t code[] = {RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
                                               RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
                                               RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID};
    struct member m;
    (void)state;
    member_init(&m);
    member_open(&m);
    produce(&m, 10);
    read_all(&m);
    for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++) {
        unsigned assigned = m.assigned;
        fails_next(HEARTBEAT, 1, code[i]);
        produce(&m, 20);
        int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
        while (m.assigned == assigned && clock_monotonic_ms() < end_ms)
            turn(&m);
        assert_true(m.assigned > assigned);
        read_all(&m);
    }
    assert_true(m.revoked >= 3);
    consumer_close(m.consumer);
}

static void joining_succeeds_after_errors_of_the_coordinator(void **state)
{
    struct member m;
    (void)state;
    member_init(&m);
    produce(&m, 30);
    fails_next(FIND_COORDINATOR, 2, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
    fails_next(JOIN_GROUP, 2, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    fails_next(SYNC_GROUP, 1, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
    member_open(&m);
    read_all(&m);
    consumer_close(m.consumer);
}

static void failed_commits_to_kafka_do_not_matter(void **state)
{
    struct member m;
    (void)state;
    member_init(&m);
    produce(&m, 20);
    member_open(&m);
    read_all(&m);
    fails_next(OFFSET_COMMIT, 5, RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    struct kafka_partition list[] = {{.topic = m.topic, .partition = 0, .offset = m.next[0]}};
    consumer_commit(m.consumer, list, 1);
    produce(&m, 20);
    read_all(&m);
    consumer_close(m.consumer);
    rd_kafka_mock_clear_request_errors(cluster, OFFSET_COMMIT);
}

static void a_broker_that_goes_and_comes_costs_time_only(void **state)
{
    struct member m;
    (void)state;
    member_init(&m);
    produce(&m, 50);
    member_open(&m);
    read_all(&m);
    for (int round = 0; round < 2; round++) {
        rd_kafka_mock_broker_set_down(cluster, 1);
        for (int i = 0; i < 20; i++)
            turn(&m);
        rd_kafka_mock_broker_set_up(cluster, 1);
        produce(&m, 30);
        read_all(&m);
    }
    consumer_close(m.consumer);
}

static void an_offset_beyond_the_log_is_told_and_nothing_jumps(void **state)
{
    struct member m;
    (void)state;
    member_init(&m);
    produce(&m, 10);
    for (int p = 0; p < PARTITIONS; p++)
        m.next[p] = 1000;
    member_open(&m);
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (m.out_of_range < PARTITIONS && clock_monotonic_ms() < end_ms)
        turn(&m);
    assert_int_equal(m.out_of_range, PARTITIONS);
    for (int i = 0; i < 20; i++)
        turn(&m);
    assert_false(m.broken); /* auto.offset.reset is error: no message comes on its own */
    consumer_close(m.consumer);
}

static void watermarks_are_retried_or_told(void **state)
{
    struct member m;
    struct err err = {0};
    int64_t low = -1, high = -1;
    (void)state;
    member_init(&m);
    produce(&m, 10);
    member_open(&m);
    fails_next(LIST_OFFSETS, 1, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE);
    bool ok = consumer_watermarks(m.consumer, m.topic, 1, &low, &high, &err);
    assert_true(ok || err.kind == ERR_UNAVAILABLE || err.kind == ERR_RETRY);
    rd_kafka_mock_clear_request_errors(cluster, LIST_OFFSETS);
    err_clear(&err);
    assert_true(consumer_watermarks(m.consumer, m.topic, 1, &low, &high, &err));
    assert_int_equal(low, 0);
    assert_int_equal(high, 10);
    assert_false(consumer_watermarks(m.consumer, m.topic, PARTITIONS + 7, &low, &high, &err));
    consumer_close(m.consumer);
}

static int cluster_open(void **state)
{
    char text[256];
    (void)state;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "linger.ms", "1", text, sizeof(text)) != RD_KAFKA_CONF_OK)
        return -1;
    /* The producer needs brokers, and the mock cluster a client to live in: this one has its own.
     */
    if (rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", text, sizeof(text)) !=
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
        cmocka_unit_test(everything_comes_once_and_in_order),
        cmocka_unit_test(fetch_errors_lose_and_repeat_nothing),
        cmocka_unit_test(group_errors_end_in_a_new_assignment_from_our_offsets),
        cmocka_unit_test(joining_succeeds_after_errors_of_the_coordinator),
        cmocka_unit_test(failed_commits_to_kafka_do_not_matter),
        cmocka_unit_test(a_broker_that_goes_and_comes_costs_time_only),
        cmocka_unit_test(an_offset_beyond_the_log_is_told_and_nothing_jumps),
        cmocka_unit_test(watermarks_are_retried_or_told),
    };
    if (!log_init("error", "text"))
        return 1;
    return cmocka_run_group_tests(tests, cluster_open, cluster_close);
}
