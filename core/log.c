/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/show.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX (64u << 10)
#define MESSAGE_BYTES_MAX 4096
#define CUT " (cut)" /* ends a longer message */

enum log_level log_level_max = LOG_LEVEL_INFO;

static bool as_json;
static _Thread_local char thread_prefix[32];

static const char *const level_name[] = {"error", "warn", "info", "debug"};

bool log_init(const char *level, const char *format)
{
    as_json = strcmp(format, "json") == 0;
    if (!as_json && strcmp(format, "text") != 0)
        return false;
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++)
        if (strcmp(level, level_name[i]) == 0) {
            log_level_max = (enum log_level)i;
            return true;
        }
    return false;
}

void log_set_prefix(const char *prefix)
{
    snprintf(thread_prefix, sizeof(thread_prefix), "%s", prefix);
}

static void add_json(struct buf *line, enum log_level level, const char *time, const char *message)
{
    buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",", time, level_name[level]);
    if (thread_prefix[0]) {
        buf_add_text(line, "\"thread\":");
        buf_add_json_string(line, slice_of(thread_prefix));
        buf_add_char(line, ',');
    }
    buf_add_text(line, "\"message\":");
    buf_add_json_string(line, slice_of(message));
    buf_add_text(line, "}\n");
}

void log_write(enum log_level level, const char *fmt, ...)
{
    char message[MESSAGE_BYTES_MAX], time[CLOCK_TEXT_MAX];
    struct buf line;
    va_list args;
    va_start(args, fmt);
    int bytes = vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    if (bytes >= (int)sizeof(message))
        memcpy(message + sizeof(message) - sizeof(CUT), CUT, sizeof(CUT));
    show_blank(message); /* names from the outside; what is left is UTF-8, as JSON wants it */
    clock_format(clock_now_us() / 1000 * 1000, time);

    buf_init(&line, LINE_BYTES_MAX);
    if (as_json)
        add_json(&line, level, time, message);
    else
        buf_printf(&line, "%s %-5s %s%s%s\n", time, level_name[level], thread_prefix,
                   thread_prefix[0] ? ": " : "", message);
    ssize_t written = buf_ok(&line) ? write(STDERR_FILENO, line.p, line.bytes) : 0;
    (void)written; /* there is nowhere to tell it */
    buf_free(&line);
}
