/* SPDX-License-Identifier: Apache-2.0 */
/* Goes through the test's array. */
#include "tests/fakes/rejected.h"

#include <assert.h>

struct fake_rejected fake_rejected;

bool rejected_list(const char *conninfo, const struct rejected_filter *filter, rejected_fn *event,
                   void *context, struct err *err)
{
    (void)conninfo;
    assert(filter->payloads && !filter->resolved_too);
    if (fake_rejected.fails)
        return err_set(err, ERR_UNAVAILABLE, "no server");
    for (size_t i = 0; i < fake_rejected.count; i++)
        if (!event(&fake_rejected.event[i], context))
            break;
    return true;
}

bool rejected_left_out(const char *conninfo, const struct rejected_filter *filter,
                       struct rejected_left *left, struct err *err)
{
    (void)conninfo, (void)filter, (void)left, (void)err;
    return true;
}
