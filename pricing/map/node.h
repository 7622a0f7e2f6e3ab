/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a cost map or a configuration says, before it is compiled: one tree for JSON and YAML.
 * Numbers keep their text, so that a price never passes through a double; every node knows file and
 * line. A tree lives as long as the arena it was made in.
 */
#ifndef PRICING_MAP_NODE_H
#define PRICING_MAP_NODE_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/decimal.h"
#include "core/yaml.h"

enum node_kind { NODE_NULL, NODE_BOOL, NODE_NUMBER, NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    bool truth;
    unsigned line;    /* from 1 */
    const char *file; /* NULL: the builtin cost map */
    const char *key;  /* member of a map; NUL-terminated */
    const char *text; /* NUMBER: as written; TEXT: decoded */
    struct node *children, *next;
    size_t count;
};

/*
 * Strict JSON (RFC 8259, depth 64). `keep` decides which members of a map at `depth` (1: of the
 * root) are worth their memory; NULL keeps all. Others are checked and dropped. ERR_CONFIG with
 * file:line: syntax, NaN, a member named twice.
 */
typedef bool node_keep_fn(unsigned depth, struct slice key);
struct node *node_parse_json(struct arena *arena, struct slice text, const char *file,
                             node_keep_fn *keep, struct err *err);

/* Plain scalars become null, booleans and numbers, whatever YAML 1.1 makes of "3e-7"; the text
 * os.environ/NAME becomes the variable's value, or null when it is not set (LiteLLM 1.106.2: not
 * for texts directly inside lists). */
struct node *node_from_yaml(struct arena *arena, const struct yaml_node *node, struct err *err);

const struct node *node_get(const struct node *map, const char *key);
struct node *node_member(struct node *map, const char *key);
/* The text of a non-empty TEXT member, or "". */
const char *node_text(const struct node *map, const char *key);
struct slice node_slice(const struct node *value);
/* A copy of the node alone: its children are shared. */
struct node *node_copy(struct arena *arena, const struct node *value);
void node_append(struct node *parent, struct node *child);

/* A price: NUMBER, or TEXT that is one. false with ERR_CONFIG "file:line: ..." for anything else
 * that is not null; null (and NULL) give *set = false. */
bool node_price(const struct node *value, struct decimal *price, bool *set,
                struct err *err) MUST_CHECK;

/* The value as canonical JSON: members by name, numbers in plain digits, so that it is the same
 * text again after a database has reordered and reformatted it. */
void node_write(const struct node *value, struct buf *json);

/* ERR_CONFIG "file:line: <message>". Always false. */
bool node_err(struct err *err, const struct node *value, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
