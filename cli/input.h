/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages from files and stdin: one a line, but a file that is one JSON value over several lines
 * is one message. Blank lines count as lines and make no message.
 */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "core/err.h"
#include "core/slice.h"

#include <stdint.h>

struct input_message {
    const char *file; /* as given; "-" is stdin */
    uint64_t line;    /* from 1: where it starts */
    struct slice bytes;
};

/* false ends the reading. */
typedef bool input_fn(const struct input_message *message, void *context);

/* No files: stdin. ERR_INPUT: a file cannot be read; those before it were. */
bool input_read(char *const files[], int count, input_fn *on_message, void *context,
                struct err *err) MUST_CHECK;

#endif
