/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the group owns all there is. The member that leads a group shares out what it sees at
 * that moment: a topic that is away just then, deleted and made again or on a broker that is
 * starting, gets no owner. When it is back as it was, librdkafka (2.0.2) sees no difference to what
 * it saw before and shares out nothing: the topic would never be read again.
 */
#include "ingest/kafka_impl.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_TIMEOUT_MS 1000

/* Kafka's ConsumerProtocolAssignment: int16 version, then an array of topics with their partitions.
 * Numbers are big-endian; false at the end of the bytes. */
struct assignment {
    const unsigned char *p, *end;
};

static bool number_next(struct assignment *a, unsigned bytes, int32_t *out)
{
    uint32_t v = 0;
    if ((size_t)(a->end - a->p) < bytes)
        return false;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | *a->p++;
    *out = (int32_t)v;
    return true;
}

/* Partitions of the topic in one member's assignment. */
static int32_t owned_by(const struct rd_kafka_group_member_info *member, const char *topic)
{
    const unsigned char *bytes = member->member_assignment;
    int32_t version, topics, length, partitions, owned = 0;
    if (!bytes)
        return 0;
    struct assignment a = {bytes, bytes + member->member_assignment_size};
    if (!number_next(&a, 2, &version) || !number_next(&a, 4, &topics))
        return 0;
    while (topics-- > 0) {
        if (!number_next(&a, 2, &length) || length > a.end - a.p)
            break;
        bool ours = slice_is((struct slice){(const char *)a.p, (size_t)length}, topic);
        a.p += length;
        if (!number_next(&a, 4, &partitions) || partitions < 0 || partitions > (a.end - a.p) / 4)
            break;
        owned += ours ? partitions : 0;
        a.p += (size_t)partitions * 4;
    }
    return owned;
}

static int32_t unowned_of(const struct rd_kafka_group_info *group,
                          const rd_kafka_metadata_topic_t *topic)
{
    int32_t owned = 0;
    for (int i = 0; i < group->member_cnt; i++)
        owned += owned_by(&group->members[i], topic->topic);
    return topic->partition_cnt > owned ? topic->partition_cnt - owned : 0;
}

/* Asks for all topics only when one of ours is a pattern. */
static const rd_kafka_metadata_t *metadata_get(struct consumer *consumer, struct err *err)
{
    const struct consumer_options *options = &consumer->options;
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_topic_t **known = calloc(options->topic_count + 1, sizeof(*known));
    size_t count = 0;
    int all = known == NULL;
    for (size_t i = 0; !all && i < options->topic_count; i++) {
        if (options->topic[i][0] == '^')
            all = 1;
        else if ((known[count] = rd_kafka_topic_new(consumer->rk, options->topic[i], NULL)))
            count++;
    }
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(consumer->rk, all, NULL, &metadata, LOOK_TIMEOUT_MS);
    while (count > 0)
        rd_kafka_topic_destroy(known[--count]);
    free(known);
    if (code)
        err_set(err, ERR_UNAVAILABLE, "kafka: metadata: %s", rd_kafka_err2str(code));
    return code ? NULL : metadata;
}

static bool topics_look(struct consumer *consumer, const struct rd_kafka_group_info *group,
                        topic_is_ours_fn *ours, const void *context, int32_t *unowned,
                        struct err *err)
{
    const rd_kafka_metadata_t *metadata = metadata_get(consumer, err);
    for (int i = 0; metadata && i < metadata->topic_cnt; i++)
        if (!metadata->topics[i].err && ours(context, metadata->topics[i].topic))
            *unowned += unowned_of(group, &metadata->topics[i]);
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    return metadata != NULL;
}

/* By the older call: rd_kafka_DescribeConsumerGroups() of librdkafka 2.0.2 ends in an assertion
 * when the broker goes away meanwhile. */
bool consumer_unowned(struct consumer *consumer, topic_is_ours_fn *ours, const void *context,
                      int32_t *unowned, struct err *err)
{
    const struct rd_kafka_group_list *list = NULL;
    const char *group = kafka_property(&consumer->options, "group.id");
    rd_kafka_resp_err_t code = rd_kafka_list_groups(consumer->rk, group, &list, LOOK_TIMEOUT_MS);
    bool ok = true;
    *unowned = 0;
    if (code)
        ok = err_set(err, ERR_UNAVAILABLE, "kafka: members of the group: %s",
                     rd_kafka_err2str(code));
    else if (list->group_cnt == 1 && !list->groups[0].err &&
             strcmp(list->groups[0].state, "Stable") == 0)
        ok = topics_look(consumer, &list->groups[0], ours, context, unowned, err);
    if (list)
        rd_kafka_group_list_destroy(list);
    return ok;
}

static bool is_known(const rd_kafka_metadata_t *metadata, const char *topic)
{
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, topic) == 0)
            return !metadata->topics[i].err && metadata->topics[i].partition_cnt > 0;
    return false;
}

bool consumer_topic_missing(struct consumer *consumer, const char **missing, struct err *err)
{
    const struct consumer_options *options = &consumer->options;
    const rd_kafka_metadata_t *metadata = metadata_get(consumer, err);
    *missing = NULL;
    if (!metadata)
        return false;
    for (size_t i = 0; !*missing && i < options->topic_count; i++)
        if (options->topic[i][0] != '^' && !is_known(metadata, options->topic[i]))
            *missing = options->topic[i];
    rd_kafka_metadata_destroy(metadata);
    return true;
}

int consumer_look_interval_ms(const struct consumer *consumer)
{
    char text[32];
    size_t bytes = sizeof(text);
    const rd_kafka_conf_t *conf = rd_kafka_conf(consumer->rk);
    long ms = rd_kafka_conf_get(conf, LOOK_PROPERTY, text, &bytes) == RD_KAFKA_CONF_OK
                  ? strtol(text, NULL, 10)
                  : -1;
    return ms > 0 ? (int)ms : -1;
}

bool consumer_rejoin(struct consumer *consumer, struct err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_unsubscribe(consumer->rk);
    if (code)
        return err_set(err, ERR_UNAVAILABLE, "kafka: unsubscribe: %s", rd_kafka_err2str(code));
    return consumer_subscribe(consumer, err);
}
