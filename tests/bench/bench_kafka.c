/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/* with: payload */
/*
 * The broker's side of `make bench`.
 *
 *     bench_kafka [payload options] load BROKERS TOPIC COUNT   events into 12 partitions, fast
 *     bench_kafka [payload options] pace BROKERS TOPIC COUNT RATE   RATE a second; each starts now
 *     bench_kafka consume BROKERS TOPIC COUNT   reads and counts: "messages/s cpu_s/M"
 *     bench_kafka [payload options] print COUNT   one a line on standard output
 */
#include "core/clock.h"
#include "tests/bench/payload.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PARTITIONS 12
#define TIMEOUT_MS 60000

static void conf_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[512];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return;
    fprintf(stderr, "bench_kafka: %s\n", text);
    exit(1);
}

/* A produce request holds one partition: with a linger of 5 ms a paced run was 2,400 requests a
 * second and waited for the broker, not for us. */
static rd_kafka_t *client_open(rd_kafka_type_t type, const char *brokers)
{
    static const char *const settings[][2] = {{"linger.ms", "50"},
                                              {"queue.buffering.max.messages", "200000"},
                                              {"batch.num.messages", "10000"},
                                              {"group.id", "bench-consume"},
                                              {"enable.auto.commit", "false"},
                                              {"enable.partition.eof", "true"},
                                              {"queued.max.messages.kbytes", "131072"},
                                              {"queued.min.messages", "1000000"}};
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    size_t first = type == RD_KAFKA_PRODUCER ? 0 : 3, past = type == RD_KAFKA_PRODUCER ? 3 : 8;
    conf_set(conf, "bootstrap.servers", brokers);
    for (size_t i = first; i < past; i++)
        conf_set(conf, settings[i][0], settings[i][1]);
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof(text));
    if (!rk) {
        fprintf(stderr, "bench_kafka: %s\n", text);
        exit(1);
    }
    return rk;
}

static void send_event(rd_kafka_t *rk, const char *topic, uint64_t n, char *text, size_t bytes)
{
    for (;;) {
        rd_kafka_resp_err_t code = rd_kafka_producev(
            rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION((int32_t)(n % PARTITIONS)),
            RD_KAFKA_V_VALUE(text, bytes), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_END);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            fprintf(stderr, "bench_kafka: %s\n", rd_kafka_err2str(code));
            exit(1);
        }
        rd_kafka_poll(rk, 20);
    }
    rd_kafka_poll(rk, 0);
}

/* rate 0: as fast as it goes, and the events start when the plan says. */
static int produce(const struct payload_plan *plan, char **argv, uint64_t rate)
{
    char text[PAYLOAD_BYTES_MAX];
    rd_kafka_t *rk = client_open(RD_KAFKA_PRODUCER, argv[1]);
    uint64_t count = strtoull(argv[3], NULL, 10);
    int64_t started = clock_monotonic_us();
    for (uint64_t n = 0; n < count; n++) {
        int64_t due = rate ? started + (int64_t)(n * 1000000 / rate) : 0;
        int64_t left = due - clock_monotonic_us();
        if (rate && left > 1000)
            nanosleep(&(struct timespec){left / 1000000, left % 1000000 * 1000}, NULL);
        size_t bytes = payload_write(plan, n, rate ? clock_now_us() : 0, text);
        send_event(rk, argv[2], n, text, bytes);
    }
    rd_kafka_resp_err_t code = rd_kafka_flush(rk, TIMEOUT_MS);
    rd_kafka_destroy(rk);
    return code ? 1 : 0;
}

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int consume(char **argv)
{
    rd_kafka_t *rk = client_open(RD_KAFKA_CONSUMER, argv[1]);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    uint64_t count = strtoull(argv[3], NULL, 10), seen = 0, bytes = 0;
    int64_t started = 0;
    double cpu = 0;
    for (int32_t i = 0; i < PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(list, argv[2], i)->offset = 0;
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    while (seen < count) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 10000);
        if (!message)
            break;
        if (!message->err && seen++ == 0) {
            started = clock_monotonic_us();
            cpu = cpu_s();
        }
        bytes += message->len;
        rd_kafka_message_destroy(message);
    }
    double seconds = (double)(clock_monotonic_us() - started) / 1e6;
    printf("{\"messages\":%llu,\"bytes\":%llu,\"rate\":%.0f,\"cpu\":%.3f}\n",
           (unsigned long long)seen, (unsigned long long)bytes, (double)seen / seconds,
           (cpu_s() - cpu) / (double)(seen ? seen : 1) * 1e6);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return seen == count ? 0 : 1;
}

static int print(const struct payload_plan *plan, const char *count)
{
    char text[PAYLOAD_BYTES_MAX];
    for (uint64_t n = 0, end = strtoull(count, NULL, 10); n < end; n++) {
        size_t bytes = payload_write(plan, n, 0, text);
        text[bytes] = '\n';
        fwrite(text, 1, bytes + 1, stdout);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct payload_plan plan = {1, INT64_C(1795500000000000), false, 200, 40, 5000, 0, 0};
    int at = payload_options(&plan, argc, argv);
    char **words = argv + at;
    int count = argc - at;
    if (count == 4 && strcmp(words[0], "load") == 0)
        return produce(&plan, words, 0);
    if (count == 5 && strcmp(words[0], "pace") == 0)
        return produce(&plan, words, strtoull(words[4], NULL, 10));
    if (count == 4 && strcmp(words[0], "consume") == 0)
        return consume(words);
    if (count == 2 && strcmp(words[0], "print") == 0)
        return print(&plan, words[1]);
    fprintf(stderr, "bench_kafka: see the head of its source\n");
    return 64;
}
