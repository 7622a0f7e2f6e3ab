/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog report: spend by dimension, as a table, CSV, JSON lines or an HTML page. */
#include "cli/command.h"
#include "cli/result.h"

#include "core/show.h"
#include "store/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES (1u << 20)

static struct {
    const char *by, *since, *until, *format, *limit;
    bool json;
} options;

const struct option_row report_options[] = {
    {"by", 0, "DIMENSION,...",
     "model (default), group, provider, team, user, key, org, end_user, tag, day, month, "
     "call_type, status, reason, mapping",
     OPTION_TEXT, &options.by},
    {"since", 0, "TIME", "calls started at or after it (2026-11-01, or RFC 3339), UTC", OPTION_TEXT,
     &options.since},
    {"until", 0, "TIME", "calls started before it", OPTION_TEXT, &options.until},
    {"limit", 0, "N", "the N largest groups", OPTION_TEXT, &options.limit},
    {"format", 0, "FORMAT", "table (default), csv, json or html", OPTION_TEXT, &options.format},
    {"json", 0, NULL, "--format json", OPTION_FLAG, &options.json},
    {0},
};

struct report {
    struct report_options query;
    struct buf out;           /* of the line under way */
    struct report_sums total; /* texts of total_text */
    char total_text[512];
    struct report_doubt doubt;
};

/* One way to print a report. */
struct format {
    const char *name;
    void (*head)(struct report *report);
    void (*row)(struct report *report, const struct report_row *row);
    void (*foot)(struct report *report);
};

/* --- table */

#define KEY_WIDTH 44

static void table_head(struct report *report)
{
    for (size_t k = 0; k < report->query.by_count; k++) {
        show_add_column(&report->out, slice_of(report->query.by[k]), KEY_WIDTH);
        buf_add_char(&report->out, ' ');
    }
    buf_printf(&report->out, "%9s %9s %13s %12s %26s\n", "calls", "unpriced", "input_tokens",
               "output_tokens", "spend USD");
}

static void table_row(struct report *report, const struct report_row *row)
{
    const struct report_sums *sums = &row->sums;
    for (size_t k = 0; k < report->query.by_count; k++) {
        show_add_column(&report->out, row->key[k], KEY_WIDTH);
        buf_add_char(&report->out, ' ');
    }
    buf_printf(&report->out, "%9s %9s %13s %12s %26s\n", sums->calls.p, sums->unpriced.p,
               sums->input_tokens.p, sums->output_tokens.p,
               sums->spend.bytes ? sums->spend.p : "-");
}

static void table_foot(struct report *report)
{
    const struct report_sums *total = &report->total;
    buf_printf(&report->out, "total%s: " SLICE_FMT " calls, " SLICE_FMT " USD",
               options.limit ? " of these groups, not of all" : "", SLICE_ARG(total->calls),
               SLICE_ARG(total->spend));
    if (!slice_is(total->unpriced, "0"))
        buf_printf(&report->out, "; " SLICE_FMT " calls without a price are not in it",
                   SLICE_ARG(total->unpriced));
    buf_add_char(&report->out, '\n');
    if (strcmp(report->doubt.calls, "0") != 0)
        buf_printf(&report->out,
                   "doubtful: %s calls, %s USD: see spendlog.doubtful_rows for which and why\n",
                   report->doubt.calls, report->doubt.at_stake);
}

/* --- csv */

static void csv_head(struct report *report)
{
    for (size_t k = 0; k < report->query.by_count; k++) {
        show_add(&report->out, slice_of(report->query.by[k]));
        buf_add_char(&report->out, ',');
    }
    buf_add_text(&report->out, "calls,unpriced,input_tokens,output_tokens,spend,gateway_cost\n");
}

static void csv_row(struct report *report, const struct report_row *row)
{
    const struct report_sums *sums = &row->sums;
    for (size_t k = 0; k < report->query.by_count; k++) {
        show_add_csv(&report->out, row->key[k]);
        buf_add_char(&report->out, ',');
    }
    buf_printf(&report->out, "%s,%s,%s,%s,%s,%s\n", sums->calls.p, sums->unpriced.p,
               sums->input_tokens.p, sums->output_tokens.p, sums->spend.p, sums->gateway_cost.p);
}

/* --- json lines */

static void json_row(struct report *report, const struct report_row *row)
{
    struct buf *line = &report->out;
    const struct report_sums *sums = &row->sums;
    buf_add_char(line, '{');
    for (size_t k = 0; k < report->query.by_count; k++)
        result_text(line, report->query.by[k], row->key[k]);
    result_number(line, "calls", sums->calls);
    result_number(line, "unpriced", sums->unpriced);
    result_number(line, "input_tokens", sums->input_tokens);
    result_number(line, "output_tokens", sums->output_tokens);
    result_number(line, "spend", sums->spend);
    result_number(line, "gateway_cost", sums->gateway_cost);
    buf_add_text(line, "}\n");
}

/* --- html */

static void html_head(struct report *report)
{
    buf_add_text(&report->out,
                 "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>spend</title>"
                 "<style>body{font-family:sans-serif}table{border-collapse:collapse}"
                 "td,th{border-bottom:1px solid #ccc;padding:2px 10px}"
                 "td:nth-last-child(-n+5){text-align:right}</style><table><tr>");
    for (size_t k = 0; k < report->query.by_count; k++) {
        buf_add_text(&report->out, "<th>");
        show_add_html(&report->out, slice_of(report->query.by[k]));
    }
    buf_add_text(&report->out,
                 "<th>calls<th>unpriced<th>input tokens<th>output tokens<th>spend USD\n");
}

static void html_row(struct report *report, const struct report_row *row)
{
    const struct report_sums *sums = &row->sums;
    buf_add_text(&report->out, "<tr>");
    for (size_t k = 0; k < report->query.by_count; k++) {
        buf_add_text(&report->out, "<td>");
        show_add_html(&report->out, row->key[k]);
    }
    buf_printf(&report->out, "<td>%s<td>%s<td>%s<td>%s<td>%s\n", sums->calls.p, sums->unpriced.p,
               sums->input_tokens.p, sums->output_tokens.p,
               sums->spend.bytes ? sums->spend.p : "-");
}

static void html_foot(struct report *report)
{
    buf_add_text(&report->out, "</table><p>");
    table_foot(report);
    buf_add_text(&report->out, "</html>\n");
}

static void nothing(struct report *report)
{
    (void)report;
}

static const struct format formats[] = {
    {"table", table_head, table_row, table_foot},
    {"csv", csv_head, csv_row, nothing},
    {"json", nothing, json_row, nothing},
    {"html", html_head, html_row, html_foot},
};

static const struct format *format_find(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

struct printing {
    struct report *report;
    const struct format *format;
    bool headed;
};

static void line_out(struct report *report)
{
    fwrite(report->out.p, 1, report->out.bytes, stdout);
    buf_reset(&report->out);
}

/* The total outlives the rows it came with. */
static void total_keep(struct report *report, const struct report_sums *total)
{
    int calls = (int)total->calls.bytes, unpriced = (int)total->unpriced.bytes;
    snprintf(report->total_text, sizeof(report->total_text), "%.*s %.*s %.*s", calls,
             total->calls.p, unpriced, total->unpriced.p, (int)total->spend.bytes, total->spend.p);
    report->total.calls = (struct slice){report->total_text, (size_t)calls};
    report->total.unpriced = (struct slice){report->total_text + calls + 1, (size_t)unpriced};
    report->total.spend = slice_of(report->total_text + calls + 1 + unpriced + 1);
}

/* Once there is an answer: an error stands alone. */
static void head_out(struct printing *printing)
{
    if (!printing->headed)
        printing->format->head(printing->report);
    printing->headed = true;
}

static void on_row(const struct report_row *row, void *context)
{
    struct printing *printing = context;
    head_out(printing);
    if (printing->report->total.calls.bytes == 0)
        total_keep(printing->report, &row->total);
    printing->format->row(printing->report, row);
    line_out(printing->report);
}

/* --- options */

static bool by_option(char *text, struct report_options *query, struct err *err)
{
    char *rest = text, *word;
    while ((word = strsep(&rest, ",")) != NULL) {
        if (query->by_count == REPORT_KEYS_MAX)
            return err_set(err, ERR_USAGE, "--by: at most %d dimensions", REPORT_KEYS_MAX);
        query->by[query->by_count++] = word;
    }
    return true;
}

static bool limit_option(const char *text, int64_t *limit)
{
    char *end;
    errno = 0;
    *limit = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *limit > 0;
}

static int report_print(const struct config *config, char *by, struct err *err)
{
    struct report report = {.query = {.since_us = INT64_MIN, .until_us = INT64_MAX}};
    const char *name = options.json ? "json" : options.format ? options.format : "table";
    struct printing printing = {&report, format_find(name), false};

    if (!printing.format)
        err_set(err, ERR_USAGE, "--format: \"%s\" is not one of table, csv, json, html", name);
    if (options.limit && !limit_option(options.limit, &report.query.limit))
        err_set(err, ERR_USAGE, "--limit: \"%s\" is not a number from 1 on", options.limit);
    if (err->kind != ERR_NONE || !by_option(by, &report.query, err) ||
        !option_time("since", options.since, &report.query.since_us, err) ||
        !option_time("until", options.until, &report.query.until_us, err))
        return fail(err);
    buf_init(&report.out, LINE_MAX_BYTES);
    bool ok = report_run(config->postgres, &report.query, on_row, &printing, err);
    if (ok && report.total.calls.bytes == 0)
        total_keep(&report, &(struct report_sums){SLICE("0"), SLICE("0"), .spend = SLICE("0")});
    ok = ok && report_doubtful(config->postgres, &report.query, &report.doubt, err);
    if (ok) {
        head_out(&printing);
        printing.format->foot(&report);
        line_out(&report);
    }
    buf_free(&report.out);
    return ok ? 0 : fail(err);
}

int cmd_report(const struct config *config, const struct operands *given, struct err *err)
{
    (void)given;
    char *by = strdup(options.by ? options.by : "model");
    int code = by ? report_print(config, by, err) : err_exit_code(ERR_FATAL);
    free(by);
    return code;
}
