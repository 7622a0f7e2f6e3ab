/* SPDX-License-Identifier: Apache-2.0 */
/* links: pricing */
/*
 * How fast pricing alone is: typical chat events over many models, on one core, once their names
 * are in the memo. Also prints what a load costs and how often the allocator was called while
 * pricing.
 */
#include "pricing/book.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 10000
#define EVENTS 500

static const struct {
    const char *provider, *model;
} models[] = {
    {"openai", "gpt-4o"},
    {"openai", "gpt-4.1-mini"},
    {"azure", "us/gpt-4.1-mini"},
    {"anthropic", "claude-sonnet-4-5-20250929"},
    {"bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0"},
    {"gemini", "gemini-2.5-flash"},
    {"vertex_ai", "gemini-2.5-pro"},
    {"deepseek", "deepseek-chat"},
    {"groq", "openai/gpt-oss-20b"},
    {"mistral", "mistral-large-latest"},
};

static void make_event(struct facts *facts, unsigned i)
{
    unsigned m = i % (sizeof(models) / sizeof(models[0]));
    *facts = (struct facts){.present = {0}};
    facts_set_text(facts, FACT_PROVIDER, slice_of(models[m].provider));
    facts_set_text(facts, FACT_MODEL, slice_of(models[m].model));
    facts_set_text(facts, FACT_MODEL_ANSWERED, slice_of(models[m].model));
    facts_set_text(facts, FACT_MODEL_GROUP, SLICE("production"));
    facts_set_text(facts, FACT_CALL_TYPE, SLICE("chat"));
    facts_set_text(facts, FACT_STATUS, SLICE("success"));
    facts_set_int(facts, FACT_STARTED_AT, INT64_C(1789500000000000) + i);
    facts_set_int(facts, FACT_ENDED_AT, INT64_C(1789500001250000) + i);
    facts_set_int(facts, FACT_INPUT_TOKENS, 200 + i % 9000);
    facts_set_int(facts, FACT_OUTPUT_TOKENS, 50 + i % 900);
    facts_set_int(facts, FACT_CACHE_READ_TOKENS, i % 3 ? 128 : 0);
    facts_set_int(facts, FACT_REASONING_TOKENS, i % 5 ? 0 : 40);
}

/* CPU time: other work on the machine does not count. */
static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(struct pricer *pricer, struct facts *events, int64_t *priced, i128 *total)
{
    static struct charge charge;
    for (unsigned i = 0; i < EVENTS; i++) {
        pricer_price(pricer, &events[i], &charge, NULL);
        *priced += charge.status == CHARGE_PRICED;
        *total += charge.spend.atto;
    }
}

int main(void)
{
    struct err err = {0};
    struct book_options options = {.cost_maps = NULL};
    double started = cpu_seconds();
    int64_t priced = 0;
    i128 total = 0;
    struct book *book = book_load(&options, NULL, NULL, &err);
    if (!book) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    double load_ms = (cpu_seconds() - started) * 1e3;
    struct pricer *pricer = pricer_new(book);
    struct facts *events = calloc(EVENTS, sizeof(*events));
    if (!pricer || !events)
        return 1;
    for (unsigned i = 0; i < EVENTS; i++)
        make_event(&events[i], i);
    run(pricer, events, &priced, &total);
    size_t before = mallinfo2().uordblks;
    priced = 0;
    started = cpu_seconds();
    for (unsigned round = 0; round < ROUNDS; round++)
        run(pricer, events, &priced, &total);
    double seconds = cpu_seconds() - started;
    size_t grown = mallinfo2().uordblks - before;
    printf("load                %8.1f ms\n", load_ms);
    printf("price               %8.0f events/s on one core (%.0f ns each)\n",
           ROUNDS * (double)EVENTS / seconds, seconds / ROUNDS / EVENTS * 1e9);
    printf("priced              %8.1f %%\n", 100.0 * (double)priced / ROUNDS / EVENTS);
    printf("bytes allocated     %8zu\n", grown);
    free(events);
    pricer_free(pricer);
    book_free(book);
    return priced == (int64_t)ROUNDS * EVENTS ? 0 : 1;
}
