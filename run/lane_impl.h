/* SPDX-License-Identifier: Apache-2.0 */
/* What lane.c (the loop) and lane_assign.c (partitions and their offsets) share. */
#ifndef RUN_LANE_IMPL_H
#define RUN_LANE_IMPL_H

#include "ingest/kafka.h"
#include "run/lane.h"
#include "store/writer.h"

#define BACKOFF_FIRST_MS 100u /* doubles with each failure, until a batch is written */

struct lane_partition {
    struct partition_state state; /* first: lane_partition_of() */
    const struct topic *topic;
    struct mapper *mapper; /* borrowed from lane->mapper */
    bool check_last; /* the first message must be the one last stored from: assigned one early, but
                        where that is stored in part */
    bool told;       /* Kafka has taken an offset of ours for it since it was assigned */
    bool caught_up;  /* its end was reached since the last rebalance */
    int64_t known_offset;     /* stored, as far as we know; -1 = nothing known */
    int64_t began_offset;     /* where reading began, once known: -1 until then */
    int64_t unchecked_offset; /* where the message before is gone from the log: nothing to check */
    bool halted;              /* left out: its log lost what we had not read, kafka_gap: stop */
    struct buf last;          /* the last message of the batch; failed: it is too large */
};

static inline struct lane_partition *lane_partition_of(struct partition_state *state)
{
    return (struct lane_partition *)state;
}

/* Whether a part of the message at next_offset is stored. */
static inline bool lane_partly(const struct lane_partition *p)
{
    return p->state.next_index > 0;
}

struct lane {
    struct lane_group *group;
    unsigned number;
    pthread_t thread;
    struct consumer *consumer;
    struct writer *writer;
    struct book_ref *book;
    struct pricer *pricer;
    struct mapper **mapper; /* one per topic of the group */
    struct batch batch;
    int64_t batch_deadline_ms;   /* monotonic; of the batch being gathered */
    unsigned keep_messages_left; /* batches that are to keep their messages */

    struct lane_partition *partition; /* of the last rebalance */
    size_t partition_count;
    bool assigned;      /* a rebalance has given us a set, maybe an empty one */
    bool active;        /* that set is being consumed */
    int64_t look_at_ms; /* when to ask whether the database still holds what it held */
    int64_t retry_at_ms;
    unsigned backoff_ms;
    bool counted_caught_up;
    int64_t fine_ms; /* when the end of the log was told last */
    struct err err;  /* why the lane ended */
};

/* Rebalance handlers (struct consumer_handler). */
void lane_on_assigned(void *context, const struct kafka_partition *partitions, size_t count);
void lane_on_revoked(void *context, bool lost);
void lane_on_told(void *context, void *state);

/* Reads the offset rows and starts consuming from them; on failure sets the time of the next try.
 */
void lane_activate(struct lane *lane);

void lane_partitions_free(struct lane *lane);

/* Drops the batch and stops consuming until lane_activate(). The one way back from any failure. */
void lane_recover(struct lane *lane, const struct err *why);

/* Now and then: whether the database still holds what it held. One that goes back while nothing
 * comes, or behind a pooler that hides it, would not be noticed otherwise. */
void lane_look(struct lane *lane, int64_t now_ms);

/* The log does not hold what the offset row asks for: books the gap and recovers, or halts. */
void lane_out_of_range(struct lane *lane, struct lane_partition *partition);

/* false: the message is not a new one (the check message), or the topic was recreated. */
bool lane_check_first(struct lane *lane, struct lane_partition *partition,
                      const struct kafka_message *message);

/* Before a batch is written. false: Kafka has forgotten an offset we told it, as it does when a
 * topic is deleted. Messages of a new topic may have followed ours without a break: the batch is
 * dropped, and assigning anew finds out. */
bool lane_topics_still_there(struct lane *lane);

/* Leaves the group and joins it anew, so that all partitions are shared out again. */
void lane_rejoin(struct lane *lane);

/* Takes over the current price book; between two batches only, so that a batch has one book. */
bool lane_take_book(struct lane *lane, struct err *err) MUST_CHECK;

/* Writes the batch; true when nothing is left in it. */
bool lane_flush(struct lane *lane);

#endif
