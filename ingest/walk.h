/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking a container that is known to be valid: JSON text that scan_value() took, or protobuf that
 * wire_check() took. The cursor starts before the first element or member and ends when these
 * return false. Numbers of protobuf are made into text in the arena.
 */
#ifndef INGEST_WALK_H
#define INGEST_WALK_H

#include "ingest/wire.h"

struct walk {
    struct scan scan; /* of JSON text */
    struct wire wire;
    struct json container;
    struct arena *batch;
};

void walk_open(struct walk *walk, const struct json *container, struct arena *batch);
bool walk_more(struct walk *walk); /* JSON text: to the next element's or member's first byte */
bool walk_element(struct walk *walk, struct json *value);
bool walk_member(struct walk *walk, struct json *key, struct json *value);

/* The last member of an object that has this name (a key with escapes is compared unescaped);
 * false: there is none. */
bool json_member(const struct json *object, struct slice name, struct json *value,
                 struct arena *batch);

#endif
