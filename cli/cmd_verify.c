/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog verify: whether the books agree with the rows. Exit 1 with the place when they do not.
 */
#include "cli/command.h"
#include "cli/rederive.h"
#include "cli/result.h"

#include "core/show.h"

#include "store/stored_drift.h"
#include "store/verify.h"

static struct {
    bool json, counts_only, sums;
    const char *since, *until;
} options;

const struct option_row verify_options[] = {
    {"json", 0, NULL, "one JSON object per finding, then one with the totals", OPTION_FLAG,
     &options.json},
    {"since", 0, "TIME", "derive again only charges of calls started at or after it", OPTION_TEXT,
     &options.since},
    {"until", 0, "TIME", "and before it", OPTION_TEXT, &options.until},
    {"sums", 0, NULL, "compare every line of the sums with the rows as well", OPTION_FLAG,
     &options.sums},
    {"counts-only", 0, NULL, "do not derive the stored charges again", OPTION_FLAG,
     &options.counts_only},
    {0},
};

const struct option_use verify_uses[] = {
    {"since", NULL, "--counts-only"},
    {"until", NULL, "--counts-only"},
    {0},
};

static void finding_json(const struct verify_finding *finding)
{
    struct buf line;
    buf_init(&line, RESULT_LINE_MAX_BYTES);
    buf_add_char(&line, '{');
    result_text(&line, "finding", slice_of(verify_kind_name[finding->kind]));
    result_bool(&line, "difference", finding->difference);
    result_text(&line, "place", slice_of(finding->place));
    result_text(&line, "text", slice_of(finding->text));
    result_int(&line, "expected", finding->expected);
    result_int(&line, "found", finding->found);
    result_print(&line);
    buf_free(&line);
}

static void finding_print(const struct verify_finding *finding, void *context)
{
    (void)context;
    if (options.json)
        finding_json(finding);
    else
        show_line(stdout, "%s %s: %s%s%s", finding->difference ? "DIFFERENCE" : "note",
                  verify_kind_name[finding->kind], finding->place, finding->place[0] ? ": " : "",
                  finding->text);
}

static void rederive_print(const char *text, bool difference, void *context)
{
    const struct verify_finding finding = {
        .kind = VERIFY_CHARGE, .difference = difference, .place = "", .text = text};
    finding_print(&finding, context);
}

/* Part of the differences, as what is lost or doubled is: a price that went wrong is money too. */
static void drift_print(const char *text, void *context)
{
    struct verify_totals *totals = context;
    const struct verify_finding finding = {
        .kind = VERIFY_DRIFT, .difference = true, .place = "", .text = text};
    totals->differences++;
    finding_print(&finding, NULL);
}

static void totals_json(const struct verify_totals *totals, const struct rederive *derived)
{
    struct buf line;
    buf_init(&line, RESULT_LINE_MAX_BYTES);
    buf_add_char(&line, '{');
    result_int(&line, "differences", totals->differences + derived->differing);
    result_int(&line, "partitions", totals->partitions);
    result_int(&line, "messages", totals->messages);
    result_int(&line, "records", totals->records);
    result_int(&line, "rows", totals->rows);
    result_int(&line, "duplicates", totals->duplicates);
    result_int(&line, "rejected", totals->rejected);
    result_int(&line, "skipped", totals->skipped);
    result_int(&line, "gaps", totals->gaps);
    result_int(&line, "setbacks", totals->setbacks);
    result_int(&line, "hands", totals->hands);
    result_int(&line, "rows_stored", totals->rows_stored);
    result_int(&line, "charges_derived", derived->checked);
    result_int(&line, "charges_differing", derived->differing);
    result_int(&line, "charges_skipped", derived->skipped);
    result_sum(&line, "spend", totals->spend);
    result_print(&line);
    buf_free(&line);
}

static void totals_print(const struct verify_totals *totals, const struct rederive *derived)
{
    char spend[SUM_TEXT_MAX];
    sum_format(totals->spend, spend);
    printf("%lld records = %lld rows + %lld duplicates + %lld rejected + %lld skipped in %lld "
           "partitions\n%lld rows stored, %s USD; %lld charges derived again, %lld of other "
           "engines or books left out\n%lld gaps, %lld setbacks, %lld differences\n",
           (long long)totals->records, (long long)totals->rows, (long long)totals->duplicates,
           (long long)totals->rejected, (long long)totals->skipped, (long long)totals->partitions,
           (long long)totals->rows_stored, spend, (long long)derived->checked,
           (long long)derived->skipped, (long long)totals->gaps, (long long)totals->setbacks,
           (long long)(totals->differences + derived->differing));
}

int cmd_verify(const struct config *config, const struct operands *given, struct err *err)
{
    struct verify_totals totals = {0};
    struct rederive derived = {
        .since_us = INT64_MIN, .until_us = INT64_MAX, .finding = rederive_print};
    (void)given;
    if (!option_time("since", options.since, &derived.since_us, err) ||
        !option_time("until", options.until, &derived.until_us, err) ||
        !verify_run(config->postgres, finding_print, NULL, &totals, err) ||
        (options.sums && !verify_sums(config->postgres, finding_print, NULL, &totals, err)) ||
        (!options.counts_only && (!verify_rederive(config, &derived, err) ||
                                  !drift_stored(config->postgres, &config->drift, derived.since_us,
                                                derived.until_us, drift_print, &totals, err))))
        return fail(err);
    if (options.json)
        totals_json(&totals, &derived);
    else
        totals_print(&totals, &derived);
    return totals.differences + derived.differing > 0 ? EXIT_DIFFERENCES : 0;
}
