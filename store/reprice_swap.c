/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A day rewritten. Three streams at once: rows out of the day's table, rows into a shadow table
 * nobody sees, adjustments into spend_adjustments inside the transaction that will end with the
 * swap. Until that COMMIT nothing has happened; a killed run leaves a shadow, which the next one
 * throws away.
 *
 * The shadow is filled with FREEZE: its rows are visible to every snapshot, so that a reader whose
 * transaction began before the swap does not find the day empty.
 */
#include "store/reprice_impl.h"

#include "core/fault.h"

#include <stdio.h>
#include <time.h>

#define CHUNK_BYTES (256u << 10)
#define SWAP_TRIES_MAX 60 /* of 0.5 s lock timeout each, and a pause */
#define SWAP_PAUSE_MS 200

static bool day_function(struct pg *pg, const char *function, const struct reprice_day *day,
                         struct err *err)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT spendlog.%s('%s')", function, day->text);
    return pg_command(pg, sql, err);
}

static bool shadow_open(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    struct pg_options options = {.conninfo = run->conninfo, .application_name = "spendlog reprice"};
    if (!run->shadow.conn && !pg_open(&run->shadow, &options, err))
        return false;
    if (!pg_command(&run->shadow, "BEGIN", err) ||
        !day_function(&run->shadow, "shadow_create", day, err))
        return false;
    buf_reset(&run->sql);
    buf_printf(&run->sql, "COPY spendlog.reprice_%.4s%.2s%.2s (", day->text, day->text + 5,
               day->text + 8);
    if (!reprice_sql_columns(run, &run->sql, err))
        return false;
    buf_add_text(&run->sql, ") FROM STDIN (FORMAT binary, FREEZE)");
    return copy_in_open(&run->shadow, reprice_sql_text(run), err);
}

static bool adjustments_open(struct reprice *run, struct err *err)
{
    char sql[512];
    snprintf(sql, sizeof(sql), "COPY spendlog.spend_adjustments (%s) FROM STDIN (FORMAT binary)",
             reprice_adjustment_columns);
    return pg_command(&run->write, "BEGIN", err) && copy_in_open(&run->write, sql, err);
}

bool reprice_swap_open(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    copy_in_start(&run->copy);
    run->copied = 0;
    return shadow_open(run, day, err) && adjustments_open(run, err);
}

/* --- rows ----------------------------------------------------------------------------------- */

static void add_priced(struct reprice *run, enum reprice_column column, const struct charge *charge)
{
    struct buf *rows = &run->copy;
    const char *reason = reason_info[charge->reason].name;
    bool has = charge->has_spend;
    switch (column) {
    case COLUMN_BOOK:
        copy_add_int4(rows, run->book_id);
        break;
    case COLUMN_STATUS:
        copy_add_text(rows, charge_status_name[charge->status]);
        break;
    case COLUMN_REASON:
        copy_add_text(rows, reason ? reason : "");
        break;
    case COLUMN_SPEND:
        copy_add_money(rows, has, charge->spend);
        break;
    case COLUMN_INPUT:
        copy_add_money(rows, has, charge->side[SIDE_INPUT]);
        break;
    case COLUMN_OUTPUT:
        copy_add_money(rows, has, charge->side[SIDE_OUTPUT]);
        break;
    default:
        copy_add_money(rows, has, charge->side[SIDE_OTHER]);
    }
}

/* What lies between two patched fields is copied in one piece, lengths included. */
static void add_changed(struct reprice *run, const struct reprice_shape *shape,
                        const struct row_field *field, struct slice tuple,
                        const struct charge *charge)
{
    const char *from = tuple.p;
    for (int i = 0; i < shape->patch_count; i++) {
        const struct row_field *old = &field[shape->column[shape->patch[i]]];
        buf_add(&run->copy, (struct slice){from, (size_t)(old->p - 4 - from)});
        add_priced(run, shape->patch[i], charge);
        from = old->p + (old->bytes > 0 ? old->bytes : 0);
    }
    buf_add(&run->copy, (struct slice){from, (size_t)(tuple.p + tuple.bytes - from)});
}

bool reprice_swap_row(struct reprice *run, const struct reprice_shape *shape,
                      const struct row_field *field, struct slice tuple,
                      const struct charge *charge, struct err *err)
{
    if (charge)
        add_changed(run, shape, field, tuple, charge);
    else
        buf_add(&run->copy, tuple);
    run->copied++;
    if (run->copy.bytes >= CHUNK_BYTES) {
        if (!copy_in_send(&run->shadow, &run->copy, err))
            return false;
        buf_reset(&run->copy);
    }
    if (run->staged.bytes >= CHUNK_BYTES) {
        if (!copy_in_send(&run->write, &run->staged, err))
            return false;
        buf_reset(&run->staged);
    }
    return true;
}

/* --- the end -------------------------------------------------------------------------------- */

static bool shadow_close(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    int64_t count = 0;
    if (!copy_in_send(&run->shadow, &run->copy, err) || !copy_in_close(&run->shadow, &count, err))
        return false;
    if (count != run->copied)
        return err_set(err, ERR_FATAL, "%lld rows read, %lld copied", (long long)run->copied,
                       (long long)count);
    return day_function(&run->shadow, "shadow_index", day, err) &&
           pg_command(&run->shadow, "COMMIT", err);
}

static bool adjustments_close(struct reprice *run, struct err *err)
{
    int64_t count = 0;
    if (!copy_in_send(&run->write, &run->staged, err) || !copy_in_close(&run->write, &count, err))
        return false;
    return count == run->slice.changed ? true
                                       : err_set(err, ERR_FATAL, "%lld rows changed, %lld recorded",
                                                 (long long)run->slice.changed, (long long)count);
}

/* A dashboard's long query or a batch under way may hold the table: the swap gives way, lets go of
 * what it has, and comes again. The transaction's other work stays. */
static bool swap(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    struct timespec pause = {0, SWAP_PAUSE_MS * 1000000L};
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT spendlog.swap_partition('%s', %lld)", day->text,
             (long long)run->copied);
    for (int attempt = 1;; attempt++) {
        if (!pg_command(&run->write, "SAVEPOINT swap", err))
            return false;
        if (pg_command(&run->write, sql, err))
            return true;
        if (err->kind != ERR_RETRY || attempt == SWAP_TRIES_MAX || !run->write.conn)
            return false;
        err_clear(err);
        if (!pg_command(&run->write, "ROLLBACK TO swap", err))
            return false;
        nanosleep(&pause, NULL);
    }
}

bool reprice_swap_close(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    if (!shadow_close(run, day, err) || !adjustments_close(run, err) ||
        !reprice_slice_close(run, err) || !reprice_slice_count(run, day, METHOD_REWRITE, true, err))
        return false;
    fault_point("reprice_before_swap");
    if (!swap(run, day, err))
        return false;
    fault_point("reprice_before_commit");
    if (!pg_command(&run->write, "COMMIT", err))
        return false;
    fault_point("reprice_after_commit");
    reprice_slice_reset(run);
    return true;
}

/* Closing the connections ends both transactions and a COPY under way; the run stops here. */
void reprice_swap_abandon(struct reprice *run)
{
    pg_close(&run->shadow);
    pg_close(&run->write);
}
