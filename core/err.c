/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An error's text: set once, prefixed on its way up, cut where it does not fit. The exit code of a
 * kind is in a table here.
 */
#include "core/err.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

bool err_setv(struct err *err, enum err_kind kind, const char *fmt, va_list args)
{
    assert(kind != ERR_NONE);
    if (!err || err->kind != ERR_NONE)
        return false;
    err->kind = kind;
    vsnprintf(err->text, sizeof(err->text), fmt, args);
    return false;
}

bool err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    err_setv(err, kind, fmt, args);
    va_end(args);
    return false;
}

bool err_prefix(struct err *err, const char *fmt, ...)
{
    char prefix[sizeof(err->text)];
    if (!err || err->kind == ERR_NONE)
        return false;

    va_list args;
    va_start(args, fmt);
    vsnprintf(prefix, sizeof(prefix), fmt, args);
    va_end(args);

    /* A prefix may fill half of the text: what went wrong matters more than where. */
    size_t prefix_bytes = strnlen(prefix, sizeof(err->text) / 2);
    size_t room = sizeof(err->text) - prefix_bytes - 3;
    size_t text_bytes = strnlen(err->text, room);
    memmove(err->text + prefix_bytes + 2, err->text, text_bytes);
    memcpy(err->text, prefix, prefix_bytes);
    memcpy(err->text + prefix_bytes, ": ", 2);
    err->text[prefix_bytes + 2 + text_bytes] = '\0';
    return false;
}

void err_clear(struct err *err)
{
    err->kind = ERR_NONE;
    err->text[0] = '\0';
}

int err_exit_code(enum err_kind kind)
{
    static const int code[] = {
        [ERR_NONE] = 0,         [ERR_USAGE] = 64, [ERR_CONFIG] = 78, [ERR_INPUT] = 65,
        [ERR_UNAVAILABLE] = 69, [ERR_RETRY] = 75, [ERR_FATAL] = 70,
    };
    return code[kind];
}
