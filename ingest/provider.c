/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources: OpenTelemetry semantic conventions 1.37 (gen_ai.provider.name, and gen_ai.system before
 * it), OpenInference (llm.provider, llm.system), Kong 3.12 (provider_name), Envoy AI Gateway,
 * Vercel AI SDK 5 (ai.model.provider), Cloudflare AI Gateway, Portkey, Helicone, OpenRouter. A word
 * of LiteLLM's own must never stand on the left.
 */
#include "ingest/provider.h"

#include <strings.h>

static const struct {
    struct slice from;
    struct slice to;
} provider_table[] = {
#define NAME(from, to)                                                                             \
    {                                                                                              \
        {from, sizeof(from) - 1},                                                                  \
        {                                                                                          \
            to, sizeof(to) - 1                                                                     \
        }                                                                                          \
    }
    NAME("ai21labs", "ai21"),
    NAME("alibaba", "dashscope"),
    NAME("amazon", "bedrock"),
    NAME("amazon bedrock", "bedrock"),
    NAME("amazon-bedrock", "bedrock"),
    NAME("amazon_bedrock", "bedrock"),
    NAME("anthropic.messages", "anthropic"),
    NAME("aws", "bedrock"),
    NAME("aws-bedrock", "bedrock"),
    NAME("aws.bedrock", "bedrock"),
    NAME("awsbedrock", "bedrock"),
    NAME("aws_bedrock", "bedrock"),
    NAME("az.ai.inference", "azure_ai"),
    NAME("az.ai.openai", "azure"),
    NAME("azure-ai", "azure_ai"),
    NAME("azure-openai", "azure"),
    NAME("azure.ai.inference", "azure_ai"),
    NAME("azure.ai.openai", "azure"),
    NAME("azure_ai_inference", "azure_ai"),
    NAME("azure_openai", "azure"),
    NAME("azureai", "azure_ai"),
    NAME("azureopenai", "azure"),
    NAME("cohere.chat", "cohere"),
    NAME("deepinfra.chat", "deepinfra"),
    NAME("deepseek.chat", "deepseek"),
    NAME("fireworks", "fireworks_ai"),
    NAME("fireworks-ai", "fireworks_ai"),
    NAME("gcp.gemini", "gemini"),
    NAME("gcp.gen_ai", "gemini"),
    NAME("gcp.vertex_ai", "vertex_ai"),
    NAME("gcpvertexai", "vertex_ai"),
    NAME("google", "gemini"),
    NAME("google-ai-studio", "gemini"),
    NAME("google-vertex", "vertex_ai"),
    NAME("google-vertex-ai", "vertex_ai"),
    NAME("google.generative-ai", "gemini"),
    NAME("google.vertex", "vertex_ai"),
    NAME("google.vertex.chat", "vertex_ai"),
    NAME("google_genai", "gemini"),
    NAME("google_vertexai", "vertex_ai"),
    NAME("groq.chat", "groq"),
    NAME("grok", "xai"),
    NAME("huggingface-router", "huggingface"),
    NAME("hugging_face", "huggingface"),
    NAME("ibm.watsonx.ai", "watsonx"),
    NAME("mistral.chat", "mistral"),
    NAME("mistral-ai", "mistral"),
    NAME("mistral_ai", "mistral"),
    NAME("mistralai", "mistral"),
    NAME("openai.chat", "openai"),
    NAME("openai.embedding", "openai"),
    NAME("openai.responses", "openai"),
    NAME("perplexity-ai", "perplexity"),
    NAME("perplexityai", "perplexity"),
    NAME("together", "together_ai"),
    NAME("together-ai", "together_ai"),
    NAME("togetherai", "together_ai"),
    NAME("vertex", "vertex_ai"),
    NAME("vertex-ai", "vertex_ai"),
    NAME("vertexai", "vertex_ai"),
    NAME("voyageai", "voyage"),
    NAME("workers-ai", "cloudflare"),
    NAME("x-ai", "xai"),
    NAME("x_ai", "xai"),
#undef NAME
};

/* What most events say: these are LiteLLM's words already. */
static bool common(struct slice name)
{
    return slice_is(name, "openai") || slice_is(name, "azure") || slice_is(name, "anthropic") ||
           slice_is(name, "bedrock") || slice_is(name, "vertex_ai") || slice_is(name, "gemini");
}

struct slice provider_canonical(struct slice name)
{
    if (common(name))
        return name;
    for (size_t i = 0; i < sizeof provider_table / sizeof provider_table[0]; i++)
        if (provider_table[i].from.bytes == name.bytes &&
            strncasecmp(provider_table[i].from.p, name.p, name.bytes) == 0)
            return provider_table[i].to;
    return name;
}
