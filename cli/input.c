/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file is read line by line, unless its first value runs over several lines or its first byte is
 * that of a binary message: then the whole of it is looked at, and may be one message.
 */
#include "cli/input.h"

#include "core/buf.h"
#include "ingest/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WHOLE_BYTES_MAX (1u << 30)

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_blank(struct slice text)
{
    for (size_t i = 0; i < text.bytes; i++)
        if (!is_space(text.p[i]))
            return false;
    return true;
}

/* Where the first object or array of the text ends, by brackets and strings alone; the reader
 * judges the rest. 0: it does not, or the text starts with neither. */
static size_t value_end(struct slice text, size_t start)
{
    size_t depth = 0;
    bool in_string = false;
    if (start >= text.bytes || (text.p[start] != '{' && text.p[start] != '['))
        return 0;
    for (size_t i = start; i < text.bytes; i++) {
        char c = text.p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

static bool one_value(const char *file, struct slice text, struct input_message *message)
{
    size_t start = 0;
    message->line = 1;
    for (; start < text.bytes && is_space(text.p[start]); start++)
        message->line += text.p[start] == '\n';
    size_t end = value_end(text, start);
    if (end == 0 || !memchr(text.p + start, '\n', end - start) ||
        !is_blank((struct slice){text.p + end, text.bytes - end}))
        return false;
    message->file = file;
    message->bytes = (struct slice){text.p + start, end - start};
    return true;
}

static bool read_lines(const char *file, struct slice text, input_fn *on_message, void *context)
{
    uint64_t line = 0;
    while (text.bytes > 0) {
        const char *newline = memchr(text.p, '\n', text.bytes);
        size_t bytes = newline ? (size_t)(newline - text.p) : text.bytes;
        struct input_message message = {file, ++line, {text.p, bytes}};
        if (!is_blank(message.bytes) && !on_message(&message, context))
            return false;
        bytes += newline ? 1 : 0;
        text = (struct slice){text.p + bytes, text.bytes - bytes};
    }
    return true;
}

static bool read_stream(FILE *in, const char *file, input_fn *on_message, void *context,
                        struct err *err)
{
    char *buffer = NULL;
    size_t capacity = 0;
    ssize_t bytes;
    struct input_message message = {.file = file};
    while ((bytes = getline(&buffer, &capacity, in)) > 0) {
        if (buffer[bytes - 1] == '\n')
            bytes--;
        message.line++;
        message.bytes = (struct slice){buffer, (size_t)bytes};
        if (!is_blank(message.bytes) && !on_message(&message, context))
            break;
    }
    int why = errno;
    free(buffer);
    /* A line that memory does not hold is neither the end nor an error of the file. */
    return bytes > 0 || feof(in) || err_set(err, ERR_INPUT, "%s: %s", file, strerror(why));
}

/* Whether the first line that holds something begins a value that it does not end. */
static bool begins_large(FILE *in)
{
    int first = getc(in);
    rewind(in);
    if (first == '\n' || first == '\0')
        return true; /* perhaps no text at all */

    char *line = NULL;
    size_t capacity = 0;
    ssize_t bytes;
    bool large = false;
    while ((bytes = getline(&line, &capacity, in)) > 0) {
        struct slice text = {line, (size_t)bytes};
        if (is_blank(text))
            continue;
        size_t start = strspn(line, " \t\r\n");
        large = (line[start] == '{' || line[start] == '[') && value_end(text, start) == 0;
        break;
    }
    free(line);
    rewind(in);
    return large;
}

/* A message that is not text, as `kcat -c 1 -f '%s' >FILE` leaves it: its first byte is that of
 * OTLP as protobuf, or of a schema registry's framing. */
static bool is_one_message(const char *file, struct slice text, struct input_message *message)
{
    bool framed = text.bytes > 5 && text.p[0] == '\0';
    *message = (struct input_message){file, 1, text};
    return framed || wire_begins(text);
}

static bool read_whole(FILE *in, const char *file, off_t size, input_fn *on_message, void *context,
                       struct err *err)
{
    char chunk[64 << 10];
    size_t bytes;
    struct buf text;
    buf_init(&text, WHOLE_BYTES_MAX);
    bool ok = size <= WHOLE_BYTES_MAX;
    while (ok && (bytes = fread(chunk, 1, sizeof(chunk), in)) > 0) {
        buf_add(&text, (struct slice){chunk, bytes});
        ok = buf_ok(&text); /* the file may have grown */
    }
    bool unread = ferror(in);
    int why = errno;
    struct input_message message;
    if (unread)
        ok = err_set(err, ERR_INPUT, "%s: %s", file, strerror(why));
    else if (!ok)
        err_set(err, ERR_INPUT, "%s: a value over several lines in more than %u bytes", file,
                WHOLE_BYTES_MAX);
    else if (is_one_message(file, buf_slice(&text), &message))
        on_message(&message, context);
    else if (one_value(file, buf_slice(&text), &message))
        on_message(&message, context);
    else
        read_lines(file, buf_slice(&text), on_message, context);
    buf_free(&text);
    return ok;
}

/* A file may be one value over several lines: then it is read whole. All else goes line by line,
 * and what becomes of the file meanwhile does not matter. */
static bool read_file(const char *file, input_fn *on_message, void *context, struct err *err)
{
    struct stat st;
    if (strcmp(file, "-") == 0)
        return read_stream(stdin, file, on_message, context, err);
    FILE *in = fopen(file, "re");
    if (!in)
        return err_set(err, ERR_INPUT, "%s: %s", file, strerror(errno));
    bool regular = fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode);
    bool ok = regular && begins_large(in)
                  ? read_whole(in, file, st.st_size, on_message, context, err)
                  : read_stream(in, file, on_message, context, err);
    fclose(in);
    return ok;
}

bool input_read(char *const files[], int count, input_fn *on_message, void *context,
                struct err *err)
{
    if (count == 0)
        return read_stream(stdin, "-", on_message, context, err);
    for (int i = 0; i < count; i++)
        if (!read_file(files[i], on_message, context, err))
            return false;
    return true;
}
