/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of providers.def as a table, and a sorted index of all words that name a provider, made
 * at the first look-up.
 */
#include "core/providers.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NO_ALIAS                                                                                   \
    (const char *const[])                                                                          \
    {                                                                                              \
        NULL                                                                                       \
    }
#define ALIASES(...)                                                                               \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

const struct provider provider_table[PROVIDER_COUNT] = {
    [PROVIDER_OTHER] = {"", "other", "keyed", "sized", "plain", 0, NO_ALIAS},
#define PROVIDER(id, name, chat, image, web, names, traits, ...)                                   \
    [PROVIDER_##id] = {name, #chat, #image, #web, #names, traits, __VA_ARGS__},
#include "core/providers.def"
#undef PROVIDER
};

const struct provider_trait_info provider_trait_info[TRAIT_COUNT] = {
#define TRAIT(id, doc) {#id, doc},
#include "core/providers.def"
#undef TRAIT
};

static int name_cmp(struct slice a, const char *b)
{
    size_t bytes = strlen(b);
    int order = memcmp(a.p, b, a.bytes < bytes ? a.bytes : bytes);
    if (order != 0)
        return order;
    return a.bytes < bytes ? -1 : a.bytes > bytes;
}

enum provider_id provider_find(struct slice name)
{
    unsigned low = PROVIDER_OTHER + 1, high = PROVIDER_COUNT;
    while (name.bytes && low < high) {
        unsigned middle = low + (high - low) / 2;
        int order = name_cmp(name, provider_table[middle].name);
        if (order == 0)
            return (enum provider_id)middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return PROVIDER_OTHER;
}

/* ---- by any word -------------------------------------------------------------------------------
 */

struct word {
    const char *text;
    enum provider_id provider;
};

/* Far more than there are: a table that has outgrown them fails its first look-up, in every test.
 */
#define WORD_SLOTS 1024

/* As they are written, and plain: lower case letters and digits alone. */
static struct word words[WORD_SLOTS], plain_words[WORD_SLOTS];
static char plain_text[WORD_SLOTS][PLAIN_WORD_BYTES];
static size_t word_count;
static pthread_once_t words_once = PTHREAD_ONCE_INIT;

bool provider_word_plain(struct slice text, char plain[PLAIN_WORD_BYTES])
{
    size_t bytes = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            continue;
        if (bytes + 1 == PLAIN_WORD_BYTES)
            return false;
        plain[bytes++] = c;
    }
    plain[bytes] = '\0';
    return bytes > 0;
}

/* Equal words: that of the provider that comes first, so that the order is one. */
static int word_order(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    int order = strcasecmp(x->text, y->text);
    return order ? order : (int)x->provider - (int)y->provider;
}

static void add_word(const char *text, enum provider_id provider)
{
    assert(word_count < WORD_SLOTS);
    bool fits = provider_word_plain(slice_of(text), plain_text[word_count]);
    assert(fits);
    (void)fits;
    words[word_count] = (struct word){text, provider};
    plain_words[word_count] = (struct word){plain_text[word_count], provider};
    word_count++;
}

static void make_words(void)
{
    for (unsigned id = PROVIDER_OTHER + 1; id < PROVIDER_COUNT; id++) {
        add_word(provider_table[id].name, (enum provider_id)id);
        for (const char *const *alias = provider_table[id].aliases; *alias; alias++)
            add_word(*alias, (enum provider_id)id);
    }
    qsort(words, word_count, sizeof(words[0]), word_order);
    qsort(plain_words, word_count, sizeof(plain_words[0]), word_order);
}

/* <0, 0, >0 as a word stands before, at, behind the text. */
static int word_cmp(const struct word *word, struct slice text)
{
    int order = strncasecmp(word->text, text.p, text.bytes);
    return order ? order : word->text[text.bytes] != '\0';
}

static enum provider_id find_in(const struct word *sorted, struct slice text)
{
    size_t low = 0, high = text.bytes ? word_count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = word_cmp(&sorted[middle], text);
        if (order == 0)
            return sorted[middle].provider;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return PROVIDER_OTHER;
}

/* A company and its product differ by this alone: "moonshot_ai", "Z.AI", "perplexity.ai". */
static enum provider_id find_with_or_without_ai(char plain[PLAIN_WORD_BYTES])
{
    size_t bytes = strlen(plain);
    if (bytes > 3 && strcmp(plain + bytes - 2, "ai") == 0)
        return find_in(plain_words, (struct slice){plain, bytes - 2});
    if (bytes < 3 || bytes + 3 > PLAIN_WORD_BYTES)
        return PROVIDER_OTHER;
    memcpy(plain + bytes, "ai", 3);
    return find_in(plain_words, (struct slice){plain, bytes + 2});
}

enum provider_id provider_find_word(struct slice text)
{
    char plain[PLAIN_WORD_BYTES];
    pthread_once(&words_once, make_words);
    enum provider_id provider = find_in(words, text);
    if (provider || !provider_word_plain(text, plain))
        return provider;
    provider = find_in(plain_words, slice_of(plain));
    return provider ? provider : find_with_or_without_ai(plain);
}
