/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog exclude: sets a stored row aside, so that it counts in no sum, and puts it back. */
#include "cli/command.h"
#include "cli/exclusion.h"
#include "cli/result.h"

#include "core/show.h"

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

const struct option_use exclude_uses[] = {
    {"restore", NULL, "--list"},
    {"why", NULL, "--list"},
    {0},
};

static void entry_print(const struct exclusion *exclusion, void *context)
{
    struct buf line;
    (void)context;
    buf_init(&line, RESULT_LINE_MAX_BYTES);
    if (options.json) {
        buf_add_char(&line, '{');
        exclusion_add_json(&line, exclusion);
        result_print(&line);
    } else {
        exclusion_add_text(&line, exclusion);
        show_buf(stdout, &line);
    }
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
