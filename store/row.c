/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row is a 16-bit count of fields, then per field a 32-bit length (-1 = NULL) and its bytes in
 * the type's binary form (PostgreSQL manual, COPY, "Binary Format"). Order: the fixed columns
 * below, facts with a column, labels with a column, usage. Room for a whole row is reserved at once
 * and filled through a bare pointer.
 */
#include "store/row_fields.h"

/* The first two are patched: row_patch() knows where they are. */
static const char *const fixed_column[] = {
    "batch_id",       "price_book_id", "identity", "partition_id", "kafka_offset",
    "record_index",   "content_hash",  "flags",    "spend",        "input_cost",
    "output_cost",    "other_cost",    "items",    "mapping",      "time_source",
    "pricing_status", "pricing_reason"};

#define FIXED_COUNT (sizeof(fixed_column) / sizeof(fixed_column[0]))

const char *const row_time_source[] = {
    [TIME_EVENT] = "event", [TIME_DERIVED] = "derived", [TIME_KAFKA] = "kafka"};

/* Times that both timestamp and a four-digit year can hold: years 1 to 9999. */
#define TIME_MIN_US INT64_C(-62135596800000000)
#define TIME_MAX_US INT64_C(253402300799999999)

const char *row_fact_column(enum fact fact)
{
    return fact == FACT_STARTED_AT ? "start_time"
           : fact == FACT_ENDED_AT ? "end_time"
                                   : fact_info[fact].name;
}

void row_columns(struct buf *sql)
{
    for (size_t i = 0; i < FIXED_COUNT; i++)
        buf_printf(sql, "%s, ", fixed_column[i]);
    for (int f = 0; f < FACT_COUNT; f++)
        if (fact_info[f].store == STORE_COLUMN)
            buf_printf(sql, "%s, ", row_fact_column((enum fact)f));
    for (int l = 0; l < LABEL_COUNT; l++)
        if (label_info[l].column[0])
            buf_printf(sql, "%s, ", label_info[l].column);
    buf_add_text(sql, "usage");
}

enum {
    FIELD_COUNT = FIXED_COUNT + 1
#define FACT(id, kind, store, name, doc) +(STORE_##store == STORE_COLUMN)
#include "core/facts.def"
#undef FACT
#define LABEL(id, kind, name, column, doc) +(sizeof(column) > 1)
#include "core/labels.def"
#undef LABEL
};

/* --- a row ---------------------------------------------------------------------------------- */

char *row_put_common(char *p, const struct event *event, const struct charge *charge,
                     const struct row_items *items, const struct row_place *place)
{
    bool has = charge->has_spend;
    MUST(items->bytes <= sizeof(items->text), items->bytes);
    MUST(place->kafka_offset >= 0, place->kafka_offset);
    p = field_bytes(p, event->identity, sizeof(event->identity));
    p = field_int8(p, (uint64_t)place->partition_id);
    p = field_int8(p, (uint64_t)place->kafka_offset);
    p = field_int4(p, place->record_index);
    p = field_int8(p, event->content_hash);
    p = field_int4(p, event->flags | charge->flags);
    p = field_money(p, has, charge->spend);
    p = field_money(p, has, charge->side[SIDE_INPUT]);
    p = field_money(p, has, charge->side[SIDE_OUTPUT]);
    p = field_money(p, has, charge->side[SIDE_OTHER]);
    return items->there ? field_bytes(p, items->text, items->bytes) : field_null(p);
}

static char *put_fixed(char *p, const struct event *event, const struct charge *charge,
                       const struct row_items *items, const struct row_place *place)
{
    const char *reason = reason_info[charge->reason].name;
    p = field_int8(p, 0);
    p = field_int4(p, 0);
    p = row_put_common(p, event, charge, items, place);
    p = field_word(p, event->mapping);
    p = field_word(p, row_time_source[event->time_source]);
    p = field_word(p, charge_status_name[charge->status]);
    return field_word(p, reason ? reason : "");
}

/* Facts and labels are written out field by field, each with its kind known to the compiler: a loop
 * over the tables took 4 times the instructions. */
static inline char *put_fact(char *p, const struct facts *facts, enum fact fact,
                             enum field_kind kind)
{
    return facts_has(facts, fact) ? field_value(p, kind, &facts->v[fact]) : field_null(p);
}

static char *put_facts(char *p, const struct facts *facts)
{
#define FACT(id, kind, store, name, doc)                                                           \
    if (STORE_##store == STORE_COLUMN)                                                             \
        p = put_fact(p, facts, FACT_##id, KIND_##kind);
#include "core/facts.def"
#undef FACT
    return p;
}

static inline char *put_label(char *p, const struct labels *labels, enum label label,
                              enum field_kind kind)
{
    static const struct tags no_tags = {0, NULL};
    if (labels_has(labels, label))
        return field_value(p, kind, &labels->v[label]);
    return kind == KIND_TEXT   ? put_be32(p, 0)
           : kind == KIND_TAGS ? field_tags(p, &no_tags)
                               : field_null(p);
}

static char *put_labels(char *p, const struct labels *labels)
{
#define LABEL(id, kind, name, column, doc)                                                         \
    if (sizeof(column) > 1)                                                                        \
        p = put_label(p, labels, LABEL_##id, KIND_##kind);
#include "core/labels.def"
#undef LABEL
    return p;
}

/* --- usage ---------------------------------------------------------------------------------- */

#define KEY_BYTES_MAX 32

/* `"name":` with its length: it is copied with all 32 bytes, which is two moves. */
static const struct {
    char text[KEY_BYTES_MAX];
    size_t bytes;
} usage_key[FACT_COUNT] = {
#define FACT(id, kind, store, name, doc) [FACT_##id] = {"\"" name "\":", sizeof(name) + 2},
#include "core/facts.def"
#undef FACT
};

/* Sets as bits: of an event's facts only these are walked through. */
const u128 row_usage_facts = 0
#define FACT(id, kind, store, name, doc) | (STORE_##store == STORE_USAGE ? FACT_BIT(FACT_##id) : 0)
#include "core/facts.def"
#undef FACT
    ;
static const u128 text_facts = 0
#define FACT(id, kind, store, name, doc) | (KIND_##kind == KIND_TEXT ? FACT_BIT(FACT_##id) : 0)
#include "core/facts.def"
#undef FACT
    ;
static const uint64_t text_labels = 0
#define LABEL(id, kind, name, column, doc)                                                         \
    | (uint64_t)(KIND_##kind == KIND_TEXT || KIND_##kind == KIND_JSON) << LABEL_##id
#include "core/labels.def"
#include "core/must.h"
#undef LABEL
    ;

static char *put_count(char *p, int64_t v)
{
    char digits[24], *end = digits + sizeof(digits), *first = end;
    uint64_t left = v < 0 ? -(uint64_t)v : (uint64_t)v;
    if (v < 0)
        *p++ = '-';
    do
        *--first = (char)('0' + left % 10);
    while (left /= 10);
    while (first < end)
        *p++ = *first++;
    return p;
}

static char *put_member(char *p, enum fact fact, const union value *v)
{
    memcpy(p, usage_key[fact].text, KEY_BYTES_MAX);
    p += usage_key[fact].bytes;
    switch (fact_info[fact].kind) {
    case KIND_TEXT:
        return buf_put_json_string(p, v->s);
    case KIND_BOOL:
        memcpy(p, v->i ? "true" : "false", 5);
        return p + (v->i ? 4 : 5);
    case KIND_DECIMAL:
        return p + decimal_format(v->d, p);
    default:
        MUST(fact_info[fact].kind == KIND_COUNT, fact, fact_info[fact].kind);
        return put_count(p, v->i);
    }
}

char *row_put_usage(char *p, const struct facts *facts, const u128 *set, bool jsonb)
{
    char *start = p, *members = p + 4 + jsonb;
    p = members;
    for (unsigned word = 0; word < FACT_WORDS; word++) {
        uint64_t left = facts_of(facts, *set, word);
        for (; left; left &= left - 1) {
            unsigned f = word * 64 + (unsigned)__builtin_ctzll(left);
            *p++ = ',';
            p = put_member(p, (enum fact)f, &facts->v[f]);
        }
    }
    if (p == members)
        return field_null(start);
    start = put_be32(start, (uint32_t)(p - members) + 1 + jsonb);
    if (jsonb)
        *start = 1; /* version of jsonb's binary form */
    *members = '{';
    *p++ = '}';
    return p;
}

/* --- a row, continued ----------------------------------------------------------------------- */

static size_t room_for(const struct event *event, const struct row_items *items)
{
    size_t bytes = (FIXED_COUNT + FACT_COUNT + LABEL_COUNT) * FIELD_BYTES_MAX +
                   strlen(event->mapping) + items->bytes;
    for (unsigned word = 0; word < FACT_WORDS; word++) {
        uint64_t left = facts_of(&event->facts, text_facts, word);
        for (; left; left &= left - 1)
            bytes += BUF_JSON_STRING_MAX(
                event->facts.v[word * 64 + (unsigned)__builtin_ctzll(left)].s.bytes);
    }
    for (uint64_t left = event->labels.present & text_labels; left; left &= left - 1)
        bytes += event->labels.v[__builtin_ctzll(left)].s.bytes;
    const struct tags *tags =
        labels_has(&event->labels, LABEL_TAGS) ? event->labels.v[LABEL_TAGS].t : NULL;
    for (size_t i = 0; tags && i < tags->count; i++)
        bytes += 4 + tags->tag[i].bytes;
    return bytes;
}

static bool time_fits(bool present, int64_t us)
{
    return !present || (us >= TIME_MIN_US && us <= TIME_MAX_US);
}

static bool check(const struct event *event, struct err *err)
{
    const struct facts *facts = &event->facts;
    const struct labels *labels = &event->labels;
    if (!facts_has(facts, FACT_STARTED_AT))
        return err_set(err, ERR_INPUT, "no start time");
    if (!time_fits(true, facts->v[FACT_STARTED_AT].i) ||
        !time_fits(facts_has(facts, FACT_ENDED_AT), facts->v[FACT_ENDED_AT].i) ||
        !time_fits(labels_has(labels, LABEL_FIRST_TOKEN_AT), labels->v[LABEL_FIRST_TOKEN_AT].i))
        return err_set(err, ERR_INPUT, "a time outside the years 1 to 9999");
    return true;
}

char *row_begin(struct buf *rows, const struct event *event, const struct row_items *items,
                struct err *err)
{
    if (!check(event, err))
        return NULL;
    char *first = buf_reserve(rows, room_for(event, items));
    if (!first) {
        rows->failed = false;
        err_set(err, ERR_FATAL, "the row does not fit into the batch");
    }
    return first;
}

void row_end(struct buf *rows, const char *first, const char *end)
{
    size_t bytes = (size_t)(end - first);
    MUST(first == rows->p + rows->bytes && bytes <= rows->capacity - rows->bytes, bytes,
         rows->bytes, rows->capacity);
    rows->bytes += bytes;
}

bool row_encode(struct buf *rows, const struct event *event, const struct charge *charge,
                const struct row_place *place, struct err *err)
{
    struct row_items items;
    row_items_of(charge, &event->facts, &items);
    char *first = row_begin(rows, event, &items, err), *p = first;
    if (!p)
        return false;
    p = put_be16(p, FIELD_COUNT);
    p = put_fixed(p, event, charge, &items, place);
    p = put_facts(p, &event->facts);
    p = put_labels(p, &event->labels);
    p = row_put_usage(p, &event->facts, &row_usage_facts, true);
    row_end(rows, first, p);
    return true;
}

static char *patch(char *row, int64_t batch_id, int32_t price_book_id)
{
    MUST(batch_id > 0 && price_book_id > 0, batch_id, price_book_id);
    return field_int4(field_int8(row + 2, (uint64_t)batch_id), (uint32_t)price_book_id);
}

void row_patch(char *row, int64_t batch_id, int32_t price_book_id)
{
    patch(row, batch_id, price_book_id);
}

void row_patch_lean(char *row, int64_t batch_id, int32_t price_book_id, int64_t call_no,
                    int64_t caller_no)
{
    char *p = patch(row, batch_id, price_book_id);
    field_int8(field_int8(p, (uint64_t)call_no), (uint64_t)caller_no);
}
