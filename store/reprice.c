/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caller's side of a run: it is begun or resumed, its days are gone through one after another
 * (reprice_day.c), and it is ended.
 */
#include "store/reprice_impl.h"

#include "core/must.h"
#include "core/shortage.h"
#include "store/stored_book.h"

#include <jansson.h>
#include <stdlib.h>

static bool filter_check(struct reprice *run, struct err *err)
{
    if (run->filter.since_us >= run->filter.until_us)
        return err_set(err, ERR_USAGE, "the range is empty: --since is not before --until");
    if (!run->filter.book ||
        stored_book_find(&run->read, run->filter.book, &run->filter_book_id, err))
        return true;
    /* The database went back to before the book, and so to before all rows that it priced. */
    if (!run->resumed || err->kind != ERR_INPUT || run->filter_book_id != 0)
        return false;
    err_clear(err);
    return true;
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
           reprice_plan_new(run, book_hash, err);
}

bool reprice_unfinished(struct reprice *run, int64_t *run_id, struct err *err)
{
    return reprice_find_unfinished(run, run_id, err);
}

/* While the claims were waited for, another one may have begun: that one goes on first, or it would
 * end with rows that this one has priced over it. */
static bool still_newest(struct reprice *run, struct err *err)
{
    int64_t newest;
    if (!reprice_find_unfinished(run, &newest, err))
        return false;
    return newest == run->run_id
               ? true
               : err_set(err, ERR_RETRY,
                         "run %lld was begun meanwhile, and goes on before run %lld: give the "
                         "command again",
                         (long long)newest, (long long)run->run_id);
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
           still_newest(run, err) && reprice_run_load(run, err) &&
           stored_book_read(&run->write, run->book_id, hash, book_json, err);
}

bool reprice_run(struct reprice *run, struct err *err)
{
    MUST(run->options.dry_run || run->run_id > 0, run->run_id);
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
    return !shortage_was(err) && (run->options.dry_run || reprice_run_finish(run, err));
}
