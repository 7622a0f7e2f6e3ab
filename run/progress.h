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
#include "store/batch.h"

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

struct progress {
    pthread_mutex_t lock;
    int64_t started_us, committed_us; /* of the wall clock; 0: none yet */
    int64_t newest_event_us;          /* start of a call; 0: none yet */
    struct histogram batch_rows, batch_seconds;
    int64_t rejected[REASON_COUNT], skipped[REASON_COUNT];
    struct sum spend[CHARGE_STATUS_COUNT];
    struct progress_lane {
        struct progress_partition *partition;
        size_t count;
        struct consumer_figures figures;
    } lane[LANES_MAX];
};

void progress_init(struct progress *progress);
void progress_free(struct progress *progress);

/* The partitions of a lane, all of them; the array is taken over. */
void progress_partitions(struct progress *progress, unsigned lane,
                         struct progress_partition *partition, size_t count,
                         const struct consumer_figures *figures);
/* A batch was written. */
void progress_batch(struct progress *progress, const struct batch *batch, int64_t took_us);

/* Messages that are not stored yet, of all partitions. */
int64_t progress_lag(struct progress *progress);
/* Lines of a metrics page. */
void progress_print(struct progress *progress, struct buf *page);
/* "partitions":[...],"commit_age_s":...,"newest_event_age_s":..., for `status`. */
void progress_json(struct progress *progress, struct buf *json);

#endif
