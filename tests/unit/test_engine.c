/* SPDX-License-Identifier: Apache-2.0 */
/* links: run store pricing ingest */
/* fakes: clock kafka writer rejected */
/*
 * What stands around the lanes: whether the service is ready, the watch over the group, the metrics
 * page, topics, privacy, the identity of a place, a retry of rejected records.
 */
#include "tests/unit/lane_fixture.h"

#include "core/hash.h"
#include "run/metrics.h"
#include "run/place.h"
#include "run/privacy.h"
#include "run/ready.h"
#include "run/retry.h"
#include "run/watch.h"
#include "tests/fakes/rejected.h"

#include <arpa/inet.h>
#include <sys/socket.h>

/* --- ready ----------------------------------------------------------------------------------- */

static struct buf said;

static bool ready(const char *why)
{
    buf_reset(&said);
    bool is = health_ready(&world.health, &said);
    if (why && !strstr(buf_slice(&said).p, why))
        fail_msg("\"%.*s\" does not say \"%s\"", (int)said.bytes, said.p, why);
    return is;
}

static void a_service_is_ready_when_its_lanes_read_and_a_broker_answers(void **state)
{
    (void)state;
    buf_init(&said, 4096);
    assert_false(ready("no broker has answered yet"));
    turn_until(LANE_UNASSIGNED);
    assert_false(ready("has not shared out its partitions"));
    fake_kafka_give(0, 1);
    read_out();
    assert_true(ready(NULL));
    health_topics(&world.health, "absent", true);
    assert_false(ready("topic absent does not exist"));
    assert_string_equal(health_topic_missing(&world.health), "absent");
    health_topics(&world.health, NULL, true);
    assert_true(ready(NULL));
    fake_clock_pass_ms(world.health.limit_ms + 1);
    assert_false(ready("no batch written and no end of its log"));
    turns(1); /* at the end of its log */
    assert_false(ready("no broker has answered for"));
    health_topics(&world.health, NULL, true);
    assert_true(ready(NULL));
    buf_reset(&said);
    health_json(&world.health, &said);
    assert_non_null(strstr(buf_slice(&said).p, "\"state\":\"reading\""));
    buf_free(&said);
}

static void a_long_reason_says_that_it_is_cut(void **state)
{
    (void)state;
    char why[HEALTH_WHY_MAX + 1];
    for (size_t bytes = HEALTH_WHY_MAX - 1; bytes <= HEALTH_WHY_MAX; bytes++) {
        buf_init(&said, 4096);
        memset(why, 'w', bytes);
        why[bytes] = '\0';
        health_state(&world.health, 0, LANE_WAITING, 1, why);
        assert_false(ready("lane 0: www"));
        assert_int_equal(memmem(said.p, said.bytes, "w...", 4) != NULL, bytes == HEALTH_WHY_MAX);
        buf_free(&said);
    }
}

static void everything_is_read_when_lanes_are_at_their_end_or_there_is_nothing(void **state)
{
    (void)state;
    assert_false(health_read_out(&world.health, true)); /* it is not known which topics there are */
    health_topics(&world.health, "absent", true);
    assert_true(health_read_out(&world.health, false));
    fake_kafka_give(0, 1);
    read_out();
    assert_false(health_read_out(&world.health, false));
    assert_true(health_read_out(&world.health, true));
}

static void what_run_needs_is_checked_before_anything_is_opened(void **state)
{
    (void)state;
    struct err err = {0};
    assert_true(names_ready(&world.config, &err));
    world.config.postgres = "host=a b c";
    assert_false(names_ready(&world.config, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    world.config.postgres = "host=a";
    struct kafka_property nonsense = {"nonsense", "1", "x:1"};
    world.config.kafka = &nonsense;
    world.config.kafka_count = 1;
    err_clear(&err);
    assert_false(names_ready(&world.config, &err));
    err_clear(&err);
    assert_false(run_ready(&world.config, &err));
    world.config.kafka = NULL;
    world.config.kafka_count = 0;
    world.config.postgres = NULL;
}

/* --- the watch ------------------------------------------------------------------------------- */

static void the_watch_believes_what_it_sees_several_times(void **state)
{
    (void)state;
    struct watch *watch = NULL;
    struct err err = {0};
    fake_kafka.unowned = 2;
    fake_kafka.missing = "usage";
    fake_kafka.fail_unowned = fake_kafka.fail_missing = 1;
    assert_true(watch_start(&watch, &world.group, &err));
    for (int i = 0;
         i < 100000 && !(atomic_load(&world.group.rejoin) && health_topic_missing(&world.health));
         i++)
        usleep(100); /* its own thread; time passes in its polls */
    atomic_store(&world.group.stop, true);
    watch_stop(watch);
    assert_true(atomic_load(&world.group.rejoin));
    assert_string_equal(health_topic_missing(&world.health), "usage");
}

/* --- metrics --------------------------------------------------------------------------------- */

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* The answer to a request, whole. */
static const char *answer(int port, const char *request)
{
    static char text[1 << 17];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    size_t bytes = 0;
    ssize_t n;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    dprintf(fd, "%s HTTP/1.0\r\n\r\n", request);
    while ((n = read(fd, text + bytes, sizeof(text) - 1 - bytes)) > 0)
        bytes += (size_t)n;
    close(fd);
    text[bytes] = '\0';
    return text;
}

static void expect_answer(int port, const char *request, const char *status, const char *part)
{
    const char *text = answer(port, request);
    if (strncmp(text + 9, status, 3) != 0 || !strstr(text, part))
        fail_msg("%s: no \"%s\" in %.600s", request, part, text);
}

static void the_metrics_page_counts_what_was_written(void **state)
{
    (void)state;
    struct metrics *metrics = NULL;
    struct err err = {0};
    char listen[64];
    int port = free_port();
    append(0, 4);
    fake_kafka_append(0, bad);
    fake_kafka_give(0, 1);
    read_out();
    snprintf(listen, sizeof(listen), "127.0.0.1:%d", port);
    assert_true(metrics_start(&metrics, listen, &world.group, &err));
    health_topics(&world.health, NULL, true);
    expect_answer(port, "GET /metrics", "200", "\nspendlog_rows_total 4\n");
    expect_answer(port, "GET /metrics", "200", "\nspendlog_rejected_total 1\n");
    expect_answer(port, "GET /metrics", "200",
                  "spendlog_rows_by_status_total{status=\"priced\"} 4");
    expect_answer(port, "GET /metrics", "200", "spendlog_price_book{id=\"");
    expect_answer(port, "GET /health", "200", "ok");
    expect_answer(port, "GET /ready", "200", "ready");
    atomic_store(&world.group.halted, true);
    expect_answer(port, "GET /ready", "503", "a partition waits");
    expect_answer(port, "GET /other", "404", "/metrics");
    expect_answer(port, "PUT /metrics", "405", "GET or HEAD");
    metrics_stop(metrics);
}

static unsigned lines_of(const char *page, const char *start)
{
    unsigned lines = 0;
    for (const char *p = page; (p = strstr(p, start)); p++)
        lines++;
    return lines;
}

static void alarms_beyond_those_with_a_line_are_counted(void **state)
{
    (void)state;
    char listen[32], alarms[64];
    struct drift_way apart = {
        .key = 1000, .provider = "openai", .call_type = "chat", .events = 1000};
    for (unsigned ways = 1; ways <= 65; ways++) {
        struct metrics *metrics = NULL;
        struct err err = {0};
        apart.key++;
        snprintf(apart.model, sizeof(apart.model), "model-%u", ways);
        drift_note(world.group.drift, &apart);
        if (ways < 64)
            continue;
        int port = free_port();
        snprintf(listen, sizeof(listen), "127.0.0.1:%d", port);
        assert_true(metrics_start(&metrics, listen, &world.group, &err));
        const char *page = answer(port, "GET /metrics");
        snprintf(alarms, sizeof(alarms), "\nspendlog_drift_alarms %u\n", ways);
        assert_non_null(strstr(page, alarms));
        assert_int_equal(lines_of(page, "\nspendlog_drift_events{"), 64);
        metrics_stop(metrics);
    }
}

static void an_address_that_cannot_be_listened_on_is_an_error(void **state)
{
    (void)state;
    static const char *const bad_address[] = {"nonsense", "127.0.0.1:nonsense", "192.0.2.1:9464"};
    struct metrics *metrics = NULL;
    for (size_t i = 0; i < sizeof(bad_address) / sizeof(bad_address[0]); i++) {
        struct err err = {0};
        assert_false(metrics_start(&metrics, bad_address[i], &world.group, &err));
        assert_non_null(strstr(err.text, bad_address[i]));
    }
    struct err err = {0};
    assert_true(metrics_start(&metrics, "", &world.group, &err));
    assert_null(metrics);
    metrics_stop(NULL);
}

/* --- topics, privacy, places ----------------------------------------------------------------- */

static void an_exact_name_beats_a_pattern(void **state)
{
    (void)state;
    struct config_topic topic[] = {{.name = "^usage", .line = 1}, {.name = "usage-b", .line = 2}};
    struct topics topics;
    struct err err = {0};
    world.config.topic = topic;
    world.config.topic_count = 2;
    assert_true(topics_open(&topics, &world.config, &err));
    assert_ptr_equal(topics_find(&topics, "usage-a"), &topics.topic[0]);
    assert_ptr_equal(topics_find(&topics, "usage-b"), &topics.topic[1]);
    assert_null(topics_find(&topics, "other"));
    topics_free(&topics);
    topic[0].name = "^(";
    assert_false(topics_open(&topics, &world.config, &err));
    assert_non_null(strstr(err.text, "is not a regular expression"));
    world.config.topic_count = 0;
    err_clear(&err);
    assert_false(topics_open(&topics, &world.config, &err));
    assert_non_null(strstr(err.text, "no topics"));
}

static void label_set(struct event *event, enum label label, struct slice text)
{
    event->labels.present |= UINT64_C(1) << label;
    event->labels.v[label].s = text;
}

static void what_the_operator_does_not_want_is_hashed_or_dropped(void **state)
{
    (void)state;
    struct arena arena;
    struct event event = {0};
    char hex[SHA256_HEX_BYTES];
    arena_init(&arena, 1 << 16);
    label_set(&event, LABEL_END_USER, SLICE("anna"));
    label_set(&event, LABEL_IP, SLICE("192.0.2.7"));
    struct config_privacy policy = {PRIVACY_KEEP, PRIVACY_KEEP};
    privacy_apply(&policy, &event, &arena);
    assert_true(slice_is(event.labels.v[LABEL_END_USER].s, "anna"));
    policy = (struct config_privacy){PRIVACY_HASH, PRIVACY_DROP};
    privacy_apply(&policy, &event, &arena);
    hash_sha256_hex(SLICE("anna"), hex);
    assert_true(slice_is(event.labels.v[LABEL_END_USER].s, hex));
    assert_false(labels_has(&event.labels, LABEL_IP));
    arena_free(&arena);
    arena_init(&arena, 8); /* no room for a hash: dropped, never kept in clear */
    privacy_apply(&policy, &event, &arena);
    assert_false(labels_has(&event.labels, LABEL_END_USER));
    arena_free(&arena);
}

static void a_place_is_identified_by_all_that_it_consists_of(void **state)
{
    (void)state;
    static const struct {
        const char *cluster, *topic;
        int32_t partition, incarnation;
        int64_t offset;
        unsigned index;
    } place[] = {{"c", "t", 0, 0, 0, 0}, {"d", "t", 0, 0, 0, 0}, {"c", "u", 0, 0, 0, 0},
                 {"c", "t", 1, 0, 0, 0}, {"c", "t", 0, 1, 0, 0}, {"c", "t", 0, 0, 1, 0},
                 {"c", "t", 0, 0, 0, 1}};
    struct event event[7] = {0};
    for (size_t i = 0; i < 7; i++) {
        struct partition_state at = {.topic = place[i].topic,
                                     .partition = place[i].partition,
                                     .incarnation = place[i].incarnation};
        place_identity(&event[i], slice_of(place[i].cluster), &at, place[i].offset, place[i].index);
        assert_true(event[i].has_identity);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(event[i].identity, event[k].identity,
                                    sizeof(event[i].identity));
    }
}

/* --- retry ----------------------------------------------------------------------------------- */

static struct rejected_event rejected_of(int64_t offset, unsigned index, const char *payload)
{
    return (struct rejected_event){
        .partition_id = 1,
        .cluster = SLICE("cluster"),
        .group = SLICE("g"),
        .topic = SLICE(FAKE_TOPIC),
        .kafka_offset = offset,
        .record_index = index,
        .has_payload = payload != NULL,
        .payload = slice_of(payload ? payload : ""),
        .envelope = SLICE(""),
        .message_ms = clock_now_us() / 1000,
    };
}

static struct retry_counts retry(const struct rejected_event *event, size_t count, bool works)
{
    struct retry_counts counts = {0};
    struct rejected_filter filter = {.partition = -1, .kafka_offset = -1};
    struct err err = {0};
    fake_rejected.event = event;
    fake_rejected.count = count;
    bool ok = retry_run(&world.config, world.books.current->book, &filter, &counts, &err);
    if (ok != works)
        fail_msg("%s", err.text);
    return counts;
}

static void a_retry_writes_what_can_be_read_now(void **state)
{
    (void)state;
    struct rejected_event event[] = {
        rejected_of(1, 0, one),  rejected_of(2, 0, bad),   rejected_of(3, 1, nine),
        rejected_of(3, 4, nine), rejected_of(3, 40, nine), /* the message has no such record */
        rejected_of(4, 0, NULL), rejected_of(5, 0, one),
    };
    event[6].locked = "no key opens it";
    struct retry_counts counts = retry(event, 7, true);
    assert_int_equal(counts.tried, 6);
    assert_int_equal(counts.rows, 3);
    assert_int_equal(counts.still_rejected, 2);
    assert_int_equal(counts.without_payload, 1);
    assert_int_equal(counts.locked, 1);
    assert_string_equal(counts.locked_why, "no key opens it");
    assert_int_equal(fake_writer_count(0, 1, 0), 1);
    assert_int_equal(fake_writer_count(0, 3, 1), 1);
    assert_int_equal(fake_writer_count(0, 3, 4), 1);
    assert_int_equal(fake_writer.place_count, 3);
}

/* Of all of them the records stay rejected: nothing is written, and each is counted in the batch.
 */
static void a_retry_goes_over_any_number_of_partitions(void **state)
{
    enum { PARTITIONS = BATCH_PARTITIONS_MAX + 10 };
    struct rejected_event *event = calloc(PARTITIONS, sizeof(*event));
    (void)state;
    assert_non_null(event);
    for (int i = 0; i < PARTITIONS; i++) {
        event[i] = rejected_of(1, 0, bad);
        event[i].partition_id = 1 + i;
        event[i].partition = i;
    }
    struct retry_counts counts = retry(event, PARTITIONS, true);
    assert_int_equal(counts.tried, PARTITIONS);
    assert_int_equal(counts.still_rejected, PARTITIONS);
    assert_int_equal(fake_writer.commits, 0);
    free(event);
}

/* A batch has room for so many records, whatever comes of them. */
static void a_retry_of_what_is_skipped_now_writes_batch_by_batch(void **state)
{
    enum { EVENTS = 12000 };
    struct rejected_event *event = calloc(EVENTS, sizeof(*event));
    (void)state;
    assert_non_null(event);
    for (int i = 0; i < EVENTS; i++)
        event[i] = rejected_of(1 + i, 0, "{\"x\":1}");
    struct retry_counts counts = retry(event, EVENTS, true);
    assert_int_equal(counts.tried, EVENTS);
    assert_int_equal(counts.skipped, EVENTS);
    assert_int_equal(fake_writer.commits, 3); /* of 5,000 */
    free(event);
}

static void a_message_that_can_be_opened_now_gives_all_its_records(void **state)
{
    static const char array[] = "[{\"id\":1,\"m\":\"gpt-a\",\"n\":1},{\"id\":2,\"n\":-1},{\"x\":1},"
                                "{\"id\":4,\"m\":\"gpt-a\",\"n\":4}]";
    (void)state;
    struct rejected_event event[] = {rejected_of(1, 0, array), rejected_of(2, 0, array),
                                     rejected_of(3, 0, nine)};
    event[0].reason = SLICE("unknown_schema");
    event[1].reason = SLICE("bad_number"); /* of its first record alone */
    event[2].reason = SLICE("otlp_protobuf");
    struct retry_counts counts = retry(event, 3, true);
    assert_int_equal(counts.tried, 3);
    assert_int_equal(counts.rows, 2 + 1 + 9);
    assert_int_equal(counts.skipped, 1);
    assert_int_equal(counts.still_rejected, 1);
    for (unsigned index = 0; index < 4; index++) {
        assert_int_equal(fake_writer_count(0, 1, index), index != 2);
        assert_int_equal(fake_writer_count(0, 2, index), index == 0);
    }
    for (unsigned index = 0; index < 9; index++)
        assert_int_equal(fake_writer_count(0, 3, index), 1);
}

static void a_retry_that_cannot_read_or_write_says_so(void **state)
{
    (void)state;
    struct rejected_event event[] = {rejected_of(1, 0, one)};
    fake_rejected.fails = true;
    retry(event, 1, false);
    fake_rejected.fails = false;
    fake_writer.next_commit = COMMIT_CUT;
    assert_int_equal(retry(event, 1, false).rows, 0);
    fake_writer.away = 1;
    retry(event, 1, false);
    assert_int_equal(fake_writer.place_count, 0);
    event[0].envelope = SLICE("x");
    retry(event, 1, false);
    struct rejected_event strange = rejected_of(1, 0, one);
    strange.topic = SLICE("of nobody");
    assert_int_equal(retry(&strange, 1, true).without_payload, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_service_is_ready_when_its_lanes_read_and_a_broker_answers),
        TEST(everything_is_read_when_lanes_are_at_their_end_or_there_is_nothing),
        TEST(what_run_needs_is_checked_before_anything_is_opened),
        TEST(the_watch_believes_what_it_sees_several_times),
        TEST(the_metrics_page_counts_what_was_written),
        TEST(alarms_beyond_those_with_a_line_are_counted),
        TEST(a_long_reason_says_that_it_is_cut),
        TEST(an_address_that_cannot_be_listened_on_is_an_error),
        TEST(an_exact_name_beats_a_pattern),
        TEST(what_the_operator_does_not_want_is_hashed_or_dropped),
        TEST(a_place_is_identified_by_all_that_it_consists_of),
        TEST(a_retry_writes_what_can_be_read_now),
        TEST(a_retry_goes_over_any_number_of_partitions),
        TEST(a_retry_of_what_is_skipped_now_writes_batch_by_batch),
        TEST(a_message_that_can_be_opened_now_gives_all_its_records),
        TEST(a_retry_that_cannot_read_or_write_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
