/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of mappings: which ones, in which order. Definitions are gathered first, from the built-in
 * files and from the configuration, and only those that are wanted are compiled.
 */
#include "ingest/mapping.h"

#include "core/embed.h"
#include "core/hash.h"
#include "ingest/compile.h"

#include <stdlib.h>
#include <string.h>

#define PROCESS_BYTES_MAX (64u << 20)
#define DEFINITIONS_MAX 512

struct definition {
    const struct yaml_node *node;
    const char *name, *group; /* group: the short name of the built-in file */
    bool extra;
};

struct catalog {
    struct definition list[DEFINITIONS_MAX];
    size_t count, builtin_count;
    const struct yaml_node *wrappers[8];
    size_t wrapper_count;
    struct err *err;
};

/* "10-litellm.yaml" is called "litellm". */
static struct slice short_name(const char *file)
{
    const char *dash = strchr(file, '-');
    const char *start = dash ? dash + 1 : file;
    const char *dot = strrchr(start, '.');
    return (struct slice){start, dot ? (size_t)(dot - start) : strlen(start)};
}

static struct definition *catalog_find(struct catalog *catalog, struct slice name)
{
    for (size_t i = 0; i < catalog->count; i++)
        if (slice_is(name, catalog->list[i].name))
            return &catalog->list[i];
    return NULL;
}

static bool definition_add(struct catalog *catalog, const struct yaml_node *node, const char *group,
                           bool extra)
{
    const struct yaml_node *name = yaml_get(node, "name");
    if (!name || name->kind != YAML_SCALAR)
        return yaml_err(catalog->err, node, "a mapping needs a `name`");
    struct definition *known = catalog_find(catalog, name->text);
    if (known && (known->extra || !extra))
        return yaml_err(catalog->err, name, "a second mapping \"" SLICE_FMT "\"",
                        SLICE_ARG(name->text));
    if (known) {
        known->node = node;
        known->extra = true;
        return true;
    }
    if (catalog->count == DEFINITIONS_MAX)
        return yaml_err(catalog->err, node, "more than %d mappings", DEFINITIONS_MAX);
    catalog->list[catalog->count++] =
        (struct definition){node, name->text.p, group ? group : name->text.p, extra};
    return true;
}

static bool definitions_add(struct catalog *catalog, const struct yaml_node *list,
                            const char *group, bool extra)
{
    if (list->kind != YAML_LIST)
        return list->kind == YAML_NULL ||
               yaml_err(catalog->err, list, "`mappings` is a list of mappings");
    for (const struct yaml_node *child = list->children; child; child = child->next)
        if (!definition_add(catalog, child, group, extra))
            return false;
    return true;
}

static bool file_add(struct catalog *catalog, struct arena *process, const struct embedded *file,
                     struct yaml_tree **tree)
{
    static const char *const words[] = {"mappings", "wrappers"};
    const char *group = arena_text(process, short_name(file->name));
    *tree = yaml_parse((struct slice){file->text, file->bytes}, file->name, catalog->err);
    if (!*tree || !group)
        return false;
    const struct yaml_node *root = yaml_root(*tree);
    const struct yaml_node *mappings = yaml_get(root, "mappings");
    const struct yaml_node *wrappers = yaml_get(root, "wrappers");
    if (!yaml_only(root, words, 2, catalog->err))
        return false;
    if (wrappers && catalog->wrapper_count < 8)
        catalog->wrappers[catalog->wrapper_count++] = wrappers;
    return !mappings || definitions_add(catalog, mappings, group, false);
}

static bool catalog_load(struct catalog *catalog, struct mappings *set,
                         const struct yaml_node *extra)
{
    size_t files = 0;
    while (embedded_mappings[files].name)
        files++;
    set->trees = calloc(files + 1, sizeof *set->trees);
    if (!set->trees)
        return err_set(catalog->err, ERR_FATAL, "out of memory");
    for (size_t i = 0; i < files; i++) {
        set->tree_count = i + 1; /* also the tree of a file that fails is freed with the set */
        if (!file_add(catalog, &set->process, &embedded_mappings[i], &set->trees[i]))
            return false;
    }
    catalog->builtin_count = catalog->count;
    return !extra || definitions_add(catalog, extra, NULL, true);
}

/* --- which, in which order ----------------------------------------------------------------- */

struct choice {
    const struct definition *list[DEFINITIONS_MAX];
    size_t count;
};

static void choose(struct choice *choice, const struct definition *definition)
{
    for (size_t i = 0; i < choice->count; i++)
        if (choice->list[i] == definition)
            return;
    choice->list[choice->count++] = definition;
}

/* Additional ones first, then the built-in ones, replaced or not. */
static void choose_all(struct choice *choice, const struct catalog *catalog)
{
    for (size_t i = catalog->builtin_count; i < catalog->count; i++)
        choose(choice, &catalog->list[i]);
    for (size_t i = 0; i < catalog->builtin_count; i++)
        choose(choice, &catalog->list[i]);
}

static bool choose_named(struct choice *choice, const struct catalog *catalog, const char *name)
{
    bool known = false;
    for (size_t i = 0; i < catalog->count; i++)
        if (strcmp(catalog->list[i].name, name) == 0 || strcmp(catalog->list[i].group, name) == 0) {
            choose(choice, &catalog->list[i]);
            known = true;
        }
    if (known)
        return true;
    const char *names[2 * DEFINITIONS_MAX];
    for (size_t i = 0; i < catalog->count; i++) {
        names[2 * i] = catalog->list[i].name;
        names[2 * i + 1] = catalog->list[i].group;
    }
    const char *near = yaml_suggest(slice_of(name), names, 2 * catalog->count);
    return err_set(catalog->err, ERR_CONFIG, "no mapping \"%s\"%s%s%s", name,
                   near ? ": did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static void node_hash(struct hash64 *hash, const struct yaml_node *node)
{
    hash64_add_int(hash, node->kind);
    hash64_add_int(hash, (int64_t)node->count);
    if (node->kind == YAML_SCALAR)
        hash64_add(hash, node->text);
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        if (child->key)
            node_hash(hash, child->key);
        node_hash(hash, child);
    }
}

static uint64_t choice_hash(const struct choice *choice)
{
    struct hash64 hash;
    hash64_init(&hash);
    hash64_add(&hash, SLICE(SPENDLOG_VERSION));
    for (size_t i = 0; i < choice->count; i++)
        node_hash(&hash, choice->list[i]->node);
    return hash64_final(&hash);
}

static bool choice_compile(const struct choice *choice, struct mappings *set, struct err *err)
{
    struct compiler compiler = {.set = set, .process = &set->process, .err = err};
    struct mapping **list = compile_alloc(&compiler, (choice->count + 1) * sizeof *list);
    if (!list)
        return false;
    for (size_t i = 0; i < choice->count; i++) {
        struct mapping *mapping = compile_alloc(&compiler, sizeof *mapping);
        if (!mapping || !mapping_compile(&compiler, choice->list[i]->node, mapping))
            return false;
        mapping->group = choice->list[i]->group;
        list[set->count++] = mapping;
    }
    set->list = list;
    set->fingerprint = choice_hash(choice);
    return true;
}

static bool mapping_freeze(struct mappings *set, struct mapping *mapping)
{
    uint16_t *of = arena_zalloc(&set->process, set->trie.node_count * sizeof *of);
    if (!of)
        return false;
    for (size_t i = 1; i <= mapping->dependency_count; i++)
        of[mapping->dependency_nodes[i]->id] = (uint16_t)i;
    mapping->dependency_of = of;
    uint64_t *known = arena_zalloc(&set->process, (set->trie.node_count / 64 + 1) * sizeof *known);
    if (!known)
        return false;
    for (const struct known *place = mapping->known_places; place; place = place->next)
        known[place->node->id / 64] |= UINT64_C(1) << (place->node->id % 64);
    mapping->known = known;
    mapping->field_names = set->field_names;
    return true;
}

/* Ids of slots are known when all paths are. */
static bool plain(const struct expr *expr)
{
    return expr->op == EXPR_PATH && !expr->filters;
}

static bool first_plain(const struct expr *expr)
{
    bool all = expr->op == EXPR_FIRST && !expr->filters;
    for (size_t i = 0; all && i < expr->arg_count; i++)
        all = plain(expr->args[i]);
    return all;
}

static bool set_freeze(struct mappings *set)
{
    if (!trie_freeze(&set->trie))
        return false;
    for (unsigned i = 0; i < FIELDS_MAX; i++) {
        bool fact = i < FACT_COUNT;
        const char *name = fact ? fact_info[i].name : label_info[i - FACT_COUNT].name;
        set->field_names[i] = (uint32_t)hash_xxh64(slice_of(name));
    }
    for (struct expr *expr = set->exprs; expr; expr = expr->next) {
        expr->plain = plain(expr) || first_plain(expr);
        if (expr->node) {
            expr->slot = expr->node->id;
            expr->scope_id = expr->scope->id;
        }
    }
    for (size_t i = 0; i < set->count; i++)
        if (!mapping_freeze(set, set->list[i]))
            return false;
    return true;
}

static bool wrappers_compile(const struct catalog *catalog, struct mappings *set, struct err *err)
{
    struct compiler compiler = {.set = set, .process = &set->process, .err = err};
    size_t count = 0;
    for (size_t i = 0; i < catalog->wrapper_count; i++)
        count += catalog->wrappers[i]->count;
    struct wrapper *wrappers = compile_alloc(&compiler, (count + 1) * sizeof *wrappers);
    if (!wrappers)
        return false;
    for (size_t i = 0; i < catalog->wrapper_count; i++)
        for (const struct yaml_node *child = catalog->wrappers[i]->children; child;
             child = child->next)
            if (!wrapper_compile(&compiler, child, &wrappers[set->wrapper_count++]))
                return false;
    set->wrappers = wrappers;
    return true;
}

static bool set_compile(struct mappings *set, const char *const names[], size_t count,
                        const struct yaml_node *extra, struct err *err)
{
    struct catalog *catalog = calloc(1, sizeof *catalog);
    struct choice *choice = calloc(1, sizeof *choice);
    bool ok = catalog && choice;
    if (!ok)
        err_set(err, ERR_FATAL, "out of memory");
    if (ok) {
        catalog->err = err;
        ok = catalog_load(catalog, set, extra);
    }
    if (ok && count == 0)
        choose_all(choice, catalog);
    for (size_t i = 0; ok && i < count; i++)
        ok = choose_named(choice, catalog, names[i]);
    ok = ok && trie_init(&set->trie, &set->process) && choice_compile(choice, set, err) &&
         wrappers_compile(catalog, set, err) && set_freeze(set);
    free(choice);
    free(catalog);
    return ok || err_set(err, ERR_CONFIG, "the mappings are too large");
}

struct mappings *mappings_compile(const char *const names[], size_t count,
                                  const struct yaml_node *extra, struct err *err)
{
    struct mappings *set = calloc(1, sizeof *set);
    if (!set) {
        err_set(err, ERR_FATAL, "out of memory");
        return NULL;
    }
    arena_init(&set->process, PROCESS_BYTES_MAX);
    if (set_compile(set, names, count, extra, err))
        return set;
    mappings_free(set);
    return NULL;
}

void mappings_free(struct mappings *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->tree_count; i++)
        yaml_free(set->trees[i]);
    free(set->trees);
    arena_free(&set->process);
    free(set);
}

void mappings_registry(struct mappings *set, struct registry *registry)
{
    set->registry = registry;
}

void mappings_otlp(struct mappings *set)
{
    set->otlp = true;
}

uint64_t mappings_fingerprint(const struct mappings *set)
{
    uint64_t fingerprint = set->fingerprint + set->otlp;
    return fingerprint ? fingerprint : 1;
}

bool mappings_defaults(struct mappings *set, const struct yaml_node *defaults, struct err *err)
{
    struct compiler compiler = {.set = set, .process = &set->process, .err = err};
    if (!defaults || defaults->kind == YAML_NULL)
        return true;
    if (defaults->kind != YAML_MAP)
        return yaml_err(err, defaults, "`defaults` is a map of fields to values");
    struct field *fields = compile_alloc(&compiler, (defaults->count + 1) * sizeof *fields);
    if (!fields)
        return false;
    size_t count = 0;
    for (const struct yaml_node *child = defaults->children; child; child = child->next) {
        struct expr *expr = compile_alloc(&compiler, sizeof *expr);
        if (!expr)
            return false;
        if (child->kind != YAML_SCALAR)
            return yaml_err(err, child, "a default is one word, number or text");
        *expr = (struct expr){.op = EXPR_CONST, .text = child->text};
        fields[count].expr = expr;
        if (!field_lookup(&compiler, child->key->text, child->key, &fields[count]) ||
            !constants_check(&compiler, &fields[count], expr, child))
            return false;
        fields[count++].expr = expr;
    }
    set->defaults = fields;
    set->default_count = count;
    return true;
}
