/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog compact: merge the sums that were appended and make the names of days that are over;
 * `run` does it by itself. */
#include "cli/command.h"
#include "cli/result.h"

#include "store/compact.h"
#include "store/names.h"

#include "core/log.h"
#include "core/show.h"

static struct {
    bool json, status;
} options;

const struct option_row compact_options[] = {
    {"status", 0, NULL, "tell what there is to merge, and merge nothing", OPTION_FLAG,
     &options.status},
    {"json", 0, NULL, "one JSON object", OPTION_FLAG, &options.json},
    {0},
};

static void figures_print(const char *const name[], const int64_t value[], int count)
{
    struct buf line;
    buf_init(&line, RESULT_LINE_MAX_BYTES);
    for (int i = 0; i < count && !options.json; i++)
        buf_printf(&line, "%s%lld %s", i ? ", " : "", (long long)value[i], name[i]);
    if (options.json)
        buf_add_char(&line, '{');
    for (int i = 0; i < count && options.json; i++)
        result_int(&line, name[i], value[i]);
    buf_add_text(&line, options.json ? "}\n" : "\n");
    show_buf(stdout, &line);
    buf_free(&line);
}

static int status(const struct config *config, struct err *err)
{
    static const char *const name[] = {"deltas", "merged_lines", "days_due"};
    struct compact_status s;
    if (!compact_status(config->postgres, &s, err))
        return fail(err);
    figures_print(name, (const int64_t[]){s.deltas, s.merged_lines, s.days_due}, 3);
    return 0;
}

static int compact(const struct config *config, struct err *err)
{
    static const char *const name[] = {"deltas_taken", "lines_made", "steps_of_names"};
    int64_t taken, made, steps;
    if (!compact_run(config->postgres, &taken, &made, err))
        return fail(err);
    if (!names_make(config->postgres, NULL, &steps, err)) {
        log_warn("names of days stay as they are: %s", err->text);
        err_clear(err);
    }
    figures_print(name, (const int64_t[]){taken, made, steps}, 3);
    return 0;
}

int cmd_compact(const struct config *config, const struct operands *given, struct err *err)
{
    (void)given;
    return options.status ? status(config, err) : compact(config, err);
}
