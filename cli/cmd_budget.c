/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog budget: what may be spent by whom, and what was. */
#include "cli/command.h"
#include "cli/result.h"

#include "core/clock.h"
#include "core/show.h"
#include "store/budget.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MONTHS 12

static struct {
    const char *period, *zone, *fiscal_start;
    bool json, fail_over;
} options;

const struct option_row budget_options[] = {
    {"period", 0, "PERIOD", "day, week, month (default), quarter or year", OPTION_TEXT,
     &options.period},
    {"tz", 0, "ZONE", "where the period begins: a time zone as Europe/Berlin; UTC", OPTION_TEXT,
     &options.zone},
    {"fiscal-start", 0, "MONTH", "1 to 12: the month in which a year of quarters begins",
     OPTION_TEXT, &options.fiscal_start},
    {"fail-over", 0, NULL,
     "with status: exit 1 when a budget is used up, or it is not known whether", OPTION_FLAG,
     &options.fail_over},
    {"json", 0, NULL, "one JSON object per budget", OPTION_FLAG, &options.json},
    {0},
};

const struct option_use budget_uses[] = {
    {"period", "set remove", NULL}, {"tz", "set", NULL},           {"fiscal-start", "set", NULL},
    {"json", "list status", NULL},  {"fail-over", "status", NULL}, {0},
};

/* --- telling */

struct telling {
    struct buf line;
    unsigned count, over; /* over: or not known to be within */
    bool with_spend;
};

/* Whether it is used up: what is missing may be more than what is left. */
static bool is_known(const struct budget *b)
{
    return b->over || b->missing_calls == 0;
}

static void budget_json(const struct budget *b, struct telling *telling)
{
    struct buf *line = &telling->line;
    buf_add_char(line, '{');
    result_text(line, "scope", b->scope);
    result_text(line, "id", b->id);
    result_text(line, "period", b->period);
    result_text(line, "zone", b->zone);
    result_number(line, "amount", b->amount);
    result_time(line, "since", b->since_us);
    result_time(line, "until", b->until_us);
    if (telling->with_spend) {
        result_number(line, "spent", b->spent);
        result_number(line, "left", b->left);
        result_number(line, "percent", b->percent);
        result_number(line, "forecast", b->forecast);
        if (is_known(b))
            result_bool(line, "over", b->over);
        else
            result_null(line, "over");
        result_number(line, "spent_at_least", b->spent_at_least);
        result_int(line, "missing_calls", b->missing_calls);
        result_int(line, "calls", b->calls);
        result_int(line, "unpriced_calls", b->unpriced_calls);
        result_number(line, "unpriced_gateway_cost", b->unpriced_gateway_cost);
        if (b->doubtful_at_stake.bytes)
            result_int(line, "doubtful_calls", b->doubtful_calls);
        else
            result_null(line, "doubtful_calls");
        result_number(line, "doubtful_at_stake", b->doubtful_at_stake);
    }
    buf_add_text(line, "}\n");
}

static void doubts_text(const struct budget *b, struct buf *line)
{
    if (b->unpriced_calls > 0)
        buf_printf(
            line, "; %lld calls without a price are not in it (the gateway says " SLICE_FMT " USD)",
            (long long)b->unpriced_calls, SLICE_ARG(b->unpriced_gateway_cost));
    if (b->doubtful_calls > 0)
        buf_printf(line, "; %lld calls (" SLICE_FMT " USD) are doubtful",
                   (long long)b->doubtful_calls, SLICE_ARG(b->doubtful_at_stake));
}

static void spent_text(const struct budget *b, struct buf *line)
{
    char until[CLOCK_TEXT_MAX];
    clock_format(b->until_us, until);
    buf_printf(line, "%s, until %.16s UTC: ", b->over ? " USED UP" : "", until);
    if (b->missing_calls == 0)
        buf_printf(line,
                   SLICE_FMT " spent (" SLICE_FMT " %%), " SLICE_FMT " left, forecast " SLICE_FMT,
                   SLICE_ARG(b->spent), SLICE_ARG(b->percent.bytes ? b->percent : SLICE("-")),
                   SLICE_ARG(b->left), SLICE_ARG(b->forecast));
    else
        buf_printf(line,
                   "at least " SLICE_FMT " spent; retention dropped %lld calls of the period with "
                   "their sums: whose they were is not known%s",
                   SLICE_ARG(b->spent_at_least), (long long)b->missing_calls,
                   is_known(b) ? "" : ", nor whether it is used up");
}

static void budget_text(const struct budget *b, struct telling *telling)
{
    struct buf *line = &telling->line;
    show_add(line, b->scope);
    if (b->id.bytes) {
        buf_add_char(line, ' ');
        show_add(line, b->id);
    }
    buf_printf(line, ": " SLICE_FMT " USD a " SLICE_FMT, SLICE_ARG(b->amount),
               SLICE_ARG(b->period));
    if (!telling->with_spend)
        buf_printf(line, " (" SLICE_FMT ")", SLICE_ARG(b->zone));
    else {
        spent_text(b, line);
        doubts_text(b, line);
    }
    buf_add_char(line, '\n');
}

static void budget_tell(const struct budget *budget, void *context)
{
    struct telling *telling = context;
    telling->count++;
    telling->over += budget->over || !is_known(budget);
    if (options.json)
        budget_json(budget, telling);
    else
        budget_text(budget, telling);
    show_buf(stdout, &telling->line);
    buf_reset(&telling->line);
}

static int tell(const struct config *config, bool with_spend, struct err *err)
{
    struct telling telling = {.with_spend = with_spend};
    buf_init(&telling.line, RESULT_LINE_MAX_BYTES);
    bool ok = budget_each(config->postgres, 0, budget_tell, &telling, err);
    buf_free(&telling.line);
    if (!ok)
        return fail(err);
    if (telling.count == 0 && !options.json)
        puts("no budget is set: `spendlog budget set team TEAM 100`");
    return options.fail_over && telling.over > 0 ? EXIT_DIFFERENCES : 0;
}

/* --- setting */

static bool month_parse(const char *text, int *month, struct err *err)
{
    char *end;
    *month = 1;
    if (!text)
        return true;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (end == text || *end || errno || v < 1 || v > MONTHS)
        return err_set(err, ERR_USAGE, "--fiscal-start: \"%s\" is not a month from 1 to 12", text);
    *month = (int)v;
    return true;
}

static int budget_put(const struct config *config, struct budget_request *request, struct err *err)
{
    bool met;
    if (!budget_set(config->postgres, request, &met, err))
        return fail(err);
    if (!met && strcmp(request->scope, "all") != 0)
        show_line(stderr,
                  "spendlog: %s \"%s\" has no call of the last 30 days: is that its id, as "
                  "spend_logs has it?",
                  request->scope, request->id);
    return 0;
}

/* The words after the command: list, status, set or remove with scope, id and, to set, an amount.
 */
enum verb { VERB_NONE, VERB_LIST, VERB_STATUS, VERB_SET, VERB_REMOVE };

static enum verb verb_of(const struct operands *given, struct budget_request *request)
{
    char *const *word = given->text;
    int count = given->count;
    bool all = count > 1 && strcmp(word[1], "all") == 0;
    int words = count + (all ? 1 : 0); /* all needs no id */
    *request = (struct budget_request){.scope = count > 1 ? word[1] : "",
                                       .id = all || count < 3 ? "" : word[2],
                                       .period = options.period ? options.period : "month",
                                       .amount = count > 1 ? word[count - 1] : "",
                                       .zone = options.zone ? options.zone : "UTC"};
    if (operands_are(given, "list", 1))
        return VERB_LIST;
    if (operands_are(given, "status", 1))
        return VERB_STATUS;
    if (words == 4 && strcmp(word[0], "set") == 0)
        return VERB_SET;
    if (words == 3 && strcmp(word[0], "remove") == 0)
        return VERB_REMOVE;
    return VERB_NONE;
}

int begin_budget(const struct command *command, const struct operands *given)
{
    struct budget_request request;
    enum verb verb = verb_of(given, &request);
    if (verb == VERB_NONE)
        return usage_error(command, "say list, status, set SCOPE ID AMOUNT or remove SCOPE ID");
    return GO_ON;
}

int cmd_budget(const struct config *config, const struct operands *given, struct err *err)
{
    struct budget_request request;
    enum verb verb = verb_of(given, &request);
    if (!month_parse(options.fiscal_start, &request.fiscal_start, err))
        return fail(err);
    if (verb == VERB_SET)
        return budget_put(config, &request, err);
    if (verb == VERB_REMOVE)
        return budget_remove(config->postgres, &request, err) ? 0 : fail(err);
    return tell(config, verb == VERB_STATUS, err);
}
