/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One batch: what a lane gathered between two commits, encoded and ready to be written in one
 * transaction (store/writer.h). Rows, rejected records, and per partition how far it got.
 * A batch belongs to one lane and is reused: batch_reset() keeps its memory.
 */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/charge.h"
#include "core/event.h"

#define BATCH_BYTES_MAX (32u << 20)   /* of encoded rows; a batch is closed far earlier */
#define BATCH_PARTITIONS_MAX 4096

/* A Kafka partition as PostgreSQL knows it: one row of kafka_offsets. */
struct partition_state {
    int64_t id;             /* kafka_offsets.partition_id: surrogate key of the row below */
    const char *topic;      /* lives as long as the assignment */
    int32_t partition;
    int32_t incarnation;
    int64_t next_offset;    /* stored: the next offset to read */
    int64_t last_time_ms;   /* timestamp of the last message stored, -1 = none */
    uint64_t last_hash;     /* XXH3-64 of its value */
};

/* What a batch did to one partition. */
struct batch_range {
    struct partition_state *state;
    int64_t first_offset; /* compare-and-set: must equal the stored next_offset */
    int64_t next_offset;
    int64_t last_time_ms;
    uint64_t last_hash;
    int64_t messages, rows, duplicates, rejected, skipped; /* records, but for messages */
};

/* One encoded row: its COPY bytes and what duplicates are recognised by. */
struct batch_row {
    int64_t start_time_us;
    uint8_t identity[16];
    uint64_t content_hash;
    size_t offset, bytes; /* in batch->encoded */
    unsigned range;       /* index into batch->range */
    int64_t kafka_offset;
    unsigned record_index;
    bool time_not_own;    /* goes through identity_guard */
};

struct batch_reject {
    unsigned range;
    int64_t kafka_offset;
    unsigned record_index;
    enum reason reason;
    const char *mapping;   /* or NULL */
    struct slice detail, field, payload; /* in the arena; payload empty when not kept */
    int64_t byte;
    uint64_t payload_hash;
    size_t payload_bytes;
};

struct batch {
    struct arena arena;
    struct buf encoded;
    struct batch_row *rows;
    size_t row_count, row_capacity;
    struct batch_reject *rejects;
    size_t reject_count, reject_capacity;
    struct batch_range *range;
    size_t range_count, range_capacity;
    int64_t skipped_by_reason[REASON_COUNT];
    int64_t flagged; /* events with a flag set */
};

void batch_init(struct batch *batch, size_t arena_bytes);
void batch_reset(struct batch *batch);
void batch_free(struct batch *batch);

/* The range of a partition, made on first use with first_offset = state->next_offset. */
unsigned batch_range_of(struct batch *batch, struct partition_state *state);

struct row_origin {
    unsigned range;
    int64_t kafka_offset;
    unsigned record_index;
    const char *price_book_id; /* 64 hex digits */
};

/* Encodes one priced event as a row of spend_logs (binary COPY). ERR_INPUT: the row cannot be
 * represented (caller rejects the record); nothing is added then. */
bool batch_add_row(struct batch *batch, const struct event *event, const struct charge *charge,
                   const struct row_origin *origin, struct err *err) MUST_CHECK;

bool batch_add_reject(struct batch *batch, const struct batch_reject *reject,
                      struct err *err) MUST_CHECK;

#endif
