/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing, at most half full; contents are compared. */
#include "store/row_words.h"

#include "core/big_endian.h"
#include "core/hash.h"
#include "core/must.h"
#include "store/row_digest.h"

#include <stdlib.h>

#define SEEN_SLOTS (1u << 15)
#define BUDGET_FULL (16384u * BUDGET_PRICE) /* new contents at once, as after a start */
#define BUDGET_PRICE 64                     /* rows that earn one more */

const struct words_info words_info[WORDS_COUNT] = {
    [WORDS_CALL] = {"shared_calls",
                    "call_no",
                    'c',
                    11,
                    {"provider", "model", "model_requested", "model_group", "model_id", "call_type",
                     "status", "service_tier", "mapping", "time_source", "usage_text"},
                    {"text", "text", "text", "text", "text", "text", "text", "text", "text", "text",
                     "text"}},
    [WORDS_CALLER] = {"shared_callers",
                      "caller_no",
                      'k',
                      7,
                      {"api_key", "api_key_alias", "user_id", "team_id", "team_alias",
                       "organization_id", "request_tags"},
                      {"text", "text", "text", "text", "text", "text", "text[]"}},
};

const char row_words_joins[] = " LEFT JOIN spendlog.shared_calls c ON c.call_no = s.call_no"
                               " LEFT JOIN spendlog.shared_callers k ON k.caller_no = s.caller_no";

uint64_t words_number_mask = UINT64_MAX;

/* --- life ----------------------------------------------------------------------------------- */

void row_words_init(struct row_words *words)
{
    buf_init(&words->content, WORDS_BATCH_BYTES_MAX);
    for (int t = 0; t < WORDS_COUNT; t++) {
        struct words_table *table = &words->table[t];
        *table = (struct words_table){.slots = 1024, .budget = BUDGET_FULL};
        table->slot = calloc(table->slots, sizeof(*table->slot));
        table->seen = calloc(SEEN_SLOTS, sizeof(*table->seen));
        if (!table->slot || !table->seen)
            abort();
    }
}

void row_words_reset(struct row_words *words)
{
    buf_reset(&words->content);
    for (int t = 0; t < WORDS_COUNT; t++) {
        struct words_table *table = &words->table[t];
        if (table->count)
            memset(table->slot, 0, table->slots * sizeof(*table->slot));
        table->count = 0;
    }
}

void row_words_free(struct row_words *words)
{
    buf_free(&words->content);
    for (int t = 0; t < WORDS_COUNT; t++) {
        free(words->table[t].entry);
        free(words->table[t].slot);
        free(words->table[t].seen);
    }
}

/* --- contents ------------------------------------------------------------------------------- */

bool words_text(struct slice content, unsigned n, struct slice *text)
{
    const char *p = content.p;
    MUST(n < WORDS_COLUMNS_MAX, n);
    for (; n > 0; n--)
        p += 4 + (get_be32(p) == UINT32_MAX ? 0 : get_be32(p));
    bool there = get_be32(p) != UINT32_MAX;
    MUST(p + 4 <= content.p + content.bytes, p - content.p, content.bytes);
    *text = (struct slice){p + 4, there ? get_be32(p) : 0};
    return there;
}

struct slice row_words_content(const struct row_words *words, const struct words_entry *entry)
{
    MUST(entry->offset + entry->bytes <= words->content.bytes, entry->offset, entry->bytes,
         words->content.bytes);
    return (struct slice){words->content.p + entry->offset, entry->bytes};
}

static int64_t number_of(enum words which, struct slice content)
{
    char joined[WORDS_BYTES_MAX], *p = joined;
    for (unsigned n = 0; n < words_info[which].column_count; n++) {
        struct slice text;
        words_text(content, n, &text);
        MUST((size_t)(p - joined) + text.bytes < sizeof(joined), p - joined, text.bytes);
        if (n)
            *p++ = '\n';
        memcpy(p, text.p, text.bytes);
        p += text.bytes;
    }
    struct slice all = {joined, (size_t)(p - joined)};
    return (int64_t)(pg_hash(all, 0) & words_number_mask);
}

/* Which columns are in the digest of a row. */
static uint64_t digest_of(enum words which, struct slice content)
{
    static const struct {
        enum words which;
        unsigned column;
        uint64_t seed;
    } part[] = {{WORDS_CALL, 1, DIGEST_MODEL},
                {WORDS_CALLER, 0, DIGEST_API_KEY},
                {WORDS_CALLER, 2, DIGEST_USER},
                {WORDS_CALLER, 3, DIGEST_TEAM},
                {WORDS_CALLER, 5, DIGEST_ORG}};
    uint64_t digest = 0;
    for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
        struct slice text;
        if (part[i].which != which)
            continue;
        MUST(part[i].column < words_info[which].column_count, which, part[i].column);
        words_text(content, part[i].column, &text);
        digest ^= pg_hash(text, part[i].seed);
    }
    return digest;
}

uint64_t row_words_digest(const struct row_words *words, const unsigned place[WORDS_COUNT])
{
    uint64_t digest = 0;
    for (int t = 0; t < WORDS_COUNT; t++) {
        MUST(place[t] < words->table[t].count, t, place[t], words->table[t].count);
        digest ^= words->table[t].entry[place[t]].digest;
    }
    return digest;
}

/* --- the table ------------------------------------------------------------------------------ */

static uint64_t slot_hash(const uint8_t hash[16])
{
    uint64_t v;
    memcpy(&v, hash, sizeof(v));
    return v;
}

static uint32_t *probe(const struct row_words *words, const struct words_table *table,
                       const uint8_t hash[16], struct slice content)
{
    MUST(table->count < table->slots, table->count, table->slots); /* a free one ends the search */
    for (size_t i = slot_hash(hash);; i++) {
        uint32_t *slot = &table->slot[i % table->slots];
        if (*slot == 0)
            return slot;
        const struct words_entry *entry = &table->entry[*slot - 1];
        if (memcmp(entry->hash, hash, 16) == 0 && entry->bytes == content.bytes &&
            memcmp(words->content.p + entry->offset, content.p, content.bytes) == 0)
            return slot;
    }
}

static bool grow(struct words_table *table)
{
    MUST(table->count <= table->capacity, table->count, table->capacity);
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 512;
        void *larger = realloc(table->entry, capacity * sizeof(*table->entry));
        if (!larger)
            return false;
        table->entry = larger;
        table->capacity = capacity;
    }
    if (table->count * 2 < table->slots)
        return true;
    uint32_t *slot = calloc(table->slots * 2, sizeof(*slot));
    if (!slot)
        return false;
    free(table->slot);
    table->slot = slot;
    table->slots *= 2;
    for (size_t e = 0; e < table->count; e++) {
        size_t i = slot_hash(table->entry[e].hash);
        while (slot[i % table->slots])
            i++;
        slot[i % table->slots] = (uint32_t)e + 1;
    }
    return true;
}

/* Whether a content that this batch does not have yet may be added. */
static bool admit(struct words_table *table, const uint8_t hash[16])
{
    uint64_t *seen = &table->seen[slot_hash(hash) % SEEN_SLOTS], tag;
    memcpy(&tag, hash + 8, sizeof(tag));
    MUST(table->budget <= BUDGET_FULL, table->budget);
    if (*seen == tag)
        return true;
    if (table->budget < BUDGET_PRICE)
        return false;
    table->budget -= BUDGET_PRICE;
    *seen = tag;
    return true;
}

static bool add(struct row_words *words, enum words which, const uint8_t hash[16],
                struct slice content)
{
    struct words_table *table = &words->table[which];
    size_t offset = words->content.bytes;
    if (!admit(table, hash) || !grow(table))
        return false;
    buf_add(&words->content, content);
    if (!buf_ok(&words->content)) {
        words->content.failed = false;
        return false;
    }
    struct words_entry *entry = &table->entry[table->count];
    *entry = (struct words_entry){.number = number_of(which, content),
                                  .digest = digest_of(which, content),
                                  .offset = offset,
                                  .bytes = content.bytes};
    memcpy(entry->hash, hash, 16);
    return true;
}

bool row_words_place(struct row_words *words, enum words which, struct slice content,
                     unsigned *place)
{
    struct words_table *table = &words->table[which];
    XXH128_canonical_t hash;
    if (content.bytes > WORDS_BYTES_MAX)
        return false;
    table->budget += table->budget < BUDGET_FULL;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(content.p, content.bytes));
    uint32_t *slot = probe(words, table, hash.digest, content);
    if (*slot == 0) {
        if (!add(words, which, hash.digest, content))
            return false;
        slot = probe(words, table, hash.digest, content); /* it may have grown */
        MUST(*slot == 0, *slot, table->count);
        *slot = (uint32_t)++table->count;
    }
    *place = *slot - 1;
    MUST(*place < table->count, *place, table->count);
    return true;
}

/* --- columns -------------------------------------------------------------------------------- */

static const struct {
    const char *column, *shown;
} shown[] = {
    {"pricing_reason", "coalesce(s.pricing_reason, '')"},
    {"call_id", "coalesce(s.call_uuid::text, s.call_id, '')"},
    {"trace_id", "coalesce(s.trace_uuid::text, s.trace_id, '')"},
    {"span_id", "coalesce(s.span_id, '')"},
    {"parent_id", "coalesce(s.parent_id, '')"},
    {"requester_ip", "coalesce(s.requester_ip, '')"},
    {"error_class", "coalesce(s.error_class, '')"},
};

void row_column_show(struct buf *sql, const char *column)
{
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        if (strcmp(shown[i].column, column) == 0) {
            buf_add_text(sql, shown[i].shown);
            return;
        }
    for (int t = 0; t < WORDS_COUNT; t++)
        for (unsigned n = 0; n < words_info[t].column_count; n++)
            if (strcmp(words_info[t].column[n], column) == 0) {
                buf_printf(sql, "coalesce(s.%s, %c.%s)", column, words_info[t].alias, column);
                return;
            }
    buf_printf(sql, "s.%s", column);
}
