/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a tree: members, typed scalars, known keys and suggestions. */
#include "core/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define WORD_MAX 64 /* longer words get no suggestion */

const struct yaml_node *yaml_get(const struct yaml_node *node, const char *key)
{
    if (!node || node->kind != YAML_MAP)
        return NULL;
    const struct yaml_node *child = node->children;
    while (child && !slice_is(child->key->text, key))
        child = child->next;
    return child;
}

bool yaml_err(struct err *err, const struct yaml_node *node, const char *fmt, ...)
{
    char text[sizeof(err->text)];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return err_set(err, ERR_CONFIG, "%s:%u:%u: %s", node->file, node->line, node->column, text);
}

/* What the message calls the node: its key, else "value". */
static const char *node_name(const struct yaml_node *node)
{
    return node->key ? node->key->text.p : "value";
}

/* YAML 1.2's words and the YAML 1.1 ones people write. */
bool yaml_bool(const struct yaml_node *node, bool *out, struct err *err)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true}, {"false", false}, {"yes", true},
                 {"no", false},  {"on", true},     {"off", false}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (node->kind == YAML_SCALAR && !node->quoted &&
            strcasecmp(node->text.p, words[i].word) == 0) {
            *out = words[i].value;
            return true;
        }
    return yaml_err(err, node, "%s: true or false expected", node_name(node));
}

static bool is_integer(struct slice text)
{
    size_t i = text.bytes > 0 && (text.p[0] == '-' || text.p[0] == '+');
    if (i == text.bytes)
        return false;
    for (; i < text.bytes; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    return true;
}

bool yaml_int(const struct yaml_node *node, int64_t min, int64_t max, int64_t *out, struct err *err)
{
    if (node->kind != YAML_SCALAR || node->quoted || !is_integer(node->text))
        return yaml_err(err, node, "%s: a whole number expected", node_name(node));
    errno = 0;
    long long v = strtoll(node->text.p, NULL, 10);
    if (errno != 0 || v < min || v > max)
        return yaml_err(err, node, "%s: must be between %lld and %lld", node_name(node),
                        (long long)min, (long long)max);
    *out = v;
    return true;
}

/* Levenshtein's distance, letters compared without case; both words are at most WORD_MAX long. */
static size_t edit_distance(struct slice a, struct slice b)
{
    size_t row[WORD_MAX + 1];
    for (size_t j = 0; j <= b.bytes; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.bytes; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.bytes; j++) {
            size_t cost = diagonal + (strncasecmp(a.p + i - 1, b.p + j - 1, 1) != 0);
            diagonal = row[j];
            if (row[j] + 1 < cost)
                cost = row[j] + 1;
            if (row[j - 1] + 1 < cost)
                cost = row[j - 1] + 1;
            row[j] = cost;
        }
    }
    return row[b.bytes];
}

const char *yaml_suggest(struct slice word, const char *const known[], size_t count)
{
    const char *best = NULL;
    size_t best_distance = word.bytes / 3 + 1;
    if (word.bytes > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct slice candidate = slice_of(known[i]);
        if (candidate.bytes > WORD_MAX)
            continue;
        size_t distance = edit_distance(word, candidate);
        if (distance < best_distance) {
            best = known[i];
            best_distance = distance;
        }
    }
    return best;
}

static bool is_known(struct slice word, const char *const known[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_is(word, known[i]))
            return true;
    return false;
}

bool yaml_only(const struct yaml_node *map, const char *const known[], size_t count,
               struct err *err)
{
    for (const struct yaml_node *child = map->kind == YAML_MAP ? map->children : NULL; child;
         child = child->next) {
        struct slice key = child->key->text;
        if (is_known(key, known, count))
            continue;
        const char *suggestion = yaml_suggest(key, known, count);
        return yaml_err(err, child->key, "unknown key \"" SLICE_FMT "\"%s%s%s", SLICE_ARG(key),
                        suggestion ? "; did you mean \"" : "", suggestion ? suggestion : "",
                        suggestion ? "\"?" : "");
    }
    return true;
}
