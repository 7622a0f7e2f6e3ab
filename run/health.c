/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lanes and watch told last, under one lock; readiness is worked out when it is asked, against
 * the clock of that moment, and the first thing that is amiss is the reason.
 */
#include "run/health.h"

#include "core/clock.h"
#include "core/must.h"

#include <stdio.h>
#include <string.h>

void health_init(struct health *health, const struct config *config)
{
    MUST(config->lanes <= LANES_MAX, config->lanes);
    *health = (struct health){
        .lane_count = config->lanes,
        .limit_ms = (int64_t)config->ready_s * 1000 + config->batch_wait_ms,
        .broker_ms = clock_monotonic_ms(),
    };
    for (unsigned i = 0; i < health->lane_count; i++)
        health->lane[i].turn_ms = health->broker_ms;
    pthread_mutex_init(&health->lock, NULL);
}

void health_free(struct health *health)
{
    pthread_mutex_destroy(&health->lock);
}

static void why_set(char to[HEALTH_WHY_MAX], const char *why)
{
    static const char cut[] = "...";
    if (snprintf(to, HEALTH_WHY_MAX, "%s", why) >= HEALTH_WHY_MAX)
        memcpy(to + HEALTH_WHY_MAX - sizeof(cut), cut, sizeof(cut));
}

void health_state(struct health *health, unsigned lane, enum lane_state state, size_t partitions,
                  const char *why)
{
    pthread_mutex_lock(&health->lock);
    struct health_lane *of = &health->lane[lane];
    MUST(lane < LANES_MAX && state <= LANE_ENDED, lane, state);
    if (of->state != LANE_READING && state == LANE_READING)
        of->fine_ms = clock_monotonic_ms(); /* its time begins */
    of->state = state;
    of->partitions = partitions;
    if (why)
        why_set(of->why, why);
    pthread_mutex_unlock(&health->lock);
}

void health_fine(struct health *health, unsigned lane)
{
    pthread_mutex_lock(&health->lock);
    MUST(lane < LANES_MAX, lane);
    health->lane[lane].fine_ms = clock_monotonic_ms();
    pthread_mutex_unlock(&health->lock);
}

void health_turn(struct health *health, unsigned lane)
{
    pthread_mutex_lock(&health->lock);
    MUST(lane < LANES_MAX, lane);
    health->lane[lane].turn_ms = clock_monotonic_ms();
    pthread_mutex_unlock(&health->lock);
}

bool health_turns(struct health *health, int64_t within_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    bool turns = true;
    pthread_mutex_lock(&health->lock);
    for (unsigned i = 0; i < health->lane_count; i++)
        turns = turns && (health->lane[i].state == LANE_ENDED ||
                          now_ms - health->lane[i].turn_ms <= within_ms);
    pthread_mutex_unlock(&health->lock);
    return turns;
}

void health_topics(struct health *health, const char *missing, bool sure)
{
    pthread_mutex_lock(&health->lock);
    health->broker_ms = clock_monotonic_ms();
    health->topic_missing = missing;
    health->topics_sure = sure;
    pthread_mutex_unlock(&health->lock);
}

static bool lane_ready(const struct health *health, unsigned number, int64_t now_ms,
                       struct buf *why)
{
    const struct health_lane *lane = &health->lane[number];
    int64_t ago_ms = now_ms - lane->fine_ms;
    MUST(number < health->lane_count, number, health->lane_count);
    switch (lane->state) {
    case LANE_STARTING:
        buf_printf(why, "lane %u: no broker has answered yet", number);
        return false;
    case LANE_UNASSIGNED:
        buf_printf(why, "lane %u: the group has not shared out its partitions yet", number);
        return false;
    case LANE_WAITING:
    case LANE_ENDED:
        buf_printf(why, "lane %u: %s", number, lane->why);
        return false;
    case LANE_READING:
        break;
    }
    if (ago_ms <= health->limit_ms)
        return true;
    buf_printf(why, "lane %u: no batch written and no end of its log reached for %lld s", number,
               (long long)ago_ms / 1000);
    return false;
}

bool health_ready(struct health *health, struct buf *why)
{
    int64_t now_ms = clock_monotonic_ms();
    bool ready = true;
    pthread_mutex_lock(&health->lock);
    if (health->topic_missing) {
        buf_printf(why, "topic %s does not exist", health->topic_missing);
        ready = false;
    }
    for (unsigned i = 0; ready && i < health->lane_count; i++)
        ready = lane_ready(health, i, now_ms, why);
    if (ready && now_ms - health->broker_ms > health->limit_ms) {
        buf_printf(why, "no broker has answered for %lld s",
                   (long long)(now_ms - health->broker_ms) / 1000);
        ready = false;
    }
    pthread_mutex_unlock(&health->lock);
    return ready;
}

const char *health_topic_missing(struct health *health)
{
    pthread_mutex_lock(&health->lock);
    const char *missing = health->topic_missing;
    pthread_mutex_unlock(&health->lock);
    return missing;
}

bool health_read_out(struct health *health, bool caught_up)
{
    size_t partitions = 0;
    pthread_mutex_lock(&health->lock);
    for (unsigned i = 0; i < health->lane_count; i++)
        partitions += health->lane[i].partitions;
    bool out = health->topics_sure && (caught_up || (health->topic_missing && partitions == 0));
    pthread_mutex_unlock(&health->lock);
    return out;
}

void health_json(struct health *health, struct buf *json)
{
    static const char *const name[] = {
        [LANE_STARTING] = "starting", [LANE_UNASSIGNED] = "unassigned", [LANE_WAITING] = "waiting",
        [LANE_READING] = "reading",   [LANE_ENDED] = "ended",
    };
    int64_t now_ms = clock_monotonic_ms();
    buf_add_text(json, "\"lanes\":[");
    pthread_mutex_lock(&health->lock);
    for (unsigned i = 0; i < health->lane_count; i++) {
        const struct health_lane *lane = &health->lane[i];
        struct buf why;
        buf_init(&why, 1024);
        bool ready = lane_ready(health, i, now_ms, &why);
        buf_printf(json, "%s{\"lane\":%u,\"state\":\"%s\",\"partitions\":%zu,\"waits_for\":",
                   i ? "," : "", i, name[lane->state], lane->partitions);
        if (ready)
            buf_add_text(json, "null}");
        else {
            buf_add_json_string(json, buf_slice(&why));
            buf_add_char(json, '}');
        }
        buf_free(&why);
    }
    pthread_mutex_unlock(&health->lock);
    buf_add_char(json, ']');
}
