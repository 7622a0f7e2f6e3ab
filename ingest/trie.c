/* SPDX-License-Identifier: Apache-2.0 */
/* Building the trie of all paths of the mappings. */
#include "ingest/trie.h"

#include "ingest/text.h"

#include <stdlib.h>

static struct node *node_new(struct trie *trie, struct slice key)
{
    struct node *node = arena_zalloc(trie->process, sizeof *node);
    if (node)
        node->key = key;
    return node;
}

bool trie_init(struct trie *trie, struct arena *process)
{
    *trie = (struct trie){.process = process};
    trie->record = arena_zalloc(process, sizeof *trie->record);
    if (!trie->record)
        return false;
    trie->record->root = node_new(trie, SLICE(""));
    return trie->record->root != NULL;
}

struct node *trie_member(struct trie *trie, struct node *node, struct slice key)
{
    struct node **at = &node->child;
    for (; *at; at = &(*at)->next)
        if (slice_eq((*at)->key, key))
            return *at;
    return *at = node_new(trie, key);
}

/* An integer of at most nine digits; INT64_MIN: it is not one. */
static int64_t token_index(struct slice token)
{
    size_t i = token.bytes > 0 && token.p[0] == '-';
    int64_t v = 0;
    if (i == token.bytes || token.bytes > 9)
        return INT64_MIN;
    for (; i < token.bytes; i++) {
        unsigned digit = (unsigned)(token.p[i] - '0');
        if (digit > 9)
            return INT64_MIN;
        v = v * 10 + digit;
    }
    return token.p[0] == '-' ? -v : v;
}

static bool token_matches(struct slice token)
{
    return token.bytes > 3 && token.p[0] == '[' && token.p[token.bytes - 1] == ']' &&
           memchr(token.p, '=', token.bytes);
}

bool token_selects(struct slice token)
{
    return token_matches(token) || token_index(token) >= -1;
}

static void scope_select(struct scope *scope, struct slice token)
{
    scope->token = token;
    if (!token_matches(token)) {
        scope->index = token_index(token);
        return;
    }
    const char *equal = memchr(token.p, '=', token.bytes);
    scope->member = (struct slice){token.p + 1, (size_t)(equal - token.p - 1)};
    scope->text = (struct slice){equal + 1, (size_t)(token.p + token.bytes - 1 - (equal + 1))};
}

struct scope *trie_scope(struct trie *trie, struct scope *parent, const struct node *source,
                         enum scope_kind kind, struct slice token)
{
    struct scope **at = &parent->child;
    for (; *at; at = &(*at)->next)
        if ((*at)->kind == kind && (*at)->source == source && slice_eq((*at)->token, token))
            return *at;
    struct scope *scope = arena_zalloc(trie->process, sizeof *scope);
    if (!scope)
        return NULL;
    scope->kind = kind;
    scope->parent = parent;
    scope->source = source;
    scope->root = node_new(trie, SLICE(""));
    if (!scope->root)
        return NULL;
    if (kind == SCOPE_SELECT)
        scope_select(scope, token);
    return *at = scope;
}

/* The index is at most half full, so that a miss, the usual case, ends at once. */
static bool edges_build(struct trie *trie, struct node *node, uint32_t members)
{
    uint32_t places = 2, count = 0;
    while (places < members * 2)
        places *= 2;
    uint16_t *index = arena_zalloc(trie->process, places * sizeof *index);
    struct edge *edges = arena_zalloc(trie->process, members * sizeof *edges);
    if (!index || !edges || members >= UINT16_MAX)
        return false;
    for (const struct node *child = node->child; child; child = child->next) {
        struct slice key = child->key;
        struct key_ends ends = key_ends(key.p, key.bytes);
        uint32_t i = key_hash(ends, key.bytes) & (places - 1);
        while (index[i])
            i = (i + 1) & (places - 1);
        edges[count++] = (struct edge){ends, key.p, (uint32_t)key.bytes, child};
        index[i] = (uint16_t)count;
    }
    node->index = index;
    node->edges = edges;
    node->mask = places - 1;
    return true;
}

static bool node_freeze(struct trie *trie, struct node *node)
{
    uint32_t members = 0;
    node->id = trie->node_count++;
    for (struct node *child = node->child; child; child = child->next, members++)
        if (!node_freeze(trie, child))
            return false;
    node->end = trie->node_count;
    return members == 0 || edges_build(trie, node, members);
}

static void inner_mark(struct trie *trie, const struct node *node, unsigned depth)
{
    if (!node->edges || depth >= TRIE_DEPTH_INNER)
        return;
    trie->inner[node->id / 64] |= UINT64_C(1) << (node->id % 64);
    for (const struct node *child = node->child; child; child = child->next)
        inner_mark(trie, child, depth + 1);
}

static void scope_mark(struct trie *trie, const struct scope *scope)
{
    inner_mark(trie, scope->root, 0);
    for (const struct scope *child = scope->child; child; child = child->next)
        scope_mark(trie, child);
}

static bool scope_freeze(struct trie *trie, struct scope *scope)
{
    scope->id = trie->scope_count++;
    if (!node_freeze(trie, scope->root))
        return false;
    for (struct scope *child = scope->child; child; child = child->next)
        if (!scope_freeze(trie, child))
            return false;
    scope->end = trie->scope_count;
    return true;
}

bool trie_freeze(struct trie *trie)
{
    trie->node_count = trie->scope_count = 0;
    if (!scope_freeze(trie, trie->record))
        return false;
    trie->inner = arena_zalloc(trie->process, (trie->node_count / 64 + 1) * sizeof *trie->inner);
    if (trie->inner)
        scope_mark(trie, trie->record);
    return trie->inner != NULL;
}

const struct node *node_escaped(const struct node *node, const struct json *key)
{
    for (const struct node *child = node->child; child; child = child->next)
        if (text_equals(key, child->key))
            return child;
    return NULL;
}
