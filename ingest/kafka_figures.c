/* SPDX-License-Identifier: Apache-2.0 */
/*
 * librdkafka's statistics, which come as one JSON object: brokers first, topics, then the totals
 * under names that stand in the others too. So a total is the last of its name, and what only
 * brokers have is summed.
 */
#include "ingest/kafka_impl.h"

#include <stdlib.h>
#include <string.h>

static int64_t number_at(const char *found, const char *name)
{
    return found ? strtoll(found + strlen(name), NULL, 10) : 0;
}

static int64_t last_of(const char *json, const char *name)
{
    const char *last = NULL;
    for (const char *p = strstr(json, name); p; p = strstr(p + 1, name))
        last = p;
    return number_at(last, name);
}

static int64_t sum_of_all(const char *json, const char *name)
{
    int64_t sum = 0;
    for (const char *p = strstr(json, name); p; p = strstr(p + 1, name))
        sum += number_at(p, name);
    return sum;
}

int kafka_on_figures(rd_kafka_t *rk, char *json, size_t bytes, void *opaque)
{
    struct consumer *consumer = opaque;
    (void)rk, (void)bytes;
    consumer->figures = (struct consumer_figures){
        .requests = last_of(json, "\"tx\":"),
        .responses = last_of(json, "\"rx\":"),
        .received_bytes = last_of(json, "\"rx_bytes\":"),
        .messages = last_of(json, "\"rxmsgs\":"),
        .connects = sum_of_all(json, "\"connects\":"),
        .disconnects = sum_of_all(json, "\"disconnects\":"),
        .queued_messages = sum_of_all(json, "\"fetchq_cnt\":"),
        .queued_bytes = sum_of_all(json, "\"fetchq_size\":"),
    };
    return 0;
}

void consumer_figures(const struct consumer *consumer, struct consumer_figures *figures)
{
    *figures = consumer->figures;
}

int64_t consumer_cached_end(const struct consumer *consumer, const char *topic, int32_t partition)
{
    int64_t low = -1, high = -1;
    rd_kafka_resp_err_t code =
        rd_kafka_get_watermark_offsets(consumer->rk, topic, partition, &low, &high);
    return code || high < 0 ? -1 : high;
}
