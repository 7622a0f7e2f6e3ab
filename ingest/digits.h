/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of decimal digits, eight at a time: timestamps and costs have 16 and more. */
#ifndef INGEST_DIGITS_H
#define INGEST_DIGITS_H

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first digit is the lowest byte");

/* How many of the eight bytes, from the first on, are digits. */
static inline unsigned digits_lead8(uint64_t v)
{
    uint64_t high = v ^ UINT64_C(0x3030303030303030); /* a digit is 0 to 9 now */
    uint64_t other = (high | (high + UINT64_C(0x7676767676767676))) & UINT64_C(0x8080808080808080);
    return other ? (unsigned)__builtin_ctzll(other) / 8 : 8;
}

/* The first byte from p on that is not a digit. */
static inline const char *digits_end(const char *p, const char *end)
{
    uint64_t v;
    while (end - p >= 8) {
        memcpy(&v, p, 8);
        unsigned lead = digits_lead8(v);
        p += lead;
        if (lead < 8)
            return p;
    }
    while (p < end && (unsigned)(*p - '0') <= 9)
        p++;
    return p;
}

/* Eight digits as a number. */
static inline uint64_t digits_value8(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    v -= UINT64_C(0x3030303030303030);
    v = v * 10 + (v >> 8); /* pairs */
    return ((v & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064) +
            (v >> 16 & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001)) >>
           32;
}

/* Up to 19 digits as a number. */
static inline uint64_t digits_value(const char *p, unsigned count)
{
    uint64_t v = 0;
    for (; count >= 8; count -= 8, p += 8)
        v = v * 100000000 + digits_value8(p);
    for (; count > 0; count--)
        v = v * 10 + (uint64_t)(*p++ - '0');
    return v;
}

#endif
