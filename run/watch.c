/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A consumer that never subscribes asks the broker about the group and the topics. A finding has to
 * be there several times in a row before anything is done about it.
 */
#include "run/watch.h"

#include "core/clock.h"
#include "core/log.h"
#include "ingest/kafka.h"

#include <pthread.h>
#include <stdlib.h>

#define TICK_MS 100
#define TOPICS_EVERY_MS 2000
#define MISSED_TIMES 3 /* before it is believed: topics are deleted and made again */

struct watch {
    struct lane_group *group;
    struct consumer *consumer; /* never subscribes */
    pthread_t thread;
    int64_t topics_at_ms;
    unsigned missed; /* times in a row */
};

static bool is_ours(const void *context, const char *topic)
{
    return topics_find(context, topic) != NULL;
}

/* The number of partitions that nobody owns; 0 when it cannot be told. */
static int32_t look(struct watch *watch)
{
    struct err err = {0};
    int32_t unowned = 0;
    if (!consumer_unowned(watch->consumer, is_ours, watch->group->topics, &unowned, &err)) {
        log_debug("%s", err.text);
        return 0;
    }
    return unowned;
}

/* Whether a broker answers, and knows our topics. */
static void topics_look(struct watch *watch)
{
    struct err err = {0};
    const char *missing;
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms < watch->topics_at_ms)
        return;
    watch->topics_at_ms = now_ms + TOPICS_EVERY_MS;
    if (!consumer_topic_missing(watch->consumer, &missing, &err)) {
        log_debug("%s", err.text);
        return;
    }
    watch->missed = missing ? watch->missed + 1 : 0;
    if (watch->missed == MISSED_TIMES)
        log_warn("kafka: topic %s does not exist", missing);
    health_topics(watch->group->health, watch->missed >= MISSED_TIMES ? missing : NULL,
                  !missing || watch->missed >= MISSED_TIMES);
}

static void *watch_main(void *context)
{
    struct watch *watch = context;
    int interval_ms = consumer_look_interval_ms(watch->consumer);
    int64_t next_ms = clock_monotonic_ms() + interval_ms;
    int32_t before = 0;
    log_set_prefix("watch");
    while (!atomic_load(&watch->group->stop)) {
        struct kafka_message message;
        consumer_poll(watch->consumer, TICK_MS, &message); /* serves what librdkafka has to say */
        consumer_release(&message);
        topics_look(watch);
        if (interval_ms < 0 || clock_monotonic_ms() < next_ms)
            continue;
        int32_t unowned = look(watch);
        bool twice = before > 0 && unowned > 0;
        if (twice) {
            log_warn("%d partitions belong to no member of the group: joining it again",
                     (int)unowned);
            atomic_store(&watch->group->rejoin, true);
        }
        before = twice ? 0 : unowned;
        next_ms = clock_monotonic_ms() + interval_ms;
    }
    return NULL;
}

bool watch_start(struct watch **watch, struct lane_group *group, struct err *err)
{
    const struct config *config = group->config;
    struct consumer_options options = {
        .property = config->kafka,
        .property_count = config->kafka_count,
        .topic = group->topics->pattern,
        .topic_count = group->topics->count,
        .lanes = group->lane_count,
        .quiet = true,
    };
    struct watch *w = *watch = calloc(1, sizeof(*w));
    if (!w)
        return err_set(err, ERR_FATAL, "out of memory");
    w->group = group;
    w->consumer = consumer_new(&options, err);
    if (w->consumer && pthread_create(&w->thread, NULL, watch_main, w) == 0)
        return true;
    if (w->consumer)
        err_set(err, ERR_FATAL, "no thread for the watch");
    consumer_close(w->consumer);
    free(w);
    *watch = NULL;
    return false;
}

void watch_stop(struct watch *watch)
{
    if (!watch)
        return;
    pthread_join(watch->thread, NULL);
    consumer_close(watch->consumer);
    free(watch);
}
