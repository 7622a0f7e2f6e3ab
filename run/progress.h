/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far the lanes have come and what it took, for metrics and `spendlog status`: lanes tell, once
 * a batch and once a second; the thread that answers asks. Nothing here decides anything.
 */
#ifndef RUN_PROGRESS_H
#define RUN_PROGRESS_H

#include "core/config.h"
#include "core/sum.h"
#include "ingest/kafka.h"
#include "store/writer.h"

#include <pthread.h>

#define PROGRESS_LINES_MAX 256 /* partitions shown one by one; the sums of topics have all */
#define PROGRESS_TOPIC_BYTES 250
#define HISTOGRAM_BOUNDS 10

struct histogram {
    int64_t count[HISTOGRAM_BOUNDS + 1]; /* the last: above all bounds */
    double sum;
};

struct progress_partition {
    char topic[PROGRESS_TOPIC_BYTES];
    int32_t partition;
    int64_t next_offset; /* stored */
    int64_t end_offset;  /* of its log, as Kafka said last; -1: not known yet */
};

/* What a lane keeps in memory to be fast. */
struct progress_caches {
    struct writer_caches writer;
    size_t names, names_bytes; /* that are priced without being looked for */
    size_t batch_bytes;
};

struct progress {
    pthread_mutex_t lock;
    int64_t started_us, committed_us; /* of the wall clock; 0: none yet */
    int64_t newest_event_us;          /* start of a call; 0: none yet */
    struct histogram batch_rows, batch_seconds;
    int64_t rejected[REASON_COUNT], skipped[REASON_COUNT];
    struct sum spend[CHARGE_STATUS_COUNT];
    struct database_state database;
    int64_t asked_us, database_us; /* monotonic: when it was asked last, and answered; 0: never */
    struct progress_lane {
        bool told;
        struct progress_partition *partition;
        size_t count;
        struct consumer_figures figures;
        struct progress_caches caches;
    } lane[LANES_MAX];
};

void progress_init(struct progress *progress);
void progress_free(struct progress *progress);

/* The partitions of a lane, all of them; the array is taken over. */
void progress_partitions(struct progress *progress, unsigned lane,
                         struct progress_partition *partition, size_t count,
                         const struct consumer_figures *figures,
                         const struct progress_caches *caches);
/* What the database does beside ingest is asked twice a minute, by whichever lane comes first:
 * whether it is this one's turn, and what the answer was. */
bool progress_database_due(struct progress *progress);
void progress_database(struct progress *progress, const struct database_state *state);
/* A batch was written. */
void progress_batch(struct progress *progress, const struct batch *batch, int64_t took_us);

/* Messages that are not stored yet, of all partitions. */
int64_t progress_lag(struct progress *progress);
/* Lines of a metrics page. */
void progress_print(struct progress *progress, struct buf *page);
/* "partitions":[...],"commit_age_s":...,"caches":[...],"sums":{...}, for `status`. */
void progress_json(struct progress *progress, struct buf *json);

#endif
