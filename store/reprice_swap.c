/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A day rewritten, piece by piece: the columns that pricing needs are read, the records of what
 * changed go to a table of the day's own, and a function of the database lays them over the piece's
 * rows on their way into a shadow table nobody sees. So the wide rows never leave the server, and
 * while it fills one piece the next is read and priced. The same records become those in
 * spend_adjustments, in the transaction of the swap. Until its COMMIT nothing has happened; a
 * killed run leaves at most a shadow, which the next one throws away.
 *
 * All pieces are read, and filled, under one snapshot: no row is missed or taken twice, whatever
 * is written to the day meanwhile; what came later the swap takes along.
 */
#include "store/reprice_impl.h"

#include "core/clock.h"
#include "core/fault.h"
#include "core/must.h"
#include "store/lock_holder.h"

#include <stdio.h>
#include <stdlib.h>

#define PIECE_BLOCKS_MAX 4096 /* at most 50 rows each, of 300 bytes staged */
#define SNAPSHOT_MAX 64
#define SWAP_TRIES_MAX 60 /* of 0.5 s lock timeout each, and a pause */
#define SWAP_PAUSE_MS 200
#define SWAP_TRIES_QUIET 4 /* of half a second: a query that ends soon is not worth a line */

static bool day_function(struct pg *pg, const char *function, const struct reprice_day *day,
                         struct err *err)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT spendlog.%s('%s')", function, day->text);
    return pg_command(pg, sql, err);
}

/* The day as it is now, and how large it is. */
static bool snapshot_take(struct reprice *run, const struct reprice_day *day,
                          char snapshot[SNAPSHOT_MAX], struct err *err)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SELECT pg_export_snapshot(), pg_relation_size(('spendlog.' ||"
             " spendlog.partition_name('%s'))::regclass) / current_setting('block_size')::bigint",
             day->text);
    if (!pg_begin(&run->read, PG_SNAPSHOT, err))
        return false;
    PGresult *res = pg_query(&run->read, sql, NULL, err);
    if (res) {
        snprintf(snapshot, SNAPSHOT_MAX, SLICE_FMT, SLICE_ARG(pg_text(res, 0, 0)));
        run->piece.end = pg_int(res, 0, 1);
    }
    PQclear(res);
    return res != NULL;
}

static bool shadow_open(struct reprice *run, const struct reprice_day *day, const char *snapshot,
                        struct err *err)
{
    char sql[256];
    struct pg_options options = {.conninfo = run->conninfo, .application_name = "spendlog reprice"};
    snprintf(sql, sizeof(sql), "SET TRANSACTION SNAPSHOT '%s'", snapshot);
    return (run->shadow.conn || pg_open(&run->shadow, &options, err)) &&
           pg_begin(&run->shadow, PG_SNAPSHOT_WRITE, err) && pg_command(&run->shadow, sql, err) &&
           day_function(&run->shadow, "shadow_create", day, err);
}

bool reprice_swap_open(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    char snapshot[SNAPSHOT_MAX];
    memset(&run->piece, 0, sizeof(run->piece));
    if (!snapshot_take(run, day, snapshot, err))
        return false;
    run->piece.blocks = (int64_t)((double)run->options.slice_rows * (double)run->piece.end /
                                  (double)(day->table_rows + 1)) +
                        1;
    if (run->piece.blocks > PIECE_BLOCKS_MAX)
        run->piece.blocks = PIECE_BLOCKS_MAX;
    MUST(run->piece.blocks > 0 && run->piece.end >= 0, run->piece.blocks, run->piece.end);
    return shadow_open(run, day, snapshot, err);
}

/* --- pieces --------------------------------------------------------------------------------- */

bool reprice_swap_next(struct reprice *run)
{
    MUST(run->piece.from <= run->piece.until && run->piece.blocks > 0, run->piece.from,
         run->piece.until);
    run->piece.from = run->piece.until;
    run->piece.until += run->piece.blocks;
    return run->piece.from < run->piece.end;
}

/* The piece before, to its end. */
static bool fill_await(struct reprice *run, struct err *err)
{
    if (!run->piece.filling)
        return true;
    run->piece.filling = false;
    PGresult *res = pg_receive(&run->shadow, "filling the new table", err);
    if (res) { /* not by parameters: texts */
        run->piece.rows += strtoll(PQgetvalue(res, 0, 0), NULL, 10);
        run->piece.staged_block = strtoll(PQgetvalue(res, 0, 1), NULL, 10);
    }
    PQclear(res);
    return res != NULL;
}

static bool fill_start(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    char sql[160];
    MUST(!run->piece.filling, run->piece.from);
    snprintf(sql, sizeof(sql),
             "SELECT rows, staged_until FROM spendlog.shadow_fill('%s', %lld, %lld)", day->text,
             (long long)run->piece.blocks, (long long)run->piece.staged_block);
    run->piece.filling = pg_send(&run->shadow, sql, err);
    return run->piece.filling;
}

bool reprice_swap_write(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    char table[48];
    snprintf(table, sizeof(table), "reprice_staged_%.4s%.2s%.2s", day->text, day->text + 5,
             day->text + 8);
    if (!fill_await(run, err) || !reprice_staged_copy(run, &run->shadow, table, err) ||
        !fill_start(run, day, err))
        return false;
    fault_point("reprice_filling");
    reprice_stage_reset(run);
    return true;
}

/* --- the end -------------------------------------------------------------------------------- */

static bool shadow_close(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    int64_t rows = run->slice.considered + run->rest.considered;
    if (!fill_await(run, err))
        return false;
    if (rows != run->piece.rows)
        return err_set(err, ERR_FATAL, "%lld rows read, %lld copied", (long long)rows,
                       (long long)run->piece.rows);
    return pg_command(&run->read, "COMMIT", err) &&
           day_function(&run->shadow, "shadow_index", day, err) &&
           pg_command(&run->shadow, "COMMIT", err) &&
           pg_command(&run->shadow, "SELECT spendlog.older_snapshots_wait()", err);
}

/* The transaction lives on; the other connection is between two days, and can ask. */
static void swap_blame(struct reprice *run, struct err *err)
{
    snprintf(run->read.sqlstate, sizeof(run->read.sqlstate), "%s", run->write.sqlstate);
    lock_holder_blame(&run->read, err);
}

/* A dashboard's long query or a batch under way may hold the table: the swap gives way, lets go of
 * what it has, and comes again. The transaction's other work stays. */
static bool swap(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    struct lock_holder holder = {0};
    MUST(pg_inside(&run->write), day->day);
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT spendlog.swap_partition('%s')", day->text);
    for (int attempt = 1;; attempt++) {
        if (!pg_command(&run->write, "SAVEPOINT swap", err))
            return false;
        if (pg_command(&run->write, sql, err))
            return true;
        swap_blame(run, err);
        if (err->kind != ERR_RETRY || attempt == SWAP_TRIES_MAX || !run->write.conn)
            return false;
        if (attempt % SWAP_TRIES_QUIET == 0)
            lock_holder_tell(&holder, err);
        err_clear(err);
        if (!pg_command(&run->write, "ROLLBACK TO swap", err))
            return false;
        clock_sleep_ms(SWAP_PAUSE_MS);
    }
}

/* The records that filled the new table, into the books. */
static bool staged_take(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_int8(&args, run->run_id);
    pg_arg_int4(&args, day->day);
    PGresult *res = pg_query(&run->write, "SELECT spendlog.staged_take($1, $2::date)", &args, err);
    bool ok = res && pg_int(res, 0, 0) == run->slice.changed;
    if (res && !ok)
        err_set(err, ERR_FATAL, "%lld rows changed, %lld recorded", (long long)run->slice.changed,
                (long long)pg_int(res, 0, 0));
    PQclear(res);
    pg_args_free(&args);
    return ok;
}

bool reprice_swap_close(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    if (!shadow_close(run, day, err))
        return false;
    MUST(!run->piece.filling && run->staged_rows == 0,
         run->staged_rows); /* all of it is in the shadow */
    reprice_slice_close(run);
    if (!pg_begin(&run->write, PG_WRITE, err) || !staged_take(run, day, err) ||
        !reprice_slice_count(run, day, METHOD_REWRITE, true, err))
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

/* Closing the connections ends their transactions and what is under way; the run stops here. */
void reprice_swap_abandon(struct reprice *run)
{
    pg_rollback(&run->read);
    pg_close(&run->shadow);
    pg_close(&run->write);
}
