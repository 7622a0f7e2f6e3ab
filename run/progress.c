/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures of all lanes under one lock. They are added up by topic when somebody asks, as text for
 * Prometheus or as JSON.
 */
#include "run/progress.h"

#include "core/clock.h"
#include "core/must.h"
#include "run/metric_text.h"

#include <stdlib.h>
#include <string.h>

#define DATABASE_EVERY_US 30000000

static const double rows_bound[HISTOGRAM_BOUNDS] = {1,    10,   50,    100,   500,
                                                    1000, 5000, 10000, 20000, 100000};
static const double seconds_bound[HISTOGRAM_BOUNDS] = {0.005, 0.01, 0.025, 0.05, 0.1,
                                                       0.25,  0.5,  1,     5,    30};

void progress_init(struct progress *progress)
{
    *progress = (struct progress){.started_us = clock_now_us()};
    pthread_mutex_init(&progress->lock, NULL);
}

void progress_free(struct progress *progress)
{
    for (unsigned i = 0; i < LANES_MAX; i++)
        free(progress->lane[i].partition);
    pthread_mutex_destroy(&progress->lock);
}

void progress_partitions(struct progress *progress, unsigned lane,
                         struct progress_partition *partition, size_t count,
                         const struct consumer_figures *figures,
                         const struct progress_caches *caches)
{
    pthread_mutex_lock(&progress->lock);
    struct progress_lane *of = &progress->lane[lane];
    MUST(lane < LANES_MAX && (partition || count == 0), lane, count);
    free(of->partition);
    of->told = true;
    of->partition = partition;
    of->count = count;
    of->figures = *figures;
    of->caches = *caches;
    pthread_mutex_unlock(&progress->lock);
}

bool progress_database_due(struct progress *progress)
{
    int64_t now_us = clock_monotonic_us();
    pthread_mutex_lock(&progress->lock);
    bool due = !progress->asked_us || now_us - progress->asked_us >= DATABASE_EVERY_US;
    if (due)
        progress->asked_us = now_us;
    pthread_mutex_unlock(&progress->lock);
    return due;
}

void progress_database(struct progress *progress, const struct database_state *state)
{
    pthread_mutex_lock(&progress->lock);
    progress->database = *state;
    progress->database_us = clock_monotonic_us();
    pthread_mutex_unlock(&progress->lock);
}

/* --- what a batch adds ----------------------------------------------------------------------- */

static void observe(struct histogram *histogram, const double bound[], double value)
{
    unsigned i = 0;
    while (i < HISTOGRAM_BOUNDS && value > bound[i])
        i++;
    MUST(i <= HISTOGRAM_BOUNDS, i);
    histogram->count[i]++;
    histogram->sum += value;
}

static int64_t rows_add(struct progress *progress, const struct batch *batch)
{
    int64_t rows = 0;
    for (size_t i = 0; i < batch->row_count; i++) {
        const struct batch_row *row = &batch->rows[i];
        if (row->fate != ROW_NEW)
            continue;
        MUST(row->status < CHARGE_STATUS_COUNT, row->status);
        rows++;
        sum_add_money(&progress->spend[row->status], row->spend);
        if (row->start_time_us > progress->newest_event_us)
            progress->newest_event_us = row->start_time_us;
    }
    return rows;
}

void progress_batch(struct progress *progress, const struct batch *batch, int64_t took_us)
{
    pthread_mutex_lock(&progress->lock);
    int64_t rows = rows_add(progress, batch);
    MUST(rows + (int64_t)batch->refused <= (int64_t)batch->row_count, rows, batch->refused,
         batch->row_count);
    for (size_t i = 0; i < batch->reject_count; i++) {
        MUST(batch->rejects[i].reason < REASON_COUNT, i, batch->rejects[i].reason);
        progress->rejected[batch->rejects[i].reason]++;
    }
    progress->rejected[REASON_DATABASE_REFUSED] += (int64_t)batch->refused;
    for (unsigned i = 0; i < REASON_COUNT; i++)
        progress->skipped[i] += batch->skipped_by_reason[i];
    observe(&progress->batch_rows, rows_bound, (double)rows);
    observe(&progress->batch_seconds, seconds_bound, (double)took_us / 1e6);
    progress->committed_us = clock_now_us();
    pthread_mutex_unlock(&progress->lock);
}

/* --- lines of metrics ------------------------------------------------------------------------ */

static void head(struct buf *page, const char *name, const char *type, const char *help)
{
    buf_printf(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct buf *page, const char *name, const char *help, double value)
{
    head(page, name, "gauge", help);
    buf_printf(page, "%s %.3f\n", name, value);
}

static void histogram_print(struct buf *page, const char *name, const char *help,
                            const struct histogram *histogram, const double bound[])
{
    int64_t below = 0;
    head(page, name, "histogram", help);
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        below += histogram->count[i];
        buf_printf(page, "%s_bucket{le=\"%g\"} %lld\n", name, bound[i], (long long)below);
    }
    below += histogram->count[HISTOGRAM_BOUNDS];
    buf_printf(page, "%s_bucket{le=\"+Inf\"} %lld\n%s_sum %.6f\n%s_count %lld\n", name,
               (long long)below, name, histogram->sum, name, (long long)below);
}

static void reasons_print(struct buf *page, const char *name, const char *help,
                          const int64_t count[REASON_COUNT])
{
    head(page, name, "counter", help);
    for (unsigned i = 1; i < REASON_COUNT; i++)
        if (count[i] > 0)
            buf_printf(page, "%s{reason=\"%s\"} %lld\n", name, reason_info[i].name,
                       (long long)count[i]);
}

static int64_t lag_of(const struct progress_partition *p)
{
    return p->end_offset > p->next_offset ? p->end_offset - p->next_offset : 0;
}

int64_t progress_lag(struct progress *progress)
{
    int64_t lag = 0;
    pthread_mutex_lock(&progress->lock);
    for (unsigned l = 0; l < LANES_MAX; l++)
        for (size_t i = 0; i < progress->lane[l].count; i++)
            lag += lag_of(&progress->lane[l].partition[i]);
    pthread_mutex_unlock(&progress->lock);
    return lag;
}

struct topic_lag {
    const char *topic;
    int64_t lag;
};

/* The sums of topics: all of them, however many partitions are shown. */
static size_t topics_sum(const struct progress *progress, struct topic_lag *sum, size_t room)
{
    size_t count = 0;
    for (unsigned l = 0; l < LANES_MAX; l++)
        for (size_t i = 0; i < progress->lane[l].count; i++) {
            const struct progress_partition *p = &progress->lane[l].partition[i];
            size_t t = 0;
            while (t < count && strcmp(sum[t].topic, p->topic) != 0)
                t++;
            if (t == room)
                continue;
            if (t == count)
                sum[count++] = (struct topic_lag){p->topic, 0};
            sum[t].lag += lag_of(p);
        }
    return count;
}

static void lag_print(const struct progress *progress, struct buf *page)
{
    struct topic_lag sum[PROGRESS_LINES_MAX];
    size_t topics = topics_sum(progress, sum, PROGRESS_LINES_MAX), lines = 0, partitions = 0;
    head(page, "spendlog_topic_lag", "gauge", "messages of a topic that are not stored yet");
    for (size_t i = 0; i < topics; i++) {
        buf_add_text(page, "spendlog_topic_lag{");
        metric_label_add(page, "topic", slice_of(sum[i].topic));
        buf_printf(page, "} %lld\n", (long long)sum[i].lag);
    }
    head(page, "spendlog_partition_lag", "gauge",
         "messages of a partition that are not stored yet, of 256 partitions at most");
    for (unsigned l = 0; l < LANES_MAX; l++) {
        partitions += progress->lane[l].count;
        for (size_t i = 0; i < progress->lane[l].count && lines < PROGRESS_LINES_MAX; i++) {
            const struct progress_partition *p = &progress->lane[l].partition[i];
            buf_add_text(page, "spendlog_partition_lag{");
            metric_label_add(page, "topic", slice_of(p->topic));
            buf_printf(page, ",partition=\"%d\"} %lld\n", (int)p->partition, (long long)lag_of(p));
            lines++;
        }
    }
    head(page, "spendlog_partitions", "gauge", "partitions that this process reads");
    buf_printf(page, "spendlog_partitions %zu\n", partitions);
}

static void kafka_print(const struct progress *progress, struct buf *page)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } figure[] = {
        {"spendlog_kafka_queued_messages", "messages that were fetched and wait here",
         offsetof(struct consumer_figures, queued_messages)},
        {"spendlog_kafka_queued_bytes", "memory of the messages that wait here",
         offsetof(struct consumer_figures, queued_bytes)},
        {"spendlog_kafka_requests_total", "requests sent to brokers",
         offsetof(struct consumer_figures, requests)},
        {"spendlog_kafka_responses_total", "answers of brokers",
         offsetof(struct consumer_figures, responses)},
        {"spendlog_kafka_received_bytes_total", "bytes received from brokers",
         offsetof(struct consumer_figures, received_bytes)},
        {"spendlog_kafka_received_messages_total", "messages that were fetched",
         offsetof(struct consumer_figures, messages)},
        {"spendlog_kafka_connects_total", "connections made to brokers",
         offsetof(struct consumer_figures, connects)},
        {"spendlog_kafka_disconnects_total", "connections to brokers that ended",
         offsetof(struct consumer_figures, disconnects)},
    };
    for (size_t f = 0; f < sizeof(figure) / sizeof(figure[0]); f++) {
        int64_t sum = 0;
        for (unsigned l = 0; l < LANES_MAX; l++)
            sum += *(const int64_t *)(const void *)((const char *)&progress->lane[l].figures +
                                                    figure[f].offset);
        head(page, figure[f].name, f < 2 ? "gauge" : "counter", figure[f].help);
        buf_printf(page, "%s %lld\n", figure[f].name, (long long)sum);
    }
}

/* --- caches, and what the database does ----------------------------------------------------- */

/* One line per thing that lanes keep: its label, how `status` calls it, where it is. */
static const struct cache {
    const char *name;
    bool bytes; /* else entries */
    size_t offset;
} cache[] = {
    {"recent_keys", false, offsetof(struct progress_caches, writer.recent_keys)},
    {"shared_calls", false, offsetof(struct progress_caches, writer.calls)},
    {"shared_callers", false, offsetof(struct progress_caches, writer.callers)},
    {"days", false, offsetof(struct progress_caches, writer.days)},
    {"names", false, offsetof(struct progress_caches, names)},
    {"names", true, offsetof(struct progress_caches, names_bytes)},
    {"batch", true, offsetof(struct progress_caches, batch_bytes)},
};
#define CACHES (sizeof(cache) / sizeof(cache[0]))

static size_t cache_of(const struct progress_lane *lane, const struct cache *which)
{
    return *(const size_t *)(const void *)((const char *)&lane->caches + which->offset);
}

static void caches_print(const struct progress *progress, struct buf *page, bool bytes)
{
    const char *metric = bytes ? "spendlog_cache_bytes" : "spendlog_cache_entries";
    head(page, metric, "gauge",
         bytes ? "memory that lanes hold on to" : "what lanes remember, so as not to ask again");
    for (size_t c = 0; c < CACHES; c++) {
        size_t sum = 0;
        if (cache[c].bytes != bytes)
            continue;
        for (unsigned l = 0; l < LANES_MAX; l++)
            sum += cache_of(&progress->lane[l], &cache[c]);
        buf_printf(page, "%s{cache=\"%s\"} %zu\n", metric, cache[c].name, sum);
    }
}

static double merged_age_s(const struct progress *progress)
{
    return (double)(progress->database.sums_merged_age_us + clock_monotonic_us() -
                    progress->database_us) /
           1e6;
}

static void database_print(const struct progress *progress, struct buf *page)
{
    if (!progress->database_us)
        return;
    gauge(page, "spendlog_database_state_age_seconds",
          "since the database was asked for what follows",
          (double)(clock_monotonic_us() - progress->database_us) / 1e6);
    head(page, "spendlog_sums_unmerged", "gauge",
         "deltas of the sums that are not merged yet; above 100000 about so many");
    buf_printf(page, "spendlog_sums_unmerged %lld\n", (long long)progress->database.sums_deltas);
    gauge(page, "spendlog_sums_merge_age_seconds",
          "since deltas of the sums were merged last, by whatever member", merged_age_s(progress));
}

static void spend_print(const struct progress *progress, struct buf *page)
{
    head(page, "spendlog_spend_dollars_total", "counter", "spend of the rows written");
    for (unsigned i = 0; i < CHARGE_STATUS_COUNT; i++) {
        char text[SUM_TEXT_MAX];
        sum_format(progress->spend[i], text);
        if (i != CHARGE_UNPRICED)
            buf_printf(page, "spendlog_spend_dollars_total{status=\"%s\"} %s\n",
                       charge_status_name[i], text);
    }
}

static double age_s(int64_t since_us)
{
    return (double)(clock_now_us() - since_us) / 1e6;
}

void progress_print(struct progress *progress, struct buf *page)
{
    pthread_mutex_lock(&progress->lock);
    gauge(page, "spendlog_start_time_seconds", "when the process began, since 1970",
          (double)progress->started_us / 1e6);
    gauge(page, "spendlog_commit_age_seconds",
          "since the last transaction was committed, at first since the start",
          age_s(progress->committed_us ? progress->committed_us : progress->started_us));
    if (progress->newest_event_us)
        gauge(page, "spendlog_newest_event_age_seconds",
              "since the newest call that is stored began", age_s(progress->newest_event_us));
    histogram_print(page, "spendlog_batch_rows", "rows of a transaction", &progress->batch_rows,
                    rows_bound);
    histogram_print(page, "spendlog_batch_duration_seconds", "how long a transaction took",
                    &progress->batch_seconds, seconds_bound);
    reasons_print(page, "spendlog_rejected_by_reason_total", "records that could not be read",
                  progress->rejected);
    reasons_print(page, "spendlog_skipped_by_reason_total", "records that are not a billable call",
                  progress->skipped);
    spend_print(progress, page);
    lag_print(progress, page);
    kafka_print(progress, page);
    caches_print(progress, page, false);
    caches_print(progress, page, true);
    database_print(progress, page);
    pthread_mutex_unlock(&progress->lock);
}

/* --- for `status` ---------------------------------------------------------------------------- */

static void caches_json(const struct progress *progress, struct buf *json)
{
    const char *before = "";
    buf_add_text(json, ",\"caches\":[");
    for (unsigned l = 0; l < LANES_MAX; l++) {
        const struct progress_lane *lane = &progress->lane[l];
        if (!lane->told)
            continue;
        buf_printf(json, "%s{\"lane\":%u", before, l);
        for (size_t c = 0; c < CACHES; c++)
            buf_printf(json, ",\"%s%s\":%zu", cache[c].name, cache[c].bytes ? "_bytes" : "",
                       cache_of(lane, &cache[c]));
        buf_printf(json, ",\"queued_messages\":%lld,\"queued_bytes\":%lld}",
                   (long long)lane->figures.queued_messages, (long long)lane->figures.queued_bytes);
        before = ",";
    }
    buf_add_char(json, ']');
}

static void database_json(const struct progress *progress, struct buf *json)
{
    if (!progress->database_us) {
        buf_add_text(json, ",\"sums\":null");
        return;
    }
    buf_printf(json, ",\"sums\":{\"unmerged\":%lld,\"merge_age_s\":%.1f}",
               (long long)progress->database.sums_deltas, merged_age_s(progress));
}

void progress_json(struct progress *progress, struct buf *json)
{
    const char *before = "";
    pthread_mutex_lock(&progress->lock);
    buf_add_text(json, "\"partitions\":[");
    for (unsigned l = 0; l < LANES_MAX; l++)
        for (size_t i = 0; i < progress->lane[l].count; i++, before = ",") {
            const struct progress_partition *p = &progress->lane[l].partition[i];
            buf_printf(json, "%s{\"lane\":%u,\"topic\":", before, l);
            buf_add_json_string(json, slice_of(p->topic));
            buf_printf(json, ",\"partition\":%d,\"next_offset\":%lld,\"lag\":", (int)p->partition,
                       (long long)p->next_offset);
            if (p->end_offset < 0)
                buf_add_text(json, "null}");
            else
                buf_printf(json, "%lld}", (long long)lag_of(p));
        }
    buf_printf(json, "],\"uptime_s\":%.0f,\"commit_age_s\":", age_s(progress->started_us));
    if (progress->committed_us)
        buf_printf(json, "%.1f", age_s(progress->committed_us));
    else
        buf_add_text(json, "null");
    buf_add_text(json, ",\"newest_event_age_s\":");
    if (progress->newest_event_us)
        buf_printf(json, "%.1f", age_s(progress->newest_event_us));
    else
        buf_add_text(json, "null");
    caches_json(progress, json);
    database_json(progress, json);
    pthread_mutex_unlock(&progress->lock);
}
