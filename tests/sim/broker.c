/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The group, as eager rebalances go: each member gives up what it has in a poll of its own, then
 * all is shared out anew. A member that is silent for too long is left out; when it polls again, it
 * hears that what it had is lost, sooner or later: until then it goes on as if nothing had
 * happened.
 */
#include "tests/sim/broker.h"

#include "core/clock.h"
#include "ingest/kafka.h"
#include "tests/sim/member.h"
#include "tests/sim/task.h"

#include <stdio.h>
#include <string.h>

#define SESSION_MS 10000
#define CONSUMERS_MAX 512
#define FIRST_ROOM 64

struct reader {
    struct log *log; /* NULL: not assigned */
    bool stuck, repeat, told;
    unsigned fetched; /* messages of a topic that is gone */
    int64_t position, end_told;
    void *state;
};

struct consumer {
    struct consumer_options options;
    const void *owner;
    bool subscribed, closed, dead;
    bool in_group, joined; /* joined: has given up what it had */
    bool owns, to_assign, left_out;
    int64_t heard_ms;
    unsigned given; /* bits of partitions */
    struct reader reader[PARTITIONS_MAX];
};

struct log *broker_log[PARTITIONS_MAX];
static struct consumer *consumers[CONSUMERS_MAX];
static unsigned consumer_count;
static bool sharing_out;
static int64_t away_ms; /* until then there is no such topic */

static struct log *log_new(struct log *older)
{
    struct log *log = sim_alloc(sizeof(*log));
    *log = (struct log){.older = older, .committed = -1, .began = -1};
    return log;
}

void broker_reset(void)
{
    for (int i = 0; i < PARTITIONS_MAX; i++)
        broker_log[i] = log_new(NULL);
    consumer_count = 0;
    sharing_out = false;
    away_ms = 0;
}

/* --- logs ----------------------------------------------------------------------------------- */

static void log_add(struct log *log, struct sent *message)
{
    if (log->high == log->capacity) {
        int64_t capacity = log->capacity ? 2 * log->capacity : FIRST_ROOM;
        struct sent **larger = sim_alloc((size_t)capacity * sizeof(struct sent *));
        if (log->high)
            memcpy(larger, log->at, (size_t)log->high * sizeof(struct sent *));
        log->at = larger;
        log->capacity = capacity;
    }
    log->at[log->high++] = message;
}

void broker_append(int32_t partition, struct sent *message)
{
    message->partition = partition;
    message->offset = broker_log[partition]->high;
    message->time_ms = clock_now_us() / 1000;
    log_add(broker_log[partition], message);
    sim_trace("produced %d/%lld: %.60s", (int)partition, (long long)message->offset,
              message->value);
}

void broker_skip(int32_t partition, unsigned offsets)
{
    while (offsets-- > 0)
        log_add(broker_log[partition], NULL);
}

void broker_retain(int32_t partition, int64_t low)
{
    struct log *log = broker_log[partition];
    if (low > log->high)
        low = log->high;
    for (; log->low < low; log->low++)
        if (log->at[log->low])
            log->at[log->low]->trimmed = true;
}

/* Some messages go, and leave their offsets. */
void broker_compact(int32_t partition)
{
    struct log *log = broker_log[partition];
    int64_t from = log->high > 16 && sim_below(2) ? log->high - 16 : 0;
    for (int64_t offset = from; offset < log->high; offset++) {
        struct sent *m = log->at[offset];
        if (!m || m->compacted || sim_below(3))
            continue;
        m->compacted = m->trimmed = true;
        log->gone.messages++;
        for (unsigned i = 0; i < m->count; i++) {
            log->gone.events += m->record[i].want == WANT_ROW;
            log->gone.skipped += m->record[i].want == WANT_SKIPPED;
            log->gone.rejected +=
                m->record[i].want == WANT_REJECTED || m->record[i].want == WANT_REFUSED;
        }
        sim_happened(HAPPENED_COMPACTED);
    }
}

void broker_make_again(unsigned partitions)
{
    for (int i = 0; i < PARTITIONS_MAX; i++)
        broker_log[i] = log_new(broker_log[i]);
    sim.dials.partitions = partitions;
    away_ms = sim.now_ms + sim_below(sim_below(2) ? 100 : 5000);
    sim_happened(HAPPENED_MADE_AGAIN);
    sim_trace("topic: deleted, and made again with %u partitions", partitions);
    broker_rebalance();
}

static bool is_away(void)
{
    return away_ms > sim.now_ms;
}

/* --- the group ------------------------------------------------------------------------------ */

void broker_rebalance(void)
{
    sharing_out = true;
    for (unsigned i = 0; i < consumer_count; i++) {
        struct consumer *c = consumers[i];
        c->joined = c->in_group && !c->owns;
        c->to_assign = false;
    }
    sim_happened(HAPPENED_REBALANCE);
    sim_trace("group: rebalance");
}

static void share_out(void)
{
    struct consumer *of[CONSUMERS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < consumer_count; i++)
        if (consumers[i]->in_group) {
            if (!consumers[i]->joined)
                return;
            of[count++] = consumers[i];
        }
    if (count == 0)
        return;
    for (unsigned i = 0; i < count; i++) {
        of[i]->given = 0;
        of[i]->to_assign = true;
    }
    for (unsigned p = 0; p < sim.dials.partitions && !is_away(); p++)
        of[sim_below(count)]->given |= 1u << p;
    sharing_out = false;
    sim_trace("group: shared out among %u", count);
}

static void leave(struct consumer *c)
{
    c->in_group = false;
    broker_rebalance();
}

void broker_tick(void)
{
    if (away_ms && !is_away()) {
        away_ms = 0;
        broker_rebalance();
    }
    for (unsigned i = 0; i < consumer_count; i++) {
        struct consumer *c = consumers[i];
        if (!c->in_group)
            continue;
        if (!c->dead && !member_is_silent(c->owner))
            c->heard_ms = sim.now_ms;
        if (sim.now_ms - c->heard_ms <= SESSION_MS)
            continue;
        sim_happened(HAPPENED_LEFT_OUT);
        sim_trace("group: a member is left out");
        c->left_out = true;
        leave(c);
    }
}

static void revoke(struct consumer *c, bool lost)
{
    if (!c->owns)
        return;
    c->options.handler.revoked(c->options.context, lost);
    c->owns = false;
    memset(c->reader, 0, sizeof(c->reader));
}

static void join(struct consumer *c)
{
    c->left_out = false;
    c->in_group = true;
    c->heard_ms = sim.now_ms;
    broker_rebalance();
}

static void assign(struct consumer *c)
{
    struct kafka_partition list[PARTITIONS_MAX];
    size_t count = 0;
    for (int p = 0; p < PARTITIONS_MAX; p++)
        if (c->given >> p & 1)
            list[count++] = (struct kafka_partition){.topic = LOAD_TOPIC, .partition = p};
    c->to_assign = false;
    c->owns = true;
    c->options.handler.assigned(c->options.context, list, count);
}

static void serve_group(struct consumer *c)
{
    if (c->left_out && sim_below(3) == 0) {
        revoke(c, true);
        join(c);
    } else if (!c->in_group && !c->left_out) {
        join(c);
    } else if (c->in_group && sharing_out && !c->joined) {
        revoke(c, false);
        c->joined = true;
    }
    if (sharing_out)
        share_out();
    if (c->in_group && c->to_assign)
        assign(c);
}

/* --- the consumer --------------------------------------------------------------------------- */

static bool is_dead(const struct consumer *c)
{
    return member_is_dead(c->owner);
}

static bool no_answer(struct consumer *c, struct err *err, const char *what)
{
    if (!is_dead(c))
        task_sleep(sim_below(3));
    if (!is_dead(c) && !sim_fault(sim.dials.kafka_fails))
        return false;
    sim_happened(HAPPENED_NO_BROKER);
    err_set(err, ERR_UNAVAILABLE, "kafka: %s: no broker answers", what);
    return true;
}

struct consumer *consumer_new(const struct consumer_options *options, struct err *err)
{
    struct consumer *c = sim_alloc(sizeof(*c));
    (void)err;
    c->options = *options;
    c->owner = member_self();
    if (consumer_count < CONSUMERS_MAX)
        consumers[consumer_count++] = c;
    else
        sim_fail("too many consumers");
    return c;
}

bool consumer_cluster_id(struct consumer *c, int timeout_ms, char *id, size_t capacity,
                         struct err *err)
{
    (void)timeout_ms;
    if (no_answer(c, err, "cluster"))
        return false;
    snprintf(id, capacity, "cluster");
    return true;
}

bool consumer_subscribe(struct consumer *c, struct err *err)
{
    (void)err;
    c->subscribed = true;
    return true;
}

/* A log that is not there any more: what was fetched of it still comes. */
static bool is_fetched(struct reader *r, int partition)
{
    return r->log == broker_log[partition] || (r->fetched > 0 && r->fetched-- > 0);
}

static void message_give(struct reader *r, struct kafka_message *to)
{
    const struct sent *message = r->log->at[r->position];
    to->kind = POLL_MESSAGE;
    to->value = slice_of(message->value);
    to->envelope = (struct envelope){.key = message->offset % 3 == 1 ? SLICE("of its producer")
                                                                     : (struct slice){NULL, 0}};
    to->tombstone = message->value[0] == '\0';
    to->time_ms = message->time_ms;
    r->position += !r->repeat;
    if (r->repeat)
        sim_happened(HAPPENED_REPEATED);
    r->repeat = false;
}

static bool message_next(struct consumer *c, int partition, struct kafka_message *to)
{
    struct reader *r = &c->reader[partition];
    const struct log *log = r->log;
    if (!log || r->stuck || !is_fetched(r, partition))
        return false;
    to->topic = LOAD_TOPIC;
    to->partition = partition;
    to->state = r->state;
    if (r->position < log->low || r->position > log->high) {
        r->stuck = true;
        sim_happened(r->position < log->low ? HAPPENED_TRIMMED : HAPPENED_BEYOND_END);
        to->kind = POLL_OUT_OF_RANGE;
        to->offset = r->position;
        return true;
    }
    int64_t before = r->position;
    while (r->position < log->high && (!log->at[r->position] || log->at[r->position]->compacted))
        r->position++;
    if (r->position > before)
        sim_happened(r->position < log->high ? HAPPENED_HOLE : HAPPENED_HOLE_AT_END);
    to->offset = r->position;
    if (r->position < log->high) {
        message_give(r, to);
        return true;
    }
    if (r->end_told == log->high)
        return false;
    r->end_told = log->high;
    to->kind = POLL_EOF;
    return true;
}

static void tell(struct consumer *c)
{
    for (int p = 0; p < PARTITIONS_MAX; p++)
        if (c->reader[p].told && c->options.handler.told) {
            c->reader[p].told = false;
            c->options.handler.told(c->options.context, c->reader[p].state);
        }
}

void consumer_poll(struct consumer *c, int timeout_ms, struct kafka_message *message)
{
    *message = (struct kafka_message){.kind = POLL_NOTHING};
    if (is_dead(c))
        return;
    if (sim_chance(sim.dials.yields))
        task_yield();
    if (c->subscribed)
        serve_group(c);
    if (is_dead(c))
        return;
    tell(c);
    if (sim_fault(sim.dials.kafka_fails / 4)) {
        message->kind = POLL_ERROR;
        message->error = "broker transport failure";
        return;
    }
    unsigned first = sim_below(PARTITIONS_MAX);
    for (unsigned i = 0; i < PARTITIONS_MAX; i++)
        if (message_next(c, (int)((first + i) % PARTITIONS_MAX), message))
            return;
    task_sleep(timeout_ms > 0 ? 1 + sim_below((unsigned)timeout_ms) : 0);
}

void consumer_release(struct kafka_message *message)
{
    (void)message;
}

bool consumer_assign(struct consumer *c, const struct kafka_partition *partitions, size_t count,
                     struct err *err)
{
    if (is_dead(c))
        return err_set(err, ERR_UNAVAILABLE, "the member is dead");
    memset(c->reader, 0, sizeof(c->reader));
    for (size_t i = 0; i < count; i++) {
        sim_trace("reads %d from %lld", (int)partitions[i].partition,
                  (long long)partitions[i].offset);
        c->reader[partitions[i].partition] =
            (struct reader){.log = broker_log[partitions[i].partition],
                            .fetched = sim.dials.make_again ? sim_below(20) : 0,
                            .repeat = sim_fault(sim.dials.repeats),
                            .position = partitions[i].offset,
                            .end_told = -1,
                            .state = partitions[i].state};
    }
    return true;
}

bool consumer_watermarks(struct consumer *c, const char *topic, int32_t partition, int64_t *low,
                         int64_t *high, struct err *err)
{
    (void)topic;
    if (no_answer(c, err, "watermarks"))
        return false;
    *low = broker_log[partition]->low;
    *high = broker_log[partition]->high;
    return true;
}

bool consumer_partition_count(struct consumer *c, const char *topic, int32_t *count,
                              struct err *err)
{
    (void)topic;
    *count = (int32_t)sim.dials.partitions;
    return !no_answer(c, err, "metadata");
}

/* One that belongs to a topic which is gone would make the new one look like it, were the place of
 * its last message empty there (docs/contributing/simulator.md). */
static bool is_of_before(const struct consumer *c, int32_t partition)
{
    return c->reader[partition].log != broker_log[partition] &&
           (sim.dials.holes > 0 || sim.dials.compact > 0);
}

/* Of a member that is left out Kafka takes nothing. */
void consumer_commit(struct consumer *c, const struct kafka_partition *partitions, size_t count)
{
    if (is_dead(c) || !c->in_group || sim_fault(sim.dials.kafka_fails))
        return;
    for (size_t i = 0; i < count; i++) {
        struct log *log = broker_log[partitions[i].partition];
        if (is_of_before(c, partitions[i].partition))
            continue;
        log->committed = partitions[i].offset;
        log->began = partitions[i].began;
        c->reader[partitions[i].partition].told = c->reader[partitions[i].partition].log != NULL;
    }
}

bool consumer_committed(struct consumer *c, struct kafka_partition *partitions, size_t count,
                        struct err *err)
{
    if (no_answer(c, err, "committed offsets"))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct log *log = broker_log[partitions[i].partition];
        partitions[i].offset = log->committed;
        partitions[i].began = log->began;
    }
    return true;
}

bool consumer_rejoin(struct consumer *c, struct err *err)
{
    (void)c, (void)err;
    return true;
}

void consumer_figures(const struct consumer *c, struct consumer_figures *figures)
{
    (void)c;
    *figures = (struct consumer_figures){0};
}

int64_t consumer_cached_end(const struct consumer *c, const char *topic, int32_t partition)
{
    (void)c, (void)topic;
    return broker_log[partition]->high;
}

void consumer_close(struct consumer *c)
{
    if (!c || c->closed)
        return;
    if (!is_dead(c))
        revoke(c, c->left_out);
    c->closed = true;
    c->dead = is_dead(c);
    if (!c->dead && c->in_group)
        leave(c);
}
