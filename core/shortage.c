/* SPDX-License-Identifier: Apache-2.0 */
/* One bit for each thread. */
#include "core/shortage.h"

static _Thread_local bool noted;

void shortage_note(void)
{
    noted = true;
}

bool shortage_was(struct err *err)
{
    bool was = noted;
    noted = false;
    if (was)
        err_set(err, ERR_FATAL, "out of memory: what was read meanwhile is not to be trusted");
    return was;
}
