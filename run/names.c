/* SPDX-License-Identifier: Apache-2.0 */
/* What fails is tried again later: days without names are asked by their index, and are slower. */
#include "run/names.h"

#include "core/log.h"
#include "run/every.h"
#include "store/names.h"

#include <stdlib.h>

#define FIRST_MS 60000
#define EVERY_MS 600000

struct names {
    const char *conninfo;
    struct every *every;
};

static void make(void *context, const atomic_bool *stop)
{
    const struct names *names = context;
    struct err err = {0};
    int64_t steps = 0;
    if (!names_make(names->conninfo, stop, &steps, &err))
        log_debug("names of days stay as they are: %s", err.text);
    else if (steps > 0)
        log_debug("names of days: %lld steps", (long long)steps);
}

bool names_start(struct names **out, const char *conninfo, struct err *err)
{
    struct names *names = calloc(1, sizeof(*names));
    if (!names)
        return err_set(err, ERR_FATAL, "out of memory");
    names->conninfo = conninfo;
    *out = names;
    const struct every_job job = {"names", FIRST_MS, EVERY_MS, make, names};
    return every_start(&names->every, &job, err);
}

void names_stop(struct names *names)
{
    if (!names)
        return;
    every_stop(names->every);
    free(names);
}
