/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane's life, its states (run/lane_state.h) and the turn. The steps of a turn tell what came of
 * them, act() draws the conclusion: no other function but the two of a rebalance changes the state.
 */
#include "run/lane_impl.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/must.h"
#include "core/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ENVELOPE_BYTES_MAX (8u << 20)
#define BACKOFF_MAX_MS 5000u
#define REFUSED_TRIES 6
#define POLL_IDLE_MS 100
#define CONNECT_MS 1000
#define FINE_EVERY_MS 1000
#define CLUSTER_ID_BYTES 128
#define HOST_BYTES 65
#define PLACE_BYTES 240 /* of the configuration */
#define MEMBER_BYTES 320

/* --- states --------------------------------------------------------------------------------- */

/* The arrows of run/lane_state.h, as bits. */
static const unsigned may_follow[] = {
    [LANE_STARTING] = 1u << LANE_UNASSIGNED | 1u << LANE_ENDED,
    [LANE_UNASSIGNED] = 1u << LANE_UNASSIGNED | 1u << LANE_WAITING | 1u << LANE_ENDED,
    [LANE_WAITING] =
        1u << LANE_UNASSIGNED | 1u << LANE_WAITING | 1u << LANE_READING | 1u << LANE_ENDED,
    [LANE_READING] = 1u << LANE_UNASSIGNED | 1u << LANE_WAITING | 1u << LANE_ENDED,
    [LANE_ENDED] = 1u << LANE_ENDED,
};

static void state_set(struct lane *lane, enum lane_state state, const char *why)
{
    MUST(may_follow[lane->state] >> state & 1, lane->state, state);
    MUST(state == LANE_READING || lane->batch.range_count == 0, state, lane->batch.range_count);
    lane->state = state;
    health_state(lane->group->health, lane->number, state, lane->partition_count, why);
}

/* Never from one assignment right into another: librdkafka 2.0.2 aborts ("rktp_started") when a
 * partition is taken away twice before its fetcher has answered that it stopped. */
static void wait_for(struct lane *lane, unsigned wait_ms)
{
    MUST(lane->state == LANE_WAITING || lane->state == LANE_READING, lane->state);
    batch_reset(&lane->batch);
    lane_assign_nothing(lane);
    lane->state =
        LANE_WAITING; /* for a moment: whether the lane does its work is not in question */
    lane->retry_at_ms = clock_monotonic_ms() + wait_ms;
}

static void end(struct lane *lane, const struct err *why)
{
    MUST(why->kind != ERR_NONE, lane->state);
    batch_reset(&lane->batch);
    lane->err = *why;
    state_set(lane, LANE_ENDED, why->text);
}

/* What PostgreSQL refuses besides rows (those are rejected, each for itself) it will refuse again:
 * a constraint or a trigger that is not ours. Not at once: another member may have been in the way.
 */
static bool refused_for_good(struct lane *lane, const struct err *why)
{
    return why->kind == ERR_INPUT && ++lane->refusals == REFUSED_TRIES;
}

static void recover(struct lane *lane, const struct err *why)
{
    MUST(why->kind != ERR_NONE, lane->state);
    MUST(lane->backoff_ms >= BACKOFF_FIRST_MS && lane->backoff_ms <= BACKOFF_MAX_MS,
         lane->backoff_ms);
    if (refused_for_good(lane, why)) {
        struct err err = {0};
        err_set(&err, ERR_CONFIG, "refused %d times: %.900s", REFUSED_TRIES, why->text);
        end(lane, &err);
        return;
    }
    atomic_fetch_add(&lane->group->counters.recoveries, 1);
    log_warn("%s; trying again in %u ms", why->text, lane->backoff_ms);
    wait_for(lane, lane->backoff_ms);
    state_set(lane, LANE_WAITING, why->text);
    lane->backoff_ms =
        lane->backoff_ms * 2 < BACKOFF_MAX_MS ? lane->backoff_ms * 2 : BACKOFF_MAX_MS;
}

/* The one way back from any failure. */
static void act(struct lane *lane, enum lane_outcome outcome, const struct err *why)
{
    switch (outcome) {
    case LANE_FINE:
        break;
    case LANE_FORGOTTEN:
        log_warn("Kafka has forgotten our offsets, as after the deletion of a topic: reading again "
                 "from where PostgreSQL says");
        wait_for(lane, BACKOFF_FIRST_MS);
        break;
    case LANE_REREAD:
        wait_for(lane, BACKOFF_FIRST_MS);
        break;
    case LANE_RECOVER:
        recover(lane, why);
        break;
    case LANE_FATAL:
        end(lane, why);
        break;
    }
}

/* --- rebalances: struct consumer_handler, called inside consumer_poll() and consumer_close() ---
 */

static void activate(struct lane *lane)
{
    struct err err = {0};
    MUST(lane->state == LANE_WAITING, lane->state);
    batch_reset(&lane->batch);
    enum lane_outcome outcome = lane_assign(lane, &err);
    if (outcome == LANE_FINE)
        state_set(lane, LANE_READING, NULL);
    else
        act(lane, outcome, &err);
}

static void on_assigned(void *context, const struct kafka_partition *partitions, size_t count)
{
    struct lane *lane = context;
    if (lane->state == LANE_ENDED)
        return;
    batch_reset(&lane->batch);
    lane_partitions_set(lane, partitions, count);
    log_info("assigned %zu partitions", lane->partition_count);
    state_set(lane, LANE_WAITING, "reads its offsets");
    lane->backoff_ms = BACKOFF_FIRST_MS;
    activate(lane);
}

static void on_revoked(void *context, bool lost)
{
    struct lane *lane = context;
    struct err err = {0};
    if (lane->state == LANE_READING && !lost)
        act(lane, lane_flush(lane, &err), &err);
    if (lane->batch.range_count > 0)
        log_info("assignment %s: %zu rows dropped, to be read again", lost ? "lost" : "ended",
                 lane->batch.row_count);
    batch_reset(&lane->batch);
    lane_partitions_free(lane);
    if (lane->state != LANE_ENDED)
        state_set(lane, LANE_UNASSIGNED, NULL);
}

/* Whether it is one of those of the last rebalance: Kafka gives back what it was given. */
static bool lane_has(const struct lane *lane, const struct lane_partition *p)
{
    return p >= lane->partition && p < lane->partition + lane->partition_count;
}

static void on_told(void *context, void *state)
{
    const struct lane *lane = context;
    struct lane_partition *p = state;
    MUST(lane_has(lane, p), lane->partition_count, lane->state);
    p->told = true;
}

/* --- the turn ------------------------------------------------------------------------------- */

static enum lane_outcome connect_step(struct lane *lane, struct err *err)
{
    char id[CLUSTER_ID_BYTES];
    if (!consumer_cluster_id(lane->consumer, CONNECT_MS, id, sizeof(id), err)) {
        log_warn("%s", err->text);
        return LANE_FINE; /* still LANE_STARTING: again with the next turn */
    }
    MUST(lane->state == LANE_STARTING && lane->partition_count == 0, lane->state,
         lane->partition_count);
    writer_set_cluster_id(lane->writer, id);
    if (!consumer_subscribe(lane->consumer, err))
        return LANE_FATAL;
    state_set(lane, LANE_UNASSIGNED, NULL);
    return LANE_FINE;
}

static enum lane_outcome serve_message(struct lane *lane, struct lane_partition *p,
                                       const struct kafka_message *message, struct err *err)
{
    bool is_new;
    enum lane_outcome outcome = lane_check_first(lane, p, message, &is_new, err);
    return outcome == LANE_FINE && is_new ? lane_take(lane, p, message, err) : outcome;
}

static enum lane_outcome serve(struct lane *lane, const struct kafka_message *message,
                               struct err *err)
{
    struct lane_partition *p = lane->state == LANE_READING ? message->state : NULL;
    MUST(!p || lane_has(lane, p), lane->partition_count, message->kind);
    MUST(!p || p->phase != PARTITION_HALTED, message->kind);
    switch (message->kind) {
    case POLL_MESSAGE:
        return p ? serve_message(lane, p, message, err) : LANE_FINE;
    case POLL_EOF:
        return p ? lane_at_end(lane, p, message->offset, err) : LANE_FINE;
    case POLL_OUT_OF_RANGE:
        return p ? lane_out_of_range(lane, p, err) : LANE_FINE;
    case POLL_ERROR:
        log_warn("kafka: %s", message->error);
        return LANE_FINE;
    case POLL_FATAL:
        err_set(err, ERR_FATAL, "kafka: %s", message->error);
        return LANE_FATAL;
    case POLL_NOTHING:
        break;
    }
    return LANE_FINE;
}

static bool batch_due(const struct lane *lane, int64_t now_ms)
{
    const struct batch *batch = &lane->batch;
    const struct config *config = lane->group->config;
    return batch->range_count > 0 &&
           (batch->row_count + batch->reject_count >= config->batch_rows ||
            batch->encoded.bytes >= config->batch_bytes ||
            batch->range_count == BATCH_PARTITIONS_MAX ||
            batch->arena.used_bytes >= BATCH_ARENA_MAX / 2 || now_ms >= lane->batch_deadline_ms);
}

static int poll_timeout_ms(const struct lane *lane, int64_t now_ms)
{
    if (lane->batch.range_count == 0)
        return POLL_IDLE_MS;
    int64_t left = lane->batch_deadline_ms - now_ms;
    return left < 0 ? 0 : left > POLL_IDLE_MS ? POLL_IDLE_MS : (int)left;
}

/* A lane that has seen the end of all its partitions need not wait for the batch to grow old. */
static bool flush_early(const struct lane *lane)
{
    if (!lane->group->exit_eof || lane->batch.range_count == 0)
        return false;
    for (size_t i = 0; i < lane->partition_count; i++)
        if (!lane_read_out(&lane->partition[i]))
            return false;
    return true;
}

static void note_caught_up(struct lane *lane)
{
    bool all = (lane->state == LANE_READING ||
                (lane->state == LANE_WAITING && lane->partition_count == 0)) &&
               lane->batch.range_count == 0;
    for (size_t i = 0; all && i < lane->partition_count; i++)
        all = lane_read_out(&lane->partition[i]);
    if (all == lane->counted_caught_up)
        return;
    lane->counted_caught_up = all;
    unsigned others = all ? atomic_fetch_add(&lane->group->caught_up, 1)
                          : atomic_fetch_sub(&lane->group->caught_up, 1) - 1;
    MUST(others < lane->group->lane_count, others, lane->group->lane_count);
}

/* At the end of the log nothing is written: that it is still there is told once a second. And there
 * is time for the sums. */
static void note_fine(struct lane *lane, int64_t now_ms)
{
    if (!lane->counted_caught_up || now_ms - lane->fine_ms < FINE_EVERY_MS)
        return;
    lane->fine_ms = now_ms;
    health_fine(lane->group->health, lane->number);
    writer_idle(lane->writer);
}

/* Has all partitions shared out again, when the watch asks for it. */
static void rejoin_if_asked(struct lane *lane)
{
    struct err err = {0};
    if (lane->number == 0 && atomic_load_explicit(&lane->group->rejoin, memory_order_relaxed) &&
        atomic_exchange(&lane->group->rejoin, false) && !consumer_rejoin(lane->consumer, &err))
        log_warn("%s", err.text);
}

/* Prices loaded while the poll waited are those of the message that ended it. */
static enum lane_outcome book_step(struct lane *lane, struct err *err)
{
    if (lane->state != LANE_READING || lane->batch.range_count > 0 || lane_take_book(lane, err))
        return LANE_FINE;
    return lane_outcome_of(err);
}

/* Polls once and puts what came into the batch. Gives what the time is afterwards: a message that
 * came did not keep us waiting, and the clock is not asked for each. */
static int64_t poll_step(struct lane *lane, int64_t now_ms)
{
    struct kafka_message message;
    struct err err;
    err_clear(&err);
    consumer_poll(lane->consumer, poll_timeout_ms(lane, now_ms), &message);
    act(lane, book_step(lane, &err), &err);
    err_clear(&err);
    act(lane, serve(lane, &message, &err), &err);
    consumer_release(&message);
    return message.kind == POLL_MESSAGE ? now_ms : clock_monotonic_ms();
}

static void write_step(struct lane *lane, int64_t now_ms)
{
    struct err err;
    err_clear(&err);
    if (batch_due(lane, now_ms) || flush_early(lane))
        act(lane, lane_flush(lane, &err), &err);
}

static void look_step(struct lane *lane, int64_t now_ms)
{
    struct err err;
    err_clear(&err);
    act(lane, lane_look(lane, now_ms, &err), &err);
}

/* What holds between two turns. */
static void turn_check(const struct lane *lane)
{
    MUST(lane->state == LANE_READING || lane->batch.range_count == 0, lane->state,
         lane->batch.range_count);
    MUST(lane->state != LANE_UNASSIGNED || lane->partition_count == 0, lane->partition_count);
    MUST(lane->state != LANE_READING || (lane->book && lane->pricer), lane->state);
    MUST((lane->state == LANE_ENDED) == (lane->err.kind != ERR_NONE), lane->state, lane->err.kind);
    MUST(lane->batch.range_count <= lane->partition_count, lane->batch.range_count,
         lane->partition_count);
}

bool lane_turn(struct lane *lane)
{
    int64_t now_ms = clock_monotonic_ms();
    if (lane->state == LANE_ENDED || atomic_load(&lane->group->stop))
        return false;
    if (lane->state == LANE_STARTING) {
        struct err err = {0};
        act(lane, connect_step(lane, &err), &err);
        lane_progress(lane, now_ms);
        return lane->state != LANE_ENDED;
    }
    if (lane->state == LANE_WAITING && now_ms >= lane->retry_at_ms)
        activate(lane);
    write_step(lane, poll_step(lane, now_ms));
    look_step(lane, now_ms);
    note_caught_up(lane);
    note_fine(lane, now_ms);
    lane_progress(lane, now_ms);
    rejoin_if_asked(lane);
    turn_check(lane);
    return lane->state != LANE_ENDED;
}

/* --- life ----------------------------------------------------------------------------------- */

static void error_tell(struct lane *lane)
{
    struct lane_group *group = lane->group;
    int expected = 0;
    MUST(lane->err.kind != ERR_NONE, lane->state);
    log_error("%s", lane->err.text);
    atomic_compare_exchange_strong(&group->exit_code, &expected, err_exit_code(lane->err.kind));
    atomic_fetch_add(&group->failed, 1);
}

void lane_end(struct lane *lane)
{
    struct err err = {0};
    if (lane->state == LANE_READING)
        act(lane, lane_flush(lane, &err), &err);
    if (lane->state == LANE_ENDED)
        error_tell(lane);
    consumer_close(lane->consumer);
    lane->consumer = NULL;
    MUST(lane->batch.range_count == 0, lane->batch.range_count); /* written, or to be read again */
}

void lane_free(struct lane *lane)
{
    if (!lane)
        return;
    consumer_close(lane->consumer);
    writer_free(lane->writer);
    pricer_free(lane->pricer);
    if (lane->book)
        book_release(lane->group->books, lane->book);
    for (size_t i = 0; lane->mapper && i < lane->group->topics->count; i++)
        mapper_free(lane->mapper[i]);
    free(lane->mapper);
    batch_free(&lane->batch);
    buf_free(&lane->envelope);
    lane_partitions_free(lane);
    free(lane);
}

static bool open_consumer(struct lane *lane, struct err *err)
{
    const struct lane_group *group = lane->group;
    struct consumer_options options = {
        .property = group->config->kafka,
        .property_count = group->config->kafka_count,
        .topic = group->topics->pattern,
        .topic_count = group->topics->count,
        .lanes = group->lane_count,
        .handler = {on_assigned, on_revoked, on_told},
        .context = lane,
    };
    lane->consumer = consumer_new(&options, err);
    return lane->consumer != NULL;
}

/* Stays the same from one start to the next, and differs from what runs beside it: books and
 * counters are told apart by it. A path may hold any bytes; PostgreSQL takes text. */
static void member_name(const struct config *config, unsigned lane, char *text, size_t capacity)
{
    char host[HOST_BYTES] = "", clean_host[HOST_BYTES], place[PLACE_BYTES];
    if (config->member && config->member[0]) {
        char name[HOST_BYTES + PLACE_BYTES];
        utf8_mend(name, sizeof(name), slice_of(config->member));
        snprintf(text, capacity, "%s lane %u", name, lane);
        return;
    }
    gethostname(host, sizeof(host) - 1);
    utf8_mend(clean_host, sizeof(clean_host), slice_of(host));
    char *path = realpath(config->path, NULL);
    utf8_mend(place, sizeof(place), slice_of(path ? path : config->path));
    free(path);
    snprintf(text, capacity, "%s:%s lane %u", clean_host, place, lane);
}

static bool open_writer(struct lane *lane, struct err *err)
{
    const struct config *config = lane->group->config;
    char name[64], member[MEMBER_BYTES];
    snprintf(name, sizeof(name), "spendlog lane %u", lane->number);
    member_name(config, lane->number, member, sizeof(member));
    struct writer_options options = {
        .conninfo = config->postgres,
        .group_id = config_kafka(config, "group.id"),
        .application_name = name,
        .member = member,
        .lock_timeout_ms = 2000,
        .statement_timeout_ms = 30000,
        .tell_retention = lane->number == 0,
        .retain_days = config->retain_days,
        .payload_keys = config_sealing(config),
        .stop = &lane->group->stop,
    };
    lane->writer = writer_new(&options);
    return lane->writer ? true : err_set(err, ERR_FATAL, "out of memory");
}

struct lane *lane_new(struct lane_group *group, unsigned number, struct err *err)
{
    MUST(number < LANES_MAX && group->topics->count > 0, number, group->topics->count);
    struct lane *lane = calloc(1, sizeof(*lane));
    if (!lane) {
        err_set(err, ERR_FATAL, "out of memory");
        return NULL;
    }
    lane->group = group;
    lane->number = number;
    lane->backoff_ms = BACKOFF_FIRST_MS;
    buf_init(&lane->envelope, ENVELOPE_BYTES_MAX);
    batch_init(&lane->batch, BATCH_ARENA_MAX, group->config->retain_days,
               group->config->future_days);
    lane->mapper = calloc(group->topics->count, sizeof(struct mapper *));
    bool ok = lane->mapper && open_writer(lane, err) && open_consumer(lane, err);
    for (size_t i = 0; ok && i < group->topics->count; i++)
        ok = (lane->mapper[i] = mapper_new(group->topics->topic[i].mappings)) != NULL;
    if (ok)
        return lane;
    err_set(err, ERR_FATAL, "out of memory");
    lane_free(lane);
    return NULL;
}

enum lane_state lane_state(const struct lane *lane)
{
    return lane->state;
}

const struct err *lane_error(const struct lane *lane)
{
    return &lane->err;
}

/* --- on a thread of its own ----------------------------------------------------------------- */

static void *lane_main(void *context)
{
    struct lane *lane = context;
    char prefix[32];
    snprintf(prefix, sizeof(prefix), "lane %u", lane->number);
    log_set_prefix(prefix);
    while (lane_turn(lane))
        ;
    lane_end(lane);
    log_flush();
    return NULL;
}

struct lane *lane_start(struct lane_group *group, unsigned number, struct err *err)
{
    struct lane *lane = lane_new(group, number, err);
    if (!lane || pthread_create(&lane->thread, NULL, lane_main, lane) == 0)
        return lane;
    err_set(err, ERR_FATAL, "lane %u: cannot start a thread", number);
    lane_free(lane);
    return NULL;
}

void lane_join(struct lane *lane)
{
    pthread_join(lane->thread, NULL);
    lane_free(lane);
}
