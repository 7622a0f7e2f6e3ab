/* SPDX-License-Identifier: Apache-2.0 */
/* A look at what the brokers hold, without being a member of the group: for `check`. */
#include "ingest/kafka_impl.h"

#include "core/clock.h"

#define METADATA_TIMEOUT_MS 5000
#define READ_TIMEOUT_MS 10000
#define LOOK_BACK 8 /* offsets before the end: the last ones may be marks of transactions */

bool consumer_each_topic(struct consumer *consumer, topic_fn *each, void *context, struct err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(consumer->rk, 1, NULL, &metadata, METADATA_TIMEOUT_MS);
    if (code)
        return err_set(err, ERR_UNAVAILABLE, "kafka: metadata: %s", rd_kafka_err2str(code));
    for (int i = 0; i < metadata->topic_cnt; i++)
        each(metadata->topics[i].topic, metadata->topics[i].partition_cnt, context);
    rd_kafka_metadata_destroy(metadata);
    return true;
}

/* Reads to the end of the one partition that is assigned; the last message stays in *message. */
static bool read_to_end(struct consumer *consumer, struct kafka_message *message, struct err *err)
{
    int64_t end_ms = clock_monotonic_ms() + READ_TIMEOUT_MS;
    while (clock_monotonic_ms() < end_ms) {
        struct kafka_message next;
        consumer_poll(consumer, 100, &next);
        if (next.kind == POLL_EOF || next.kind == POLL_OUT_OF_RANGE) {
            consumer_release(&next);
            return true;
        }
        if (next.kind == POLL_MESSAGE) {
            consumer_release(message);
            *message = next;
            continue;
        }
        if (next.kind != POLL_NOTHING)
            err_set(err, ERR_UNAVAILABLE, "kafka: %s", next.error);
        consumer_release(&next);
        if (err->kind != ERR_NONE)
            return false;
    }
    return err_set(err, ERR_UNAVAILABLE, "kafka: no message came within %d ms", READ_TIMEOUT_MS);
}

static bool newest_of(struct consumer *consumer, const char *topic, int32_t partition,
                      struct kafka_message *message, struct err *err)
{
    int64_t low, high;
    if (!consumer_watermarks(consumer, topic, partition, &low, &high, err))
        return false;
    if (low >= high)
        return true;
    const struct kafka_partition from = {
        .topic = topic,
        .partition = partition,
        .offset = high - LOOK_BACK > low ? high - LOOK_BACK : low,
    };
    bool ok = consumer_assign(consumer, &from, 1, err) && read_to_end(consumer, message, err);
    return consumer_assign(consumer, NULL, 0, err) && ok;
}

bool consumer_newest(struct consumer *consumer, const char *topic, int32_t partitions,
                     struct kafka_message *message, struct err *err)
{
    *message = (struct kafka_message){.kind = POLL_NOTHING};
    bool ok = true;
    for (int32_t i = 0; ok && i < partitions && message->kind == POLL_NOTHING; i++)
        ok = newest_of(consumer, topic, i, message, err);
    if (!ok)
        consumer_release(message);
    return ok;
}
