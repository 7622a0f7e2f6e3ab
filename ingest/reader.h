/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One strict pass over a record fills the slots of a trie; all else is validated and skipped.
 * Scopes beyond the record are read when first asked for, from the slices of the pass.
 *
 *     reader_record(reader, &scan, 0)           the pass
 *     reader_get(reader, scope, node)           a value, or NULL
 *     reader_next(reader, scope, &walk)         the elements of an EACH scope
 *
 * A member named twice in an object: the last one counts, whole, and `duplicate_key` is set (for
 * members that are wanted; the others have no slot to notice it by).
 */
#ifndef INGEST_READER_H
#define INGEST_READER_H

#include "ingest/trie.h"

/*
 * Gateways write the members of an object in the same order time after time. A seen member holds
 * the bytes of its name, as `"name":`, what the trie says of it, and the member that followed it
 * last: if the next bytes are those, the name is neither scanned nor looked up. Measured: 150
 * instructions a member less.
 */
#define SEEN_PLACES 1024 /* a power of two; members beyond displace each other */
#define SEEN_WORDS 5     /* of a name with quotes and colon: longer ones are not held */

struct seen {
    uint64_t word[SEEN_WORDS];
    uint64_t last_mask; /* of the last word that counts */
    const struct node *object, *child;
    uint8_t words, bytes; /* bytes 0: an empty place */
    uint16_t next;        /* place of the member that came next */
};

struct reader {
    const struct trie *trie;
    struct seen *seen;  /* SEEN_PLACES of them */
    uint16_t *first;    /* by node id: place of an object's first member */
    uint16_t unheld;    /* what follows a member that is not held: nothing */
    struct json *slot;  /* by node id; meaningful where `present` has its bit */
    uint64_t *present;  /* by node id */
    uint64_t *passed;   /* by node id: of an object, a member that nobody wants may be a number */
    uint64_t *loaded;   /* by scope id: it was read */
    struct slice key;   /* of the Kafka record; p == NULL: none */
    bool duplicate_key; /* in the record or one of its scopes */
    struct arena *batch;
};

/* Takes the frozen trie and memory for its slots. */
bool reader_init(struct reader *reader, const struct trie *trie) MUST_CHECK;
void reader_free(struct reader *reader);

/* Reads the value at scan->p as the record; false with scan->reason set. `depth` as scan_value().
 */
bool reader_record(struct reader *reader, struct scan *scan, unsigned depth) MUST_CHECK;

/* The same for protobuf that wire_check() took. */
void reader_message(struct reader *reader, const struct json *message);

/* Makes the next element of an array that is being walked the current one of a scope. */
bool reader_next(struct reader *reader, const struct scope *scope, struct walk *walk) MUST_CHECK;

bool reader_load(struct reader *reader, const struct scope *scope);

static inline bool reader_loaded(const struct reader *reader, uint32_t scope_id)
{
    return reader->loaded[scope_id / 64] >> (scope_id % 64) & 1;
}

/* The value of a slot whose scope is loaded; NULL when it is absent or null. */
static inline const struct json *reader_slot(const struct reader *reader, uint32_t slot)
{
    const struct json *json = &reader->slot[slot];
    bool there = reader->present[slot / 64] >> (slot % 64) & 1 && json->type != TOKEN_NULL;
    return there ? json : NULL;
}

static inline const struct json *reader_get(struct reader *reader, const struct scope *scope,
                                            const struct node *node)
{
    if (!reader_loaded(reader, scope->id) && !reader_load(reader, scope))
        return NULL;
    return reader_slot(reader, node->id);
}

#endif
