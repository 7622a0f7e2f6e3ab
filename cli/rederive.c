/* SPDX-License-Identifier: Apache-2.0 */
/* A dry run of repricing in which every row is priced by its own book: its changes are differences.
 */
#include "cli/rederive.h"

#include "core/clock.h"
#include "pricing/book.h"
#include "store/reprice.h"

#include <stdio.h>

#define BOOKS_MAX 32 /* restored at once; the oldest goes */
#define BOOK_MAX_BYTES (256u << 20)
#define FINDING_BYTES_MAX 768

struct restored {
    int32_t id;
    struct book *book; /* NULL: cannot be restored */
    struct pricer *pricer;
};

struct work {
    struct rederive *rederive;
    struct reprice *run;
    struct restored restored[BOOKS_MAX];
    size_t count;
    int64_t unreadable;    /* books */
    struct pricer *pricer; /* of the current row */
    struct buf json;
};

static void restored_free(struct restored *restored)
{
    pricer_free(restored->pricer);
    book_free(restored->book);
}

static struct restored *restored_find(struct work *work, int32_t id)
{
    for (size_t i = 0; i < work->count && i < BOOKS_MAX; i++)
        if (work->restored[i].id == id)
            return &work->restored[i];
    return NULL;
}

static struct restored *restored_make(struct work *work, int32_t id)
{
    struct err err = {0};
    struct restored *restored = &work->restored[work->count++ % BOOKS_MAX];
    char text[FINDING_BYTES_MAX];
    restored_free(restored);
    *restored = (struct restored){.id = id};
    if (reprice_book(work->run, id, &work->json, &err))
        restored->book = book_restore(buf_slice(&work->json), &err);
    restored->pricer = restored->book ? pricer_new(restored->book) : NULL;
    if (!restored->pricer) {
        snprintf(text, sizeof(text), "price book %d cannot be restored: %.600s", id, err.text);
        work->unreadable += err.kind != ERR_INPUT;
        work->rederive->finding(text, err.kind != ERR_INPUT, work->rederive->context);
    }
    return restored;
}

static bool on_book(int32_t id, void *context)
{
    struct work *work = context;
    struct restored *restored = restored_find(work, id);
    if (!restored)
        restored = restored_make(work, id);
    work->pricer = restored->pricer;
    return restored->pricer != NULL;
}

static void on_price(const struct facts *facts, struct charge *charge, void *context)
{
    struct work *work = context;
    pricer_price(work->pricer, facts, charge, NULL);
}

static void spend_format(bool has, struct money m, char text[DECIMAL_TEXT_MAX])
{
    if (has)
        text[money_format(m, text)] = '\0';
    else
        snprintf(text, DECIMAL_TEXT_MAX, "NULL");
}

static void finding_of(const struct rederive *rederive, const struct reprice_move *move)
{
    char text[FINDING_BYTES_MAX], start[CLOCK_TEXT_MAX], stored[DECIMAL_TEXT_MAX],
        derived[DECIMAL_TEXT_MAX];
    clock_format(move->start_time_us, start);
    spend_format(move->had_spend, move->before, stored);
    spend_format(move->has_spend, move->after, derived);
    snprintf(text, sizeof(text), "request %s of %s: stored %s, derived %s", move->request_id, start,
             stored, derived);
    rederive->finding(text, true, rederive->context);
}

static bool rederive_run(struct work *work, struct err *err)
{
    struct rederive *rederive = work->rederive;
    const struct reprice_filter filter = {
        .since_us = rederive->since_us, .until_us = rederive->until_us, .include_reported = true};
    const struct reprice_report *report = NULL;
    if (reprice_begin(work->run, &filter, NULL, (struct slice){"", 0}, err) &&
        reprice_run(work->run, err))
        report = reprice_report(work->run, err);
    if (!report)
        return false;
    rederive->checked = report->totals.considered - report->totals.skipped;
    rederive->differing = report->totals.changed + work->unreadable;
    rederive->skipped = report->totals.skipped;
    for (size_t i = 0; i < report->move_count; i++)
        finding_of(rederive, &report->move[i]);
    int64_t more = report->totals.changed - (int64_t)report->move_count;
    if (more > 0) {
        char text[FINDING_BYTES_MAX];
        snprintf(text, sizeof(text), "and %lld more rows, which differ by less", (long long)more);
        rederive->finding(text, true, rederive->context);
    }
    return true;
}

bool verify_rederive(const struct config *config, struct rederive *rederive, struct err *err)
{
    struct work work = {.rederive = rederive};
    const struct reprice_options options = {.conninfo = config->postgres,
                                            .dry_run = true,
                                            .price = on_price,
                                            .book = on_book,
                                            .context = &work};
    buf_init(&work.json, BOOK_MAX_BYTES);
    work.run = reprice_open(&options, err);
    bool ok = work.run && rederive_run(&work, err);
    reprice_close(work.run);
    for (size_t i = 0; i < BOOKS_MAX; i++)
        restored_free(&work.restored[i]);
    buf_free(&work.json);
    return ok;
}
