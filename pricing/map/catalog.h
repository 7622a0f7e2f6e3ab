/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cost map: LiteLLM's model_prices_and_context_window.json or another file of that form, every
 * entry compiled to a rule, found by its exact name or by its name in any case. Loaded whole or not
 * at all.
 */
#ifndef PRICING_MAP_CATALOG_H
#define PRICING_MAP_CATALOG_H

#include "pricing/map/family.h"
#include "pricing/map/rule.h"

struct entry {
    const char *name;
    const char *provider;   /* "" = none */
    const char *alias_of;   /* the owner whose row this is; NULL: its own */
    const struct node *raw; /* the members that matter to prices; the owner's of an alias */
    const struct rule *rule;
};

struct catalog {
    const char *file;    /* NULL: the builtin map */
    const char *sha256;  /* of its bytes, hex */
    struct entry *entry; /* in file order */
    size_t count;
    uint32_t *exact, *folded; /* hash tables of index + 1 */
    size_t slot_mask;
    struct variants variants;
    struct family *family; /* patterns of model families that are known without a price (4.3) */
    size_t family_count;
};

/* ERR_CONFIG with file:line and key. `whole`: members that mean nothing to a price are kept too. */
struct catalog *catalog_load(struct arena *book, const char *file, bool whole, struct err *err);
struct catalog *catalog_parse(struct arena *book, struct slice text, const char *file, bool whole,
                              struct err *err);

/* From models already read; `sha256` is copied. */
struct catalog *catalog_build(struct arena *book, const struct node *models, const char *file,
                              const char *sha256, struct err *err);

/* All of a file, NUL-terminated, to be freed; NULL with ERR_CONFIG. */
char *catalog_read_file(const char *file, size_t *bytes, struct err *err);

const struct entry *catalog_find(const struct catalog *catalog, struct slice name);
/* Exact, then in any case. */
const struct entry *catalog_find_folded(const struct catalog *catalog, struct slice name);
bool catalog_knows_family(const struct catalog *catalog, struct slice name);

/* Rows with a key that looks like money and is not known (gate.h): above 0, the map is newer than
 * the rules. */
size_t catalog_unknown_rows(const struct catalog *catalog);

/* Appends an entry's raw members to `fields`, without its provider. */
bool catalog_fields(const struct entry *entry, struct fields *fields) MUST_CHECK;

#endif
