/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's events, turned into a tree by one recursive reader.
 *
 * An alias is a copy of the anchored node, so that a reader never meets the same node twice; the
 * copies count against NODES_MAX, which bounds documents that expand exponentially. An anchor is
 * known only after its node has ended: a node cannot contain itself. A merge key (`<<`) lays the
 * members of its map(s) behind the map's own, which win, as do earlier maps over later ones.
 */
#include "core/yaml.h"

#include "core/file.h"

#include "core/arena.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#define DEPTH_MAX 64
#define NODES_MAX 1000000
#define FILE_BYTES_MAX (64u << 20)
#define TREE_BYTES_MAX (512u << 20)
#define ANCHORS_MAX 1000       /* found one by one */
#define MERGE_MEMBERS_MAX 1000 /* of a map with `<<`, for the same reason */
#define SORTED_KEYS_MIN 16     /* smaller maps are searched for duplicates one by one */

struct anchor {
    struct anchor *previous;
    struct slice name;
    const struct yaml_node *node;
};

struct yaml_tree {
    struct arena arena;
    struct yaml_node *root;
};

struct reader {
    yaml_parser_t parser;
    struct yaml_tree *tree;
    struct anchor *anchors; /* the newest first: a name may be used again */
    const char *file;
    struct slice text;
    size_t node_count, anchor_count;
    struct err *err;
};

static bool fail_at(const struct reader *reader, const yaml_mark_t *mark, const char *what)
{
    return err_set(reader->err, ERR_CONFIG, "%s:%zu:%zu: %s", reader->file, mark->line + 1,
                   mark->column + 1, what);
}

static bool fail_memory(const struct reader *reader)
{
    return err_set(reader->err, ERR_CONFIG, "%s: larger than %u MiB in memory", reader->file,
                   TREE_BYTES_MAX >> 20);
}

/* --- nodes ----------------------------------------------------------------------------------- */

static struct yaml_node *node_new(struct reader *reader, enum yaml_kind kind)
{
    if (++reader->node_count > NODES_MAX) {
        err_set(reader->err, ERR_CONFIG, "%s: more than %d nodes", reader->file, NODES_MAX);
        return NULL;
    }
    struct yaml_node *node = arena_zalloc(&reader->tree->arena, sizeof(*node));
    if (!node) {
        fail_memory(reader);
        return NULL;
    }
    node->kind = kind;
    node->file = reader->file;
    node->text = SLICE("");
    return node;
}

static struct yaml_node *node_at(struct reader *reader, enum yaml_kind kind,
                                 const yaml_mark_t *mark)
{
    struct yaml_node *node = node_new(reader, kind);
    if (node) {
        node->line = (unsigned)mark->line + 1;
        node->column = (unsigned)mark->column + 1;
    }
    return node;
}

/* A deep copy, without siblings. Recursion is bounded by DEPTH_MAX twice over: where the anchor is
 * and where the alias is. */
static struct yaml_node *node_copy(struct reader *reader, const struct yaml_node *from)
{
    struct yaml_node *node = node_new(reader, from->kind);
    if (!node)
        return NULL;
    *node = *from;
    node->next = node->children = NULL;
    struct yaml_node **last = &node->children;
    for (const struct yaml_node *child = from->children; child; child = child->next) {
        if (!(*last = node_copy(reader, child)))
            return NULL;
        last = &(*last)->next;
    }
    return node;
}

static unsigned node_height(const struct yaml_node *node)
{
    unsigned height = 0;
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        unsigned h = node_height(child);
        height = h > height ? h : height;
    }
    return height + 1;
}

/* --- anchors --------------------------------------------------------------------------------- */

static bool anchor_add(struct reader *reader, const yaml_char_t *name, const struct yaml_node *node)
{
    if (!name)
        return true;
    if (++reader->anchor_count > ANCHORS_MAX)
        return err_set(reader->err, ERR_CONFIG, "%s: more than %d anchors", reader->file,
                       ANCHORS_MAX);
    struct anchor *anchor = arena_alloc(&reader->tree->arena, sizeof(*anchor));
    struct slice copy = arena_slice(&reader->tree->arena, slice_of((const char *)name));
    if (!anchor || !copy.p)
        return fail_memory(reader);
    *anchor = (struct anchor){reader->anchors, copy, node};
    reader->anchors = anchor;
    return true;
}

static struct yaml_node *alias_resolve(struct reader *reader, const yaml_event_t *event,
                                       unsigned depth)
{
    struct slice name = slice_of((const char *)event->data.alias.anchor);
    const struct anchor *anchor = reader->anchors;
    while (anchor && !slice_eq(anchor->name, name))
        anchor = anchor->previous;
    if (!anchor) {
        fail_at(reader, &event->start_mark, "alias without its anchor before it");
        return NULL;
    }
    if (depth + node_height(anchor->node) > DEPTH_MAX + 1) {
        fail_at(reader, &event->start_mark, "nested too deep");
        return NULL;
    }
    struct yaml_node *node = node_copy(reader, anchor->node);
    if (node) {
        node->line = (unsigned)event->start_mark.line + 1;
        node->column = (unsigned)event->start_mark.column + 1;
        node->key = NULL; /* of the place where the anchor is */
    }
    return node;
}

/* --- maps ------------------------------------------------------------------------------------ */

static bool is_merge_key(const struct yaml_node *key)
{
    return key->kind == YAML_SCALAR && !key->quoted && slice_is(key->text, "<<");
}

static struct yaml_node *member_find(const struct yaml_node *map, struct slice key)
{
    struct yaml_node *child = map->children;
    while (child && !slice_eq(child->key->text, key))
        child = child->next;
    return child;
}

static int by_key(const void *a, const void *b)
{
    const struct yaml_node *const *x = a, *const *y = b;
    struct slice s = (*x)->key->text, t = (*y)->key->text;
    int order = memcmp(s.p, t.p, s.bytes < t.bytes ? s.bytes : t.bytes);
    if (order != 0)
        return order;
    return s.bytes != t.bytes
               ? (s.bytes < t.bytes ? -1 : 1)
               : ((*x)->key->line > (*y)->key->line) - ((*x)->key->line < (*y)->key->line);
}

static bool fail_duplicate(const struct reader *reader, const struct yaml_node *again)
{
    return yaml_err(reader->err, again->key, "duplicate key \"" SLICE_FMT "\"",
                    SLICE_ARG(again->key->text));
}

/* Sorting keeps maps with a hundred thousand members from taking quadratic time. */
static bool keys_are_unique_sorted(const struct reader *reader, const struct yaml_node *map)
{
    const struct yaml_node **member = calloc(map->count, sizeof(struct yaml_node *));
    bool ok = true;
    size_t n = 0;
    if (!member)
        return fail_memory(reader);
    for (const struct yaml_node *child = map->children; child; child = child->next)
        member[n++] = child;
    qsort(member, n, sizeof(*member), by_key);
    for (size_t i = 1; ok && i < n; i++)
        if (slice_eq(member[i - 1]->key->text, member[i]->key->text))
            ok = fail_duplicate(reader, member[i]);
    free(member);
    return ok;
}

static bool keys_are_unique(const struct reader *reader, const struct yaml_node *map)
{
    if (map->count >= SORTED_KEYS_MIN)
        return keys_are_unique_sorted(reader, map);
    for (const struct yaml_node *child = map->children; child; child = child->next) {
        const struct yaml_node *first = member_find(map, child->key->text);
        if (first != child)
            return fail_duplicate(reader, child);
    }
    return true;
}

/* Takes the members of a merged map over, but for keys that `map` has already. */
static bool merge_map(struct reader *reader, struct yaml_node *map, struct yaml_node *merged)
{
    struct yaml_node **last = &map->children;
    if (merged->kind != YAML_MAP)
        return yaml_err(reader->err, merged, "\"<<\" takes a map or a list of maps");
    if (map->count + merged->count > MERGE_MEMBERS_MAX)
        return yaml_err(reader->err, merged, "\"<<\" makes a map of more than %d members",
                        MERGE_MEMBERS_MAX);
    while (*last)
        last = &(*last)->next;
    for (struct yaml_node *child = merged->children, *next; child; child = next) {
        next = child->next;
        child->next = NULL;
        if (member_find(map, child->key->text))
            continue;
        *last = child;
        last = &child->next;
        map->count++;
    }
    return true;
}

static bool merge(struct reader *reader, struct yaml_node *map, struct yaml_node *value)
{
    if (!value || value->kind != YAML_LIST)
        return !value || merge_map(reader, map, value);
    for (struct yaml_node *child = value->children, *next; child; child = next) {
        next = child->next;
        if (!merge_map(reader, map, child))
            return false;
    }
    return true;
}

/* --- events to nodes ------------------------------------------------------------------------- */

static struct yaml_node *read_node(struct reader *reader, yaml_event_t *event, unsigned depth);

/* In our words where libyaml's say nothing to people. */
static const char *problem_of(const struct reader *reader)
{
    const yaml_parser_t *p = &reader->parser;
    size_t byte = 0;
    for (size_t line = 0; line < p->problem_mark.line && byte < reader->text.bytes; byte++)
        line += reader->text.p[byte] == '\n';
    while (byte < reader->text.bytes && reader->text.p[byte] == ' ')
        byte++;
    if (byte < reader->text.bytes && reader->text.p[byte] == '\t')
        return "a tab at the beginning of the line: YAML is indented by blanks";
    return p->problem ? p->problem : "out of memory";
}

static bool next_event(struct reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event))
        return true;
    const yaml_parser_t *p = &reader->parser;
    if (p->error == YAML_READER_ERROR)
        return err_set(reader->err, ERR_CONFIG, "%s: byte %zu: %s", reader->file, p->problem_offset,
                       p->problem);
    return fail_at(reader, &p->problem_mark, problem_of(reader));
}

/* The next node of a collection; NULL with *ended when the collection ends. */
static struct yaml_node *read_child(struct reader *reader, unsigned depth, bool *ended)
{
    yaml_event_t event;
    struct yaml_node *node = NULL;
    if (!next_event(reader, &event))
        return NULL;
    *ended = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
    if (!*ended)
        node = read_node(reader, &event, depth);
    yaml_event_delete(&event);
    return node;
}

static bool read_list(struct reader *reader, struct yaml_node *list, unsigned depth)
{
    struct yaml_node **last = &list->children;
    bool ended = false;
    while ((*last = read_child(reader, depth + 1, &ended))) {
        last = &(*last)->next;
        list->count++;
    }
    return ended;
}

/* Members of the map itself; what `<<` brings is returned as its value, to be merged at the end. */
static bool read_members(struct reader *reader, struct yaml_node *map, unsigned depth,
                         struct yaml_node **merged)
{
    struct yaml_node **last = &map->children, *key;
    bool ended = false;
    while ((key = read_child(reader, depth + 1, &ended))) {
        if (key->kind == YAML_LIST || key->kind == YAML_MAP)
            return yaml_err(reader->err, key, "a key must be a scalar");
        struct yaml_node *value = read_child(reader, depth + 1, &ended);
        if (!value)
            return false;
        value->key = key;
        if (is_merge_key(key)) {
            if (*merged)
                return fail_duplicate(reader, value);
            *merged = value;
            continue;
        }
        *last = value;
        last = &value->next;
        map->count++;
    }
    return ended;
}

static bool read_map(struct reader *reader, struct yaml_node *map, unsigned depth)
{
    struct yaml_node *merged = NULL;
    return read_members(reader, map, depth, &merged) && keys_are_unique(reader, map) &&
           merge(reader, map, merged);
}

static bool is_null(const yaml_event_t *event)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    struct slice text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_is(text, words[i]))
            return true;
    return false;
}

static struct yaml_node *read_scalar(struct reader *reader, const yaml_event_t *event)
{
    struct yaml_node *node =
        node_at(reader, is_null(event) ? YAML_NULL : YAML_SCALAR, &event->start_mark);
    if (!node)
        return NULL;
    struct slice text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    if (memchr(text.p, '\0', text.bytes)) {
        fail_at(reader, &event->start_mark, "U+0000 in a scalar");
        return NULL;
    }
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->text = (struct slice){arena_text(&reader->tree->arena, text), text.bytes};
    if (!node->text.p) {
        fail_memory(reader);
        return NULL;
    }
    return node;
}

static struct yaml_node *read_node(struct reader *reader, yaml_event_t *event, unsigned depth)
{
    struct yaml_node *node = NULL;
    const yaml_char_t *anchor = NULL;
    bool ok = false;
    if (depth > DEPTH_MAX) {
        fail_at(reader, &event->start_mark, "nested too deep");
        return NULL;
    }
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return alias_resolve(reader, event, depth);
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        node = read_scalar(reader, event);
        ok = node != NULL;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        node = node_at(reader, YAML_LIST, &event->start_mark);
        ok = node && read_list(reader, node, depth);
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        node = node_at(reader, YAML_MAP, &event->start_mark);
        ok = node && read_map(reader, node, depth);
        break;
    default:
        assert(!"an event that cannot begin a node");
    }
    return ok && anchor_add(reader, anchor, node) ? node : NULL;
}

/* STREAM-START (DOCUMENT-START node DOCUMENT-END)? STREAM-END */
static bool read_document(struct reader *reader)
{
    yaml_event_t event;
    bool ok = true, ended = false;
    while (ok && !ended) {
        if (!next_event(reader, &event))
            return false;
        switch (event.type) {
        case YAML_STREAM_END_EVENT:
            ended = true;
            break;
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (reader->tree->root)
                ok = fail_at(reader, &event.start_mark, "a second document");
            break;
        default:
            reader->tree->root = read_node(reader, &event, 1);
            ok = reader->tree->root != NULL;
        }
        yaml_event_delete(&event);
    }
    if (ok && !reader->tree->root)
        reader->tree->root = node_at(reader, YAML_NULL, &(yaml_mark_t){0});
    return ok && reader->tree->root;
}

struct yaml_tree *yaml_parse(struct slice text, const char *file, struct err *err)
{
    struct reader reader = {.err = err, .text = text};
    struct yaml_tree *tree = calloc(1, sizeof(*tree));
    if (!tree || !yaml_parser_initialize(&reader.parser)) {
        free(tree);
        err_set(err, ERR_FATAL, "out of memory");
        return NULL;
    }
    arena_init(&tree->arena, TREE_BYTES_MAX);
    reader.tree = tree;
    reader.file = arena_text(&tree->arena, slice_of(file));
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const yaml_char_t *)text.p, text.bytes);
    bool ok = reader.file ? read_document(&reader)
                          : err_set(err, ERR_CONFIG, "%.200s: larger than %u MiB in memory", file,
                                    TREE_BYTES_MAX >> 20);
    yaml_parser_delete(&reader.parser);
    if (ok)
        return tree;
    yaml_free(tree);
    return NULL;
}

/* Reads all of a stream into *text, to be freed. */
static bool read_all(FILE *in, char **text, size_t *bytes)
{
    size_t capacity = 0, n;
    *text = NULL;
    *bytes = 0;
    do {
        if (*bytes == capacity) {
            capacity = capacity ? capacity * 2 : 64u << 10;
            char *p = capacity > 2 * FILE_BYTES_MAX ? NULL : realloc(*text, capacity);
            if (!p)
                return false;
            *text = p;
        }
        n = fread(*text + *bytes, 1, capacity - *bytes, in);
        *bytes += n;
    } while (n > 0);
    return !ferror(in) && *bytes <= FILE_BYTES_MAX;
}

struct yaml_tree *yaml_load(const char *path, struct err *err)
{
    char *text = NULL;
    size_t bytes = 0;
    struct yaml_tree *tree = NULL;
    FILE *in = file_open(path, err);
    if (!in)
        return NULL;
    errno = 0;
    if (read_all(in, &text, &bytes))
        tree = yaml_parse((struct slice){text, bytes}, path, err);
    else
        err_set(err, ERR_CONFIG, "%s: %s", path, errno ? strerror(errno) : "larger than 64 MiB");
    fclose(in);
    free(text);
    return tree;
}

void yaml_tree_free(struct yaml_tree *tree)
{
    if (!tree)
        return;
    arena_free(&tree->arena);
    free(tree);
}

const struct yaml_node *yaml_root(const struct yaml_tree *tree)
{
    return tree->root;
}
