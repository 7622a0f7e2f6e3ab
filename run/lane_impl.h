/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a lane share. Each uses those below it and none above:
 *
 *     lane.c         life, states and the turn
 *     lane_assign.c  offset rows into an assignment
 *     lane_gap.c     a log that is not as the offset rows have it
 *     lane_take.c    a message into the batch
 *     lane_flush.c   the batch into PostgreSQL
 *     lane_told.c    what Kafka knows of our offsets
 *     lane_progress.c how far it is, for who asks
 *     lane_book.c    the price book in force
 */
#ifndef RUN_LANE_IMPL_H
#define RUN_LANE_IMPL_H

#include "ingest/kafka.h"
#include "run/lane.h"
#include "run/lane_state.h"
#include "store/writer.h"

#define BACKOFF_FIRST_MS 100u /* doubles with each failure, until a batch is written */
#define BATCH_ARENA_MAX (64u << 20)

/* The hash of a message is wanted if it is among the last ones of its batch: messages are copied,
 * each over one before, and hashed by lane_flush() (1.1 KB: 80 instructions for 1,310). A large one
 * is hashed at once. */
struct lane_message {
    struct buf value; /* failed: it is too large */
    uint64_t hash;    /* then this is its XXH3-64 */
    int64_t offset, time_ms;
};

struct lane_partition {
    struct partition_state state; /* first: lane_partition_of() */
    const struct topic *topic;    /* of group->topics */
    struct mapper *mapper;        /* borrowed from lane->mapper */
    enum partition_phase phase;
    bool told;            /* Kafka has taken an offset of ours since it was assigned */
    int64_t known_offset; /* stored, as far as we know; -1 = nothing known */
    int64_t began_offset; /* where reading began, once known: -1 until then */
    int64_t
        unchecked_offset; /* of the last message, when the log begins behind it: not looked at */
    bool unchecked;       /* assigned so: whether the log still does is asked with what comes */
    int64_t look_from;    /* CHECKING: assigned from so early, to know the log by; -1 = not */
    struct lane_message last[LAST_MESSAGES_MAX]; /* of the batch: each at its number modulo those */
    size_t taken;                                /* messages of the batch, also in part */
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

/* Where the message stored last, whole or in part, is looked for: what lies before is not. */
static inline int64_t lane_looked_at(const struct lane_partition *p)
{
    return p->state.next_offset - !lane_partly(p);
}

/* Whether nothing is to be read of it now. */
static inline bool lane_read_out(const struct lane_partition *p)
{
    return p->phase == PARTITION_AT_END || p->phase == PARTITION_HALTED;
}

struct lane {
    struct lane_group *group; /* borrowed, as all that it points to */
    unsigned number;
    pthread_t thread; /* lane_start() only */
    enum lane_state state;
    struct err err;            /* LANE_ENDED: why */
    struct consumer *consumer; /* own; NULL after lane_end() */
    struct writer *writer;     /* own */
    struct book_ref *book;     /* held; NULL until the first assignment */
    struct pricer *pricer;     /* own; of the book */
    struct mapper **mapper;    /* own; one per topic of the group */

    struct buf envelope;         /* of the message at hand, once something of it is kept */
    struct batch batch;          /* empty unless LANE_READING */
    int64_t batch_deadline_ms;   /* monotonic; of the batch being gathered */
    unsigned keep_messages_left; /* batches that are to keep their messages */

    struct lane_partition *partition; /* own; of the last rebalance */
    size_t partition_count;
    int64_t look_at_ms;  /* when to ask whether the database still holds what it held */
    int64_t retry_at_ms; /* LANE_WAITING: when to read the offset rows */
    unsigned backoff_ms;
    unsigned refusals;      /* since a batch was written: what PostgreSQL refused of what is ours */
    bool counted_caught_up; /* in group->caught_up */
    int64_t fine_ms;        /* when the end of the log was told last */
    int64_t progress_ms;    /* when its partitions were told last */
    int64_t database_ms;    /* when it looked last whether the database is to be asked */
};

/* What an error asks for: LANE_FATAL when only an operator or a restart can help. */
static inline enum lane_outcome lane_outcome_of(const struct err *err)
{
    return err->kind == ERR_CONFIG || err->kind == ERR_FATAL ? LANE_FATAL : LANE_RECOVER;
}

/* Each outcome but LANE_FINE, LANE_REREAD and LANE_FORGOTTEN comes with an error. */

/* lane_assign.c */
/* The partitions of a rebalance, in place of those before; nothing is read yet. */
void lane_partitions_set(struct lane *lane, const struct kafka_partition *partitions, size_t count);
void lane_partitions_free(struct lane *lane);
/* Reads the offset rows and has Kafka send from them. */
enum lane_outcome lane_assign(struct lane *lane, struct err *err) MUST_CHECK;
/* Kafka sends nothing more. */
void lane_assign_nothing(struct lane *lane);
/* Now and then: whether the database still holds what it held. One that goes back while nothing
 * comes, or behind a pooler that hides it, would not be noticed otherwise. */
enum lane_outcome lane_look(struct lane *lane, int64_t now_ms, struct err *err) MUST_CHECK;

/* lane_gap.c */
/* The log does not hold what the offset row asks for: books the gap, or halts the partition. */
enum lane_outcome lane_out_of_range(struct lane *lane, struct lane_partition *partition,
                                    struct err *err) MUST_CHECK;
/* The end of the log is at `offset`. */
enum lane_outcome lane_at_end(struct lane *lane, struct lane_partition *partition, int64_t offset,
                              struct err *err) MUST_CHECK;
/* *is_new false: it is the message that was stored last, or the log is another one. */
enum lane_outcome lane_check_first(struct lane *lane, struct lane_partition *partition,
                                   const struct kafka_message *message, bool *is_new,
                                   struct err *err) MUST_CHECK;

/* lane_take.c */
/* The first thing of a batch: its clock starts, and what it is to keep is settled. */
void lane_batch_begin(struct lane *lane);
/* Maps, prices and encodes a message into the batch, which is written as often as it fills up. */
enum lane_outcome lane_take(struct lane *lane, struct lane_partition *partition,
                            const struct kafka_message *message, struct err *err) MUST_CHECK;

/* lane_flush.c */
/* Writes the batch. LANE_FINE: nothing is left in it. Any other outcome leaves it to be dropped. */
enum lane_outcome lane_flush(struct lane *lane, struct err *err) MUST_CHECK;

/* lane_told.c */
/* Asks Kafka for the offsets of the group: each partition's `told`, and how far the group had come
 * for a member that knows nothing yet. *gone: one that it had been told is gone. */
bool lane_told_ask(struct lane *lane, bool *gone, struct err *err) MUST_CHECK;
/* Tells Kafka the offsets that are stored. */
void lane_told_correct(struct lane *lane);

/* lane_progress.c */
/* Once a second, and when they change: how far its partitions are. */
void lane_progress(struct lane *lane, int64_t now_ms);

/* lane_book.c */
/* Takes over the current price book, or puts it again where the database may have lost it. Between
 * two batches only, so that a batch has one book. */
bool lane_take_book(struct lane *lane, struct err *err) MUST_CHECK;

#endif
