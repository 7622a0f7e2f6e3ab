/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of names: cut, joined, compared. What is made lives in the resolver's scratch arena. */
#include "pricing/names/text.h"

#include <ctype.h>
#include <stdio.h>

void trace_line(const struct trace *trace, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    if (!trace || !trace->line)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    trace->line(text, trace->context);
}

struct slice names_join(const struct resolver *r, struct slice a, const char *between,
                        struct slice b)
{
    size_t middle = strlen(between), bytes = a.bytes + middle + b.bytes;
    char *text = arena_alloc(r->scratch, bytes + 1);
    if (!text)
        return (struct slice){"", 0};
    memcpy(text, a.bytes ? a.p : "", a.bytes);
    memcpy(text + a.bytes, between, middle);
    memcpy(text + a.bytes + middle, b.bytes ? b.p : "", b.bytes);
    text[bytes] = '\0';
    return (struct slice){text, bytes};
}

struct slice names_lower(const struct resolver *r, struct slice name)
{
    char *text = arena_alloc(r->scratch, name.bytes + 1);
    if (!text)
        return (struct slice){"", 0};
    for (size_t i = 0; i < name.bytes; i++)
        text[i] = (char)tolower((unsigned char)name.p[i]);
    text[name.bytes] = '\0';
    return (struct slice){text, name.bytes};
}

bool names_contain(struct slice name, const char *part)
{
    return name.bytes && memmem(name.p, name.bytes, part, strlen(part)) != NULL;
}

bool names_equal_folded(struct slice name, const char *lower)
{
    return name.bytes == strlen(lower) && names_contain_folded(name, lower);
}

bool names_contain_folded(struct slice name, const char *part)
{
    size_t bytes = strlen(part);
    for (size_t i = 0; i + bytes <= name.bytes; i++) {
        size_t j = 0;
        while (j < bytes && tolower((unsigned char)name.p[i + j]) == part[j])
            j++;
        if (j == bytes)
            return true;
    }
    return false;
}

struct slice names_without_prefix(struct slice name, const char *prefix)
{
    struct slice start = slice_of(prefix);
    if (slice_starts(name, start))
        return (struct slice){name.p + start.bytes, name.bytes - start.bytes};
    return name;
}

/* Splits at the first '/': false when there is none. */
bool names_split(struct slice name, struct slice *head, struct slice *tail)
{
    const char *slash = name.bytes ? memchr(name.p, '/', name.bytes) : NULL;
    *head = name;
    *tail = (struct slice){"", 0};
    if (!slash)
        return false;
    *head = (struct slice){name.p, (size_t)(slash - name.p)};
    *tail = (struct slice){slash + 1, name.bytes - head->bytes - 1};
    return true;
}

struct slice names_first_segment(struct slice name)
{
    struct slice head, tail;
    names_split(name, &head, &tail);
    return head;
}

bool names_has_segment(struct slice name, struct slice provider)
{
    return name.bytes > provider.bytes && slice_starts(name, provider) &&
           name.p[provider.bytes] == '/';
}

bool names_all_digits(struct slice text)
{
    for (size_t i = 0; i < text.bytes; i++)
        if (!isdigit((unsigned char)text.p[i]))
            return false;
    return text.bytes > 0;
}

/* Where the last `c` is; NULL when there is none. */
const char *names_find_last(struct slice name, char c)
{
    return name.bytes ? memrchr(name.p, c, name.bytes) : NULL;
}
