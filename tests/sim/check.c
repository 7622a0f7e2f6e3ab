/* SPDX-License-Identifier: Apache-2.0 */
/* The checker. Loops over the tables; nothing of the product is asked. */
#include "tests/sim/check.h"

#include "tests/sim/broker.h"
#include "tests/sim/db.h"
#include "tests/sim/member.h"

#include <stdio.h>
#include <string.h>

static bool is_there(const struct row *row)
{
    return row_is_seen(row, NULL);
}

static struct row *offsets_by_id(int64_t id)
{
    for (struct row *r = db_bucket(TABLE_OFFSETS, db_hash_int(0, id)); r; r = r->chain)
        if (r->table == TABLE_OFFSETS && r->v.offsets.id == id && is_there(r))
            return r;
    return NULL;
}

static struct row *offsets_by_partition(int32_t partition)
{
    for (struct row *r = db.first[TABLE_OFFSETS]; r; r = r->next)
        if (is_there(r) && !r->v.offsets.replaced && r->v.offsets.partition == partition)
            return r;
    return NULL;
}

/* --- how far ------------------------------------------------------------------------------- */

static bool in_a_gap(int64_t id, int64_t offset)
{
    for (struct row *r = db.first[TABLE_GAPS]; r; r = r->next)
        if (is_there(r) && r->v.gap.from_id == id && r->v.gap.to_id == id &&
            offset >= r->v.gap.stored && offset < r->v.gap.resumed)
            return true;
    return false;
}

/* Whether the offset row says that the record was dealt with. */
static bool is_dealt_with(const struct row *of, int64_t offset, unsigned index)
{
    return of && offset >= of->v.offsets.first &&
           (offset < of->v.offsets.next ||
            (offset == of->v.offsets.next && (int32_t)index < of->v.offsets.next_index)) &&
           !in_a_gap(of->v.offsets.id, offset);
}

static const struct sent *message_at(int32_t partition, int64_t offset)
{
    const struct log *log = &broker_log[partition];
    return offset < 0 || offset >= log->high ? NULL : log->at[offset];
}

struct books { /* of a partition */
    int64_t messages, events, rejected, skipped;
};

static struct books books_of(const struct row *of)
{
    struct books b = {0};
    const struct log *log = &broker_log[of->v.offsets.partition];
    for (int64_t offset = of->v.offsets.first; offset < log->high && offset <= of->v.offsets.next;
         offset++) {
        const struct sent *m = log->at[offset];
        unsigned dealt = 0;
        for (unsigned i = 0; m && i < m->count; i++) {
            if (!is_dealt_with(of, offset, i))
                break;
            dealt++;
            b.events += m->record[i].want == WANT_ROW;
            b.rejected += m->record[i].want == WANT_REJECTED || m->record[i].want == WANT_REFUSED;
            b.skipped += m->record[i].want == WANT_SKIPPED;
        }
        b.messages += m && dealt == m->count;
    }
    return b;
}

/* A message of which a part was stored when a gap began: the gap does not say which. */
static bool has_gap(int64_t id)
{
    for (struct row *r = db.first[TABLE_GAPS]; r; r = r->next)
        if (is_there(r) && r->v.gap.from_id == id)
            return true;
    return false;
}

/* What the tables hold of each partition. */
#define IDS_MAX 64
struct held {
    int64_t id, rows, rejected, resolved, conflicts;
};
static struct held held[IDS_MAX];
static size_t held_count;

static struct held *held_of(int64_t id)
{
    for (size_t i = 0; i < held_count; i++)
        if (held[i].id == id)
            return &held[i];
    if (held_count == IDS_MAX)
        held_count--; /* is not to be: a comparison will say so */
    held[held_count] = (struct held){.id = id};
    return &held[held_count++];
}

static void held_count_all(void)
{
    held_count = 0;
    for (struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (is_there(r))
            held_of(r->v.row.partition_id)->rows++;
    for (struct row *r = db.first[TABLE_DROPPED]; r; r = r->next)
        if (is_there(r))
            held_of(r->v.row.partition_id)->rows++;
    for (struct row *r = db.first[TABLE_REJECTED]; r; r = r->next)
        if (is_there(r) && r->v.rejected.resolved)
            held_of(r->v.rejected.partition_id)->resolved++;
        else if (is_there(r))
            held_of(r->v.rejected.partition_id)->rejected++;
    for (struct row *r = db.first[TABLE_CONFLICTS]; r; r = r->next)
        if (is_there(r))
            held_of(r->v.conflict.partition_id)->conflicts++;
}

static void equal(const struct row *of, const char *what, int64_t is, int64_t must)
{
    if (is != must)
        sim_fail("partition %d: %s: %lld, not %lld", (int)of->v.offsets.partition, what,
                 (long long)is, (long long)must);
}

/* Where mappings change a message of which a part is stored is read again whole: what is stored of
 * it comes as duplicates, what it skipped is skipped again. */
static void counts_equal(const struct row *of, const struct held *there, const struct books *b)
{
    int64_t events = of->v.offsets.rows + of->v.offsets.duplicates,
            rejected = of->v.offsets.rejected + there->resolved,
            skipped = of->v.offsets.skipped - there->resolved;
    bool again = sim.dials.remap > 0 && of->v.offsets.next_index > 0;
    if (!again || rejected < b->rejected) /* it may be back before a rejected record */
        equal(of, "rejected", rejected, b->rejected);
    if (sim.dials.remap > 0 && events >= b->events && skipped >= b->skipped)
        return;
    equal(of, "rows and duplicates", events, b->events);
    equal(of, "skipped", skipped, b->skipped);
}

static void check_partition(const struct row *of)
{
    const struct books b = books_of(of);
    const struct held *there = held_of(of->v.offsets.id);
    equal(of, "rows by the offset row, and in the table", of->v.offsets.rows, there->rows);
    equal(of, "rejected by the offset row, and in the table", of->v.offsets.rejected,
          there->rejected);
    equal(of, "conflicts by the offset row, and in the table", of->v.offsets.conflicts,
          there->conflicts);
    if (of->v.offsets.next > broker_log[of->v.offsets.partition].high)
        sim_fail("partition %d: read beyond its end", (int)of->v.offsets.partition);
    if (has_gap(of->v.offsets.id))
        return;
    equal(of, "messages", of->v.offsets.messages, b.messages);
    counts_equal(of, there, &b);
}

/* --- rows ----------------------------------------------------------------------------------- */

static const struct sent_record *record_at(int64_t partition_id, int64_t offset, int32_t index,
                                           const struct sent **message)
{
    const struct row *of = offsets_by_id(partition_id);
    *message = of ? message_at(of->v.offsets.partition, offset) : NULL;
    return *message && index >= 0 && (unsigned)index < (*message)->count
               ? &(*message)->record[index]
               : NULL;
}

static bool is_word(struct text text, const char *word)
{
    return text.bytes == strlen(word) && memcmp(text.p, word, text.bytes) == 0;
}

static const struct row *words_of(enum table table, int64_t number)
{
    for (struct row *r = db_bucket(table, db_hash_int(4, number)); r; r = r->chain)
        if (r->table == table && r->v.words.number == number && is_there(r))
            return r;
    return NULL;
}

static void check_words(const struct row *r, const struct sent_record *record)
{
    char team[16];
    snprintf(team, sizeof(team), "t%u", record->team);
    struct text model_is = r->v.row.model, team_is = r->v.row.team;
    if (r->v.row.lean) {
        const struct row *call = words_of(TABLE_CALLS, r->v.row.call),
                         *caller = words_of(TABLE_CALLERS, r->v.row.caller);
        if (!call || !caller) {
            sim_fail("row %lld/%d: its words are not in the dictionary", (long long)r->v.row.offset,
                     (int)r->v.row.index);
            return;
        }
        model_is = call->v.words.model;
        team_is = caller->v.words.team;
    }
    if (!is_word(model_is, "gpt-a") || !is_word(team_is, team))
        sim_fail("row %lld/%d: team %.*s, not %s", (long long)r->v.row.offset, (int)r->v.row.index,
                 (int)team_is.bytes, team_is.p, team);
}

static int64_t start_of(const struct sent_record *record, const struct sent *message)
{
    return (record->key->start_us >= 0 ? record->key->start_us : message->time_ms * 1000) -
           INT64_C(946684800000000);
}

static void check_price(const struct row *r, const struct sent_record *record)
{
    for (struct row *b = db.first[TABLE_BOOKS]; b; b = b->next) {
        if (!is_there(b) || b->v.book.id != r->v.row.book)
            continue;
        for (unsigned n = 0; n < books_count(); n++)
            if (is_word(b->v.book.hash, book_hash(n)) && r->v.row.has_spend &&
                r->v.row.spend == record->tokens * book_price(n))
                return;
        sim_fail("row %lld/%d: another price than that of its book", (long long)r->v.row.offset,
                 (int)r->v.row.index);
        return;
    }
    sim_fail("row %lld/%d: its price book is not there", (long long)r->v.row.offset,
             (int)r->v.row.index);
}

static void check_row(const struct row *r)
{
    const struct sent *message;
    const struct sent_record *record =
        record_at(r->v.row.partition_id, r->v.row.offset, r->v.row.index, &message);
    if (!record || record->want != WANT_ROW) {
        sim_fail("row %lld/%d: no event was produced there", (long long)r->v.row.offset,
                 (int)r->v.row.index);
        return;
    }
    if (!is_word(r->v.row.request_id, record->key->id) ||
        r->v.row.start != start_of(record, message) || r->v.row.input_tokens != record->tokens)
        sim_fail("row %lld/%d: \"%.*s\" is not what was produced there", (long long)r->v.row.offset,
                 (int)r->v.row.index, (int)r->v.row.request_id.bytes, r->v.row.request_id.p);
    check_words(r, record);
    check_price(r, record);
}

/* --- sums ----------------------------------------------------------------------------------- */

static void check_sums(void)
{
    __int128 spend = 0, summed = 0;
    int64_t rows = 0, calls = 0;
    for (struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (is_there(r)) {
            rows++;
            spend += r->v.row.spend;
        }
    for (struct row *r = db.first[TABLE_DROPPED]; r; r = r->next) /* sums outlive them */
        if (is_there(r)) {
            rows++;
            spend += r->v.row.spend;
        }
    for (struct row *r = db.first[TABLE_DELTAS]; r; r = r->next)
        if (is_there(r)) {
            calls += r->v.delta.calls;
            summed += r->v.delta.spend;
        }
    if (rows != calls || spend != summed)
        sim_fail("the sums say %lld calls, there are %lld rows%s", (long long)calls,
                 (long long)rows, spend != summed ? ", and other money" : "");
}

void check_commit(void)
{
    held_count_all();
    for (struct row *r = db.first[TABLE_OFFSETS]; r; r = r->next)
        if (is_there(r))
            check_partition(r);
    for (struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (r->made == db.last && is_there(r))
            check_row(r);
    check_sums();
}

/* --- the end -------------------------------------------------------------------------------- */

bool check_read_out(void)
{
    for (unsigned p = 0; p < sim.dials.partitions; p++) {
        const struct row *of = offsets_by_partition((int32_t)p);
        const struct log *log = &broker_log[p];
        int64_t last = log->high;
        while (last > log->low && !log->at[last - 1])
            last--;
        if (!of || of->v.offsets.next < last)
            return false;
    }
    return true;
}

/* Each key gets its row; a second one of the same event is one too many: its identity is guarded,
 * whatever time it came with. */
static void rows_to_keys(void)
{
    for (struct key *key = load_keys; key; key = key->next) {
        key->stored = NULL;
        key->dropped = false;
    }
    for (struct row *r = db.first[TABLE_DROPPED]; r; r = r->next) {
        const struct sent *message;
        const struct sent_record *record =
            is_there(r)
                ? record_at(r->v.row.partition_id, r->v.row.offset, r->v.row.index, &message)
                : NULL;
        if (record && record->key)
            record->key->dropped = true;
    }
    for (struct row *r = db.first[TABLE_ROWS]; r; r = r->next) {
        const struct sent *message;
        if (!is_there(r))
            continue;
        const struct sent_record *record =
            record_at(r->v.row.partition_id, r->v.row.offset, r->v.row.index, &message);
        if (!record || !record->key)
            continue;
        if (record->key->stored)
            sim_fail("\"%s\" is stored twice: at %lld/%d too", record->key->id,
                     (long long)r->v.row.offset, (int)r->v.row.index);
        record->key->stored = r;
        check_row(r);
    }
}

static bool conflict_is_noted(int64_t id, int64_t offset, unsigned index)
{
    for (struct row *r = db.first[TABLE_CONFLICTS]; r; r = r->next)
        if (is_there(r) && r->v.conflict.partition_id == id && r->v.conflict.offset == offset &&
            r->v.conflict.index == (int32_t)index)
            return true;
    return false;
}

static bool rejection_is_noted(int64_t id, int64_t offset, unsigned index)
{
    for (struct row *r = db.first[TABLE_REJECTED]; r; r = r->next)
        if (is_there(r) && r->v.rejected.partition_id == id && r->v.rejected.offset == offset &&
            r->v.rejected.index == (int32_t)index)
            return true;
    return false;
}

static void check_event(const struct row *of, const struct sent *m, unsigned index)
{
    const struct sent_record *record = &m->record[index], *stored;
    const struct row *row = record->key->stored;
    const struct sent *where;
    if (record->key->dropped) /* what came again since may be stored anew */
        return;
    if (!row) {
        sim_fail("%d/%lld/%u: \"%s\" is not stored", (int)m->partition, (long long)m->offset, index,
                 record->key->id);
        return;
    }
    stored = record_at(row->v.row.partition_id, row->v.row.offset, row->v.row.index, &where);
    bool differs = stored->tokens != record->tokens || stored->team != record->team;
    if (differs != conflict_is_noted(of->v.offsets.id, m->offset, index))
        sim_fail("%d/%lld/%u: \"%s\": a conflict is %s", (int)m->partition, (long long)m->offset,
                 index, record->key->id, differs ? "not noted" : "noted, and is none");
}

static void check_message(const struct sent *m)
{
    const struct row *of = offsets_by_partition(m->partition);
    for (unsigned i = 0; i < m->count; i++) {
        enum want want = m->record[i].want;
        if (!is_dealt_with(of, m->offset, i)) {
            if (!m->trimmed)
                sim_fail("%d/%lld/%u was never read", (int)m->partition, (long long)m->offset, i);
            continue;
        }
        if (want == WANT_ROW)
            check_event(of, m, i);
        if ((want == WANT_REJECTED || want == WANT_REFUSED) !=
            rejection_is_noted(of->v.offsets.id, m->offset, i))
            sim_fail("%d/%lld/%u: that it is rejected is not as noted", (int)m->partition,
                     (long long)m->offset, i);
    }
}

void check_end(void)
{
    check_commit();
    rows_to_keys();
    for (unsigned p = 0; p < sim.dials.partitions; p++)
        for (int64_t offset = 0; offset < broker_log[p].high; offset++)
            if (broker_log[p].at[offset])
                check_message(broker_log[p].at[offset]);
}
