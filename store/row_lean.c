/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lean form of a row: facts and labels that many rows say alike go to the dictionaries, the
 * others stand in the row. The text facts with a column are the call's; which labels are the
 * caller's, and which words of usage repeat, is said here.
 */
#include "store/row_fields.h"

#include "core/must.h"
#include "store/row_words.h"

#define NUMBER_BYTES_MAX 40 /* of a number in metadata_text; jsonb takes far longer ones */
#define DEPTH_MAX 64

static bool is_callers(enum label label)
{
    return label == LABEL_API_KEY || label == LABEL_API_KEY_ALIAS || label == LABEL_USER ||
           label == LABEL_TEAM || label == LABEL_TEAM_ALIAS || label == LABEL_ORG ||
           label == LABEL_TAGS;
}

/* Rows are looked up by these: '' when absent, so that the view shows the column itself. */
static bool is_looked_up(enum label label)
{
    return label == LABEL_REQUEST_ID || label == LABEL_SESSION || label == LABEL_END_USER;
}

/* Words of usage that are as many as there are calls. */
#define OF_ONE_CALL                                                                                \
    (FACT_BIT(FACT_BATCH_MODELS) | FACT_BIT(FACT_BATCH_LINE_MODELS) | FACT_BIT(FACT_BATCH_ROWS) |  \
     FACT_BIT(FACT_SESSION_MODELS) | FACT_BIT(FACT_SESSION_LOG) |                                  \
     FACT_BIT(FACT_IMAGE_DIMENSIONS) | FACT_BIT(FACT_IMAGE_TOOL_ITEMS))

static const u128 word_facts = ~OF_ONE_CALL & (0
#define FACT(id, kind, store, name, doc)                                                           \
    | (STORE_##store == STORE_USAGE && (KIND_##kind == KIND_TEXT || KIND_##kind == KIND_BOOL)      \
           ? FACT_BIT(FACT_##id)                                                                   \
           : 0)
#include "core/facts.def"
#undef FACT
                                              );
static const u128 number_facts = OF_ONE_CALL | (0
#define FACT(id, kind, store, name, doc)                                                           \
    | (STORE_##store == STORE_USAGE && KIND_##kind != KIND_TEXT && KIND_##kind != KIND_BOOL        \
           ? FACT_BIT(FACT_##id)                                                                   \
           : 0)
#include "core/facts.def"
#undef FACT
                                               );

/* Of an event, what goes to the dictionary: words, and counts of 0, which gateways send by habit.
 */
static u128 repeated_facts(const struct facts *facts)
{
    u128 set = word_facts;
    for (unsigned word = 0; word < FACT_WORDS; word++)
        for (uint64_t left = facts_of(facts, number_facts, word); left; left &= left - 1) {
            unsigned f = word * 64 + (unsigned)__builtin_ctzll(left);
            if (fact_info[f].kind == KIND_COUNT && facts->v[f].i == 0)
                set |= FACT_BIT(f);
        }
    return set;
}

/* --- columns -------------------------------------------------------------------------------- */

#define FACT_IS_LEAN(kind, store) (STORE_##store == STORE_COLUMN && KIND_##kind != KIND_TEXT)

static const char *const fixed_column[] = {
    "batch_id",       "price_book_id", "call_no",      "caller_no",    "identity",
    "partition_id",   "kafka_offset",  "record_index", "content_hash", "flags",
    "spend",          "input_cost",    "output_cost",  "other_cost",   "items",
    "pricing_status", "pricing_reason"};

#define FIXED_COUNT (sizeof(fixed_column) / sizeof(fixed_column[0]))

void row_columns_lean(struct buf *sql)
{
    for (size_t i = 0; i < FIXED_COUNT; i++)
        buf_printf(sql, "%s, ", fixed_column[i]);
#define FACT(id, kind, store, name, doc)                                                           \
    if (FACT_IS_LEAN(kind, store))                                                                 \
        buf_printf(sql, "%s, ", row_fact_column(FACT_##id));
#include "core/facts.def"
#undef FACT
    for (int l = 0; l < LABEL_COUNT; l++)
        if (label_info[l].column[0] && !is_callers((enum label)l) && l != LABEL_METADATA)
            buf_printf(sql, "%s, ", label_info[l].column);
    buf_add_text(sql, "call_uuid, trace_uuid, metadata_text, usage_text");
}

enum {
    FACT_FIELDS = 0
#define FACT(id, kind, store, name, doc) +FACT_IS_LEAN(kind, store)
#include "core/facts.def"
#undef FACT
    ,
    LABEL_FIELDS = -8 /* the caller's, metadata */
#define LABEL(id, kind, name, column, doc) +(sizeof(column) > 1)
#include "core/labels.def"
#undef LABEL
    ,
    FIELD_COUNT = FIXED_COUNT + FACT_FIELDS + LABEL_FIELDS + 4
};

/* --- what fits ------------------------------------------------------------------------------ */

/* The values of eight hex digits in lower case, as four bytes in their order; false: they are not.
 */
static bool hex8(uint64_t text, uint32_t *bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t letters = text >> 6 & ones, v = (text & ones * 0x0f) + letters * 9;
    bool hex = v + ones * '0' + letters * ('a' - '0' - 10) == text && !(v & ones * 0xf0) &&
               ((v + ones * 6) >> 4 & ones) == letters; /* above 9 is a letter, and no other */
    v = (v << 4 | v >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    v = (v | v >> 8) & UINT64_C(0x0000ffff0000ffff);
    *bytes = (uint32_t)(v | v >> 16);
    return hex;
}

/* Lower-case, as PostgreSQL writes a uuid: it reads back as it was. */
static bool uuid_of(struct slice text, uint8_t uuid[16])
{
    const char *p = text.p;
    uint64_t part[4];
    uint32_t bytes[4];
    if (text.bytes != 36 || p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-')
        return false;
    memcpy(&part[0], p, 8);
    memcpy(&part[1], p + 9, 4);
    memcpy((char *)&part[1] + 4, p + 14, 4);
    memcpy(&part[2], p + 19, 4);
    memcpy((char *)&part[2] + 4, p + 24, 4);
    memcpy(&part[3], p + 28, 8);
    bool hex = true;
    for (int i = 0; i < 4; i++)
        hex &= hex8(part[i], &bytes[i]);
    memcpy(uuid, bytes, sizeof(bytes));
    return hex;
}

/* JSON of which it is certain that jsonb takes it: the text is not looked at before somebody reads
 * the row. The mapper made it, so its structure is right; what jsonb refuses beyond that are
 * escaped zeros and halves of surrogates, numbers out of its range and endless depth. */
static bool json_certain(struct slice json)
{
    bool in_text = false;
    unsigned number = 0, depth = 0;
    for (size_t i = 0; i < json.bytes; i++) {
        char c = json.p[i];
        if (c == '\\') {
            if (++i == json.bytes || json.p[i] == 'u')
                return false;
        } else if (c == '"') {
            in_text = !in_text;
            number = 0;
        } else if (!in_text) {
            bool part = (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+';
            if (c == 'E' || (c == 'e' && number) ||
                (number = part ? number + 1 : 0) > NUMBER_BYTES_MAX)
                return false;
            depth += (c == '{' || c == '[');
            if (depth > DEPTH_MAX)
                return false;
        }
    }
    return !in_text;
}

static struct slice metadata_of(const struct event *event)
{
    return labels_has(&event->labels, LABEL_METADATA) ? event->labels.v[LABEL_METADATA].s
                                                      : (struct slice){0};
}

/* --- words ---------------------------------------------------------------------------------- */

struct content {
    char p[2 * WORDS_BYTES_MAX + FIELD_BYTES_MAX]; /* texts and tags each end at that */
    size_t bytes;
};

#define CALL_TEXT(kind, store) (STORE_##store == STORE_COLUMN && KIND_##kind == KIND_TEXT)

static char *put_word(char *p, const struct facts *facts, enum fact fact)
{
    return facts_has(facts, fact) ? field_text(p, facts->v[fact].s) : field_null(p);
}

/* A member may take six bytes for one of its text. */
static size_t usage_room(const struct facts *facts, const u128 *repeated)
{
    size_t room = 8;
    for (unsigned word = 0; word < FACT_WORDS; word++)
        for (uint64_t left = facts_of(facts, *repeated, word); left; left &= left - 1) {
            unsigned f = word * 64 + (unsigned)__builtin_ctzll(left);
            room += FIELD_BYTES_MAX +
                    (fact_info[f].kind == KIND_TEXT ? BUF_JSON_STRING_MAX(facts->v[f].s.bytes) : 0);
        }
    return room;
}

static bool call_of(struct content *content, const struct event *event, const u128 *repeated)
{
    const struct facts *facts = &event->facts;
    struct slice mapping = slice_of(event->mapping);
    struct slice source = slice_of(row_time_source[event->time_source]);
    size_t room = usage_room(facts, repeated) + 4 + mapping.bytes + 4 + source.bytes;
    char *p = content->p;
#define FACT(id, kind, store, name, doc)                                                           \
    if (CALL_TEXT(kind, store))                                                                    \
        room += 4 + facts_text(facts, FACT_##id).bytes;
#include "core/facts.def"
#undef FACT
    if (room > WORDS_BYTES_MAX)
        return false;
#define FACT(id, kind, store, name, doc)                                                           \
    if (CALL_TEXT(kind, store))                                                                    \
        p = put_word(p, facts, FACT_##id);
#include "core/facts.def"
#undef FACT
    p = field_text(p, mapping);
    p = field_text(p, source);
    p = row_put_usage(p, facts, repeated, false);
    content->bytes = (size_t)(p - content->p);
    MUST(content->bytes <= room, content->bytes, room);
    return true;
}

/* PostgreSQL's literal of an array: {"a","b\"c"}. NULL: it is too long. */
static char *put_tags(char *p, const struct tags *tags)
{
    char *const first = p + 4;
    p = first;
    *p++ = '{';
    for (size_t i = 0; tags && i < tags->count; i++) {
        struct slice tag = tags->tag[i];
        if ((size_t)(p - first) + 2 * tag.bytes + 4 > WORDS_BYTES_MAX)
            return NULL;
        if (i)
            *p++ = ',';
        *p++ = '"';
        for (size_t b = 0; b < tag.bytes; b++) {
            if (tag.p[b] == '"' || tag.p[b] == '\\')
                *p++ = '\\';
            *p++ = tag.p[b];
        }
        *p++ = '"';
    }
    *p++ = '}';
    put_be32(first - 4, (uint32_t)(p - first));
    return p;
}

static bool caller_of(struct content *content, const struct event *event)
{
    static const enum label text[] = {LABEL_API_KEY, LABEL_API_KEY_ALIAS, LABEL_USER,
                                      LABEL_TEAM,    LABEL_TEAM_ALIAS,    LABEL_ORG};
    const struct labels *labels = &event->labels;
    const struct tags *tags = labels_has(labels, LABEL_TAGS) ? labels->v[LABEL_TAGS].t : NULL;
    const size_t texts = sizeof(text) / sizeof(text[0]);
    size_t room = 0;
    char *p = content->p;
    for (size_t i = 0; i < texts; i++)
        room += 4 + labels_text(labels, text[i]).bytes;
    if (room > WORDS_BYTES_MAX)
        return false;
    for (size_t i = 0; i < texts; i++)
        p = field_text(p, labels_text(labels, text[i]));
    p = put_tags(p, tags);
    content->bytes = p ? (size_t)(p - content->p) : 0;
    MUST(content->bytes <= sizeof(content->p), content->bytes);
    return p != NULL;
}

static bool place_of(struct row_words *words, enum words which, const struct content *content,
                     unsigned *place)
{
    return row_words_place(words, which, (struct slice){content->p, content->bytes}, place);
}

bool row_words_take(struct row_words *words, const struct event *event, unsigned place[WORDS_COUNT])
{
    struct content call, caller;
    const u128 repeated = repeated_facts(&event->facts);
    return json_certain(metadata_of(event)) && call_of(&call, event, &repeated) &&
           caller_of(&caller, event) && place_of(words, WORDS_CALL, &call, &place[WORDS_CALL]) &&
           place_of(words, WORDS_CALLER, &caller, &place[WORDS_CALLER]);
}

/* --- a row ---------------------------------------------------------------------------------- */

static char *put_facts(char *p, const struct facts *facts)
{
#define FACT(id, kind, store, name, doc)                                                           \
    if (FACT_IS_LEAN(kind, store))                                                                 \
        p = facts_has(facts, FACT_##id) ? field_value(p, KIND_##kind, &facts->v[FACT_##id])        \
                                        : field_null(p);
#include "core/facts.def"
#undef FACT
    return p;
}

static inline char *put_label(char *p, const struct labels *labels, enum label label,
                              enum field_kind kind)
{
    if (labels_has(labels, label))
        return field_value(p, kind, &labels->v[label]);
    return is_looked_up(label) ? put_be32(p, 0) : field_null(p);
}

static inline bool is_uuid(const struct labels *labels, enum label label, uint8_t uuid[16])
{
    return labels_has(labels, label) && uuid_of(labels->v[label].s, uuid);
}

static char *put_labels(char *p, const struct labels *labels)
{
    uint8_t call[16], trace[16];
    bool call_is = is_uuid(labels, LABEL_CALL_ID, call),
         trace_is = is_uuid(labels, LABEL_TRACE_ID, trace);
#define LABEL(id, kind, name, column, doc)                                                         \
    if (sizeof(column) > 1 && !is_callers(LABEL_##id) && LABEL_##id != LABEL_METADATA)             \
        p = (LABEL_##id == LABEL_CALL_ID && call_is) || (LABEL_##id == LABEL_TRACE_ID && trace_is) \
                ? field_null(p)                                                                    \
                : put_label(p, labels, LABEL_##id, KIND_##kind);
#include "core/labels.def"
#undef LABEL
    p = call_is ? field_bytes(p, call, sizeof(call)) : field_null(p);
    return trace_is ? field_bytes(p, trace, sizeof(trace)) : field_null(p);
}

static char *row_put_lean(char *p, const struct event *event, const struct charge *charge,
                          const struct row_items *items, const struct row_place *place)
{
    const char *reason = reason_info[charge->reason].name;
    struct slice metadata = metadata_of(event);
    p = put_be16(p, FIELD_COUNT);
    p = field_int8(p, 0);
    p = field_int4(p, 0);
    p = field_int8(p, 0);
    p = field_int8(p, 0);
    p = row_put_common(p, event, charge, items, place);
    p = field_word(p, charge_status_name[charge->status]);
    p = reason && reason[0] ? field_word(p, reason) : field_null(p);
    p = put_facts(p, &event->facts);
    p = put_labels(p, &event->labels);
    p = metadata.bytes ? field_text(p, metadata) : field_null(p);
    const u128 own = number_facts & ~repeated_facts(&event->facts);
    return row_put_usage(p, &event->facts, &own, false);
}

bool row_encode_lean(struct buf *rows, const struct event *event, const struct charge *charge,
                     const struct row_place *place, struct err *err)
{
    struct row_items items;
    row_items_of(charge, &event->facts, &items);
    char *first = row_begin(rows, event, &items, err);
    if (!first)
        return false;
    row_end(rows, first, row_put_lean(first, event, charge, &items, place));
    return true;
}
