/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One point can be armed for the life of the process; its passages are counted by all threads
 * together.
 */
#include "core/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool armed;
static char armed_point[32];
static atomic_long passages_left;

void fault_init(void)
{
    const char *spec = getenv("SPENDLOG_FAULT");
    const char *colon = spec ? strchr(spec, ':') : NULL;
    if (!colon || (size_t)(colon - spec) >= sizeof(armed_point))
        return;
    memcpy(armed_point, spec, (size_t)(colon - spec));
    armed_point[colon - spec] = '\0';
    atomic_store(&passages_left, strtol(colon + 1, NULL, 10));
    armed = true;
}

void fault_point(const char *name)
{
    if (!armed || strcmp(name, armed_point) != 0)
        return;
    if (atomic_fetch_sub(&passages_left, 1) == 1)
        kill(getpid(), SIGKILL);
}
