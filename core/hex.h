/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as hexadecimal digits, two each, written in lower case and read in either. */
#ifndef CORE_HEX_H
#define CORE_HEX_H

#include <stddef.h>
#include <stdint.h>

/* 2 * count characters into `out`, without a NUL. */
static inline void hex_write(const void *bytes, size_t count, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
}

/* The value of a digit; -1: it is not one. */
static inline int hex_digit(char c)
{
    int letter = c | 0x20;
    if (c >= '0' && c <= '9')
        return c - '0';
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

#endif
