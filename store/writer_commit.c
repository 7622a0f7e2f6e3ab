/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transaction of a batch, and what to do when it fails. Each try is a whole transaction;
 * between two tries adapt() decides by the SQLSTATE whether, and how, another one makes sense. The
 * batch itself is not changed until COMMIT has answered.
 */
#include "store/writer_impl.h"

#include "core/clock.h"
#include "core/fault.h"
#include "core/log.h"
#include "core/must.h"
#include "core/shortage.h"

#include <stdatomic.h>
#include <stdlib.h>

#define TRIES_MAX 6
#define GUARD_KEEP_DAYS 14 /* a producer that resends does so within days */
#define SAMPLES_KEEP_DAYS 100
#define MERGE_FROM 1000000   /* deltas: then they are merged whether or not there is time */
#define MERGE_AT_ONCE 50000  /* the more at once, the fewer lines are merged twice */
#define MERGE_IDLE_FROM 5000 /* fewer wait for more, or for a minute */
#define MERGE_IDLE_US (INT64_C(60) * 1000000)

/* --- days ----------------------------------------------------------------------------------- */

/* Old guards and samples of duplicates. */
static bool prune(struct writer *w, struct err *err)
{
    pg_args_reset(&w->args);
    pg_arg_int4(&w->args, GUARD_KEEP_DAYS);
    pg_arg_time(&w->args, clock_now_us());
    pg_arg_int4(&w->args, SAMPLES_KEEP_DAYS);
    PGresult *res = pg_query(
        &w->pg, "SELECT spendlog.guard_prune($1, $2::timestamptz), spendlog.duplicates_prune($3)",
        &w->args, err);
    PQclear(res);
    return res != NULL;
}

/* The days that are over: what autovacuum has not come to yet. It may be at it just now. */
static void summarize(struct writer *w)
{
    struct err err = {0};
    PGresult *res = pg_query(
        &w->pg, "SELECT spendlog.summarize_days((now() AT TIME ZONE 'UTC')::date)", NULL, &err);
    if (!res)
        log_debug("indexes of the days before stay as they are: %s", err.text);
    PQclear(res);
}

static void tell_dropped(const PGresult *res)
{
    if (!pg_null(res, 0, 0))
        log_info("retention dropped " SLICE_FMT ": %lld rows, " SLICE_FMT
                 " USD (dropped_partitions)",
                 SLICE_ARG(pg_text(res, 0, 0)), (long long)pg_int(res, 0, 1),
                 SLICE_ARG(pg_text(res, 0, 2)));
    if (!pg_null(res, 0, 3))
        log_error("retention dropped nothing: " SLICE_FMT, SLICE_ARG(pg_text(res, 0, 3)));
}

/* One expired day; *more: it was there, and the day before the next call's. The database decides
 * what is expired; our clock is only compared with its. */
static bool day_drop(struct writer *w, int retain_days, bool *more, struct err *err)
{
    pg_args_reset(&w->args);
    pg_arg_int4(&w->args, retain_days);
    pg_arg_time(&w->args, clock_now_us());
    PGresult *res =
        pg_query(&w->pg,
                 "SELECT to_char(day, 'YYYY-MM-DD'), rows, coalesce(spend, 0)::text, held"
                 " FROM spendlog.drop_expired($1, $2::timestamptz)",
                 &w->args, err);
    if (!res)
        return false;
    tell_dropped(res);
    *more = !pg_null(res, 0, 0);
    PQclear(res);
    return true;
}

static bool stopping(const struct writer *w)
{
    return w->stop && atomic_load(w->stop);
}

/* Forgets old identities, drops days that are not to be kept. None of it matters to the batch: what
 * fails is tried again with the next new day. */
static void keep_house(struct writer *w, int retain_days)
{
    struct err err = {0};
    MUST(pg_outside(&w->pg), retain_days);
    summarize(w);
    bool more = retain_days > 0, ok = prune(w, &err);
    while (ok && more && !stopping(w)) /* each time a day less */
        ok = day_drop(w, retain_days, &more, &err);
    if (!ok)
        log_warn("old days stay for now: %s", err.text);
}

/* *made: this member was the one to make it. */
static bool day_ensure(struct writer *w, int32_t day, bool *made, struct err *err)
{
    const int32_t days_1970_to_2000 = 10957;
    MUST(pg_outside(&w->pg), day); /* the day is there for all before the batch is */
    pg_args_reset(&w->args);
    pg_arg_int4(&w->args, day - days_1970_to_2000);
    PGresult *res = pg_query(&w->pg, "SELECT spendlog.ensure_partition($1::date)", &w->args, err);
    if (!res)
        return false;
    *made = pg_int(res, 0, 0) != 0;
    PQclear(res);
    days_known_add(&w->days, day);
    return true;
}

/* Before the transaction: a partition that waits for its COMMIT would be seen by nobody else. Who
 * makes the partition of a day that has begun does the day's other work as well, after the batch.
 */
static bool days_ensure(struct writer *w, const struct batch *batch, struct err *err)
{
    int32_t last = INT32_MIN;
    for (size_t i = 0; i < batch->row_count; i++) {
        int32_t day = (int32_t)clock_day_of(batch->rows[i].start_time_us);
        bool made = false;
        if (batch->rows[i].fate != ROW_NEW || day == last)
            continue;
        if (!days_known_has(&w->days, day) && !day_ensure(w, day, &made, err))
            return false;
        if (made && day >= clock_day_of(clock_now_us()))
            w->house_due = true;
        last = day;
    }
    return true;
}

/* --- sums ----------------------------------------------------------------------------------- */

/* Another member may be at it: then it does ours as well. */
static void sums_merge(struct writer *w)
{
    struct err err = {0};
    MUST(pg_outside(&w->pg), w->deltas);
    pg_args_reset(&w->args);
    pg_arg_int4(&w->args, MERGE_AT_ONCE);
    PGresult *res = pg_query(&w->pg, "SELECT coalesce(taken, 0) FROM spendlog.sums_compact($1)",
                             &w->args, &err);
    if (!res)
        log_warn("sums stay unmerged for now: %s", err.text);
    int64_t taken = res ? pg_int(res, 0, 0) : 0;
    w->deltas = taken == MERGE_AT_ONCE && w->deltas > taken ? w->deltas - taken : 0;
    MUST(w->deltas >= 0, w->deltas, taken);
    w->merged_us = clock_monotonic_us();
    PQclear(res);
}

void writer_idle(struct writer *w)
{
    bool many = w->deltas >= MERGE_IDLE_FROM;
    bool waited = w->deltas > 0 && clock_monotonic_us() - w->merged_us >= MERGE_IDLE_US;
    if ((many || waited) && w->pg.conn)
        sums_merge(w);
}

/* --- begin ---------------------------------------------------------------------------------- */

/* By partition_id, the same order for everybody: two members cannot wait for each other. Whose the
 * numbers in our memory are is asked for with it: in a database that went back, the number of a
 * partition or a price book may be gone or may have been given to another one. */
static const struct pg_statement lock = {
    STATEMENT_LOCK,
    "WITH batch AS MATERIALIZED (SELECT nextval('spendlog.batch_id_seq') AS id,"
    "  (SELECT book_hash FROM spendlog.price_books WHERE price_book_id = $3::integer) AS book,"
    "  EXISTS (SELECT FROM spendlog.ingest_batches WHERE batch_id = $4::bigint"
    "   AND written_at = $5::timestamp) AS known)"
    " SELECT o.partition_id, o.created_at, o.next_offset, o.next_index, batch.id, batch.book,"
    "  batch.known"
    " FROM (SELECT * FROM spendlog.kafka_offsets"
    "       WHERE partition_id = ANY ($1::bigint[]) AND (replaced_at IS NULL OR $2)"
    "       ORDER BY partition_id FOR UPDATE) o CROSS JOIN batch"};

enum { LOCK_ID, LOCK_CREATED, LOCK_NEXT, LOCK_INDEX, LOCK_BATCH, LOCK_BOOK, LOCK_KNOWN };

static void args_add_partitions(struct writer *w, const struct batch *batch)
{
    MUST(batch->range_count > 0 && batch->range_count <= BATCH_PARTITIONS_MAX, batch->range_count);
    pg_args_reset(&w->args);
    pg_array_open(&w->args, PG_INT8, batch->range_count);
    for (size_t i = 0; i < batch->range_count; i++)
        pg_array_int8(&w->args, batch->range[i].state->id);
    pg_array_close(&w->args);
}

/* A retry takes the place as it is and leaves it there. */
static bool range_stands(struct batch_range *range, const PGresult *res, bool retry)
{
    for (int i = 0; i < PQntuples(res); i++) {
        if (pg_int(res, i, LOCK_ID) != range->state->id ||
            pg_int(res, i, LOCK_CREATED) != range->state->created)
            continue;
        int64_t offset = pg_int(res, i, LOCK_NEXT);
        unsigned index = (unsigned)pg_int(res, i, LOCK_INDEX);
        if (retry) {
            range->first_offset = range->next_offset = offset;
            range->first_index = range->next_index = index;
        }
        return offset == range->first_offset && index == range->first_index;
    }
    return false;
}

static bool fence(struct writer *w, struct err *err, const char *why)
{
    MUST(!w->fenced);
    w->fenced = true;
    return err_set(err, ERR_RETRY, "%s", why);
}

static bool book_stands(const struct writer *w, const struct batch *batch, const PGresult *res)
{
    return batch->row_count == 0 ||
           (!pg_null(res, 0, LOCK_BOOK) && slice_is(pg_text(res, 0, LOCK_BOOK), w->book_hash));
}

static bool lock_offsets(struct writer *w, struct batch *batch, struct err *err)
{
    MUST(pg_inside(&w->pg), batch->range_count);
    args_add_partitions(w, batch);
    pg_arg_bool(&w->args, batch->retry);
    pg_arg_int4(&w->args, w->book_id);
    pg_arg_int8(&w->args, w->known.batch_id);
    pg_arg_int8(&w->args, w->known.written_at);
    PGresult *res = pg_run(&w->pg, &lock, &w->args, err);
    if (!res)
        return false;
    char why[400] = "";
    for (size_t i = 0; !*why && i < batch->range_count; i++)
        if (!range_stands(&batch->range[i], res, batch->retry))
            snprintf(why, sizeof(why), "%s/%d/%lld: the stored offset is another one by now",
                     batch->range[i].state->topic, (int)batch->range[i].state->partition,
                     (long long)batch->range[i].first_offset);
    if (!*why && !book_stands(w, batch, res))
        snprintf(why, sizeof(why), "price book %.12s is not stored any more", w->book_hash);
    if (!*why) {
        w->batch_id = pg_int(res, 0, LOCK_BATCH);
        MUST(w->batch_id > 0 && (size_t)PQntuples(res) == batch->range_count, w->batch_id,
             PQntuples(res), batch->range_count);
        if (!pg_int(res, 0, LOCK_KNOWN)) /* what this batch knew may have gone with it */
            words_known_forget(&w->known);
    }
    PQclear(res);
    return *why ? fence(w, err, why) : true;
}

/* --- the transaction ------------------------------------------------------------------------ */

/* COMMIT of a transaction that has failed answers ROLLBACK without an error. */
static bool commit(struct writer *w, struct err *err)
{
    PGresult *res = pg_query(&w->pg, "COMMIT", NULL, err);
    if (!res)
        return false;
    bool committed = strcmp(PQcmdStatus(res), "COMMIT") == 0;
    PQclear(res);
    return committed ? true : err_set(err, ERR_RETRY, "the transaction was rolled back");
}

static bool book_known(const struct writer *w, const struct batch *batch, struct err *err)
{
    if (batch->row_count == 0 || writer_has_book(w, batch->book_id))
        return true;
    if (!w->book_hash[0])
        return err_set(err, ERR_RETRY, "connected anew: price book %.12s is to be stored again",
                       batch->book_id);
    return err_set(err, ERR_FATAL, "price book %.12s was not stored first", batch->book_id);
}

static bool transaction(struct writer *w, struct batch *batch, struct err *err)
{
    if (!pg_begin(&w->pg, PG_WRITE, err) || !lock_offsets(w, batch, err))
        return false;
    fault_point("after_lock");
    MUST(w->refusal_count == 0 && !w->fenced, w->refusal_count);
    if (!rows_guard(w, batch, err) || !rows_look(w, batch, err) || !rows_copy(w, batch, err))
        return false;
    fault_point("after_copy");
    if (w->refusal_count && batch->can_read_again && !batch->keep_messages) {
        batch->messages_wanted = true;
        return fence(w, err,
                     "PostgreSQL refused rows: the batch is read again, to keep their messages");
    }
    if (!rows_guard_stands(w, batch))
        return err_set(err, ERR_RETRY, "a row that guards its identity is refused");
    if (!rows_sum(w, batch, err) || !counts_tally(w, batch, err) || !counts_write(w, batch, err))
        return false;
    fault_point("before_commit");
    MUST(!w->fenced && !w->copying && !w->rejecting, w->fenced, w->copying, w->rejecting);
    MUST(pg_inside(&w->pg), w->batch_id);
    return commit(w, err);
}

/* --- failures ------------------------------------------------------------------------------- */

/* Ends the members that hold what we waited for: whoever has locked our offset rows, and whoever's
 * backend waits for its client in the middle of a transaction (all data is in memory when a
 * transaction begins, so only a frozen process does). A backend that waits for COPY data heeds no
 * timeout. One that waits for a synchronous standby is not frozen: ended, it would have committed
 * without it. */
static const char blockers_end[] =
    "SELECT a.pid, a.application_name, pg_terminate_backend(a.pid)"
    " FROM pg_stat_activity a"
    " WHERE a.pid <> pg_backend_pid() AND a.usename = current_user"
    "  AND a.datname = current_database() AND a.backend_xid IS NOT NULL"
    "  AND a.wait_event IS DISTINCT FROM 'SyncRep' AND starts_with(a.application_name, $2)"
    "  AND (a.backend_xid IN (SELECT o.xmax FROM spendlog.kafka_offsets o"
    "                         WHERE o.partition_id = ANY ($1::bigint[]))"
    "       OR (a.wait_event = 'ClientRead' AND clock_timestamp() - greatest(a.query_start,"
    "           a.state_change) > make_interval(secs => $3::integer / 1000.0)))";

static bool end_blockers(struct writer *w, const struct batch *batch, struct err *err)
{
    const char *space = strrchr(w->application_name, ' ');
    struct slice family = slice_of(w->application_name);
    MUST(pg_outside(&w->pg)); /* or we would be one of them */
    if (space)
        family.bytes = (size_t)(space - w->application_name) + 1;
    args_add_partitions(w, batch);
    pg_arg_text(&w->args, family);
    pg_arg_int4(&w->args, (int32_t)w->lock_timeout_ms);
    PGresult *res = pg_query(&w->pg, blockers_end, &w->args, err);
    if (!res)
        return false;
    for (int i = 0; i < PQntuples(res); i++)
        log_warn("ended backend %lld (" SLICE_FMT "), which held what this batch needs",
                 (long long)pg_int(res, i, 0), SLICE_ARG(pg_text(res, i, 1)));
    PQclear(res);
    return true;
}

static bool failed_with(const struct writer *w, const char *sqlstate)
{
    return strcmp(w->pg.sqlstate, sqlstate) == 0;
}

/* Whether another try makes sense; changes what has to be done differently in it. */
static bool adapt(struct writer *w, const struct batch *batch, const struct err *why)
{
    MUST(why->kind != ERR_NONE && pg_outside(&w->pg), why->kind);
    if (w->fenced || !w->pg.conn)
        return false;
    if (w->guard_again)
        return true;
    if (failed_with(w, "55P03")) /* lock timeout */
        return end_blockers(w, batch, NULL);
    if (why->kind == ERR_RETRY) /* deadlock, serialization */
        return true;
    if (w->rejecting && record_refused(w) && !w->bisect_rejects) {
        w->bisect_rejects = true;
        return true;
    }
    if (!w->copying)
        return false;
    if (failed_with(w, "23505")) { /* unique violation */
        w->look_first = true;
        w->batches_clean = 0;
        return true;
    }
    if (failed_with(w, "23514") && !row_refusable(w)) { /* the day's partition is gone */
        days_known_forget(&w->days);
        return true;
    }
    if (!w->bisect && row_refusable(w)) {
        w->bisect = true;
        return true;
    }
    return false;
}

/* --- commit --------------------------------------------------------------------------------- */

static bool try_once(struct writer *w, struct batch *batch, struct err *err)
{
    MUST(pg_outside(&w->pg), batch->row_count);
    w->pg.sqlstate[0] = '\0';
    w->copying = false;
    w->rejecting = false;
    w->fenced = w->guard_again = false;
    rows_mark_near(w, batch);
    return days_ensure(w, batch, err) && transaction(w, batch, err);
}

/* The batch is stored: ranges get their final counts, partition states move on. */
static void conclude(struct writer *w, struct batch *batch)
{
    int64_t conflicts = 0;
    for (size_t i = 0; i < batch->range_count; i++) {
        struct batch_range *range = &batch->range[i];
        const struct range_counts *tally = &w->counts[i];
        MUST(range->state->next_offset == range->first_offset || batch->retry,
             range->state->next_offset, range->first_offset);
        MUST(tally->rows >= 0 && tally->duplicates >= 0, tally->rows, tally->duplicates);
        MUST(batch->retry || tally->rejected >= 0, tally->rejected);
        /* Other mappings read a partly stored message again from its first record. */
        MUST(range->next_offset > range->first_offset ||
                 (range->next_offset == range->first_offset &&
                  (range->next_index >= range->first_index ||
                   range->mappings != range->state->mappings)),
             range->next_offset, range->first_offset, range->next_index, range->first_index);
        range->rows = tally->rows;
        range->duplicates = tally->duplicates;
        range->rejected = tally->rejected;
        range->conflicts = tally->conflicts;
        memcpy(range->by_status, tally->by_status, sizeof(range->by_status));
        range->flagged = tally->flagged;
        range->doubtful = tally->doubtful;
        range->state->next_offset = range->next_offset;
        range->state->next_index = range->next_index;
        range->state->last_time_ms = range->last_time_ms;
        range->state->last_hash = range->last_hash;
        range->state->last = range->last;
        range->state->mappings = range->mappings;
        conflicts += tally->conflicts;
    }
    batch->refused = w->refusal_count;
    rows_learn(w, batch);
    words_learn(w, batch);
    if (conflicts)
        log_warn("%lld duplicates differ from the row that came first (ingest_conflicts)",
                 (long long)conflicts);
    if (w->refusal_count)
        log_warn("PostgreSQL refused %zu rows (rejected_events): %s", w->refusal_count,
                 w->refusal[0].text);
    if (w->bisect_rejects)
        log_warn(
            "PostgreSQL refused what is kept of %zu rejected records (rejected_events): %s [%s]",
            w->reject_refused.count, w->reject_refused.message, w->reject_refused.sqlstate);
}

bool writer_commit(struct writer *w, struct batch *batch, struct err *err)
{
    if (batch->range_count == 0)
        return true;
    if (shortage_was(err))
        return false;
    if (!writer_connect(w, err) || !book_known(w, batch, err))
        return false;
    MUST(batch->row_count == 0 || w->book_id > 0, batch->row_count, w->book_id);
    MUST(batch->sums.row_count == batch->row_count, batch->sums.row_count, batch->row_count);
    w->bisect = false;
    w->bisect_rejects = false;
    w->sum_lines = 0;
    for (int tries = 1;; tries++) {
        struct err why = {0};
        if (try_once(w, batch, &why))
            break;
        pg_rollback(&w->pg);
        lock_holder_blame(&w->pg, &why);
        bool waited = failed_with(w, "55P03") || failed_with(w, "57014");
        if (waited)
            lock_holder_tell(&w->holder, &why);
        if (tries == TRIES_MAX || (waited && stopping(w)) || !adapt(w, batch, &why))
            return err_set(err, why.kind, "%s", why.text);
        log_debug("batch begun again: %s", why.text);
    }
    MUST(pg_outside(&w->pg) && !w->fenced, w->batch_id);
    conclude(w, batch);
    w->deltas += (int64_t)w->sum_lines;
    if (w->deltas >= MERGE_FROM && !stopping(w))
        sums_merge(w);
    if (w->house_due && !stopping(w))
        keep_house(w, batch->retain_days);
    w->house_due = false;
    return true;
}
