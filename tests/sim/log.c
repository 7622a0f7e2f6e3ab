/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In place of core/log.c: the product's words between the steps. Nothing is allocated for a line,
 * and none is made at debug: whether it is listened to makes no other history.
 */
#include "core/log.h"

#include "core/clock.h"
#include "tests/sim/sim.h"

#include <stdio.h>

enum log_level log_level_max = LOG_LEVEL_INFO;

bool log_init(const char *level, const char *format)
{
    (void)level, (void)format;
    return true;
}

void log_set_prefix(const char *prefix)
{
    (void)prefix;
}

void log_flush(void)
{
}

void log_write(enum log_level level, const char *fmt, ...)
{
    static const char *const name[] = {"error", "warn", "info", "debug"};
    va_list args;
    if (!sim.trace)
        return;
    printf("%6s %7lld ms  %s: ", "", (long long)sim.now_ms, name[level]);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}
