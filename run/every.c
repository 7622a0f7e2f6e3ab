/* SPDX-License-Identifier: Apache-2.0 */
/* It looks at the clock ten times a second, so that a stop takes no longer than the work itself. */
#include "run/every.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/must.h"

#include <pthread.h>
#include <stdlib.h>

#define TICK_MS 100u

struct every {
    struct every_job job;
    pthread_t thread;
    atomic_bool stop;
};

static void *every_main(void *context)
{
    struct every *every = context;
    int64_t next_ms = clock_monotonic_ms() + every->job.first_ms;
    log_set_prefix(every->job.name);
    while (!atomic_load(&every->stop)) {
        if (clock_monotonic_ms() >= next_ms) {
            every->job.work(every->job.context, &every->stop);
            next_ms = clock_monotonic_ms() + every->job.every_ms;
        }
        clock_sleep_ms(TICK_MS);
    }
    return NULL;
}

bool every_start(struct every **out, const struct every_job *job, struct err *err)
{
    struct every *every = calloc(1, sizeof(*every));
    MUST(job->first_ms >= 0 && job->every_ms > 0, job->first_ms, job->every_ms);
    if (!every)
        return err_set(err, ERR_FATAL, "out of memory");
    every->job = *job;
    if (pthread_create(&every->thread, NULL, every_main, every) != 0) {
        free(every);
        return err_set(err, ERR_FATAL, "no thread for %s", job->name);
    }
    *out = every;
    return true;
}

void every_stop(struct every *every)
{
    if (!every)
        return;
    atomic_store(&every->stop, true);
    pthread_join(every->thread, NULL);
    free(every);
}
