/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog exclude: sets a stored row aside, so that it counts in no sum, and puts it back. */
#include "cli/command.h"
#include "cli/result.h"

#include "core/clock.h"
#include "core/show.h"
#include "store/exclude.h"

#include <string.h>

static struct {
    const char *identity, *why;
    bool restore, list, json;
} options;

const struct option_row exclude_options[] = {
    {"identity", 0, "UUID", "the row of this identity instead of a request's", OPTION_TEXT,
     &options.identity},
    {"why", 0, "TEXT", "the reason, which is recorded", OPTION_TEXT, &options.why},
    {"restore", 0, NULL, "put an excluded row back into all sums", OPTION_FLAG, &options.restore},
    {"list", 0, NULL, "what was excluded and restored so far", OPTION_FLAG, &options.list},
    {"json", 0, NULL, "one JSON object per entry", OPTION_FLAG, &options.json},
    {0},
};

static void entry_json(const struct exclusion *e, struct buf *line)
{
    buf_add_char(line, '{');
    result_int(line, "exclusion", e->exclusion_id);
    result_text(line, "action", e->action);
    result_bool(line, "in_force", e->in_force);
    result_text(line, "request_id", e->request_id);
    result_text(line, "identity", e->identity);
    result_time(line, "start_time", e->start_time_us);
    result_text(line, "counts_on", e->counts_on);
    result_number(line, "spend", e->spend);
    result_text(line, "why", e->why);
    result_text(line, "done_by", e->done_by);
    result_time(line, "done_at", e->done_at_us);
    result_print(line);
}

static void entry_text(const struct exclusion *e, struct buf *line)
{
    char done_at[CLOCK_TEXT_MAX];
    clock_format(e->done_at_us, done_at);
    buf_printf(line, "%lld %s " SLICE_FMT " ", (long long)e->exclusion_id, done_at,
               SLICE_ARG(e->action));
    show_add(line, e->request_id.bytes ? e->request_id : e->identity);
    buf_printf(line, ": " SLICE_FMT " USD on " SLICE_FMT " by ",
               SLICE_ARG(e->spend.bytes ? e->spend : SLICE("0")), SLICE_ARG(e->counts_on));
    show_add(line, e->done_by);
    buf_add_text(line, ": ");
    show_add(line, e->why);
    buf_add_char(line, '\n');
    show_buf(stdout, line);
}

static void entry_print(const struct exclusion *exclusion, void *context)
{
    struct buf line;
    (void)context;
    buf_init(&line, RESULT_LINE_MAX_BYTES);
    if (options.json)
        entry_json(exclusion, &line);
    else
        entry_text(exclusion, &line);
    buf_free(&line);
}

int begin_exclude(const struct command *command, const struct operands *given)
{
    int names = given->count + (options.identity != NULL);
    if (options.list ? names > 0 : names != 1)
        return usage_error(command, "give a REQUEST_ID, --identity UUID or --list");
    if (!options.list && (!options.why || !options.why[strspn(options.why, " \t\n")]))
        return usage_error(command, "--why TEXT is to say the reason");
    return GO_ON;
}

int cmd_exclude(const struct config *config, const struct operands *given, struct err *err)
{
    const struct exclude_request request = {.request_id = given->count ? given->text[0] : NULL,
                                            .identity = options.identity,
                                            .why = options.why,
                                            .restore = options.restore};
    bool ok = options.list ? exclude_list(config->postgres, entry_print, NULL, err)
                           : exclude_run(config->postgres, &request, entry_print, NULL, err);
    return ok ? 0 : fail(err);
}
