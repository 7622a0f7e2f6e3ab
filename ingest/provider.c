/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources: OpenTelemetry semantic conventions 1.37 (gen_ai.provider.name, and gen_ai.system before
 * it), OpenInference (llm.provider, llm.system), Kong 3.12 (provider_name), Envoy AI Gateway,
 * Vercel AI SDK 5 (ai.model.provider), Cloudflare AI Gateway, Portkey, Helicone, OpenRouter. A word
 * of LiteLLM's own (1.106.2) never stands on the left of another.
 */
#include "ingest/provider.h"

#include <string.h>
#include <strings.h>

/* Sorted by the left side, where case does not matter; rows of a word to itself are there for the
 * case. */
static const struct {
    const char *from, *to;
} provider_table[] = {
    {"ai21labs", "ai21"},
    {"alibaba", "dashscope"},
    {"amazon", "bedrock"},
    {"amazon bedrock", "bedrock"},
    {"amazon-bedrock", "bedrock"},
    {"amazon.bedrock", "bedrock"},
    {"amazon_bedrock", "bedrock"},
    {"anthropic", "anthropic"},
    {"anthropic.messages", "anthropic"},
    {"aws", "bedrock"},
    {"aws-bedrock", "bedrock"},
    {"aws.bedrock", "bedrock"},
    {"aws_bedrock", "bedrock"},
    {"aws_sagemaker", "sagemaker"},
    {"awsbedrock", "bedrock"},
    {"az.ai.inference", "azure_ai"},
    {"az.ai.openai", "azure"},
    {"azure", "azure"},
    {"azure-ai", "azure_ai"},
    {"azure-openai", "azure"},
    {"azure.ai.inference", "azure_ai"},
    {"azure.ai.openai", "azure"},
    {"azure_ai_inference", "azure_ai"},
    {"azure_ai_openai", "azure"},
    {"azure_openai", "azure"},
    {"azureai", "azure_ai"},
    {"azureopenai", "azure"},
    {"baseten", "baseten"},
    {"bedrock", "bedrock"},
    {"cerebras", "cerebras"},
    {"cloudflare", "cloudflare"},
    {"cohere", "cohere"},
    {"cohere.chat", "cohere"},
    {"cohereai", "cohere"},
    {"databricks", "databricks"},
    {"deepinfra", "deepinfra"},
    {"deepinfra.chat", "deepinfra"},
    {"deepseek", "deepseek"},
    {"deepseek.chat", "deepseek"},
    {"fireworks", "fireworks_ai"},
    {"fireworks-ai", "fireworks_ai"},
    {"fireworks_ai", "fireworks_ai"},
    {"gateway", "vercel_ai_gateway"},
    {"gcp.gemini", "gemini"},
    {"gcp.gen_ai", "gemini"},
    {"gcp.vertex.agent", "vertex_ai"},
    {"gcp.vertex_ai", "vertex_ai"},
    {"gcpvertexai", "vertex_ai"},
    {"gemini", "gemini"},
    {"gemini_ai", "gemini"},
    {"google", "gemini"},
    {"google ai studio", "gemini"},
    {"google vertex", "vertex_ai"},
    {"google-ai-studio", "gemini"},
    {"google-gla", "gemini"},
    {"google-vertex", "vertex_ai"},
    {"google-vertex-ai", "vertex_ai"},
    {"google.genai", "gemini"},
    {"google.generative-ai", "gemini"},
    {"google.vertex", "vertex_ai"},
    {"google.vertex.chat", "vertex_ai"},
    {"google_ai_studio", "gemini"},
    {"google_gemini", "gemini"},
    {"google_genai", "gemini"},
    {"google_generative_ai", "gemini"},
    {"google_vertexai", "vertex_ai"},
    {"googleai", "gemini"},
    {"grok", "xai"},
    {"groq", "groq"},
    {"groq.chat", "groq"},
    {"hugging_face", "huggingface"},
    {"huggingface", "huggingface"},
    {"huggingface-router", "huggingface"},
    {"ibm.watsonx.ai", "watsonx"},
    {"jina", "jina_ai"},
    {"lambda", "lambda_ai"},
    {"mistral", "mistral"},
    {"mistral-ai", "mistral"},
    {"mistral.chat", "mistral"},
    {"mistral_ai", "mistral"},
    {"mistralai", "mistral"},
    {"moonshot", "moonshot"},
    {"moonshotai", "moonshot"},
    {"moonshotai-cn", "moonshot"},
    {"nebius", "nebius"},
    {"novita", "novita"},
    {"nvidia", "nvidia_nim"},
    {"nvidia.nim", "nvidia_nim"},
    {"ollama", "ollama"},
    {"openai", "openai"},
    {"openai.chat", "openai"},
    {"openai.embedding", "openai"},
    {"openai.responses", "openai"},
    {"openrouter", "openrouter"},
    {"perplexity", "perplexity"},
    {"perplexity-ai", "perplexity"},
    {"perplexityai", "perplexity"},
    {"replicate", "replicate"},
    {"sambanova", "sambanova"},
    {"snowflake", "snowflake"},
    {"together", "together_ai"},
    {"together-ai", "together_ai"},
    {"together_ai", "together_ai"},
    {"togetherai", "together_ai"},
    {"togethercomputer", "together_ai"},
    {"vercel", "vercel_ai_gateway"},
    {"vertex", "vertex_ai"},
    {"vertex-ai", "vertex_ai"},
    {"vertex_ai", "vertex_ai"},
    {"vertexai", "vertex_ai"},
    {"vertexaianthropic", "vertex_ai"},
    {"voyage", "voyage"},
    {"voyageai", "voyage"},
    {"watsonx", "watsonx"},
    {"workers-ai", "cloudflare"},
    {"x-ai", "xai"},
    {"x_ai", "xai"},
    {"xai", "xai"},
    {"z-ai", "zai"},
    {"zai", "zai"},
    {"zhipu", "zai"},
};

/* What most events say: these are LiteLLM's words already. */
static bool common(struct slice name)
{
    return slice_is(name, "openai") || slice_is(name, "azure") || slice_is(name, "anthropic") ||
           slice_is(name, "bedrock") || slice_is(name, "vertex_ai") || slice_is(name, "gemini");
}

/* <0, 0, >0 as a row stands before, at, behind the name. */
static int row_cmp(size_t row, struct slice name)
{
    const char *from = provider_table[row].from;
    int order = strncasecmp(from, name.p, name.bytes);
    return order ? order : from[name.bytes] != '\0';
}

/* The table's word for exactly this name, or NULL. */
static const char *row_find(struct slice name)
{
    size_t low = 0, high = sizeof provider_table / sizeof provider_table[0];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = row_cmp(middle, name);
        if (order == 0)
            return provider_table[middle].to;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
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
        const char *known = row_find(head);
        if (known)
            return slice_of(known);
        if (head.p + head.bytes + 1 + last.bytes == bare.p + bare.bytes && names_api(last))
            bare = head;
    }
    return bare;
}

struct slice provider_canonical(struct slice name)
{
    if (common(name))
        return name;
    const char *known = row_find(name);
    return known ? slice_of(known) : provider_of_api(name);
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
    {"rerank-", "cohere"},
    {"sonar", "perplexity"},
    {"sora-", "openai"},
    {"text-embedding-3-", "openai"},
    {"text-embedding-ada-", "openai"},
    {"text-moderation-", "openai"},
    {"tts-1", "openai"},
    {"voyage-", "voyage"},
    {"whisper-1", "openai"},
};

struct slice provider_of_model(struct slice model)
{
    if (slice_starts(model, SLICE("ft:")))
        model = (struct slice){model.p + 3, model.bytes - 3};
    if (slice_is(model, "o1") || slice_is(model, "o3"))
        return SLICE("openai");
    for (size_t i = 0; i < sizeof family_table / sizeof family_table[0]; i++)
        if (slice_starts(model, slice_of(family_table[i].prefix)))
            return slice_of(family_table[i].provider);
    return SLICE("");
}

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
    return slice_is(provider, "gemini") || slice_is(provider, "xai") ||
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
