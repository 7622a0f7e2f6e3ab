/* SPDX-License-Identifier: Apache-2.0 */
/* What fails is tried again later: days without names are asked by their index, and are slower. */
#include "run/names.h"

#include "core/clock.h"
#include "core/log.h"
#include "store/names.h"

#include <pthread.h>
#include <stdlib.h>

#define FIRST_MS 60000
#define EVERY_MS 600000
#define TICK_MS 100u

struct names {
    const char *conninfo;
    pthread_t thread;
    atomic_bool stop;
};

static void make(struct names *names)
{
    struct err err = {0};
    int64_t steps = 0;
    if (!names_make(names->conninfo, &names->stop, &steps, &err))
        log_debug("names of days stay as they are: %s", err.text);
    else if (steps > 0)
        log_debug("names of days: %lld steps", (long long)steps);
}

static void *names_main(void *context)
{
    struct names *names = context;
    int64_t next_ms = clock_monotonic_ms() + FIRST_MS;
    log_set_prefix("names");
    while (!atomic_load(&names->stop)) {
        if (clock_monotonic_ms() >= next_ms) {
            make(names);
            next_ms = clock_monotonic_ms() + EVERY_MS;
        }
        clock_sleep_ms(TICK_MS);
    }
    return NULL;
}

bool names_start(struct names **out, const char *conninfo, struct err *err)
{
    struct names *names = calloc(1, sizeof(*names));
    if (!names)
        return err_set(err, ERR_FATAL, "out of memory");
    names->conninfo = conninfo;
    if (pthread_create(&names->thread, NULL, names_main, names) != 0) {
        free(names);
        return err_set(err, ERR_FATAL, "no thread for the names of days");
    }
    *out = names;
    return true;
}

void names_stop(struct names *names)
{
    if (!names)
        return;
    atomic_store(&names->stop, true);
    pthread_join(names->thread, NULL);
    free(names);
}
