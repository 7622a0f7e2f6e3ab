/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest pricing store */
/* with: payload */
/*
 * The service's own part of the way, in one process without servers, and the two limits.
 *
 *     bench_path [payload options] stages COUNT   CPU seconds per million events of reading,
 * pricing and encoding, each alone (best of rounds), and how often the allocator was called
 *     bench_path [payload options] count COUNT read|price|encode   once through, each event by way
 * of path_counted(): valgrind --tool=callgrind --toggle-collect=path_counted counts it bench_path
 * [payload options] limit CONNINFO TABLE CONNECTIONS COUNT binary COPY of the same rows, already
 * encoded, 10,000 a transaction: what PostgreSQL can take when nobody has to do anything for it
 *
 * The first and the last print one JSON object.
 */
#include "core/clock.h"
#include "ingest/mapping.h"
#include "pricing/book.h"
#include "store/batch.h"
#include "store/row.h"
#include "store/row_order.h"
#include "tests/bench/payload.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH_ROWS 10000
#define BATCHES_MAX 2000
#define CHUNK_BYTES 65536
#define ROUNDS 5

/* --- counting the allocator ----------------------------------------------------------------- */

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *p, size_t bytes);

static atomic_ullong allocations;

void *malloc(size_t bytes)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_calloc(count, bytes);
}

void *realloc(void *p, size_t bytes)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_realloc(p, bytes);
}

/* --- the way of an event -------------------------------------------------------------------- */

enum stage { STAGE_READ, STAGE_PRICE, STAGE_ENCODE };

struct path {
    enum stage until;
    struct mapper *mapper;
    struct book *book;
    struct pricer *pricer;
    struct partition_state state;
    struct batch batch;
    unsigned range;
    int64_t offset, events, unpriced;
};

static void die(const char *what)
{
    fprintf(stderr, "bench_path: %s\n", what);
    exit(1);
}

static void path_open(struct path *path)
{
    static const char *const names[] = {"litellm"};
    struct err err = {0};
    struct book_options options = {.cost_maps = NULL};
    struct mappings *set = mappings_compile(names, 1, NULL, &err);
    path->until = STAGE_ENCODE;
    path->mapper = set ? mapper_new(set) : NULL;
    path->book = book_load(&options, NULL, NULL, &err);
    path->pricer = path->book ? pricer_new(path->book) : NULL;
    if (!path->mapper || !path->pricer)
        die(err.text);
    path->state = (struct partition_state){.id = 1, .topic = "bench"};
    batch_init(&path->batch, 64u << 20, 0, 1);
    path->range = batch_range_of(&path->batch, &path->state);
}

static void on_record(const struct record *record, void *context)
{
    struct path *path = context;
    struct charge charge;
    struct err err = {0};
    if (record->outcome != RECORD_EVENT)
        die(record->detail ? record->detail : "an event was skipped");
    path->events++;
    if (path->until == STAGE_READ)
        return;
    pricer_price(path->pricer, &record->event->facts, &charge, NULL);
    path->unpriced += !charge.has_spend;
    if (path->until == STAGE_PRICE)
        return;
    struct row_origin origin = {.range = path->range,
                                .kafka_offset = path->offset,
                                .record_index = 0,
                                .price_book_id = book_id(path->book)};
    if (!batch_add_row(&path->batch, record->event, &charge, &origin, &err))
        die(err.text);
}

static void path_take(struct path *path, struct slice text)
{
    struct message message = {.bytes = text, .kafka_time_us = 1};
    mapper_read(path->mapper, &message, &path->batch.arena, on_record, path);
    path->offset++;
}

static void path_reset(struct path *path)
{
    batch_reset(&path->batch);
    path->range = batch_range_of(&path->batch, &path->state);
}

/* --- stages --------------------------------------------------------------------------------- */

struct events {
    char *text;
    size_t *offset; /* count + 1 of them */
    size_t count;
};

static struct events events_make(const struct payload_plan *plan, size_t count)
{
    struct events events = {NULL, calloc(count + 1, sizeof(size_t)), count};
    size_t capacity = count * (plan->big ? 5000 : 1500) + PAYLOAD_BYTES_MAX;
    events.text = malloc(capacity);
    if (!events.text || !events.offset)
        die("out of memory");
    for (size_t n = 0; n < count; n++) {
        size_t at = events.offset[n];
        if (at + PAYLOAD_BYTES_MAX > capacity)
            die("events larger than planned");
        events.offset[n + 1] = at + payload_write(plan, n, 0, events.text + at);
    }
    return events;
}

static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* CPU microseconds per event up to and with a stage. */
static double round_us(struct path *path, const struct events *events, enum stage until)
{
    double started = cpu_us();
    path->until = until;
    for (size_t n = 0; n < events->count; n++) {
        if (n % BATCH_ROWS == 0)
            path_reset(path);
        path_take(path, (struct slice){events->text + events->offset[n],
                                       events->offset[n + 1] - events->offset[n]});
    }
    return (cpu_us() - started) / (double)events->count;
}

static int stages(const struct payload_plan *plan, size_t count)
{
    struct path path = {0};
    struct events events = events_make(plan, count);
    double best[3] = {1e9, 1e9, 1e9};
    path_open(&path);
    round_us(&path, &events, STAGE_ENCODE); /* names into the memo, blocks into the arena */
    unsigned long long before = atomic_load(&allocations);
    path.events = path.unpriced = 0;
    for (int round = 0; round < ROUNDS; round++)
        for (enum stage stage = STAGE_READ; stage <= STAGE_ENCODE; stage++) {
            double us = round_us(&path, &events, stage);
            best[stage] = us < best[stage] ? us : best[stage];
        }
    printf("{\"events\":%zu,\"bytes\":%.0f,\"read\":%.3f,\"price\":%.3f,\"encode\":%.3f,"
           "\"allocations\":%llu,\"unpriced\":%.4f,\"row_bytes\":%.0f}\n",
           count, (double)events.offset[count] / (double)count, best[0], best[1] - best[0],
           best[2] - best[1], atomic_load(&allocations) - before,
           (double)path.unpriced / (double)path.events,
           (double)path.batch.encoded.bytes / (double)path.batch.row_count);
    return 0;
}

/* --- instructions --------------------------------------------------------------------------- */

__attribute__((noinline)) static void path_counted(struct path *path, struct slice text)
{
    path_take(path, text);
}

static int count_instructions(const struct payload_plan *plan, size_t count, const char *until)
{
    static const char *const stage_name[] = {"read", "price", "encode"};
    struct path path = {0};
    struct events events = events_make(plan, count);
    path_open(&path);
    round_us(&path, &events, STAGE_ENCODE);
    path_reset(&path);
    path.until = STAGE_READ;
    while (strcmp(stage_name[path.until], until) != 0)
        if (path.until++ == STAGE_ENCODE)
            die("no such stage");
    for (size_t n = 0; n < events.count; n++)
        path_counted(&path, (struct slice){events.text + events.offset[n],
                                           events.offset[n + 1] - events.offset[n]});
    return 0;
}

/* --- limits --------------------------------------------------------------------------------- */

struct block {
    char *bytes;
    size_t count, rows;
};

struct limit {
    const char *conninfo;
    char sql[8192];
    struct block block[BATCHES_MAX];
    size_t blocks;
    atomic_size_t next;
    pthread_barrier_t start;
    int64_t started_us;
};

/* One batch as the bytes of a COPY, its rows in the order of the key as the writer sends them. */
static struct block block_make(struct batch *batch, int64_t batch_id)
{
    static const char head[19] = "PGCOPY\n\377\r\n\0";
    struct block block = {malloc(batch->encoded.bytes + 32), sizeof(head), batch->row_count};
    if (!block.bytes)
        die("out of memory");
    rows_sort(batch->rows, batch->row_count);
    memcpy(block.bytes, head, sizeof(head));
    for (size_t i = 0; i < batch->row_count; i++) {
        const struct batch_row *row = &batch->rows[i];
        const struct words_table *words = batch->words.table;
        if (!row->lean)
            die("a row that is not lean");
        row_patch_lean(batch->encoded.p + row->offset, batch_id, 1,
                       words[WORDS_CALL].entry[row->words[WORDS_CALL]].number,
                       words[WORDS_CALLER].entry[row->words[WORDS_CALLER]].number);
        memcpy(block.bytes + block.count, batch->encoded.p + row->offset, row->bytes);
        block.count += row->bytes;
    }
    memcpy(block.bytes + block.count, "\377\377", 2);
    block.count += 2;
    return block;
}

static void blocks_make(struct limit *limit, const struct payload_plan *plan, size_t count)
{
    struct path path = {0};
    char text[PAYLOAD_BYTES_MAX];
    path_open(&path);
    for (size_t n = 0; n < count; n++) {
        size_t bytes = payload_write(plan, n, 0, text);
        path_take(&path, (struct slice){text, bytes});
        if (path.batch.row_count < BATCH_ROWS && n + 1 < count)
            continue;
        if (limit->blocks == BATCHES_MAX)
            die("too many batches");
        limit->block[limit->blocks] = block_make(&path.batch, (int64_t)limit->blocks + 1);
        limit->blocks++;
        path_reset(&path);
    }
}

static void run_sql(PGconn *conn, const char *sql, ExecStatusType wanted)
{
    PGresult *res = PQexec(conn, sql);
    if (PQresultStatus(res) != wanted)
        die(PQerrorMessage(conn));
    PQclear(res);
}

static void block_copy(struct limit *limit, PGconn *conn, const struct block *block)
{
    run_sql(conn, "BEGIN", PGRES_COMMAND_OK);
    run_sql(conn, limit->sql, PGRES_COPY_IN);
    for (size_t at = 0; at < block->count; at += CHUNK_BYTES) {
        size_t left = block->count - at;
        if (PQputCopyData(conn, block->bytes + at,
                          (int)(left < CHUNK_BYTES ? left : CHUNK_BYTES)) != 1)
            die(PQerrorMessage(conn));
    }
    if (PQputCopyEnd(conn, NULL) != 1)
        die(PQerrorMessage(conn));
    PGresult *res;
    while ((res = PQgetResult(conn)) != NULL) {
        if (PQresultStatus(res) != PGRES_COMMAND_OK)
            die(PQerrorMessage(conn));
        PQclear(res);
    }
    run_sql(conn, "COMMIT", PGRES_COMMAND_OK);
}

static void *connection_main(void *context)
{
    struct limit *limit = context;
    PGconn *conn = PQconnectdb(limit->conninfo);
    size_t n;
    if (PQstatus(conn) != CONNECTION_OK)
        die(PQerrorMessage(conn));
    if (pthread_barrier_wait(&limit->start) == PTHREAD_BARRIER_SERIAL_THREAD)
        limit->started_us = clock_monotonic_us();
    while ((n = atomic_fetch_add(&limit->next, 1)) < limit->blocks)
        block_copy(limit, conn, &limit->block[n]);
    PQfinish(conn);
    return NULL;
}

static int limit_run(const struct payload_plan *plan, char **argv)
{
    static struct limit limit;
    pthread_t thread[64];
    struct buf columns;
    unsigned connections = (unsigned)strtoul(argv[3], NULL, 10);
    size_t count = strtoull(argv[4], NULL, 10);
    if (connections == 0 || connections > 64)
        die("1 to 64 connections");
    limit.conninfo = argv[1];
    buf_init(&columns, sizeof(limit.sql));
    row_columns_lean(&columns);
    snprintf(limit.sql, sizeof(limit.sql), "COPY %s (%.*s) FROM STDIN (FORMAT binary)", argv[2],
             (int)columns.bytes, columns.p);
    blocks_make(&limit, plan, count);
    pthread_barrier_init(&limit.start, NULL, connections);
    for (unsigned i = 0; i < connections; i++)
        if (pthread_create(&thread[i], NULL, connection_main, &limit) != 0)
            die("no thread");
    for (unsigned i = 0; i < connections; i++)
        pthread_join(thread[i], NULL);
    double seconds = (double)(clock_monotonic_us() - limit.started_us) / 1e6;
    printf("{\"rows\":%zu,\"rate\":%.0f}\n", count, (double)count / seconds);
    return 0;
}

int main(int argc, char **argv)
{
    struct payload_plan plan = {1, INT64_C(1795500000000000), false, 200, 40, 5000, 0, 0};
    int at = payload_options(&plan, argc, argv);
    char **words = argv + at;
    if (argc - at == 2 && strcmp(words[0], "stages") == 0)
        return stages(&plan, strtoull(words[1], NULL, 10));
    if (argc - at == 3 && strcmp(words[0], "count") == 0)
        return count_instructions(&plan, strtoull(words[1], NULL, 10), words[2]);
    if (argc - at == 5 && strcmp(words[0], "limit") == 0)
        return limit_run(&plan, words);
    fprintf(stderr, "bench_path: see the head of its source\n");
    return 64;
}
