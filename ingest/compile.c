/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings and wrappers: the outer shape of the language. */
#include "ingest/compile.h"

#include "ingest/number.h"

#include <string.h>

/* --- fields -------------------------------------------------------------------------------- */

static bool field_unknown(struct compiler *compiler, struct slice name,
                          const struct yaml_node *node)
{
    const char *names[FIELDS_MAX];
    for (unsigned i = 0; i < FIELDS_MAX; i++)
        names[i] = i < FACT_COUNT ? fact_info[i].name : label_info[i - FACT_COUNT].name;
    const char *near = yaml_suggest(name, names, FIELDS_MAX);
    return yaml_err(compiler->err, node, "unknown field \"" SLICE_FMT "\"%s%s%s", SLICE_ARG(name),
                    near ? ": did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

bool field_lookup(struct compiler *compiler, struct slice name, const struct yaml_node *node,
                  struct field *field)
{
    enum fact fact = fact_find(name);
    if (fact < FACT_COUNT) {
        *field = (struct field){fact, fact_info[fact].kind, fact_info[fact].name, NULL};
        return true;
    }
    enum label label = label_find(name);
    if (label == LABEL_COUNT)
        return field_unknown(compiler, name, node);
    *field = (struct field){(unsigned)FACT_COUNT + label, label_info[label].kind,
                            label_info[label].name, NULL};
    return true;
}

static bool constant_fits(enum field_kind kind, struct slice text)
{
    int64_t count;
    struct decimal decimal;
    struct time_format format = {.kind = TIME_RFC3339};
    switch (kind) {
    case KIND_COUNT:
        return number_count(text, &count) == NUMBER_OK;
    case KIND_DECIMAL:
        return number_decimal(text, &decimal) == NUMBER_OK && !decimal.negative;
    case KIND_BOOL:
        return slice_is(text, "true") || slice_is(text, "false");
    case KIND_TIME:
        return time_parse(text, &format, &count);
    case KIND_JSON:
        return false;
    case KIND_TEXT:
    case KIND_TAGS:
        return true;
    }
    return false;
}

static bool constant_check(struct compiler *compiler, const struct field *field, struct slice text,
                           const struct yaml_node *node)
{
    static const char *const what[] = {
        [KIND_TEXT] = "a text",
        [KIND_COUNT] = "a count",
        [KIND_DECIMAL] = "a number that is not negative",
        [KIND_BOOL] = "true or false",
        [KIND_TIME] = "an RFC 3339 time",
        [KIND_TAGS] = "tags",
        [KIND_JSON] = "an object from the message",
    };
    return constant_fits(field->kind, text) ||
           yaml_err(compiler->err, node, "\"" SLICE_FMT "\" is not %s, which %s is",
                    SLICE_ARG(text), what[field->kind], field->name);
}

bool constants_check(struct compiler *compiler, const struct field *field, const struct expr *expr,
                     const struct yaml_node *node)
{
    const struct filters *filters = expr->filters;
    if (filters && filters->fallback && !constant_check(compiler, field, *filters->fallback, node))
        return false;
    if (expr->op == EXPR_CONST && !filters)
        return constant_check(compiler, field, expr->text, node);
    bool list = expr->op == EXPR_FIRST || expr->op == EXPR_SAME;
    for (size_t i = 0; list && !filters && i < expr->arg_count; i++)
        if (!constants_check(compiler, field, expr->args[i], node))
            return false;
    return true;
}

static bool fields_compile(struct compiler *compiler, const struct yaml_node *map,
                           const struct field **out, size_t *count)
{
    struct field *fields = compile_alloc(compiler, (map->count + 1) * sizeof *fields);
    if (!fields)
        return false;
    if (map->kind != YAML_MAP || map->count == 0)
        return yaml_err(compiler->err, map, "a map of fields to values is expected here");
    for (const struct yaml_node *child = map->children; child; child = child->next) {
        struct field *field = &fields[*count];
        if (child->kind == YAML_NULL) /* takes back one that was merged in by << */
            continue;
        ++*count;
        if (!field_lookup(compiler, child->key->text, child->key, field) ||
            !(field->expr = value_compile(compiler, child)) ||
            !constants_check(compiler, field, field->expr, child))
            return false;
    }
    *out = fields;
    return true;
}

static bool fields_have(const struct mapping *mapping, unsigned field)
{
    for (size_t i = 0; i < mapping->field_count; i++)
        if (mapping->fields[i].id == field)
            return true;
    return false;
}

/* --- what a field hangs on ----------------------------------------------------------------- */

static struct dependency *dependency_of(struct mapping *mapping, const struct node *node)
{
    size_t i = 1;
    while (i <= mapping->dependency_count && mapping->dependency_nodes[i] != node)
        i++;
    mapping->dependency_nodes[i] = node;
    if (i > mapping->dependency_count)
        mapping->dependency_count = i;
    return &mapping->dependencies[i];
}

struct dependency_search {
    struct mapping *mapping;
    size_t field; /* place in mapping->fields */
};

/* The slot of the pass below which the value is: derived scopes are read from there. */
static void slot_depend(struct dependency_search *search, const struct scope *scope,
                        const struct node *node)
{
    for (; scope->kind != SCOPE_RECORD && scope->kind != SCOPE_EACH; scope = scope->parent)
        node = scope->source;
    struct dependency *dependency = dependency_of(search->mapping, node);
    dependency->fields[search->field / 64] |= UINT64_C(1) << (search->field % 64);
}

/* Hangs the field on slots without which the condition cannot hold; false: there are none such. */
static bool cond_depend(struct dependency_search *search, const struct cond *cond)
{
    switch (cond->op) {
    case COND_EXISTS:
    case COND_EQ:
    case COND_MATCH:
    case COND_GT:
        if ((cond->op == COND_EXISTS && !cond->expected) || cond->expr->op != EXPR_PATH)
            return false;
        slot_depend(search, cond->expr->scope, cond->expr->node);
        return true;
    case COND_ALL:
        for (size_t i = 0; i < cond->arg_count; i++)
            if (cond_depend(search, cond->args[i]))
                return true;
        return false;
    case COND_ANY:
    case COND_NOT:
        break;
    }
    return false;
}

static void expr_depend(struct dependency_search *search, const struct expr *expr)
{
    const struct filters *filters = expr->filters;
    bool constant = expr->op >= EXPR_INDEX && expr->op <= EXPR_CONST; /* hangs on no slot */
    if ((filters && filters->fallback) ||
        (constant && !(filters && filters->when && cond_depend(search, filters->when))))
        search->mapping->always[search->field / 64] |= UINT64_C(1) << (search->field % 64);
    if (expr->node)
        slot_depend(search, expr->scope, expr->node);
    for (size_t i = 0; i < expr->arg_count; i++)
        expr_depend(search, expr->args[i]);
}

static size_t paths_count(const struct expr *expr)
{
    size_t count = expr->node != NULL;
    if (expr->filters && expr->filters->when)
        count++; /* cond_depend() takes one of its paths */
    for (size_t i = 0; i < expr->arg_count; i++)
        count += paths_count(expr->args[i]);
    return count;
}

static bool dependencies_compile(struct compiler *compiler, struct mapping *mapping)
{
    struct dependency_search search = {.mapping = mapping};
    size_t count = 1;
    for (size_t i = 0; i < mapping->field_count; i++)
        count += paths_count(mapping->fields[i].expr);
    mapping->dependency_nodes = compile_alloc(compiler, count * sizeof *mapping->dependency_nodes);
    mapping->dependencies = compile_alloc(compiler, count * sizeof *mapping->dependencies);
    if (!mapping->dependency_nodes || !mapping->dependencies)
        return false;
    for (; search.field < mapping->field_count; search.field++)
        expr_depend(&search, mapping->fields[search.field].expr);
    return true;
}

/* --- unwrap, conventions, identity --------------------------------------------------------- */

static bool each_add(struct compiler *compiler, const struct yaml_node *node,
                     struct mapping *mapping)
{
    struct place place;
    if (mapping->each_count == EACH_MAX)
        return yaml_err(compiler->err, node, "more than %d `each` steps", EACH_MAX);
    if (!place_compile(compiler, node, &place))
        return false;
    struct scope *scope =
        trie_scope(&compiler->set->trie, place.scope, place.node, SCOPE_EACH, SLICE("each"));
    if (!scope)
        return err_set(compiler->err, ERR_CONFIG, "the mappings are too large");
    mapping->each[mapping->each_count++] = scope;
    compiler->level[compiler->level_count++] = scope;
    compiler->each_count++;
    return true;
}

static bool reread_add(struct compiler *compiler, const struct yaml_node *node,
                       enum scope_kind kind)
{
    struct place place;
    if (compiler->step_count == STEPS_MAX)
        return yaml_err(compiler->err, node, "more than %d steps", STEPS_MAX);
    if (!place_compile(compiler, node, &place))
        return false;
    struct scope *derived =
        trie_scope(&compiler->set->trie, place.scope, place.node, kind, SLICE(""));
    if (!derived)
        return err_set(compiler->err, ERR_CONFIG, "the mappings are too large");
    compiler->steps[compiler->step_count++] = (struct step){place.scope, place.node, derived};
    return true;
}

static bool unwrap_compile(struct compiler *compiler, const struct yaml_node *list,
                           struct mapping *mapping)
{
    static const char *const words[] = {"json", "each", "kv"};
    if (list->kind != YAML_LIST)
        return yaml_err(compiler->err, list, "`unwrap` is a list of steps");
    for (const struct yaml_node *step = list->children; step; step = step->next) {
        const struct yaml_node *json = yaml_get(step, "json"), *each = yaml_get(step, "each");
        if (step->kind != YAML_MAP || step->count != 1)
            return yaml_err(compiler->err, step,
                            "a step is {json: path}, {each: path} or {kv: path}");
        if (!yaml_only(step, words, 3, compiler->err))
            return false;
        if (!(each   ? each_add(compiler, each, mapping)
              : json ? reread_add(compiler, json, SCOPE_JSON)
                     : reread_add(compiler, yaml_get(step, "kv"), SCOPE_KV)))
            return false;
    }
    return true;
}

static bool convention_word(struct compiler *compiler, const struct yaml_node *node,
                            bool *exclusive)
{
    *exclusive = node && node->kind == YAML_SCALAR && slice_is(node->text, "exclusive");
    return *exclusive || (node && node->kind == YAML_SCALAR && slice_is(node->text, "inclusive")) ||
           yaml_err(compiler->err, node, "inclusive or exclusive");
}

static bool convention_entry(struct compiler *compiler, const struct yaml_node *node,
                             struct convention *convention)
{
    static const char *const words[] = {"emitter", "when", "is"};
    const struct yaml_node *when = yaml_get(node, "when"), *is = yaml_get(node, "is");
    const struct yaml_node *emitter = yaml_get(node, "emitter");
    if (!yaml_only(node, words, 3, compiler->err))
        return false;
    if (!is)
        return yaml_err(compiler->err, node, "`is` is missing: inclusive or exclusive");
    if (emitter && (emitter->kind != YAML_SCALAR || emitter->text.bytes == 0))
        return yaml_err(compiler->err, emitter, "`emitter` is a name");
    convention->emitter = emitter ? emitter->text.p : NULL;
    return (!when || (convention->when = cond_compile(compiler, when))) &&
           convention_word(compiler, is, &convention->exclusive);
}

/* A word, or a list of entries of which the first that holds counts. */
static bool convention_compile(struct compiler *compiler, const struct yaml_node *node,
                               struct conventions *out)
{
    if (!node)
        return true;
    struct convention *list = compile_alloc(compiler, (node->count + 1) * sizeof *list);
    if (!list)
        return false;
    out->entry = list;
    if (node->kind != YAML_LIST)
        return convention_word(compiler, node, &list[out->count++].exclusive);
    for (const struct yaml_node *child = node->children; child; child = child->next)
        if (!convention_entry(compiler, child, &list[out->count++]))
            return false;
    return true;
}

static bool identity_compile(struct compiler *compiler, const struct yaml_node *list,
                             struct mapping *mapping)
{
    struct identity_part *parts =
        compile_alloc(compiler, ((list ? list->count : 0) + 1) * sizeof *parts);
    struct field field;
    if (!parts)
        return false;
    mapping->identity = parts;
    parts[0].field = (unsigned)FACT_COUNT + LABEL_REQUEST_ID;
    mapping->identity_count = 1;
    if (!list)
        return true;
    if (list->kind != YAML_LIST || list->count == 0 || list->count > IDENTITY_MAX)
        return yaml_err(compiler->err, list, "`identity` is a list of 1 to %d fields and values",
                        IDENTITY_MAX);
    mapping->identity_count = 0;
    for (const struct yaml_node *child = list->children; child; child = child->next) {
        struct identity_part *part = &parts[mapping->identity_count++];
        bool bare = child->kind == YAML_SCALAR && child->text.bytes > 0 &&
                    child->text.p[0] != '/' && child->text.p[0] != '@';
        if (bare && !field_lookup(compiler, child->text, child, &field))
            return false;
        part->field = bare ? field.id : 0;
        if (!bare && !(part->expr = value_compile(compiler, child)))
            return false;
    }
    return true;
}

/* --- where usage stands -------------------------------------------------------------------- */

/* A path, or {in: path, prefix: [text…]}. A watched place is not thereby a known one. */
static bool watch_compile(struct compiler *compiler, const struct yaml_node *node,
                          struct watch *watch)
{
    static const char *const words[] = {"in", "prefix"};
    bool map = node->kind == YAML_MAP;
    const struct yaml_node *in = map ? yaml_get(node, "in") : node;
    const struct yaml_node *prefix = map ? yaml_get(node, "prefix") : NULL;
    const struct known *known = compiler->known;
    struct place place;
    if (map && !yaml_only(node, words, 2, compiler->err))
        return false;
    if (!in)
        return yaml_err(compiler->err, node, "`in` is missing: a path");
    if (!place_compile(compiler, in, &place))
        return false;
    compiler->known = known;
    *watch = (struct watch){.scope = place.scope, .node = place.node};
    if (!prefix)
        return true;
    watch->prefix = words_compile(compiler, prefix);
    watch->prefix_count = prefix->count;
    return watch->prefix != NULL;
}

static bool usage_compile(struct compiler *compiler, const struct yaml_node *usage,
                          const struct yaml_node *unbilled, struct mapping *mapping)
{
    struct watch *list = compile_alloc(compiler, ((usage ? usage->count : 0) + 1) * sizeof *list);
    struct place place;
    if (!list)
        return false;
    mapping->watch = list;
    if (usage && usage->kind != YAML_LIST)
        return yaml_err(compiler->err, usage, "`usage` is a list of places");
    if (unbilled && unbilled->kind != YAML_LIST)
        return yaml_err(compiler->err, unbilled, "`unbilled` is a list of paths");
    for (const struct yaml_node *child = usage ? usage->children : NULL; child; child = child->next)
        if (!watch_compile(compiler, child, &list[mapping->watch_count++]))
            return false;
    for (const struct yaml_node *child = unbilled ? unbilled->children : NULL; child;
         child = child->next)
        if (!place_compile(compiler, child, &place))
            return false;
    return true;
}

static bool frame_compile(struct compiler *compiler, const struct yaml_node *node,
                          struct mapping *mapping)
{
    static const char *const words[] = {"auto", "object", "array", "lines"};
    for (size_t i = 0; node->kind == YAML_SCALAR && i < 4; i++)
        if (slice_is(node->text, words[i])) {
            mapping->frame = (enum frame)i;
            return true;
        }
    return yaml_err(compiler->err, node, "`frame` is auto, object, array or lines");
}

/* Where a part is that is larger than its whole; `clamp`, which cut it in version 0.1, still reads.
 */
static bool parts_compile(struct compiler *compiler, const struct yaml_node *node,
                          struct mapping *mapping)
{
    bool scalar = node->kind == YAML_SCALAR;
    mapping->keeps_parts = scalar && slice_is(node->text, "keep");
    return mapping->keeps_parts ||
           (scalar && (slice_is(node->text, "outside") || slice_is(node->text, "clamp"))) ||
           yaml_err(compiler->err, node, "`parts` is outside or keep");
}

static bool keys_compile(struct compiler *compiler, const struct yaml_node *node,
                         struct mapping *mapping)
{
    mapping->keys_named = node->kind == YAML_SCALAR && slice_is(node->text, "named");
    return mapping->keys_named ||
           yaml_err(compiler->err, node, "`keys` is named: api_key holds names");
}

static bool beside_compile(struct compiler *compiler, const struct yaml_node *node,
                           struct mapping *mapping)
{
    bool scalar = node->kind == YAML_SCALAR;
    mapping->beside = scalar && slice_is(node->text, "true");
    return mapping->beside || (scalar && slice_is(node->text, "false")) ||
           yaml_err(compiler->err, node, "`beside` is true or false");
}

/* For people: who writes such events, and what of it was tried. */
static bool about_compile(struct compiler *compiler, const struct yaml_node *node,
                          struct mapping *mapping)
{
    static const char *const words[] = {"emitters", "tried"};
    const char **const texts[] = {&mapping->emitters, &mapping->tried};
    if (!yaml_only(node, words, 2, compiler->err))
        return false;
    for (size_t i = 0; i < 2; i++) {
        const struct yaml_node *text = yaml_get(node, words[i]);
        if (text && text->kind != YAML_SCALAR)
            return yaml_err(compiler->err, text, "`%s` is a text", words[i]);
        *texts[i] = text ? text->text.p : NULL;
    }
    return true;
}

static bool name_compile(struct compiler *compiler, const struct yaml_node *node,
                         struct mapping *mapping)
{
    const struct yaml_node *name = yaml_get(node, "name"), *space = yaml_get(node, "namespace");
    if (!name || name->kind != YAML_SCALAR || name->text.bytes == 0)
        return yaml_err(compiler->err, name ? name : node, "a mapping needs a `name`");
    if (space && (space->kind != YAML_SCALAR || space->text.bytes == 0))
        return yaml_err(compiler->err, space, "`namespace` is a text");
    mapping->name = name->text.p;
    mapping->space = space ? space->text : name->text;
    return true;
}

/* The mapping's words that say what it takes and how counts are meant. */
static bool rules_compile(struct compiler *compiler, const struct yaml_node *node,
                          struct mapping *mapping)
{
    const struct yaml_node *keep = yaml_get(node, "keep"), *drop = yaml_get(node, "drop");
    const struct yaml_node *keys = yaml_get(node, "keys");
    const struct yaml_node *cache = yaml_get(node, "cache"), *parts = yaml_get(node, "parts");
    const struct yaml_node *reasoning = yaml_get(node, "reasoning");

    if (!keep)
        return yaml_err(compiler->err, node, "mapping \"%s\" needs `keep`", mapping->name);
    return (mapping->keep = cond_compile(compiler, keep)) &&
           (!drop || (mapping->drop = cond_compile(compiler, drop))) &&
           (!parts || parts_compile(compiler, parts, mapping)) &&
           (!keys || keys_compile(compiler, keys, mapping)) &&
           convention_compile(compiler, cache, &mapping->cache) &&
           convention_compile(compiler, reasoning, &mapping->reasoning);
}

/* What it reads. */
static bool values_compile(struct compiler *compiler, const struct yaml_node *node,
                           struct mapping *mapping)
{
    const struct yaml_node *fields = yaml_get(node, "fields"), *guess = yaml_get(node, "guess");
    if (!fields)
        return yaml_err(compiler->err, node, "mapping \"%s\" needs `fields`", mapping->name);
    if (!fields_compile(compiler, fields, &mapping->fields, &mapping->field_count) ||
        (guess && !fields_compile(compiler, guess, &mapping->guesses, &mapping->guess_count)) ||
        !identity_compile(compiler, yaml_get(node, "identity"), mapping))
        return false;
    mapping->sets_model_answered = fields_have(mapping, FACT_MODEL_ANSWERED);
    return dependencies_compile(compiler, mapping);
}

bool mapping_compile(struct compiler *compiler, const struct yaml_node *node,
                     struct mapping *mapping)
{
    static const char *const words[] = {"name",     "frame",     "unwrap", "keep",     "drop",
                                        "cache",    "reasoning", "parts",  "fields",   "guess",
                                        "identity", "namespace", "usage",  "unbilled", "tests",
                                        "beside",   "keys",      "about"};
    const struct yaml_node *frame = yaml_get(node, "frame"), *unwrap = yaml_get(node, "unwrap");
    const struct yaml_node *beside = yaml_get(node, "beside"), *about = yaml_get(node, "about");

    if (node->kind != YAML_MAP)
        return yaml_err(compiler->err, node, "a mapping is expected here");
    compiler->level[0] = compiler->set->trie.record;
    compiler->level_count = 1;
    compiler->each_count = compiler->step_count = 0;
    compiler->known = NULL;
    if (!yaml_only(node, words, sizeof words / sizeof words[0], compiler->err) ||
        !name_compile(compiler, node, mapping) ||
        (frame && !frame_compile(compiler, frame, mapping)) ||
        (unwrap && !unwrap_compile(compiler, unwrap, mapping)))
        return false;
    mapping->scope = compiler->level[compiler->level_count - 1];
    mapping->tests = yaml_get(node, "tests");
    if ((beside && !beside_compile(compiler, beside, mapping)) ||
        (about && !about_compile(compiler, about, mapping)))
        return false;
    if (!rules_compile(compiler, node, mapping) || !values_compile(compiler, node, mapping) ||
        !usage_compile(compiler, yaml_get(node, "usage"), yaml_get(node, "unbilled"), mapping))
        return false;
    mapping->known_places = compiler->known;
    return true;
}

bool wrapper_compile(struct compiler *compiler, const struct yaml_node *node,
                     struct wrapper *wrapper)
{
    static const char *const words[] = {"name", "open", "json", "when", "headers", "base64"};
    const struct yaml_node *name = yaml_get(node, "name"), *json = yaml_get(node, "json");
    const struct yaml_node *base64 = yaml_get(node, "base64");
    const struct yaml_node *open = json ? json : base64 ? base64 : yaml_get(node, "open");
    const struct yaml_node *when = yaml_get(node, "when"), *headers = yaml_get(node, "headers");
    struct place place;

    if (node->kind != YAML_MAP || !name || !open)
        return yaml_err(compiler->err, node,
                        "a wrapper has a `name` and a path, `open` or (only a string) `json` or "
                        "`base64`");
    compiler->level[0] = compiler->set->trie.record;
    compiler->level_count = 1;
    compiler->each_count = compiler->step_count = 0;
    if (!yaml_only(node, words, 6, compiler->err) || !place_compile(compiler, open, &place) ||
        (when && !(wrapper->when = cond_compile(compiler, when))))
        return false;
    wrapper->name = name->text.p;
    wrapper->string = json || base64;
    wrapper->base64 = base64 != NULL;
    if (headers)
        wrapper->headers = headers->text;
    wrapper->scope = place.scope;
    wrapper->node = place.node;
    return true;
}
