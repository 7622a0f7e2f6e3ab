/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slice: changed rows gathered in memory, then written in one transaction that records each in
 * spend_adjustments, changes the rows by these records and counts them in the run. A function of
 * the database changes them: only rows that are still as they were read, and all of them.
 */
#include "store/reprice_impl.h"

#include "core/clock.h"
#include "core/fault.h"
#include "core/must.h"
#include "core/shortage.h"
#include "store/lock_holder.h"

#include <stdlib.h>

#define TRIES_MAX 5
#define STATEMENT_BYTES_MAX 4096

#define ADJUSTMENT_COLUMNS                                                                         \
    "run_id, start_time, identity, kind, posted_on, old_spend, new_spend, old_status, new_status," \
    " old_reason, new_reason, old_price_book_id, new_price_book_id, new_input_cost,"               \
    " new_output_cost, new_other_cost, new_flags, new_items, adjusted_at"
#define ADJUSTMENT_COLUMN_COUNT 19

/* --- staging -------------------------------------------------------------------------------- */

void reprice_stage_reset(struct reprice *run)
{
    copy_in_start(&run->staged);
    run->staged_rows = 0;
    run->staged_first = INT64_MAX;
    run->staged_last = INT64_MIN;
}

int32_t reprice_flags(const struct row_field *stored, const struct charge *charge)
{
    unsigned flags = (unsigned)copy_int(stored);
    return (int32_t)((flags & ~flags_of_price) | charge->flags);
}

void reprice_stage(struct reprice *run, enum reprice_method method,
                   const struct reprice_shape *shape, const struct row_field *field,
                   const struct facts *facts, const struct charge *charge)
{
    struct buf *rows = &run->staged;
    const char *reason = reason_info[charge->reason].name;
    int64_t started = copy_int(&field[shape->column[COLUMN_START_TIME]]);
    MUST(run->run_id > 0 && run->book_id > 0 && !run->options.dry_run, run->run_id, run->book_id);
    bool has = charge->has_spend;
    struct row_items items;

    row_items_of(charge, facts, &items);
    buf_add_be16(rows, ADJUSTMENT_COLUMN_COUNT);
    copy_add_int8(rows, run->run_id);
    copy_add_field(rows, &field[shape->column[COLUMN_START_TIME]]);
    copy_add_field(rows, &field[shape->column[COLUMN_IDENTITY]]);
    copy_add_text(rows, method == METHOD_POST ? "posted" : "audit");
    if (method == METHOD_POST)
        copy_add_bytes(rows, (struct slice){run->posted_on, sizeof(run->posted_on)});
    else
        copy_add_null(rows);
    copy_add_field(rows, &field[shape->column[COLUMN_SPEND]]);
    copy_add_money(rows, has, charge->spend);
    copy_add_field(rows, &field[shape->column[COLUMN_STATUS]]);
    copy_add_text(rows, charge_status_name[charge->status]);
    copy_add_field(rows, &field[shape->column[COLUMN_REASON]]);
    copy_add_text(rows, reason ? reason : "");
    copy_add_field(rows, &field[shape->column[COLUMN_BOOK]]);
    copy_add_int4(rows, run->book_id);
    copy_add_money(rows, has, charge->side[SIDE_INPUT]);
    copy_add_money(rows, has, charge->side[SIDE_OUTPUT]);
    copy_add_money(rows, has, charge->side[SIDE_OTHER]);
    copy_add_int4(rows, reprice_flags(&field[shape->column[COLUMN_FLAGS]], charge));
    if (items.there)
        copy_add_bytes(rows, (struct slice){items.text, items.bytes});
    else
        copy_add_null(rows);
    copy_add_bytes(rows, (struct slice){run->adjusted_at, sizeof(run->adjusted_at)});
    run->staged_rows++;
    MUST((int64_t)run->staged_rows <= run->slice.changed, run->staged_rows, run->slice.changed);
    if (started < run->staged_first)
        run->staged_first = started;
    if (started > run->staged_last)
        run->staged_last = started;
}

void reprice_slice_reset(struct reprice *run)
{
    reprice_stage_reset(run);
    tally_reset(&run->tally);
    memset(&run->slice, 0, sizeof(run->slice));
}

/* --- counting ------------------------------------------------------------------------------- */

static void arg_sum(struct pg_args *args, struct sum sum)
{
    char text[SUM_TEXT_MAX];
    pg_arg_text(args, (struct slice){text, sum_format(sum, text)});
}

static void array_sum(struct pg_args *args, struct sum sum)
{
    char text[SUM_TEXT_MAX];
    pg_array_bytes(args, (struct slice){text, sum_format(sum, text)});
}

static bool run_statement(struct reprice *run, const char *sql, const struct pg_args *args,
                          int64_t *rows, struct err *err)
{
    PGresult *res = pg_query(&run->write, sql, args, err);
    if (res && rows)
        *rows = strtoll(PQcmdTuples(res), NULL, 10);
    PQclear(res);
    return res != NULL;
}

static bool tallies_write(struct reprice *run, struct err *err)
{
    const struct tally *tally = &run->tally;
    struct pg_args args;
    if (tally->count == 0)
        return true;
    pg_args_init(&args);
    pg_arg_int8(&args, run->run_id);
    pg_array_open(&args, PG_TEXT, tally->count);
    for (size_t i = 0; i < tally->count; i++)
        pg_array_bytes(&args, slice_of(tally_dimension_name[tally->entry[i].dimension]));
    pg_array_close(&args);
    pg_array_open(&args, PG_TEXT, tally->count);
    for (size_t i = 0; i < tally->count; i++)
        pg_array_bytes(&args, tally->entry[i].value);
    pg_array_close(&args);
    pg_array_open(&args, PG_INT8, tally->count);
    for (size_t i = 0; i < tally->count; i++)
        pg_array_int8(&args, tally->entry[i].rows);
    pg_array_close(&args);
    pg_array_open(&args, PG_TEXT, tally->count);
    for (size_t i = 0; i < tally->count; i++)
        array_sum(&args, tally->entry[i].before);
    pg_array_close(&args);
    pg_array_open(&args, PG_TEXT, tally->count);
    for (size_t i = 0; i < tally->count; i++)
        array_sum(&args, tally->entry[i].after);
    pg_array_close(&args);
    bool ok = run_statement(
        run,
        "INSERT INTO spendlog.reprice_tallies AS t"
        " (run_id, dimension, value, rows, spend_before, spend_after)"
        " SELECT $1, n.dimension, n.value, n.rows, n.before::numeric, n.after::numeric"
        " FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[])"
        " AS n (dimension, value, rows, before, after)"
        " ON CONFLICT ON CONSTRAINT reprice_tallies_pkey DO UPDATE SET rows = t.rows + "
        "excluded.rows,"
        " spend_before = t.spend_before + excluded.spend_before,"
        " spend_after = t.spend_after + excluded.spend_after",
        &args, NULL, err);
    pg_args_free(&args);
    return ok;
}

static bool run_count(struct reprice *run, const struct reprice_totals *t, struct err *err)
{
    struct pg_args args;
    int64_t rows = 0;
    pg_args_init(&args);
    pg_arg_int8(&args, run->run_id);
    pg_arg_int8(&args, t->considered);
    pg_arg_int8(&args, t->changed);
    pg_arg_int8(&args, t->unchanged);
    pg_arg_int8(&args, t->skipped);
    pg_arg_int8(&args, t->posted);
    arg_sum(&args, t->before);
    arg_sum(&args, t->after);
    bool ok = run_statement(
        run,
        "UPDATE spendlog.reprice_runs SET considered = considered + $2, changed = changed + $3,"
        " unchanged = unchanged + $4, skipped = skipped + $5, posted = posted + $6,"
        " spend_before = spend_before + $7::text::numeric,"
        " spend_after = spend_after + $8::text::numeric,"
        " delta = delta + $8::text::numeric - $7::text::numeric"
        " WHERE run_id = $1" REPRICE_IN_SESSION,
        &args, &rows, err);
    pg_args_free(&args);
    return ok && reprice_recorded(run, rows, err);
}

/* A day that is done is not counted again: a database that went back while the claims were made
 * gives days to a run that has not claimed them, and another one may be at them. */
static bool day_count(struct reprice *run, const struct reprice_day *day,
                      enum reprice_method method, bool last, struct err *err)
{
    struct pg_args args;
    int64_t rows = 0;
    pg_args_init(&args);
    pg_arg_int8(&args, run->run_id);
    pg_arg_int4(&args, day->day);
    pg_arg_int8(&args, run->slice.changed);
    pg_arg_text(&args, slice_of(reprice_method_name[method]));
    pg_arg_int4(&args, last);
    bool ok = run_statement(run,
                            "UPDATE spendlog.reprice_days SET changed = changed + $3, method = $4,"
                            " state = CASE WHEN $5::int = 1 THEN 'done' ELSE state END,"
                            " finished_at = CASE WHEN $5::int = 1 THEN now() AT TIME ZONE 'UTC' END"
                            " WHERE run_id = $1 AND day = date '2000-01-01' + $2::int"
                            " AND state = 'pending'" REPRICE_IN_SESSION,
                            &args, &rows, err);
    pg_args_free(&args);
    return ok && reprice_recorded(run, rows, err);
}

void reprice_slice_close(struct reprice *run)
{
    struct reprice_totals *t = &run->slice;
    MUST(t->considered == t->changed && t->posted <= t->changed, t->considered, t->changed,
         t->posted);
    MUST(run->rest.considered == run->rest.unchanged + run->rest.skipped, run->rest.considered,
         run->rest.unchanged, run->rest.skipped);
    t->considered += run->rest.considered;
    t->unchanged += run->rest.unchanged;
    t->skipped += run->rest.skipped;
    for (int i = 0; i < SKIP_COUNT; i++)
        if (run->skip_rows[i])
            tally_add(&run->tally, TALLY_SKIPPED, slice_of(reprice_skip_name[i]), run->skip_rows[i],
                      run->skip_spend[i], run->skip_spend[i]);
    sum_add(&t->before, run->rest.before);
    sum_add(&t->after, run->rest.after);
    memset(&run->rest, 0, sizeof(run->rest));
    memset(run->skip_rows, 0, sizeof(run->skip_rows));
    memset(run->skip_spend, 0, sizeof(run->skip_spend));
}

bool reprice_slice_count(struct reprice *run, const struct reprice_day *day,
                         enum reprice_method method, bool last, struct err *err)
{
    MUST(pg_inside(&run->write), day->day);
    MUST(run->slice.considered == run->slice.changed + run->slice.unchanged + run->slice.skipped,
         run->slice.considered, run->slice.changed, run->slice.unchanged, run->slice.skipped);
    return !shortage_was(err) && run_count(run, &run->slice, err) &&
           day_count(run, day, method, last, err) && tallies_write(run, err);
}

/* --- the transaction ------------------------------------------------------------------------ */

/* The slice's records into a table of the form of spend_adjustments. */
bool reprice_staged_copy(struct reprice *run, struct pg *pg, const char *table, struct err *err)
{
    char sql[STATEMENT_BYTES_MAX];
    int64_t count = 0, rows = (int64_t)run->staged_rows;
    MUST(run->run_id > 0 && pg_inside(pg), run->run_id, rows);
    snprintf(sql, sizeof(sql),
             "COPY spendlog.%s (" ADJUSTMENT_COLUMNS ") FROM STDIN (FORMAT binary)", table);
    if (!copy_in(pg, sql, &run->staged, &count, err))
        return false;
    return count == rows ? true
                         : err_set(err, ERR_FATAL, "%lld rows changed, %lld recorded",
                                   (long long)rows, (long long)count);
}

/* The rows are changed by their records alone: the function checks that each fits its row. */
static bool rows_update(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    struct pg_args args;
    MUST(run->staged_rows > 0 && run->staged_first <= run->staged_last, run->staged_rows,
         run->staged_first, run->staged_last);
    MUST(!day->closed && pg_inside(&run->write), day->day);
    pg_args_init(&args);
    pg_arg_int8(&args, run->run_id);
    pg_arg_int4(&args, day->day);
    pg_arg_int8(&args, run->staged_first);
    pg_arg_int8(&args, run->staged_last);
    PGresult *res = pg_query(
        &run->write, "SELECT spendlog.adjust_rows($1, $2::date, $3::timestamp, $4::timestamp)",
        &args, err);
    bool ok = res && pg_int(res, 0, 0) == (int64_t)run->staged_rows;
    if (res && !ok)
        err_set(err, ERR_FATAL, "%lld of %zu records have changed their rows",
                (long long)pg_int(res, 0, 0), run->staged_rows);
    PQclear(res);
    pg_args_free(&args);
    return ok;
}

static bool slice_try(struct reprice *run, const struct reprice_day *day,
                      enum reprice_method method, bool last, struct err *err)
{
    if (!pg_begin(&run->write, PG_WRITE, err))
        return false;
    if (run->staged_rows) {
        if (!reprice_staged_copy(run, &run->write, "spend_adjustments", err))
            return false;
        fault_point("reprice_staged");
        if (method == METHOD_UPDATE && !rows_update(run, day, err))
            return false;
        fault_point("reprice_updated");
    }
    if (!reprice_slice_count(run, day, method, last, err))
        return false;
    fault_point("reprice_before_commit");
    if (!pg_command(&run->write, "COMMIT", err))
        return false;
    fault_point("reprice_after_commit");
    return true;
}

bool reprice_slice_write(struct reprice *run, const struct reprice_day *day,
                         enum reprice_method method, bool last, struct err *err)
{
    struct lock_holder holder = {0};
    MUST((method == METHOD_POST) == day->closed && method != METHOD_REWRITE, method, day->closed);
    MUST((int64_t)run->staged_rows == run->slice.changed, run->staged_rows, run->slice.changed);
    if (last)
        reprice_slice_close(run);
    for (unsigned attempt = 1; !slice_try(run, day, method, last, err); attempt++) {
        pg_rollback(&run->write);
        lock_holder_blame(&run->write, err);
        if (err->kind != ERR_RETRY || attempt == TRIES_MAX)
            return false;
        lock_holder_tell(&holder, err);
        err_clear(err);
        clock_sleep_ms(50u << attempt);
    }
    reprice_slice_reset(run);
    return true;
}
