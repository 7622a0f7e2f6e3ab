/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog periods: closes a month, lists the closed ones. */
#include "cli/command.h"
#include "cli/result.h"

#include "core/show.h"

#include "store/periods.h"

#include <stdlib.h>
#include <string.h>

static struct {
    bool json;
} options;

const struct option_row periods_options[] = {
    {"json", 0, NULL, "one JSON object per month", OPTION_FLAG, &options.json},
    {0},
};

const struct option_use periods_uses[] = {
    {"json", "list", NULL},
    {0},
};

static void period_json(const struct period *period)
{
    struct buf line;
    buf_init(&line, RESULT_LINE_MAX_BYTES);
    buf_add_char(&line, '{');
    result_text(&line, "month", slice_of(period->month));
    result_int(&line, "rows", period->rows);
    if (period->late_known)
        result_int(&line, "late_rows", period->late_rows);
    else
        result_null(&line, "late_rows");
    result_sum(&line, "spend", period->spend);
    result_sum(&line, "posted", period->posted);
    result_time(&line, "closed_at", period->closed_at_us);
    result_text(&line, "closed_by", slice_of(period->closed_by));
    result_print(&line);
    buf_free(&line);
}

static void period_print(const struct period *period, void *context)
{
    char spend[SUM_TEXT_MAX], posted[SUM_TEXT_MAX], late[24] = "unknown";
    bool *headed = context;
    if (options.json) {
        period_json(period);
        return;
    }
    if (!*headed)
        printf("%-8s %12s %10s %24s %24s  %s\n", "month", "rows", "late rows", "spend", "posted",
               "closed by");
    *headed = true;
    if (period->late_known)
        snprintf(late, sizeof(late), "%lld", (long long)period->late_rows);
    sum_format(period->spend, spend);
    sum_format(period->posted, posted);
    show_line(stdout, "%-8s %12lld %10s %24s %24s  %s", period->month, (long long)period->rows,
              late, spend, posted, period->closed_by);
}

static bool month_parse(const char *text, int *year, unsigned *month)
{
    if (strlen(text) != 7 || strspn(text, "0123456789") != 4 || text[4] != '-' ||
        strspn(text + 5, "0123456789") != 2)
        return false;
    *year = (int)strtol(text, NULL, 10);
    *month = (unsigned)strtoul(text + 5, NULL, 10);
    return *month >= 1 && *month <= 12;
}

int begin_periods(const struct command *command, const struct operands *given)
{
    if (!operands_are(given, "list", 1) && !operands_are(given, "close", 2))
        return usage_error(command, "say list, or close and a month");
    return GO_ON;
}

int cmd_periods(const struct config *config, const struct operands *given, struct err *err)
{
    int year = 0;
    unsigned month = 0;
    bool headed = false;
    if (given->count == 1 && period_list(config->postgres, period_print, &headed, err))
        return 0;
    if (given->count == 2 && !month_parse(given->text[1], &year, &month))
        err_set(err, ERR_USAGE, "\"%s\" is not a month: write 2026-10", given->text[1]);
    else if (given->count == 2 && period_close(config->postgres, year, month, err)) {
        printf("%s is closed\n", given->text[1]);
        return 0;
    }
    return fail(err);
}
