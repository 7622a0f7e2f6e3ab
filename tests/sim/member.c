/* SPDX-License-Identifier: Apache-2.0 */
/* Processes of the product in one process: lanes, what they share, and what befalls them. */
#include "tests/sim/member.h"

#include "core/yaml.h"
#include "run/lane.h"
#include "tests/sim/broker.h"
#include "tests/sim/pq.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOOKS 2
#define DOWN_MS 3000

struct member {
    unsigned number;
    struct task *task;
    struct config config;
    char name[16];
    struct book_slot books;
    struct health health;
    struct progress progress;
    struct lane_group group;
    struct lane *lane;
    bool dead, up;
};

static struct member members[MEMBERS_MAX];
static unsigned member_count;
static bool over;
static char ended[600];

static struct {
    struct config config;
    struct config_topic topic;
    struct yaml_tree *tree;
    struct topics topics;
    struct book_slot slot;
    struct book_ref *book[BOOKS];
} shared;

static const char *const price[BOOKS] = {"0.000002", "0.0000015"};
static const int64_t price_pico[BOOKS] = {2000000, 1500000};

/* --- what all seeds share ------------------------------------------------------------------- */

static void must(bool ok, const struct err *err)
{
    if (ok)
        return;
    fprintf(stderr, "sim: %s\n", err->text);
    exit(70);
}

static void book_make(unsigned n)
{
    struct err err = {0};
    char path[] = "/tmp/spendlog-sim-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    must(file != NULL || err_set(&err, ERR_FATAL, "no temporary file"), &err);
    fprintf(file,
            "{\"gpt-a\": {\"litellm_provider\": \"openai\", \"mode\": \"chat\","
            " \"input_cost_per_token\": %s, \"output_cost_per_token\": %s}}",
            price[n], price[n]);
    fclose(file);
    struct cost_map_source source = {path, INT64_MIN, NULL};
    struct book_options options = {.cost_maps = &source, .cost_map_count = 1};
    must(book_slot_load(&shared.slot, &options, &err), &err);
    shared.book[n] = book_acquire(&shared.slot);
    unlink(path);
}

void members_open(void)
{
    static const char mapping[] = "- {name: t, keep: /n, fields: {request_id: /id, model: /m, "
                                  "input_tokens: /n, provider: {const: openai},"
                                  " team: /team, started_at: {path: /ts, time: ms}}}\n";
    static const char *const names[] = {"t"};
    struct err err = {0};
    config_default(&shared.config);
    shared.tree = yaml_parse(slice_of(mapping), "sim.yaml", &err);
    must(shared.tree != NULL, &err);
    must(config_kafka_set(&shared.config, "group.id=sim", &err), &err);
    shared.topic =
        (struct config_topic){.name = LOAD_TOPIC, .line = 1, .mappings = names, .mapping_count = 1};
    shared.config.topic = &shared.topic;
    shared.config.topic_count = 1;
    shared.config.mappings = yaml_root(shared.tree);
    shared.config.lanes = 1;
    shared.config.postgres = "host=sim";
    shared.slot.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    must(topics_open(&shared.topics, &shared.config, &err), &err);
    for (unsigned n = 0; n < BOOKS; n++)
        book_make(n);
}

unsigned books_count(void)
{
    return BOOKS;
}

const char *book_hash(unsigned book)
{
    return book_id(shared.book[book]->book);
}

__int128 book_price(unsigned book)
{
    return (__int128)price_pico[book] * 1000000;
}

/* --- a process ------------------------------------------------------------------------------ */

static void books_set(struct member *m, unsigned n)
{
    struct book_ref *old = m->books.current;
    shared.book[n]->users++;
    m->books.current = shared.book[n];
    if (old)
        book_release(&m->books, old);
}

static void process_open(struct member *m)
{
    struct err err = {0};
    m->dead = false;
    books_set(m, sim_below(BOOKS));
    health_init(&m->health, &m->config);
    progress_init(&m->progress);
    memset(&m->group, 0, sizeof(m->group));
    m->group.config = &m->config;
    m->group.topics = &shared.topics;
    m->group.books = &m->books;
    m->group.health = &m->health;
    m->group.progress = &m->progress;
    m->group.drift = drift_new(&m->config.drift);
    m->group.lane_count = 1;
    m->lane = lane_new(&m->group, 0, &err);
    must(m->lane != NULL, &err);
    m->up = true;
    sim_trace("starts");
}

static void process_close(struct member *m)
{
    const struct err *why = lane_error(m->lane);
    if (!m->dead)
        lane_end(m->lane);
    if (!m->dead && why->kind != ERR_NONE && !ended[0])
        snprintf(ended, sizeof(ended), "%s ended: %.500s", m->name, why->text);
    sim_trace("%s", m->dead ? "is dead" : "has ended");
    m->up = false;
    lane_free(m->lane);
    m->lane = NULL;
    drift_free(m->group.drift);
    progress_free(&m->progress);
    health_free(&m->health);
}

static void member_main(void *context)
{
    struct member *m = context;
    while (!over) {
        process_open(m);
        while (!m->dead && lane_turn(m->lane))
            ;
        process_close(m);
        if (!over)
            task_sleep(sim.quiet ? 10 : sim_below(DOWN_MS));
    }
}

void members_start(unsigned count)
{
    over = false;
    ended[0] = '\0';
    member_count = count;
    for (unsigned i = 0; i < count; i++) {
        struct member *m = &members[i];
        memset(m, 0, sizeof(*m));
        m->number = i;
        snprintf(m->name, sizeof(m->name), "member %u", i);
        m->config = shared.config;
        m->config.member = m->name;
        m->config.kafka_gap_skip = 1;
        m->config.retain_days = LOAD_DAYS + 1;
        m->config.batch_rows = sim.dials.batch_rows;
        m->config.batch_wait_ms = sim.dials.batch_wait_ms;
        m->books.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        m->task = task_start(m->name, member_main, m);
    }
}

/* All end as after SIGTERM. */
void members_free(void)
{
    over = true;
    for (unsigned i = 0; i < member_count; i++) {
        task_freeze(members[i].task, 0);
        if (members[i].up)
            atomic_store(&members[i].group.stop, true);
    }
    while (task_step())
        ;
    for (unsigned i = 0; i < member_count; i++)
        if (members[i].books.current)
            book_release(&members[i].books, members[i].books.current);
}

const void *member_self(void)
{
    for (unsigned i = 0; i < member_count; i++)
        if (members[i].task == task_self() && task_self())
            return &members[i];
    return NULL;
}

bool member_is_dead(const void *member)
{
    return member && ((const struct member *)member)->dead;
}

bool member_is_silent(const void *member)
{
    const struct member *m = member;
    return m->dead || !m->up || task_is_frozen(m->task);
}

/* --- what befalls them ---------------------------------------------------------------------- */

void member_kill(unsigned number)
{
    struct member *m = &members[number % member_count];
    if (!m->up || m->dead)
        return;
    sim_trace("kill -9: %s", m->name);
    m->dead = true;
    task_freeze(m->task, 0);
    server_member_gone(m);
    task_wake_waiting();
}

void member_stop(unsigned number)
{
    struct member *m = &members[number % member_count];
    if (!m->up)
        return;
    sim_trace("SIGTERM: %s", m->name);
    atomic_store(&m->group.stop, true);
}

void member_freeze(unsigned number, int64_t ms)
{
    struct member *m = &members[number % member_count];
    sim_trace("SIGSTOP: %s, %lld ms", m->name, (long long)ms);
    task_freeze(m->task, sim.now_ms + ms);
}

void members_reload(void)
{
    struct member *m = &members[sim_below(member_count)];
    if (m->up)
        books_set(m, sim_below(BOOKS));
    sim_trace("SIGHUP: %s", m->name);
}

void members_revive(void)
{
    for (unsigned i = 0; i < member_count; i++)
        task_freeze(members[i].task, 0);
}

const char *members_ended(void)
{
    return ended[0] ? ended : NULL;
}
