/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row's digest: which row it is, where it came from, what it says and who is charged. The
 * exclusive or over all rows of a partition is kept in kafka_offsets, moved by the transaction that
 * writes them, so that verify finds a row that was put in the place of another, or changed.
 * PostgreSQL makes the same number from what is stored, by its own hash functions
 * (spendlog.row_digest()).
 */
#ifndef STORE_ROW_DIGEST_H
#define STORE_ROW_DIGEST_H

#include "core/event.h"

#include <stdint.h>

/* hash_bytes_extended() of PostgreSQL 11 and later, on a little-endian machine. */
uint64_t pg_hash(struct slice bytes, uint64_t seed);

/* Seeds of the texts in a row's digest. */
enum { DIGEST_TEAM = 3, DIGEST_USER, DIGEST_API_KEY, DIGEST_ORG, DIGEST_MODEL };

/* The part that the labels are in; the rest is added by row_digest(). Of a lean row
 * row_words_digest() has it. */
uint64_t row_digest_labels(const struct event *event);

uint64_t row_digest(uint64_t labels, int64_t start_time_us, const uint8_t identity[16],
                    uint64_t content_hash, int64_t kafka_offset, unsigned record_index);

#endif
