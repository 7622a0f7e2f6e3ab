/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler's own parts: YAML of a mapping to ingest/program.h. Every function that returns a
 * pointer returns NULL after it has set the error, with file, line and column.
 */
#ifndef INGEST_COMPILE_H
#define INGEST_COMPILE_H

#include "ingest/program.h"

#define LEVELS_MAX (EACH_MAX + 4) /* and lists within lists in values */
#define STEPS_MAX 16

/* A place that an unwrap step re-reads: paths that pass it go on in the derived scope. */
struct step {
    const struct scope *scope;
    const struct node *node;
    struct scope *derived;
};

struct compiler {
    struct mappings *set;
    struct arena *process;
    struct err *err;
    struct scope *level[LEVELS_MAX]; /* @0, @1, ...; the last one is where paths start */
    size_t level_count, each_count;
    struct step steps[STEPS_MAX];
    size_t step_count;
    const struct known *known; /* places of the mapping's paths so far */
};

struct place {
    struct scope *scope;
    struct node *node;
};

void *compile_alloc(struct compiler *compiler, size_t bytes); /* zeroed */

/* "/a/b", "@1/a", "" (all of it). */
bool place_compile(struct compiler *compiler, const struct yaml_node *node, struct place *place);

/* A path below the Kafka record's key: "/a/b". */
bool key_place_compile(struct compiler *compiler, const struct yaml_node *node,
                       struct place *place);

const struct expr *value_compile(struct compiler *compiler, const struct yaml_node *node);
const struct cond *cond_compile(struct compiler *compiler, const struct yaml_node *node);

/* The operator of a value, without filters: what a condition asks about. */
struct expr *operator_compile(struct compiler *compiler, const struct yaml_node *node);
const struct slice *words_compile(struct compiler *compiler, const struct yaml_node *list);

/* A field by its name; `node` is what is blamed. */
bool field_lookup(struct compiler *compiler, struct slice name, const struct yaml_node *node,
                  struct field *field);
/* ERR_CONFIG unless the constants in the expression fit the field. */
bool constants_check(struct compiler *compiler, const struct field *field, const struct expr *expr,
                     const struct yaml_node *node);

/* One mapping of a list, and one wrapper. */
bool mapping_compile(struct compiler *compiler, const struct yaml_node *node,
                     struct mapping *mapping);
bool wrapper_compile(struct compiler *compiler, const struct yaml_node *node,
                     struct wrapper *wrapper);
#endif
