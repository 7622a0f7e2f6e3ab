/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which days a run has to do, that nobody else is at them, and its record. The claims are the
 * session's of the connection that writes: when that connection is lost nothing can be written any
 * more, so there is no moment in which a run without claims changes a row.
 */
#include "store/reprice_impl.h"

#include "core/must.h"

#include <jansson.h>
#include <stdlib.h>

#define ROW_BYTES_USUAL 400 /* of a table that was never analysed */

/* Days that have a partition, in the filter's range. */
#define DAYS_THERE                                                                                 \
    "SELECT t.day, 0::bigint AS changed FROM spendlog.stored_days() t"                             \
    " WHERE t.day + 1 > $1::timestamp AND t.day < $2::timestamp"

#define DAYS_LEFT                                                                                  \
    "SELECT r.day, r.changed FROM spendlog.reprice_days r WHERE r.run_id = $1 AND r.state = "      \
    "'pending'"

#define DAYS_DESCRIBE(days)                                                                        \
    "SELECT d.day - date '2000-01-01', to_char(d.day, 'YYYY-MM-DD'),"                              \
    " EXISTS (SELECT FROM spendlog.closed_periods p WHERE p.month = date_trunc('month', d.day)),"  \
    " c.oid IS NOT NULL, d.changed,"                                                               \
    " CASE WHEN c.reltuples > 0 AND c.relpages > 0"                                                \
    " THEN (c.reltuples / c.relpages * (pg_relation_size(c.oid) / 8192))::bigint"                  \
    " ELSE coalesce(pg_relation_size(c.oid) / $3, 0) END"                                          \
    " FROM (" days ") d LEFT JOIN spendlog.stored_days() t USING (day)"                            \
    " LEFT JOIN pg_class c ON c.oid = t.leaf ORDER BY d.day"

/* --- days ----------------------------------------------------------------------------------- */

static void time_bound(struct pg_args *args, int64_t us, bool lower)
{
    if (us == INT64_MIN || us == INT64_MAX) /* timestamp's own infinities */
        pg_arg_int8(args, lower ? INT64_MIN : INT64_MAX);
    else
        pg_arg_time(args, us);
}

static void day_read(const PGresult *res, int row, struct reprice_day *day)
{
    struct slice text = pg_text(res, row, 1);
    MUST(PQnfields(res) >= 6 && row < PQntuples(res), PQnfields(res), row);
    memset(day, 0, sizeof(*day));
    day->day = (int32_t)pg_int(res, row, 0);
    memcpy(day->text, text.p, text.bytes < sizeof(day->text) ? text.bytes : sizeof(day->text) - 1);
    day->closed = pg_int(res, row, 2) != 0;
    day->there = pg_int(res, row, 3) != 0;
    day->changed = pg_int(res, row, 4);
    day->table_rows = pg_int(res, row, 5);
}

/* A day that is covered in part is expected to hold its part of the rows. */
static int64_t expected_of(const struct reprice *run, const struct reprice_day *day)
{
    int64_t start_us = PG_EPOCH_US + day->day * US_PER_DAY, end_us = start_us + US_PER_DAY;
    int64_t from_us = run->filter.since_us > start_us ? run->filter.since_us : start_us;
    int64_t until_us = run->filter.until_us < end_us ? run->filter.until_us : end_us;
    return until_us > from_us ? day->table_rows * ((until_us - from_us) / 1000000) / 86400 : 0;
}

static bool days_take(struct reprice *run, PGresult *res, struct err *err)
{
    free(run->day);
    run->day_count = res ? (size_t)PQntuples(res) : 0;
    run->day = calloc(run->day_count + 1, sizeof(run->day[0]));
    run->expected = 0;
    if (res && !run->day)
        err_set(err, ERR_FATAL, "out of memory");
    for (size_t i = 0; run->day && i < run->day_count; i++) {
        day_read(res, (int)i, &run->day[i]);
        run->day[i].expected = expected_of(run, &run->day[i]);
        run->expected += run->day[i].expected;
    }
    PQclear(res);
    return res && run->day;
}

static bool days_list(struct reprice *run, struct pg *pg, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    time_bound(&args, run->filter.since_us, true);
    time_bound(&args, run->filter.until_us, false);
    pg_arg_int8(&args, ROW_BYTES_USUAL);
    bool ok = days_take(run, pg_query(pg, DAYS_DESCRIBE(DAYS_THERE), &args, err), err);
    pg_args_free(&args);
    return ok;
}

bool reprice_plan_dry(struct reprice *run, struct err *err)
{
    return days_list(run, &run->read, err);
}

/* --- claims --------------------------------------------------------------------------------- */

/* All of them or none. The session is marked before: what is counted asks for the mark, which
 * another server behind a pooler has not, as it has no claims. */
static bool days_claim(struct reprice *run, struct err *err)
{
    struct pg_args args;
    if (!pg_command(&run->write, "SET spendlog.repricing = 'on'", err))
        return false;
    pg_args_init(&args);
    MUST(pg_outside(&run->write), run->day_count); /* claims are the session's */
    pg_array_open(&args, PG_DATE, run->day_count);
    for (size_t i = 0; i < run->day_count; i++)
        pg_array_int4(&args, run->day[i].day);
    pg_array_close(&args);
    PGresult *res = pg_query(&run->write,
                             "SELECT to_char(day, 'YYYY-MM-DD'), holder"
                             " FROM spendlog.days_claim($1::date[])",
                             &args, err);
    bool ok = res && PQntuples(res) == 0;
    if (res && !ok)
        err_set(err, ERR_RETRY,
                SLICE_FMT " is being worked on (" SLICE_FMT "): try again when it is done",
                SLICE_ARG(pg_text(res, 0, 0)), SLICE_ARG(pg_text(res, 0, 1)));
    PQclear(res);
    pg_args_free(&args);
    return ok;
}

/* --- the record ----------------------------------------------------------------------------- */

static void json_list(json_t *filter, const char *name, const struct reprice_list *list)
{
    if (list->count == 0)
        return;
    json_t *values = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(values, json_string(list->value[i]));
    json_object_set_new(filter, name, values);
}

static char *filter_dump(const struct reprice_filter *f)
{
    json_auto_t *filter = json_object();
    json_list(filter, "model", &f->model);
    json_list(filter, "provider", &f->provider);
    json_list(filter, "team", &f->team);
    json_list(filter, "key", &f->key);
    json_list(filter, "mapping", &f->mapping);
    if (f->book)
        json_object_set_new(filter, "book", json_string(f->book));
    if (f->unpriced)
        json_object_set_new(filter, "unpriced", json_true());
    if (f->include_reported)
        json_object_set_new(filter, "include_reported", json_true());
    return json_dumps(filter, JSON_COMPACT);
}

static void list_restore(const json_t *filter, const char *name, struct reprice_list *list)
{
    const json_t *values = json_object_get(filter, name);
    for (size_t i = 0; i < json_array_size(values) && i < REPRICE_LIST_MAX; i++)
        list->value[list->count++] = json_string_value(json_array_get(values, i));
}

static bool filter_restore(struct reprice *run, struct slice text, struct err *err)
{
    struct reprice_filter *f = &run->filter;
    json_t *filter = json_loadb(text.p, text.bytes, 0, NULL);
    if (!filter)
        return err_set(err, ERR_FATAL, "the filter of run %lld cannot be read",
                       (long long)run->run_id);
    run->filter_json = filter;
    list_restore(filter, "model", &f->model);
    list_restore(filter, "provider", &f->provider);
    list_restore(filter, "team", &f->team);
    list_restore(filter, "key", &f->key);
    list_restore(filter, "mapping", &f->mapping);
    f->book = json_string_value(json_object_get(filter, "book"));
    f->unpriced = json_is_true(json_object_get(filter, "unpriced"));
    f->include_reported = json_is_true(json_object_get(filter, "include_reported"));
    return true;
}

/* The book was put by a statement of its own: under its number there may be another one by now, in
 * a database that went back meanwhile. */
static bool run_insert(struct reprice *run, const char *book_hash, struct err *err)
{
    struct pg_args args;
    char *filter = filter_dump(&run->filter);
    MUST(run->book_id > 0 && !run->resumed, run->book_id, run->run_id);
    if (!filter)
        return err_set(err, ERR_INPUT, "the filter is not UTF-8");
    pg_args_init(&args);
    pg_arg_int4(&args, run->book_id);
    pg_arg_text(&args, slice_of(filter));
    time_bound(&args, run->filter.since_us, true);
    time_bound(&args, run->filter.until_us, false);
    pg_arg_text(&args, slice_of(book_hash));
    PGresult *res = pg_query(&run->write,
                             "INSERT INTO spendlog.reprice_runs (price_book_id, filter)"
                             " SELECT price_book_id, $2::text::jsonb || jsonb_build_object("
                             "'since', $3::timestamp, 'until', $4::timestamp)"
                             " FROM spendlog.price_books WHERE price_book_id = $1"
                             "  AND book_hash = $5 RETURNING run_id",
                             &args, err);
    bool begun = res && PQntuples(res) == 1;
    if (begun)
        run->run_id = pg_int(res, 0, 0);
    else if (res)
        err_set(err, ERR_RETRY,
                "the database went back before the run began: give the command again");
    PQclear(res);
    pg_args_free(&args);
    free(filter);
    return begun;
}

static bool days_insert(struct reprice *run, struct err *err)
{
    struct pg_args args;
    MUST(run->run_id > 0 && pg_inside(&run->write), run->run_id, run->day_count);
    pg_args_init(&args);
    pg_arg_int8(&args, run->run_id);
    pg_array_open(&args, PG_INT4, run->day_count);
    for (size_t i = 0; i < run->day_count; i++)
        pg_array_int4(&args, run->day[i].day);
    pg_array_close(&args);
    PGresult *res = pg_query(&run->write,
                             "INSERT INTO spendlog.reprice_days (run_id, day)"
                             " SELECT $1, date '2000-01-01' + day FROM unnest($2::int[]) AS day",
                             &args, err);
    PQclear(res);
    pg_args_free(&args);
    return res != NULL;
}

static bool days_left(struct reprice *run, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_int8(&args, run->run_id);
    pg_arg_null(&args);
    pg_arg_int8(&args, ROW_BYTES_USUAL);
    bool ok = days_take(
        run, pg_query(&run->write, DAYS_DESCRIBE(DAYS_LEFT " AND $2::int IS NULL"), &args, err),
        err);
    pg_args_free(&args);
    return ok;
}

/* Claims first, then the record: a run that cannot have its days leaves none. What the days are
 * like is read again under the claims. */
bool reprice_plan_new(struct reprice *run, const char *book_hash, struct err *err)
{
    if (!days_list(run, &run->write, err) || !days_claim(run, err) ||
        !pg_begin(&run->write, PG_WRITE, err))
        return false;
    if (run_insert(run, book_hash, err) && days_insert(run, err) &&
        pg_command(&run->write, "COMMIT", err))
        return days_left(run, err);
    pg_rollback(&run->write);
    return false;
}

bool reprice_plan_load(struct reprice *run, struct err *err)
{
    return days_left(run, err) && days_claim(run, err) && days_left(run, err);
}

bool reprice_find_unfinished(struct reprice *run, int64_t *run_id, struct err *err)
{
    PGresult *res = pg_query(run->write.conn ? &run->write : &run->read,
                             "SELECT max(run_id) FROM spendlog.reprice_runs"
                             " WHERE state = 'running'",
                             NULL, err);
    *run_id = res && !pg_null(res, 0, 0) ? pg_int(res, 0, 0) : 0;
    PQclear(res);
    return res != NULL;
}

static bool run_take(struct reprice *run, const PGresult *res, struct err *err)
{
    struct reprice_totals *t = &run->total;
    MUST(run->run_id > 0 && PQnfields(res) >= 11, run->run_id, PQnfields(res));
    int64_t since = pg_int(res, 0, 8), until = pg_int(res, 0, 9);
    run->book_id = (int32_t)pg_int(res, 0, 0);
    t->considered = pg_int(res, 0, 1);
    t->changed = pg_int(res, 0, 2);
    t->unchanged = pg_int(res, 0, 3);
    t->skipped = pg_int(res, 0, 4);
    t->posted = pg_int(res, 0, 5);
    if (!pg_sum(res, 0, 6, &t->before, err) || !pg_sum(res, 0, 7, &t->after, err))
        return false;
    if (run->filter_json)
        return true;
    run->filter.since_us = since == INT64_MIN ? since : since + PG_EPOCH_US;
    run->filter.until_us = until == INT64_MAX ? until : until + PG_EPOCH_US;
    return filter_restore(run, pg_text(res, 0, 10), err);
}

bool reprice_recorded(const struct reprice *run, int64_t rows, struct err *err)
{
    MUST(run->run_id > 0 && rows <= 1, run->run_id, rows);
    return rows == 1 ? true
                     : err_set(err, ERR_RETRY,
                               "the database went back under run %lld: `spendlog reprice --resume` "
                               "goes on from what is recorded",
                               (long long)run->run_id);
}

bool reprice_run_load(struct reprice *run, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_int8(&args, run->run_id);
    PGresult *res =
        pg_query(&run->write,
                 "SELECT price_book_id, considered, changed, unchanged, skipped, posted,"
                 " spend_before::text, spend_after::text, (filter ->> 'since')::timestamp,"
                 " (filter ->> 'until')::timestamp, (filter - 'since' - 'until')::text"
                 " FROM spendlog.reprice_runs WHERE run_id = $1",
                 &args, err);
    bool ok = res && reprice_recorded(run, PQntuples(res), err) && run_take(run, res, err);
    PQclear(res);
    pg_args_free(&args);
    return ok;
}

static bool run_command(struct reprice *run, const char *sql, int32_t day, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_int8(&args, run->run_id);
    pg_arg_int4(&args, day);
    PGresult *res = pg_query(&run->write, sql, &args, err);
    bool ok = res && reprice_recorded(run, strtoll(PQcmdTuples(res), NULL, 10), err);
    PQclear(res);
    pg_args_free(&args);
    return ok;
}

bool reprice_run_finish(struct reprice *run, struct err *err)
{
    MUST(run->run_id > 0 && run->staged_rows == 0, run->run_id, run->staged_rows);
    return run_command(run,
                       "UPDATE spendlog.reprice_runs SET state = 'done',"
                       " finished_at = now() AT TIME ZONE 'UTC' WHERE run_id = $1 AND $2::int = "
                       "0" REPRICE_IN_SESSION,
                       0, err);
}

bool reprice_day_dropped(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    return run_command(run,
                       "UPDATE spendlog.reprice_days SET state = 'dropped',"
                       " finished_at = now() AT TIME ZONE 'UTC'"
                       " WHERE run_id = $1 AND day = date '2000-01-01' + $2::int"
                       " AND state = 'pending'" REPRICE_IN_SESSION,
                       day->day, err);
}
