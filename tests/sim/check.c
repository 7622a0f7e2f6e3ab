/* SPDX-License-Identifier: Apache-2.0 */
/* The checker. Loops over the tables; nothing of the product is asked. */
#include "tests/sim/check.h"

#include "tests/sim/broker.h"
#include "tests/sim/db.h"
#include "tests/sim/member.h"

#include <stdio.h>
#include <string.h>

#define NOTICED_MS 20000 /* of quiet: whatever is to be noticed of another topic is */

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

bool check_first_in_part(void)
{
    for (const struct row *r = db.first[TABLE_OFFSETS]; r; r = r->next)
        if (is_there(r) && !r->v.offsets.replaced && r->v.offsets.next == r->v.offsets.first &&
            r->v.offsets.next_index > 0)
            return true;
    return false;
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

/* How many records of a message were dealt with, as the offset row says. */
static unsigned dealt_with(const struct row *of, const struct sent *m)
{
    if (!of || m->offset < of->v.offsets.first || m->offset > of->v.offsets.next ||
        in_a_gap(of->v.offsets.id, m->offset))
        return 0;
    bool whole = m->offset < of->v.offsets.next || of->v.offsets.next_index > (int64_t)m->count;
    return whole ? m->count : (unsigned)of->v.offsets.next_index;
}

static const struct sent *message_at(const struct log *log, int64_t offset)
{
    return offset < 0 || offset >= log->high ? NULL : log->at[offset];
}

static void books_add(struct books *b, const struct sent_record *record, int64_t n)
{
    b->events += n * (record->want == WANT_ROW);
    b->rejected += n * (record->want == WANT_REJECTED || record->want == WANT_REFUSED);
    b->skipped += n * (record->want == WANT_SKIPPED);
}

/* What lies before an offset of a log: added up once, as it grows. */
static const struct books *books_before(struct log *log, int64_t offset)
{
    if (log->booked_capacity <= log->high) {
        struct books *larger = sim_alloc((size_t)(2 * log->high + 64) * sizeof(*larger));
        if (log->booked)
            memcpy(larger, log->before, (size_t)(log->booked + 1) * sizeof(*larger));
        log->before = larger;
        log->booked_capacity = 2 * log->high + 64;
    }
    for (; log->booked < offset; log->booked++) {
        const struct sent *m = log->at[log->booked];
        struct books *b = &log->before[log->booked + 1];
        *b = log->before[log->booked];
        b->messages += m != NULL;
        b->skipped += m ? m->others : 0;
        for (unsigned i = m ? m->others : 0; m && i < m->count; i++)
            books_add(b, &m->record[i], 1);
    }
    return &log->before[offset];
}

/* Of a partition without a gap: its records from first to next. */
static struct books books_of(struct log *log, const struct row *of)
{
    int64_t first = of->v.offsets.first, next = of->v.offsets.next;
    const struct sent *m = message_at(log, next);
    struct books b = *books_before(log, next);
    const struct books *begin = books_before(log, first < next ? first : next);
    b.messages -= begin->messages;
    b.events -= begin->events;
    b.rejected -= begin->rejected;
    b.skipped -= begin->skipped;
    for (int32_t i = 0; m && i < of->v.offsets.next_index && (unsigned)i < m->count; i++)
        books_add(&b, &m->record[i], 1);
    b.messages += m && of->v.offsets.next_index >= (int64_t)m->count;
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

/* --- what the tables hold ------------------------------------------------------------------- */

/* Of each partition, and in all: added up from the journals of what is committed, or taken back
 * with it; and in the end anew, from the tables. */
#define IDS_MAX 64
struct held {
    int64_t id, rows, rejected, conflicts;
    int64_t resolved[RESOLUTIONS];
    int64_t versions; /* of its offset row */
    struct log *log;  /* as it was when the row was made */
};
static struct {
    struct held held[IDS_MAX];
    size_t count;
    int64_t rows, calls;
    __int128 spend, summed, posted;
    const struct tx *unread; /* the last one when not all was read out; NULL: it was */
    bool noticed;            /* then: whether another topic was to have been */
} all;

void check_reset(void)
{
    memset(&all, 0, sizeof(all));
}

static struct held *held_of(int64_t id)
{
    for (size_t i = 0; i < all.count; i++)
        if (all.held[i].id == id)
            return &all.held[i];
    if (all.count == IDS_MAX)
        all.count--; /* is not to be: a comparison will say so */
    all.held[all.count] = (struct held){.id = id};
    return &all.held[all.count++];
}

static void offsets_count(const struct row *r, int n)
{
    struct held *held = held_of(r->v.offsets.id);
    if (held->versions == 0)
        held->log = broker_log[r->v.offsets.partition];
    held->versions += n;
}

static void row_count(const struct row *r, int n)
{
    switch (r->table) {
    case TABLE_OFFSETS:
        offsets_count(r, n);
        break;
    case TABLE_ROWS:
    case TABLE_DROPPED: /* sums outlive them */
        held_of(r->v.row.partition_id)->rows += n;
        all.rows += n;
        all.spend += n * r->v.row.spend;
        break;
    case TABLE_REJECTED:
        if (r->v.rejected.resolved)
            held_of(r->v.rejected.partition_id)->resolved[r->v.rejected.resolution] += n;
        else
            held_of(r->v.rejected.partition_id)->rejected += n;
        break;
    case TABLE_CONFLICTS:
        held_of(r->v.conflict.partition_id)->conflicts += n;
        break;
    case TABLE_ADJUSTMENTS:
        if (!r->v.adjustment.audit)
            all.posted += n * (r->v.adjustment.spend - r->v.adjustment.old_spend);
        break;
    case TABLE_DELTAS:
        all.calls += n * r->v.delta.calls;
        all.summed += n * r->v.delta.spend;
        break;
    default:
        break;
    }
}

void check_journal(const struct tx *tx, bool back)
{
    for (size_t n = 0; n < tx->count; n++) { /* back: from its end, so that a version is there */
        const struct journal *of = &tx->journal[back ? tx->count - 1 - n : n];
        row_count(of->row, of->made == back ? -1 : 1);
    }
}

/* What row_count() counts, but for offsets, which count themselves. */
static const enum table counted[] = {TABLE_ROWS,      TABLE_DROPPED,     TABLE_REJECTED,
                                     TABLE_CONFLICTS, TABLE_ADJUSTMENTS, TABLE_DELTAS};

/* From the tables: the same comes out. */
static void count_anew(void)
{
    int64_t rows = all.rows, calls = all.calls;
    __int128 spend = all.spend, summed = all.summed, posted = all.posted;
    all.rows = all.calls = 0;
    all.spend = all.summed = all.posted = 0;
    for (size_t i = 0; i < all.count; i++)
        all.held[i] = (struct held){.id = all.held[i].id, .log = all.held[i].log, .versions = 1};
    for (size_t t = 0; t < sizeof(counted) / sizeof(counted[0]); t++)
        for (const struct row *r = db.first[counted[t]]; r; r = r->next)
            if (is_there(r))
                row_count(r, 1);
    if (rows != all.rows || calls != all.calls || spend != all.spend || summed != all.summed ||
        posted != all.posted)
        sim_fail("the checker has lost count");
}

static void equal(const struct row *of, const char *what, int64_t is, int64_t must)
{
    if (is != must)
        sim_fail("partition %d: %s: %lld, not %lld", (int)of->v.offsets.partition, what,
                 (long long)is, (long long)must);
}

/* Of what compaction took, some were read before. */
static void within(const struct row *of, const char *what, int64_t is, int64_t most, int64_t gone)
{
    if (is < most - gone || is > most)
        equal(of, what, is, most);
}

/* Where mappings change a message of which a part is stored is read again whole: what is stored of
 * it comes as duplicates, what it skipped is skipped again. */
static void counts_equal(const struct row *of, const struct held *there, const struct books *b,
                         const struct books *gone)
{
    const int64_t *as = there->resolved;
    int64_t events = of->v.offsets.rows + of->v.offsets.duplicates - as[RESOLVED_ROW] -
                     as[RESOLVED_DUPLICATE],
            rejected = of->v.offsets.rejected + as[RESOLVED_ROW] + as[RESOLVED_DUPLICATE] +
                       as[RESOLVED_SKIPPED],
            skipped = of->v.offsets.skipped - as[RESOLVED_SKIPPED];
    bool again = sim.dials.remap > 0 && of->v.offsets.next_index > 0;
    if (!again || rejected < b->rejected) /* it may be back before a rejected record */
        within(of, "rejected", rejected, b->rejected, gone->rejected);
    if (sim.dials.remap > 0 && events >= b->events - gone->events &&
        skipped >= b->skipped - gone->skipped)
        return;
    within(of, "rows and duplicates", events, b->events, gone->events);
    within(of, "skipped", skipped, b->skipped, gone->skipped);
}

static void check_partition(const struct row *of)
{
    const struct held *there = held_of(of->v.offsets.id);
    struct log *log = there->log;
    equal(of, "rows by the offset row, and in the table", of->v.offsets.rows, there->rows);
    equal(of, "rejected by the offset row, and in the table", of->v.offsets.rejected,
          there->rejected);
    equal(of, "conflicts by the offset row, and in the table", of->v.offsets.conflicts,
          there->conflicts);
    /* Of a topic that was made again meanwhile: which one it read, only its rows say. */
    if (log != broker_log[of->v.offsets.partition])
        return;
    if (of->v.offsets.next > log->high) {
        if (of->v.offsets.messages == 0) /* none of its rows says that it was the log before */
            return;
        sim_fail("partition %d: read beyond its end", (int)of->v.offsets.partition);
        return;
    }
    if (has_gap(of->v.offsets.id))
        return;
    const struct books b = books_of(log, of);
    within(of, "messages", of->v.offsets.messages, b.messages, log->gone.messages);
    counts_equal(of, there, &b, &log->gone);
}

/* --- rows ----------------------------------------------------------------------------------- */

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

/* {x,x} */
static unsigned tags_in(struct text array)
{
    unsigned count = array.bytes > 2;
    for (size_t i = 0; i < array.bytes; i++)
        count += array.p[i] == ',';
    return count;
}

static void check_words(const struct row *r, const struct sent_record *record)
{
    const char *team = load_team(record->team);
    struct text model_is = r->v.row.model, team_is = r->v.row.team;
    unsigned tags_are = (unsigned)r->v.row.tags;
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
        tags_are = tags_in(caller->v.words.tags);
    }
    if (tags_are != load_tags(record->tags))
        sim_fail("row %lld/%d: %u tags, not %u", (long long)r->v.row.offset, (int)r->v.row.index,
                 tags_are, load_tags(record->tags));
    if (!is_word(model_is, "gpt-a") || !is_word(team_is, team))
        sim_fail("row %lld/%d: team %.*s (%zu bytes), not %.20s", (long long)r->v.row.offset,
                 (int)r->v.row.index, (int)(team_is.bytes > 20 ? 20 : team_is.bytes), team_is.p,
                 team_is.bytes, team);
}

static int64_t start_of(const struct sent_record *record, const struct sent *message)
{
    return (record->key->start_us >= 0 ? record->key->start_us : message->time_ms * 1000) -
           INT64_C(946684800000000);
}

static bool is_of(const struct row *r, const struct sent_record *record, const struct sent *message)
{
    return record->key && is_word(r->v.row.request_id, record->key->id) &&
           r->v.row.start == start_of(record, message) && r->v.row.input_tokens == record->tokens;
}

/* What was produced where a row says that it was read: of a topic that was made again, in the
 * newest log that has it. */
static const struct sent_record *record_of(const struct row *r, const struct sent **message)
{
    const struct row *of = offsets_by_id(r->v.row.partition_id);
    const struct sent_record *first = NULL;
    *message = NULL;
    for (const struct log *log = of ? broker_log[of->v.offsets.partition] : NULL; log;
         log = log->older) {
        const struct sent *m = message_at(log, r->v.row.offset);
        if (!m || r->v.row.index < 0 || (unsigned)r->v.row.index >= m->count)
            continue;
        const struct sent_record *record = &m->record[r->v.row.index];
        *message = m;
        if (is_of(r, record, m))
            return record;
        first = first ? first : record;
    }
    return first;
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

static const struct row *rejection_of(int64_t id, int64_t offset, unsigned index)
{
    for (const struct row *r = db_bucket(TABLE_REJECTED, db_place_hash(id, offset, index)); r;
         r = r->chain)
        if (r->table == TABLE_REJECTED && is_there(r) && r->v.rejected.partition_id == id &&
            r->v.rejected.offset == offset && r->v.rejected.index == (int32_t)index)
            return r;
    return NULL;
}

static bool is_resolved_as_row(const struct row *rejected)
{
    return rejected->v.rejected.resolved && rejected->v.rejected.resolution != RESOLVED_SKIPPED;
}

/* What could not be read becomes a row by a retry alone. */
static bool may_be_row(const struct row *r, const struct sent_record *record)
{
    const struct row *rejected =
        record->want == WANT_REJECTED
            ? rejection_of(r->v.row.partition_id, r->v.row.offset, (unsigned)r->v.row.index)
            : NULL;
    return record->want == WANT_ROW || (rejected && is_resolved_as_row(rejected));
}

/* ... where it says that it was read. */
static void check_row_of(const struct row *r, const struct sent_record *record,
                         const struct sent *message)
{
    if (!record || !may_be_row(r, record)) {
        sim_fail("row %lld/%d: no event was produced there", (long long)r->v.row.offset,
                 (int)r->v.row.index);
        return;
    }
    if (!is_of(r, record, message))
        sim_fail("row %lld/%d: \"%.*s\" is not what was produced there", (long long)r->v.row.offset,
                 (int)r->v.row.index, (int)r->v.row.request_id.bytes, r->v.row.request_id.p);
    check_words(r, record);
    check_price(r, record);
}

static void check_row(const struct row *r)
{
    const struct sent *message;
    const struct sent_record *record = record_of(r, &message);
    check_row_of(r, record, message);
}

/* --- repricing ------------------------------------------------------------------------------ */

static __int128 price_by(int32_t book, int64_t tokens)
{
    for (struct row *b = db.first[TABLE_BOOKS]; b; b = b->next)
        for (unsigned n = 0; is_there(b) && b->v.book.id == book && n < books_count(); n++)
            if (is_word(b->v.book.hash, book_hash(n)))
                return tokens * book_price(n);
    return -1;
}

static bool run_has_day(int64_t run, int32_t day)
{
    for (const struct row *r = db.first[TABLE_RUN_DAYS]; r; r = r->next)
        if (is_there(r) && r->v.run_day.run == run && r->v.run_day.day == day)
            return true;
    return false;
}

/* One that takes rows of a book only leaves the others as they are. */
static bool run_takes(const struct row *run, const struct row *r)
{
    static const char book[] = "\"book\"";
    struct text filter = run->v.run.filter;
    return r->v.row.born->seq > 0 && r->v.row.born->seq <= run->v.run.begun &&
           r->v.row.start >= run->v.run.since && r->v.row.start < run->v.run.until &&
           !memmem(filter.p, filter.bytes, book, sizeof(book) - 1) &&
           run_has_day(run->v.run.id, r->v.row.day);
}

/* What it counts for: what was posted last. */
static __int128 comes_to(const struct row *r)
{
    uint64_t hash = db_hash(db_hash_int(11, r->v.row.start), r->v.row.identity, 16);
    const struct row *last = NULL;
    for (const struct row *a = db_bucket(TABLE_ADJUSTMENTS, hash); a; a = a->chain)
        if (a->table == TABLE_ADJUSTMENTS && is_there(a) && !a->v.adjustment.audit &&
            a->v.adjustment.start == r->v.row.start &&
            memcmp(a->v.adjustment.identity, r->v.row.identity, 16) == 0 &&
            (!last || last->made->seq < a->made->seq))
            last = a;
    return last ? last->v.adjustment.spend : r->v.row.spend;
}

/* Each row once: those that were there when it began, and some that have come since. */
static void check_considered(const struct row *run)
{
    static const char book[] = "\"book\"";
    struct text filter = run->v.run.filter;
    int64_t least = 0, most = 0;
    if (sim.dials.drop_day > 0 || memmem(filter.p, filter.bytes, book, sizeof(book) - 1))
        return;
    for (const struct row *r = db.first[TABLE_ROWS]; r; r = r->next) {
        if (!is_there(r))
            continue;
        least += run_takes(run, r);
        most += r->v.row.start >= run->v.run.since && r->v.row.start < run->v.run.until &&
                run_has_day(run->v.run.id, r->v.row.day);
    }
    if (run->v.run.considered < least || run->v.run.considered > most)
        sim_fail("run %lld has ended, and considered %lld rows of %lld to %lld",
                 (long long)run->v.run.id, (long long)run->v.run.considered, (long long)least,
                 (long long)most);
}

struct run_sums {
    int64_t adjusted, posted, tallied;
    __int128 delta, tallied_delta;
};

static struct run_sums run_sums(int64_t run)
{
    struct run_sums sums = {0};
    for (const struct row *a = db.first[TABLE_ADJUSTMENTS]; a; a = a->next)
        if (is_there(a) && a->v.adjustment.run == run) {
            sums.adjusted++;
            sums.posted += !a->v.adjustment.audit;
            sums.delta += a->v.adjustment.spend - a->v.adjustment.old_spend;
        }
    for (const struct row *t = db.first[TABLE_TALLIES]; t; t = t->next)
        if (is_there(t) && t->v.tally.run == run && is_word(t->v.tally.dimension, "day")) {
            sums.tallied += t->v.tally.rows;
            sums.tallied_delta += t->v.tally.after - t->v.tally.before;
        }
    return sums;
}

/* What a run says of itself is what it did. */
static void check_run(const struct row *run)
{
    const struct run_sums sums = run_sums(run->v.run.id);
    int64_t parts = run->v.run.changed + run->v.run.unchanged + run->v.run.skipped;
    __int128 delta = run->v.run.after - run->v.run.before;
    if (run->v.run.considered != parts || run->v.run.changed != sums.adjusted ||
        sums.adjusted != sums.tallied || sums.posted != run->v.run.posted || delta != sums.delta ||
        delta != sums.tallied_delta)
        sim_fail("run %lld: considered %lld of %lld, changed %lld of %lld, tallied %lld%s",
                 (long long)run->v.run.id, (long long)run->v.run.considered, (long long)parts,
                 (long long)run->v.run.changed, (long long)sums.adjusted, (long long)sums.tallied,
                 delta != sums.delta || delta != sums.tallied_delta ? ", another difference" : "");
}

/* When it ends, what was there when it began costs what its book asks; later ones may have been at
 * work since. */
static void check_run_done(const struct row *run)
{
    check_run(run);
    check_considered(run);
    if (run->v.run.id != db.run_seq)
        return;
    for (const struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (is_there(r) && run_takes(run, r) &&
            comes_to(r) != price_by(run->v.run.book, r->v.row.input_tokens))
            sim_fail("run %lld has ended, and row %lld/%d has another price than that of its book",
                     (long long)run->v.run.id, (long long)r->v.row.offset, (int)r->v.row.index);
}

/* Its records lead from what a row cost when it came to what it costs now. */
static const struct row *adjustment_before(const struct row *a)
{
    const struct row *before = NULL;
    for (const struct row *b = db_bucket(TABLE_ADJUSTMENTS, a->hash); b; b = b->chain)
        if (b->table == TABLE_ADJUSTMENTS && is_there(b) && b->made->seq < a->made->seq &&
            b->v.adjustment.start == a->v.adjustment.start &&
            memcmp(b->v.adjustment.identity, a->v.adjustment.identity, 16) == 0 &&
            (!before || b->made->seq > before->made->seq))
            before = b;
    return before;
}

static void check_adjustment(const struct row *a)
{
    const struct row *before = adjustment_before(a);
    if (before && before->v.adjustment.run == a->v.adjustment.run)
        sim_fail("run %lld has changed a row twice", (long long)a->v.adjustment.run);
    if (before && sim.dials.drop_day == 0 &&
        (before->v.adjustment.spend != a->v.adjustment.old_spend ||
         before->v.adjustment.book != a->v.adjustment.old_book))
        sim_fail("run %lld: a record does not begin where the one before ends",
                 (long long)a->v.adjustment.run);
}

static void check_repricing(void)
{
    for (const struct row *r = db.first[TABLE_RUNS]; r; r = r->next)
        if (is_there(r))
            check_run(r);
    for (const struct row *a = db.first[TABLE_ADJUSTMENTS]; a; a = a->next)
        if (is_there(a))
            check_adjustment(a);
    for (const struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (is_there(r) && r->v.row.adjusted &&
            (r->v.row.adjusted->v.adjustment.spend != r->v.row.spend ||
             r->v.row.adjusted->v.adjustment.book != r->v.row.book))
            sim_fail("row %lld/%d is not as its last record says", (long long)r->v.row.offset,
                     (int)r->v.row.index);
}

/* --- at each commit -------------------------------------------------------------------------- */

/* The partition that a row is about; -1: none. */
static int64_t partition_of(const struct row *r)
{
    return r->table == TABLE_OFFSETS                             ? r->v.offsets.id
           : r->table == TABLE_ROWS || r->table == TABLE_DROPPED ? r->v.row.partition_id
           : r->table == TABLE_REJECTED                          ? r->v.rejected.partition_id
           : r->table == TABLE_CONFLICTS                         ? r->v.conflict.partition_id
                                                                 : -1;
}

void check_commit(void)
{
    const struct tx *tx = db.last;
    int64_t last = -1;
    for (size_t i = 0; tx && i < tx->count; i++) {
        const struct row *r = tx->journal[i].row, *of;
        int64_t id = partition_of(r);
        if (id >= 0 && id != last && (of = offsets_by_id(id)))
            check_partition(of);
        last = id >= 0 ? id : last;
        if (r->table == TABLE_ROWS && tx->journal[i].made && is_there(r))
            check_row(r);
        if (r->table == TABLE_RUNS && tx->journal[i].made && is_there(r) && r->v.run.done)
            check_run_done(r);
    }
    if (all.rows != all.calls || all.spend + all.posted != all.summed)
        sim_fail("the sums say %lld calls, there are %lld rows%s", (long long)all.calls,
                 (long long)all.rows,
                 all.spend + all.posted != all.summed ? ", and other money" : "");
}

/* --- the end -------------------------------------------------------------------------------- */

static bool is_read_out(void)
{
    for (unsigned p = 0; p < sim.dials.partitions; p++) {
        const struct row *of = offsets_by_partition((int32_t)p);
        const struct log *log = broker_log[p];
        int64_t last = log->high;
        while (last > log->low && (!log->at[last - 1] || log->at[last - 1]->compacted))
            last--;
        if (!of || of->v.offsets.next < last || of->v.offsets.next > log->high)
            return false;
        if (held_of(of->v.offsets.id)->log != log && sim.now_ms < sim.quiet_ms + NOTICED_MS)
            return false; /* another topic may still be noticed */
    }
    return true;
}

/* When nothing is produced any more, that it is not stays so until something is committed, or
 * another topic is to have been noticed. */
bool check_read_out(void)
{
    bool noticed = sim.now_ms >= sim.quiet_ms + NOTICED_MS;
    if (all.unread && all.unread == db.last && all.noticed == noticed)
        return false;
    bool is = is_read_out();
    all.unread = is ? NULL : db.last;
    all.noticed = noticed;
    return is;
}

/* Each key gets its row; a second one of the same event is one too many: its identity is guarded,
 * whatever time it came with. */
static void rows_to_keys(void)
{
    const struct sent *message;
    const struct sent_record *record;
    for (struct key *key = load_keys; key; key = key->next) {
        key->stored = NULL;
        key->dropped = false;
    }
    for (struct row *r = db.first[TABLE_DROPPED]; r; r = r->next)
        if (is_there(r) && (record = record_of(r, &message)) && record->key)
            record->key->dropped = true;
    for (struct row *r = db.first[TABLE_ROWS]; r; r = r->next) {
        if (!is_there(r) || !(record = record_of(r, &message)) || !record->key)
            continue;
        if (record->key->stored)
            sim_fail("\"%s\" is stored twice: at %lld/%d too", record->key->id,
                     (long long)r->v.row.offset, (int)r->v.row.index);
        record->key->stored = r;
        check_row_of(r, record, message);
    }
}

static bool conflict_is_noted(int64_t id, int64_t offset, unsigned index)
{
    for (struct row *r = db_bucket(TABLE_CONFLICTS, db_place_hash(id, offset, index)); r;
         r = r->chain)
        if (r->table == TABLE_CONFLICTS && is_there(r) && r->v.conflict.partition_id == id &&
            r->v.conflict.offset == offset && r->v.conflict.index == (int32_t)index)
            return true;
    return false;
}

/* Of which messages a record is rejected: a bit by the hash of a place, so that a message of many
 * records is not asked for one by one. */
static bool rejected_at[4096];

static bool *is_rejected_at(int64_t id, int64_t offset)
{
    return &rejected_at[db_place_hash(id, offset, 0) % 4096];
}

static void rejected_find(void)
{
    memset(rejected_at, 0, sizeof(rejected_at));
    for (const struct row *r = db.first[TABLE_REJECTED]; r; r = r->next)
        if (is_there(r))
            *is_rejected_at(r->v.rejected.partition_id, r->v.rejected.offset) = true;
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
    stored = record_of(row, &where);
    bool differs = stored->tokens != record->tokens || stored->team != record->team;
    if (differs != conflict_is_noted(of->v.offsets.id, m->offset, index))
        sim_fail("%d/%lld/%u: \"%s\": a conflict is %s", (int)m->partition, (long long)m->offset,
                 index, record->key->id, differs ? "not noted" : "noted, and is none");
}

static bool is_to_be_rejected(const struct sent_record *record)
{
    return record->want == WANT_REJECTED || record->want == WANT_REFUSED;
}

static void check_rejected(const struct row *of, const struct sent *m, unsigned index)
{
    const struct sent_record *record = &m->record[index];
    bool wanted = is_to_be_rejected(record);
    const struct row *noted = rejection_of(of->v.offsets.id, m->offset, index);
    if (wanted != (noted != NULL))
        sim_fail("%d/%lld/%u: that it is rejected is not as noted", (int)m->partition,
                 (long long)m->offset, index);
    if (noted && is_resolved_as_row(noted) && record->key && !record->key->stored &&
        !record->key->dropped)
        sim_fail("%d/%lld/%u: \"%s\" was resolved, and is not stored", (int)m->partition,
                 (long long)m->offset, index, record->key->id);
}

/* Lost with another topic's offsets, or before where reading of that one was to begin, of which
 * nothing was read (a database that lost its row has it put again so): nothing tells that it was
 * not. */
static bool is_anothers(const struct row *of, const struct sent *m)
{
    const struct log *log = broker_log[m->partition];
    bool of_before = of && held_of(of->v.offsets.id)->log != log;
    bool put_again = of && log->older && db.went_back > 0;
    return (of_before && m->trimmed) ||
           ((of_before || put_again) && m->offset < of->v.offsets.first);
}

static void check_message(const struct sent *m)
{
    const struct row *of = offsets_by_partition(m->partition);
    if (is_anothers(of, m))
        return;
    unsigned count = dealt_with(of, m);
    bool rejected = of && *is_rejected_at(of->v.offsets.id, m->offset);
    for (unsigned i = rejected ? 0 : m->others; i < count; i++) {
        if (m->record[i].want == WANT_ROW)
            check_event(of, m, i);
        if (rejected || is_to_be_rejected(&m->record[i]))
            check_rejected(of, m, i);
    }
    if (count < m->count && !m->trimmed)
        sim_fail("%d/%lld/%u was never read", (int)m->partition, (long long)m->offset, count);
}

void check_end(void)
{
    count_anew();
    for (struct row *r = db.first[TABLE_OFFSETS]; r; r = r->next)
        if (is_there(r))
            check_partition(r);
    check_commit();
    check_repricing();
    rows_to_keys();
    rejected_find();
    for (unsigned p = 0; p < sim.dials.partitions; p++)
        for (int64_t offset = 0; offset < broker_log[p]->high; offset++)
            if (broker_log[p]->at[offset] && !broker_log[p]->at[offset]->compacted)
                check_message(broker_log[p]->at[offset]);
}
