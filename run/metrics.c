/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon of libmicrohttpd with a thread of its own. A page is put together anew for each request,
 * from counters that others keep.
 */
#include "run/metrics.h"

#include "core/buf.h"
#include "core/clock.h"
#include "ingest/kafka.h"
#include "run/budgets.h"
#include "run/memory.h"
#include "run/metric_text.h"
#include "store/pg_count.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX (1u << 20)
#define IDLE_TIMEOUT_S 5u   /* a request that does not come is given up */
#define CONNECTIONS_MAX 64u /* who opens more waits until others end */

struct metrics {
    struct MHD_Daemon *daemon;
    struct lane_group *group;
};

/* One line per metric: name, type, help, where it is. */
static const struct metric {
    const char *name, *type, *help;
    size_t offset; /* of an _Atomic int64_t in struct lane_group */
} metric[] = {
#define COUNTER(name, field, help)                                                                 \
    {                                                                                              \
        name, "counter", help, offsetof(struct lane_group, field)                                  \
    }
    COUNTER("spendlog_messages_total", counters.messages, "Kafka messages committed"),
    COUNTER("spendlog_rows_total", counters.rows, "rows written"),
    COUNTER("spendlog_duplicates_total", counters.duplicates, "records that were there already"),
    COUNTER("spendlog_rejected_total", counters.rejected, "records that could not be read"),
    COUNTER("spendlog_skipped_total", counters.skipped, "records that are not a billable call"),
    COUNTER("spendlog_unpriced_total", counters.by_status[CHARGE_UNPRICED],
            "events without a price (spend NULL)"),
    COUNTER("spendlog_flagged_total", counters.flagged, "events kept with a flag"),
    COUNTER("spendlog_doubtful_total", counters.doubtful, "rows whose amount may be wrong"),
    COUNTER("spendlog_batches_total", counters.batches, "transactions committed"),
    COUNTER("spendlog_recoveries_total", counters.recoveries, "batches dropped to be read again"),
    COUNTER("spendlog_gaps_total", counters.gaps, "gaps: messages gone before they were read"),
    COUNTER("spendlog_setback_messages_total", counters.setback_messages,
            "messages read again because the database went back"),
    COUNTER("spendlog_reload_failures_total", reload_failures, "price reloads that failed"),
#undef COUNTER
};

#define DRIFT_LINES_MAX 64

struct drift_page {
    struct buf *page;
    unsigned lines;
};

static void drift_line(const struct drift_way *way, void *context)
{
    struct drift_page *to = context;
    if (to->lines++ >= DRIFT_LINES_MAX)
        return;
    buf_add_text(to->page, "spendlog_drift_events{");
    metric_label_add(to->page, "provider", slice_of(way->provider));
    metric_label_add(to->page, ",model", slice_of(way->model));
    metric_label_add(to->page, ",call_type", slice_of(way->call_type));
    metric_label_add(to->page, ",rule", slice_of(way->rule));
    buf_printf(to->page, "} %lld\n", (long long)way->events);
}

static void drift_print(struct drift *drift, struct buf *page)
{
    struct drift_page to = {page, 0};
    buf_printf(page,
               "# HELP spendlog_drift_events_total events apart from the gateway's own figure\n"
               "# TYPE spendlog_drift_events_total counter\nspendlog_drift_events_total %lld\n"
               "# HELP spendlog_drift_alarms ways of pricing that are an alarm\n"
               "# TYPE spendlog_drift_alarms gauge\nspendlog_drift_alarms %zu\n"
               "# HELP spendlog_drift_events of each of them, 64 at most\n"
               "# TYPE spendlog_drift_events gauge\n",
               (long long)drift_events(drift), drift_alarms(drift, NULL, NULL));
    drift_alarms(drift, drift_line, &to);
}

static void failures_line(const char *class, int64_t failures, void *context)
{
    buf_printf(context, "spendlog_postgres_errors_total{class=\"%s\"} %lld\n", class,
               (long long)failures);
}

static void postgres_print(struct buf *page)
{
    buf_printf(page,
               "# HELP spendlog_build_info what runs\n# TYPE spendlog_build_info gauge\n"
               "spendlog_build_info{version=\"%s\",librdkafka=\"%s\",pricing_rules=\"" PRICING_RULES
               "\"} 1\n"
               "# HELP spendlog_postgres_connects_total connections made to PostgreSQL\n"
               "# TYPE spendlog_postgres_connects_total counter\n"
               "spendlog_postgres_connects_total %lld\n"
               "# HELP spendlog_postgres_errors_total failures by class of SQLSTATE, none: the "
               "connection itself\n"
               "# TYPE spendlog_postgres_errors_total counter\n",
               SPENDLOG_VERSION, kafka_version(), (long long)pg_count_connects());
    pg_count_each(failures_line, page);
}

static void page_print(struct lane_group *group, struct buf *page)
{
    for (size_t i = 0; i < sizeof(metric) / sizeof(metric[0]); i++) {
        const struct metric *m = &metric[i];
        _Atomic int64_t *value = (_Atomic int64_t *)(void *)((char *)group + m->offset);
        buf_printf(page, "# HELP %s %s\n# TYPE %s %s\n%s %lld\n", m->name, m->help, m->name,
                   m->type, m->name, (long long)atomic_load(value));
    }
    buf_add_text(page, "# HELP spendlog_rows_by_status_total rows written, by pricing status\n"
                       "# TYPE spendlog_rows_by_status_total counter\n");
    for (unsigned i = 0; i < CHARGE_STATUS_COUNT; i++)
        buf_printf(page, "spendlog_rows_by_status_total{status=\"%s\"} %lld\n",
                   charge_status_name[i], (long long)atomic_load(&group->counters.by_status[i]));
    buf_printf(page,
               "# HELP spendlog_halted a partition waits for the operator\n"
               "# TYPE spendlog_halted gauge\nspendlog_halted %d\n",
               atomic_load(&group->halted) ? 1 : 0);
    drift_print(group->drift, page);
    struct book_ref *ref = book_acquire(group->books);
    buf_printf(page,
               "# HELP spendlog_price_book the price book in force\n"
               "# TYPE spendlog_price_book gauge\nspendlog_price_book{id=\"%s\"} 1\n",
               book_id(ref->book));
    buf_printf(page,
               "# HELP spendlog_cost_map_unknown_rows rows with price keys that the rules of "
               "LiteLLM " PRICING_RULES " do not know: the map is newer\n"
               "# TYPE spendlog_cost_map_unknown_rows gauge\nspendlog_cost_map_unknown_rows %zu\n",
               book_unknown_rows(ref->book));
    buf_printf(page,
               "# HELP spendlog_price_book_age_seconds since the price book in force was loaded\n"
               "# TYPE spendlog_price_book_age_seconds gauge\n"
               "spendlog_price_book_age_seconds %.3f\n",
               (double)(clock_now_us() - ref->loaded_us) / 1e6);
    book_release(group->books, ref);
    progress_print(group->progress, page);
    budgets_print(group->budgets, page);
    postgres_print(page);
    struct memory memory = memory_now();
    buf_printf(page,
               "# HELP process_resident_memory_bytes memory of the process\n"
               "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %lld\n"
               "# HELP spendlog_memory_peak_bytes most memory that it has had\n"
               "# TYPE spendlog_memory_peak_bytes gauge\nspendlog_memory_peak_bytes %lld\n",
               (long long)memory.resident_bytes, (long long)memory.peak_bytes);
}

/* One line, whatever a server has said. */
static unsigned ready_print(struct lane_group *group, struct buf *page)
{
    struct buf why;
    buf_init(&why, PAGE_MAX);
    bool ready = health_ready(group->health, &why);
    if (ready && atomic_load(&group->halted)) {
        buf_add_text(&why, "a partition waits: its log lost what was not read (kafka_gap)");
        ready = false;
    }
    for (size_t i = 0; i < why.bytes; i++)
        if ((unsigned char)why.p[i] < ' ')
            why.p[i] = ' ';
    if (ready)
        buf_add_text(page, "ready");
    buf_add(page, buf_slice(&why));
    buf_add_char(page, '\n');
    buf_free(&why);
    return ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **state)
{
    struct metrics *metrics = context;
    struct buf page;
    unsigned status = MHD_HTTP_OK;
    (void)version, (void)upload, (void)upload_bytes, (void)state;

    buf_init(&page, PAGE_MAX);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
        buf_add_text(&page, "GET or HEAD\n");
    } else if (strcmp(url, "/metrics") == 0) {
        page_print(metrics->group, &page);
    } else if (strcmp(url, "/health") == 0) {
        buf_add_text(&page, "ok\n");
    } else if (strcmp(url, "/ready") == 0) {
        status = ready_print(metrics->group, &page);
    } else {
        status = MHD_HTTP_NOT_FOUND;
        buf_add_text(&page, "/metrics, /health or /ready\n");
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(page.bytes, page.p, MHD_RESPMEM_MUST_COPY);
    buf_free(&page);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static struct addrinfo *address_of(const char *listen, struct err *err)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *found = NULL;
    char host[256];
    const char *colon = strrchr(listen, ':');
    size_t bytes = colon ? (size_t)(colon - listen) : 0;
    if (!colon || bytes >= sizeof(host)) {
        err_set(err, ERR_CONFIG, "metrics.listen: \"%s\" is not host:port", listen);
        return NULL;
    }
    if (bytes >= 2 && listen[0] == '[') { /* [::1]:9464 */
        memcpy(host, listen + 1, bytes - 2);
        host[bytes - 2] = '\0';
    } else {
        memcpy(host, listen, bytes);
        host[bytes] = '\0';
    }
    int code = getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, &found);
    if (code != 0)
        err_set(err, ERR_CONFIG, "metrics.listen: \"%s\": %s", listen, gai_strerror(code));
    return found;
}

bool metrics_start(struct metrics **out, const char *listen, struct lane_group *group,
                   struct err *err)
{
    if (!listen || !listen[0])
        return true;
    struct addrinfo *address = address_of(listen, err);
    if (!address)
        return false;
    struct metrics *metrics = calloc(1, sizeof(*metrics));
    if (metrics) {
        unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG;
        metrics->group = group;
        metrics->daemon = MHD_start_daemon(
            flags | (address->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0), 0, NULL, NULL, answer,
            metrics, MHD_OPTION_SOCK_ADDR, address->ai_addr, MHD_OPTION_CONNECTION_TIMEOUT,
            IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_END);
    }
    freeaddrinfo(address);
    if (!metrics || !metrics->daemon) {
        free(metrics);
        return err_set(err, ERR_UNAVAILABLE, "metrics.listen: cannot listen on %s: %s", listen,
                       strerror(errno));
    }
    *out = metrics;
    return true;
}

void metrics_stop(struct metrics *metrics)
{
    if (!metrics)
        return;
    MHD_stop_daemon(metrics->daemon);
    free(metrics);
}
