/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database in memory, in place of store/writer.c: offset rows that move by compare-and-set, and
 * the places of the rows that were written. A test says what becomes of the next commits.
 */
#ifndef TESTS_FAKES_WRITER_H
#define TESTS_FAKES_WRITER_H

#include "store/writer.h"

enum fake_commit {
    COMMIT_DONE,
    COMMIT_FENCED,      /* the offset rows are elsewhere: nothing is written */
    COMMIT_CUT,         /* the connection breaks before: nothing is written */
    COMMIT_ANSWER_LOST, /* it breaks after: written, and nobody knows */
    COMMIT_WANTS_MESSAGES,
    COMMIT_REFUSED, /* ERR_CONFIG: the operator's to mend */
};

struct fake_place {
    int32_t partition, incarnation;
    int64_t offset;
    unsigned index;
    bool rejected;
    size_t message_bytes, envelope_bytes; /* kept of what was rejected */
};

struct fake_offsets { /* the newest incarnation of a partition */
    bool known;
    int32_t incarnation;
    int64_t first, next, last_time_ms;
    unsigned next_index;
    uint64_t last_hash, mappings;
    struct last_messages last;
};

struct fake_writer {
    enum fake_commit next_commit; /* of the next one only */
    unsigned away;                /* so many connects fail */
    unsigned refuses;             /* so many commits fail with ERR_INPUT */
    unsigned fail_put_book, fail_setback;
    bool misconfigured; /* connecting fails with ERR_CONFIG */
    bool loses_book;    /* the book is not there when it is asked for */
    bool keeps_batch;   /* of the last commit: it asked for messages to be kept */
    unsigned connects, forgets, commits, books, gaps, setbacks;
    struct fake_place *place; /* rows and rejected records, in the order of writing */
    size_t place_count;
    char member[512]; /* of the writer made last */
};

extern struct fake_writer fake_writer;

void fake_writer_reset(void);
struct fake_offsets *fake_offsets(int partition);

/* How often the record is there, of any incarnation. */
size_t fake_writer_count(int partition, int64_t offset, unsigned index);

#endif
