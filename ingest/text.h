/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content of JSON strings: unescaped, and repaired so that PostgreSQL takes it. U+0000, lone
 * surrogates and invalid UTF-8 become U+FFFD each; whoever copies out is told by `repaired`.
 */
#ifndef INGEST_TEXT_H
#define INGEST_TEXT_H

#include "core/arena.h"
#include "ingest/walk.h"

/* The text of a string: a slice of the message where nothing has to be changed, else a copy in the
 * arena. p == NULL: the arena is full. */
struct slice text_of(const struct json *string, struct arena *batch, bool *repaired);

/* Unescaped, but not repaired (\u0000 stays NUL): what JSON inside a string is parsed from. */
struct slice text_raw(const struct json *string, struct arena *batch);

/* What a string is whose bytes stand for themselves: enum json_flag, with JSON_PLAIN. */
uint8_t text_plain_flags(struct slice text);

/* Compares unescaped, without copying. */
bool text_equals(const struct json *string, struct slice text);

/* A value as JSON text that is safe to store: as it stands if possible. p == NULL: arena full. */
struct slice text_json(const struct json *value, struct arena *batch, bool *repaired);
/* The same of a value that came as JSON. */
struct slice text_of_json(const struct json *value, struct arena *batch, bool *repaired);

/* Valid UTF-8 as a JSON string with its quotes. The text goes into content hashes that are stored,
 * so its bytes never change: its escapes are not those of buf_put_json_string(). NULL p: arena
 * full. */
struct slice text_quote(struct slice text, struct arena *batch);

/* Unicode code points that are not white space (Python's str.isspace(), by which LiteLLM counts
 * characters for text-to-speech and Vertex AI). The text must be valid UTF-8. */
int64_t text_characters(struct slice text);

#endif
