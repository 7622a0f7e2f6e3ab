/* SPDX-License-Identifier: Apache-2.0 */
/* The consumer: creating, polling, assigning, closing. */
#include "ingest/kafka_impl.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/secret.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COMMITTED_TIMEOUT_MS 2000
#define CLOSE_TIMEOUT_MS 3000
#define WAKE_TIMEOUT_MS 100
#define BEGAN "spendlog began at "

/* What the protocol rests on (docs/architecture.md, "Offsets live in PostgreSQL"): set last. The
 * configuration refuses them, config_kafka_refused(). */
static const struct {
    const char *name, *value;
} forced[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},
    {"isolation.level", "read_committed"},
    {"partition.assignment.strategy", "range,roundrobin"},
    {"enable.partition.eof", "true"},
};

/* Ours, unless the operator sets them. 45 s of session would be waited for after each kill -9, and
 * 5 minutes for a new topic or partition. */
static const struct {
    const char *name, *value;
} preset[] = {
    {"session.timeout.ms", "6000"},     {"heartbeat.interval.ms", "1500"},
    {LOOK_PROPERTY, LOOK_PRESET_MS},    {"client.id", "spendlog"},
    {"statistics.interval.ms", "5000"},
};

const char *kafka_property(const struct consumer_options *options, const char *name)
{
    for (size_t i = options->property_count; i-- > 0;)
        if (strcmp(options->property[i].name, name) == 0)
            return options->property[i].value;
    return NULL;
}

static bool conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
    char text[512];
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, text, sizeof(text));
    if (result == RD_KAFKA_CONF_OK)
        return true;
    if (result == RD_KAFKA_CONF_UNKNOWN)
        return err_set(err, ERR_CONFIG, "librdkafka %s has no property \"%s\"",
                       rd_kafka_version_str(), name);
    /* Its words quote the value. */
    return err_set(err, ERR_CONFIG, "%s: %s", name,
                   secret_property(name) ? "librdkafka refuses the value" : text);
}

#define QUEUE_KBYTES                                                                               \
    32768u /* of a member; all members of a process together have four times that */
#define QUEUE_KBYTES_BACKOFF 16384u

/* Before librdkafka 2.2.0 the thread that fetches from a broker looks at a queue that was full only
 * when something wakes it, or after a second: no more than a queue a second is read (128 MB of
 * queue: 41,000 messages of 4 KB; woken: see queue_wake()). */
static bool conf_set_queue(rd_kafka_conf_t *conf, struct consumer *consumer, struct err *err)
{
    const struct consumer_options *options = &consumer->options;
    char text[512], number[32];
    size_t bytes = sizeof(number);
    bool backoff = rd_kafka_conf_set(conf, "fetch.queue.backoff.ms", "5", text, sizeof(text)) ==
                   RD_KAFKA_CONF_OK;
    unsigned kbytes = backoff ? QUEUE_KBYTES_BACKOFF : QUEUE_KBYTES;
    if (options->lanes > 4)
        kbytes = kbytes * 4 / options->lanes;
    snprintf(number, sizeof(number), "%u", kbytes);
    if (!kafka_property(options, "queued.max.messages.kbytes") &&
        !conf_set(conf, "queued.max.messages.kbytes", number, err))
        return false;
    if (!kafka_property(options, "queued.min.messages") &&
        !conf_set(conf, "queued.min.messages", "1000000", err))
        return false;
    if (!backoff &&
        rd_kafka_conf_get(conf, "queued.max.messages.kbytes", number, &bytes) == RD_KAFKA_CONF_OK)
        consumer->queue_bytes = strtoll(number, NULL, 10) * 1024;
    return true;
}

/* Where the property of that name stands goes before the error's text. Always false. */
static bool blame(const struct consumer_options *options, struct slice name, struct err *err)
{
    for (size_t i = 0; i < options->property_count; i++)
        if (slice_eq(slice_of(options->property[i].name), name))
            err_prefix(err, "%s", options->property[i].origin);
    return false;
}

/* librdkafka takes any number for a port and tries it for ever. */
static bool ports_check(const struct consumer_options *options, const char *name, struct err *err)
{
    const char *brokers = kafka_property(options, name);
    for (const char *p = brokers ? strchr(brokers, ':') : NULL; p; p = strchr(p + 1, ':')) {
        char *end;
        long port = strtol(p + 1, &end, 10);
        if (end > p + 1 && (*end == '\0' || *end == ',' || *end == ' ') &&
            (port < 1 || port > 65535))
            return err_set(err, ERR_CONFIG, "%s: port %ld is not between 1 and 65535", name,
                           port) ||
                   blame(options, slice_of(name), err);
    }
    return true;
}

static bool conf_fill(rd_kafka_conf_t *conf, struct consumer *consumer, struct err *err)
{
    const struct consumer_options *options = &consumer->options;
    for (size_t i = 0; i < sizeof(preset) / sizeof(preset[0]); i++)
        if (!conf_set(conf, preset[i].name, preset[i].value, err))
            return false;
    for (size_t i = 0; i < options->property_count; i++) {
        const struct kafka_property *p = &options->property[i];
        if (!conf_set(conf, p->name, p->value, err))
            return err_prefix(err, "%s: %s", p->origin, p->name);
    }
    for (size_t i = 0; i < sizeof(forced) / sizeof(forced[0]); i++)
        if (!conf_set(conf, forced[i].name, forced[i].value, err))
            return false;
    if (!ports_check(options, "bootstrap.servers", err) ||
        !ports_check(options, "metadata.broker.list", err))
        return false;
    if (!kafka_property(options, "group.id"))
        return err_set(err, ERR_CONFIG, "kafka: group.id is not set");
    return conf_set_queue(conf, consumer, err);
}

/* Topic names of a rebalance die with its list; ours live until close. */
static const char *name_keep(struct consumer *consumer, const char *name)
{
    for (size_t i = 0; i < consumer->name_count; i++)
        if (strcmp(consumer->names[i], name) == 0)
            return consumer->names[i];
    char **names = realloc(consumer->names, (consumer->name_count + 1) * sizeof(*names));
    char *copy = strdup(name);
    if (!names || !copy)
        abort(); /* a few bytes per topic name: nothing sensible is left to do */
    consumer->names = names;
    consumer->names[consumer->name_count++] = copy;
    return copy;
}

static void states_clear(struct consumer *consumer)
{
    for (size_t i = 0; i < consumer->topic_count; i++)
        free(consumer->topics[i].by_partition);
    free(consumer->topics);
    consumer->topics = NULL;
    consumer->topic_count = 0;
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct consumer *consumer = opaque;
    const struct consumer_handler *handler = &consumer->options.handler;

    if (code != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        handler->revoked(consumer->options.context, rd_kafka_assignment_lost(rk));
        states_clear(consumer); /* they die with the assignment; answers may still come */
        rd_kafka_assign(rk, NULL);
        return;
    }
    size_t count = (size_t)list->cnt;
    struct kafka_partition *partitions = calloc(count ? count : 1, sizeof(*partitions));
    if (!partitions)
        abort();
    for (size_t i = 0; i < count; i++) {
        partitions[i].topic = name_keep(consumer, list->elems[i].topic);
        partitions[i].partition = list->elems[i].partition;
    }
    handler->assigned(consumer->options.context, partitions, count);
    free(partitions);
}

/* Messages of a topic come together: the one found comes first, however many there are. */
static void *state_find(struct consumer *consumer, const char *topic, int32_t partition)
{
    size_t i = 0;
    while (i < consumer->topic_count && strcmp(consumer->topics[i].name, topic) != 0)
        i++;
    if (i == consumer->topic_count)
        return NULL;
    const struct topic_states found = consumer->topics[i];
    if (i > 0) {
        consumer->topics[i] = consumer->topics[0];
        consumer->topics[0] = found;
    }
    return partition >= 0 && partition < found.capacity ? found.by_partition[partition] : NULL;
}

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct consumer *consumer = opaque;
    (void)rk;
    if (!consumer->options.handler.told || !list)
        return;
    for (int i = 0; !code && i < list->cnt; i++) {
        void *state = state_find(consumer, list->elems[i].topic, list->elems[i].partition);
        if (state && !list->elems[i].err)
            consumer->options.handler.told(consumer->options.context, state);
    }
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct consumer *consumer = opaque;
    if (consumer->options.quiet)
        return;
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        rd_kafka_fatal_error(rk, consumer->fatal_text, sizeof(consumer->fatal_text));
        consumer->fatal = true;
        return;
    }
    log_warn("kafka: %s: %s", rd_kafka_err2name((rd_kafka_resp_err_t)code), reason);
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const struct consumer *consumer = rd_kafka_opaque(rk);
    if (level <= 4 && !consumer->options.quiet)
        log_warn("kafka: %s: %s", facility, text);
    else
        log_debug("kafka: %s: %s", facility, text);
}

struct consumer *consumer_new(const struct consumer_options *options, struct err *err)
{
    struct consumer *consumer = calloc(1, sizeof(*consumer));
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[512];

    if (!consumer || !conf) {
        err_set(err, ERR_FATAL, "out of memory");
        goto failed;
    }
    consumer->options = *options;
    if (!conf_fill(conf, consumer, err))
        goto failed;
    rd_kafka_conf_set_opaque(conf, consumer);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_stats_cb(conf, kafka_on_figures);
    consumer->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (!consumer->rk) {
        /* librdkafka opens the files of properties late; its text begins with the name of one */
        err_set(err, ERR_CONFIG, "kafka: %s", text);
        blame(options, (struct slice){text, strcspn(text, " :")}, err);
        goto failed;
    }
    rd_kafka_poll_set_consumer(consumer->rk);
    return consumer;

failed:
    if (conf && (!consumer || !consumer->rk))
        rd_kafka_conf_destroy(conf);
    free(consumer);
    return NULL;
}

bool consumer_options_check(const struct consumer_options *options, struct err *err)
{
    struct consumer consumer = {.options = *options};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (!conf)
        return err_set(err, ERR_FATAL, "out of memory");
    bool ok = conf_fill(conf, &consumer, err);
    rd_kafka_conf_destroy(conf);
    return ok;
}

bool consumer_cluster_id(struct consumer *consumer, int timeout_ms, char *id, size_t capacity,
                         struct err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    /* Full metadata brings the id along; waiting for it alone would connect late. */
    if (rd_kafka_metadata(consumer->rk, 1, NULL, &metadata, timeout_ms) == 0)
        rd_kafka_metadata_destroy(metadata);
    char *cluster = rd_kafka_clusterid(consumer->rk, timeout_ms);
    if (!cluster)
        return err_set(err, ERR_UNAVAILABLE, "kafka: no broker answered within %d ms", timeout_ms);
    snprintf(id, capacity, "%s", cluster);
    rd_kafka_mem_free(consumer->rk, cluster);
    return true;
}

bool consumer_subscribe(struct consumer *consumer, struct err *err)
{
    const struct consumer_options *options = &consumer->options;
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)options->topic_count);
    for (size_t i = 0; i < options->topic_count; i++)
        rd_kafka_topic_partition_list_add(list, options->topic[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(consumer->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return err_set(err, ERR_CONFIG, "kafka: subscribe: %s", rd_kafka_err2str(code));
    return true;
}

static enum poll_kind kind_of(const rd_kafka_message_t *message)
{
    switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return POLL_MESSAGE;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        return POLL_EOF;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return POLL_OUT_OF_RANGE;
    case RD_KAFKA_RESP_ERR__FATAL:
        return POLL_FATAL;
    default:
        return POLL_ERROR;
    }
}

/* Whether the queue may have been full since the fetching threads were woken last: what is in it
 * now, at the size of the messages read since then, and those. */
static bool queue_was_full(const struct consumer *consumer)
{
    int64_t size = consumer->read_bytes / (consumer->read_messages + 1);
    int64_t queued = rd_kafka_outq_len(consumer->rk) * size;
    return queued + consumer->read_bytes > consumer->queue_bytes / 10 * 9;
}

/* Asks the leaders of all partitions for the end of their logs, only so that the threads that talk
 * to them look at the queue again: 1 to 5 ms a time. One that waits for new messages must not be
 * asked, it answers after fetch.wait.max.ms; but then the queue was not full. */
static void queue_wake(struct consumer *consumer)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    bool wake = queue_was_full(consumer);
    consumer->read_bytes = consumer->read_messages = 0;
    if (!wake || rd_kafka_assignment(consumer->rk, &list) || !list)
        return;
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_END;
    if (list->cnt > 0)
        rd_kafka_offsets_for_times(consumer->rk, list, WAKE_TIMEOUT_MS);
    rd_kafka_topic_partition_list_destroy(list);
}

/* One list for each message that has headers; without memory for it the message has none. */
static void envelope_take(const rd_kafka_message_t *m, struct envelope *envelope)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t bytes, count = 0;
    if (m->key)
        envelope->key = (struct slice){m->key, m->key_len};
    if (rd_kafka_message_headers(m, &headers))
        return;
    size_t most = rd_kafka_header_cnt(headers);
    if (most == 0)
        return;
    if (most > HEADERS_MAX) {
        log_warn("%s/%d/%lld: %zu headers: those from the %dth on are not seen",
                 rd_kafka_topic_name(m->rkt), (int)m->partition, (long long)m->offset, most,
                 HEADERS_MAX + 1);
        most = HEADERS_MAX;
    }
    struct header *list = calloc(most, sizeof(*list));
    while (list && count < most && !rd_kafka_header_get_all(headers, count, &name, &value, &bytes))
        list[count++] = (struct header){slice_of(name), {value, value ? bytes : 0}};
    envelope->headers = list;
    envelope->header_count = count;
}

void consumer_poll(struct consumer *consumer, int timeout_ms, struct kafka_message *message)
{
    if (consumer->queue_bytes > 0 && consumer->read_bytes > consumer->queue_bytes / 4)
        queue_wake(consumer);
    *message = (struct kafka_message){.kind = POLL_NOTHING};
    /* Without waiting librdkafka does not ask for the time. */
    rd_kafka_message_t *m = rd_kafka_consumer_poll(consumer->rk, 0);
    if (!m && timeout_ms > 0)
        m = rd_kafka_consumer_poll(consumer->rk, timeout_ms);
    if (consumer->fatal) {
        message->kind = POLL_FATAL;
        message->error = consumer->fatal_text;
    }
    if (!m)
        return;
    message->handle = m;
    if (message->kind == POLL_FATAL)
        return;
    message->kind = kind_of(m);
    message->partition = m->partition;
    message->offset = m->offset;
    if (m->rkt) {
        message->topic = rd_kafka_topic_name(m->rkt);
        message->state = state_find(consumer, message->topic, m->partition);
    }
    if (message->kind == POLL_MESSAGE) {
        rd_kafka_timestamp_type_t type;
        int64_t time_ms = rd_kafka_message_timestamp(m, &type);
        message->time_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : time_ms;
        message->value = (struct slice){m->payload, m->len};
        envelope_take(m, &message->envelope);
        consumer->read_bytes += (int64_t)m->len;
        consumer->read_messages++;
        message->tombstone = m->payload == NULL;
    } else {
        message->error = rd_kafka_message_errstr(m);
    }
}

void consumer_release(struct kafka_message *message)
{
    if (message->handle)
        rd_kafka_message_destroy(message->handle);
    free((void *)(uintptr_t)message->envelope.headers);
    message->envelope = (struct envelope){0};
    message->handle = NULL;
}

static struct topic_states *states_of(struct consumer *consumer, const char *topic)
{
    for (size_t i = 0; i < consumer->topic_count; i++)
        if (strcmp(consumer->topics[i].name, topic) == 0)
            return &consumer->topics[i];
    struct topic_states *topics =
        realloc(consumer->topics, (consumer->topic_count + 1) * sizeof(*topics));
    if (!topics)
        abort();
    consumer->topics = topics;
    topics[consumer->topic_count] = (struct topic_states){.name = name_keep(consumer, topic)};
    return &topics[consumer->topic_count++];
}

static void state_put(struct consumer *consumer, const struct kafka_partition *partition)
{
    struct topic_states *states = states_of(consumer, partition->topic);
    if (partition->partition >= states->capacity) {
        int32_t capacity = partition->partition + 16;
        void **grown = realloc(states->by_partition, (size_t)capacity * sizeof(*grown));
        if (!grown)
            abort();
        memset(grown + states->capacity, 0, (size_t)(capacity - states->capacity) * sizeof(*grown));
        states->by_partition = grown;
        states->capacity = capacity;
    }
    states->by_partition[partition->partition] = partition->state;
}

static rd_kafka_topic_partition_list_t *list_of(const struct kafka_partition *partitions,
                                                size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, partitions[i].topic, partitions[i].partition)
            ->offset = partitions[i].offset;
    return list;
}

bool consumer_assign(struct consumer *consumer, const struct kafka_partition *partitions,
                     size_t count, struct err *err)
{
    states_clear(consumer);
    for (size_t i = 0; i < count; i++)
        state_put(consumer, &partitions[i]);
    rd_kafka_topic_partition_list_t *list = list_of(partitions, count);
    rd_kafka_resp_err_t code = rd_kafka_assign(consumer->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return err_set(err, ERR_RETRY, "kafka: assign: %s", rd_kafka_err2str(code));
    return true;
}

bool consumer_watermarks(struct consumer *consumer, const char *topic, int32_t partition,
                         int64_t *low, int64_t *high, struct err *err)
{
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(consumer->rk, topic, partition, low, high, 5000);
    if (!code)
        return true;
    bool unknown = code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
                   code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
                   code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    return err_set(err, unknown ? ERR_RETRY : ERR_UNAVAILABLE, "kafka: offsets of %s/%d: %s", topic,
                   (int)partition, rd_kafka_err2str(code));
}

bool consumer_partition_count(struct consumer *consumer, const char *topic, int32_t *count,
                              struct err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(consumer->rk, topic, NULL);
    if (!rkt)
        return err_set(err, ERR_UNAVAILABLE, "kafka: topic %s: %s", topic,
                       rd_kafka_err2str(rd_kafka_last_error()));
    rd_kafka_resp_err_t code = rd_kafka_metadata(consumer->rk, 0, rkt, &metadata, 5000);
    rd_kafka_topic_destroy(rkt);
    if (code)
        return err_set(err, ERR_UNAVAILABLE, "kafka: metadata of %s: %s", topic,
                       rd_kafka_err2str(code));
    *count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    return true;
}

/* Beside an offset Kafka keeps a text of ours: where the group began. A database that has lost the
 * row finds it there. */
static void began_write(rd_kafka_topic_partition_t *element, int64_t began)
{
    char text[sizeof(BEGAN) + 20];
    if (began < 0)
        return;
    int bytes = snprintf(text, sizeof(text), BEGAN "%lld", (long long)began);
    element->metadata = malloc((size_t)bytes); /* librdkafka frees it with the list */
    if (!element->metadata)
        return;
    memcpy(element->metadata, text, (size_t)bytes);
    element->metadata_size = (size_t)bytes;
}

static int64_t began_read(const rd_kafka_topic_partition_t *element)
{
    const size_t before = sizeof(BEGAN) - 1;
    const char *text = element->metadata;
    int64_t began = 0;
    size_t i = before;
    if (!text || element->metadata_size <= before || element->metadata_size > before + 18 ||
        memcmp(text, BEGAN, before) != 0)
        return -1;
    while (i < element->metadata_size && text[i] >= '0' && text[i] <= '9')
        began = began * 10 + (text[i++] - '0');
    return i == element->metadata_size ? began : -1;
}

void consumer_commit(struct consumer *consumer, const struct kafka_partition *partitions,
                     size_t count)
{
    rd_kafka_topic_partition_list_t *list = list_of(partitions, count);
    for (size_t i = 0; i < count; i++)
        began_write(&list->elems[i], partitions[i].began);
    rd_kafka_resp_err_t code = rd_kafka_commit(consumer->rk, list, 1);
    if (code)
        log_debug("kafka: commit for lag tools: %s", rd_kafka_err2str(code));
    rd_kafka_topic_partition_list_destroy(list);
}

bool consumer_committed(struct consumer *consumer, struct kafka_partition *partitions, size_t count,
                        struct err *err)
{
    rd_kafka_topic_partition_list_t *list = list_of(partitions, count);
    rd_kafka_resp_err_t code = rd_kafka_committed(consumer->rk, list, COMMITTED_TIMEOUT_MS);
    for (size_t i = 0; !code && i < count; i++) {
        partitions[i].offset = list->elems[i].offset < 0 ? -1 : list->elems[i].offset;
        partitions[i].began = began_read(&list->elems[i]);
        code = list->elems[i].err;
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return err_set(err, ERR_UNAVAILABLE, "kafka: committed offsets: %s",
                       rd_kafka_err2str(code));
    return true;
}

/* Until librdkafka 2.1.0 leaving a group could wait for ever for a partition whose topic was
 * deleted meanwhile (its CHANGELOG). */
static bool leave_group(rd_kafka_t *rk)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    int64_t end_ms = clock_monotonic_ms() + CLOSE_TIMEOUT_MS;
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(rk, queue);
    while (!error && !rd_kafka_consumer_closed(rk) && clock_monotonic_ms() < end_ms) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 50);
        if (message)
            rd_kafka_message_destroy(message);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_error_destroy(error);
    return rd_kafka_consumer_closed(rk);
}

static void *destroy_main(void *rk)
{
    rd_kafka_destroy(rk);
    return NULL;
}

static bool destroy(rd_kafka_t *rk)
{
    pthread_t thread;
    struct timespec end;
    if (pthread_create(&thread, NULL, destroy_main, rk) != 0)
        return false;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += CLOSE_TIMEOUT_MS / 1000;
    if (pthread_timedjoin_np(thread, NULL, &end) == 0)
        return true;
    pthread_detach(thread);
    return false;
}

void consumer_close(struct consumer *consumer)
{
    if (!consumer)
        return;
    if (!leave_group(consumer->rk) || !destroy(consumer->rk)) {
        log_warn("kafka: the consumer does not end: left alone");
        return; /* its threads still use all of it */
    }
    states_clear(consumer);
    for (size_t i = 0; i < consumer->name_count; i++)
        free(consumer->names[i]);
    free(consumer->names);
    free(consumer);
}

const char *kafka_version(void)
{
    return rd_kafka_version_str();
}
