/* SPDX-License-Identifier: Apache-2.0 */
/* links: pricing */
/*
 * Any facts under any model of the cost map have a price or a reason: items add up to the spend,
 * and a remembered plan prices as a new one does.
 *
 * Input: a model's number in two bytes, a call type, then facts: number, a byte of form, value.
 */
#include "pricing/book/inside.h"

#include <stdlib.h>

#define DECIMALS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const char *const call_types[] = {
    "chat",
    "responses",
    "completion",
    "embedding",
    "rerank",
    "image",
    "speech",
    "ocr",
    "search",
    "create_video",
    "aretrieve_batch",
    "_arealtime",
    "",
    "agenerate_content",
    "transcription",
    "call_mcp_tool",
    "asend_message",
};

struct input {
    const uint8_t *p, *end;
    struct decimal decimal[DECIMALS_MAX];
    size_t decimal_count;
};

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static unsigned next_byte(struct input *in)
{
    return in->p < in->end ? *in->p++ : 0;
}

/* As many bytes as `form` says: small numbers are as likely as large ones. */
static int64_t next_number(struct input *in, unsigned form)
{
    uint64_t n = 0;
    for (unsigned i = 0; i <= form % 8; i++)
        n = n << 8 | next_byte(in);
    return (int64_t)(n & INT64_MAX);
}

static void next_fact(struct input *in, struct facts *facts)
{
    enum fact fact = (enum fact)(next_byte(in) % FACT_COUNT);
    unsigned form = next_byte(in);
    size_t left = (size_t)(in->end - in->p), bytes = form % 24;
    struct decimal *decimal = &in->decimal[in->decimal_count % DECIMALS_MAX];
    switch (fact_info[fact].kind) {
    case KIND_TEXT:
        bytes = bytes < left ? bytes : left;
        facts_set_text(facts, fact, (struct slice){(const char *)in->p, bytes});
        in->p += bytes;
        return;
    case KIND_BOOL:
        facts_set_int(facts, fact, form & 1);
        return;
    case KIND_DECIMAL:
        if (in->decimal_count == DECIMALS_MAX)
            return;
        *decimal = decimal_from_int(next_number(in, form >> 4));
        decimal->scale = form % 13;
        in->decimal_count++;
        facts_set_decimal(facts, fact, decimal);
        return;
    default:
        facts_set_int(facts, fact, next_number(in, form));
    }
}

/* Free is only what a zero rule or an explicit rate of 0 makes so, whatever the gateway says. */
static void check_free(const struct charge *charge)
{
    switch (charge->reason) {
    case REASON_FAILURE:
    case REASON_CACHE_HIT:
    case REASON_MANAGEMENT_CALL:
    case REASON_BATCH_WITHOUT_OUTPUT:
    case REASON_PROVISIONED:
    case REASON_FREE_PROVIDER:
        return;
    default:
        expect(charge->reason == REASON_ZERO_RATE && charge->item_count > 0);
    }
}

static void check_charge(const struct charge *charge)
{
    i128 items = 0, sides = 0;
    expect(charge->has_spend == (charge->status != CHARGE_UNPRICED));
    expect(charge->item_count <= CHARGE_ITEMS_MAX);
    expect(charge->status == CHARGE_PRICED || charge->reason != REASON_NONE);
    for (size_t i = 0; i < charge->item_count; i++) {
        expect(charge->item[i].source != NULL);
        items += charge->item[i].amount.atto;
    }
    for (size_t i = 0; i < 3; i++)
        sides += charge->side[i].atto;
    if (charge->status == CHARGE_FREE)
        check_free(charge);
    if (charge->status == CHARGE_REPORTED)
        expect(charge->spend.atto > 0 || charge->item_count == 1);
    if (charge->has_spend)
        expect(items == charge->spend.atto && sides == items);
}

static void ignore_line(const char *text, void *context)
{
    (void)text;
    (void)context;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct book *book;
    static struct pricer *pricer;
    static struct charge charge, again;
    const struct trace trace = {ignore_line, NULL};
    struct input in = {.p = data, .end = data + bytes};
    struct facts facts = {.present = {0}};
    struct err err = {0};
    struct book_options options = {.cost_maps = NULL};
    if (!book)
        book = book_load(&options, NULL, NULL, &err);
    if (!pricer)
        pricer = pricer_new(book);
    expect(pricer != NULL);
    const struct catalog *catalog = book->catalog[0];
    const struct entry *entry = &catalog->entry[(size_t)next_number(&in, 1) % catalog->count];
    facts_set_text(&facts, FACT_MODEL, slice_of(entry->name));
    facts_set_text(&facts, FACT_PROVIDER, slice_of(entry->provider));
    facts_set_text(
        &facts, FACT_CALL_TYPE,
        slice_of(call_types[next_byte(&in) % (sizeof(call_types) / sizeof(call_types[0]))]));
    while (in.p < in.end)
        next_fact(&in, &facts);
    pricer_price(pricer, &facts, &charge, NULL);
    check_charge(&charge);
    pricer_price(pricer, &facts, &again, &trace);
    expect(again.status == charge.status && again.reason == charge.reason &&
           again.spend.atto == charge.spend.atto);
    return 0;
}
