/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane between a broker and a database in memory (tests/fakes), made anew for each test, and the
 * steps that a test takes with it. To be included once, after nothing else.
 */
#ifndef TESTS_UNIT_LANE_FIXTURE_H
#define TESTS_UNIT_LANE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/log.h"
#include "core/yaml.h"
#include "run/lane.h"
#include "tests/fakes/clock.h"
#include "tests/fakes/kafka.h"
#include "tests/fakes/writer.h"
#include "tests/unit/pricing_fixture.h"

#define TURNS_MAX 2000
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000

static struct {
    struct config config;
    struct config_topic topic;
    struct yaml_tree *tree;
    struct topics topics;
    struct book_slot books;
    struct health health;
    struct progress progress;
    struct lane_group group;
    struct lane *lane;
} world;

static const char mapping[] __attribute__((unused)) =
    "- {name: t, keep: /id, fields: {request_id: /id, model: /m, input_tokens: /n, "
    "gateway_cost: /g, provider: /p}}\n";
static const char one[] __attribute__((unused)) = "{\"id\":1,\"m\":\"gpt-a\",\"n\":10}";
static const char other[] __attribute__((unused)) = "{\"id\":2,\"m\":\"gpt-a\",\"n\":10}";
static const char bad[] __attribute__((unused)) = "{\"id\":";
static const char nine[] __attribute__((unused)) =
    "[{\"id\":1},{\"id\":2},{\"id\":3},{\"id\":4},{\"id\":5},{\"id\":6},{\"id\":7},"
    "{\"id\":8},{\"id\":9}]";

static inline void book_load_priced(const char *price)
{
    struct err err = {0};
    char map[192];
    snprintf(map, sizeof(map),
             "{\"gpt-a\": {\"litellm_provider\": \"openai\", \"mode\": \"chat\","
             " \"input_cost_per_token\": %s, \"output_cost_per_token\": %s}}",
             price, price);
    struct cost_map_source source = {file_of(1, map), INT64_MIN, NULL};
    struct book_options options = {.cost_maps = &source, .cost_map_count = 1};
    if (!book_slot_load(&world.books, &options, &err))
        fail_msg("%s", err.text);
}

static inline void lane_make(void)
{
    struct err err = {0};
    world.lane = lane_new(&world.group, 0, &err);
    if (!world.lane)
        fail_msg("%s", err.text);
}

static inline int setup(void **state)
{
    static const char *const names[] = {"t"};
    struct err err = {0};
    (void)state;
    assert_true(log_init("error", "text"));
    fake_clock_reset();
    fake_kafka_reset();
    fake_writer_reset();
    config_default(&world.config);
    world.tree = yaml_parse(slice_of(mapping), "t.yaml", &err);
    world.topic =
        (struct config_topic){.name = FAKE_TOPIC, .line = 1, .mappings = names, .mapping_count = 1};
    world.config.topic = &world.topic;
    world.config.topic_count = 1;
    world.config.mappings = yaml_root(world.tree);
    world.config.lanes = 1;
    world.config.batch_rows = 3;
    world.config.batch_wait_ms = 200;
    world.books = (struct book_slot){.lock = PTHREAD_MUTEX_INITIALIZER};
    book_load_priced("0.5");
    assert_true(topics_open(&world.topics, &world.config, &err));
    health_init(&world.health, &world.config);
    progress_init(&world.progress);
    memset(&world.group, 0, sizeof(world.group));
    world.group.config = &world.config;
    world.group.topics = &world.topics;
    world.group.books = &world.books;
    world.group.health = &world.health;
    world.group.progress = &world.progress;
    world.group.drift = drift_new(&world.config.drift);
    world.group.lane_count = 1;
    lane_make();
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    lane_free(world.lane);
    drift_free(world.group.drift);
    progress_free(&world.progress);
    health_free(&world.health);
    topics_free(&world.topics);
    book_slot_free(&world.books);
    yaml_free(world.tree);
    world.config.topic = NULL;
    world.config.topic_count = 0;
    config_free(&world.config);
    fake_writer_reset();
    return 0;
}

/* --- steps ---------------------------------------------------------------------------------- */

static inline void turns(unsigned count)
{
    while (count-- > 0)
        lane_turn(world.lane);
}

/* Until all there is has been read and written. */
static inline void read_out(void)
{
    for (unsigned i = 0; i < TURNS_MAX; i++) {
        if (!lane_turn(world.lane))
            fail_msg("the lane ended: %s", lane_error(world.lane)->text);
        if (atomic_load(&world.group.caught_up) == 1)
            return;
    }
    fail_msg("not read out after %d turns, state %d", TURNS_MAX, (int)lane_state(world.lane));
}

static inline void turn_until(enum lane_state state)
{
    for (unsigned i = 0; i < TURNS_MAX && lane_state(world.lane) != state; i++)
        lane_turn(world.lane);
    assert_int_equal(lane_state(world.lane), state);
}

static inline void append(int partition, unsigned count)
{
    while (count-- > 0)
        fake_kafka_append(partition, one);
}

/* Reading partition 0, of which `count` messages are there and nothing is written yet. */
static inline void begin_reading(unsigned count)
{
    append(0, count);
    fake_kafka_give(0, 1);
    turn_until(LANE_READING);
}

/* As another process that takes over: the lane before has ended. */
static inline void next_lane(void)
{
    lane_end(world.lane);
    lane_free(world.lane);
    atomic_store(&world.group.stop, false);
    atomic_store(&world.group.caught_up, 0);
    lane_make();
}

static inline void expect_once(int partition, int64_t from, int64_t to)
{
    for (int64_t offset = from; offset < to; offset++)
        if (fake_writer_count(partition, offset, 0) != 1)
            fail_msg("[%d] %lld is there %zu times", partition, (long long)offset,
                     fake_writer_count(partition, offset, 0));
}

static inline void expect_next(int partition, int64_t next)
{
    assert_int_equal(fake_offsets(partition)->next, next);
}

#endif
