/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that is done every so often beside the lanes: in a thread of its own, on a connection of its
 * own, so that no lane waits for it.
 */
#ifndef RUN_EVERY_H
#define RUN_EVERY_H

#include "core/err.h"

#include <stdatomic.h>
#include <stdint.h>

struct every_job {
    const char *name; /* before its lines in the log */
    int64_t first_ms; /* after the start */
    int64_t every_ms; /* between an end and the next beginning */
    /* Ends early once *stop is set. What fails is logged and tried the next time. */
    void (*work)(void *context, const atomic_bool *stop);
    void *context; /* borrowed until every_stop() */
};

struct every;

/* ERR_FATAL: no memory, no thread. */
bool every_start(struct every **every, const struct every_job *job, struct err *err) MUST_CHECK;
/* Waits for work that is under way. NULL is fine. */
void every_stop(struct every *every);

#endif
