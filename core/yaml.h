/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML (libyaml) as a read-only tree that remembers file, line and column of every node.
 *
 * Scalars keep their text and whether they were quoted; what they mean is the reader's business
 * (a price is read as decimal text, whatever YAML 1.1 would make of it). Anchors, aliases and merge
 * keys (`<<`) are resolved. Duplicate keys, depth beyond 64, more than 1,000,000 nodes (aliases
 * expanded) are ERR_CONFIG. A tree is one allocation lifetime: yaml_free() ends all of it.
 */
#ifndef CORE_YAML_H
#define CORE_YAML_H

#include "core/err.h"
#include "core/slice.h"

#include <stdint.h>

enum yaml_kind { YAML_NULL, YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind; /* YAML_NULL: plain ~, null or nothing */
    bool quoted;         /* scalar in quotes or block style: never null, bool or number by itself */
    unsigned line, column;      /* from 1 */
    struct slice text;          /* scalar: its value, NUL-terminated behind it */
    struct yaml_node *key;      /* member of a map: its key */
    struct yaml_node *children; /* list or map: first child */
    struct yaml_node *next;     /* next sibling, in file order */
    size_t count;               /* children */
    const char *file;           /* as given to the parser */
};

struct yaml_tree;

/* `file` is only for messages. ERR_CONFIG with file:line:column. An empty document is a YAML_NULL
 * root; several documents are an error. */
struct yaml_tree *yaml_parse(struct slice text, const char *file, struct err *err);
struct yaml_tree *yaml_load(const char *path, struct err *err);
void yaml_tree_free(struct yaml_tree *tree);
/* Inline because libyaml has a yaml_free of its own: a symbol of ours would take its place. */
static inline void yaml_free(struct yaml_tree *tree)
{
    yaml_tree_free(tree);
}
const struct yaml_node *yaml_root(const struct yaml_tree *tree);

/* Member of a map; NULL when there is none or `node` is not a map (or NULL). */
const struct yaml_node *yaml_get(const struct yaml_node *node, const char *key);

/* ERR_CONFIG "file:line:column: <message>". Always false. */
bool yaml_err(struct err *err, const struct yaml_node *node, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Typed reads of a scalar; ERR_CONFIG names the node. */
bool yaml_bool(const struct yaml_node *node, bool *out, struct err *err) MUST_CHECK;
bool yaml_int(const struct yaml_node *node, int64_t min, int64_t max, int64_t *out,
              struct err *err) MUST_CHECK;

/* The known word nearest to a misspelt one (edit distance <= 1/3 of it), or NULL. */
const char *yaml_suggest(struct slice word, const char *const known[], size_t count);

/* Checks that a map holds only known keys; ERR_CONFIG with a suggestion otherwise. */
bool yaml_only(const struct yaml_node *map, const char *const known[], size_t count,
               struct err *err) MUST_CHECK;

#endif
