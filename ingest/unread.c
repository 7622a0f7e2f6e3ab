/* SPDX-License-Identifier: Apache-2.0 */
/* Looking through usage for names that no path of the mapping leads to. */
#include "ingest/unread.h"

#include "ingest/number.h"
#include "ingest/text.h"

#define DEPTH_MAX 8 /* of objects within a usage */

_Static_assert(TRIE_DEPTH_INNER <= DEPTH_MAX, "what is inner is looked into");

struct look {
    const struct mapping *mapping;
    const struct watch *watch;
    struct arena *batch;
    struct slice *name; /* of the innermost member that is looked at */
};

static bool is_known(const struct mapping *mapping, const struct node *node)
{
    return node && mapping->known[node->id / 64] >> (node->id % 64) & 1;
}

/* A number, or a text that is one: OTLP writes its integers so. */
static bool is_above_zero(const struct json *value)
{
    struct decimal d;
    if (value->type != TOKEN_NUMBER && value->type != TOKEN_STRING)
        return false;
    return number_decimal(json_slice(value), &d) == NUMBER_OK && !d.negative && d.coef > 0;
}

/* What something cost is not usage. */
static bool is_money(const struct json *key)
{
    return memmem(key->p, key->bytes, "cost", 4) != NULL;
}

static const struct node *child_of(const struct node *node, const struct json *key)
{
    return node && node->edges ? node_find(node, key) : NULL;
}

/* `node`: where the value is in the trie; NULL: where no path leads. */
static bool value_unread(const struct look *look, const struct node *node, const struct json *value,
                         unsigned depth)
{
    struct walk walk;
    struct json key, inner;
    bool leaf = !node || !node->edges, unread = false;
    if (is_known(look->mapping, node) && (leaf || value->type != TOKEN_OBJECT))
        return false;
    if (value->type != TOKEN_OBJECT && value->type != TOKEN_ARRAY)
        return is_above_zero(value);
    walk_open(&walk, value, look->batch);
    if (depth == DEPTH_MAX) /* whatever lies so deep is read by nobody */
        return value->type == TOKEN_ARRAY ? walk_element(&walk, &inner)
                                          : walk_member(&walk, &key, &inner);
    if (value->type == TOKEN_ARRAY)
        while (!unread && walk_element(&walk, &inner))
            unread = value_unread(look, NULL, &inner, depth + 1);
    else
        while (!unread && walk_member(&walk, &key, &inner)) {
            *look->name = json_slice(&key);
            unread = value_unread(look, child_of(node, &key), &inner, depth + 1) && !is_money(&key);
        }
    return unread;
}

static bool has_prefix(const struct watch *watch, const struct json *key)
{
    for (size_t i = 0; i < watch->prefix_count; i++)
        if (slice_starts(json_slice(key), watch->prefix[i]))
            return true;
    return watch->prefix_count == 0;
}

static bool member_unread(const struct look *look, const struct json *key, const struct json *value)
{
    *look->name = json_slice(key);
    return has_prefix(look->watch, key) &&
           value_unread(look, child_of(look->watch->node, key), value, 1) && !is_money(key);
}

/* {"key": "gen_ai.usage.x", "value": {"intValue": "3"}} */
static bool pair_unread(const struct look *look, const struct json *pair)
{
    struct walk walk;
    struct json name, member, key = {0}, value = {0};
    if (pair->type != TOKEN_OBJECT)
        return false;
    walk_open(&walk, pair, look->batch);
    while (walk_member(&walk, &name, &member)) {
        if (slice_is(json_slice(&name), "key"))
            key = member;
        else if (slice_is(json_slice(&name), "value"))
            value = member;
        if (key.p && !has_prefix(look->watch, &key))
            return false;
    }
    if (key.type != TOKEN_STRING || value.type != TOKEN_OBJECT)
        return false;
    walk_open(&walk, &value, look->batch);
    return walk_member(&walk, &name, &member) && member_unread(look, &key, &member);
}

/* Whether what the reader noted says enough: it passed over nothing that could be a number, and all
 * that it found are values of paths of the mapping, or objects of such, or no numbers. Nearly all
 * usage is so, and need not be walked through. */
static bool all_known(const struct reader *reader, const struct mapping *mapping,
                      const struct watch *watch)
{
    uint32_t from = watch->node->id, to = watch->node->end;
    if (reader->duplicate_key || watch->prefix_count > 0)
        return false;
    for (uint32_t word = from / 64; word * 64 < to; word++) {
        uint64_t range = bits_of_range(word, from, to);
        uint64_t others = reader->present[word] & ~mapping->known[word] & range;
        if (reader->passed[word] & range)
            return false;
        for (; others; others &= others - 1) {
            uint32_t slot = word * 64 + (unsigned)__builtin_ctzll(others);
            enum token type = (enum token)reader->slot[slot].type;
            bool inner = reader->trie->inner[word] >> (slot % 64) & 1;
            if (type == TOKEN_NUMBER || type == TOKEN_STRING || type == TOKEN_ARRAY ||
                (type == TOKEN_OBJECT && !inner))
                return false;
        }
    }
    return true;
}

static bool watch_unread(struct eval *eval, const struct mapping *mapping,
                         const struct watch *watch)
{
    struct walk walk;
    struct json key, value;
    bool unread = false;
    const struct look look = {mapping, watch, eval->batch, &eval->unread};
    const struct json *found = reader_get(&eval->reader, watch->scope, watch->node);
    if (!found || (found->type != TOKEN_OBJECT && found->type != TOKEN_ARRAY))
        return false;
    if (found->type == TOKEN_OBJECT && !json_is_wire(found) &&
        all_known(&eval->reader, mapping, watch))
        return false;
    walk_open(&walk, found, eval->batch);
    if (found->type == TOKEN_ARRAY)
        while (!unread && walk_element(&walk, &value))
            unread = pair_unread(&look, &value);
    else
        while (!unread && walk_member(&walk, &key, &value))
            unread = member_unread(&look, &key, &value);
    return unread;
}

bool usage_unread(struct eval *eval, const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->watch_count; i++)
        if (watch_unread(eval, mapping, &mapping->watch[i]))
            return true;
    eval->unread = (struct slice){NULL, 0};
    return false;
}
