/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A payload is put together from the bits of its number: no state, so that any event can be made
 * again by itself.
 */
#include "tests/bench/payload.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEAMS 50

static const struct {
    const char *provider, *model;
} models[PAYLOAD_MODELS_MAX] = {
    {"openai", "gpt-4o"},
    {"openai", "gpt-4o-mini"},
    {"openai", "gpt-4.1"},
    {"openai", "gpt-4.1-mini"},
    {"openai", "gpt-4.1-nano"},
    {"openai", "gpt-5"},
    {"openai", "gpt-5-mini"},
    {"openai", "gpt-5-nano"},
    {"openai", "o3"},
    {"openai", "o4-mini"},
    {"azure", "gpt-4o"},
    {"azure", "gpt-4.1-mini"},
    {"azure", "eu/gpt-4o-2024-11-20"},
    {"azure", "eu/gpt-5-mini-2025-08-07"},
    {"azure", "gpt-5"},
    {"anthropic", "claude-haiku-4-5-20251001"},
    {"anthropic", "claude-sonnet-4-5-20250929"},
    {"anthropic", "claude-sonnet-4-6"},
    {"anthropic", "claude-opus-4-5"},
    {"anthropic", "claude-opus-4-7"},
    {"bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0"},
    {"bedrock", "amazon.nova-lite-v1:0"},
    {"bedrock", "us.amazon.nova-2-lite-v1:0"},
    {"gemini", "gemini-2.5-flash"},
    {"gemini", "gemini-2.5-flash-lite"},
    {"gemini", "gemini-2.5-pro"},
    {"vertex_ai", "gemini-2.5-flash"},
    {"vertex_ai", "gemini-2.5-pro"},
    {"deepseek", "deepseek-chat"},
    {"deepseek", "deepseek-reasoner"},
    {"groq", "openai/gpt-oss-120b"},
    {"groq", "openai/gpt-oss-20b"},
    {"mistral", "codestral-latest"},
    {"mistral", "ministral-3b-latest"},
    {"xai", "grok-4.3"},
    {"xai", "grok-4.5"},
    {"perplexity", "sonar"},
    {"perplexity", "sonar-pro"},
    {"cohere_chat", "command-r-08-2024"},
    {"together_ai", "openai/gpt-oss-120b"},
};

static const char sentence[] =
    "The quick brown fox, \\\"jumping\\\" over the lazy dog, asks for a summary of the text.\\n";
#define SENTENCES 16

uint64_t payload_mix(uint64_t n)
{
    n += UINT64_C(0x9E3779B97F4A7C15);
    n = (n ^ (n >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    n = (n ^ (n >> 27)) * UINT64_C(0x94D049BB133111EB);
    return n ^ (n >> 31);
}

struct text {
    char *p;
    size_t bytes;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    text->bytes +=
        (size_t)vsnprintf(text->p + text->bytes, PAYLOAD_BYTES_MAX - text->bytes, fmt, args);
    va_end(args);
}

static void add_time(struct text *text, const char *name, int64_t us)
{
    add(text, "\"%s\":%lld.%06lld,", name, (long long)(us / 1000000), (long long)(us % 1000000));
}

static void add_call(struct text *text, uint64_t id, uint64_t r, int64_t start_us)
{
    uint64_t a = payload_mix(id + 1), b = payload_mix(id + 2);
    int64_t duration_us = 300000 + (int64_t)(a % 4000000);
    add(text,
        "{\"id\":\"chatcmpl-%016llx%08x\",\"litellm_call_id\":\"%08x-%04x-4%03x-a%03x-%012llx\","
        "\"trace_id\":\"%08x-%04x-4%03x-b%03x-%012llx\",\"call_type\":\"acompletion\","
        "\"cache_hit\":null,\"stream\":null,\"status\":\"success\",",
        (unsigned long long)a, (unsigned)b, (unsigned)(r >> 32), (unsigned)(a & 0xFFFF),
        (unsigned)(a >> 16 & 0xFFF), (unsigned)(a >> 28 & 0xFFF),
        (unsigned long long)(b & 0xFFFFFFFFFFFF), (unsigned)b, (unsigned)(r & 0xFFFF),
        (unsigned)(r >> 16 & 0xFFF), (unsigned)(r >> 28 & 0xFFF),
        (unsigned long long)(a & 0xFFFFFFFFFFFF));
    add_time(text, "startTime", start_us);
    add_time(text, "endTime", start_us + duration_us);
    add_time(text, "completionStartTime", start_us + duration_us / 4);
}

static void add_usage(struct text *text, uint64_t r)
{
    unsigned in = 50 + (unsigned)(r % 9000), out = 10 + (unsigned)(r >> 20 & 1023);
    unsigned cached = r >> 40 & 1 ? in / 2 : 0, thought = (r >> 41 & 3) == 0 ? out / 3 : 0;
    add(text,
        "\"usage_object\":{\"completion_tokens\":%u,\"prompt_tokens\":%u,\"total_tokens\":%u,"
        "\"completion_tokens_details\":{\"audio_tokens\":0,\"reasoning_tokens\":%u},"
        "\"prompt_tokens_details\":{\"audio_tokens\":0,\"cached_tokens\":%u}}},"
        "\"response_cost\":%.10g,\"total_tokens\":%u,\"prompt_tokens\":%u,"
        "\"completion_tokens\":%u,",
        out, in, in + out, thought, cached, in * 2.5e-06 + out * 1e-05, in + out, in, out);
}

static void add_bodies(struct text *text, const char *model)
{
    add(text, ",\"messages\":[{\"role\":\"user\",\"content\":\"");
    for (int i = 0; i < SENTENCES; i++)
        add(text, "%s", sentence);
    add(text,
        "\"}],\"response\":{\"model\":\"%s\",\"choices\":[{\"index\":0,\"finish_reason\":\"stop\","
        "\"message\":{\"role\":\"assistant\",\"content\":\"",
        model);
    for (int i = 0; i < SENTENCES; i++)
        add(text, "%s", sentence);
    add(text, "\"}}]}");
}

size_t payload_write(const struct payload_plan *plan, uint64_t n, int64_t start_us,
                     char p[PAYLOAD_BYTES_MAX])
{
    struct text text = {p, 0};
    uint64_t dice = payload_mix(plan->seed ^ (n << 1));
    if (n > 0 && dice % 1000000 < plan->duplicates_ppm)
        n = payload_mix(dice) % n;
    uint64_t id = payload_mix(plan->seed) + 4 * n, r = payload_mix(id);
    unsigned key = (unsigned)(r >> 8) % plan->keys, m = (unsigned)(r >> 24) % plan->models;
    if (start_us == 0)
        start_us = plan->base_us + (int64_t)n * 1000 + (int64_t)(payload_mix(id + 3) % 2000000);

    add_call(&text, id, r, start_us);
    if (plan->session_calls > 0)
        add(&text, "\"session_id\":\"session-%llx-%llu\",", (unsigned long long)plan->seed,
            (unsigned long long)(n / plan->session_calls));
    add(&text, "\"custom_llm_provider\":\"%s\",\"model\":\"%s\",", models[m].provider,
        models[m].model);
    add(&text,
        "\"metadata\":{\"user_api_key_hash\":\"%016llx%016llx%016llx%016llx\","
        "\"user_api_key_alias\":\"key-%u\",\"user_api_key_team_id\":\"team-%u\","
        "\"user_api_key_org_id\":\"org-%u\",\"user_api_key_user_id\":\"user-%u\","
        "\"spend_logs_metadata\":{\"cost_center\":\"cc-%u\"},",
        (unsigned long long)payload_mix(key), (unsigned long long)payload_mix(key + 1000),
        (unsigned long long)payload_mix(key + 2000), (unsigned long long)payload_mix(key + 3000),
        key, key % TEAMS, key % 5, key, key % 20);
    add_usage(&text, r);
    add(&text,
        "\"request_tags\":[\"prod\",\"release-%u\"],\"end_user\":\"customer-%u\","
        "\"api_base\":\"https://api.example.com/v1/\",\"model_group\":\"%s\",\"model_id\":\"\"",
        (unsigned)(r % 9), (unsigned)(r % plan->end_users), models[m].model);
    if (plan->big)
        add_bodies(&text, models[m].model);
    add(&text, "}");
    return text.bytes;
}

int payload_options(struct payload_plan *plan, int argc, char **argv)
{
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        const char *name = argv[at] + 2;
        if (strcmp(name, "big") == 0) {
            plan->big = true;
            continue;
        }
        const char *value = argv[++at];
        if (strcmp(name, "keys") == 0)
            plan->keys = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "end-users") == 0)
            plan->end_users = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "session-calls") == 0)
            plan->session_calls = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "models") == 0)
            plan->models = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "duplicates-ppm") == 0)
            plan->duplicates_ppm = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "seed") == 0)
            plan->seed = strtoull(value, NULL, 10);
        else if (strcmp(name, "base-us") == 0)
            plan->base_us = strtoll(value, NULL, 10);
    }
    return at;
}
