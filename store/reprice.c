/* SPDX-License-Identifier: Apache-2.0 */
#include "store/reprice_impl.h"

#include "store/migrate.h"
#include "store/stored_book.h"

#include <jansson.h>
#include <stdlib.h>

#define SLICE_ROWS_USUAL 25000
#define REWRITE_ROWS_MIN_USUAL 20000 /* a small day is not worth the lock */
#define SLICE_BYTES_MAX (64u << 20)
#define SQL_BYTES_MAX (1u << 20)
#define CALL_BYTES_MAX (1u << 20)
#define LOCK_TIMEOUT_MS 5000

const char *const reprice_method_name[] = {
    [METHOD_UPDATE] = "update", [METHOD_REWRITE] = "rewrite", [METHOD_POST] = "post"};

static bool connect(struct reprice *run, struct pg *pg, struct err *err)
{
    struct pg_options options = {
        .conninfo = run->conninfo,
        .application_name = "spendlog reprice",
        .lock_timeout_ms = LOCK_TIMEOUT_MS,
    };
    return migrate_open(pg, &options, err);
}

struct reprice *reprice_open(const struct reprice_options *options, struct err *err)
{
    struct reprice *run = calloc(1, sizeof(*run));
    if (!run) {
        err_set(err, ERR_FATAL, "out of memory");
        return NULL;
    }
    run->options = *options;
    if (!run->options.slice_rows)
        run->options.slice_rows = SLICE_ROWS_USUAL;
    if (!run->options.rewrite_rows_min)
        run->options.rewrite_rows_min = REWRITE_ROWS_MIN_USUAL;
    run->conninfo = strdup(options->conninfo);
    buf_init(&run->staged, SLICE_BYTES_MAX);
    buf_init(&run->sql, SQL_BYTES_MAX);
    arena_init(&run->call, CALL_BYTES_MAX);
    if (!run->conninfo)
        err_set(err, ERR_FATAL, "out of memory");
    else if (tally_init(&run->tally, err) && connect(run, &run->read, err) &&
             (options->dry_run || connect(run, &run->write, err)))
        return run;
    reprice_close(run);
    return NULL;
}

void reprice_close(struct reprice *run)
{
    if (!run)
        return;
    pg_close(&run->read);
    pg_close(&run->shadow);
    pg_close(&run->write);
    tally_free(&run->tally);
    buf_free(&run->staged);
    buf_free(&run->sql);
    arena_free(&run->call);
    json_decref(run->filter_json);
    free(run->day);
    free(run->conninfo);
    free(run);
}

static bool filter_check(struct reprice *run, struct err *err)
{
    if (run->filter.since_us >= run->filter.until_us)
        return err_set(err, ERR_USAGE, "the range is empty: --since is not before --until");
    return !run->filter.book ||
           stored_book_find(&run->read, run->filter.book, &run->filter_book_id, err);
}

bool reprice_extent(struct reprice *run, unsigned *days, int64_t *rows, struct err *err)
{
    run->filter = (struct reprice_filter){.since_us = INT64_MIN, .until_us = INT64_MAX};
    if (!reprice_plan_dry(run, err))
        return false;
    *days = (unsigned)run->day_count;
    *rows = run->expected;
    return true;
}

bool reprice_begin(struct reprice *run, const struct reprice_filter *filter, const char *book_hash,
                   struct slice book_json, struct err *err)
{
    run->filter = *filter;
    if (!filter_check(run, err))
        return false;
    if (run->options.dry_run)
        return reprice_plan_dry(run, err);
    reprice_stage_reset(run);
    return stored_book_put(&run->write, book_hash, book_json, &run->book_id, err) &&
           reprice_plan_new(run, err);
}

bool reprice_book(struct reprice *run, int32_t book_id, struct buf *json, struct err *err)
{
    char hash[BOOK_HASH_DIGITS + 1];
    if (!run->write.conn && !connect(run, &run->write, err)) /* `read` is busy with rows */
        return false;
    return stored_book_read(&run->write, book_id, hash, json, err);
}

bool reprice_book_stored(struct reprice *run, int32_t book_id)
{
    char sql[96];
    if (!run->write.conn && !connect(run, &run->write, NULL)) /* `read` is busy with rows */
        return true;
    snprintf(sql, sizeof(sql), "SELECT FROM spendlog.price_books WHERE price_book_id = %d",
             (int)book_id);
    PGresult *res = pg_query(&run->write, sql, NULL, NULL);
    bool stored = !res || PQntuples(res) > 0;
    PQclear(res);
    return stored;
}

bool reprice_unfinished(struct reprice *run, int64_t *run_id, struct err *err)
{
    return reprice_find_unfinished(run, run_id, err);
}

bool reprice_resume(struct reprice *run, bool *found, struct buf *book_json, struct err *err)
{
    char hash[BOOK_HASH_DIGITS + 1];
    *found = false;
    if (!reprice_find_unfinished(run, &run->run_id, err))
        return false;
    if (run->run_id == 0)
        return true;
    *found = run->resumed = true;
    reprice_stage_reset(run);
    return reprice_run_load(run, err) && filter_check(run, err) && reprice_plan_load(run, err) &&
           reprice_run_load(run, err) &&
           stored_book_read(&run->write, run->book_id, hash, book_json, err);
}

bool reprice_run(struct reprice *run, struct err *err)
{
    for (size_t i = 0; i < run->day_count; i++) {
        const struct reprice_day *day = &run->day[i];
        run->report.days++;
        if (!day->there) {
            run->report.days_dropped++;
            if (!run->options.dry_run && !reprice_day_dropped(run, day, err))
                return err_prefix(err, "%s", day->text);
            continue;
        }
        if (!reprice_day_run(run, day, err))
            return err_prefix(err, "%s", day->text);
    }
    return run->options.dry_run || reprice_run_finish(run, err);
}
