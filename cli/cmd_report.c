/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog report: spend by dimension beside the period before, as a table, CSV, JSON lines or an
 * HTML page; and all of a period as FinOps FOCUS. */
#include "cli/command.h"
#include "cli/report_focus.h"
#include "cli/report_html.h"
#include "cli/report_table.h"
#include "cli/report_text.h"
#include "cli/result.h"

#include "core/clock.h"
#include "core/show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    const char *by, *since, *until, *last, *month, *zone, *format, *focus_version, *limit, *top;
    bool json;
} options;

const struct option_row report_options[] = {
    {"by", 0, "DIMENSION,...",
     "model (default), group, provider, team, user, key, org, end_user, tag, hour, day, month, "
     "call_type, status, reason, mapping, meter",
     OPTION_TEXT, &options.by},
    {"since", 0, "TIME", "calls started at or after it (2026-11-01, or RFC 3339), UTC", OPTION_TEXT,
     &options.since},
    {"until", 0, "TIME", "calls started before it", OPTION_TEXT, &options.until},
    {"last", 0, "TIME", "instead: 24h, 7d (today and the six days before), 4w", OPTION_TEXT,
     &options.last},
    {"month", 0, "MONTH", "instead: 2026-10", OPTION_TEXT, &options.month},
    {"tz", 0, "ZONE", "time zone of days and months, as Europe/Berlin; UTC", OPTION_TEXT,
     &options.zone},
    {"limit", 0, "N", "the N largest groups, and one line of the others", OPTION_TEXT,
     &options.limit},
    {"top", 0, "N", "the same", OPTION_TEXT, &options.top},
    {"format", 0, "FORMAT", "table (default), csv, json, html, or focus: FinOps FOCUS as CSV",
     OPTION_TEXT, &options.format},
    {"focus-version", 0, "VERSION", "1.2 (default), or 1.5 as of its working draft", OPTION_TEXT,
     &options.focus_version},
    {"json", 0, NULL, "--format json", OPTION_FLAG, &options.json},
    {0},
};

const struct option_use report_uses[] = {
    {"top", NULL, "--limit"},
    {0},
};

static void out(struct buf *line)
{
    show_buf(stdout, line);
    buf_reset(line);
}

/* A table and a page have a note of it. */
static void dropped_warn(const struct report_view *view)
{
    const struct report_dropped dropped = report_dropped(view->answer);
    report_warn_dropped(&dropped);
}

/* --- csv */

static void csv_print(const struct report_view *view, struct buf *line)
{
    for (size_t k = 0; k < view->by_count; k++)
        buf_printf(line, "%s,", view->by[k]);
    buf_add_text(line, "calls,unpriced,input_tokens,output_tokens,spend,gateway_cost,share_percent,"
                       "spend_before,change_percent,doubtful");
    bool cut = options.limit || options.top; /* a group may be called what the others are */
    buf_add_text(line, report_metered(view->answer) ? ",quantity" : "");
    buf_add_text(line, cut ? ",other_groups\n" : "\n");
    for (size_t i = 0; i < report_rows(view->answer); i++) {
        struct report_row row = report_row(view->answer, i);
        const struct report_sums *s = &row.sums;
        const struct slice figure[] = {
            s->calls, s->unpriced, s->input_tokens, s->output_tokens, s->spend,   s->gateway_cost,
            s->share, s->before,   s->change,       s->doubtful,      s->quantity};
        size_t figures = sizeof(figure) / sizeof(figure[0]) - !report_metered(view->answer);
        if (row.kind == REPORT_TOTAL)
            continue; /* a spreadsheet adds up */
        for (size_t k = 0; k < view->by_count; k++) {
            show_add_csv(line, report_key(&row, k, view));
            buf_add_char(line, ',');
        }
        for (size_t f = 0; f < figures; f++)
            buf_printf(line, "%s" SLICE_FMT, f ? "," : "", SLICE_ARG(figure[f]));
        if (cut && row.kind == REPORT_OTHER)
            buf_printf(line, ",%lld\n", (long long)row.groups);
        else
            buf_add_text(line, cut ? ",\n" : "\n");
        out(line);
    }
    out(line);
    dropped_warn(view);
}

/* --- json lines */

static void json_print(const struct report_view *view, struct buf *line)
{
    for (size_t i = 0; i < report_rows(view->answer); i++) {
        struct report_row row = report_row(view->answer, i);
        if (row.kind == REPORT_TOTAL)
            continue; /* lines add up, as before */
        buf_add_char(line, '{');
        for (size_t k = 0; k < view->by_count; k++)
            result_text(line, view->by[k], report_key(&row, k, view));
        if (row.kind == REPORT_OTHER)
            result_int(line, "other_groups", row.groups);
        result_number(line, "calls", row.sums.calls);
        result_number(line, "unpriced", row.sums.unpriced);
        result_number(line, "input_tokens", row.sums.input_tokens);
        result_number(line, "output_tokens", row.sums.output_tokens);
        result_number(line, "spend", row.sums.spend);
        result_number(line, "gateway_cost", row.sums.gateway_cost);
        result_number(line, "share_percent", row.sums.share);
        result_number(line, "spend_before", row.sums.before);
        result_number(line, "change_percent", row.sums.change);
        result_number(line, "doubtful", row.sums.doubtful);
        if (report_metered(view->answer))
            result_number(line, "quantity", row.sums.quantity);
        buf_add_text(line, "}\n");
        out(line);
    }
    dropped_warn(view);
}

static void html_print(const struct report_view *view, struct buf *line)
{
    report_add_html(line, view);
    out(line);
}

static void table_print(const struct report_view *view, struct buf *line)
{
    report_add_table(line, view, isatty(STDOUT_FILENO));
    out(line);
}

/* One way to give a report: what it asks for, and how lines that were asked for are printed. */
struct format {
    const char *name;
    bool (*run)(const struct config *config, const struct report_options *query,
                const struct format *format, struct err *err);
    void (*print)(const struct report_view *view, struct buf *line); /* NULL: run() prints */
};

static void view_print(const struct report_view *view, const struct format *format)
{
    struct buf line;
    buf_init(&line, REPORT_HTML_MAX_BYTES);
    format->print(view, &line);
    buf_free(&line);
}

/* --- formats */

static bool lines_run(const struct config *config, const struct report_options *query,
                      const struct format *format, struct err *err)
{
    struct report_answer *answer = NULL;
    if (!report_run(config->postgres, query, &answer, err))
        return false;
    const struct report_view view = {
        .answer = answer, .by = query->by, .by_count = query->by_count, .zone = query->zone};
    view_print(&view, format);
    report_free(answer);
    return true;
}

static bool page_run(const struct config *config, const struct report_options *query,
                     const struct format *format, struct err *err)
{
    struct report_page *page = NULL;
    if (!report_page_run(config->postgres, query, &page, err))
        return false;
    const struct report_view view = {.answer = report_page_table(page),
                                     .page = page,
                                     .by = query->by,
                                     .by_count = query->by_count,
                                     .zone = query->zone};
    view_print(&view, format);
    report_page_free(page);
    return true;
}

static bool focus_run_all(const struct config *config, const struct report_options *query,
                          const struct format *format, struct err *err)
{
    (void)format;
    if (options.by || query->limit > 0)
        return err_set(err, ERR_USAGE, "--format focus takes a period: it is by charge and day");
    return report_focus(config, query, options.focus_version ? options.focus_version : "1.2", err);
}

static const struct format formats[] = {{"table", lines_run, table_print},
                                        {"csv", lines_run, csv_print},
                                        {"json", lines_run, json_print},
                                        {"html", page_run, html_print},
                                        {"focus", focus_run_all, NULL}};

static const struct format *format_find(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
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

static bool limit_option(int64_t *limit, struct err *err)
{
    const char *text = options.limit ? options.limit : options.top;
    char *end;
    if (!text)
        return true;
    errno = 0;
    *limit = strtoll(text, &end, 10);
    return (errno == 0 && end != text && *end == '\0' && *limit > 0) ||
           err_set(err, ERR_USAGE, "--%s: \"%s\" is not a number from 1 on",
                   options.limit ? "limit" : "top", text);
}

static bool period_options(struct report_options *query, struct err *err)
{
    int ways = (options.last != NULL) + (options.month != NULL) + (options.since || options.until);
    if (ways > 1)
        return err_set(err, ERR_USAGE,
                       "--last, --month and --since with --until exclude each other");
    query->last = options.last;
    query->month = options.month;
    query->zone = options.zone ? options.zone : "UTC";
    return option_time("since", options.since, &query->since_us, err) &&
           option_time("until", options.until, &query->until_us, err);
}

/* What would be passed over. */
static bool format_option(const char *name, struct err *err)
{
    if (options.json && options.format && strcmp(options.format, "json") != 0)
        return err_set(err, ERR_USAGE, "--json and --format %s exclude each other", options.format);
    return !options.focus_version || strcmp(name, "focus") == 0 ||
           err_set(err, ERR_USAGE, "--focus-version goes with --format focus");
}

static int report_print(const struct config *config, char *by, struct err *err)
{
    struct report_options query = {.since_us = INT64_MIN, .until_us = INT64_MAX};
    const char *name = options.json ? "json" : options.format ? options.format : "table";
    const struct format *format = format_find(name);

    if (!format)
        err_set(err, ERR_USAGE, "--format: \"%s\" is not one of table, csv, json, html, focus",
                name);
    if (!format || !format_option(name, err) || !limit_option(&query.limit, err) ||
        !by_option(by, &query, err) || !period_options(&query, err) ||
        !format->run(config, &query, format, err))
        return fail(err);
    return 0;
}

int cmd_report(const struct config *config, const struct operands *given, struct err *err)
{
    (void)given;
    char *by = strdup(options.by ? options.by : "model");
    int code = by ? report_print(config, by, err) : err_exit_code(ERR_FATAL);
    free(by);
    return code;
}
