/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The paths that a set of mappings wants, as one trie.
 *
 * A node is a place in a JSON value, reached by member names alone; its id is the slot that the
 * reader fills. Everything that is not a member name starts a scope, a trie of its own over a value
 * that is read only when somebody asks (ingest/reader.h): the JSON inside a string, an OTLP list of
 * {key, value} as an object, one element of an array, each element of an array in turn.
 *
 * Built once, then frozen: ids are given in depth-first order, so that a subtree is a range.
 */
#ifndef INGEST_TRIE_H
#define INGEST_TRIE_H

#include "core/arena.h"
#include "ingest/walk.h"

/* A key as it is compared: its first and last eight bytes say all of one that is not longer. */
struct key_ends {
    uint64_t first, last;
};

struct edge {
    struct key_ends ends;
    const char *key;
    uint32_t bytes;
    const struct node *to;
};

struct node {
    uint32_t id, end;         /* slots [id, end) are the node and all below */
    uint32_t mask;            /* places of the index - 1 */
    const uint16_t *index;    /* hash table: 0 is a free place, else the edge's number from 1 */
    const struct edge *edges; /* NULL: no members are wanted */
    struct slice key;
    struct node *child, *next;
};

enum scope_kind {
    SCOPE_RECORD, /* the record itself */
    SCOPE_JSON,   /* a string that holds JSON; any other value as it is */
    SCOPE_KV,     /* [{"key": k, "value": v}...] as {k: v...} */
    SCOPE_SELECT, /* one element of an array, by index or by a member's text */
    SCOPE_KEY,    /* the JSON of the Kafka record's key */
    SCOPE_EACH,   /* the elements of an array, one after the other */
};

struct scope {
    enum scope_kind kind;
    uint32_t id, end; /* scopes [id, end) are the scope and all derived from it */
    struct scope *parent;
    const struct node *source; /* in the parent: where the value is */
    struct node *root;
    struct slice token;        /* SELECT: as written, also a member's name if it meets an object */
    int64_t index;             /* SELECT: from 0; -1 = the last */
    struct slice member, text; /* SELECT: member.p != NULL: the first element with this member */
    struct scope *child, *next;
};

#define TRIE_DEPTH_INNER 8

struct trie {
    struct arena *process;
    struct scope *record;
    uint32_t node_count, scope_count;
    uint64_t *inner; /* by node id: members of it are wanted, and it is less deep than that */
};

/* Bits of word `word` that are of [from, to). */
static inline uint64_t bits_of_range(uint32_t word, uint32_t from, uint32_t to)
{
    uint64_t bits = word == from / 64 ? UINT64_MAX << (from % 64) : UINT64_MAX;
    return to - word * 64 < 64 ? bits & ((UINT64_C(1) << (to % 64)) - 1) : bits;
}

/* All of these return NULL (false) only when the arena is full. */
bool trie_init(struct trie *trie, struct arena *process) MUST_CHECK;
struct node *trie_member(struct trie *trie, struct node *node, struct slice key);
/* `token` matters for SELECT, which is recognised by token_selects(). */
struct scope *trie_scope(struct trie *trie, struct scope *parent, const struct node *source,
                         enum scope_kind kind, struct slice token);
bool trie_freeze(struct trie *trie) MUST_CHECK;

/* "0", "-1" or "[member=text]". */
bool token_selects(struct slice token);

static inline struct key_ends key_ends(const char *p, size_t bytes)
{
    struct key_ends ends = {0, 0};
    if (bytes >= 8) {
        memcpy(&ends.first, p, 8);
        memcpy(&ends.last, p + bytes - 8, 8);
    } else if (bytes >= 4) {
        memcpy(&ends.first, p, 4);
        memcpy(&ends.last, p + bytes - 4, 4);
    } else if (bytes > 0) {
        ends.first = (unsigned char)p[0];
        ends.last = (uint64_t)(unsigned char)p[bytes / 2] << 8 | (unsigned char)p[bytes - 1];
    }
    return ends;
}

static inline uint32_t key_hash(struct key_ends ends, size_t bytes)
{
    uint64_t v = ends.first ^ (ends.last << 29 | ends.last >> 35) ^ bytes;
    return (uint32_t)(v * UINT64_C(0xd6e8feb86659fd93) >> 32);
}

/* Of keys that are longer than both ends: what is between them. */
static inline bool key_middle_equal(const char *a, const char *b, size_t bytes)
{
    uint64_t x, y, diff = 0;
    for (size_t i = 8; i + 8 < bytes; i += 8) {
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        diff |= x ^ y;
    }
    return diff == 0;
}

/* The member's node, or NULL when nobody wants it. */
const struct node *node_escaped(const struct node *node, const struct json *key);

static inline const struct node *node_find(const struct node *node, const struct json *key)
{
    if (key->flags & JSON_ESCAPED)
        return node_escaped(node, key);
    struct key_ends ends = key_ends(key->p, key->bytes);
    for (uint32_t i = key_hash(ends, key->bytes) & node->mask; node->index[i];
         i = (i + 1) & node->mask) {
        const struct edge *edge = &node->edges[node->index[i] - 1];
        if (edge->ends.first == ends.first && edge->ends.last == ends.last &&
            edge->bytes == key->bytes &&
            (key->bytes <= 16 || key_middle_equal(edge->key, key->p, key->bytes)))
            return edge->to;
    }
    return NULL;
}

#endif
