/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Kafka knows of our offsets. It is told them for its lag tools, and no reading begins from
 * them; but Kafka drops them with a topic, which is the only trace of one deleted and made again.
 */
#include "run/lane_impl.h"

#include "core/must.h"

#include <stdlib.h>

/* All partitions of the lane, with their stored offsets; to be freed. */
static struct kafka_partition *partition_list(const struct lane *lane, struct err *err)
{
    struct kafka_partition *list = calloc(lane->partition_count + 1, sizeof(*list));
    if (!list)
        err_set(err, ERR_FATAL, "out of memory");
    for (size_t i = 0; list && i < lane->partition_count; i++)
        list[i] = (struct kafka_partition){.topic = lane->partition[i].state.topic,
                                           .partition = lane->partition[i].state.partition,
                                           .offset = lane->partition[i].state.next_offset,
                                           .began = lane->partition[i].state.first_offset};
    return list;
}

/* Kafka is told after PostgreSQL: it never knows more than was stored. */
bool lane_told_ask(struct lane *lane, bool *gone, struct err *err)
{
    size_t count = lane->partition_count;
    struct kafka_partition *list = partition_list(lane, err);
    if (!list)
        return false;
    bool ok = count == 0 || consumer_committed(lane->consumer, list, count, err);
    for (size_t i = 0; ok && i < count; i++) {
        struct lane_partition *p = &lane->partition[i];
        MUST(list[i].partition == p->state.partition, i, list[i].partition, p->state.partition);
        *gone |= p->told && list[i].offset < 0;
        p->told = list[i].offset >= 0;
        if (p->known_offset < 0)
            p->known_offset = list[i].offset;
    }
    free(list);
    return ok;
}

void lane_told_correct(struct lane *lane)
{
    struct kafka_partition *list = partition_list(lane, NULL);
    if (list)
        consumer_commit(lane->consumer, list, lane->partition_count);
    free(list);
}
