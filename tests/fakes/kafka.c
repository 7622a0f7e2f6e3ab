/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each partition is an array of messages. A poll gives what the test has planned first, else the
 * next message of an assigned partition, else time passes.
 */
#include "tests/fakes/kafka.h"

#include "core/clock.h"
#include "tests/fakes/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAX 4096

struct log {
    const char *value[LOG_MAX]; /* by offset; NULL: no message there */
    int64_t time_ms[LOG_MAX];
    int64_t low, high;
    int64_t committed; /* -1 = none */
    int64_t began;     /* told with it */
};

struct reader {
    bool assigned, told_pending, end_told, stuck;
    bool repeat; /* the message before comes again */
    int64_t position;
    void *state;
};

struct consumer {
    struct consumer_options options;
    bool subscribed, owns;
    int next; /* partition that is looked at first */
};

struct fake_kafka fake_kafka;
static struct log logs[FAKE_PARTITIONS];
static struct reader reader[FAKE_PARTITIONS];
static struct {
    bool revoke, lost, assign;
    int first;
    size_t count;
} coming;

void fake_kafka_reset(void)
{
    fake_kafka = (struct fake_kafka){0};
    memset(logs, 0, sizeof(logs));
    memset(reader, 0, sizeof(reader));
    memset(&coming, 0, sizeof(coming));
    for (int i = 0; i < FAKE_PARTITIONS; i++)
        logs[i].committed = -1;
}

void fake_kafka_append(int partition, const char *value)
{
    struct log *log = &logs[partition];
    assert(log->high < LOG_MAX);
    log->time_ms[log->high] = clock_now_us() / 1000 + log->high;
    log->value[log->high++] = value;
    reader[partition].end_told = false;
}

void fake_kafka_skip(int partition, int64_t count)
{
    for (; count > 0; count--)
        fake_kafka_append(partition, NULL);
}

void fake_kafka_retain(int partition, int64_t low)
{
    logs[partition].low = low;
    if (logs[partition].high < low)
        logs[partition].high = low;
}

void fake_kafka_compact(int partition, int64_t offset)
{
    logs[partition].value[offset] = NULL;
}

void fake_kafka_recreate(int partition)
{
    memset(&logs[partition], 0, sizeof(logs[partition]));
    logs[partition].committed = -1;
    reader[partition].end_told = false;
}

void fake_kafka_forget(int partition)
{
    logs[partition].committed = -1;
}

int64_t fake_kafka_end(int partition)
{
    return logs[partition].high;
}

int64_t fake_kafka_time(int partition, int64_t offset)
{
    return logs[partition].time_ms[offset];
}

void fake_kafka_commit(int partition, int64_t offset)
{
    logs[partition].committed = offset;
}

int64_t fake_kafka_committed(int partition)
{
    return logs[partition].committed;
}

void fake_kafka_give(int first_partition, size_t count)
{
    coming.assign = true;
    coming.first = first_partition;
    coming.count = count;
}

void fake_kafka_take_away(bool lost)
{
    coming.revoke = true;
    coming.lost = lost;
}

static bool fails(unsigned *times, struct err *err, const char *what)
{
    if (*times == 0)
        return false;
    --*times;
    err_set(err, ERR_UNAVAILABLE, "kafka: %s: no broker answers", what);
    return true;
}

/* --- the consumer --------------------------------------------------------------------------- */

struct consumer *consumer_new(const struct consumer_options *options, struct err *err)
{
    struct consumer *consumer = calloc(1, sizeof(*consumer));
    (void)err;
    consumer->options = *options;
    return consumer;
}

bool consumer_cluster_id(struct consumer *consumer, int timeout_ms, char *id, size_t capacity,
                         struct err *err)
{
    (void)consumer;
    if (fails(&fake_kafka.fail_cluster_id, err, "cluster")) {
        fake_clock_pass_ms(timeout_ms);
        return false;
    }
    snprintf(id, capacity, "cluster");
    return true;
}

bool consumer_subscribe(struct consumer *consumer, struct err *err)
{
    if (fake_kafka.fail_subscribe > 0)
        return err_set(err, ERR_CONFIG, "kafka: subscribe: invalid");
    consumer->subscribed = true;
    return true;
}

static void revoke(struct consumer *consumer, bool lost)
{
    if (!consumer->owns)
        return;
    consumer->options.handler.revoked(consumer->options.context, lost);
    consumer->owns = false;
    memset(reader, 0, sizeof(reader));
    fake_kafka.assigned = 0;
}

static void rebalance(struct consumer *consumer)
{
    struct kafka_partition list[FAKE_PARTITIONS] = {0};
    if (coming.revoke || coming.assign)
        revoke(consumer, coming.revoke && coming.lost);
    coming.revoke = false;
    if (!coming.assign)
        return;
    coming.assign = false;
    for (size_t i = 0; i < coming.count; i++)
        list[i] =
            (struct kafka_partition){.topic = FAKE_TOPIC, .partition = coming.first + (int32_t)i};
    consumer->owns = true;
    consumer->options.handler.assigned(consumer->options.context, list, coming.count);
}

static bool message_next(struct consumer *consumer, int partition, struct kafka_message *message)
{
    struct reader *r = &reader[partition];
    const struct log *log = &logs[partition];
    (void)consumer;
    if (!r->assigned || r->stuck)
        return false;
    message->topic = FAKE_TOPIC;
    message->partition = partition;
    message->state = r->state;
    message->offset = r->position;
    if (r->position < log->low || r->position > log->high) {
        r->stuck = true;
        message->kind = POLL_OUT_OF_RANGE;
        return true;
    }
    while (r->position < log->high && !log->value[r->position])
        r->position++;
    message->offset = r->position;
    if (r->position < log->high) {
        message->kind = POLL_MESSAGE;
        message->value = slice_of(log->value[r->position]);
        message->time_ms = log->time_ms[r->position];
        message->envelope = fake_kafka.envelope;
        r->position += !r->repeat;
        r->repeat = false;
        return true;
    }
    if (r->end_told)
        return false;
    r->end_told = true;
    message->kind = POLL_EOF;
    return true;
}

void consumer_poll(struct consumer *consumer, int timeout_ms, struct kafka_message *message)
{
    *message = (struct kafka_message){.kind = POLL_NOTHING};
    if (consumer->subscribed)
        rebalance(consumer);
    for (int i = 0; i < FAKE_PARTITIONS; i++)
        if (reader[i].told_pending && !fake_kafka.never_tells) {
            reader[i].told_pending = false;
            consumer->options.handler.told(consumer->options.context, reader[i].state);
        }
    if (fake_kafka.fatal || fake_kafka.error) {
        message->kind = fake_kafka.fatal ? POLL_FATAL : POLL_ERROR;
        message->error = fake_kafka.fatal ? fake_kafka.fatal : fake_kafka.error;
        fake_kafka.error = NULL;
        return;
    }
    for (int i = 0; i < FAKE_PARTITIONS; i++) {
        int partition = (consumer->next + i) % FAKE_PARTITIONS;
        if (message_next(consumer, partition, message)) {
            consumer->next = partition + 1;
            return;
        }
    }
    fake_clock_pass_ms(timeout_ms);
}

void consumer_release(struct kafka_message *message)
{
    (void)message;
}

bool consumer_assign(struct consumer *consumer, const struct kafka_partition *partitions,
                     size_t count, struct err *err)
{
    (void)consumer;
    if (count > 0 && fails(&fake_kafka.fail_assign, err, "assign"))
        return false;
    memset(reader, 0, sizeof(reader));
    for (size_t i = 0; i < count; i++)
        reader[partitions[i].partition] = (struct reader){.assigned = true,
                                                          .repeat = fake_kafka.repeats,
                                                          .position = partitions[i].offset,
                                                          .state = partitions[i].state};
    fake_kafka.assigned = count;
    fake_kafka.assigns += count > 0;
    fake_kafka.empty_assigns += count == 0;
    return true;
}

bool consumer_watermarks(struct consumer *consumer, const char *topic, int32_t partition,
                         int64_t *low, int64_t *high, struct err *err)
{
    (void)consumer;
    (void)topic;
    if (fake_kafka.watermarks_before > 0)
        fake_kafka.watermarks_before--;
    else if (fails(&fake_kafka.fail_watermarks, err, "watermarks"))
        return false;
    *low = logs[partition].low;
    *high = logs[partition].high;
    return true;
}

void consumer_figures(const struct consumer *consumer, struct consumer_figures *figures)
{
    (void)consumer;
    *figures = (struct consumer_figures){0};
}

int64_t consumer_cached_end(const struct consumer *consumer, const char *topic, int32_t partition)
{
    (void)consumer;
    (void)topic;
    return logs[partition].high;
}

bool consumer_partition_count(struct consumer *consumer, const char *topic, int32_t *count,
                              struct err *err)
{
    (void)consumer;
    (void)topic;
    (void)err;
    *count = FAKE_PARTITIONS;
    return true;
}

void consumer_commit(struct consumer *consumer, const struct kafka_partition *partitions,
                     size_t count)
{
    (void)consumer;
    for (size_t i = 0; i < count; i++) {
        logs[partitions[i].partition].committed = partitions[i].offset;
        logs[partitions[i].partition].began = partitions[i].began;
        reader[partitions[i].partition].told_pending = reader[partitions[i].partition].assigned;
    }
}

bool consumer_committed(struct consumer *consumer, struct kafka_partition *partitions, size_t count,
                        struct err *err)
{
    (void)consumer;
    if (fails(&fake_kafka.fail_committed, err, "committed offsets"))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct log *log = &logs[partitions[i].partition];
        partitions[i].offset = log->committed;
        partitions[i].began = log->committed < 0 ? -1 : log->began;
    }
    return true;
}

bool consumer_rejoin(struct consumer *consumer, struct err *err)
{
    (void)consumer;
    (void)err;
    fake_kafka.rejoins++;
    return true;
}

bool consumer_options_check(const struct consumer_options *options, struct err *err)
{
    for (size_t i = 0; i < options->property_count; i++)
        if (strcmp(options->property[i].name, "nonsense") == 0)
            return err_set(err, ERR_CONFIG, "librdkafka has no property \"nonsense\"");
    return true;
}

bool consumer_unowned(struct consumer *consumer, topic_is_ours_fn *ours, const void *context,
                      int32_t *unowned, struct err *err)
{
    (void)consumer;
    if (fails(&fake_kafka.fail_unowned, err, "members of the group"))
        return false;
    *unowned = ours(context, FAKE_TOPIC) ? fake_kafka.unowned : 0;
    return true;
}

bool consumer_topic_missing(struct consumer *consumer, const char **missing, struct err *err)
{
    (void)consumer;
    if (fails(&fake_kafka.fail_missing, err, "metadata"))
        return false;
    *missing = fake_kafka.missing;
    return true;
}

int consumer_look_interval_ms(const struct consumer *consumer)
{
    (void)consumer;
    return 1000;
}

const char *kafka_version(void)
{
    return "0.0.0";
}

void consumer_close(struct consumer *consumer)
{
    if (!consumer)
        return;
    revoke(consumer, false);
    fake_kafka.closes++;
    free(consumer);
}

bool consumer_each_topic(struct consumer *consumer, topic_fn *each, void *context, struct err *err)
{
    (void)consumer;
    (void)err;
    each(FAKE_TOPIC, FAKE_PARTITIONS, context);
    return true;
}

bool consumer_newest(struct consumer *consumer, const char *topic, int32_t partitions,
                     struct kafka_message *message, struct err *err)
{
    (void)consumer;
    (void)err;
    *message = (struct kafka_message){.kind = POLL_NOTHING, .topic = topic};
    for (int i = 0; i < partitions && message->kind == POLL_NOTHING; i++)
        if (logs[i].high > logs[i].low) {
            message->kind = POLL_MESSAGE;
            message->partition = i;
            message->offset = logs[i].high - 1;
            message->value = slice_of(logs[i].value[message->offset]);
        }
    return true;
}
