/* SPDX-License-Identifier: Apache-2.0 */
/* kcat escapes what JSON must escape and writes all other bytes as they are, so that a value that
 * is not text comes through as well: strings are unescaped here, not repaired. */
#include "cli/kcat.h"

#include "ingest/text.h"

#define MS_US 1000

/* Members that every line of kcat has, with their types; a null is TOKEN_NULL. */
struct line {
    struct json topic, partition, offset, ts, headers, key, payload;
};

static bool line_read(const struct json *object, struct line *line)
{
    struct walk walk;
    struct json key, value;
    const struct {
        const char *name;
        struct json *to;
    } members[] = {
        {"topic", &line->topic},     {"partition", &line->partition}, {"offset", &line->offset},
        {"ts", &line->ts},           {"headers", &line->headers},     {"key", &line->key},
        {"payload", &line->payload},
    };
    walk_open(&walk, object, NULL);
    while (walk_member(&walk, &key, &value))
        for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
            if (text_equals(&key, slice_of(members[i].name)))
                *members[i].to = value;
    return line->topic.type == TOKEN_STRING && line->partition.type == TOKEN_NUMBER &&
           line->offset.type == TOKEN_NUMBER && line->payload.type != TOKEN_NONE &&
           line->key.type != TOKEN_NONE;
}

/* p == NULL: null, or no memory. */
static struct slice bytes_of(const struct json *value, struct arena *batch)
{
    if (value->type != TOKEN_STRING)
        return (struct slice){NULL, 0};
    return text_raw(value, batch);
}

static int64_t number_of(const struct json *value)
{
    int64_t number;
    return value->type == TOKEN_NUMBER && slice_count(json_slice(value), &number) ? number : 0;
}

/* ["name", "value", "name", null…] */
static void headers_read(const struct json *list, struct kcat *kcat, struct envelope *envelope,
                         struct arena *batch)
{
    struct walk walk;
    struct json name, value;
    envelope->headers = kcat->headers;
    if (list->type != TOKEN_ARRAY)
        return;
    walk_open(&walk, list, batch);
    while (envelope->header_count < HEADERS_MAX && walk_element(&walk, &name) &&
           walk_element(&walk, &value))
        kcat->headers[envelope->header_count++] =
            (struct header){bytes_of(&name, batch), bytes_of(&value, batch)};
}

bool kcat_read(struct slice text, struct kcat *kcat, struct message *message, struct arena *batch)
{
    struct json object;
    struct line line = {0};
    struct scan scan = {.p = text.p, .end = text.p + text.bytes};
    if (text.bytes > UINT32_MAX || !memmem(text.p, text.bytes, "\"payload\"", 9) ||
        !scan_text(&scan, &object) || object.type != TOKEN_OBJECT || !line_read(&object, &line))
        return false;
    *message = (struct message){
        .bytes = bytes_of(&line.payload, batch),
        .tombstone = line.payload.type == TOKEN_NULL,
        .kafka_time_us = number_of(&line.ts) * MS_US,
        .envelope = {.key = bytes_of(&line.key, batch)},
        .topic = bytes_of(&line.topic, batch),
        .partition = (int32_t)number_of(&line.partition),
    };
    headers_read(&line.headers, kcat, &message->envelope, batch);
    return true;
}
