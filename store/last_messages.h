/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of a partition that were stored last: a log is known again by them when the very
 * last one is not where it was. A log may lose messages (compaction, its start moves on) and gets
 * none in between, so another one among them is of another log. In kafka_offsets.last_messages they
 * are 16 bytes each, offset and hash, behind the 8 of `from`, all big-endian.
 */
#ifndef STORE_LAST_MESSAGES_H
#define STORE_LAST_MESSAGES_H

#include "core/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define LAST_MESSAGES_MAX 16
#define LAST_MESSAGES_BYTES (8 + (size_t)LAST_MESSAGES_MAX * 16)

struct last_messages {
    int64_t from; /* they are all that the log had from here to the stored offset */
    unsigned count;
    int64_t offset[LAST_MESSAGES_MAX]; /* rising */
    uint64_t hash[LAST_MESSAGES_MAX];  /* last_messages_hash() */
};

/* Of the XXH3-64 of a message's value, and of its time. */
uint64_t last_messages_hash(uint64_t value_hash, int64_t time_ms);
/* The newest one. Those at its offset and beyond are forgotten: a part of it was stored and it
 * comes again, or an operator has set the offset back. */
void last_messages_add(struct last_messages *last, int64_t offset, uint64_t hash);
/* Whether a log that has this message, before the stored offset, is another one. */
bool last_messages_contradict(const struct last_messages *last, int64_t offset, uint64_t hash);

/* Into LAST_MESSAGES_BYTES bytes, of which the result is a part. */
struct slice last_messages_put(const struct last_messages *last, char *bytes);
/* Nothing is known before next_offset when there are no bytes, or bytes of another form. */
void last_messages_take(struct last_messages *last, struct slice bytes, int64_t next_offset);

#endif
