/* SPDX-License-Identifier: Apache-2.0 */
/* Values: an operator, and filters on what it finds. */
#include "ingest/compile.h"

#include "ingest/number.h"
#include "ingest/text.h"

#include <stdio.h>
#include <string.h>

/* `node` is the whole value, `operand` what stands behind the operator's word. */
typedef struct expr *operator_fn(struct compiler *compiler, const struct yaml_node *node,
                                 const struct yaml_node *operand, enum expr_op op);

static operator_fn path_compile, header_compile, key_compile, around_compile, const_compile,
    list_compile, object_compile, fold_compile, member_compile, characters_compile;

static const struct {
    const char *word;
    enum expr_op op;
    operator_fn *compile;
} operator_table[] = {
    {"path", EXPR_PATH, path_compile},
    {"header", EXPR_HEADER, header_compile},
    {"key", EXPR_KEY, key_compile},
    {"topic", EXPR_TOPIC, around_compile},
    {"partition", EXPR_PARTITION, around_compile},
    {"kafka_time", EXPR_KAFKA_TIME, around_compile},
    {"first", EXPR_FIRST, list_compile},
    {"same", EXPR_SAME, list_compile},
    {"const", EXPR_CONST, const_compile},
    {"add", EXPR_ADD, list_compile},
    {"sub", EXPR_SUB, list_compile},
    {"concat", EXPR_CONCAT, list_compile},
    {"object", EXPR_OBJECT, object_compile},
    {"count", EXPR_COUNT, fold_compile},
    {"sum", EXPR_SUM, fold_compile},
    {"join", EXPR_JOIN, fold_compile},
    {"pick", EXPR_PICK, fold_compile},
    {"member", EXPR_MEMBER, member_compile},
    {"characters", EXPR_CHARACTERS, characters_compile},
};
#define OPERATORS (sizeof operator_table / sizeof operator_table[0])

static const char *const value_words[] = {
    "path",     "first",   "const",  "add",     "sub",        "concat",    "object",     "count",
    "sum",      "join",    "pick",   "member",  "characters", "of",        "where",      "sep",
    "distinct", "name",    "when",   "null_if", "match",      "map",       "time",       "scale",
    "hash",     "default", "header", "key",     "topic",      "partition", "kafka_time", "same"};
#define VALUE_WORDS (sizeof value_words / sizeof value_words[0])

static struct expr *expr_new(struct compiler *compiler, enum expr_op op)
{
    struct expr *expr = compile_alloc(compiler, sizeof *expr);
    if (!expr)
        return NULL;
    expr->op = (uint8_t)op;
    expr->next = compiler->set->exprs;
    compiler->set->exprs = expr;
    return expr;
}

static struct expr *path_compile(struct compiler *compiler, const struct yaml_node *node,
                                 const struct yaml_node *operand, enum expr_op op)
{
    struct place place;
    struct expr *expr = expr_new(compiler, op);
    (void)node;
    if (!expr)
        return NULL;
    expr->text = operand->text;
    if (operand->kind == YAML_SCALAR && slice_is(operand->text, "@index")) {
        expr->op = EXPR_INDEX;
        return expr;
    }
    if (!place_compile(compiler, operand, &place))
        return NULL;
    expr->scope = place.scope;
    expr->node = place.node;
    return expr;
}

/* Where a value of the Kafka record comes from, for explain: "header ce_type". */
static bool around_text(struct compiler *compiler, struct expr *expr, const char *what,
                        struct slice name)
{
    size_t bytes = strlen(what) + (name.bytes ? 1 + name.bytes : 0);
    char *text = compile_alloc(compiler, bytes + 1);
    if (!text)
        return false;
    snprintf(text, bytes + 1, name.bytes ? "%s %.*s" : "%s", what, (int)name.bytes,
             name.bytes ? name.p : "");
    expr->text = (struct slice){text, bytes};
    return true;
}

static struct expr *header_compile(struct compiler *compiler, const struct yaml_node *node,
                                   const struct yaml_node *operand, enum expr_op op)
{
    struct expr *expr = expr_new(compiler, op);
    struct slice *name = compile_alloc(compiler, sizeof *name);
    (void)node;
    if (!expr || !name)
        return NULL;
    if (operand->kind != YAML_SCALAR || operand->text.bytes == 0) {
        yaml_err(compiler->err, operand, "`header` is the name of one");
        return NULL;
    }
    *name = operand->text;
    expr->names = name;
    return around_text(compiler, expr, "header", *name) ? expr : NULL;
}

/* {topic: true}, {partition: true}, {kafka_time: true} */
static struct expr *around_compile(struct compiler *compiler, const struct yaml_node *node,
                                   const struct yaml_node *operand, enum expr_op op)
{
    static const char *const word[] = {
        [EXPR_KEY] = "key",
        [EXPR_TOPIC] = "topic",
        [EXPR_PARTITION] = "partition",
        [EXPR_KAFKA_TIME] = "kafka_time",
    };
    struct expr *expr = expr_new(compiler, op);
    (void)node;
    if (!expr)
        return NULL;
    if (operand->kind != YAML_SCALAR || !slice_is(operand->text, "true")) {
        yaml_err(compiler->err, operand, "`%s` is true%s", word[op],
                 op == EXPR_KEY ? ", or a path in a key that is JSON" : "");
        return NULL;
    }
    return around_text(compiler, expr, word[op], SLICE("")) ? expr : NULL;
}

/* {key: true}, or {key: /a/b} of a key that is JSON. */
static struct expr *key_compile(struct compiler *compiler, const struct yaml_node *node,
                                const struct yaml_node *operand, enum expr_op op)
{
    struct place place;
    if (operand->kind != YAML_SCALAR || operand->text.bytes == 0 || operand->text.p[0] != '/')
        return around_compile(compiler, node, operand, op);
    struct expr *expr = expr_new(compiler, EXPR_PATH);
    if (!expr || !key_place_compile(compiler, operand, &place) ||
        !around_text(compiler, expr, "key", operand->text))
        return NULL;
    expr->scope = place.scope;
    expr->node = place.node;
    return expr;
}

static struct expr *const_compile(struct compiler *compiler, const struct yaml_node *node,
                                  const struct yaml_node *operand, enum expr_op op)
{
    struct expr *expr = expr_new(compiler, op);
    (void)node;
    if (!expr)
        return NULL;
    if (operand->kind != YAML_SCALAR) {
        yaml_err(compiler->err, operand, "a constant is one word, number or text");
        return NULL;
    }
    expr->text = operand->text;
    return expr;
}

/* In a concat a word that is not a path is a constant. */
static const struct expr *part_compile(struct compiler *compiler, const struct yaml_node *node,
                                       enum expr_op op)
{
    bool is_path = node->kind == YAML_SCALAR && node->text.bytes > 0 &&
                   (node->text.p[0] == '/' || node->text.p[0] == '@');
    if (op == EXPR_CONCAT && node->kind == YAML_SCALAR && (!is_path || node->text.bytes == 1))
        return const_compile(compiler, node, node, EXPR_CONST);
    return value_compile(compiler, node);
}

static struct expr *list_compile(struct compiler *compiler, const struct yaml_node *node,
                                 const struct yaml_node *list, enum expr_op op)
{
    (void)node;
    struct expr *expr = expr_new(compiler, op);
    const struct expr **args = compile_alloc(compiler, (list->count + 1) * sizeof *args);
    if (!expr || !args)
        return NULL;
    if (list->kind != YAML_LIST || list->count == 0 || list->count > 64) {
        yaml_err(compiler->err, list, "a list of 1 to 64 values is expected here");
        return NULL;
    }
    for (const struct yaml_node *child = list->children; child; child = child->next) {
        args[expr->arg_count] = part_compile(compiler, child, op);
        if (!args[expr->arg_count++])
            return NULL;
    }
    expr->args = args;
    return expr;
}

static struct expr *object_compile(struct compiler *compiler, const struct yaml_node *node,
                                   const struct yaml_node *map, enum expr_op op)
{
    struct expr *expr = expr_new(compiler, op);
    (void)node;
    const struct expr **args = compile_alloc(compiler, (map->count + 1) * sizeof *args);
    struct slice *names = compile_alloc(compiler, (map->count + 1) * sizeof *names);
    if (!expr || !args || !names)
        return NULL;
    if (map->kind != YAML_MAP || map->count == 0 || map->count > 64) {
        yaml_err(compiler->err, map, "a map of 1 to 64 names to values is expected here");
        return NULL;
    }
    for (const struct yaml_node *child = map->children; child; child = child->next) {
        struct slice quoted = text_quote(child->key->text, compiler->process);
        char *name = compile_alloc(compiler, quoted.bytes + 1);
        args[expr->arg_count] = value_compile(compiler, child);
        if (!name || !quoted.p || !args[expr->arg_count])
            return NULL;
        memcpy(name, quoted.p, quoted.bytes);
        name[quoted.bytes] = ':';
        names[expr->arg_count++] = (struct slice){name, quoted.bytes + 1};
    }
    expr->args = args;
    expr->names = names;
    return expr;
}

/* `of` and `where` start at the element. */
static bool element_compile(struct compiler *compiler, const struct yaml_node *node,
                            struct scope *each, struct expr *expr)
{
    const struct yaml_node *of = yaml_get(node, "of"), *where = yaml_get(node, "where");
    if (compiler->level_count == LEVELS_MAX)
        return yaml_err(compiler->err, node, "lists within lists too deep");
    expr->each = each;
    compiler->level[compiler->level_count++] = each;
    bool ok = (!of || (expr->of = value_compile(compiler, of))) &&
              (!where || (expr->where = cond_compile(compiler, where)));
    compiler->level_count--;
    return ok;
}

/* count, sum, join, pick: over the elements of the array at a path. */
static struct expr *fold_compile(struct compiler *compiler, const struct yaml_node *node,
                                 const struct yaml_node *array, enum expr_op op)
{
    struct place place;
    const struct yaml_node *sep = yaml_get(node, "sep"), *distinct = yaml_get(node, "distinct");
    struct expr *expr = expr_new(compiler, op);
    if (!expr || !place_compile(compiler, array, &place))
        return NULL;
    if ((op == EXPR_COUNT) == (yaml_get(node, "of") != NULL)) {
        yaml_err(compiler->err, node,
                 op == EXPR_COUNT ? "`count` has no `of`, only `where`" : "`of` is missing");
        return NULL;
    }
    expr->scope = place.scope;
    expr->node = place.node;
    expr->text = sep ? sep->text : SLICE(",");
    /* Not the scope of an `each` step over the same array, whose element stays where it is. */
    struct scope *each =
        trie_scope(&compiler->set->trie, place.scope, place.node, SCOPE_EACH, SLICE("fold"));
    if (!each || (distinct && !yaml_bool(distinct, &expr->distinct, compiler->err)) ||
        !element_compile(compiler, node, each, expr))
        return NULL;
    return expr;
}

static struct expr *member_compile(struct compiler *compiler, const struct yaml_node *node,
                                   const struct yaml_node *object, enum expr_op op)
{
    struct place place;
    const struct yaml_node *name = yaml_get(node, "name");
    struct expr *expr = expr_new(compiler, op);
    const struct expr **args = compile_alloc(compiler, sizeof *args);
    if (!expr || !args || !place_compile(compiler, object, &place))
        return NULL;
    if (!name) {
        yaml_err(compiler->err, node, "`member` needs a `name`");
        return NULL;
    }
    args[0] = value_compile(compiler, name);
    expr->scope = place.scope;
    expr->node = place.node;
    expr->text = object->text;
    expr->args = args;
    expr->arg_count = 1;
    return args[0] ? expr : NULL;
}

static struct expr *characters_compile(struct compiler *compiler, const struct yaml_node *node,
                                       const struct yaml_node *of, enum expr_op op)
{
    struct expr *expr = expr_new(compiler, op);
    (void)node;
    const struct expr **args = compile_alloc(compiler, sizeof *args);
    if (!expr || !args || !(args[0] = value_compile(compiler, of)))
        return NULL;
    expr->args = args;
    expr->arg_count = 1;
    return expr;
}

struct expr *operator_compile(struct compiler *compiler, const struct yaml_node *node)
{
    const struct yaml_node *found = NULL;
    size_t keyword = 0;
    if (node->kind == YAML_SCALAR)
        return path_compile(compiler, node, node, EXPR_PATH);
    if (node->kind == YAML_LIST)
        return list_compile(compiler, node, node, EXPR_FIRST);
    for (size_t i = 0; i < OPERATORS; i++) {
        const struct yaml_node *operand = yaml_get(node, operator_table[i].word);
        if (operand && found) {
            yaml_err(compiler->err, operand, "`%s` beside `%s`: a value has one operator",
                     operator_table[i].word, operator_table[keyword].word);
            return NULL;
        }
        if (operand) {
            found = operand;
            keyword = i;
        }
    }
    if (!found) {
        yaml_err(compiler->err, node,
                 "a value is expected here: a path, a list of alternatives, "
                 "or an operator such as `path` or `const`");
        return NULL;
    }
    return operator_table[keyword].compile(compiler, node, found, operator_table[keyword].op);
}

/* --- filters ------------------------------------------------------------------------------- */

const struct slice *words_compile(struct compiler *compiler, const struct yaml_node *list)
{
    size_t count = 0;
    struct slice *words = compile_alloc(compiler, (list->count + 1) * sizeof *words);
    if (!words)
        return NULL;
    if (list->kind != YAML_LIST || list->count == 0) {
        yaml_err(compiler->err, list, "a list of words is expected here");
        return NULL;
    }
    for (const struct yaml_node *child = list->children; child; child = child->next) {
        if (child->kind != YAML_SCALAR) {
            yaml_err(compiler->err, child, "a word is expected here");
            return NULL;
        }
        words[count++] = child->text;
    }
    return words;
}

static bool map_compile(struct compiler *compiler, const struct yaml_node *map,
                        struct filters *filters)
{
    struct word_pair *pairs = compile_alloc(compiler, (map->count + 1) * sizeof *pairs);
    if (!pairs)
        return false;
    if (map->kind != YAML_MAP || map->count == 0)
        return yaml_err(compiler->err, map, "`map` is a map of words to words");
    for (const struct yaml_node *child = map->children; child; child = child->next) {
        if (child->kind != YAML_SCALAR)
            return yaml_err(compiler->err, child, "a word is expected here");
        if (slice_is(child->key->text, "*"))
            filters->map_rest = &child->text;
        else
            pairs[filters->map_count++] = (struct word_pair){child->key->text, child->text};
    }
    filters->map = pairs;
    return true;
}

static bool time_format_refused(struct compiler *compiler, const struct yaml_node *node,
                                char conversion)
{
    if (conversion == 'Z')
        return yaml_err(compiler->err, node,
                        "`time`: %%Z is not read, the letters of a zone stand for several: write "
                        "them as they are where they mean UTC, or %%z for +0100");
    if (conversion)
        return yaml_err(compiler->err, node, "`time`: no time is read from %%%c", conversion);
    return yaml_err(compiler->err, node,
                    "`time` is s, ms, us, ns, rfc3339, a strptime format, or a list");
}

static bool time_compile(struct compiler *compiler, const struct yaml_node *node,
                         struct filters *filters)
{
    bool list = node->kind == YAML_LIST;
    const struct yaml_node *child = list ? node->children : node;
    char conversion = 0;
    struct time_format *formats = compile_alloc(compiler, (node->count + 1) * sizeof *formats);
    if (!formats)
        return false;
    for (; child; child = list ? child->next : NULL) {
        if (child->kind != YAML_SCALAR ||
            !time_format_parse(child->text.p, &formats[filters->time_count++], &conversion))
            return time_format_refused(compiler, child, conversion);
    }
    if (filters->time_count == 0)
        return yaml_err(compiler->err, node, "`time` is empty");
    filters->time = formats;
    return true;
}

static bool scale_compile(struct compiler *compiler, const struct yaml_node *node,
                          struct filters *filters)
{
    struct decimal *scale = compile_alloc(compiler, sizeof *scale);
    if (!scale)
        return false;
    if (node->kind != YAML_SCALAR || !decimal_parse(node->text, scale, NULL))
        return yaml_err(compiler->err, node, "`scale` is a number");
    filters->scale = scale;
    return true;
}

static bool match_compile(struct compiler *compiler, const struct yaml_node *node,
                          const struct pattern **pattern)
{
    struct err err = {0};
    if (node->kind != YAML_SCALAR)
        return yaml_err(compiler->err, node, "`match` is a pattern");
    *pattern = pattern_compile(node->text, PATTERN_POSIX, compiler->process, &err);
    return *pattern || yaml_err(compiler->err, node, "%s", err.text);
}

static bool hash_compile(struct compiler *compiler, const struct yaml_node *node,
                         struct filters *filters)
{
    filters->hash = node->kind == YAML_SCALAR && slice_is(node->text, "sha256");
    return filters->hash || yaml_err(compiler->err, node, "`hash` is sha256");
}

static bool default_compile(struct compiler *compiler, const struct yaml_node *node,
                            struct filters *filters)
{
    if (node->kind != YAML_SCALAR)
        return yaml_err(compiler->err, node, "`default` is one word, number or text");
    filters->fallback = &node->text;
    return true;
}

static bool filters_compile(struct compiler *compiler, const struct yaml_node *node,
                            struct filters *filters)
{
    const struct yaml_node *when = yaml_get(node, "when"), *null_if = yaml_get(node, "null_if");
    const struct yaml_node *match = yaml_get(node, "match"), *map = yaml_get(node, "map");
    const struct yaml_node *time = yaml_get(node, "time"), *scale = yaml_get(node, "scale");
    const struct yaml_node *hash = yaml_get(node, "hash"), *otherwise = yaml_get(node, "default");

    filters->null_if_count = null_if ? null_if->count : 0;
    return (!when || (filters->when = cond_compile(compiler, when))) &&
           (!null_if || (filters->null_if = words_compile(compiler, null_if))) &&
           (!match || match_compile(compiler, match, &filters->match)) &&
           (!map || map_compile(compiler, map, filters)) &&
           (!time || time_compile(compiler, time, filters)) &&
           (!scale || scale_compile(compiler, scale, filters)) &&
           (!hash || hash_compile(compiler, hash, filters)) &&
           (!otherwise || default_compile(compiler, otherwise, filters));
}

const struct expr *value_compile(struct compiler *compiler, const struct yaml_node *node)
{
    static const char *const filter_words[] = {"when", "null_if", "match", "map",
                                               "time", "scale",   "hash",  "default"};
    bool filtered = false;
    if (node->kind == YAML_MAP && !yaml_only(node, value_words, VALUE_WORDS, compiler->err))
        return NULL;
    for (size_t i = 0; i < sizeof filter_words / sizeof filter_words[0]; i++)
        filtered |= yaml_get(node, filter_words[i]) != NULL;
    struct expr *expr = operator_compile(compiler, node);
    if (!expr || !filtered)
        return expr;
    struct filters *filters = compile_alloc(compiler, sizeof *filters);
    if (!filters || !filters_compile(compiler, node, filters))
        return NULL;
    expr->filters = filters;
    return expr;
}

/* --- conditions ---------------------------------------------------------------------------- */

static struct cond *cond_new(struct compiler *compiler, enum cond_op op)
{
    struct cond *cond = compile_alloc(compiler, sizeof *cond);
    if (cond)
        cond->op = op;
    return cond;
}

static const struct cond *conds_compile(struct compiler *compiler, const struct yaml_node *node,
                                        enum cond_op op)
{
    bool list = op != COND_NOT;
    struct cond *cond = cond_new(compiler, op);
    const struct cond **args = compile_alloc(compiler, (node->count + 1) * sizeof *args);
    if (!cond || !args)
        return NULL;
    if (list && node->kind != YAML_LIST) {
        yaml_err(compiler->err, node, "a list of conditions is expected here");
        return NULL;
    }
    for (const struct yaml_node *child = list ? node->children : node; child;
         child = list ? child->next : NULL) {
        args[cond->arg_count] = cond_compile(compiler, child);
        if (!args[cond->arg_count++])
            return NULL;
    }
    cond->args = args;
    return cond;
}

static bool test_compile(struct compiler *compiler, const struct yaml_node *test, struct cond *cond)
{
    struct filters number = {0};
    switch (cond->op) {
    case COND_EXISTS:
        return yaml_bool(test, &cond->expected, compiler->err);
    case COND_MATCH:
        return match_compile(compiler, test, &cond->pattern);
    case COND_GT:
        if (!scale_compile(compiler, test, &number))
            return false;
        cond->limit = number.scale;
        return true;
    default:
        if (test->kind == YAML_LIST) {
            cond->words = words_compile(compiler, test);
            cond->word_count = test->count;
            return cond->words != NULL;
        }
        cond->words = &test->text;
        cond->word_count = 1;
        return test->kind == YAML_SCALAR ||
               yaml_err(compiler->err, test, "a word is expected here");
    }
}

const struct cond *cond_compile(struct compiler *compiler, const struct yaml_node *node)
{
    static const char *const words[] = {
        "all",    "any",  "not",    "exists", "eq",    "in",        "match",     "gt", "path",
        "first",  "add",  "sub",    "count",  "sum",   "join",      "pick",      "of", "where",
        "member", "name", "header", "key",    "topic", "partition", "kafka_time"};
    static const struct {
        const char *word;
        enum cond_op op;
    } tests[] = {{"all", COND_ALL},       {"any", COND_ANY}, {"not", COND_NOT},
                 {"exists", COND_EXISTS}, {"eq", COND_EQ},   {"in", COND_EQ},
                 {"match", COND_MATCH},   {"gt", COND_GT}};
    const struct yaml_node *test = NULL;
    enum cond_op op = COND_EXISTS;

    if (node->kind == YAML_MAP &&
        !yaml_only(node, words, sizeof words / sizeof words[0], compiler->err))
        return NULL;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        const struct yaml_node *found = yaml_get(node, tests[i].word);
        if (found && test) {
            yaml_err(compiler->err, found, "a condition makes one test: use {all: [...]}");
            return NULL;
        }
        if (found) {
            test = found;
            op = tests[i].op;
        }
    }
    if (op == COND_ALL || op == COND_ANY || op == COND_NOT)
        return conds_compile(compiler, test, op);
    struct cond *cond = cond_new(compiler, op);
    if (!cond || !(cond->expr = operator_compile(compiler, node)))
        return NULL;
    cond->expected = true;
    return !test || test_compile(compiler, test, cond) ? cond : NULL;
}
