/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One strict pass over a record fills the slots of a trie; all else is validated and skipped.
 * Scopes beyond the record are read when first asked for, from the slices of the pass.
 *
 *     reader_record(reader, &scan, 0)           the pass
 *     reader_get(reader, scope, node)           a value, or NULL
 *     reader_each(...), reader_next(...)        the elements of an EACH scope
 *
 * A member named twice in an object: the last one counts, whole, and `duplicate_key` is set (for
 * members that are wanted; the others have no slot to notice it by).
 */
#ifndef INGEST_READER_H
#define INGEST_READER_H

#include "ingest/trie.h"

struct reader {
    const struct trie *trie;
    struct json *slot;  /* by node id; meaningful where `present` has its bit */
    uint64_t *present;  /* by node id */
    uint64_t *loaded;   /* by scope id: it was read */
    bool duplicate_key; /* in the record or one of its scopes */
    struct arena *batch;
};

/* Takes the frozen trie and memory for its slots. */
bool reader_init(struct reader *reader, const struct trie *trie) MUST_CHECK;
void reader_free(struct reader *reader);

/* Reads the value at scan->p as the record; false with scan->reason set. `depth` as scan_value().
 */
bool reader_record(struct reader *reader, struct scan *scan, unsigned depth) MUST_CHECK;

/* Puts a value that is known to be valid into an EACH scope as its current element. */
void reader_element(struct reader *reader, const struct scope *scope, const struct json *value);

bool reader_load(struct reader *reader, const struct scope *scope);

/* The value of a node, NULL when it is absent or null. */
static inline const struct json *reader_get(struct reader *reader, const struct scope *scope,
                                            const struct node *node)
{
    if (!(reader->loaded[scope->id / 64] >> (scope->id % 64) & 1) && !reader_load(reader, scope))
        return NULL;
    if (!(reader->present[node->id / 64] >> (node->id % 64) & 1))
        return NULL;
    const struct json *json = &reader->slot[node->id];
    return json->type == JSON_NULL ? NULL : json;
}

#endif
