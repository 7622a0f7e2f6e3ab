/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The derivation of an event's charge, printed: what was decided, the facts that pricing saw, each
 * item with its rate and where that stands. Stored rows: explain_stored.c.
 */
#include "cli/explain.h"

#include "core/clock.h"
#include "core/show.h"

#include "cli/result.h"

#include <stdio.h>

static void decision_print(const char *text, void *context)
{
    (void)context;
    show_line(stdout, "  %s", text);
}

static void decision_json(const char *text, void *context)
{
    struct buf *list = context;
    if (list->bytes > 1)
        buf_add_char(list, ',');
    buf_add_json_string(list, slice_of(text));
}

static void facts_print(const struct event *event)
{
    struct buf line;
    const char *between = "facts: ";
    buf_init(&line, RESULT_LINE_MAX_BYTES);
    for (enum fact i = 0; i < FACT_COUNT; i++) {
        char text[DECIMAL_TEXT_MAX], time[CLOCK_TEXT_MAX];
        if (!facts_has(&event->facts, i))
            continue;
        union value v = event->facts.v[i];
        buf_printf(&line, "%s%s=", between, fact_info[i].name);
        between = ", ";
        if (fact_info[i].kind == KIND_TEXT)
            show_add(&line, v.s);
        else if (fact_info[i].kind == KIND_DECIMAL)
            buf_add(&line, (struct slice){text, decimal_format(v.d, text)});
        else if (fact_info[i].kind == KIND_TIME)
            buf_add(&line, (struct slice){time, clock_format(v.i, time)});
        else if (fact_info[i].kind == KIND_BOOL)
            buf_add_text(&line, v.i ? "true" : "false");
        else
            buf_printf(&line, "%lld", (long long)v.i);
    }
    buf_add_text(&line, line.bytes ? "\n" : "facts: \n");
    show_buf(stdout, &line);
    buf_free(&line);
}

static void items_print(const struct charge *charge)
{
    char quantity[DECIMAL_TEXT_MAX], rate[DECIMAL_TEXT_MAX], multiplier[DECIMAL_TEXT_MAX],
        amount[DECIMAL_TEXT_MAX], source[512];
    for (size_t i = 0; i < charge->item_count; i++) {
        const struct charge_item *item = &charge->item[i];
        bool multiplied = decimal_cmp(&item->multiplier, &DECIMAL_ONE) != 0;
        decimal_format(&item->quantity, quantity);
        decimal_format(&item->rate, rate);
        decimal_format(&item->multiplier, multiplier);
        money_format(item->amount, amount);
        rate_source_format(item->source, source, sizeof(source));
        printf("  %-28s %s x %s%s%s = %s\n", unit_info[item->unit].name, quantity, rate,
               multiplied ? " x " : "", multiplied ? multiplier : "", amount);
        show_line(stdout, "  %-28s   %s", "", source);
    }
}

static void totals_print(const struct event *event, const struct charge *charge)
{
    char text[DECIMAL_TEXT_MAX];
    const struct decimal *stated = facts_decimal(&event->facts, FACT_GATEWAY_COST);
    if (charge->has_spend) {
        money_format(charge->spend, text);
        printf("spend: %s USD (%s", text, charge_status_name[charge->status]);
    } else {
        printf("spend: unknown, NULL in the row (%s", charge_status_name[charge->status]);
    }
    if (charge->reason != REASON_NONE)
        printf(", %s: %s", reason_info[charge->reason].name, reason_info[charge->reason].doc);
    printf(")\n");
    if (!stated)
        return;
    decimal_format(stated, text);
    printf("gateway said: %s USD", text);
    struct decimal ours = money_decimal(charge->spend), difference, negated = *stated;
    negated.negative = !negated.negative && negated.coef != 0;
    if (charge->has_spend && decimal_add(&ours, &negated, &difference)) {
        decimal_format(&difference, text);
        printf("; difference %s", text);
    }
    printf("\n");
}

static void event_print(struct explain *explain, const struct event *event)
{
    struct charge charge;
    struct trace trace = {decision_print, NULL};
    show_line(stdout, "request " SLICE_FMT ", mapping %s",
              SLICE_ARG(labels_text(&event->labels, LABEL_REQUEST_ID)), event->mapping);
    facts_print(event);
    printf("decisions:\n");
    pricer_price(explain->pricer, &event->facts, &charge, &trace);
    show_line(stdout, "rule: %s", charge.rule && charge.rule[0] ? charge.rule : "none");
    printf("items:\n");
    items_print(&charge);
    totals_print(event, &charge);
}

void explain_event_json(struct explain *explain, const struct event *event, struct buf *line)
{
    struct charge charge;
    struct buf decisions;
    struct trace trace = {decision_json, &decisions};
    buf_init(&decisions, RESULT_LINE_MAX_BYTES);
    buf_add_char(&decisions, '[');
    pricer_price(explain->pricer, &event->facts, &charge, &trace);
    buf_add_char(&decisions, ']');
    buf_add_char(line, '{');
    result_charge(line, event, &charge, true);
    result_text(line, "rule", slice_of(charge.rule ? charge.rule : ""));
    buf_add_text(line, ",\"decisions\":");
    buf_add_buf(line, &decisions);
    buf_add_text(line, ",\"facts\":{");
    result_event(line, event);
    buf_add_text(line, "}}");
    buf_free(&decisions);
}

static void event_json(struct explain *explain, const struct event *event)
{
    struct buf line;
    buf_init(&line, RESULT_LINE_MAX_BYTES);
    explain_event_json(explain, event, &line);
    buf_add_char(&line, '\n');
    show_buf(stdout, &line);
    buf_free(&line);
}

void explain_event(struct explain *explain, const struct event *event)
{
    if (explain->json)
        event_json(explain, event);
    else
        event_print(explain, event);
}

void explain_no_event(struct explain *explain, const struct record *record)
{
    if (!explain->json) {
        show_line(stdout, "%s: %s%s%s", record->outcome == RECORD_REJECTED ? "rejected" : "skipped",
                  reason_info[record->reason].name, record->detail ? ": " : "",
                  record->detail ? record->detail : "");
        return;
    }
    struct buf line;
    buf_init(&line, RESULT_LINE_MAX_BYTES);
    buf_add_char(&line, '{');
    result_no_event(&line, record);
    result_print(&line);
    buf_free(&line);
}
