/* SPDX-License-Identifier: Apache-2.0 */
/* What `map --list` says of a mapping: what its file says, and what its conventions come to. */
#include "ingest/mapping.h"

#include "ingest/program.h"

#include <stdio.h>

#define TEXT_BYTES 1024

static void add(char *text, const char *between, const char *word, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, TEXT_BYTES - used, "%s%s%s", used ? between : "", word, more);
}

static bool names_emitters(const struct conventions *conventions)
{
    for (size_t i = 0; i < conventions->count; i++)
        if (conventions->entry[i].emitter)
            return true;
    return false;
}

/* What holds for all that no entry knows. */
static bool declared_outside(const struct conventions *conventions)
{
    for (size_t i = 0; i < conventions->count; i++)
        if (!conventions->entry[i].emitter && !conventions->entry[i].when)
            return conventions->entry[i].exclusive;
    return false;
}

/* "inside; outside for OpenLIT, pipecat" */
static void conventions_text(const struct conventions *conventions, char *text)
{
    bool outside = declared_outside(conventions), any = false;
    text[0] = '\0';
    add(text, "", outside ? "outside" : "inside", "");
    for (size_t i = 0; i < conventions->count; i++) {
        const struct convention *entry = &conventions->entry[i];
        if (entry->exclusive == outside || (!entry->emitter && !entry->when))
            continue;
        const char *who = entry->emitter ? entry->emitter : "what a condition tells";
        if (!any)
            add(text, "; ", outside ? "inside for " : "outside for ", who);
        else if (!strstr(text, who))
            add(text, ", ", who, "");
        any = true;
    }
}

static bool reads_total(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->field_count; i++)
        if (mapping->fields[i].id == FACT_TOTAL_TOKENS)
            return true;
    return false;
}

static void evidence_text(const struct mapping *mapping, char *text)
{
    text[0] = '\0';
    if (names_emitters(&mapping->cache) || names_emitters(&mapping->reasoning))
        add(text, ", ", "emitter", "");
    if (mapping->keeps_parts)
        add(text, ", ", "its word against the numbers", "");
    else
        add(text, ", ", "sizes of parts", reads_total(mapping) ? ", total" : "");
    add(text, ", ", "declared", "");
}

void mappings_about(const struct mappings *set, about_fn *on_mapping, void *context)
{
    char cache[TEXT_BYTES], reasoning[TEXT_BYTES], evidence[TEXT_BYTES];
    for (size_t i = 0; i < set->count; i++) {
        const struct mapping *mapping = set->list[i];
        conventions_text(&mapping->cache, cache);
        conventions_text(&mapping->reasoning, reasoning);
        evidence_text(mapping, evidence);
        const struct mapping_about about = {
            .name = mapping->name,
            .group = mapping->group,
            .emitters = mapping->emitters,
            .tried = mapping->tried,
            .cache = cache,
            .reasoning = reasoning,
            .evidence = evidence,
        };
        on_mapping(&about, context);
    }
}
