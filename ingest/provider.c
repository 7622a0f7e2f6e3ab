/* SPDX-License-Identifier: Apache-2.0 */
/* Providers by gateways' words (core/providers.def), by models' names, and vendors of Bedrock's
 * models. */
#include "ingest/provider.h"

#include "core/providers.h"

#include <string.h>
#include <strings.h>

/* What most events say: these are LiteLLM's words already. */
static bool common(struct slice name)
{
    return slice_is(name, "openai") || slice_is(name, "azure") || slice_is(name, "anthropic") ||
           slice_is(name, "bedrock") || slice_is(name, "vertex_ai") || slice_is(name, "gemini");
}

/* Vercel's AI SDK says <provider>.<API>: "azure.responses", "vertex.anthropic.messages". */
static bool names_api(struct slice word)
{
    static const char *const apis[] = {"chat",      "completion", "completions",   "responses",
                                       "messages",  "embedding",  "embeddings",    "textembedding",
                                       "image",     "images",     "transcription", "speech",
                                       "reranking", "rerank",     "realtime",      "video"};
    for (size_t i = 0; i < sizeof apis / sizeof apis[0]; i++)
        if (strlen(apis[i]) == word.bytes && strncasecmp(apis[i], word.p, word.bytes) == 0)
            return true;
    return false;
}

/* What is left of a name without its last part; empty when it has only one. `last`: that part. */
static struct slice name_head(struct slice name, struct slice *last)
{
    size_t dot = name.bytes;
    while (dot > 0 && name.p[dot - 1] != '.')
        dot--;
    *last = (struct slice){name.p + dot, name.bytes - dot};
    return (struct slice){name.p, dot > 0 ? dot - 1 : 0};
}

/* A known name with something behind it, or any name without its API. */
static struct slice provider_of_api(struct slice name)
{
    struct slice bare = name, last;
    for (struct slice head = name_head(name, &last); head.bytes > 0;
         head = name_head(head, &last)) {
        enum provider_id known = provider_find_word(head);
        if (known)
            return slice_of(provider_table[known].name);
        if (head.p + head.bytes + 1 + last.bytes == bare.p + bare.bytes && names_api(last))
            bare = head;
    }
    return bare;
}

struct slice provider_canonical(struct slice name)
{
    if (common(name))
        return name;
    enum provider_id known = provider_find_word(name);
    return known ? slice_of(provider_table[known].name) : provider_of_api(name);
}

bool provider_is_framework(struct slice name)
{
    static const char *const frameworks[] = {
        "agno",      "autogen",  "crewai",     "dspy",         "haystack",   "langchain",
        "langgraph", "litellm",  "llamaindex", "pydanticai",   "smolagents", "semantickernel",
        "spring",    "springai", "strands",    "strandsagents"};
    char plain[PLAIN_WORD_BYTES];
    if (common(name) || !provider_word_plain(name, plain))
        return false;
    for (size_t i = 0; i < sizeof frameworks / sizeof frameworks[0]; i++)
        if (strcmp(plain, frameworks[i]) == 0)
            return true;
    return false;
}

/* Open models, which anybody serves (llama, qwen, gpt-oss, mixtral, deepseek-r1), must not be here.
 */
static const struct {
    const char *prefix, *provider;
} family_table[] = {
    {"babbage-", "openai"},
    {"chatgpt-", "openai"},
    {"claude-", "anthropic"},
    {"codestral-", "mistral"},
    {"command-", "cohere"},
    {"computer-use-", "openai"},
    {"dall-e-", "openai"},
    {"davinci-", "openai"},
    {"deepseek-chat", "deepseek"},
    {"deepseek-reasoner", "deepseek"},
    {"deepseek-v", "deepseek"},
    {"devstral-", "mistral"},
    {"embed-english-", "cohere"},
    {"embed-multilingual-", "cohere"},
    {"embed-v", "cohere"},
    {"gemini-", "gemini"},
    {"gpt-3", "openai"},
    {"gpt-4", "openai"},
    {"gpt-5", "openai"},
    {"gpt-audio", "openai"},
    {"gpt-image", "openai"},
    {"gpt-realtime", "openai"},
    {"grok-", "xai"},
    {"jina-", "jina_ai"},
    {"kimi-", "moonshot"},
    {"magistral-", "mistral"},
    {"ministral-", "mistral"},
    {"mistral-embed", "mistral"},
    {"mistral-large", "mistral"},
    {"mistral-medium", "mistral"},
    {"mistral-ocr", "mistral"},
    {"mistral-saba", "mistral"},
    {"mistral-small", "mistral"},
    {"mistral-tiny", "mistral"},
    {"moonshot-", "moonshot"},
    {"o1-", "openai"},
    {"o3-", "openai"},
    {"o4-", "openai"},
    {"omni-moderation-", "openai"},
    {"pixtral-", "mistral"},
    {"rerank-2", "voyage"},
    {"rerank-english-", "cohere"},
    {"rerank-lite-", "voyage"},
    {"rerank-multilingual-", "cohere"},
    {"rerank-v", "cohere"},
    {"sonar", "perplexity"},
    {"sora-", "openai"},
    {"text-embedding-3-", "openai"},
    {"text-embedding-ada-", "openai"},
    {"text-moderation-", "openai"},
    {"tts-1", "openai"},
    {"voyage-", "voyage"},
    {"whisper-1", "openai"},
};

static bool names_family(struct slice model, const char *family)
{
    size_t bytes = strlen(family);
    for (size_t i = 0; i + bytes <= model.bytes; i++)
        if (strncasecmp(model.p + i, family, bytes) == 0)
            return true;
    return false;
}

bool provider_thinks_aside(struct slice provider, struct slice model)
{
    return provider_has(provider_find(provider), TRAIT_THINKS_ASIDE) ||
           names_family(model, "gemini") || names_family(model, "grok");
}

/* Who made a model that Bedrock serves, by how its name begins without the vendor. Source: the cost
 * map's ids. */
static const struct {
    const char *prefix, *vendor;
} vendor_table[] = {
    {"claude-", "anthropic"},
    {"titan-", "amazon"},
    {"nova-", "amazon"},
    {"rerank-v1", "amazon"},
    {"llama", "meta"},
    {"command-", "cohere"},
    {"embed-", "cohere"},
    {"rerank-v3", "cohere"},
    {"mistral-", "mistral"},
    {"mixtral-", "mistral"},
    {"ministral-", "mistral"},
    {"magistral-", "mistral"},
    {"pixtral-", "mistral"},
    {"voxtral-", "mistral"},
    {"devstral-", "mistral"},
    {"jamba-", "ai21"},
    {"j2-", "ai21"},
    {"qwen3", "qwen"},
    {"gpt-", "openai"},
    {"r1-v1", "deepseek"},
    {"v3-v1", "deepseek"},
    {"v3.", "deepseek"},
    {"gemma-", "google"},
    {"kimi-k2-thinking", "moonshot"},
    {"kimi-", "moonshotai"},
    {"minimax-", "minimax"},
    {"nemotron-", "nvidia"},
    {"palmyra-", "writer"},
    {"stable-", "stability"},
    {"sd3-", "stability"},
    {"pegasus-", "twelvelabs"},
    {"marengo-", "twelvelabs"},
    {"glm-", "zai"},
    {"grok-", "xai"},
};

struct slice provider_bedrock_vendor(struct slice model)
{
    for (size_t i = 0; i < sizeof vendor_table / sizeof vendor_table[0]; i++)
        if (slice_starts(model, slice_of(vendor_table[i].prefix)))
            return slice_of(vendor_table[i].vendor);
    return SLICE("");
}

/* <vendor>.<model>, with or without where it is served: "eu.anthropic.claude-opus-4-7". */
static bool is_bedrock_id(struct slice model)
{
    static const char *const places[] = {"apac.", "au.", "ca.", "eu.",    "global.",
                                         "in.",   "jp.", "us.", "us-gov."};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (slice_starts(model, slice_of(places[i]))) {
            size_t bytes = strlen(places[i]);
            model = (struct slice){model.p + bytes, model.bytes - bytes};
            break;
        }
    for (size_t i = 0; i < sizeof vendor_table / sizeof vendor_table[0]; i++) {
        struct slice vendor = slice_of(vendor_table[i].vendor);
        if (slice_starts(model, vendor) && model.bytes > vendor.bytes + 1 &&
            model.p[vendor.bytes] == '.')
            return true;
    }
    return false;
}

struct slice provider_of_model(struct slice model)
{
    if (slice_starts(model, SLICE("ft:")))
        model = (struct slice){model.p + 3, model.bytes - 3};
    if (slice_is(model, "o1") || slice_is(model, "o3"))
        return SLICE("openai");
    if (is_bedrock_id(model))
        return SLICE("bedrock");
    for (size_t i = 0; i < sizeof family_table / sizeof family_table[0]; i++)
        if (slice_starts(model, slice_of(family_table[i].prefix)))
            return slice_of(family_table[i].provider);
    return SLICE("");
}

static bool ends_with_date(struct slice model)
{
    for (size_t i = 1; i <= 8; i++)
        if (model.bytes < i || (unsigned)(model.p[model.bytes - i] - '0') > 9)
            return false;
    return model.bytes > 8 && model.p[model.bytes - 9] == '-';
}

/* Anthropic's own names of Claude have no version; Bedrock's are -v1:0 behind a date, but for: */
struct slice provider_bedrock_version(struct slice model)
{
    if (slice_is(model, "claude-3-5-sonnet-20241022"))
        return SLICE("-v2:0");
    if (slice_is(model, "claude-opus-4-6"))
        return SLICE("-v1");
    return slice_starts(model, SLICE("claude-")) && ends_with_date(model) ? SLICE("-v1:0")
                                                                          : SLICE("");
}
