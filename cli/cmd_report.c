/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog report: spend by dimension, as a table, CSV, JSON lines or an HTML page. */
#include "cli/command.h"
#include "cli/result.h"

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
    struct buf line;
    int64_t calls, unpriced;
    struct money spend;
    bool overflow;
};

/* One way to print a report. */
struct format {
    const char *name;
    void (*head)(struct report *report);
    void (*row)(struct report *report, const struct report_row *row);
    void (*foot)(struct report *report);
};

static void money_text(bool has, struct money m, char text[DECIMAL_TEXT_MAX])
{
    if (has)
        money_format(m, text);
    else
        memcpy(text, "-", 2);
}

/* --- table */

static void table_head(struct report *report)
{
    for (size_t k = 0; k < report->query.by_count; k++)
        printf("%-44s ", report->query.by[k]);
    printf("%9s %9s %13s %12s %26s\n", "calls", "unpriced", "input_tokens", "output_tokens",
           "spend USD");
}

static void table_row(struct report *report, const struct report_row *row)
{
    char spend[DECIMAL_TEXT_MAX];
    for (size_t k = 0; k < report->query.by_count; k++)
        printf("%-44.*s ", SLICE_ARG(row->key[k].bytes ? row->key[k] : SLICE("-")));
    money_text(row->has_spend, row->spend, spend);
    printf("%9lld %9lld %13lld %12lld %26s\n", (long long)row->calls, (long long)row->unpriced,
           (long long)row->input_tokens, (long long)row->output_tokens, spend);
}

static void table_foot(struct report *report)
{
    char spend[DECIMAL_TEXT_MAX];
    money_format(report->spend, spend);
    printf("total: %lld calls, %s USD", (long long)report->calls, spend);
    if (report->unpriced > 0)
        printf("; %lld calls without a price are not in it", (long long)report->unpriced);
    printf("\n");
}

/* --- csv */

static void csv_text(struct slice text)
{
    putchar('"');
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.p[i] == '"')
            putchar('"');
        putchar(text.p[i]);
    }
    putchar('"');
}

static void csv_head(struct report *report)
{
    for (size_t k = 0; k < report->query.by_count; k++)
        printf("%s,", report->query.by[k]);
    printf("calls,unpriced,input_tokens,output_tokens,spend,gateway_cost\n");
}

static void csv_row(struct report *report, const struct report_row *row)
{
    char spend[DECIMAL_TEXT_MAX] = "", gateway[DECIMAL_TEXT_MAX] = "";
    for (size_t k = 0; k < report->query.by_count; k++) {
        csv_text(row->key[k]);
        putchar(',');
    }
    if (row->has_spend)
        money_format(row->spend, spend);
    if (row->has_gateway_cost)
        money_format(row->gateway_cost, gateway);
    printf("%lld,%lld,%lld,%lld,%s,%s\n", (long long)row->calls, (long long)row->unpriced,
           (long long)row->input_tokens, (long long)row->output_tokens, spend, gateway);
}

/* --- json lines */

static void json_row(struct report *report, const struct report_row *row)
{
    struct buf *line = &report->line;
    buf_reset(line);
    buf_add_char(line, '{');
    for (size_t k = 0; k < report->query.by_count; k++)
        result_text(line, report->query.by[k], row->key[k]);
    result_int(line, "calls", row->calls);
    result_int(line, "unpriced", row->unpriced);
    result_int(line, "input_tokens", row->input_tokens);
    result_int(line, "output_tokens", row->output_tokens);
    if (row->has_spend)
        result_money(line, "spend", row->spend);
    else
        result_null(line, "spend");
    if (row->has_gateway_cost)
        result_money(line, "gateway_cost", row->gateway_cost);
    else
        result_null(line, "gateway_cost");
    printf(SLICE_FMT "}\n", SLICE_ARG(buf_slice(line)));
}

/* --- html */

static void html_text(struct slice text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.p[i];
        if (c == '<' || c == '>' || c == '&' || c == '"')
            printf("&#%d;", c);
        else
            putchar(c);
    }
}

static void html_head(struct report *report)
{
    puts("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>spend</title>"
         "<style>body{font-family:sans-serif}table{border-collapse:collapse}"
         "td,th{border-bottom:1px solid #ccc;padding:2px 10px}"
         "td:nth-last-child(-n+5){text-align:right}</style><table><tr>");
    for (size_t k = 0; k < report->query.by_count; k++)
        printf("<th>%s", report->query.by[k]);
    puts("<th>calls<th>unpriced<th>input tokens<th>output tokens<th>spend USD");
}

static void html_row(struct report *report, const struct report_row *row)
{
    char spend[DECIMAL_TEXT_MAX];
    printf("<tr>");
    for (size_t k = 0; k < report->query.by_count; k++) {
        printf("<td>");
        html_text(row->key[k]);
    }
    money_text(row->has_spend, row->spend, spend);
    printf("<td>%lld<td>%lld<td>%lld<td>%lld<td>%s\n", (long long)row->calls,
           (long long)row->unpriced, (long long)row->input_tokens, (long long)row->output_tokens,
           spend);
}

static void html_foot(struct report *report)
{
    printf("</table><p>");
    table_foot(report);
    puts("</html>");
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
};

static void on_row(const struct report_row *row, void *context)
{
    struct printing *printing = context;
    struct report *report = printing->report;
    report->calls += row->calls;
    report->unpriced += row->unpriced;
    if (row->has_spend && !money_add(report->spend, row->spend, &report->spend))
        report->overflow = true;
    printing->format->row(report, row);
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
    struct printing printing = {&report, format_find(name)};

    if (!printing.format)
        err_set(err, ERR_USAGE, "--format: \"%s\" is none of table, csv, json, html", name);
    else if (!config->postgres)
        err_set(err, ERR_CONFIG, "%s: postgres is not set", config->path);
    if (options.limit && !limit_option(options.limit, &report.query.limit))
        err_set(err, ERR_USAGE, "--limit: \"%s\" is no number from 1 on", options.limit);
    if (err->kind != ERR_NONE || !by_option(by, &report.query, err) ||
        !option_time("since", options.since, &report.query.since_us, err) ||
        !option_time("until", options.until, &report.query.until_us, err))
        return fail(err);
    buf_init(&report.line, LINE_MAX_BYTES);
    printing.format->head(&report);
    bool ok = report_run(config->postgres, &report.query, on_row, &printing, err);
    if (ok && report.overflow)
        ok = err_set(err, ERR_FATAL, "the total does not fit numeric(38,18)");
    if (ok)
        printing.format->foot(&report);
    buf_free(&report.line);
    return ok ? 0 : fail(err);
}

int cmd_report(const struct command *command, int argc, char **argv)
{
    struct config config;
    struct err err = {0};
    int first;
    int code = options_parse(command, argc, argv, &first);

    if (code >= 0)
        return code;
    if (first < argc)
        return usage_error(command, "unexpected argument \"%s\"", argv[first]);
    if (!config_open(&config, false, &err))
        return fail(&err);
    char *by = strdup(options.by ? options.by : "model");
    code = by ? report_print(&config, by, &err) : err_exit_code(ERR_FATAL);
    free(by);
    config_free(&config);
    return code;
}
