/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fault tests do to a Kafka cluster.
 *
 *     kafka_tool [-X key=value]... BROKERS create TOPIC PARTITIONS [key=value]...
 *     kafka_tool ... grow TOPIC PARTITIONS        more partitions
 *     kafka_tool ... delete TOPIC
 *     kafka_tool ... trim TOPIC PARTITION OFFSET  the log starts at OFFSET from now on
 *     kafka_tool ... offsets TOPIC                "partition low high" a line
 *     kafka_tool ... produce TOPIC                reads standard input, see below
 *
 * produce: "M PARTITION TIME_MS BYTES\n" + payload + "\n" is a message, BYTES -1 a tombstone. With
 * -X transactional.id=NAME, "B\n" begins, "C\n" commits, "A\n" aborts a transaction. "F\n" waits
 * until everything is delivered and answers "F\n". The producer is idempotent: what it does not
 * report as failed is in the log exactly once.
 */
#include <librdkafka/rdkafka.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 60000
#define PAYLOAD_BYTES_MAX (80 << 20)

static long delivered, failed;

static void die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("kafka_tool: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    (void)opaque;
    /* Purged by an abort is what an aborted message is meant to be. */
    if (message->err && message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
        message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) {
        failed++;
        fprintf(stderr, "kafka_tool: not delivered: %s\n", rd_kafka_err2str(message->err));
    } else {
        delivered++;
    }
}

static void conf_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[512];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
        die("%s", text);
}

static void conf_set_pair(rd_kafka_conf_t *conf, const char *pair)
{
    char name[128];
    const char *eq = strchr(pair, '=');
    if (!eq || (size_t)(eq - pair) >= sizeof(name))
        die("\"%s\" is not key=value", pair);
    memcpy(name, pair, (size_t)(eq - pair));
    name[eq - pair] = '\0';
    conf_set(conf, name, eq + 1);
}

/* --- administration */

static void topic_result_check(const rd_kafka_topic_result_t *const *results, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_topic_result_error(results[i]))
            die("%s: %s", rd_kafka_topic_result_name(results[i]),
                rd_kafka_topic_result_error_string(results[i])
                    ? rd_kafka_topic_result_error_string(results[i])
                    : rd_kafka_err2str(rd_kafka_topic_result_error(results[i])));
}

static rd_kafka_event_t *answer(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
    if (!event)
        die("no answer");
    if (rd_kafka_event_error(event))
        die("%s", rd_kafka_event_error_string(event));
    return event;
}

static void topic_create(rd_kafka_t *rk, rd_kafka_queue_t *queue, int argc, char **argv)
{
    char text[512];
    size_t count;
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(argv[0], (int)strtol(argv[1], NULL, 10), 1, text, sizeof(text));
    if (!topic)
        die("%s", text);
    for (int i = 2; i < argc; i++) {
        char *eq = strchr(argv[i], '=');
        if (!eq)
            die("\"%s\" is not key=value", argv[i]);
        *eq = '\0';
        rd_kafka_NewTopic_set_config(topic, argv[i], eq + 1);
    }
    rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    topic_result_check((const rd_kafka_topic_result_t *const *)results, count);
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(topic);
}

static void topic_grow(rd_kafka_t *rk, rd_kafka_queue_t *queue, int argc, char **argv)
{
    char text[512];
    size_t count;
    (void)argc;
    rd_kafka_NewPartitions_t *more =
        rd_kafka_NewPartitions_new(argv[0], (size_t)strtoul(argv[1], NULL, 10), text, sizeof(text));
    if (!more)
        die("%s", text);
    rd_kafka_CreatePartitions(rk, &more, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    const rd_kafka_topic_result_t **results = rd_kafka_CreatePartitions_result_topics(
        rd_kafka_event_CreatePartitions_result(event), &count);
    topic_result_check((const rd_kafka_topic_result_t *const *)results, count);
    rd_kafka_event_destroy(event);
    rd_kafka_NewPartitions_destroy(more);
}

static void topic_delete(rd_kafka_t *rk, rd_kafka_queue_t *queue, int argc, char **argv)
{
    size_t count;
    (void)argc;
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(argv[0]);
    rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    const rd_kafka_topic_result_t **results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    topic_result_check((const rd_kafka_topic_result_t *const *)results, count);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(topic);
}

static void topic_trim(rd_kafka_t *rk, rd_kafka_queue_t *queue, int argc, char **argv)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    (void)argc;
    rd_kafka_topic_partition_list_add(list, argv[0], (int32_t)strtol(argv[1], NULL, 10))->offset =
        strtoll(argv[2], NULL, 10);
    rd_kafka_DeleteRecords_t *records = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(rk, &records, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    const rd_kafka_topic_partition_list_t *done =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    if (done->elems[0].err)
        die("%s", rd_kafka_err2str(done->elems[0].err));
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(records);
    rd_kafka_topic_partition_list_destroy(list);
}

static void topic_offsets(rd_kafka_t *rk, rd_kafka_queue_t *queue, int argc, char **argv)
{
    const struct rd_kafka_metadata *metadata;
    (void)queue;
    (void)argc;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, argv[0], NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, topic, &metadata, TIMEOUT_MS);
    if (code || metadata->topic_cnt != 1 || metadata->topics[0].err)
        die("%s: %s", argv[0], rd_kafka_err2str(code ? code : metadata->topics[0].err));
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++) {
        int64_t low, high;
        int32_t partition = metadata->topics[0].partitions[i].id;
        code = rd_kafka_query_watermark_offsets(rk, argv[0], partition, &low, &high, TIMEOUT_MS);
        if (code)
            die("%s [%d]: %s", argv[0], (int)partition, rd_kafka_err2str(code));
        printf("%d %lld %lld\n", (int)partition, (long long)low, (long long)high);
    }
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
}

/* --- production */

static void transaction_check(rd_kafka_error_t *error, const char *what)
{
    if (error)
        die("%s: %s", what, rd_kafka_error_string(error));
}

static void message_send(rd_kafka_t *rk, const char *topic, const char *line)
{
    static char *payload;
    int partition;
    long long time_ms, bytes;
    if (sscanf(line, "M %d %lld %lld", &partition, &time_ms, &bytes) != 3 ||
        bytes > PAYLOAD_BYTES_MAX)
        die("cannot read \"%s\"", line);
    if (!payload && !(payload = malloc(PAYLOAD_BYTES_MAX)))
        die("out of memory");
    if (bytes >= 0 &&
        (fread(payload, 1, (size_t)bytes, stdin) != (size_t)bytes || getchar() != '\n'))
        die("payload cut short");
    void *value = bytes < 0 ? NULL : payload;
    size_t value_bytes = bytes < 0 ? 0 : (size_t)bytes;
    for (;;) {
        rd_kafka_resp_err_t code =
            rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                              RD_KAFKA_V_VALUE(value, value_bytes), RD_KAFKA_V_TIMESTAMP(time_ms),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (!code)
            break;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            die("produce: %s", rd_kafka_err2str(code));
        rd_kafka_poll(rk, 100);
    }
    rd_kafka_poll(rk, 0);
}

static void produce_line(rd_kafka_t *rk, const char *topic, const char *line)
{
    switch (line[0]) {
    case 'M':
        message_send(rk, topic, line);
        break;
    case 'B':
        transaction_check(rd_kafka_begin_transaction(rk), "begin");
        break;
    case 'C':
        transaction_check(rd_kafka_commit_transaction(rk, TIMEOUT_MS), "commit");
        break;
    case 'A':
        /* Everything is to reach the log first, or there is nothing for a reader to step over. */
        rd_kafka_flush(rk, TIMEOUT_MS);
        transaction_check(rd_kafka_abort_transaction(rk, TIMEOUT_MS), "abort");
        break;
    case 'F':
        if (rd_kafka_flush(rk, 2 * TIMEOUT_MS))
            die("flush: timed out");
        puts("F");
        fflush(stdout);
        break;
    default:
        die("cannot read \"%s\"", line);
    }
}

static int produce(rd_kafka_t *rk, const char *topic, bool transactional)
{
    char line[128];
    if (transactional)
        transaction_check(rd_kafka_init_transactions(rk, TIMEOUT_MS), "init");
    while (fgets(line, sizeof(line), stdin))
        produce_line(rk, topic, line);
    rd_kafka_flush(rk, 2 * TIMEOUT_MS);
    printf("delivered %ld failed %ld left %d\n", delivered, failed, rd_kafka_outq_len(rk));
    return failed || rd_kafka_outq_len(rk);
}

typedef void admin_fn(rd_kafka_t *rk, rd_kafka_queue_t *queue, int argc, char **argv);

static const struct {
    const char *name;
    admin_fn *run;
    int args_min;
} commands[] = {
    {"create", topic_create, 2}, {"grow", topic_grow, 2},       {"delete", topic_delete, 1},
    {"trim", topic_trim, 3},     {"offsets", topic_offsets, 1},
};

static void usage(void)
{
    die("usage: kafka_tool [-X key=value]... BROKERS COMMAND TOPIC ...; see the head of its "
        "source");
}

int main(int argc, char **argv)
{
    char text[512];
    bool transactional = false;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int at = 1, code = 0;

    conf_set(conf, "enable.idempotence", "true");
    conf_set(conf, "message.timeout.ms", "120000");
    conf_set(conf, "transaction.timeout.ms", "120000");
    conf_set(conf, "linger.ms", "2");
    for (; at + 1 < argc && strcmp(argv[at], "-X") == 0; at += 2) {
        conf_set_pair(conf, argv[at + 1]);
        transactional |= strncmp(argv[at + 1], "transactional.id=", 17) == 0;
    }
    if (argc - at < 3)
        usage();
    conf_set(conf, "bootstrap.servers", argv[at]);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (!rk)
        die("%s", text);
    const char *command = argv[at + 1];
    argc -= at + 2;
    argv += at + 2;
    if (strcmp(command, "produce") == 0) {
        code = produce(rk, argv[0], transactional);
    } else {
        rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
        size_t i = 0;
        while (i < sizeof(commands) / sizeof(commands[0]) && strcmp(commands[i].name, command) != 0)
            i++;
        if (i == sizeof(commands) / sizeof(commands[0]) || argc < commands[i].args_min)
            usage();
        commands[i].run(rk, queue, argc, argv);
        rd_kafka_queue_destroy(queue);
    }
    rd_kafka_destroy(rk);
    return code;
}
