/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of providers (providers.def): one row each. Ingest finds a row by whatever a gateway
 * calls the provider, pricing by its exact name; what formulas and rules a row names, pricing/ has
 * in arrays of its own, by the same numbers (pricing/bill/formulas.c, pricing/names/rules.c).
 * Immutable; the index of words is made at the first look-up, by whichever thread comes first.
 */
#ifndef CORE_PROVIDERS_H
#define CORE_PROVIDERS_H

#include "core/slice.h"

enum provider_id {
    PROVIDER_OTHER, /* in no row: priced by the generic rules */
#define PROVIDER(id, name, chat, image, web, names, traits, aliases) PROVIDER_##id,
#include "core/providers.def"
#undef PROVIDER
    PROVIDER_COUNT,
};

enum provider_trait_number {
#define TRAIT(id, doc) TRAIT_NUMBER_##id,
#include "core/providers.def"
#undef TRAIT
    TRAIT_COUNT,
};

/* Bits of provider.traits. */
enum provider_trait {
#define TRAIT(id, doc) TRAIT_##id = 1 << TRAIT_NUMBER_##id,
#include "core/providers.def"
#undef TRAIT
};

struct provider {
    const char *name;
    const char *chat, *image, *web, *names; /* the words of its row, for people */
    unsigned traits;                        /* enum provider_trait */
    const char *const *aliases;             /* NULL-terminated */
};

struct provider_trait_info {
    const char *word, *doc;
};

extern const struct provider provider_table[]; /* by enum provider_id */
extern const struct provider_trait_info provider_trait_info[TRAIT_COUNT];

/* By its exact name; PROVIDER_OTHER: in no row. */
enum provider_id provider_find(struct slice name);
/* By its name or an alias: in any case, else by letters and digits alone, else with "ai" behind it
 * or without. */
enum provider_id provider_find_word(struct slice word);

#define PLAIN_WORD_BYTES 32

/* Letters and digits of a word alone, in lower case (ASCII, whatever the locale), NUL-terminated.
 * false: there are none, or too many for a word of a provider. */
bool provider_word_plain(struct slice word, char plain[PLAIN_WORD_BYTES]);

static inline bool provider_is_known(struct slice name)
{
    return provider_find(name) != PROVIDER_OTHER;
}

static inline bool provider_has(enum provider_id provider, enum provider_trait trait)
{
    return provider_table[provider].traits & trait;
}

#endif
