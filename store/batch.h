/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One batch: what a lane gathered between two commits, encoded and ready to be written in one
 * transaction (store/writer.h). Rows, rejected records, and per partition how far it got.
 * A batch belongs to one lane and is reused: batch_reset() keeps its memory.
 *
 * The counts of a range are the caller's: one of rows, rejected, skipped goes up with every record
 * it adds. A record that batch_add_row() refuses is then added as a rejected one.
 */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/charge.h"
#include "core/event.h"
#include "store/last_messages.h"
#include "store/row_words.h"
#include "store/sums.h"

#define BATCH_BYTES_MAX (32u << 20)  /* of encoded rows; a batch is closed far earlier */
#define BATCH_RECORDS_MAX (1u << 20) /* rows, and rejected records */
#define BATCH_PARTITIONS_MAX 4096

/* A Kafka partition as PostgreSQL knows it: one row of kafka_offsets. */
struct partition_state {
    int64_t id;        /* kafka_offsets.partition_id: surrogate key of the row below */
    int64_t created;   /* when that row was made, as PostgreSQL sends it: whose the number is */
    const char *topic; /* lives as long as the assignment */
    int32_t partition;
    int32_t incarnation;
    int64_t first_offset; /* where reading began */
    int64_t next_offset;  /* stored: the next offset to read */
    unsigned next_index;  /* stored: and the next record of the message there */
    int64_t last_time_ms; /* timestamp of the last message stored, or of the one at next_offset when
                             a part of it is; -1 = none */
    uint64_t last_hash;   /* XXH3-64 of its value */
    struct last_messages last; /* and those before it */
    uint64_t mappings; /* hash of those that counted the records before next_index; 0 = unknown */
};

/* What a batch did to one partition. */
struct batch_range {
    struct partition_state *state;
    int64_t first_offset; /* compare-and-set: must equal the stored next_offset */
    int64_t next_offset;
    unsigned first_index, next_index; /* the same of the records of the message there */
    int64_t last_time_ms; /* of the last message; -1 = the range holds none with a timestamp */
    uint64_t last_hash;
    struct last_messages last;
    uint64_t mappings; /* hash of those that counted the records before next_index */
    int64_t messages;
    int64_t rows, duplicates, rejected, skipped; /* records; duplicates come from the writer */
    int64_t conflicts; /* those of the duplicates whose content differed; from the writer */
    int64_t by_status[CHARGE_STATUS_COUNT]; /* the rows by enum charge_status; from the writer */
    int64_t flagged, doubtful;              /* those with a flag, with one of doubt */
};

/* What the writer found out about a row; ROW_NEW is written. */
enum row_fate {
    ROW_NEW,
    ROW_DUPLICATE_NEAR,   /* of a row of this batch */
    ROW_DUPLICATE_STORED, /* of a row in the table */
    ROW_REFUSED,          /* PostgreSQL will not have it */
};

/* One encoded row: its COPY bytes and what duplicates are recognised by. */
struct drift_way;

struct batch_row {
    int64_t start_time_us;
    uint8_t identity[16];
    uint64_t content_hash;
    uint64_t labels_digest; /* row_digest_labels() */
    size_t offset, bytes;   /* in batch->encoded */
    bool lean;              /* its form; then its words are in batch->words, at these places */
    unsigned words[WORDS_COUNT];
    unsigned range; /* index into batch->range */
    int64_t kafka_offset;
    unsigned record_index;
    bool time_not_own; /* goes through identity_guard */
    bool unguarded;    /* ... not: it was refused, and guards no row; from the writer */
    bool suspected;    /* its key was written lately: asked for before the COPY */
    enum charge_status status;
    struct money spend;     /* 0 where there is none */
    bool flagged, doubtful; /* with a flag; with one that casts doubt on the amount */
    unsigned message;       /* 1 + index into batch->messages; 0 = its message was not kept */
    unsigned figures;       /* its number in batch->sums */
    const char *mapping;    /* that read it */
    enum row_fate fate;
    bool conflict;       /* a duplicate whose first delivery said something else */
    uint64_t first_hash; /* of a duplicate: content hash of the row that stays */
    const struct drift_way
        *apart; /* in the arena: to be noted once it is stored; NULL: it is not */
};

struct batch_reject {
    unsigned range;
    int64_t kafka_offset;
    unsigned record_index;
    enum reason reason;
    const char *mapping;                 /* or NULL */
    struct slice detail, field, payload; /* copied to the arena; payload empty when not kept */
    struct slice envelope;               /* kept with the payload: envelope_write() */
    int64_t byte;
    int64_t time_ms; /* Kafka timestamp of the message, -1 = none */
    uint64_t payload_hash;
    size_t payload_bytes;
};

/* A message whose rows PostgreSQL may refuse: what a retry of them will need. */
struct batch_message {
    struct slice payload, envelope; /* in the arena; empty when it is not to be kept */
    int64_t time_ms;                /* -1 = none */
    uint64_t hash;
    size_t bytes;
    bool payload_used; /* by the writer: one rejected event of a message keeps it */
};

/* A rejected record that a retry could read. */
struct batch_resolved {
    unsigned range;
    int64_t kafka_offset;
    unsigned record_index;
    bool skipped;           /* no event after all; otherwise its row is in the batch */
    const char *resolution; /* row, duplicate or skipped; NULL: refused again; from the writer */
};

struct batch {
    struct arena arena;
    struct buf encoded;
    struct row_words words;
    struct batch_row *rows;
    size_t row_count, row_capacity;
    struct sums sums; /* what the rows come to */
    struct batch_reject *rejects;
    size_t reject_count, reject_capacity;
    /* A retry of rejected records: offsets stay where they are. Set after batch_reset(), with the
     * ranges' `rejected` going down by one for each resolved record. */
    bool retry;
    struct batch_resolved *resolved;
    size_t resolved_count, resolved_capacity;
    /* Messages are kept only when PostgreSQL refused a row lately: for the usual batch it would be
     * a copy of all for nothing. A writer that meets a refused row without its message asks for the
     * batch to be read again with keep_messages, if the lane can do that. */
    bool can_read_again, keep_messages;
    bool messages_wanted; /* from the writer */
    struct batch_message *messages;
    size_t message_count, message_capacity;
    size_t refused;            /* rows PostgreSQL refused; from the writer */
    struct batch_range *range; /* BATCH_PARTITIONS_MAX of them: does not move */
    size_t range_count;
    unsigned last_range; /* found last: messages of a partition come together */
    int64_t skipped_by_reason[REASON_COUNT];
    char book_id[65]; /* of all rows; "" = no row yet */
    int retain_days, future_days;
    int64_t time_min_us, time_max_us; /* start times taken; set with the first range */
};

/* Start times before now - retain_days (0 = for ever: from 1970) and after now + future_days are
 * refused; a batch takes `now` with its first message. */
void batch_init(struct batch *batch, size_t arena_bytes, int retain_days, int future_days);
void batch_reset(struct batch *batch);
void batch_times(int retain_days, int future_days, int64_t now_us, int64_t *min_us,
                 int64_t *max_us);
/* ERR_INPUT. */
bool batch_time_holds(int64_t min_us, int64_t max_us, int64_t start_us, struct err *err) MUST_CHECK;
void batch_free(struct batch *batch);

/* Memory that it holds on to, from one batch to the next. */
size_t batch_held_bytes(const struct batch *batch);

/* The range of a partition, made on first use with first_offset = state->next_offset. */
unsigned batch_range_of(struct batch *batch, struct partition_state *state);

struct row_origin {
    unsigned range;
    int64_t kafka_offset;
    unsigned record_index;
    const char *price_book_id; /* 64 hex digits; the same for all rows of a batch */
    unsigned message;          /* from batch_keep_message(); 0 = not kept */
};

/* Encodes one priced event as a row of spend_logs (binary COPY). ERR_INPUT: its start time is out
 * of range; ERR_FATAL: the batch is full, which a lane that closes batches in time never sees.
 * Nothing is added then; the caller rejects the record. The event must have an identity. */
bool batch_add_row(struct batch *batch, const struct event *event, const struct charge *charge,
                   const struct row_origin *origin, struct err *err) MUST_CHECK;

/* Copies its texts, made fit for PostgreSQL. A payload the arena has no room for is not kept. */
bool batch_add_reject(struct batch *batch, const struct batch_reject *reject,
                      struct err *err) MUST_CHECK;

/* The number of a message for the origin of its rows; 0: there was no memory for it. The payload is
 * kept if `payload` says so and the arena has room. */
unsigned batch_keep_message(struct batch *batch, struct slice value, struct slice envelope,
                            int64_t time_ms, bool payload);

/* In a retry: notes that a record is no longer a rejected one. */
bool batch_add_resolved(struct batch *batch, const struct batch_resolved *resolved,
                        struct err *err) MUST_CHECK;

#endif
