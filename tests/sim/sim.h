/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator: members of a group, a broker and a PostgreSQL in one process and one thread, in a
 * time that is made up. The product's objects are linked as they are; Kafka (ingest/kafka.h), libpq
 * and the clock (core/clock.h) are replaced. One generator decides everything: a seed is a history.
 *
 *     sim.c         a seed from its beginning to its verdict; the command line
 *     task.c        members, producer and faults take turns: one runs until it waits
 *     clock.c       the time, which passes when all wait
 *     broker.c      topics, the group, its rebalances
 *     db.c          tables, transactions, locks, and the list of what was committed
 *     statements.c  what each statement of the writer does to the tables
 *     statements_reprice.c  ... and those of repricing
 *     pq.c          libpq's functions over them, and how a connection fails
 *     member.c      a process of the product: lanes that start, stop, die
 *     memory.c      allocations that fail
 *     log.c         what the product says
 *     others.c      sessions of operators on the same database: retention
 *     reprice.c     an operator who has stored rows priced again
 *     retry.c       an operator who has rejected records read again
 *     load.c        what is produced, and what has to come of it
 *     check.c       whether it did; knows nothing of the product
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How often something happens, of a thousand; drawn for each seed: most histories have few kinds of
 * faults. */
struct dials {
    unsigned members, partitions, messages, batch_rows, batch_wait_ms;
    unsigned cut;         /* a connection breaks at a statement */
    unsigned commit_lost; /* ... at a COMMIT, done or not */
    unsigned refused;     /* a statement fails for a reason of the server's */
    unsigned kafka_fails; /* a question to the broker is not answered */
    unsigned repeats;     /* the first message of an assignment comes twice */
    unsigned go_back, replace, outage, freeze, kill, stop, rebalance, retain, reload, step;
    unsigned drop_day, close_day, add_partition;
    unsigned make_again, compact;
    unsigned in_part; /* the topic is made again when a part of a first message is stored */
    unsigned starve;  /* an allocation of a member fails */
    unsigned remap;   /* mappings of other words, the same in meaning, with a start */
    unsigned theirs;  /* of ten rejected records, what a constraint of somebody's refuses */
    unsigned reprice, swap, retry;
    unsigned reprice_kill;
    unsigned replace_run; /* another server comes between two statements of a run */
    unsigned limits;      /* messages and figures at a limit, or one beyond */
    unsigned texts;       /* one as long as it may be, or longer; the same of tags */
    unsigned resend, conflict, siblings, odd, refusable, untimed, unnamed, holes;
    unsigned yields;     /* between two messages */
    bool keeps_prepared; /* a pooler that hides another server remembers statements */
    unsigned slots;      /* of what a writer remembers */
    uint64_t word_mask;  /* numbers of the dictionaries: few, so that they meet */
};

struct sim {
    uint64_t seed;
    uint64_t state; /* of the generator */
    int64_t now_ms; /* passed */
    int64_t wall_step_us;
    unsigned long steps, steps_max;
    bool trace, quiet; /* quiet: no more faults */
    int64_t quiet_ms;  /* since then */
    bool failed;
    char why[512];
    struct dials dials;
};
extern struct sim sim;

/* What can befall a history: each is counted, so that one which never comes is seen. */
#define HAPPENINGS(X)                                                                              \
    X(CUT, "a connection broke")                                                                   \
    X(COMMIT_DONE, "a COMMIT that was done had no answer")                                         \
    X(COMMIT_UNDONE, "a COMMIT that was not done had no answer")                                   \
    X(STATEMENT_TIMEOUT, "a statement took too long")                                              \
    X(NOT_SERIAL, "a transaction could not be serialized")                                         \
    X(SERVER_STARVED, "the server had no memory")                                                  \
    X(SERVER_IO, "it could not read a block")                                                      \
    X(READ_ONLY, "the server was read-only")                                                       \
    X(FULL, "its disk was full")                                                                   \
    X(CRASH, "it crashed")                                                                         \
    X(WENT_BACK, "it came back older")                                                             \
    X(REPLACED, "another one was behind the same connections")                                     \
    X(LOCK_TIMEOUT, "a lock was not had in time")                                                  \
    X(DEADLOCK, "there was a deadlock")                                                            \
    X(BACKEND_ENDED, "a member ended another's backend")                                           \
    X(REAPED, "a backend was idle in its transaction for too long")                                \
    X(KEY_MET, "a key was there")                                                                  \
    X(ROW_REFUSED, "a row was refused")                                                            \
    X(REJECT_REFUSED, "a rejected record was refused")                                             \
    X(NO_DAY, "a row came for a day that was dropped")                                             \
    X(DAY_DROPPED, "a day was dropped")                                                            \
    X(DAY_EXPIRED, "a member dropped a day")                                                       \
    X(RUN_ENDED, "a run of repricing came to its end")                                             \
    X(RUN_BROKEN, "... until something failed")                                                    \
    X(RUN_RESUMED, "... was gone on with")                                                         \
    X(OPERATOR_KILLED, "... was killed")                                                           \
    X(CLAIMED, "... wanted days that another one has")                                             \
    X(CLAIM_LOST, "... had lost its claim of a day")                                               \
    X(REPRICED, "rows were repriced")                                                              \
    X(CLOSED, "a period was closed")                                                               \
    X(POSTED, "a difference of a row in a closed period was posted")                               \
    X(SWAPPED, "a day was swapped")                                                                \
    X(LATE, "rows had come while it was rewritten")                                                \
    X(RETRY, "rejected records were tried again")                                                  \
    X(RETRY_ENDED, "... until something failed")                                                   \
    X(RETRIED_ROW, "a rejected record became a row")                                               \
    X(RETRIED_DUPLICATE, "... a duplicate")                                                        \
    X(RETRIED_SKIPPED, "... turned out to be none")                                                \
    X(NO_BROKER, "a broker did not answer")                                                        \
    X(REPEATED, "a message came twice")                                                            \
    X(REBALANCE, "partitions were shared out anew")                                                \
    X(LEFT_OUT, "a member was left out")                                                           \
    X(TRIMMED, "the log lost messages that were not read")                                         \
    X(BEYOND_END, "a log ended before what was asked of it")                                       \
    X(PARTITION, "a partition was added")                                                          \
    X(MADE_AGAIN, "the topic was deleted and made again")                                          \
    X(HOLE, "offsets without messages were met")                                                   \
    X(HOLE_AT_END, "... at the end of a log")                                                      \
    X(COMPACTED, "compaction took a message")                                                      \
    X(KILL, "a member was killed")                                                                 \
    X(STOP, "a member was stopped")                                                                \
    X(FREEZE, "a member was frozen")                                                               \
    X(RELOAD, "prices were loaded")                                                                \
    X(REMAP, "a member began with other mappings")                                                 \
    X(STARVED, "an allocation failed")                                                             \
    X(STARVED_TO_DEATH, "a member ended for want of memory")                                       \
    X(CLOCK, "a clock stepped")                                                                    \
    X(AT_LIMIT, "something at a limit was produced")                                               \
    X(BEYOND, "something one beyond a limit was produced")                                         \
    X(TEXT_AT_LIMIT, "a text as long as it may be was produced")                                   \
    X(TEXT_BEYOND, "a text that is cut was produced")                                              \
    X(TAGS_AT_LIMIT, "as many tags as there may be were produced")                                 \
    X(TAGS_BEYOND, "one tag more was produced")                                                    \
    X(HUGE, "a message of as many records or bytes as there may be, or one more")
enum happening {
#define X(id, words) HAPPENED_##id,
    HAPPENINGS(X)
#undef X
        HAPPENINGS_COUNT
};
void sim_happened(enum happening what);

uint64_t sim_random(void);
unsigned sim_below(unsigned n); /* 0 to n - 1 */
bool sim_chance(unsigned of_thousand);
/* A fault: never when it is quiet. A dial at 0 draws nothing: new dials leave old seeds alone. */
bool sim_fault(unsigned of_thousand);

/* Another server behind the same connections, older by some transactions, where that is to be told
 * from a topic that was made again. */
void sim_replace(void);

/* Memory that a seed needs until its end; zeroed. */
void *sim_alloc(size_t bytes);
void *sim_malloc(size_t bytes); /* the C library's */
char *sim_text(const char *fmt, ...) PRINTF_LIKE(1, 2);

void sim_trace(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* A transaction was committed. */
void sim_committed(void);
/* The history is wrong: the first reason stays. */
void sim_fail(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
