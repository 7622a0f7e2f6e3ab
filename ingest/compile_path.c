/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths: JSON Pointer (RFC 6901) with two additions, "[member=text]" for the first array element
 * with such a member, and "@N" in front for the whole record (0) or the element of the N-th `each`.
 */
#include "ingest/compile.h"

#include <string.h>

void *compile_alloc(struct compiler *compiler, size_t bytes)
{
    void *p = arena_zalloc(compiler->process, bytes);
    if (!p)
        err_set(compiler->err, ERR_CONFIG, "the mappings are too large");
    return p;
}

/* ~1 is '/', ~0 is '~'. */
static bool token_unescape(struct compiler *compiler, const struct yaml_node *node,
                           struct slice raw, struct slice *token)
{
    *token = raw;
    if (!memchr(raw.p, '~', raw.bytes))
        return true;
    char *out = compile_alloc(compiler, raw.bytes + 1);
    size_t n = 0;
    if (!out)
        return false;
    for (size_t i = 0; i < raw.bytes; i++) {
        char c = raw.p[i];
        if (c == '~') {
            if (++i == raw.bytes || (raw.p[i] != '0' && raw.p[i] != '1'))
                return yaml_err(compiler->err, node, "'~' in a path is written ~0, '/' is ~1");
            c = raw.p[i] == '0' ? '~' : '/';
        }
        out[n++] = c;
    }
    *token = (struct slice){out, n};
    return true;
}

static void steps_apply(const struct compiler *compiler, struct place *place)
{
    for (size_t i = 0; i < compiler->step_count; i++)
        if (compiler->steps[i].scope == place->scope && compiler->steps[i].node == place->node) {
            place->scope = compiler->steps[i].derived;
            place->node = place->scope->root;
        }
}

static bool token_enter(struct compiler *compiler, struct slice token, struct place *place)
{
    struct trie *trie = &compiler->set->trie;
    if (token_selects(token)) {
        place->scope = trie_scope(trie, place->scope, place->node, SCOPE_SELECT, token);
        place->node = place->scope ? place->scope->root : NULL;
    } else {
        place->node = trie_member(trie, place->node, token);
    }
    if (!place->node)
        return err_set(compiler->err, ERR_CONFIG, "the mappings are too large");
    steps_apply(compiler, place);
    return true;
}

/* "@1/rest": the level; what is left of the text. */
static bool level_parse(struct compiler *compiler, const struct yaml_node *node, struct slice *text,
                        size_t *level)
{
    *level = compiler->level_count - 1;
    if (text->bytes == 0 || text->p[0] != '@')
        return true;
    unsigned digit = text->bytes > 1 ? (unsigned)(text->p[1] - '0') : 10;
    if (digit > 9 || (text->bytes > 2 && text->p[2] != '/'))
        return yaml_err(compiler->err, node, "'@' is followed by a number or by 'index'");
    if (digit > compiler->each_count)
        return yaml_err(compiler->err, node, "@%u: there are only %zu `each` steps", digit,
                        compiler->each_count);
    *level = digit;
    *text = (struct slice){text->p + 2, text->bytes - 2};
    return true;
}

static bool known_add(struct compiler *compiler, const struct node *node)
{
    struct known *known = compile_alloc(compiler, sizeof *known);
    if (!known)
        return false;
    *known = (struct known){node, compiler->known};
    compiler->known = known;
    return true;
}

/* A place is known, and so is each list or text that the path to it opens. */
static bool place_known(struct compiler *compiler, const struct place *place)
{
    if (!known_add(compiler, place->node))
        return false;
    for (const struct scope *scope = place->scope; scope->kind != SCOPE_RECORD;
         scope = scope->parent)
        if (scope->kind != SCOPE_EACH && scope->kind != SCOPE_KEY &&
            !known_add(compiler, scope->source))
            return false;
    return true;
}

static bool tokens_enter(struct compiler *compiler, const struct yaml_node *node, struct slice text,
                         struct place *place)
{
    struct slice token;
    for (const char *p = text.p, *end = p + text.bytes; p < end;) {
        const char *next = memchr(p + 1, '/', (size_t)(end - p - 1));
        struct slice raw = {p + 1, (size_t)((next ? next : end) - p - 1)};
        if (!token_unescape(compiler, node, raw, &token) || !token_enter(compiler, token, place))
            return false;
        p = next ? next : end;
    }
    return place_known(compiler, place);
}

bool key_place_compile(struct compiler *compiler, const struct yaml_node *node, struct place *place)
{
    struct scope *record = compiler->set->trie.record;
    struct scope *key =
        trie_scope(&compiler->set->trie, record, record->root, SCOPE_KEY, SLICE("key"));
    if (!key)
        return err_set(compiler->err, ERR_CONFIG, "the mappings are too large");
    *place = (struct place){key, key->root};
    return tokens_enter(compiler, node, node->text, place);
}

bool place_compile(struct compiler *compiler, const struct yaml_node *node, struct place *place)
{
    size_t level;
    struct slice text = node->text;
    if (node->kind != YAML_SCALAR)
        return yaml_err(compiler->err, node, "a path is expected here");
    if (!level_parse(compiler, node, &text, &level))
        return false;
    if (text.bytes > 0 && text.p[0] != '/')
        return yaml_err(compiler->err, node,
                        "a path starts with '/' or '@'; a constant is {const: \"" SLICE_FMT "\"}",
                        SLICE_ARG(text));
    *place = (struct place){compiler->level[level], compiler->level[level]->root};
    steps_apply(compiler, place);
    return tokens_enter(compiler, node, text, place);
}
