/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of a result line, one function for each kind of value; their order is that of
 * result_charge(), result_no_event() and result_event().
 */
#include "cli/result.h"

#include "core/clock.h"
#include "core/show.h"

void result_print(struct buf *line)
{
    buf_add_text(line, "}\n");
    show_buf(stdout, line);
    buf_reset(line);
}

static void member(struct buf *line, const char *name)
{
    if (line->bytes > 0 && line->p[line->bytes - 1] != '{')
        buf_add_char(line, ',');
    buf_add_json_string(line, slice_of(name));
    buf_add_char(line, ':');
}

void result_text(struct buf *line, const char *name, struct slice text)
{
    member(line, name);
    buf_add_json_string(line, text);
}

void result_null(struct buf *line, const char *name)
{
    member(line, name);
    buf_add_text(line, "null");
}

void result_decimal(struct buf *line, const char *name, const struct decimal *d)
{
    char text[DECIMAL_TEXT_MAX];
    member(line, name);
    buf_add(line, (struct slice){text, decimal_format(d, text)});
}

void result_money(struct buf *line, const char *name, struct money m)
{
    char text[DECIMAL_TEXT_MAX];
    member(line, name);
    buf_add(line, (struct slice){text, money_format(m, text)});
}

void result_sum(struct buf *line, const char *name, struct sum sum)
{
    char text[SUM_TEXT_MAX];
    member(line, name);
    buf_add(line, (struct slice){text, sum_format(sum, text)});
}

void result_number(struct buf *line, const char *name, struct slice digits)
{
    member(line, name);
    buf_add(line, digits.bytes ? digits : SLICE("null"));
}

void result_int(struct buf *line, const char *name, int64_t v)
{
    member(line, name);
    buf_printf(line, "%lld", (long long)v);
}

void result_bool(struct buf *line, const char *name, bool v)
{
    member(line, name);
    buf_add_text(line, v ? "true" : "false");
}

void result_time(struct buf *line, const char *name, int64_t us)
{
    char text[CLOCK_TEXT_MAX];
    clock_format(us, text);
    result_text(line, name, slice_of(text));
}

void result_open(struct buf *line, const struct input_message *message, bool with_file,
                 int64_t index)
{
    buf_add_char(line, '{');
    if (with_file)
        result_text(line, "file", slice_of(message->file));
    result_int(line, "line", (int64_t)message->line);
    if (index >= 0)
        result_int(line, "index", index);
}

static void text_or_null(struct buf *line, const char *name, bool has, struct slice text)
{
    if (has)
        result_text(line, name, text);
    else
        result_null(line, name);
}

void result_items(struct buf *line, const struct charge *charge)
{
    char source[512];
    member(line, "items");
    buf_add_char(line, '[');
    for (size_t i = 0; i < charge->item_count; i++) {
        const struct charge_item *item = &charge->item[i];
        if (i > 0)
            buf_add_char(line, ',');
        buf_add_char(line, '{');
        result_text(line, "unit", slice_of(unit_info[item->unit].name));
        result_decimal(line, "quantity", &item->quantity);
        result_decimal(line, "rate", &item->rate);
        if (decimal_cmp(&item->multiplier, &DECIMAL_ONE) != 0)
            result_decimal(line, "multiplier", &item->multiplier);
        result_money(line, "amount", item->amount);
        rate_source_format(item->source, source, sizeof(source));
        result_text(line, "source", slice_of(source));
        buf_add_char(line, '}');
    }
    buf_add_char(line, ']');
}

static void flags_list(struct buf *line, unsigned flags)
{
    bool first = true;
    member(line, "flags");
    buf_add_char(line, '[');
    for (unsigned i = 0; i < flag_count; i++) {
        if (!(flags & flag_info[i].bit))
            continue;
        buf_add_text(line, first ? "" : ",");
        buf_add_json_string(line, slice_of(flag_info[i].name));
        first = false;
    }
    buf_add_char(line, ']');
}

void result_charge(struct buf *line, const struct event *event, const struct charge *charge,
                   bool with_items)
{
    const struct facts *facts = &event->facts;
    const struct decimal *stated = facts_decimal(facts, FACT_GATEWAY_COST);

    text_or_null(line, "request_id", labels_has(&event->labels, LABEL_REQUEST_ID),
                 labels_text(&event->labels, LABEL_REQUEST_ID));
    result_text(line, "mapping", slice_of(event->mapping));
    text_or_null(line, "model", facts_has(facts, FACT_MODEL), facts_text(facts, FACT_MODEL));
    text_or_null(line, "provider", facts_has(facts, FACT_PROVIDER),
                 facts_text(facts, FACT_PROVIDER));
    result_text(line, "status", slice_of(charge_status_name[charge->status]));
    text_or_null(line, "reason", charge->reason != REASON_NONE,
                 slice_of(reason_info[charge->reason].name));
    if (charge->has_spend)
        result_money(line, "spend", charge->spend);
    else
        result_null(line, "spend");
    if (stated)
        result_decimal(line, "gateway_cost", stated);
    else
        result_null(line, "gateway_cost");
    flags_list(line, event->flags | charge->flags);
    if (with_items)
        result_items(line, charge);
}

void result_no_event(struct buf *line, const struct record *record)
{
    bool rejected = record->outcome == RECORD_REJECTED;
    if (record->mapping)
        result_text(line, "mapping", slice_of(record->mapping));
    result_text(line, "status", slice_of(rejected ? "rejected" : "skipped"));
    result_text(line, "reason", slice_of(reason_info[record->reason].name));
    if (!rejected)
        return;
    result_text(line, "detail", slice_of(record->detail ? record->detail : ""));
    if (record->field)
        result_text(line, "field", slice_of(record->field));
    if (record->byte >= 0)
        result_int(line, "byte", record->byte);
}

static void field(struct buf *line, const char *name, enum field_kind kind, union value v)
{
    switch (kind) {
    case KIND_TEXT:
        result_text(line, name, v.s);
        break;
    case KIND_COUNT:
        result_int(line, name, v.i);
        break;
    case KIND_DECIMAL:
        result_decimal(line, name, v.d);
        break;
    case KIND_BOOL:
        result_bool(line, name, v.i != 0);
        break;
    case KIND_TIME:
        result_time(line, name, v.i);
        break;
    case KIND_JSON:
        member(line, name);
        buf_add(line, v.s);
        break;
    case KIND_TAGS:
        member(line, name);
        buf_add_char(line, '[');
        for (size_t i = 0; i < v.t->count; i++) {
            if (i > 0)
                buf_add_char(line, ',');
            buf_add_json_string(line, v.t->tag[i]);
        }
        buf_add_char(line, ']');
        break;
    }
}

/* "cache_reading":"outside, numbers" */
static void reading(struct buf *line, const char *name, struct reading reading)
{
    char text[64];
    if (reading.ground == GROUND_NONE)
        return;
    snprintf(text, sizeof(text), "%s, %s", reading.outside ? "outside" : "inside",
             reading_ground_name[reading.ground]);
    result_text(line, name, slice_of(text));
}

void result_event(struct buf *line, const struct event *event)
{
    result_text(line, "mapping", slice_of(event->mapping));
    if (labels_has(&event->labels, LABEL_REQUEST_ID))
        field(line, label_info[LABEL_REQUEST_ID].name, KIND_TEXT,
              event->labels.v[LABEL_REQUEST_ID]);
    for (enum fact i = 0; i < FACT_COUNT; i++)
        if (facts_has(&event->facts, i))
            field(line, fact_info[i].name, fact_info[i].kind, event->facts.v[i]);
    for (enum label i = 0; i < LABEL_COUNT; i++)
        if (i != LABEL_REQUEST_ID && labels_has(&event->labels, i))
            field(line, label_info[i].name, label_info[i].kind, event->labels.v[i]);
    for (unsigned i = 0; i < flag_count; i++)
        if (event->flags & flag_info[i].bit)
            result_bool(line, flag_info[i].name, true);
    reading(line, "cache_reading", reading_of(event->flags, READING_CACHE_BIT));
    reading(line, "reasoning_reading", reading_of(event->flags, READING_REASONING_BIT));
}
