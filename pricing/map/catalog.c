/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a cost map, and finding its entries by name. */
#include "pricing/map/catalog.h"

#include "core/embed.h"
#include "core/hash.h"
#include "pricing/map/gate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES_MAX (64u << 20)
#define NAME_BYTES_MAX 512

/* The two members of the map that are not models. */
#define SAMPLE "sample_spec"
#define FAMILIES "fallback_generalizations"

/* A row that is another row under a second name, and a row that lists its further names. */
#define ALIAS_OF "alias_of"
#define ALIASES "aliases"

/* The map is mostly about capabilities: what is known to be harmless is not worth memory. */
static bool keep_member(unsigned depth, struct slice key)
{
    return depth != 2 || !gate_harmless_key(key);
}

static size_t fold(struct slice name, char folded[NAME_BYTES_MAX])
{
    size_t bytes = name.bytes < NAME_BYTES_MAX ? name.bytes : NAME_BYTES_MAX;
    for (size_t i = 0; i < bytes; i++)
        folded[i] = (char)tolower((unsigned char)name.p[i]);
    return bytes;
}

static bool same_folded(const char *name, const char *folded, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (tolower((unsigned char)name[i]) != (unsigned char)folded[i])
            return false;
    return name[bytes] == '\0';
}

const struct entry *catalog_find(const struct catalog *catalog, struct slice name)
{
    size_t slot = hash_xxh64(name) & catalog->slot_mask;
    for (; catalog->exact[slot]; slot = (slot + 1) & catalog->slot_mask) {
        const struct entry *entry = &catalog->entry[catalog->exact[slot] - 1];
        if (slice_is(name, entry->name))
            return entry;
    }
    return NULL;
}

const struct entry *catalog_find_folded(const struct catalog *catalog, struct slice name)
{
    char folded[NAME_BYTES_MAX];
    const struct entry *found = catalog_find(catalog, name);
    if (found || name.bytes >= NAME_BYTES_MAX)
        return found;
    size_t bytes = fold(name, folded);
    size_t slot = hash_xxh64((struct slice){folded, bytes}) & catalog->slot_mask;
    for (; catalog->folded[slot]; slot = (slot + 1) & catalog->slot_mask) {
        const struct entry *entry = &catalog->entry[catalog->folded[slot] - 1];
        if (same_folded(entry->name, folded, bytes))
            return entry;
    }
    return NULL;
}

bool catalog_knows_family(const struct catalog *catalog, struct slice name)
{
    for (size_t i = 0; i < catalog->family_count; i++)
        if (family_matches(&catalog->family[i], name))
            return true;
    return false;
}

size_t catalog_unknown_rows(const struct catalog *catalog)
{
    size_t rows = 0;
    for (size_t i = 0; i < catalog->count; i++)
        rows += catalog->entry[i].rule->unknown_key != NULL;
    return rows;
}

bool catalog_fields(const struct entry *entry, struct fields *fields)
{
    for (const struct node *member = entry->raw->children; member; member = member->next)
        if (strcmp(member->key, "litellm_provider") != 0 &&
            !fields_set(fields, member, entry->name))
            return false;
    return true;
}

static bool make_index(struct arena *book, struct catalog *catalog, size_t most, struct err *err)
{
    size_t slots = 16;
    while (slots < most * 2)
        slots *= 2;
    catalog->slot_mask = slots - 1;
    catalog->entry = arena_alloc(book, (most + 1) * sizeof(*catalog->entry));
    catalog->exact = arena_zalloc(book, slots * sizeof(*catalog->exact));
    catalog->folded = arena_zalloc(book, slots * sizeof(*catalog->folded));
    return (catalog->entry && catalog->exact && catalog->folded) ||
           err_set(err, ERR_CONFIG, "the price book is too large");
}

static void put_slot(uint32_t *table, size_t mask, uint64_t hash, size_t index)
{
    size_t slot = hash & mask;
    while (table[slot])
        slot = (slot + 1) & mask;
    table[slot] = (uint32_t)index + 1;
}

/* `named` is where the name stands. */
static bool add_entry(struct catalog *catalog, struct entry entry, const struct node *named,
                      struct err *err)
{
    char folded[NAME_BYTES_MAX];
    struct slice name = slice_of(entry.name);
    if (name.bytes >= NAME_BYTES_MAX)
        return node_err(err, named, "a name of more than %d bytes", NAME_BYTES_MAX - 1);
    if (catalog_find(catalog, name))
        return node_err(err, named, "\"%.200s\" is named twice", name.p);
    size_t bytes = fold(name, folded);
    catalog->entry[catalog->count] = entry;
    put_slot(catalog->exact, catalog->slot_mask, hash_xxh64(name), catalog->count);
    put_slot(catalog->folded, catalog->slot_mask, hash_xxh64((struct slice){folded, bytes}),
             catalog->count++);
    return true;
}

/* Tiers that only this map knows: one-word suffixes behind a token rate. */
static void learn_variants(struct catalog *catalog, const struct node *root)
{
    struct price_key key;
    variants_init(&catalog->variants);
    for (const struct node *entry = root->children; entry; entry = entry->next)
        for (const struct node *member = entry->children; member; member = member->next)
            if (member->kind == NODE_NUMBER)
                price_key_parse(slice_of(member->key), &catalog->variants, &catalog->variants,
                                &key);
}

/* A rule that only routes (its model_info is a provider and nothing else) makes no model known. */
static bool is_capability(const struct node *rule)
{
    const struct node *info = node_get(rule, "model_info");
    return node_text(rule, "pattern")[0] && info && info->kind == NODE_MAP &&
           !(info->count == 1 && node_get(info, "litellm_provider"));
}

static bool read_families(struct arena *book, struct catalog *catalog, const struct node *families,
                          struct err *err)
{
    const struct node *rules = node_get(families, "rules");
    if (families->kind != NODE_MAP)
        return node_err(err, families, "%s must be a map", FAMILIES);
    if (!rules || rules->kind == NODE_NULL)
        return true;
    if (rules->kind != NODE_LIST)
        return node_err(err, rules, "%s: rules must be a list", FAMILIES);
    for (const struct node *rule = rules->children; rule; rule = rule->next)
        if (rule->kind != NODE_MAP)
            return node_err(err, rule, "%s: a rule must be a map", FAMILIES);
    catalog->family = arena_alloc(book, (rules->count + 1) * sizeof(*catalog->family));
    if (!catalog->family)
        return err_set(err, ERR_CONFIG, "the price book is too large");
    for (const struct node *rule = rules->children; rule; rule = rule->next)
        if (is_capability(rule) && family_compile(slice_of(node_text(rule, "pattern")), book,
                                                  &catalog->family[catalog->family_count]))
            catalog->family_count++;
    return !book->full || err_set(err, ERR_CONFIG, "the price book is too large");
}

/* A row that is built in a way we do not know must not become a row without a price. */
static bool check_structure(const struct catalog *catalog, const struct node *raw, struct err *err)
{
    static const char *const texts[] = {"litellm_provider", "mode"};
    size_t known = 0, unknown = 0;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct node *member = node_get(raw, texts[i]);
        if (member && member->kind != NODE_TEXT && member->kind != NODE_NULL)
            return node_err(err, member, "model \"%.200s\": %s must be a text", raw->key, texts[i]);
    }
    const struct node *aliases = node_get(raw, "aliases");
    if (aliases && aliases->kind != NODE_LIST && aliases->kind != NODE_NULL)
        return node_err(err, aliases, "model \"%.200s\": aliases must be a list", raw->key);
    for (const struct node *name = aliases ? aliases->children : NULL; name; name = name->next)
        if (name->kind != NODE_TEXT)
            return node_err(err, aliases, "model \"%.200s\": an alias must be a text", raw->key);
    for (const struct node *n = raw->children; n; n = n->next) {
        bool told = gate_member(n, &catalog->variants) == MEMBER_UNKNOWN;
        unknown += told;
        known += !told && !gate_harmless_key(slice_of(n->key));
    }
    return known || !unknown ||
           node_err(err, raw, "\"%.200s\" has no member that is known, %.100s first", raw->key,
                    raw->children->key);
}

static bool compile_entry(struct arena *book, struct catalog *catalog, const struct node *raw,
                          struct err *err)
{
    if (raw->kind != NODE_MAP)
        return node_err(err, raw, "\"%.200s\" must be a map", raw->key);
    if (!check_structure(catalog, raw, err))
        return false;
    struct entry entry = {
        .name = raw->key, .provider = node_text(raw, "litellm_provider"), .raw = raw};
    struct fields fields = {.count = 0};
    if (!catalog_fields(&entry, &fields))
        return node_err(err, raw, "\"%.200s\" has more than %d prices", raw->key, FIELDS_MAX);
    struct rule_options options = {entry.name, entry.provider, &catalog->variants, false};
    entry.rule = rule_compile(book, &fields, &options, err);
    return entry.rule ? add_entry(catalog, entry, raw, err)
                      : err_prefix(err, "model \"%.200s\"", raw->key);
}

/* ---- aliases (4.0) -----------------------------------------------------------------------------
 */

static bool is_alias(const struct node *raw)
{
    const struct node *target = node_get(raw, ALIAS_OF);
    return target && target->kind != NODE_NULL;
}

/* Another name of an owner: the same prices, the same provider. */
static bool add_alias(struct catalog *catalog, const char *name, const struct entry *owner,
                      const struct node *named, struct err *err)
{
    struct entry alias = *owner;
    alias.name = name;
    alias.alias_of = owner->name;
    return add_entry(catalog, alias, named, err);
}

/* Names that a row lists for itself. One that is a row's already stays that row's. */
static bool add_listed(struct catalog *catalog, const struct node *raw, struct err *err)
{
    const struct node *list = node_get(raw, ALIASES);
    if (!list || list->kind != NODE_LIST)
        return true;
    for (const struct node *name = list->children; name; name = name->next)
        if (name->kind == NODE_TEXT && !catalog_find(catalog, slice_of(name->text)) &&
            !add_alias(catalog, name->text, catalog_find(catalog, slice_of(raw->key)), name, err))
            return false;
    return true;
}

/* A row that names another one and has nothing of its own. */
static bool add_pointer(struct catalog *catalog, const struct node *raw, struct err *err)
{
    const struct node *target = node_get(raw, ALIAS_OF);
    const struct entry *owner =
        target->kind == NODE_TEXT ? catalog_find(catalog, slice_of(target->text)) : NULL;
    if (!owner || owner->alias_of)
        return node_err(err, target, "\"%.200s\": alias_of names no row with prices of its own",
                        raw->key);
    return catalog_find(catalog, slice_of(raw->key)) ||
           add_alias(catalog, raw->key, owner, raw, err);
}

static bool add_aliases(struct catalog *catalog, const struct node *models, struct err *err)
{
    for (const struct node *raw = models->children; raw; raw = raw->next)
        if (!is_alias(raw) && !add_listed(catalog, raw, err))
            return false;
    for (const struct node *raw = models->children; raw; raw = raw->next)
        if (is_alias(raw) && !add_pointer(catalog, raw, err))
            return false;
    return true;
}

/* ---- loading -----------------------------------------------------------------------------------
 */

static size_t count_names(const struct node *models)
{
    size_t count = models->count;
    for (const struct node *raw = models->children; raw; raw = raw->next) {
        const struct node *list = node_get(raw, ALIASES);
        count += list ? list->count : 0;
    }
    return count;
}

static bool add_rows(struct arena *book, struct catalog *catalog, const struct node *models,
                     struct err *err)
{
    for (const struct node *raw = models->children; raw; raw = raw->next) {
        if (strcmp(raw->key, SAMPLE) == 0 || is_alias(raw))
            continue;
        if (strcmp(raw->key, FAMILIES) == 0 ? !read_families(book, catalog, raw, err)
                                            : !compile_entry(book, catalog, raw, err))
            return false;
    }
    return add_aliases(catalog, models, err);
}

struct catalog *catalog_build(struct arena *book, const struct node *models, const char *file,
                              const char *sha256, struct err *err)
{
    if (models->kind != NODE_MAP) {
        node_err(err, models, "a cost map must be a map of models");
        return NULL;
    }
    struct catalog *catalog = arena_zalloc(book, sizeof(*catalog));
    if (!catalog || !(catalog->sha256 = arena_text(book, slice_of(sha256)))) {
        err_set(err, ERR_CONFIG, "the price book is too large");
        return NULL;
    }
    catalog->file = file;
    learn_variants(catalog, models);
    bool ok =
        make_index(book, catalog, count_names(models), err) && add_rows(book, catalog, models, err);
    if (ok && catalog->count == 0)
        ok = node_err(err, models, "a cost map without a model");
    return ok ? catalog : NULL;
}

struct catalog *catalog_parse(struct arena *book, struct slice text, const char *file, bool whole,
                              struct err *err)
{
    char sha256[SHA256_HEX_BYTES];
    struct node *root = node_parse_json(book, text, file, whole ? NULL : keep_member, err);
    if (!root)
        return NULL;
    hash_sha256_hex(text, sha256);
    return catalog_build(book, root, file, sha256, err);
}

char *catalog_read_file(const char *file, size_t *bytes, struct err *err)
{
    char *text = NULL;
    FILE *in = fopen(file, "rb");
    if (!in) {
        err_set(err, ERR_CONFIG, "%s: %m", file);
        return NULL;
    }
    *bytes = 0;
    for (size_t capacity = 1u << 20; capacity <= FILE_BYTES_MAX; capacity *= 2) {
        char *grown = realloc(text, capacity);
        if (!grown)
            break;
        text = grown;
        *bytes += fread(text + *bytes, 1, capacity - 1 - *bytes, in);
        text[*bytes] = '\0';
        if (*bytes < capacity - 1)
            break;
    }
    bool ok = text && !ferror(in) && feof(in);
    fclose(in);
    if (ok)
        return text;
    err_set(err, ERR_CONFIG, "%s: cannot be read, or larger than %u MiB", file,
            FILE_BYTES_MAX >> 20);
    free(text);
    return NULL;
}

struct catalog *catalog_load(struct arena *book, const char *file, bool whole, struct err *err)
{
    if (!file) {
        const struct embedded *map = embedded_cost_map;
        return catalog_parse(book, (struct slice){map->text, map->bytes}, NULL, whole, err);
    }
    size_t bytes;
    char *text = catalog_read_file(file, &bytes, err);
    const char *name = text ? arena_text(book, slice_of(file)) : NULL;
    struct catalog *catalog =
        name ? catalog_parse(book, (struct slice){text, bytes}, name, whole, err) : NULL;
    free(text);
    return catalog;
}
