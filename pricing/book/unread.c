/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls read which kinds of rates, and what of a deployment none of them reads. */
#include "pricing/book/unread.h"

#include "pricing/book/override.h"

#define C(class) (1u << CALL_##class)
#define CHATS (C(CHAT) | C(EMBEDDING) | C(RESPONSES) | C(TEXT))
#define BY_TOKEN (CHATS | C(IMAGE) | C(SPEECH) | C(TRANSCRIPTION) | C(REALTIME) | C(JOB))
#define NOBODY (1u << 31)

/* Which calls read a kind of rate; what is not here is read by whoever bills tokens. */
static const unsigned readers[RATE_COUNT] = {
    [RATE_INPUT] = BY_TOKEN | C(RERANK) | C(AGENT),
    [RATE_OUTPUT] = BY_TOKEN | C(AGENT),
    [RATE_SECOND] = CHATS,
    [RATE_INPUT_SECOND] = CHATS | C(TRANSCRIPTION) | C(REALTIME),
    [RATE_OUTPUT_SECOND] = CHATS | C(TRANSCRIPTION) | C(REALTIME) | C(VIDEO),
    [RATE_INPUT_IMAGE] = BY_TOKEN | C(VIDEO),
    [RATE_OUTPUT_IMAGE] = C(IMAGE) | C(SPEECH),
    [RATE_INPUT_PIXEL] = C(IMAGE),
    [RATE_OUTPUT_PIXEL] = C(IMAGE),
    [RATE_OUTPUT_AUDIO_SECOND] = NOBODY,
    [RATE_OUTPUT_VIDEO_SECOND] = C(VIDEO),
    [RATE_INPUT_QUERY] = CHATS | C(RERANK) | C(SEARCH) | C(VECTOR_SEARCH) | C(REALTIME),
    [RATE_TEXT_MESSAGE] = C(REALTIME),
    [RATE_CALL] = C(AGENT),
    [RATE_PAGE] = C(OCR),
    [RATE_ANNOTATION_PAGE] = C(OCR),
    [RATE_CREDIT] = C(OCR),
};

/* What chats bill apart from their tokens, and only where an event states the count. */
static const bool apart[RATE_COUNT] = {
    [RATE_INPUT_CHARACTER] = true,     [RATE_OUTPUT_CHARACTER] = true,
    [RATE_INPUT_AUDIO_SECOND] = true,  [RATE_INPUT_VIDEO_SECOND] = true,
    [RATE_OUTPUT_AUDIO_SECOND] = true, [RATE_OUTPUT_VIDEO_SECOND] = true,
    [RATE_INPUT_IMAGE] = true,         [RATE_OUTPUT_IMAGE] = true,
    [RATE_INPUT_PIXEL] = true,         [RATE_OUTPUT_PIXEL] = true,
    [RATE_INPUT_QUERY] = true,         [RATE_CALL] = true,
};

static const struct {
    const char *mode;
    enum call_class class;
} modes[] = {
    {"chat", CALL_CHAT},
    {"completion", CALL_TEXT},
    {"responses", CALL_RESPONSES},
    {"embedding", CALL_EMBEDDING},
    {"image_generation", CALL_IMAGE},
    {"image_edit", CALL_IMAGE},
    {"video_generation", CALL_VIDEO},
    {"audio_speech", CALL_SPEECH},
    {"audio_transcription", CALL_TRANSCRIPTION},
    {"rerank", CALL_RERANK},
    {"ocr", CALL_OCR},
    {"search", CALL_SEARCH},
    {"realtime", CALL_REALTIME},
};

bool unread_class_of_mode(const char *mode, enum call_class *class)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(mode, modes[i].mode) == 0) {
            *class = modes[i].class;
            return true;
        }
    return false;
}

static bool is_clock(enum rate_kind kind)
{
    return kind == RATE_SECOND || kind == RATE_INPUT_SECOND || kind == RATE_OUTPUT_SECOND;
}

/* Token prices beat those per second, and a mode may have no clock (8.1); what is billed apart is
 * told, and whoever does bill it knows better. */
static bool class_reads(enum call_class class, const struct rule *entry, enum rate_kind kind)
{
    unsigned who = readers[kind] ? readers[kind] : BY_TOKEN;
    if (is_clock(kind) && (CHATS >> class & 1) &&
        (rule_prices_tokens(entry) || !entry->wall_clock_mode))
        return false;
    if (apart[kind] && (CHATS >> class & 1))
        return false;
    return who >> class & 1;
}

bool unread_beside(const struct rule *rule, enum call_class class)
{
    if (!rule || !(CHATS >> class & 1))
        return false;
    for (enum rate_kind kind = 0; kind < RATE_COUNT; kind++)
        if (apart[kind] && rate_positive(rule_rate(rule, kind, VARIANT_PLAIN)))
            return true;
    return rule->per_request;
}

static bool is_amount(const struct node *value)
{
    struct decimal price;
    struct err ignored = {0};
    bool set = false;
    return value->kind != NODE_LIST && value->kind != NODE_MAP &&
           node_price(value, &price, &set, &ignored) && set && !decimal_is_zero(&price);
}

static bool is_unread(const struct node *value, const struct rule *entry, enum call_class class,
                      const struct variants *variants)
{
    struct price_key key;
    struct slice name = slice_of(value->key);
    if (!price_key_suspect(name) || !is_amount(value) ||
        strcmp(value->key, "cost_per_ptu_per_hour") == 0)
        return false;
    if (!price_key_parse(name, variants, NULL, &key))
        return price_key_inert(name);
    return !entry || !price_key_visible(name, &key, false) || !class_reads(class, entry, key.kind);
}

const char *unread_next(const struct deployment *deployment, const struct rule *entry,
                        enum call_class class, const struct variants *variants, size_t *at)
{
    struct fields set = {.count = 0};
    struct err ignored = {0};
    bool priced_by_name =
        class == CALL_MANAGEMENT || class == CALL_NON_INFERENCE || class == CALL_MCP_TOOL;
    if (priced_by_name || !override_set_fields(deployment, &set, &ignored))
        return NULL;
    while (*at < set.count) {
        const struct node *value = set.field[(*at)++].value;
        if (is_unread(value, entry, class, variants))
            return value->key;
    }
    return NULL;
}
