/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a mapping compiles to (docs/mappings.md has the language): plain immutable data in the arena
 * of its set. Made by ingest/compile*.c, run by ingest/eval.c, ingest/field.c and ingest/mapper.c.
 */
#ifndef INGEST_PROGRAM_H
#define INGEST_PROGRAM_H

#include "core/event.h"
#include "core/pattern.h"
#include "core/yaml.h"
#include "ingest/timestamp.h"
#include "ingest/trie.h"

#define EACH_MAX 6 /* `each` steps of a mapping */
#define IDENTITY_MAX 8
#define FIELDS_MAX ((unsigned)FACT_COUNT + (unsigned)LABEL_COUNT)
#define FIELD_WORDS ((FIELDS_MAX + 63) / 64)

struct cond;
struct filters;

enum expr_op {
    EXPR_PATH,
    EXPR_INDEX,      /* @index */
    EXPR_HEADER,     /* of the Kafka record, or of what stands around the event: names[0] */
    EXPR_KEY,        /* of the Kafka record, as a text */
    EXPR_TOPIC,      /* of the Kafka record */
    EXPR_PARTITION,  /* of the Kafka record */
    EXPR_KAFKA_TIME, /* of the Kafka record */
    EXPR_CONST,      /* text */
    EXPR_FIRST,      /* args: the first that is not null and fits */
    EXPR_SAME,       /* args: as FIRST; others of another number contradict it */
    EXPR_ADD,        /* args: their sum; null when all are */
    EXPR_SUB,        /* args[0] less the others; null when negative */
    EXPR_CONCAT,     /* args: null when one is */
    EXPR_OBJECT,     /* names and args: a JSON object of those that are not null */
    EXPR_COUNT,      /* elements of the array that satisfy `where` */
    EXPR_SUM,        /* `of` over them */
    EXPR_JOIN,       /* `of` over them, text between */
    EXPR_PICK,       /* the first `of` over them that is not null */
    EXPR_MEMBER,     /* of the object at the path, the member that args[0] names */
    EXPR_CHARACTERS, /* non-blank characters of args[0] */
};

/* What running needs comes first: a path is half a cache line. */
struct expr {
    uint8_t op;                    /* enum expr_op */
    bool plain;                    /* PATH, or FIRST of PATHs, all without filters */
    bool distinct;                 /* JOIN: each text once */
    uint32_t slot, scope_id;       /* of node and scope, once the trie is frozen */
    const struct filters *filters; /* NULL: none */
    const struct expr *const *args;
    size_t arg_count;
    const struct scope *scope; /* PATH, COUNT ... PICK, MEMBER */
    const struct node *node;
    struct slice text; /* CONST, JOIN; PATH: as written */
    const struct slice *names;
    const struct scope *each; /* COUNT ... PICK: the element */
    const struct expr *of;
    const struct cond *where;
    struct expr *next; /* of the set */
};

struct word_pair {
    struct slice from, to;
};

/* What happens to a value after it was found, in this order. */
struct filters {
    const struct cond *when;
    const struct slice *null_if;
    size_t null_if_count;
    const struct pattern *match;
    const struct word_pair *map;
    size_t map_count;
    const struct slice *map_rest; /* NULL: other words stay as they are */
    const struct time_format *time;
    size_t time_count;
    const struct decimal *scale;
    bool hash;
    const struct slice *fallback; /* `default` */
};

enum cond_op { COND_EXISTS, COND_EQ, COND_MATCH, COND_GT, COND_ALL, COND_ANY, COND_NOT };

struct cond {
    enum cond_op op;
    bool expected;             /* EXISTS */
    const struct expr *expr;   /* EXISTS, EQ, MATCH, GT */
    const struct slice *words; /* EQ: one of them */
    size_t word_count;
    const struct pattern *pattern;
    const struct decimal *limit; /* GT */
    const struct cond *const *args;
    size_t arg_count;
};

enum frame { FRAME_AUTO, FRAME_OBJECT, FRAME_ARRAY, FRAME_LINES };

struct convention {
    const struct cond *when; /* NULL: always */
    const char *emitter;     /* that is known to do so; NULL: what the mapping says otherwise */
    bool exclusive;
};

struct conventions {
    const struct convention *entry;
    size_t count;
};

/* Facts are numbered as they are, labels after them. */
struct field {
    unsigned id;
    enum field_kind kind;
    const char *name;
    const struct expr *expr;
};

static inline bool field_is_label(const struct field *field)
{
    return field->id >= FACT_COUNT;
}

/* The fields that hang on a slot: those that hang only on slots that are not filled are null. */
struct dependency {
    uint64_t fields[FIELD_WORDS];
};

/* One of what makes an event unique: a field of the event as it came out, or a value. */
struct identity_part {
    unsigned field;          /* fact or label, numbered as in struct field */
    const struct expr *expr; /* NULL: the field */
};

/* Where usage stands: an object, or OTLP's list of pairs; of its members those with a prefix. */
struct watch {
    const struct scope *scope;
    const struct node *node;
    const struct slice *prefix; /* none: all members */
    size_t prefix_count;
};

/* A place that a path of a mapping leads to or passes. */
struct known {
    const struct node *node;
    const struct known *next;
};

struct mapping {
    const char *name;
    const char *group;  /* the built-in file it is from, by its short name; or the name */
    struct slice space; /* identity namespace */
    enum frame frame;
    const struct scope *each[EACH_MAX];
    size_t each_count;
    const struct scope *scope; /* where its paths start: the record or the last `each` */
    const struct cond *keep, *drop;
    struct conventions cache, reasoning;
    const struct field *fields;
    size_t field_count;
    const struct field *guesses; /* for what is absent after the topic's defaults too */
    size_t guess_count;
    const struct node **dependency_nodes;
    struct dependency *dependencies; /* of dependency_nodes, from 1; 0 has no fields */
    size_t dependency_count;
    const uint16_t *dependency_of; /* by slot, once the trie is frozen */
    uint64_t always[FIELD_WORDS];  /* fields that hang on no slot alone */
    const struct identity_part *identity;
    size_t identity_count;
    const struct watch *watch;
    size_t watch_count;
    const struct known *known_places;
    const uint64_t *known; /* by node id, once the trie is frozen */
    bool sets_model_answered;
    bool keys_named;  /* api_key holds names, not keys */
    bool beside;      /* its event is one more: the record goes on to the mappings after it */
    bool keeps_parts; /* the emitter's word counts, against the numbers too */
    const uint32_t *field_names; /* a hash of each field's name, for the content hash */
    const struct yaml_node *tests;
    const char *emitters, *tried; /* `about`: for people; NULL: not said */
};

/* Something around an event that is opened when no mapping wants the record as it is. */
struct wrapper {
    const char *name;
    const struct scope *scope;
    const struct node *node;
    const struct cond *when; /* NULL: none */
    bool string;             /* only JSON in a string, no object of the same name */
    bool base64;             /* such a string, of JSON's bytes in base64 */
    struct slice headers;    /* its members are headers with this in front; p == NULL: none */
};

struct mappings {
    struct arena process;
    struct trie trie;
    struct expr *exprs; /* all of them */
    struct mapping *const *list;
    uint32_t field_names[FACT_COUNT + LABEL_COUNT];
    size_t count;
    const struct wrapper *wrappers;
    size_t wrapper_count;
    struct registry *registry;    /* borrowed; NULL: none */
    bool otlp;                    /* `format: otlp` of the topic */
    const struct field *defaults; /* of the topic: constants */
    size_t default_count;
    struct yaml_tree **trees; /* of the built-in files: tests are read from them */
    size_t tree_count;
    uint64_t fingerprint; /* of the definitions, in their order */
};

#endif
