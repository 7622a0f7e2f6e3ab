/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of JSON and YAML: members, prices, canonical text. */
#include "pricing/map/node.h"

#include <stdio.h>
#include <stdlib.h>

#define BUILTIN_MAP_NAME "cost map"

bool node_err(struct err *err, const struct node *value, const char *fmt, ...)
{
    char text[768];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return err_set(err, ERR_CONFIG, "%s:%u: %s", value->file ? value->file : BUILTIN_MAP_NAME,
                   value->line, text);
}

struct node *node_member(struct node *map, const char *key)
{
    struct node *member = map && map->kind == NODE_MAP ? map->children : NULL;
    while (member && strcmp(member->key, key) != 0)
        member = member->next;
    return member;
}

const struct node *node_get(const struct node *map, const char *key)
{
    const struct node *member = map && map->kind == NODE_MAP ? map->children : NULL;
    while (member && strcmp(member->key, key) != 0)
        member = member->next;
    return member;
}

const char *node_text(const struct node *map, const char *key)
{
    const struct node *member = node_get(map, key);
    return member && member->kind == NODE_TEXT ? member->text : "";
}

struct slice node_slice(const struct node *value)
{
    return slice_of(value->text ? value->text : "");
}

struct node *node_copy(struct arena *arena, const struct node *value)
{
    struct node *copy = arena_alloc(arena, sizeof(*copy));
    if (copy) {
        *copy = *value;
        copy->next = NULL;
    }
    return copy;
}

void node_append(struct node *parent, struct node *child)
{
    struct node **end = &parent->children;
    while (*end)
        end = &(*end)->next;
    *end = child;
    parent->count++;
}

bool node_price(const struct node *value, struct decimal *price, bool *set, struct err *err)
{
    *set = false;
    if (!value || value->kind == NODE_NULL)
        return true;
    if (value->kind == NODE_BOOL)
        return node_err(err, value, "%s: a price must be a number, not a boolean", value->key);
    if (value->kind == NODE_LIST || value->kind == NODE_MAP)
        return node_err(err, value, "%s: a price must be a number, not a %s", value->key,
                        value->kind == NODE_LIST ? "list" : "map");
    struct err reason = {0};
    if (!decimal_parse(node_slice(value), price, &reason))
        return node_err(err, value, "%s: \"%.60s\" is not a price: %s", value->key, value->text,
                        reason.text);
    if (price->negative)
        return node_err(err, value, "%s: %.60s is negative", value->key, value->text);
    *set = true;
    return true;
}

static int key_order(const void *a, const void *b)
{
    const struct node *const *left = a, *const *right = b;
    return strcmp((*left)->key, (*right)->key);
}

static void write_map(const struct node *map, struct buf *json)
{
    const struct node **member = malloc((map->count + 1) * sizeof(*member));
    size_t count = 0;
    if (!member) {
        json->failed = true;
        return;
    }
    for (const struct node *child = map->children; child; child = child->next)
        member[count++] = child;
    qsort(member, count, sizeof(*member), key_order);
    buf_add_char(json, '{');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_add_char(json, ',');
        buf_add_json_string(json, slice_of(member[i]->key));
        buf_add_char(json, ':');
        node_write(member[i], json);
    }
    buf_add_char(json, '}');
    free(member);
}

/* A number beyond decimals is not a price; it keeps its text. */
static void write_number(const struct node *value, struct buf *json)
{
    char text[DECIMAL_TEXT_MAX];
    struct decimal number;
    struct err ignored = {0};
    if (decimal_parse(node_slice(value), &number, &ignored)) {
        decimal_format(&number, text);
        buf_add_text(json, text);
    } else {
        buf_add_text(json, value->text);
    }
}

static void write_list(const struct node *list, struct buf *json)
{
    buf_add_char(json, '[');
    for (const struct node *child = list->children; child; child = child->next) {
        if (child != list->children)
            buf_add_char(json, ',');
        node_write(child, json);
    }
    buf_add_char(json, ']');
}

void node_write(const struct node *value, struct buf *json)
{
    switch (value->kind) {
    case NODE_NULL:
        buf_add_text(json, "null");
        break;
    case NODE_BOOL:
        buf_add_text(json, value->truth ? "true" : "false");
        break;
    case NODE_NUMBER:
        write_number(value, json);
        break;
    case NODE_TEXT:
        buf_add_json_string(json, node_slice(value));
        break;
    case NODE_LIST:
        write_list(value, json);
        break;
    case NODE_MAP:
        write_map(value, json);
        break;
    }
}

static bool word_in(const char *text, const char *const words[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

/* YAML 1.1 booleans, as PyYAML reads them. */
static bool is_true(const char *text)
{
    static const char *const words[] = {"true", "True", "TRUE", "yes", "Yes",
                                        "YES",  "on",   "On",   "ON"};
    return word_in(text, words, sizeof(words) / sizeof(words[0]));
}

static bool is_false(const char *text)
{
    static const char *const words[] = {"false", "False", "FALSE", "no", "No",
                                        "NO",    "off",   "Off",   "OFF"};
    return word_in(text, words, sizeof(words) / sizeof(words[0]));
}

static bool is_number(const char *text)
{
    if (!strchr("+-.0123456789", text[0]) || text[0] == '\0')
        return false;
    struct decimal number;
    struct err ignored = {0};
    return decimal_parse(slice_of(text), &number, &ignored);
}

static void scalar_classify(struct node *value, const struct yaml_node *node, bool in_list)
{
    static const char prefix[] = "os.environ/";
    value->kind = NODE_TEXT;
    value->text = node->text.p;
    if (!in_list && strncmp(value->text, prefix, sizeof(prefix) - 1) == 0) {
        value->text = getenv(value->text + sizeof(prefix) - 1);
        if (!value->text)
            value->kind = NODE_NULL;
        return;
    }
    if (node->quoted)
        return;
    if (is_true(value->text) || is_false(value->text)) {
        value->kind = NODE_BOOL;
        value->truth = is_true(value->text);
    } else if (is_number(value->text)) {
        value->kind = NODE_NUMBER;
    }
}

static struct node *from_yaml(struct arena *arena, const struct yaml_node *node, bool in_list,
                              struct err *err)
{
    struct node *value = arena_zalloc(arena, sizeof(*value));
    if (!value) {
        err_set(err, ERR_CONFIG, "%s: the configuration is too large", node->file);
        return NULL;
    }
    value->line = node->line;
    value->file = node->file;
    value->key = node->key ? node->key->text.p : NULL;
    if (node->kind == YAML_NULL)
        return value;
    if (node->kind == YAML_SCALAR) {
        scalar_classify(value, node, in_list);
        if (value->text && !(value->text = arena_text(arena, slice_of(value->text)))) {
            err_set(err, ERR_CONFIG, "%s: the configuration is too large", node->file);
            return NULL;
        }
        return value;
    }
    value->kind = node->kind == YAML_MAP ? NODE_MAP : NODE_LIST;
    struct node **end = &value->children;
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        *end = from_yaml(arena, child, node->kind == YAML_LIST, err);
        if (!*end)
            return NULL;
        end = &(*end)->next;
        value->count++;
    }
    return value;
}

/* Copies what the tree owns: file and keys outlive it. */
static bool own_texts(struct arena *arena, struct node *value, const char *file, struct err *err)
{
    value->file = file;
    if (value->key && !(value->key = arena_text(arena, slice_of(value->key))))
        return err_set(err, ERR_CONFIG, "%s: the configuration is too large", file);
    for (struct node *child = value->children; child; child = child->next)
        if (!own_texts(arena, child, file, err))
            return false;
    return true;
}

struct node *node_from_yaml(struct arena *arena, const struct yaml_node *node, struct err *err)
{
    struct node *value = from_yaml(arena, node, false, err);
    const char *file = value ? arena_text(arena, slice_of(node->file)) : NULL;
    if (!file || !own_texts(arena, value, file, err))
        return NULL;
    return value;
}
