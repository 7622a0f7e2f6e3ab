/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/*
 * How fast messages become events, in CPU microseconds per message on one core, beside what jansson
 * takes only to parse the same bytes: a LiteLLM payload of 1.1 KB without prompts, one of 4 KB with
 * prompt and answer, each with LiteLLM's mapping alone and with all built in. Best of the rounds;
 * also prints how much of the batch arena an event takes.
 *
 * Built like a unit test; `bench_read FILE` reads the messages of a file, one a line, instead.
 */
#include "core/hash.h"
#include "ingest/mapping.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 12
#define MESSAGES 20000
#define JANSSON_MESSAGES 2000
#define LINE_BYTES_MAX (1u << 20)

static const char usage_head[] =
    "{\"id\":\"chatcmpl-E1mBQt42vYTsKNd5wnyJlT0db7v9S\",\"litellm_call_id\":"
    "\"1c20df71-d2f9-49f0-b7f7-75ca18ab9e20\",\"trace_id\":\"6a1bd37f-c5b6-4f40-ab06-"
    "092de65224a6\","
    "\"call_type\":\"acompletion\",\"cache_hit\":null,\"stream\":null,\"status\":\"success\","
    "\"custom_llm_provider\":\"openai\",\"startTime\":1795493178.109193,\"endTime\":"
    "1795493178.644666,\"completionStartTime\":1795493178.644666,\"model\":\"gpt-4.1-mini\","
    "\"metadata\":{\"user_api_key_hash\":"
    "\"88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b\",\"user_api_key_alias\":"
    "\"team-a-key\",\"user_api_key_team_id\":\"team-a\",\"user_api_key_org_id\":\"org-1\","
    "\"user_api_key_user_id\":\"alice\",\"spend_logs_metadata\":{\"cost_center\":\"cc-9\"},"
    "\"usage_object\":{\"completion_tokens\":4,\"prompt_tokens\":4020,\"total_tokens\":4024,"
    "\"completion_tokens_details\":{\"audio_tokens\":0,\"reasoning_tokens\":0},"
    "\"prompt_tokens_details\":{\"audio_tokens\":0,\"cached_tokens\":4012}}},"
    "\"response_cost\":0.0017167999999999999,\"total_tokens\":4024,\"prompt_tokens\":4020,"
    "\"completion_tokens\":4,\"request_tags\":[\"prod\",\"batch-7\"],\"end_user\":\"customer-42\","
    "\"api_base\":\"https://api.openai.com/v1/\",\"model_group\":\"gpt-fast\",\"model_id\":\"\"";

static const char sentence[] =
    "The quick brown fox, \\\"jumping\\\" over the lazy dog, asks for a summary of the text.\\n";

static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* The payload with `sentences` of prompt and as many of answer. */
static char *payload_make(unsigned sentences)
{
    size_t capacity = sizeof usage_head + 512 + 2 * sentences * sizeof sentence;
    char *text = malloc(capacity), *p = text;
    if (!text)
        abort();
    p += snprintf(p, capacity, "%s", usage_head);
    for (int part = 0; sentences > 0 && part < 2; part++) {
        p += snprintf(p, 256, "%s",
                      part == 0 ? ",\"messages\":[{\"role\":\"user\",\"content\":\""
                                : "\"}],\"response\":{\"model\":\"gpt-4.1-mini\","
                                  "\"choices\":[{\"index\":0,\"message\":{\"role\":"
                                  "\"assistant\",\"content\":\"");
        for (unsigned i = 0; i < sentences; i++)
            p += snprintf(p, sizeof sentence, "%s", sentence);
    }
    snprintf(p, 16, "%s", sentences > 0 ? "\"}}]}}" : "}");
    return text;
}

static void on_record(const struct record *record, void *context)
{
    uint64_t *sum = context;
    if (record->outcome == RECORD_EVENT)
        *sum += record->event->content_hash;
}

static double mapping_us(struct mapper *mapper, struct slice text, struct arena *batch)
{
    double best = 1e9;
    struct message message = {.bytes = text, .kafka_time_us = 1};
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t sum = 0;
        double start = cpu_us();
        for (int i = 0; i < MESSAGES; i++) {
            if (i % 1000 == 0)
                arena_reset(batch);
            mapper_read(mapper, &message, batch, on_record, &sum);
        }
        double us = (cpu_us() - start) / MESSAGES;
        best = us < best ? us : best;
        if (sum == 0)
            fprintf(stderr, "no event\n");
    }
    return best;
}

static double jansson_us(struct slice text)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS / 4; round++) {
        double start = cpu_us();
        for (int i = 0; i < JANSSON_MESSAGES; i++)
            json_decref(json_loadb(text.p, text.bytes, 0, NULL));
        double us = (cpu_us() - start) / JANSSON_MESSAGES;
        best = us < best ? us : best;
    }
    return best;
}

static struct mapper *mapper_open(const char *name)
{
    struct err err = {0};
    const char *const names[] = {name};
    struct mappings *set = mappings_compile(names, name ? 1 : 0, NULL, &err);
    struct mapper *mapper = set ? mapper_new(set) : NULL;
    if (!mapper) {
        fprintf(stderr, "bench_read: %s\n", err.text);
        exit(1);
    }
    return mapper;
}

static void measure(struct mapper *one, struct mapper *all, const char *name, struct slice text)
{
    struct arena batch;
    arena_init(&batch, 64u << 20);
    double alone = mapping_us(one, text, &batch), among = mapping_us(all, text, &batch);
    double jansson = jansson_us(text);
    printf("%-10s %6zu B  litellm %6.2f us  all %6.2f us  jansson %7.2f us  ratio %5.1f\n", name,
           text.bytes, alone, among, jansson, jansson / alone);
    arena_free(&batch);
}

int main(int argc, char **argv)
{
    struct mapper *one = mapper_open("litellm"), *all = mapper_open(NULL);
    if (argc > 1) {
        static char line[LINE_BYTES_MAX];
        FILE *file = fopen(argv[1], "r");
        while (file && fgets(line, sizeof line, file))
            measure(one, all, "line", (struct slice){line, strcspn(line, "\n")});
        return file ? 0 : 1;
    }
    char *small = payload_make(0), *big = payload_make(17);
    measure(one, all, "small", slice_of(small));
    measure(one, all, "big", slice_of(big));
    free(small);
    free(big);
    return 0;
}
