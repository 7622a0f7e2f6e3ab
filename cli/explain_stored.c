/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stored row explained from the database alone: its facts, priced by the book that its charge is
 * of, restored from what was stored with it. In a closed period that is the book of the latest
 * posted adjustment. The derivation must come to what the row says; when it does not, that is told.
 */
#include "cli/command.h"
#include "cli/exclusion.h"
#include "cli/explain.h"
#include "cli/result.h"

#include "core/log.h"
#include "core/show.h"

#include "store/stored_row.h"

#include <string.h>

#define BOOK_MAX_BYTES (256u << 20)

/* What counts for the row now, and the lists of what was done to it. */
struct history {
    bool json;
    struct buf list, exclusions;
    bool set_aside;
    int32_t book_id;
    bool has_spend;
    struct money spend;
};

/* What it prints lives in `text`. */
static const char *text_spend(char text[DECIMAL_TEXT_MAX], bool has, struct money m)
{
    if (!has)
        return "unknown";
    money_format(m, text);
    return text;
}

static void json_spend(struct buf *out, const char *name, bool has, struct money m)
{
    if (has)
        result_money(out, name, m);
    else
        result_null(out, name);
}

static void adjustment_json(struct buf *out, const struct stored_adjustment *a)
{
    buf_add_text(out, out->bytes ? ",{" : "{");
    result_int(out, "run", a->run_id);
    result_time(out, "at", a->adjusted_at_us);
    result_text(out, "by", a->started_by);
    result_text(out, "kind", a->kind);
    if (a->posted_on.bytes)
        result_text(out, "posted_on", a->posted_on);
    json_spend(out, "spend_before", a->had_spend, a->before);
    json_spend(out, "spend_after", a->has_spend, a->after);
    result_text(out, "status_before", a->status_before);
    result_text(out, "status_after", a->status_after);
    result_text(out, "book_before", a->book_before);
    result_text(out, "book_after", a->book_after);
    buf_add_char(out, '}');
}

static void adjustment_text(struct buf *out, const struct stored_adjustment *a)
{
    char text[DECIMAL_TEXT_MAX];
    buf_printf(out, "  run %lld by ", (long long)a->run_id);
    show_add(out, a->started_by);
    buf_add_text(out, ": ");
    buf_printf(out, "%s -> ", text_spend(text, a->had_spend, a->before));
    buf_add_text(out, text_spend(text, a->has_spend, a->after));
    buf_printf(out, " (" SLICE_FMT " -> " SLICE_FMT "), book %s -> %s", SLICE_ARG(a->status_before),
               SLICE_ARG(a->status_after), a->book_before.p, a->book_after.p);
    if (a->posted_on.bytes)
        buf_printf(out, ", posted on " SLICE_FMT, SLICE_ARG(a->posted_on));
    buf_add_char(out, '\n');
}

static void on_adjustment(const struct stored_adjustment *a, void *context)
{
    struct history *history = context;
    if (history->json)
        adjustment_json(&history->list, a);
    else
        adjustment_text(&history->list, a);
    if (!a->posted_on.bytes)
        return;
    history->book_id = a->book_id;
    history->has_spend = a->has_spend;
    history->spend = a->after;
}

static void on_exclusion(const struct exclusion *exclusion, void *context)
{
    struct history *history = context;
    struct buf *list = &history->exclusions;
    history->set_aside |= exclusion->in_force;
    if (history->json) {
        buf_add_text(list, list->bytes ? ",{" : "{");
        exclusion_add_json(list, exclusion);
        buf_add_char(list, '}');
    } else {
        buf_add_text(list, "  ");
        exclusion_add_text(list, exclusion);
    }
}

static bool agrees(struct pricer *pricer, const struct stored_row *row,
                   const struct history *history)
{
    struct charge charge;
    pricer_price(pricer, &row->event.facts, &charge, NULL);
    return charge.has_spend == history->has_spend &&
           (!charge.has_spend || charge.spend.atto == history->spend.atto);
}

/* The derivation's own members, then what is stored. */
static void print_json(struct explain *explain, const struct stored_row *row,
                       const struct history *history, bool same)
{
    struct buf line;
    buf_init(&line, RESULT_LINE_MAX_BYTES);
    explain_event_json(explain, &row->event, &line);
    if (line.bytes)
        line.bytes--; /* the closing brace */
    buf_add_text(&line, ",\"stored\":{");
    result_text(&line, "status", row->status);
    json_spend(&line, "spend", row->has_spend, row->spend);
    result_text(&line, "book", row->book_hash);
    result_text(&line, "topic", row->topic);
    result_int(&line, "partition", row->partition);
    result_int(&line, "offset", row->kafka_offset);
    result_int(&line, "index", row->record_index);
    buf_add_text(&line, "},\"adjustments\":[");
    buf_add_buf(&line, &history->list);
    buf_add_text(&line, "],\"exclusions\":[");
    buf_add_buf(&line, &history->exclusions);
    buf_add_char(&line, ']');
    result_bool(&line, "excluded", history->set_aside);
    result_bool(&line, "agrees", same);
    result_print(&line);
    buf_free(&line);
}

static void print_text(struct explain *explain, const struct stored_row *row,
                       const struct history *history, bool same)
{
    char spend[DECIMAL_TEXT_MAX];
    explain_event(explain, &row->event);
    show_line(stdout,
              "stored: %s USD (" SLICE_FMT "%s" SLICE_FMT "), book %s, from " SLICE_FMT
              " partition %lld offset %lld record %lld",
              text_spend(spend, row->has_spend, row->spend), SLICE_ARG(row->status),
              row->reason.bytes ? ", " : "", SLICE_ARG(row->reason), row->book_hash.p,
              SLICE_ARG(row->topic), (long long)row->partition, (long long)row->kafka_offset,
              (long long)row->record_index);
    if (history->list.bytes)
        printf("adjustments:\n");
    show_buf(stdout, &history->list);
    if (history->exclusions.bytes)
        printf("%s:\n", history->set_aside ? "SET ASIDE, counts in no sum"
                                           : "was set aside and put back, counts");
    show_buf(stdout, &history->exclusions);
    if (!same)
        printf("DIFFERS: the derivation does not come to what is stored\n");
}

static bool explain_row(struct stored_rows *rows, int index, bool json, bool *same, struct err *err)
{
    struct stored_row row;
    struct history history = {.json = json};
    struct explain explain = {.json = json};
    struct buf book_json;
    struct book *book = NULL;

    buf_init(&history.list, RESULT_LINE_MAX_BYTES);
    buf_init(&history.exclusions, RESULT_LINE_MAX_BYTES);
    buf_init(&book_json, BOOK_MAX_BYTES);
    bool ok = stored_rows_get(rows, index, &row, err);
    if (ok) {
        history.book_id = row.book_id;
        history.has_spend = row.has_spend;
        history.spend = row.spend;
        ok = stored_rows_adjustments(rows, index, on_adjustment, &history, err) &&
             stored_rows_exclusions(rows, index, on_exclusion, &history, err) &&
             stored_rows_book(rows, history.book_id, &book_json, err);
    }
    book = ok ? book_restore(buf_slice(&book_json), err) : NULL;
    explain.pricer = book ? pricer_new(book) : NULL;
    if (explain.pricer) {
        *same = agrees(explain.pricer, &row, &history);
        (json ? print_json : print_text)(&explain, &row, &history, *same);
    } else if (ok) {
        err_set(err, ERR_FATAL, "out of memory");
        err_prefix(err, "price book %d", history.book_id);
    }
    ok = explain.pricer != NULL;
    pricer_free(explain.pricer);
    book_free(book);
    buf_free(&book_json);
    buf_free(&history.exclusions);
    buf_free(&history.list);
    return ok;
}

int explain_stored(const struct config *config, const char *request_id, bool json, struct err *err)
{
    struct stored_rows *rows = NULL;
    int count = 0;
    bool same = true, all_same = true, ok = false;
    if (config_has_postgres(config, err))
        rows = stored_rows_open(config->postgres, err);
    if (rows && stored_rows_find(rows, request_id, &count, err))
        ok = count > 0 || err_set(err, ERR_INPUT, "no row of request \"%s\"", request_id);
    if (count > STORED_ROWS_MAX)
        log_warn("more than %d rows are of this request: the first ones", STORED_ROWS_MAX);
    for (int i = 0; ok && i < count && i < STORED_ROWS_MAX; i++) {
        if (i && !json)
            printf("\n");
        ok = explain_row(rows, i, json, &same, err);
        all_same &= same;
    }
    stored_rows_close(rows);
    if (!ok)
        return fail(err);
    return all_same ? 0 : EXIT_DIFFERENCES;
}
