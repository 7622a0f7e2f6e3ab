/* SPDX-License-Identifier: Apache-2.0 */
/* Lines go to stdout as they come; an end that cannot be written is told. */
#include "cli/report_focus.h"

#include "cli/report_text.h"

#include "core/log.h"
#include "store/focus.h"

#include <stdio.h>

static bool line_print(void *context, struct slice line)
{
    return fwrite(line.p, 1, line.bytes, context) == line.bytes;
}

bool report_focus(const struct config *config, const struct report_options *query,
                  const char *version, struct err *err)
{
    const struct focus_sink sink = {line_print, stdout};
    struct focus_beside beside = {0};
    if (!focus_run(config->postgres, query, version, &sink, &beside, err))
        return false;
    if (fflush(stdout) != 0 || ferror(stdout))
        return err_set(err, ERR_FATAL, "stdout: not all of it could be written");
    report_warn_dropped(&beside.dropped);
    if (beside.unpriced > 0)
        log_warn("%lld calls without a price are not in it: see spendlog.focus_unpriced",
                 (long long)beside.unpriced);
    return true;
}
