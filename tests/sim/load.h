/* SPDX-License-Identifier: Apache-2.0 */
/* What producers send, and what has to come of each record. */
#ifndef TESTS_SIM_LOAD_H
#define TESTS_SIM_LOAD_H

#include "tests/sim/sim.h"

#define LOAD_TOPIC "usage"
#define LOAD_DAYS 2 /* events are as old as that, or far older */
#define RECORDS_PER_MESSAGE_MAX 64

/* What makes an event: its id and, when it has one, its own time. */
struct key {
    struct key *next;
    char id[24];        /* "": the place of the record is its identity */
    int64_t start_us;   /* -1: the message's time is taken, the identity is guarded */
    unsigned count;     /* records of it that were produced */
    const void *stored; /* the checker's: its row */
    bool dropped;       /* the same: one went with its day */
};

enum want { WANT_ROW, WANT_SKIPPED, WANT_REJECTED, WANT_REFUSED };

struct sent_record {
    enum want want;
    struct key *key;
    int64_t tokens;
    unsigned team, tags; /* tags: so many */
};

struct sent {
    int32_t partition;
    int64_t offset, time_ms;
    bool trimmed;   /* the log has lost it, read or not */
    bool compacted; /* the same, in the midst of the log */
    const char *value;
    unsigned count, others; /* records; so many of the first ones are none of ours */
    struct sent_record record[];
};

void load_reset(void);
const char *load_team(unsigned team); /* its name, and how many tags, as they are stored */
unsigned load_tags(unsigned tags);
/* Some messages, to partitions of the broker. */
void load_produce(void);
extern struct key *load_keys;

#endif
