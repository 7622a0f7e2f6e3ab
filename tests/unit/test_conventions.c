/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/*
 * A call has one usage, however its emitter tells it: random usage, rendered in the convention of
 * each emitter and read back, gives the same facts.
 */
#include "ingest/mapping.h"
#include "tests/harness/random_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define ROUNDS 400
#define MESSAGE_BYTES_MAX 4096

/* What the total is the sum of. */
enum total { TOTAL_NONE, TOTAL_OF_ALL, TOTAL_AS_STATED };

enum { HAS_READ = 1, HAS_WRITE = 2, HAS_REASONING = 4, HAS_ALL = 7, HAS_NO_WRITE = 5 };

/* The message with $I input, $O output, $R read, $W written, $Z reasoning, $T total. */
struct convention_row {
    const char *name;
    bool cache_outside, reasoning_outside;
    enum total total;
    unsigned has;
    const char *message;
};

#define ATTRIBUTE(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define COUNT(key, place) ",{\"key\":\"" key "\",\"value\":{\"intValue\":\"$" place "\"}}"
#define SPAN(resource, scope, attributes)                                                          \
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[" resource "]},\"scopeSpans\":[{"          \
    "\"scope\":{\"name\":\"" scope "\"},\"spans\":[{\"spanId\":\"s\",\"name\":\"call\","           \
    "\"attributes\":[" attributes "]}]}]}]}"
#define MODEL(provider, model)                                                                     \
    ATTRIBUTE("gen_ai.provider.name", provider) "," ATTRIBUTE("gen_ai.request.model", model)
#define GEN_AI(provider, model)                                                                    \
    MODEL(provider, model)                                                                         \
    COUNT("gen_ai.usage.input_tokens", "I")                                                        \
    COUNT("gen_ai.usage.output_tokens", "O")                                                       \
    COUNT("gen_ai.usage.cache_read.input_tokens", "R")                                             \
    COUNT("gen_ai.usage.cache_creation.input_tokens", "W")                                         \
    COUNT("gen_ai.usage.reasoning.output_tokens", "Z")
#define GEN_AI_TOTAL(provider, model)                                                              \
    GEN_AI(provider, model) COUNT("gen_ai.usage.total_tokens", "T")
#define OPENINFERENCE(provider, model)                                                             \
    ATTRIBUTE("openinference.span.kind", "LLM")                                                    \
    "," ATTRIBUTE("llm.provider", provider) "," ATTRIBUTE("llm.model_name", model)                 \
        COUNT("llm.token_count.prompt", "I") COUNT("llm.token_count.completion", "O")              \
            COUNT("llm.token_count.prompt_details.cache_read", "R")                                \
                COUNT("llm.token_count.prompt_details.cache_write", "W")                           \
                    COUNT("llm.token_count.completion_details.reasoning", "Z")
#define VERCEL(provider, model, more)                                                              \
    ATTRIBUTE("ai.model.provider", provider)                                                       \
    "," ATTRIBUTE("ai.model.id", model) COUNT("gen_ai.usage.input_tokens", "I")                    \
        COUNT("gen_ai.usage.output_tokens", "O") more
#define CLAUDE "claude-sonnet-4-5-20250929"
#define OPENLIT ATTRIBUTE("telemetry.sdk.name", "openlit")

static const struct convention_row rows[] = {
    {"otel", false, false, TOTAL_NONE, HAS_ALL, SPAN("", "x", GEN_AI("openai", "gpt-5"))},
    {"otel, total", false, false, TOTAL_OF_ALL, HAS_ALL,
     SPAN("", "x", GEN_AI_TOTAL("openai", "gpt-5"))},
    {"cache outside, total", true, false, TOTAL_OF_ALL, HAS_ALL,
     SPAN("", "x", GEN_AI_TOTAL("anthropic", CLAUDE))},
    {"reasoning outside, total", false, true, TOTAL_OF_ALL, HAS_ALL,
     SPAN("", "x", GEN_AI_TOTAL("mistral_ai", "magistral-medium"))},
    {"both outside, total", true, true, TOTAL_OF_ALL, HAS_ALL,
     SPAN("", "x", GEN_AI_TOTAL("x", "y"))},
    {"OpenLLMetry Anthropic", false, false, TOTAL_AS_STATED, HAS_ALL,
     SPAN("", "opentelemetry.instrumentation.anthropic", GEN_AI_TOTAL("anthropic", CLAUDE))},
    {"OpenLLMetry Bedrock", true, false, TOTAL_AS_STATED, HAS_READ | HAS_WRITE,
     SPAN("", "opentelemetry.instrumentation.bedrock", GEN_AI_TOTAL("aws.bedrock", CLAUDE))},
    {"OpenLLMetry Gemini", false, true, TOTAL_OF_ALL, HAS_NO_WRITE,
     SPAN("", "opentelemetry.instrumentation.google_generativeai",
          MODEL("gcp.gen_ai", "gemini-2.5-pro") COUNT("gen_ai.usage.input_tokens", "I") COUNT(
              "gen_ai.usage.output_tokens", "O") COUNT("gen_ai.usage.cache_read.input_tokens", "R")
              COUNT("gen_ai.usage.total_tokens", "T"))},
    {"OpenLIT Anthropic", true, false, TOTAL_NONE, HAS_READ | HAS_WRITE,
     SPAN(OPENLIT, "openlit.otel.tracing", GEN_AI("anthropic", CLAUDE))},
    {"OpenLIT Bedrock", true, false, TOTAL_NONE, HAS_READ | HAS_WRITE,
     SPAN(OPENLIT, "openlit.otel.tracing", GEN_AI("aws.bedrock", "amazon.nova-pro-v1:0"))},
    {"OpenLIT Gemini", false, true, TOTAL_NONE, HAS_NO_WRITE,
     SPAN(OPENLIT, "openlit.otel.tracing", GEN_AI("gcp.gemini", "gemini-2.5-pro"))},
    {"OpenLIT OpenAI", false, false, TOTAL_NONE, HAS_NO_WRITE,
     SPAN(OPENLIT, "openlit.otel.tracing", GEN_AI("openai", "gpt-5"))},
    {"OpenInference Anthropic", false, false, TOTAL_OF_ALL, HAS_READ | HAS_WRITE,
     SPAN("", "openinference.instrumentation.anthropic",
          OPENINFERENCE("anthropic", CLAUDE) COUNT("llm.token_count.total", "T"))},
    {"OpenInference Bedrock", true, false, TOTAL_OF_ALL, HAS_READ | HAS_WRITE,
     SPAN("", "openinference.instrumentation.bedrock",
          OPENINFERENCE("aws", "amazon.nova-pro-v1:0") COUNT("llm.token_count.total", "T"))},
    {"OpenInference Gemini", false, false, TOTAL_OF_ALL, HAS_NO_WRITE,
     SPAN("", "openinference.instrumentation.google_genai",
          OPENINFERENCE("google", "gemini-2.5-pro") COUNT("llm.token_count.total", "T"))},
    {"Vercel 4 Anthropic", true, false, TOTAL_NONE, HAS_READ | HAS_WRITE,
     SPAN("", "ai",
          VERCEL("anthropic.messages", CLAUDE,
                 COUNT("ai.usage.promptTokens", "I")
                     COUNT("ai.usage.completionTokens",
                           "O") "," ATTRIBUTE("ai.response.providerMetadata",
                                              "{\\\"anthropic\\\":{\\\"cacheReadInputTokens\\\":$R,"
                                              "\\\"cacheCreationInputTokens\\\":$W}}")))},
    {"Vercel 5 Anthropic", true, false, TOTAL_AS_STATED, HAS_READ | HAS_WRITE,
     SPAN("", "ai",
          VERCEL("anthropic.messages", CLAUDE,
                 COUNT("ai.usage.inputTokens", "I") COUNT("ai.usage.cachedInputTokens", "R")
                     COUNT("ai.usage.totalTokens", "T") "," ATTRIBUTE(
                         "ai.response.providerMetadata",
                         "{\\\"anthropic\\\":{\\\"usage\\\":{\\\"input_tokens\\\":$I},"
                         "\\\"cacheCreationInputTokens\\\":$W}}")))},
    {"Vercel 5 Google", false, true, TOTAL_OF_ALL, HAS_NO_WRITE,
     SPAN("", "ai",
          VERCEL("google.generative-ai", "gemini-2.5-pro",
                 COUNT("ai.usage.cachedInputTokens", "R") COUNT("ai.usage.reasoningTokens", "Z")
                     COUNT("ai.usage.totalTokens", "T")))},
    {"Vercel 6 Anthropic", false, false, TOTAL_AS_STATED, HAS_ALL,
     SPAN("", "ai",
          VERCEL("anthropic.messages", CLAUDE,
                 COUNT("ai.usage.inputTokens", "I") COUNT("ai.usage.totalTokens", "T")
                     COUNT("ai.usage.inputTokenDetails.cacheReadTokens", "R")
                         COUNT("ai.usage.inputTokenDetails.cacheWriteTokens", "W")
                             COUNT("ai.usage.outputTokenDetails.reasoningTokens", "Z")))},
    {"pipecat Anthropic", true, false, TOTAL_NONE, HAS_READ | HAS_WRITE,
     SPAN("", "pipecat", GEN_AI("anthropic", CLAUDE))},
    {"pipecat Gemini", false, true, TOTAL_NONE, HAS_NO_WRITE,
     SPAN("", "pipecat", GEN_AI("gcp.gemini", "gemini-2.5-pro"))},
    {"Langfuse SDK", true, true, TOTAL_OF_ALL, HAS_ALL,
     SPAN("", "langfuse-sdk",
          ATTRIBUTE("langfuse.observation.type", "generation") "," ATTRIBUTE(
              "langfuse.observation.model.name",
              "gpt-5") "," ATTRIBUTE("langfuse.observation.usage_details",
                                     "{\\\"input\\\":$I,\\\"input_cached_tokens\\\":$R,\\\"input_"
                                     "cache_creation\\\":$W,"
                                     "\\\"output\\\":$O,\\\"output_reasoning_tokens\\\":$Z,"
                                     "\\\"total\\\":$T}"))},
    {"Anthropic", true, false, TOTAL_NONE, HAS_READ | HAS_WRITE,
     "{\"type\":\"message\",\"id\":\"m\",\"model\":\"" CLAUDE "\",\"usage\":{\"input_tokens\":$I,"
     "\"cache_read_input_tokens\":$R,\"cache_creation_input_tokens\":$W,\"output_tokens\":$O}}"},
    {"Gemini", false, true, TOTAL_OF_ALL, HAS_NO_WRITE,
     "{\"responseId\":\"r\",\"modelVersion\":\"gemini-2.5-pro\",\"usageMetadata\":{"
     "\"promptTokenCount\":$I,\"cachedContentTokenCount\":$R,\"candidatesTokenCount\":$O,"
     "\"thoughtsTokenCount\":$Z,\"totalTokenCount\":$T}}"},
    {"Gemini's endpoint in OpenAI's form", false, true, TOTAL_OF_ALL, HAS_NO_WRITE,
     "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"gemini-2.5-pro\",\"usage\":{"
     "\"prompt_tokens\":$I,\"prompt_tokens_details\":{\"cached_tokens\":$R},"
     "\"completion_tokens\":$O,\"total_tokens\":$T}}"},
    {"OpenAI", false, false, TOTAL_OF_ALL, HAS_NO_WRITE,
     "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"gpt-5\",\"usage\":{"
     "\"prompt_tokens\":$I,\"prompt_tokens_details\":{\"cached_tokens\":$R},"
     "\"completion_tokens\":$O,\"completion_tokens_details\":{\"reasoning_tokens\":$Z},"
     "\"total_tokens\":$T}}"},
    {"xAI", false, true, TOTAL_OF_ALL, HAS_NO_WRITE,
     "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"grok-4\",\"usage\":{"
     "\"prompt_tokens\":$I,\"prompt_tokens_details\":{\"cached_tokens\":$R},"
     "\"completion_tokens\":$O,\"completion_tokens_details\":{\"reasoning_tokens\":$Z},"
     "\"total_tokens\":$T}}"},
    {"Bedrock Converse", true, false, TOTAL_OF_ALL, HAS_READ | HAS_WRITE,
     "{\"modelId\":\"amazon.nova-pro-v1:0\",\"usage\":{\"inputTokens\":$I,"
     "\"cacheReadInputTokens\":$R,\"cacheWriteInputTokens\":$W,\"outputTokens\":$O,"
     "\"totalTokens\":$T}}"},
    {"Kong, OpenAI", false, false, TOTAL_OF_ALL, HAS_NO_WRITE,
     "{\"request\":{\"id\":\"k\"},\"response\":{\"status\":200},\"ai\":{\"proxy\":{\"meta\":{"
     "\"provider_name\":\"openai\",\"response_model\":\"gpt-5\"},\"usage\":{\"prompt_tokens\":$I,"
     "\"prompt_tokens_details\":{\"cached_tokens\":$R},\"completion_tokens\":$O,"
     "\"completion_tokens_details\":{\"reasoning_tokens\":$Z},\"total_tokens\":$T}}}}"},
    {"Kong, Gemini", false, true, TOTAL_OF_ALL, HAS_REASONING,
     "{\"request\":{\"id\":\"k\"},\"response\":{\"status\":200},\"ai\":{\"proxy\":{\"meta\":{"
     "\"provider_name\":\"gemini\",\"response_model\":\"gemini-2.5-pro\"},\"usage\":{"
     "\"prompt_tokens\":$I,\"completion_tokens\":$O,\"total_tokens\":$T}}}}"},
    {"APISIX, Anthropic", true, false, TOTAL_NONE, HAS_READ | HAS_WRITE,
     "{\"upstream\":\"api.anthropic.com:443\",\"request\":{\"uri\":\"/v1/messages\"},\"response\":{"
     "\"status\":200},\"llm_summary\":{\"model\":\"" CLAUDE "\",\"prompt_tokens\":$I,"
     "\"completion_tokens\":$O,\"cache_read_input_tokens\":$R,\"cache_creation_input_tokens\":$W}"
     "}"},
    {"APISIX, Gemini", false, true, TOTAL_OF_ALL, HAS_REASONING,
     "{\"upstream\":\"generativelanguage.googleapis.com:443\",\"request\":{\"uri\":\"/v1/chat/"
     "completions\"},\"response\":{\"status\":200},\"llm_summary\":{\"model\":\"gemini-2.5-pro\","
     "\"prompt_tokens\":$I,\"completion_tokens\":$O,\"total_tokens\":$T}}"},
    {"Claude Code", true, false, TOTAL_NONE, HAS_READ | HAS_WRITE,
     "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"attributes\":[" ATTRIBUTE("event.name", "api_request") "," ATTRIBUTE(
         "model",
         CLAUDE) "," ATTRIBUTE("input_tokens",
                               "$I") "," ATTRIBUTE("output_tokens",
                                                   "$O") "," ATTRIBUTE("cache_read_tokens",
                                                                       "$R") "," ATTRIBUTE("cache_"
                                                                                           "creatio"
                                                                                           "n_"
                                                                                           "tokens",
                                                                                           "$W") "]"
                                                                                                 "}"
                                                                                                 "]"
                                                                                                 "}"
                                                                                                 "]"
                                                                                                 "}"
                                                                                                 "]"
                                                                                                 "}"},
    {"LiteLLM", false, false, TOTAL_OF_ALL, HAS_ALL,
     "{\"id\":\"l\",\"litellm_call_id\":\"l\",\"call_type\":\"acompletion\",\"status\":\"success\","
     "\"custom_llm_provider\":\"anthropic\",\"model\":\"" CLAUDE "\",\"metadata\":{"
     "\"usage_object\":{\"prompt_tokens\":$I,\"completion_tokens\":$O,\"total_tokens\":$T,"
     "\"cache_read_input_tokens\":$R,\"cache_creation_input_tokens\":$W,"
     "\"completion_tokens_details\":{\"reasoning_tokens\":$Z}}}}"},
};

struct usage_drawn {
    int64_t input, output, read, write, reasoning; /* totals, and their parts */
};

/* Parts are often the larger share, often 0. */
static int64_t draw(struct chance *c)
{
    return chance_below(c, 4) == 0 ? 0 : (int64_t)(chance_u64(c) % 1000003);
}

static struct usage_drawn usage_draw(struct chance *c, unsigned has)
{
    struct usage_drawn u = {1 + draw(c), 1 + draw(c), 0, 0, 0};
    u.read = has & HAS_READ ? draw(c) : 0;
    u.write = has & HAS_WRITE ? draw(c) : 0;
    u.reasoning = has & HAS_REASONING ? draw(c) : 0;
    u.input += u.read + u.write;
    u.output += u.reasoning;
    return u;
}

static void render(const struct convention_row *row, const struct usage_drawn *u,
                   char text[MESSAGE_BYTES_MAX])
{
    int64_t input = u->input - (row->cache_outside ? u->read + u->write : 0);
    int64_t output = u->output - (row->reasoning_outside ? u->reasoning : 0);
    int64_t total = row->total == TOTAL_OF_ALL ? u->input + u->output : input + output;
    char *p = text, *end = text + MESSAGE_BYTES_MAX;
    for (const char *from = row->message; *from; from++) {
        if (*from != '$') {
            *p++ = *from;
            continue;
        }
        from++;
        p += snprintf(p, (size_t)(end - p), "%lld",
                      (long long)(*from == 'I'   ? input
                                  : *from == 'O' ? output
                                  : *from == 'R' ? u->read
                                  : *from == 'W' ? u->write
                                  : *from == 'Z' ? u->reasoning
                                                 : total));
    }
    *p = '\0';
}

static void on_record(const struct record *record, void *context)
{
    struct event *event = context;
    if (record->outcome == RECORD_EVENT)
        *event = *record->event;
}

static bool facts_are(const struct facts *facts, const struct usage_drawn *u)
{
    return facts_int(facts, FACT_INPUT_TOKENS) == u->input &&
           facts_int(facts, FACT_OUTPUT_TOKENS) == u->output &&
           facts_int(facts, FACT_CACHE_READ_TOKENS) == u->read &&
           facts_int(facts, FACT_CACHE_WRITE_TOKENS) == u->write &&
           facts_int(facts, FACT_REASONING_TOKENS) == u->reasoning;
}

static void the_same_usage_gives_the_same_facts(void **state)
{
    struct err err = {0};
    struct arena batch;
    struct chance chance = {NULL, NULL, 20261129};
    struct mappings *set = mappings_compile(NULL, 0, NULL, &err);
    struct mapper *mapper = set ? mapper_new(set) : NULL;
    (void)state;
    assert_non_null(mapper);
    arena_init(&batch, 1u << 20);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned round = 0; round < ROUNDS; round++) {
            char text[MESSAGE_BYTES_MAX];
            struct event event = {.flags = 0};
            struct usage_drawn usage = usage_draw(&chance, rows[i].has);
            render(&rows[i], &usage, text);
            struct message message = {.bytes = slice_of(text)};
            arena_reset(&batch);
            mapper_read(mapper, &message, &batch, on_record, &event);
            if (!facts_are(&event.facts, &usage) ||
                event.flags & (FLAG_COUNTS_CONTRADICT | FLAG_UNREAD_USAGE))
                fail_msg("%s: flags %#x, input %lld (%lld read, %lld written), output %lld"
                         " (%lld reasoning) of %s",
                         rows[i].name, event.flags, (long long)usage.input, (long long)usage.read,
                         (long long)usage.write, (long long)usage.output,
                         (long long)usage.reasoning, text);
        }
    mapper_free(mapper);
    mappings_free(set);
    arena_free(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_usage_gives_the_same_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
