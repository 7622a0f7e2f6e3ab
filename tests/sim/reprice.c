/* SPDX-License-Identifier: Apache-2.0 */
/* Operators who have stored rows priced again: the product's own code, run as `spendlog reprice`
 * runs it, killed and gone on with. */
#include "store/reprice.h"

#include "core/clock.h"
#include "pricing/book.h"
#include "tests/sim/load.h"
#include "tests/sim/member.h"
#include "tests/sim/others.h"
#include "tests/sim/task.h"

#include <string.h>

#define BOOK_BYTES_MAX (1u << 20)
#define NEVER_REWRITTEN (INT64_C(1) << 40)
#define RESUME_MS 500

struct job {
    bool resume;
    const struct book *book;
    struct book *restored;
    struct buf json;
    struct pricer *pricer;
    struct reprice *run;
    bool found, done;
};

static unsigned at_work;

static void on_price(const struct facts *facts, struct charge *charge, void *context)
{
    const struct job *job = context;
    pricer_price(job->pricer, facts, charge, NULL);
}

/* Mostly all rows; or those of a part of the time, or of a book. */
static struct reprice_filter filter_draw(void)
{
    struct reprice_filter filter = {.since_us = INT64_MIN, .until_us = INT64_MAX};
    if (sim_below(4) == 0)
        filter.since_us = clock_now_us() - (int64_t)sim_below(LOAD_DAYS * 86400) * 1000000;
    if (sim_below(8) == 0)
        filter.until_us = clock_now_us() - (int64_t)sim_below(86400) * 1000000;
    if (sim_below(8) == 0)
        filter.book = book_hash(sim_below(books_count()));
    return filter;
}

static bool begin(struct job *job, struct err *err)
{
    int64_t unfinished;
    const struct reprice_filter filter = filter_draw();
    job->book = book_of(sim_below(books_count()));
    return book_dump(job->book, &job->json, err) &&
           reprice_unfinished(job->run, &unfinished, err) &&
           reprice_begin(job->run, &filter, book_id(job->book), buf_slice(&job->json), err);
}

static bool resume(struct job *job, struct err *err)
{
    if (!reprice_resume(job->run, &job->found, &job->json, err) || !job->found)
        return false;
    sim_happened(HAPPENED_RUN_RESUMED);
    job->book = job->restored = book_restore(buf_slice(&job->json), err);
    return job->book != NULL;
}

static bool work(struct job *job, struct err *err)
{
    job->pricer = pricer_new(job->book);
    if (!job->pricer)
        return err_set(err, ERR_FATAL, "out of memory");
    return reprice_run(job->run, err) && reprice_report(job->run, err) != NULL;
}

static void command(void *context)
{
    struct job *job = context;
    struct err err = {0};
    struct reprice_options options = {.conninfo = "host=sim",
                                      .price = on_price,
                                      .context = job,
                                      .slice_rows = 1 + sim_below(12),
                                      .rewrite_rows_min =
                                          sim_chance(sim.dials.swap) ? 1 : NEVER_REWRITTEN};
    buf_init(&job->json, BOOK_BYTES_MAX);
    sim_trace("reprice%s", job->resume ? " --resume" : "");
    job->run = reprice_open(&options, &err);
    bool ok = job->run && (job->resume ? resume(job, &err) : begin(job, &err)) && work(job, &err);
    job->done = ok || (job->resume && !job->found && err.kind == ERR_NONE);
    sim_happened(ok ? HAPPENED_RUN_ENDED : HAPPENED_RUN_BROKEN);
    sim_trace("reprice: %s", ok ? "done" : err.kind == ERR_NONE ? "there was none" : err.text);
    reprice_close(job->run);
    pricer_free(job->pricer);
    book_free(job->restored);
    buf_free(&job->json);
}

/* Runs that were broken off end when nothing fails any more, and whoever is gone has let go of its
 * days. */
static void runs_end(unsigned number)
{
    struct job job = {.found = true};
    while (!sim.failed && (job.found || !job.done)) {
        task_sleep(RESUME_MS);
        job = (struct job){.resume = true};
        operator_process(number, command, &job);
    }
}

void repricer_main(void *context)
{
    unsigned number = (unsigned)(uintptr_t)context;
    at_work |= 1u << number;
    while (!sim.quiet) {
        task_sleep(1 + sim_below(2000));
        if (sim.quiet || !sim_chance(sim.dials.reprice))
            continue;
        struct job job = {.resume = sim_below(2)};
        operator_process(number, command, &job);
    }
    runs_end(number);
    at_work &= ~(1u << number);
}

bool repricers_are_done(void)
{
    return at_work == 0;
}

void repricers_reset(void)
{
    at_work = 0;
}
