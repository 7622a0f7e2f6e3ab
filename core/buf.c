/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The buffer grows by doubling, up to its ceiling. Numbers in network order, printf and JSON
 * strings are all appended through buf_add() or buf_reserve(), which latch a failure.
 */
#include "core/buf.h"

#include "core/big_endian.h"
#include "core/shortage.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_BYTES 256

void buf_init(struct buf *buf, size_t ceiling_bytes)
{
    *buf = (struct buf){.ceiling_bytes = ceiling_bytes};
}

void buf_reset(struct buf *buf)
{
    buf->bytes = 0;
    buf->failed = false;
}

void buf_free(struct buf *buf)
{
    free(buf->p);
    buf_init(buf, buf->ceiling_bytes);
}

static bool buf_grow(struct buf *buf, size_t need)
{
    size_t capacity = buf->capacity ? buf->capacity * 2 : FIRST_BYTES;
    while (capacity < need)
        capacity *= 2;
    if (capacity > buf->ceiling_bytes)
        capacity = buf->ceiling_bytes;
    char *p = realloc(buf->p, capacity);
    if (!p) {
        shortage_note();
        return false;
    }
    buf->p = p;
    buf->capacity = capacity;
    return true;
}

char *buf_reserve(struct buf *buf, size_t bytes)
{
    assert(buf->bytes <= buf->ceiling_bytes);
    if (buf->failed)
        return NULL;
    if (bytes > buf->ceiling_bytes - buf->bytes ||
        ((!buf->p || bytes > buf->capacity - buf->bytes) && !buf_grow(buf, buf->bytes + bytes))) {
        buf->failed = true;
        return NULL;
    }
    return buf->p + buf->bytes;
}

void buf_add(struct buf *buf, struct slice text)
{
    char *p = buf_reserve(buf, text.bytes);
    if (!p)
        return;
    if (text.bytes > 0)
        memcpy(p, text.p, text.bytes);
    buf->bytes += text.bytes;
}

void buf_add_buf(struct buf *buf, const struct buf *text)
{
    buf->failed |= text->failed;
    buf_add(buf, buf_slice(text));
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, slice_of(text));
}

void buf_add_char(struct buf *buf, char c)
{
    buf_add(buf, (struct slice){&c, 1});
}

void buf_add_be16(struct buf *buf, uint16_t v)
{
    char bytes[sizeof(v)];
    put_be16(bytes, v);
    buf_add(buf, (struct slice){bytes, sizeof(bytes)});
}

void buf_add_be32(struct buf *buf, uint32_t v)
{
    char bytes[sizeof(v)];
    put_be32(bytes, v);
    buf_add(buf, (struct slice){bytes, sizeof(bytes)});
}

void buf_add_be64(struct buf *buf, uint64_t v)
{
    char bytes[sizeof(v)];
    put_be64(bytes, v);
    buf_add(buf, (struct slice){bytes, sizeof(bytes)});
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *p = bytes < 0 ? NULL : buf_reserve(buf, (size_t)bytes + 1);
    if (p) {
        vsnprintf(p, (size_t)bytes + 1, fmt, again);
        buf->bytes += (size_t)bytes;
    }
    va_end(again);
}

/* What RFC 8259 section 7 wants escaped: the quote, the backslash and the control characters. */
static char *put_escape(char *p, unsigned char c)
{
    static const char shorthand[] = "\bb\ff\nn\rr\tt\"\"\\\\", hex[] = "0123456789abcdef";
    *p++ = '\\';
    for (const char *s = shorthand; *s; s += 2)
        if ((unsigned char)s[0] == c) {
            *p++ = s[1];
            return p;
        }
    memcpy(p, (const char[]){'u', '0', '0', hex[c >> 4], hex[c & 15]}, 5);
    return p + 5;
}

char *buf_put_json_string(char *p, struct slice text)
{
    *p++ = '"';
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char c = (unsigned char)text.p[i];
        unsigned char next = i + 1 < text.bytes ? (unsigned char)text.p[i + 1] : 0;
        if (c == 0xc2 && next < 0xa0 && next >= 0x80) /* C1: a terminal would obey it */
            p = put_escape(p, (unsigned char)text.p[++i]);
        else if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            *p++ = (char)c;
        else
            p = put_escape(p, c);
    }
    *p++ = '"';
    return p;
}

void buf_add_json_string(struct buf *buf, struct slice text)
{
    char *p = buf_reserve(buf, BUF_JSON_STRING_MAX(text.bytes));
    if (p)
        buf->bytes += (size_t)(buf_put_json_string(p, text) - p);
}
