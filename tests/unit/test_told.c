/* SPDX-License-Identifier: Apache-2.0 */
/* links: run store pricing ingest */
/* fakes: clock kafka writer */
/*
 * What a running service tells others: the control socket, systemd, the lag of its partitions. The
 * sockets are real, lanes read a broker in memory.
 */
#include "tests/unit/lane_fixture.h"

#include "run/control.h"
#include "run/notify.h"

#include <jansson.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char folder[] = "/tmp/spendlog-told-XXXXXX", path[64];

static int told_setup(void **state)
{
    strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/socket", folder);
    return setup(state);
}

static int told_teardown(void **state)
{
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return teardown(state);
}

/* --- the control socket ---------------------------------------------------------------------- */

static bool reload_fails;

static bool reload(struct lane_group *group, struct buf *text, struct err *err)
{
    assert_ptr_equal(group, &world.group);
    if (reload_fails)
        return err_set(err, ERR_CONFIG, "prices.json:3: \"broken\"");
    buf_add_text(text, "nothing moved");
    return true;
}

/* A client in a thread of its own, as the server waits for nobody. */
struct client {
    const char *word;
    struct buf answer;
    struct err err;
    bool ok;
    atomic_bool done;
};

static void *client_main(void *context)
{
    struct client *client = context;
    client->ok = control_ask(path, client->word, &client->answer, &client->err);
    atomic_store(&client->done, true);
    return NULL;
}

static json_t *ask(struct control *control, const char *word)
{
    struct client client = {.word = word};
    pthread_t thread;
    buf_init(&client.answer, 1 << 20);
    assert_int_equal(pthread_create(&thread, NULL, client_main, &client), 0);
    while (!atomic_load(&client.done)) {
        control_serve(control);
        usleep(100);
    }
    pthread_join(thread, NULL);
    assert_string_equal(client.err.text, "");
    assert_true(client.ok);
    json_t *object = json_loadb(client.answer.p, client.answer.bytes, 0, NULL);
    if (!object)
        fail_msg("\"%.*s\" is not JSON", (int)client.answer.bytes, client.answer.p);
    buf_free(&client.answer);
    return object;
}

static struct control *control_here(void)
{
    struct control *control;
    struct err err = {0};
    assert_true(control_open(&control, path, &world.group, reload, &err));
    assert_non_null(control);
    return control;
}

static int64_t int_of(const json_t *object, const char *name)
{
    assert_true(json_is_integer(json_object_get(object, name)));
    return json_integer_value(json_object_get(object, name));
}

static void status_is_one_object_of_lanes_partitions_and_counts(void **state)
{
    (void)state;
    struct control *control = control_here();
    append(0, 4);
    append(1, 2);
    fake_kafka_give(0, 2);
    read_out();
    health_topics(&world.health, NULL, true);
    fake_clock_pass_ms(1500);
    turns(3); /* how far it is is told once a second */
    health_topics(&world.health, NULL, true);
    json_t *status = ask(control, "status");
    assert_true(json_is_true(json_object_get(status, "ready")));
    assert_true(json_is_null(json_object_get(status, "why_not")));
    assert_int_equal(int_of(status, "rows"), 6);
    assert_int_equal(int_of(status, "pid"), getpid());
    assert_int_equal(int_of(json_array_get(json_object_get(status, "caches"), 0), "recent_keys"),
                     6);
    assert_true(int_of(status, "memory_bytes") > 0);
    const json_t *partitions = json_object_get(status, "partitions");
    assert_int_equal(json_array_size(partitions), 2);
    const json_t *first = json_array_get(partitions, 0);
    assert_string_equal(json_string_value(json_object_get(first, "topic")), FAKE_TOPIC);
    assert_int_equal(int_of(first, "next_offset"), 4);
    const json_t *lane = json_array_get(json_object_get(status, "lanes"), 0);
    assert_string_equal(json_string_value(json_object_get(lane, "state")), "reading");
    assert_int_equal(
        strlen(json_string_value(json_object_get(json_object_get(status, "price_book"), "id"))),
        64);
    json_decref(status);
    control_close(control);
    assert_int_equal(access(path, F_OK), -1);
}

static void status_says_why_it_is_not_ready(void **state)
{
    (void)state;
    struct control *control = control_here();
    json_t *status = ask(control, "status");
    assert_true(json_is_false(json_object_get(status, "ready")));
    assert_string_equal(json_string_value(json_object_get(status, "why_not")),
                        "lane 0: no broker has answered yet");
    assert_true(json_is_null(json_object_get(status, "commit_age_s")));
    assert_true(json_is_null(json_object_get(status, "newest_event_age_s")));
    json_decref(status);
    append(0, 1);
    fake_kafka_give(0, 1);
    read_out();
    health_topics(&world.health, NULL, true);
    atomic_store(&world.group.halted, true);
    status = ask(control, "status");
    assert_string_equal(json_string_value(json_object_get(status, "why_not")),
                        "a partition waits: kafka_gap");
    json_decref(status);
    control_close(control);
}

/* A process that is stopped takes no connection, and its queue is full of those who gave up. */
static int listener_that_is_frozen(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), refused = 0;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    for (int i = 0; i < 8 && !refused; i++) {
        int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        refused = connect(peer, (struct sockaddr *)&address, sizeof(address)) != 0;
        close(peer);
    }
    assert_int_equal(refused, 1);
    return listener;
}

static void a_frozen_process_at_the_socket_holds_nobody(void **state)
{
    (void)state;
    int listener = listener_that_is_frozen();
    struct control *control;
    struct err err = {0};
    struct buf answer;
    alarm(10); /* ends the test where one of the two waits for ever */
    assert_true(control_open(&control, path, &world.group, reload, &err));
    assert_null(control);
    assert_int_equal(access(path, F_OK), 0); /* it is the other's */
    buf_init(&answer, 1000);
    assert_false(control_ask(path, "status", &answer, &err));
    alarm(0);
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "frozen"));
    buf_free(&answer);
    close(listener);
}

static void reload_answers_what_came_of_it(void **state)
{
    (void)state;
    struct control *control = control_here();
    json_t *answer = ask(control, "reload");
    assert_true(json_is_true(json_object_get(answer, "ok")));
    assert_string_equal(json_string_value(json_object_get(answer, "said")), "nothing moved");
    json_decref(answer);
    reload_fails = true;
    answer = ask(control, "reload");
    reload_fails = false;
    assert_true(json_is_false(json_object_get(answer, "ok")));
    assert_string_equal(json_string_value(json_object_get(answer, "said")),
                        "prices.json:3: \"broken\"");
    json_decref(answer);
    answer = ask(control, "rm -rf");
    assert_true(json_is_false(json_object_get(answer, "ok")));
    json_decref(answer);
    control_close(control);
}

static int connect_here(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int peer = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(connect(peer, (struct sockaddr *)&address, sizeof(address)), 0);
    return peer;
}

static void a_client_that_says_nothing_keeps_nobody_waiting(void **state)
{
    (void)state;
    struct control *control = control_here();
    int silent = connect_here(), gone = connect_here();
    close(gone);
    json_t *status = ask(control, "status");
    json_decref(status);
    close(silent);
    control_serve(NULL);
    control_close(control);
    control_close(NULL);
}

static void only_who_may_write_in_the_folder_may_ask(void **state)
{
    (void)state;
    struct stat about;
    struct control *control = control_here();
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0007, 0);
    control_close(control);
}

static void a_path_is_taken_over_only_from_who_is_gone(void **state)
{
    (void)state;
    struct control *control = control_here(), *second;
    struct err err = {0};
    assert_true(control_open(&second, path, &world.group, reload, &err));
    assert_null(second); /* another process answers there */
    json_t *status = ask(control, "status");
    json_decref(status);
    control_close(control);

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    int left = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(left, (struct sockaddr *)&address, sizeof(address)), 0);
    close(left); /* as kill -9 leaves it */
    control = control_here();
    control_close(control);
}

static void where_no_socket_can_be_there_is_none(void **state)
{
    (void)state;
    struct control *control;
    struct err err = {0};
    char text[256];
    assert_true(control_open(&control, NULL, &world.group, reload, &err));
    assert_null(control);
    assert_true(control_open(&control, "", &world.group, reload, &err));
    assert_null(control);
    assert_true(control_open(&control, "/nowhere/socket", &world.group, reload, &err));
    assert_null(control);
    assert_true(control_open(&control, folder, &world.group, reload, &err));
    assert_null(control); /* a folder stands there */
    memset(text, 'p', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_false(control_open(&control, text, &world.group, reload, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
}

static void who_asks_learns_that_nobody_answers(void **state)
{
    (void)state;
    struct buf answer;
    struct err err = {0};
    char text[256];
    buf_init(&answer, 4096);
    assert_false(control_ask("", "status", &answer, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    err_clear(&err);
    assert_false(control_ask(path, "status", &answer, &err));
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "does `spendlog run` run"));
    err_clear(&err);
    memset(text, 'p', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_false(control_ask(text, "status", &answer, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    buf_free(&answer);
}

/* --- systemd --------------------------------------------------------------------------------- */

static int systemd = -1;

static void systemd_listens(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(systemd, (struct sockaddr *)&address, sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", path, 1);
}

static void expect_told(const char *text)
{
    char got[512] = "";
    ssize_t bytes = recv(systemd, got, sizeof(got) - 1, 0);
    if (!text && bytes >= 0)
        fail_msg("told: %s", got);
    if (text && (bytes < 0 || strncmp(got, text, strlen(text)) != 0))
        fail_msg("\"%s\" is not told but \"%s\"", text, got);
}

static void without_systemd_nothing_is_told(void **state)
{
    (void)state;
    static const char *const nobody[] = {"", "relative", "/nowhere/socket"};
    struct notify notify;
    notify_open(&notify);
    notify_turn(&notify, &world.group);
    assert_int_equal(notify.socket, -1);
    for (size_t i = 0; i < 3; i++) {
        setenv("NOTIFY_SOCKET", nobody[i], 1);
        notify_open(&notify);
        assert_int_equal(notify.socket, -1);
        notify_stopping(&notify);
        notify_close(&notify);
    }
}

static void ready_is_told_once_the_service_is(void **state)
{
    (void)state;
    struct notify notify;
    systemd_listens();
    notify_open(&notify);
    notify_turn(&notify, &world.group);
    expect_told(NULL);
    notify_reloaded(&notify); /* nothing was told that this could end */
    expect_told(NULL);
    append(0, 3);
    fake_kafka_give(0, 1);
    read_out();
    health_topics(&world.health, NULL, true);
    notify_turn(&notify, &world.group);
    expect_told("READY=1");
    expect_told("STATUS=lag 0 messages, ");
    notify_turn(&notify, &world.group);
    expect_told(NULL);
    notify_reloading(&notify);
    expect_told("RELOADING=1\nMONOTONIC_USEC=");
    notify_reloaded(&notify);
    expect_told("READY=1");
    fake_clock_pass_ms(6000);
    turns(2);
    health_topics(&world.health, NULL, true);
    notify_turn(&notify, &world.group);
    expect_told("STATUS=lag 0 messages, 0 rows/s, 3 rows so far");
    notify_stopping(&notify);
    expect_told("STOPPING=1\n");
    notify_close(&notify);
    close(systemd);
}

static void who_starts_us_is_not_kept_for_ever(void **state)
{
    (void)state;
    struct notify notify;
    systemd_listens();
    notify_open(&notify);
    fake_clock_pass_ms(31000);
    notify_turn(&notify, &world.group);
    expect_told("READY=1");
    expect_told("STATUS=not ready: lane 0: no broker has answered yet");
    notify_close(&notify);
    close(systemd);
}

static void the_watchdog_hears_of_lanes_that_turn(void **state)
{
    (void)state;
    struct notify notify;
    systemd_listens();
    setenv("WATCHDOG_USEC", "20000000", 1);
    notify_open(&notify);
    assert_int_equal(notify.watchdog_every_ms, 10000);
    fake_kafka_give(0, 1);
    read_out();
    notify.ready = true;
    health_turn(&world.health, 0);
    notify_turn(&notify, &world.group);
    expect_told("WATCHDOG=1");
    fake_clock_pass_ms(9000);
    notify.status_ms = notify.opened_ms = clock_monotonic_ms();
    notify_turn(&notify, &world.group);
    expect_told(NULL);
    fake_clock_pass_ms(301000); /* no lane has turned for five minutes */
    notify.status_ms = notify.opened_ms = clock_monotonic_ms();
    notify_turn(&notify, &world.group);
    expect_told(NULL);
    health_turn(&world.health, 0);
    notify_turn(&notify, &world.group);
    expect_told("WATCHDOG=1");
    notify_close(&notify);
    setenv("WATCHDOG_PID", "1", 1); /* another process is watched */
    notify_open(&notify);
    assert_int_equal(notify.watchdog_every_ms, 0);
    notify_close(&notify);
    close(systemd);
}

static void a_name_of_the_abstract_namespace_is_one(void **state)
{
    (void)state;
    struct notify notify;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int bytes = snprintf(name, sizeof(name), "@spendlog-told-%d", (int)getpid());
    memcpy(address.sun_path, name, (size_t)bytes);
    address.sun_path[0] = '\0';
    systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(systemd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)bytes)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_open(&notify);
    notify_stopping(&notify);
    expect_told("STOPPING=1");
    notify_close(&notify);
    close(systemd);
}

/* --- lag ------------------------------------------------------------------------------------- */

/* As lane_progress() tells it: the partitions of a lane, `count` of them. */
static void lane_has(unsigned lane, const char *topic, int32_t count, int64_t lag)
{
    struct progress_partition *p = calloc((size_t)count, sizeof(*p));
    for (int32_t i = 0; i < count; i++) {
        snprintf(p[i].topic, sizeof(p[i].topic), "%s", topic);
        p[i].partition = i;
        p[i].next_offset = 10;
        p[i].end_offset = lag < 0 ? -1 : 10 + lag;
    }
    const struct consumer_figures figures = {.requests = 7};
    const struct progress_caches caches = {.names = 1};
    progress_partitions(&world.progress, lane, p, (size_t)count, &figures, &caches);
}

static unsigned count_of(const struct buf *page, const char *part)
{
    unsigned count = 0;
    for (const char *p = page->p; (p = strstr(p, part)); p++)
        count++;
    return count;
}

static void sums_of_topics_have_all_partitions_however_many_are_shown(void **state)
{
    (void)state;
    struct buf page;
    lane_has(0, "a \"b\"\n", 200, 3);
    lane_has(1, "other", 100, 5);
    lane_has(2, "other", 1, -1); /* its end is not known yet */
    assert_int_equal(progress_lag(&world.progress), 200 * 3 + 100 * 5);
    buf_init(&page, 1 << 20);
    progress_print(&world.progress, &page);
    buf_add_char(&page, '\0');
    assert_non_null(strstr(page.p, "spendlog_topic_lag{topic=\"a \\\"b\\\" \"} 600\n"));
    assert_non_null(strstr(page.p, "spendlog_topic_lag{topic=\"other\"} 500\n"));
    assert_non_null(strstr(page.p, "spendlog_partitions 301\n"));
    assert_non_null(strstr(page.p, "spendlog_kafka_requests_total 21\n"));
    assert_int_equal(count_of(&page, "\nspendlog_partition_lag{"), PROGRESS_LINES_MAX);
    buf_reset(&page);
    progress_json(&world.progress, &page);
    assert_non_null(memmem(page.p, page.bytes, "\"lag\":null", 10));
    buf_free(&page);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, told_setup, told_teardown)
    const struct CMUnitTest tests[] = {
        TEST(status_is_one_object_of_lanes_partitions_and_counts),
        TEST(status_says_why_it_is_not_ready),
        TEST(a_frozen_process_at_the_socket_holds_nobody),
        TEST(reload_answers_what_came_of_it),
        TEST(a_client_that_says_nothing_keeps_nobody_waiting),
        TEST(only_who_may_write_in_the_folder_may_ask),
        TEST(a_path_is_taken_over_only_from_who_is_gone),
        TEST(where_no_socket_can_be_there_is_none),
        TEST(who_asks_learns_that_nobody_answers),
        TEST(without_systemd_nothing_is_told),
        TEST(ready_is_told_once_the_service_is),
        TEST(who_starts_us_is_not_kept_for_ever),
        TEST(the_watchdog_hears_of_lanes_that_turn),
        TEST(a_name_of_the_abstract_namespace_is_one),
        TEST(sums_of_topics_have_all_partitions_however_many_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
