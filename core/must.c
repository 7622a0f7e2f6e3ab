/* SPDX-License-Identifier: Apache-2.0 */
/* The last line of a process whose memory is not what its own code makes of it. */
#include "core/must.h"

#include "core/buf.h"
#include "core/log.h"

#include <stdlib.h>

#define STATE_BYTES 512

_Noreturn void must_fail(const struct must *must, const long long *state, size_t count)
{
    struct buf text;
    buf_init(&text, STATE_BYTES);
    for (size_t i = 1; i <= count; i++)
        buf_printf(&text, "%s%lld", i > 1 ? ", " : "", state[i]);
    log_write(LOG_LEVEL_ERROR, "%s:%u: %s() ends the process: it has to be that %s%s%s%s" SLICE_FMT,
              must->file, must->line, must->function, must->condition, count ? "; " : "",
              count ? must->names : "", count ? " = " : "", SLICE_ARG(buf_slice(&text)));
    abort();
}
