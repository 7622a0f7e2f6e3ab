/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog retention: how long the database keeps what; its owner may change that. */
#include "cli/command.h"
#include "cli/result.h"

#include "core/clock.h"
#include "store/retention.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct {
    bool json;
    const char *rollups, *at_most;
} options;

const struct option_row retention_options[] = {
    {"rollups", 0, "DAYS", "how long the sums that dropped days leave are kept; 0: for ever",
     OPTION_TEXT, &options.rollups},
    {"at-most", 0, "DAYS", "so many days may be dropped within 24 hours; 8 at first", OPTION_TEXT,
     &options.at_most},
    {"json", 0, NULL, "one JSON object", OPTION_FLAG, &options.json},
    {0},
};

const struct option_use retention_uses[] = {
    {"rollups", "set", NULL},
    {"at-most", "set", NULL},
    {0},
};

/* 0 where it may mean for ever, else from `min`. NULL leaves -1: as it is. */
static bool days_parse(const char *what, const char *text, bool may_be_zero, int64_t min,
                       int64_t *days, struct err *err)
{
    char *end;
    *days = -1;
    if (!text)
        return true;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end || errno || v > RETENTION_DAYS_MAX ||
        !((v == 0 && may_be_zero) || v >= min))
        return err_set(err, ERR_USAGE, "%s: \"%s\" is not a number of days from %lld to %d%s", what,
                       text, (long long)min, RETENTION_DAYS_MAX,
                       may_be_zero ? ", or 0 for ever" : "");
    *days = v;
    return true;
}

static void days_print(const char *what, int64_t days)
{
    if (days)
        printf("%s: %lld days\n", what, (long long)days);
    else
        printf("%s: for ever\n", what);
}

static void retention_print(const struct retention *r)
{
    char at[CLOCK_TEXT_MAX];
    clock_format(r->set_at_us, at);
    days_print("rows", r->keep_days);
    days_print("sums of dropped days", r->keep_sums_days);
    printf("%lld days are stored, %lld of them older; at most %lld go within 24 hours\nset by %s, "
           "%s\n",
           (long long)r->days_stored, (long long)r->days_due, (long long)r->days_per_day, r->set_by,
           at);
}

static void retention_json(const struct retention *r)
{
    struct buf line;
    buf_init(&line, RESULT_LINE_MAX_BYTES);
    buf_add_char(&line, '{');
    result_int(&line, "keep_days", r->keep_days);
    result_int(&line, "keep_sums_days", r->keep_sums_days);
    result_int(&line, "days_per_day", r->days_per_day);
    result_int(&line, "days_stored", r->days_stored);
    result_int(&line, "days_due", r->days_due);
    result_time(&line, "set_at", r->set_at_us);
    result_text(&line, "set_by", slice_of(r->set_by));
    result_print(&line);
    buf_free(&line);
}

int begin_retention(const struct command *command, const struct operands *given)
{
    if (!operands_are(given, "show", 1) && !operands_are(given, "set", 2))
        return usage_error(command, "say show, or set and a number of days");
    return GO_ON;
}

int cmd_retention(const struct config *config, const struct operands *given, struct err *err)
{
    struct retention r;
    bool ok;
    if (given->count == 1)
        ok = retention_read(config->postgres, &r, err);
    else
        ok = days_parse("retention", given->text[1], true, RETENTION_DAYS_MIN, &r.keep_days, err) &&
             days_parse("--rollups", options.rollups, true, RETENTION_DAYS_MIN, &r.keep_sums_days,
                        err) &&
             days_parse("--at-most", options.at_most, false, 1, &r.days_per_day, err) &&
             retention_set(config->postgres, &r, err);
    if (!ok)
        return fail(err);
    if (options.json)
        retention_json(&r);
    else
        retention_print(&r);
    return 0;
}
