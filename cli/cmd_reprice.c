/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog reprice: prices stored rows again with the configured book, or says what that would do.
 */
#include "cli/as_model.h"
#include "cli/command.h"
#include "cli/reprice_print.h"

#include "core/clock.h"
#include "core/fault.h"
#include "core/log.h"
#include "core/show.h"

#include <string.h>
#include <unistd.h>

#define BOOK_MAX_BYTES (256u << 20)

static struct {
    const char *since, *until, *book, *format, *by;
    struct option_list model, provider, team, key, mapping, as_model;
    bool unpriced, include_reported, dry_run, resume, all, json;
} options;

const struct option_row reprice_options[] = {
    {"since", 0, "TIME", "rows that started at or after (2026-10, 2026-10-03 or RFC 3339, UTC)",
     OPTION_TEXT, &options.since},
    {"until", 0, "TIME", "rows that started before", OPTION_TEXT, &options.until},
    {"model", 0, "NAME", "of this model or model group (may be repeated, as the next ones)",
     OPTION_LIST, &options.model},
    {"provider", 0, "NAME", "of this provider", OPTION_LIST, &options.provider},
    {"team", 0, "ID", "of this team or team alias", OPTION_LIST, &options.team},
    {"key", 0, "HASH", "of this key or key alias", OPTION_LIST, &options.key},
    {"mapping", 0, "NAME", "read by this mapping", OPTION_LIST, &options.mapping},
    {"book", 0, "HASH", "priced by this book (the beginning is enough)", OPTION_TEXT,
     &options.book},
    {"unpriced", 0, NULL, "only rows without a price", OPTION_FLAG, &options.unpriced},
    {"include-reported", 0, NULL, "also rows that carry the gateway's own figure", OPTION_FLAG,
     &options.include_reported},
    {"all", 0, NULL, "all rows there are: no filter is meant", OPTION_FLAG, &options.all},
    {"dry-run", 'n', NULL, "say what would change, change nothing", OPTION_FLAG, &options.dry_run},
    {"as-model", 0, "MODEL=OTHER",
     "with --dry-run: rows of MODEL (model, or provider/model) as if OTHER had answered",
     OPTION_LIST, &options.as_model},
    {"by", 0, "DIMENSION",
     "with --dry-run: what all rows come to, and would, by team (the default with --as-model), "
     "model, provider, group, key, key_alias, user, end_user, org, call_type, mapping, day",
     OPTION_TEXT, &options.by},
    {"resume", 0, NULL, "go on with the run that did not end", OPTION_FLAG, &options.resume},
    {"format", 0, "FORMAT", "table, csv or json", OPTION_TEXT, &options.format},
    {"json", 0, NULL, "the same as --format json", OPTION_FLAG, &options.json},
    {0},
};

struct job {
    const struct config *config;
    struct book *book;
    struct buf book_json;
    struct pricer *pricer;
    struct reprice *run;
    struct reprice_progress progress;
    enum reprice_format format;
    struct as_models as_models;
    struct reprice_supposed supposed;
};

static void on_price(const struct facts *facts, struct charge *charge, void *context)
{
    struct job *job = context;
    as_models_price(&job->as_models, job->pricer, facts, charge);
}

static void on_progress(const struct reprice_totals *totals, int64_t expected, void *context)
{
    struct job *job = context;
    reprice_progress_tell(&job->progress, totals, expected);
}

/* --- options --------------------------------------------------------------------------------- */

static void list_take(const struct option_list *from, struct reprice_list *to)
{
    _Static_assert((int)OPTION_VALUES_MAX <= (int)REPRICE_LIST_MAX,
                   "a filter takes what an option takes");
    for (size_t i = 0; i < from->count; i++)
        to->value[to->count++] = from->value[i];
}

static bool filter_take(struct reprice_filter *filter, struct err *err)
{
    *filter = (struct reprice_filter){.since_us = INT64_MIN, .until_us = INT64_MAX};
    list_take(&options.model, &filter->model);
    list_take(&options.provider, &filter->provider);
    list_take(&options.team, &filter->team);
    list_take(&options.key, &filter->key);
    list_take(&options.mapping, &filter->mapping);
    filter->book = options.book;
    filter->unpriced = options.unpriced;
    /* what the gateway said of one model says nothing of another */
    filter->include_reported = options.include_reported || options.as_model.count > 0;
    return option_time("since", options.since, &filter->since_us, err) &&
           option_time("until", options.until, &filter->until_us, err);
}

static bool format_take(enum reprice_format *format, struct err *err)
{
    static const char *const names[] = {"table", "csv", "json"};
    *format = options.json ? REPRICE_JSON : REPRICE_TABLE;
    if (!options.format)
        return true;
    if (options.json && strcmp(options.format, "json") != 0)
        return err_set(err, ERR_USAGE, "--json and --format %s exclude each other", options.format);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(options.format, names[i]) == 0) {
            *format = (enum reprice_format)i;
            return true;
        }
    return err_set(err, ERR_USAGE, "--format: \"%s\" is not table, csv or json", options.format);
}

static bool narrowed(void)
{
    return options.since || options.until || options.book || options.model.count ||
           options.provider.count || options.team.count || options.key.count ||
           options.mapping.count || options.unpriced;
}

/* --- no filter ------------------------------------------------------------------------------- */

static bool agreed(void)
{
    char answer[16] = "";
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return false;
    fputs("price all of them again? [y/N] ", stderr);
    fflush(stderr);
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static bool supposed_take(struct job *job, struct err *err)
{
    const char *by = options.by ? options.by : options.as_model.count ? "team" : NULL;
    job->supposed = (struct reprice_supposed){by, &job->as_models};
    if (!as_models_take(&job->as_models, &options.as_model, err))
        return false;
    for (const char *const *name = reprice_groups(); by && *name; name++)
        if (strcmp(by, *name) == 0)
            return true;
    return !by || err_set(err, ERR_USAGE, "--by: \"%.64s\" is not a dimension of --help", by);
}

/* A filter that was forgotten looks like one that was meant to be empty: it is asked, or said. */
static bool all_meant(struct job *job, struct err *err)
{
    unsigned days;
    int64_t rows;
    if (options.all || options.dry_run || options.resume || narrowed())
        return true;
    if (!reprice_extent(job->run, &days, &rows, err))
        return false;
    show_line(stderr, "without a filter a run reads all rows: %u days, about %lld rows", days,
              (long long)rows);
    return agreed() || err_set(err, ERR_USAGE,
                               "nothing was priced again: give a filter (--since, --model, "
                               "--unpriced, ...), or --all; --dry-run shows what would change");
}

/* --- the run --------------------------------------------------------------------------------- */

static bool begin(struct job *job, const struct reprice_filter *filter, struct err *err)
{
    int64_t unfinished = 0;
    job->book = book_open(job->config, NULL, NULL, err);
    if (!job->book || !book_dump(job->book, &job->book_json, err))
        return false;
    if (!options.dry_run && !reprice_unfinished(job->run, &unfinished, err))
        return false;
    if (unfinished)
        log_warn("run %lld did not end; `spendlog reprice --resume` goes on with it",
                 (long long)unfinished);
    return reprice_begin(job->run, filter, book_id(job->book), buf_slice(&job->book_json), err);
}

/* A resumed run goes on with the book it began with, whatever the configuration says now. */
static bool resume(struct job *job, bool *found, struct err *err)
{
    if (!reprice_resume(job->run, found, &job->book_json, err) || !*found)
        return *found ? false : err->kind == ERR_NONE;
    job->book = book_restore(buf_slice(&job->book_json), err);
    return job->book ? true
                     : err_prefix(err, "cannot go on with that run; one without --resume does what "
                                       "it left");
}

static bool work(struct job *job, struct err *err)
{
    job->pricer = pricer_new(job->book);
    if (!job->pricer)
        return err_set(err, ERR_FATAL, "out of memory");
    reprice_progress_start(&job->progress, common.quiet);
    bool ok = reprice_run(job->run, err);
    reprice_progress_end(&job->progress);
    const struct reprice_report *report = ok ? reprice_report(job->run, err) : NULL;
    if (!report)
        return false;
    if (report->days == 0)
        log_info("no day in that range has rows");
    as_models_tell_unused(&job->as_models);
    reprice_print(report, book_id(job->book), &job->supposed, job->format);
    return true;
}

int begin_reprice(const struct command *command, const struct operands *given)
{
    int code = operands_none(command, given);
    if (code != GO_ON)
        return code;
    if (options.resume &&
        (options.dry_run || options.all || narrowed() || options.include_reported))
        return usage_error(command, "--resume takes the filter of the run it goes on with");
    if ((options.as_model.count || options.by) && !options.dry_run)
        return usage_error(command, "--as-model and --by are for --dry-run");
    if (options.all && narrowed())
        return usage_error(command, "--all and a filter contradict each other");
    fault_init();
    return GO_ON;
}

int cmd_reprice(const struct config *config, const struct operands *given, struct err *err)
{
    (void)given;
    struct job job = {.config = config};
    struct reprice_filter filter;
    struct reprice_options run = {.conninfo = config->postgres,
                                  .dry_run = options.dry_run,
                                  .price = on_price,
                                  .progress = on_progress,
                                  .context = &job};
    bool found = true, ok = filter_take(&filter, err) && format_take(&job.format, err) &&
                            supposed_take(&job, err);

    buf_init(&job.book_json, BOOK_MAX_BYTES);
    run.by = job.supposed.by;
    job.run = ok ? reprice_open(&run, err) : NULL;
    ok = job.run && all_meant(&job, err) &&
         (options.resume ? resume(&job, &found, err) : begin(&job, &filter, err));
    if (ok && !found)
        log_info("there is no run to go on with");
    else
        ok = ok && work(&job, err);
    reprice_close(job.run);
    pricer_free(job.pricer);
    book_free(job.book);
    buf_free(&job.book_json);
    return ok ? 0 : fail(err);
}
