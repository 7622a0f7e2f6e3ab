/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: one struct on the caller's stack, passed last. The kind says what the caller must do,
 * not where it happened; the text says what, with file, line, field or offset.
 *
 * The first error wins: err_set() on a struct that already holds one changes nothing. An outer
 * layer may only add a prefix. Errors are logged once, by the loop or by main, never on the way up.
 *
 *     struct err err = {0};
 *     if (!thing_load(path, &err))
 *         return err_prefix(&err, "%s", path);
 */
#ifndef CORE_ERR_H
#define CORE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK __attribute__((warn_unused_result))

enum err_kind {
    ERR_NONE,
    ERR_USAGE,       /* the command line is wrong: exit 64 */
    ERR_CONFIG,      /* stop; the operator fixes a file: exit 78 */
    ERR_INPUT,       /* set this message, event or row aside with its reason and go on: exit 65 */
    ERR_UNAVAILABLE, /* a server is away: retry with backoff, or exit 69 */
    ERR_RETRY,       /* same work again (deadlock, serialization, fenced batch): exit 75 */
    ERR_FATAL,       /* stop; a supervisor restarts: exit 70 */
};

struct err {
    enum err_kind kind;
    char text[1024];
};

/* Records kind and text unless an error is there already. Always false, so that a failing function
 * can end with `return err_set(...)`. `err` may be NULL. */
bool err_set(struct err *err, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool err_setv(struct err *err, enum err_kind kind, const char *fmt, va_list args);

/* Puts "<prefix>: " before the text of a recorded error. Always false. */
bool err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

void err_clear(struct err *err);

/* sysexits(3) code of a kind, 0 for ERR_NONE. */
int err_exit_code(enum err_kind kind);

#endif
