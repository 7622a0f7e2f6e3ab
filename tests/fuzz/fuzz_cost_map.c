/* SPDX-License-Identifier: Apache-2.0 */
/* links: pricing */
/* seeds: tests/fuzz/seeds/cost_map */
/* Any bytes are a cost map or an error; a map that loads prices an event without a crash. */
#include "pricing/book.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static void price_one(const struct book *book)
{
    struct facts facts = {0};
    struct charge charge;
    struct pricer *pricer = pricer_new(book);
    expect(pricer != NULL);
    facts_set_text(&facts, FACT_PROVIDER, SLICE("openai"));
    facts_set_text(&facts, FACT_MODEL, SLICE("a"));
    facts_set_text(&facts, FACT_CALL_TYPE, SLICE("chat"));
    facts_set_text(&facts, FACT_STATUS, SLICE("success"));
    facts_set_int(&facts, FACT_STARTED_AT, 1764000000000000);
    facts_set_int(&facts, FACT_ENDED_AT, 1764000001500000);
    facts_set_int(&facts, FACT_INPUT_TOKENS, 300000);
    facts_set_int(&facts, FACT_CACHE_READ_TOKENS, 1000);
    facts_set_int(&facts, FACT_OUTPUT_TOKENS, 70);
    pricer_price(pricer, &facts, &charge, NULL);
    expect(charge.has_spend == (charge.status != CHARGE_UNPRICED));
    expect(charge.item_count <= CHARGE_ITEMS_MAX);
    pricer_free(pricer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char path[64];
    struct err err = {0};
    int fd = memfd_create("cost_map", 0);
    expect(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct cost_map_source source = {path, INT64_MIN, NULL};
    struct book_options options = {.cost_maps = &source, .cost_map_count = 1};
    struct book *book = book_load(&options, NULL, NULL, &err);
    expect((book != NULL) == (err.kind == ERR_NONE));
    if (book)
        price_one(book);
    else
        expect(err.text[0] != '\0');
    book_free(book);
    close(fd);
    return 0;
}
