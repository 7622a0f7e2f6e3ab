/* SPDX-License-Identifier: Apache-2.0 */
#include "pricing/catalog.h"

#include "core/embed.h"
#include "core/hash.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES_MAX (64u << 20)
#define NAME_BYTES_MAX 512

/* The two members of the map that are no models. */
#define SAMPLE "sample_spec"
#define FAMILIES "fallback_generalizations"

/* Of an entry's members only these are worth memory; the map is mostly about capabilities. */
static bool keep_member(unsigned depth, struct slice key)
{
    static const char *const kept[] = {
        "litellm_provider",        "mode",  "supported_regions", "vertex_ai_audio_api",
        "provider_specific_entry", "rules", /* of the families */
    };
    if (depth != 2 || price_key_suspect(key))
        return true;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (slice_is(key, kept[i]))
            return true;
    return slice_is(key, "web_search_billing_unit");
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

bool catalog_fields(const struct entry *entry, struct fields *fields)
{
    for (const struct node *member = entry->raw->children; member; member = member->next)
        if (strcmp(member->key, "litellm_provider") != 0 &&
            !fields_set(fields, member, entry->name))
            return false;
    return true;
}

static bool index_entries(struct arena *book, struct catalog *catalog, struct err *err)
{
    size_t slots = 16;
    while (slots < catalog->count * 2)
        slots *= 2;
    catalog->slot_mask = slots - 1;
    catalog->exact = arena_zalloc(book, slots * sizeof(*catalog->exact));
    catalog->folded = arena_zalloc(book, slots * sizeof(*catalog->folded));
    if (!catalog->exact || !catalog->folded)
        return err_set(err, ERR_CONFIG, "the price book is too large");
    for (size_t i = 0; i < catalog->count; i++) {
        char folded[NAME_BYTES_MAX];
        struct slice name = slice_of(catalog->entry[i].name);
        if (catalog_find(catalog, name))
            return node_err(err, catalog->entry[i].raw, "\"%.200s\" is named twice", name.p);
        size_t slot = hash_xxh64(name) & catalog->slot_mask;
        while (catalog->exact[slot])
            slot = (slot + 1) & catalog->slot_mask;
        catalog->exact[slot] = (uint32_t)i + 1;
        size_t bytes = fold(name, folded);
        slot = hash_xxh64((struct slice){folded, bytes}) & catalog->slot_mask;
        while (catalog->folded[slot])
            slot = (slot + 1) & catalog->slot_mask;
        catalog->folded[slot] = (uint32_t)i + 1;
    }
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
    if (!rules || rules->kind != NODE_LIST)
        return true;
    catalog->family = arena_alloc(book, (rules->count + 1) * sizeof(*catalog->family));
    if (!catalog->family)
        return err_set(err, ERR_CONFIG, "the price book is too large");
    for (const struct node *rule = rules->children; rule; rule = rule->next)
        if (is_capability(rule) && family_compile(slice_of(node_text(rule, "pattern")),
                                                  &catalog->family[catalog->family_count]))
            catalog->family_count++;
    return true;
}

static bool compile_entry(struct arena *book, struct catalog *catalog, const struct node *raw,
                          struct err *err)
{
    if (raw->kind != NODE_MAP)
        return node_err(err, raw, "\"%.200s\" must be a map", raw->key);
    if (strlen(raw->key) >= NAME_BYTES_MAX)
        return node_err(err, raw, "a name of more than %d bytes", NAME_BYTES_MAX - 1);
    struct entry *entry = &catalog->entry[catalog->count++];
    *entry = (struct entry){raw->key, node_text(raw, "litellm_provider"), raw, NULL};
    struct fields fields = {.count = 0};
    if (!catalog_fields(entry, &fields))
        return node_err(err, raw, "\"%.200s\" has more than %d prices", raw->key, FIELDS_MAX);
    struct rule_options options = {entry->name, entry->provider, &catalog->variants, false};
    entry->rule = rule_compile(book, &fields, &options, err);
    return entry->rule || err_prefix(err, "model \"%.200s\"", raw->key);
}

struct catalog *catalog_build(struct arena *book, const struct node *models, const char *file,
                              const char *sha256, struct err *err)
{
    if (models->kind != NODE_MAP) {
        node_err(err, models, "a cost map must be a map of models");
        return NULL;
    }
    struct catalog *catalog = arena_zalloc(book, sizeof(*catalog));
    if (!catalog || !(catalog->sha256 = arena_text(book, slice_of(sha256))) ||
        !(catalog->entry = arena_alloc(book, (models->count + 1) * sizeof(*catalog->entry)))) {
        err_set(err, ERR_CONFIG, "the price book is too large");
        return NULL;
    }
    catalog->file = file;
    learn_variants(catalog, models);
    for (const struct node *raw = models->children; raw; raw = raw->next) {
        if (strcmp(raw->key, SAMPLE) == 0)
            continue;
        if (strcmp(raw->key, FAMILIES) == 0 ? !read_families(book, catalog, raw, err)
                                            : !compile_entry(book, catalog, raw, err))
            return NULL;
    }
    return index_entries(book, catalog, err) ? catalog : NULL;
}

struct catalog *catalog_parse(struct arena *book, struct slice text, const char *file,
                              struct err *err)
{
    char sha256[SHA256_HEX_BYTES];
    struct node *root = node_parse_json(book, text, file, keep_member, err);
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

struct catalog *catalog_load(struct arena *book, const char *file, struct err *err)
{
    if (!file) {
        const struct embedded *map = embedded_cost_map;
        return catalog_parse(book, (struct slice){map->text, map->bytes}, NULL, err);
    }
    size_t bytes;
    char *text = catalog_read_file(file, &bytes, err);
    const char *name = text ? arena_text(book, slice_of(file)) : NULL;
    struct catalog *catalog =
        name ? catalog_parse(book, (struct slice){text, bytes}, name, err) : NULL;
    free(text);
    return catalog;
}
