/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines on stderr, as text or as JSON objects, each in one write(2), from any thread; a warning
 * or error that a thread repeats within 10 s is held back and counted. Only the loops and main log;
 * libraries return errors. Never pass secrets or payloads.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "core/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

extern enum log_level log_level_max; /* set by log_init(), before threads start */

/* level: error, warn, info or debug; format: text or json. false: unknown word. */
bool log_init(const char *level, const char *format) MUST_CHECK;

/* What the calling thread's lines begin with ("lane 3"); "" for nothing. Copied. */
void log_set_prefix(const char *prefix);

/* Tells what was held back of the calling thread: the same line again within 10 s is counted. */
void log_flush(void);

void log_write(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define LOG_AT(level, ...)                                                                         \
    do {                                                                                           \
        if ((level) <= log_level_max)                                                              \
            log_write((level), __VA_ARGS__);                                                       \
    } while (0)

#define log_error(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
