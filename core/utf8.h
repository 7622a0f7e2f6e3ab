/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 (RFC 3629), in one place: what is a character, how long it is, how it is written, and where
 * a text may be cut. No allocation; texts need not end in a NUL.
 */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include "core/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of the character at p, which lies before `end`; 0: what stands there is not valid. */
size_t utf8_length(const char *p, const char *end);
/* The code point of a valid character of that many bytes. */
unsigned utf8_point(const char *p, size_t length);
/* Writes a code point up to U+10FFFF, 1 to 4 bytes; returns the end of what it wrote. */
char *utf8_put(char *out, unsigned point);

bool utf8_valid(struct slice text);

/* As much of a valid text as fits into so many bytes, never a part of a character. */
struct slice utf8_cut(struct slice text, size_t bytes_max);
/* The same as a string: what fits with its NUL into `capacity` bytes. */
void utf8_copy(char *to, size_t capacity, struct slice text);
/* The same of any bytes: a '?' stands for each that is of no character. */
void utf8_mend(char *to, size_t capacity, struct slice text);

#endif
