/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes of models in their names, as in "llama-3-70b". */
#include "pricing/names/size.h"

#include <ctype.h>

uint32_t size_number(struct slice digits)
{
    uint32_t n = 0;
    for (size_t i = 0; i < digits.bytes && n < 100000000; i++)
        n = n * 10 + (uint32_t)(digits.p[i] - '0');
    return n;
}

size_t size_digits_end(struct slice name, size_t from)
{
    while (from < name.bytes && isdigit((unsigned char)name.p[from]))
        from++;
    return from;
}

/* The first run of digits directly before `unit`. */
uint32_t size_before(struct slice name, char unit)
{
    for (size_t i = 0; i < name.bytes; i++) {
        size_t end = size_digits_end(name, i);
        if (end > i && end < name.bytes && name.p[end] == unit)
            return size_number((struct slice){name.p + i, end - i});
        if (end > i)
            i = end - 1;
    }
    return SIZE_NONE;
}
