/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog prices providers: the table of providers, a row each. */
#include "cli/providers_print.h"

#include "core/buf.h"
#include "core/providers.h"
#include "core/show.h"

#include <stdio.h>

#define LINE_BYTES 4096

/* "A, B" or "A","B": the words of a row's traits and of its aliases. */
static void add_word(struct buf *line, const char *word, bool json, bool first)
{
    if (!first)
        buf_add_text(line, json ? "," : ", ");
    if (json)
        buf_add_json_string(line, slice_of(word));
    else
        buf_add_text(line, word);
}

static void add_traits(struct buf *line, unsigned traits, bool json)
{
    bool first = true;
    for (unsigned i = 0; i < TRAIT_COUNT; i++) {
        if (!(traits >> i & 1))
            continue;
        add_word(line, provider_trait_info[i].word, json, first);
        first = false;
    }
}

static void add_aliases(struct buf *line, const char *const *alias, bool json)
{
    for (size_t i = 0; alias[i]; i++)
        add_word(line, alias[i], json, i == 0);
}

static void add_json(struct buf *line, const struct provider *provider)
{
    const struct {
        const char *key, *word;
    } words[] = {{"provider", provider->name},
                 {"chat", provider->chat},
                 {"image", provider->image},
                 {"web", provider->web},
                 {"names", provider->names}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        buf_add_text(line, i ? ",\"" : "{\"");
        buf_add_text(line, words[i].key);
        buf_add_text(line, "\":");
        buf_add_json_string(line, slice_of(words[i].word));
    }
    buf_add_text(line, ",\"traits\":[");
    add_traits(line, provider->traits, true);
    buf_add_text(line, "],\"aliases\":[");
    add_aliases(line, provider->aliases, true);
    buf_add_text(line, "]}");
}

static void add_columns(struct buf *line, const struct provider *provider)
{
    char text[160];
    snprintf(text, sizeof(text), "%-26s %-12s %-10s %-9s %-14s ", provider->name, provider->chat,
             provider->image, provider->web, provider->names);
    buf_add_text(line, text);
    add_traits(line, provider->traits, false);
    if (provider->aliases[0])
        buf_add_text(line, provider->traits ? "; also " : "also ");
    add_aliases(line, provider->aliases, false);
}

void providers_print(bool json)
{
    struct buf line;
    if (!json)
        printf("%-26s %-12s %-10s %-9s %-14s %s\n", "provider", "chat", "image", "web", "names",
               "traits; aliases");
    for (unsigned id = PROVIDER_OTHER + 1; id < PROVIDER_COUNT; id++) {
        buf_init(&line, LINE_BYTES);
        if (json)
            add_json(&line, &provider_table[id]);
        else
            add_columns(&line, &provider_table[id]);
        while (line.bytes && line.p[line.bytes - 1] == ' ')
            line.bytes--;
        buf_add_char(&line, '\n');
        show_buf(stdout, &line);
        buf_free(&line);
    }
    for (unsigned i = 0; !json && i < TRAIT_COUNT; i++)
        printf("%s%s: %s\n", i ? "" : "\n", provider_trait_info[i].word,
               provider_trait_info[i].doc);
}
