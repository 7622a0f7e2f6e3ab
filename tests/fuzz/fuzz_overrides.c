/* SPDX-License-Identifier: Apache-2.0 */
/* links: pricing */
/* seeds: tests/fuzz/seeds/overrides */
/*
 * Any bytes are a LiteLLM configuration or an error, in both modes; a book that loads prices, says
 * what it does, and comes back from its own dump with the same id.
 */
#include "pricing/book.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define DUMP_BYTES_MAX (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const char map[] =
    "{\"a\": {\"litellm_provider\": \"openai\", \"mode\": \"chat\", \"input_cost_per_token\": "
    "2e-06, "
    "\"output_cost_per_token\": 8e-06, \"cache_read_input_token_cost\": 5e-07, "
    "\"input_cost_per_token_above_200k_tokens\": 4e-06, \"input_cost_per_token_batches\": 1e-06}}";

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static int file_of(const void *data, size_t bytes, char path[64])
{
    int fd = memfd_create("overrides", 0);
    expect(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static void count_line(const char *text, void *context)
{
    expect(text != NULL);
    ++*(size_t *)context;
}

static void ignore_finding(enum finding_level level, const char *text, void *context)
{
    (void)level;
    (void)context;
    expect(text != NULL);
}

static void price_one(const struct book *book)
{
    struct facts facts = {.present = {0}};
    static struct charge charge;
    struct pricer *pricer = pricer_new(book);
    expect(pricer != NULL);
    facts_set_text(&facts, FACT_PROVIDER, SLICE("openai"));
    facts_set_text(&facts, FACT_MODEL, SLICE("openai/a"));
    facts_set_text(&facts, FACT_MODEL_GROUP, SLICE("a"));
    facts_set_text(&facts, FACT_CALL_TYPE, SLICE("chat"));
    facts_set_int(&facts, FACT_STARTED_AT, 1764000000000000);
    facts_set_int(&facts, FACT_ENDED_AT, 1764000001500000);
    facts_set_int(&facts, FACT_INPUT_TOKENS, 300000);
    facts_set_int(&facts, FACT_CACHE_READ_TOKENS, 1000);
    facts_set_int(&facts, FACT_OUTPUT_TOKENS, 70);
    pricer_price(pricer, &facts, &charge, NULL);
    expect(charge.has_spend == (charge.status != CHARGE_UNPRICED));
    pricer_free(pricer);
}

static void check_book(const struct book *book)
{
    struct buf dump;
    struct err err = {0};
    size_t lines = 0;
    book_describe(book, false, count_line, &lines);
    book_describe(book, true, count_line, &lines);
    price_one(book);
    buf_init(&dump, DUMP_BYTES_MAX);
    expect(book_dump(book, &dump, &err));
    struct book *again = book_restore((struct slice){dump.p, dump.bytes}, &err);
    expect(again && strcmp(book_id(again), book_id(book)) == 0);
    book_free(again);
    buf_free(&dump);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char map_path[64], config_path[64];
    int map_fd = file_of(map, sizeof(map) - 1, map_path), fd = file_of(data, bytes, config_path);
    struct cost_map_source source = {map_path, INT64_MIN, NULL};
    for (unsigned mode = 0; mode < 2; mode++) {
        struct err err = {0};
        struct book_options options = {.cost_maps = &source,
                                       .cost_map_count = 1,
                                       .litellm_config = config_path,
                                       .overrides = (enum overrides_mode)mode};
        struct book *book = book_load(&options, ignore_finding, NULL, &err);
        expect(book || (err.kind != ERR_NONE && err.text[0]));
        if (book)
            check_book(book);
        book_free(book);
    }
    close(fd);
    close(map_fd);
    return 0;
}
