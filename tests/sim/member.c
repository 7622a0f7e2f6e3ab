/* SPDX-License-Identifier: Apache-2.0 */
/* Processes of the product in one process: lanes, what they share, and what befalls them. */
#include "tests/sim/member.h"

#include "core/shortage.h"
#include "core/yaml.h"
#include "run/lane.h"
#include "tests/sim/broker.h"
#include "tests/sim/pq.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOOKS 2
#define MAPPINGS 3 /* the last one wants nothing */
#define DOWN_MS 3000

struct member {
    unsigned number;
    struct task *task;
    struct config config;
    char name[24];
    struct book_slot books;
    struct health health;
    struct progress progress;
    struct lane_group group;
    struct lane *lane;
    bool dead, up, starved, short_of_memory;
    unsigned starves_in; /* allocations; 0: it does not */
    jmp_buf life;
};

static struct member members[MEMBERS_MAX + OPERATORS_MAX];
static struct member *const operators = &members[MEMBERS_MAX];
static unsigned member_count;
static bool over;
static unsigned starving; /* members, at most: nobody is asked while it is 0 */
static char ended[600];

static struct {
    struct config config;
    struct config_topic topic;
    struct yaml_tree *tree[MAPPINGS];
    struct topics topics[MAPPINGS];
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
    /* The same in meaning: another field that nothing has. */
    static const char *const mapping[MAPPINGS] = {
        "- {name: t, keep: /n, fields: {request_id: /id, model: /m, "
        "input_tokens: /n, provider: {const: openai},"
        " team: /team, tags: /tags, started_at: {path: /ts, time: ms}}}\n",
        "- {name: t, keep: /n, fields: {request_id: /id, model: /m, "
        "input_tokens: /n, provider: {const: openai}, user: /nobody,"
        " team: /team, tags: /tags, started_at: {path: /ts, time: ms}}}\n",
        "- {name: t, keep: /nothing, fields: {request_id: /id, model: /m, "
        "input_tokens: /n, provider: {const: openai}}}\n"};
    static const char *const names[] = {"t"};
    struct err err = {0};
    config_default(&shared.config);
    must(config_kafka_set(&shared.config, "group.id=sim", &err), &err);
    shared.topic =
        (struct config_topic){.name = LOAD_TOPIC, .line = 1, .mappings = names, .mapping_count = 1};
    shared.config.topic = &shared.topic;
    shared.config.topic_count = 1;
    shared.config.lanes = 1;
    shared.config.postgres = "host=sim";
    shared.slot.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    for (unsigned n = 0; n < MAPPINGS; n++) {
        shared.tree[n] = yaml_parse(slice_of(mapping[n]), "sim.yaml", &err);
        must(shared.tree[n] != NULL, &err);
        shared.config.mappings = yaml_root(shared.tree[n]);
        must(topics_open(&shared.topics[n], &shared.config, &err), &err);
    }
    for (unsigned n = 0; n < BOOKS; n++)
        book_make(n);
}

void operator_config(struct config *config, enum operator_wants wants)
{
    *config = shared.config;
    config->member = "operator";
    config->retain_days = LOAD_DAYS + 1;
    config->mappings = yaml_root(shared.tree[wants == OPERATOR_SKIPS ? MAPPINGS - 1 : 0]);
    if (wants == OPERATOR_BELIEVES)
        config->limits.tokens *= 2;
}

const struct book *book_of(unsigned book)
{
    return shared.book[book]->book;
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

static unsigned mappings_choose(void)
{
    if (!sim_chance(sim.dials.remap))
        return 0;
    sim_happened(HAPPENED_REMAP);
    return 1;
}

static void process_open(struct member *m)
{
    struct err err = {0};
    m->dead = m->starved = m->short_of_memory = false;
    m->starves_in = 0;
    books_set(m, sim_below(BOOKS));
    health_init(&m->health, &m->config);
    progress_init(&m->progress);
    memset(&m->group, 0, sizeof(m->group));
    m->group.config = &m->config;
    m->group.topics = &shared.topics[mappings_choose()];
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
    bool of_memory = m->starved && why->kind == ERR_FATAL;
    if (of_memory)
        sim_happened(HAPPENED_STARVED_TO_DEATH);
    if (!m->dead && why->kind != ERR_NONE && !of_memory && !ended[0])
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
        if (setjmp(m->life) == 0)
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
    starving = 0;
    ended[0] = '\0';
    member_count = count;
    memset(members, 0, sizeof(members));
    for (unsigned i = 0; i < count; i++) {
        struct member *m = &members[i];
        m->number = i;
        snprintf(m->name, sizeof(m->name), "member %u", i);
        m->config = shared.config;
        m->config.member = m->name;
        m->config.kafka_gap_skip = 1;
        m->config.retain_days = LOAD_DAYS + 1;
        m->config.batch_rows = sim.dials.batch_rows;
        m->config.batch_wait_ms = sim.dials.batch_wait_ms;
        if (sim.dials.limits > 0)
            m->config.batch_bytes = 500 + 10 * sim.dials.limits; /* a row or two */
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
    for (unsigned i = 0; i < MEMBERS_MAX + OPERATORS_MAX; i++)
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

/* --- commands of operators' ------------------------------------------------------------------ */

void operator_process(unsigned number, void (*work)(void *), void *context)
{
    struct member *m = &operators[number];
    memset(m, 0, sizeof(*m));
    m->number = number;
    snprintf(m->name, sizeof(m->name), "operator %u", number);
    m->task = task_self();
    m->up = true;
    if (setjmp(m->life) == 0)
        work(context);
    m->up = false;
}

bool operator_is_self(void)
{
    const struct member *m = member_self();
    return m && m >= operators;
}

void operator_kill_self(void)
{
    if (!operator_is_self())
        return;
    struct member *m = (struct member *)(uintptr_t)member_self();
    if (!m->up || m->dead || !sim_fault(sim.dials.reprice_kill))
        return;
    sim_happened(HAPPENED_OPERATOR_KILLED);
    m->dead = true;
    sim_trace("kill -9: %s", m->name);
    server_member_gone(m);
    task_wake_waiting();
}

/* --- what befalls them ---------------------------------------------------------------------- */

static void die(struct member *m)
{
    m->dead = true;
    task_freeze(m->task, 0);
    server_member_gone(m);
    task_wake_waiting();
}

void member_kill(unsigned number)
{
    struct member *m = &members[number % member_count];
    if (!m->up || m->dead)
        return;
    sim_happened(HAPPENED_KILL);
    sim_trace("kill -9: %s", m->name);
    die(m);
}

void member_stop(unsigned number)
{
    struct member *m = &members[number % member_count];
    if (!m->up)
        return;
    sim_happened(HAPPENED_STOP);
    sim_trace("SIGTERM: %s", m->name);
    atomic_store(&m->group.stop, true);
}

static void freeze(struct member *m, int64_t ms)
{
    if (task_is_frozen(m->task))
        return;
    sim_happened(HAPPENED_FREEZE);
    sim_trace("SIGSTOP: %s, %lld ms", m->name, (long long)ms);
    task_freeze(m->task, sim.now_ms + ms);
}

void member_freeze(unsigned number, int64_t ms)
{
    freeze(&members[number % member_count], ms);
}

void member_freeze_self(int64_t ms)
{
    struct member *m = (struct member *)(uintptr_t)member_self();
    if (m)
        freeze(m, ms);
}

void members_reload(void)
{
    struct member *m = &members[sim_below(member_count)];
    if (m->up)
        books_set(m, sim_below(BOOKS));
    sim_happened(HAPPENED_RELOAD);
    sim_trace("SIGHUP: %s", m->name);
}

static void starve(struct member *m, unsigned nth)
{
    if (!m->up || m->dead)
        return;
    m->starves_in = nth;
    starving++;
}

void member_starve(unsigned number, unsigned nth)
{
    starve(&members[number % member_count], nth);
}

void operator_starve(unsigned number, unsigned nth)
{
    starve(&operators[number % OPERATORS_MAX], nth);
}

bool member_starves(void)
{
    if (!starving || sim.quiet)
        return false;
    struct member *m = (struct member *)(uintptr_t)member_self();
    if (!m || !m->up || m->dead || !m->starves_in || --m->starves_in)
        return false;
    starving--;
    m->starved = true;
    sim_happened(HAPPENED_STARVED);
    sim_trace("no memory");
    return true;
}

/* In place of core/shortage.c: members share a thread. */
void shortage_note(void)
{
    struct member *m = (struct member *)(uintptr_t)member_self();
    if (m)
        m->short_of_memory = true;
}

bool shortage_was(struct err *err)
{
    struct member *m = (struct member *)(uintptr_t)member_self();
    bool was = m && m->short_of_memory;
    if (was)
        err_set(err, ERR_FATAL, "out of memory");
    return was;
}

void member_abort(void)
{
    struct member *m = (struct member *)(uintptr_t)member_self();
    if (!m || !m->starved)
        return;
    sim_happened(HAPPENED_STARVED_TO_DEATH);
    sim_trace("aborts for want of memory");
    die(m);
    longjmp(m->life, 1);
}

void members_revive(void)
{
    for (unsigned i = 0; i < MEMBERS_MAX + OPERATORS_MAX; i++)
        if (members[i].task)
            task_freeze(members[i].task, 0);
}

const char *members_ended(void)
{
    return ended[0] ? ended : NULL;
}
