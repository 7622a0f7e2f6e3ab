/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database of row versions. Each transaction keeps a journal of what it made and what it ended,
 * which is how it is taken back: by ROLLBACK, to a savepoint, or years later, when the server comes
 * back older than it was. Statements see what is committed and what is their own (read committed).
 */
#ifndef TESTS_SIM_DB_H
#define TESTS_SIM_DB_H

#include "tests/sim/sim.h"

enum table {
    TABLE_OFFSETS,
    TABLE_ROWS,
    TABLE_CALLS,
    TABLE_CALLERS,
    TABLE_GUARD,
    TABLE_REJECTED,
    TABLE_CONFLICTS,
    TABLE_SAMPLES,
    TABLE_COUNTERS,
    TABLE_BATCHES,
    TABLE_GAPS,
    TABLE_SETBACKS,
    TABLE_BOOKS,
    TABLE_DELTAS,
    TABLE_DAYS,
    TABLE_DROPPED, /* rows that went with their day */
    TABLE_CLOSED,  /* days, in place of months */
    TABLE_CLAIMS,  /* of days, by sessions that reprice */
    TABLE_RUNS,
    TABLE_RUN_DAYS,
    TABLE_TALLIES,
    TABLE_ADJUSTMENTS,
    TABLE_STAGED,      /* adjustments of a day that is rewritten */
    TABLE_SHADOWS,     /* days that are rewritten */
    TABLE_SHADOW_ROWS, /* their rows */
    TABLES
};

/* What a rejected record came to. */
enum resolution { RESOLVED_ROW, RESOLVED_DUPLICATE, RESOLVED_SKIPPED, RESOLUTIONS };

struct text {
    const char *p;
    size_t bytes;
};

struct tx;
struct backend;

/* The columns of a COPY: made once, for all seeds. */
#define COPY_COLUMNS_MAX 128
#define NAMES_MAX 512 /* of columns, in all */
struct columns {
    struct columns *next;
    const char *sql;
    enum table table; /* what the rows are for */
    int count;
    int place[NAMES_MAX]; /* by the number of a name; -1: it has none so */
};

struct row {           /* a version */
    struct row *next;  /* of its table */
    struct row *chain; /* of its bucket */
    struct row *prev;
    uint64_t hash;
    enum table table;
    struct tx *made, *gone, *locker;
    union {
        struct {
            int64_t id, created, first, next, last_ms, last_hash, messages, rows, duplicates,
                rejected, skipped, conflicts, digest, mappings;
            int32_t partition, incarnation, next_index;
            bool has_last, has_mappings, replaced;
            struct text cluster, group, topic, last_messages;
        } offsets;
        struct {
            int64_t start, batch, partition_id, offset, content, call, caller, input_tokens;
            int32_t book, index, day, tags;
            bool lean, has_spend;
            uint8_t identity[16];
            __int128 spend;
            struct text request_id, model, team;
            const char *raw; /* as COPY brought it */
            const struct columns *columns;
            const struct row *adjusted; /* by this record last; NULL: as it came */
            const struct tx *born;      /* of its first version */
            int64_t place;              /* in the table, as of a ctid */
        } row;
        struct {
            int64_t number;
            struct text content;
            const struct text *column; /* as in the statement, from $2 on */
            struct text model, team, tags;
        } words;
        struct {
            uint8_t identity[16];
            int64_t start, content;
        } guard;
        struct {
            int64_t partition_id, offset, batch;
            int32_t index;
            bool resolved;
            enum resolution resolution;                             /* when it is */
            struct text reason, detail, mapping, payload, envelope; /* p NULL: none */
            int64_t message_ms;
        } rejected;
        struct {
            int64_t batch, partition_id, offset;
            int32_t index;
            int64_t content, stored;
        } conflict;
        struct {
            int64_t batch, written_at, rows;
            int32_t book;
        } batch;
        struct {
            int64_t from_id, to_id, stored, resumed;
        } gap;
        struct {
            int32_t id;
            struct text hash, json;
        } book;
        struct {
            int64_t calls;
            __int128 spend;
        } delta;
        struct {
            int32_t day;
        } day;
        struct {
            struct text name;
            int64_t count;
        } counter;
        struct {
            int32_t day;
            const struct backend *session;
            unsigned replaced; /* of the server that was asked */
        } claim;
        struct {
            int64_t id, since, until, considered, changed, unchanged, skipped, posted;
            int64_t begun; /* all that was committed then is its business */
            int32_t book;
            bool done;
            __int128 before, after;
            struct text filter;
        } run;
        struct {
            int64_t run, changed;
            int32_t day;
            bool left; /* neither done nor dropped */
        } run_day;
        struct {
            int64_t run, rows;
            struct text dimension, value;
            __int128 before, after;
        } tally;
        struct {
            int64_t run, start, place;
            uint8_t identity[16];
            bool audit, had_spend, has_spend;
            __int128 old_spend, spend;
            int32_t old_book, book, flags;
            struct text old_status, old_reason;
            const char *raw;
            const struct columns *columns;
        } adjustment;
        struct {
            int64_t snapshot, filled_blocks, filled_rows;
            const struct tx *taken_in;
            int32_t day;
        } shadow;
    } v;
};

struct journal {
    struct row *row;
    bool made; /* else ended */
};

#define SAVEPOINTS_MAX 128
enum tx_state { TX_OPEN, TX_DONE, TX_GONE };

struct tx {
    enum tx_state state;
    const struct pg_conn *conn; /* that began it: it may be closed */
    int pid;                    /* of its backend */
    int64_t at_us;              /* now() */
    struct journal *journal;
    size_t count, capacity;
    struct tx *waits_for;
    size_t savepoint[SAVEPOINTS_MAX];
    unsigned savepoints;
    struct tx *before;                          /* committed before it */
    int64_t seq;                                /* of its commit; 0: not yet */
    int64_t snapshot;                           /* what it sees; -1: all that is committed */
    int64_t batch_seq, partition_seq, book_seq; /* sequences, as they were when it was committed */
};

struct db {
    struct row *first[TABLES];
    int64_t batch_seq, partition_seq, book_seq;
    struct tx *last; /* committed */
    size_t committed;
    int64_t tx_seq, places, run_seq;
    int64_t clock;      /* makes each now() another one */
    unsigned went_back; /* times */
};
extern struct db db;

void db_reset(void);

struct tx *tx_begin(const struct pg_conn *conn, int pid);
void tx_commit(struct tx *tx);
void tx_abort(struct tx *tx);
void tx_savepoint(struct tx *tx);
void tx_release(struct tx *tx);
void tx_back_to_savepoint(struct tx *tx);

/* The server comes back without its last transactions. Whoever is in one has ended it before. */
void db_go_back(size_t transactions);

uint64_t db_hash(uint64_t hash, const void *p, size_t bytes);
uint64_t db_hash_int(uint64_t hash, int64_t v);
uint64_t db_place_hash(int64_t partition_id, int64_t offset,
                       int64_t index); /* of a rejected record, of a conflict */
struct row *db_add(struct tx *tx, enum table table, uint64_t hash);
void db_end(struct tx *tx, struct row *row);
/* The first version of a bucket, whatever its state. */
struct row *db_bucket(enum table table, uint64_t hash);
static inline bool tx_is_done(const struct tx *tx)
{
    return tx->state == TX_DONE;
}
static inline bool row_is_seen(const struct row *row, const struct tx *tx)
{
    return (row->made == tx || tx_is_done(row->made)) &&
           !(row->gone && (row->gone == tx || tx_is_done(row->gone)));
}
/* ... by one that sees what was committed up to its snapshot, and what is its own. */
bool row_is_in(const struct row *row, const struct tx *tx, int64_t snapshot);
/* Another transaction under way that made or ended it; NULL: none. */
struct tx *row_in_way(const struct row *row, const struct tx *tx);

#endif
