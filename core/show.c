/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text is walked by code point; one that steers, or is not UTF-8, is written as an escape. Width in
 * columns is counted on the way.
 */
#include "core/show.h"

#include "core/utf8.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX (64u << 20)

/* Not to be shown as it is: controls, and what orders or breaks lines (Unicode 15, 23.2). */
static bool steers(unsigned c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

/* One character of the name, as it is shown, at `text`; returns the bytes it takes of the name. */
static size_t next(struct slice name, size_t at, char text[12])
{
    const char *p = name.p + at;
    size_t bytes = utf8_length(p, name.p + name.bytes);
    unsigned c = bytes ? utf8_point(p, bytes) : 0;
    if (bytes == 0 || (steers(c) && bytes == 1)) {
        snprintf(text, 12, "\\x%02x", (unsigned char)*p);
        return 1;
    }
    if (steers(c)) {
        snprintf(text, 12, "\\u%04x", c);
        return bytes;
    }
    memcpy(text, p, bytes);
    text[bytes] = '\0';
    return bytes;
}

void show_add(struct buf *out, struct slice name)
{
    char text[12];
    for (size_t i = 0; i < name.bytes;) {
        i += next(name, i, text);
        buf_add_text(out, text);
    }
}

/* How many columns of a terminal a shown character takes, wide scripts left aside. */
static unsigned width_of(const char *text)
{
    return text[0] == '\\' && text[1] ? (unsigned)strlen(text) : 1;
}

void show_add_column(struct buf *out, struct slice name, unsigned width)
{
    char text[12];
    unsigned used = 0;
    if (name.bytes == 0)
        name = SLICE("-");
    for (size_t i = 0; i < name.bytes; used += width_of(text)) {
        i += next(name, i, text);
        buf_add_text(out, text);
    }
    if (used < width)
        buf_printf(out, "%*s", (int)(width - used), "");
}

void show_add_csv(struct buf *out, struct slice name)
{
    char text[12];
    buf_add_char(out, '"');
    if (name.bytes > 0 && memchr("=+-@\t\r", name.p[0], 6))
        buf_add_char(out, '\'');
    for (size_t i = 0; i < name.bytes;) {
        i += next(name, i, text);
        buf_add_text(out, text[0] == '"' ? "\"\"" : text);
    }
    buf_add_char(out, '"');
}

void show_add_html(struct buf *out, struct slice name)
{
    char text[12];
    for (size_t i = 0; i < name.bytes;) {
        i += next(name, i, text);
        if (text[0] && strchr("<>&\"'", text[0]))
            buf_printf(out, "&#%d;", text[0]);
        else
            buf_add_text(out, text);
    }
}

static atomic_bool left_out;

void show_buf(FILE *out, const struct buf *text)
{
    if (!buf_ok(text))
        atomic_store(&left_out, true);
    else if (text->bytes > 0)
        fwrite(text->p, 1, text->bytes, out);
}

bool show_left_out(void)
{
    return atomic_load(&left_out);
}

void show_line(FILE *out, const char *fmt, ...)
{
    struct buf shown;
    va_list args;
    char *formatted = NULL;
    va_start(args, fmt);
    int bytes = vasprintf(&formatted, fmt, args);
    va_end(args);
    if (bytes < 0) {
        atomic_store(&left_out, true);
        return;
    }
    buf_init(&shown, LINE_BYTES_MAX);
    show_add(&shown, (struct slice){formatted, (size_t)bytes});
    buf_add_char(&shown, '\n');
    show_buf(out, &shown);
    buf_free(&shown);
    free(formatted);
}

void show_blank(char *text)
{
    struct slice all = slice_of(text);
    for (size_t i = 0; i < all.bytes;) {
        size_t bytes = utf8_length(text + i, text + all.bytes);
        unsigned c = bytes ? utf8_point(text + i, bytes) : 0;
        if (bytes <= 1 && (bytes == 0 || steers(c)))
            text[i] = bytes == 0 ? '?' : ' ';
        else if (steers(c))
            memset(text + i, '?', bytes);
        i += bytes ? bytes : 1;
    }
}
