/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line is put together in a buffer of its own and written by one write(2). Repeats are recognised
 * by level and text, and told as a count when their time is over.
 */
#include "core/log.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/hash.h"
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

void log_set_prefix(const char *prefix)
{
    snprintf(thread_prefix, sizeof(thread_prefix), "%s", prefix);
}

/* --- repeats --------------------------------------------------------------------------------- */

#define REPEAT_WINDOW_MS 10000
#define REPEAT_LINES 8
#define REPEAT_TEXT_BYTES 200

/* What a thread said lately: the same again within the window is counted, not written. */
static _Thread_local struct said {
    uint64_t hash;
    enum log_level level;
    int64_t since_ms;
    unsigned held;
    char text[REPEAT_TEXT_BYTES];
} said[REPEAT_LINES];

static struct said *said_find(uint64_t hash)
{
    struct said *oldest = &said[0];
    for (size_t i = 0; i < REPEAT_LINES; i++) {
        if (said[i].hash == hash)
            return &said[i];
        if (said[i].since_ms < oldest->since_ms)
            oldest = &said[i];
    }
    return oldest;
}

static void line_write(enum log_level level, const char *message);

static void held_tell(struct said *line)
{
    char text[REPEAT_TEXT_BYTES + 64];
    if (line->held == 0)
        return;
    if (line->held == 1)
        snprintf(text, sizeof(text), "%s (once more)", line->text);
    else
        snprintf(text, sizeof(text), "%s (%u times more)", line->text, line->held);
    line->held = 0;
    line_write(line->level, text);
}

/* Whether the line is to be held back: warnings and errors only, the others are what happened. */
static bool repeats(enum log_level level, const char *message)
{
    uint64_t hash = hash_xxh64(slice_of(message)) + level + 1;
    int64_t now_ms = clock_monotonic_ms();
    struct said *line = said_find(hash);
    if (level > LOG_LEVEL_WARN)
        return false;
    if (line->hash == hash && now_ms - line->since_ms < REPEAT_WINDOW_MS) {
        line->held++;
        return true;
    }
    held_tell(line);
    *line = (struct said){.hash = hash, .level = level, .since_ms = now_ms};
    snprintf(line->text, sizeof(line->text), "%.*s", (int)sizeof(line->text) - 1, message);
    show_blank(line->text); /* cut within a character */
    return false;
}

void log_flush(void)
{
    for (size_t i = 0; i < REPEAT_LINES; i++)
        held_tell(&said[i]);
}

bool log_init(const char *level, const char *format)
{
    memset(said, 0, sizeof(said));
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

/* --- lines ----------------------------------------------------------------------------------- */

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

static void line_write(enum log_level level, const char *message)
{
    char time[CLOCK_TEXT_MAX];
    struct buf line;
    clock_format_ms(clock_now_us(), time);
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

void log_write(enum log_level level, const char *fmt, ...)
{
    char message[MESSAGE_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    int bytes = vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    if (bytes >= (int)sizeof(message))
        memcpy(message + sizeof(message) - sizeof(CUT), CUT, sizeof(CUT));
    show_blank(message); /* names from the outside; what is left is UTF-8, as JSON wants it */
    if (!repeats(level, message))
        line_write(level, message);
}
