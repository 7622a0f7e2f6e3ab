/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One day: its rows stream by, each is priced and compared, what differs is staged. In an open
 * period the slice changes the rows in place (METHOD_UPDATE); in a closed one it posts the
 * difference (METHOD_POST); when a sample says that most rows of an old day will change, the whole
 * day goes piece by piece into a new table that takes the old one's place (METHOD_REWRITE): an
 * UPDATE would cost twice the time and leave the table at twice its size.
 */
#include "store/reprice_impl.h"

#include "core/clock.h"
#include "core/must.h"
#include "store/lock_holder.h"
#include "store/numeric.h"

#define REWRITE_SHARE 0.5  /* changed; it costs less than UPDATE from a fifth on, but locks */
#define REWRITE_AGE_DAYS 2 /* younger days are being written to */
#define SAMPLE_ROWS 2000
#define PROGRESS_ROWS 1024

/* --- one row -------------------------------------------------------------------------------- */

static struct row_field at(const struct reprice_shape *shape, const struct row_field *field,
                           enum reprice_column column)
{
    return field[shape->column[column]];
}

static bool text_is(struct row_field field, const char *text)
{
    return field.bytes >= 0 && slice_is((struct slice){field.p, (size_t)field.bytes}, text);
}

/* PostgreSQL stores an amount at scale 18 as numeric_encode_money() writes it, so equal bytes are
 * the rule for equal amounts; other bytes may still be the same number. */
static bool money_is(struct row_field field, bool present, struct money m)
{
    char numeric[NUMERIC_BYTES_MAX];
    struct money stored;
    bool has;
    if (!present || field.bytes < 0)
        return !present && field.bytes < 0;
    size_t bytes = numeric_encode_money(numeric, m);
    if ((size_t)field.bytes == bytes && memcmp(field.p, numeric, bytes) == 0)
        return true;
    return copy_money(&field, &has, &stored, NULL) && stored.atto == m.atto;
}

/* Flags are remarks of the rules of now: they do not differ from what an old book gave. */
static bool flags_unchanged(const struct reprice *run, struct row_field flags,
                            const struct charge *charge)
{
    return run->options.book || reprice_flags(&flags, charge) == (int32_t)copy_int(&flags);
}

/* Those of rows of before there were items are not known. */
static bool items_are(struct row_field field, const struct charge *charge,
                      const struct facts *facts)
{
    struct row_items items;
    if (text_is(field, ROW_ITEMS_UNKNOWN))
        return true;
    row_items_of(charge, facts, &items);
    return items.there ? field.bytes == (int32_t)items.bytes &&
                             memcmp(field.p, items.text, items.bytes) == 0
                       : field.bytes < 0;
}

static bool unchanged(const struct reprice *run, const struct reprice_shape *shape,
                      const struct row_field *field, const struct facts *facts,
                      const struct charge *charge)
{
    const char *reason = reason_info[charge->reason].name;
    bool has = charge->has_spend;
    return text_is(at(shape, field, COLUMN_STATUS), charge_status_name[charge->status]) &&
           text_is(at(shape, field, COLUMN_REASON), reason ? reason : "") &&
           money_is(at(shape, field, COLUMN_SPEND), has, charge->spend) &&
           money_is(at(shape, field, COLUMN_INPUT), has, charge->side[SIDE_INPUT]) &&
           money_is(at(shape, field, COLUMN_OUTPUT), has, charge->side[SIDE_OUTPUT]) &&
           money_is(at(shape, field, COLUMN_OTHER), has, charge->side[SIDE_OTHER]) &&
           flags_unchanged(run, at(shape, field, COLUMN_FLAGS), charge) &&
           items_are(at(shape, field, COLUMN_ITEMS), charge, facts);
}

enum verdict {
    VERDICT_UNCHANGED,
    VERDICT_CHANGED,
    VERDICT_REPORTED,
    VERDICT_UNREADABLE,
    VERDICT_NO_BOOK,
    VERDICT_EXCLUDED,
    VERDICT_NEWER,
};

/* verify prices a row with its own book. */
static bool book_take(struct reprice *run, struct row_field field)
{
    int32_t id = (int32_t)copy_int(&field);
    if (run->options.book && id != run->row_book_id) {
        run->row_book_id = id;
        run->row_book_there = run->options.book(id, run->options.context);
    }
    return !run->options.book || run->row_book_there;
}

/* A row whose book is not stored (it went with a primary that was lost) gets one that is, whatever
 * it costs. */
static bool book_stored(struct reprice *run, struct row_field field)
{
    int32_t id = (int32_t)copy_int(&field);
    size_t at_seen = (uint32_t)id % BOOKS_SEEN;
    if (run->options.book)
        return true; /* book_take() has it */
    if (run->book_seen[at_seen].id != id) {
        run->book_seen[at_seen].id = id;
        run->book_seen[at_seen].stored = reprice_book_stored(run, id);
    }
    return run->book_seen[at_seen].stored;
}

static enum verdict judge(struct reprice *run, const struct reprice_shape *shape,
                          const struct row_field *field, struct facts *facts, struct charge *charge)
{
    struct row_field gathered[FACT_COUNT + 1];
    MUST(shape->fact_count <= FACT_COUNT + 1 && shape->count <= REPRICE_COLUMNS_MAX,
         shape->fact_count, shape->count);
    if (shape->excluded >= 0 && copy_int(&field[shape->excluded]) != 0)
        return VERDICT_EXCLUDED;
    if (shape->newer >= 0 && copy_int(&field[shape->newer]) != 0)
        return VERDICT_NEWER;
    if (!run->filter.include_reported &&
        text_is(at(shape, field, COLUMN_STATUS), charge_status_name[CHARGE_REPORTED]))
        return VERDICT_REPORTED;
    if (!book_take(run, at(shape, field, COLUMN_BOOK)))
        return VERDICT_NO_BOOK;
    for (int i = 0; i < shape->fact_count; i++)
        gathered[i] = field[shape->fact[i]];
    arena_reset(&run->call);
    if (!row_facts(gathered, &run->call, facts, NULL) ||
        !row_usage_add(&field[shape->usage], &run->call, facts, NULL))
        return VERDICT_UNREADABLE;
    run->options.price(facts, charge, run->options.context);
    return unchanged(run, shape, field, facts, charge) &&
                   book_stored(run, at(shape, field, COLUMN_BOOK))
               ? VERDICT_UNCHANGED
               : VERDICT_CHANGED;
}

/* --- counting ------------------------------------------------------------------------------- */

static void sums_add(struct reprice *run, struct reprice_totals *totals, struct sum before,
                     struct sum after)
{
    sum_add(&totals->before, before);
    sum_add(&totals->after, after);
    sum_add(&run->total.before, before);
    sum_add(&run->total.after, after);
    totals->considered++;
    run->total.considered++;
    MUST(totals->considered <= run->total.considered, totals->considered, run->total.considered);
}

static void count_unchanged(struct reprice *run, const struct charge *charge)
{
    struct sum spend = charge->has_spend ? sum_of(charge->spend) : (struct sum){0};
    sums_add(run, &run->rest, spend, spend);
    run->rest.unchanged++;
    run->total.unchanged++;
}

static enum reprice_skip skip_of(enum verdict verdict)
{
    return verdict == VERDICT_REPORTED   ? SKIP_REPORTED
           : verdict == VERDICT_NO_BOOK  ? SKIP_BOOK
           : verdict == VERDICT_EXCLUDED ? SKIP_EXCLUDED
           : verdict == VERDICT_NEWER    ? SKIP_NEWER
                                         : SKIP_UNREADABLE;
}

static void count_skipped(struct reprice *run, enum reprice_skip why, struct money money)
{
    struct sum spend = sum_of(money);
    sums_add(run, &run->rest, spend, spend);
    run->rest.skipped++;
    run->total.skipped++;
    run->skip_rows[why]++;
    sum_add(&run->skip_spend[why], spend);
    if (run->options.dry_run)
        tally_add(&run->tally, TALLY_SKIPPED, slice_of(reprice_skip_name[why]), 1, spend, spend);
}

/* A sum falls as well when prices are missing now. */
static void count_price(struct reprice *run, const struct reprice_shape *shape,
                        const struct row_field *field, const struct stored_spend *stored,
                        const struct charge *charge)
{
    struct row_field then = at(shape, field, COLUMN_REASON);
    const char *now = reason_info[charge->reason].name;
    if (stored->has && !charge->has_spend)
        tally_add(&run->tally, TALLY_LOST, slice_of(now ? now : ""), 1, sum_of(stored->amount),
                  (struct sum){0});
    else if (!stored->has && charge->has_spend)
        tally_add(&run->tally, TALLY_GAINED,
                  (struct slice){then.p, then.bytes > 0 ? (size_t)then.bytes : 0}, 1,
                  (struct sum){0}, sum_of(charge->spend));
}

static void count_changed(struct reprice *run, const struct reprice_day *day,
                          const struct reprice_shape *shape, const struct row_field *field,
                          const struct facts *facts, const struct stored_spend *stored,
                          const struct charge *charge)
{
    struct sum before = sum_of(stored->amount),
               after = charge->has_spend ? sum_of(charge->spend) : (struct sum){0};
    struct row_field team = at(shape, field, COLUMN_TEAM),
                     time = at(shape, field, COLUMN_START_TIME),
                     identity = at(shape, field, COLUMN_IDENTITY);
    sums_add(run, &run->slice, before, after);
    run->slice.changed++;
    run->total.changed++;
    if (day->closed) {
        run->slice.posted++;
        run->total.posted++;
    }
    tally_add(&run->tally, TALLY_MODEL, facts_text(facts, FACT_MODEL), 1, before, after);
    tally_add(&run->tally, TALLY_TEAM, (struct slice){team.p, (size_t)team.bytes}, 1, before,
              after);
    tally_add(&run->tally, TALLY_DAY, slice_of(day->text), 1, before, after);
    count_price(run, shape, field, stored, charge);
    reprice_move_note(run, &time, &identity, stored->has, stored->amount, charge);
}

/* --- the stream ----------------------------------------------------------------------------- */

struct stream {
    struct reprice_shape shape;
    struct copy_out rows;
    struct row_field field[REPRICE_COLUMNS_MAX];
};

static void count_what_if(struct reprice *run, const struct reprice_day *day,
                          const struct stream *stream, enum verdict verdict,
                          const struct stored_spend *stored, const struct charge *charge)
{
    struct slice group = slice_of(day->text);
    if (stream->shape.group >= 0) {
        const struct row_field *field = &stream->field[stream->shape.group];
        group = (struct slice){field->p, field->bytes > 0 ? (size_t)field->bytes : 0};
    }
    if (verdict == VERDICT_UNCHANGED || verdict == VERDICT_CHANGED)
        reprice_what_if(run, group, stored, charge);
    else
        reprice_what_if_skipped(run, group, stored, skip_of(verdict));
}

static bool row_take(struct reprice *run, const struct reprice_day *day, enum reprice_method method,
                     struct stream *stream, struct err *err)
{
    const struct reprice_shape *shape = &stream->shape;
    const struct row_field *field = stream->field;
    struct row_field spend = at(shape, field, COLUMN_SPEND);
    struct stored_spend stored;
    struct facts facts;
    struct charge charge;
    if (shape->done >= 0 && copy_int(&field[shape->done]) != 0)
        return true;
    if (!copy_money(&spend, &stored.has, &stored.amount, err))
        return false;

    enum verdict verdict = judge(run, shape, field, &facts, &charge);
    if (verdict == VERDICT_UNCHANGED)
        count_unchanged(run, &charge);
    else if (verdict == VERDICT_CHANGED)
        count_changed(run, day, shape, field, &facts, &stored, &charge);
    else
        count_skipped(run, skip_of(verdict), stored.amount);
    if (run->options.by)
        count_what_if(run, day, stream, verdict, &stored, &charge);
    if (run->options.progress && run->total.considered % PROGRESS_ROWS == 0)
        run->options.progress(&run->total, run->expected, run->options.context);

    if (run->options.dry_run)
        return true;
    MUST((method == METHOD_POST) == day->closed, method, day->closed);
    if (verdict == VERDICT_CHANGED)
        reprice_stage(run, method, shape, field, &facts, &charge);
    return method == METHOD_REWRITE || run->staged_rows < run->options.slice_rows ||
           reprice_slice_write(run, day, method, false, err);
}

static bool stream_run(struct reprice *run, const struct reprice_day *day,
                       enum reprice_method method, struct stream *stream, struct err *err)
{
    bool end = false, ok = true;
    MUST(run->options.dry_run || method == METHOD_REWRITE || run->staged_rows == 0, method,
         run->staged_rows);
    if (!reprice_sql_read(run, day, method, 0, &stream->shape, err) ||
        !copy_out_open(&stream->rows, &run->read, reprice_sql_text(run), err))
        return false;
    while (ok && !end) {
        ok = copy_out_row(&stream->rows, stream->field, stream->shape.count, &end, err) &&
             (end || row_take(run, day, method, stream, err));
    }
    copy_out_close(&stream->rows);
    return ok;
}

/* --- the method ----------------------------------------------------------------------------- */

static bool sample_run(struct reprice *run, const struct reprice_day *day, double *share,
                       struct err *err)
{
    struct stream stream;
    struct facts facts;
    struct charge charge;
    int64_t rows = 0, changed = 0;
    double percent =
        day->table_rows > SAMPLE_ROWS ? 100.0 * SAMPLE_ROWS / (double)day->table_rows : 100.0;
    bool end = false, ok = true;
    if (!reprice_sql_read(run, day, METHOD_UPDATE, percent, &stream.shape, err) ||
        !copy_out_open(&stream.rows, &run->read, reprice_sql_text(run), err))
        return false;
    while (ok && !end) {
        ok = copy_out_row(&stream.rows, stream.field, stream.shape.count, &end, err);
        if (!ok || end)
            break;
        rows++;
        changed += judge(run, &stream.shape, stream.field, &facts, &charge) == VERDICT_CHANGED;
    }
    copy_out_close(&stream.rows);
    *share = rows ? (double)changed / (double)rows : 0;
    return ok;
}

static bool method_choose(struct reprice *run, const struct reprice_day *day,
                          enum reprice_method *method, struct err *err)
{
    int64_t now_day = clock_day_of(clock_now_us() - PG_EPOCH_US);
    double share = 0;
    *method = day->closed ? METHOD_POST : METHOD_UPDATE;
    if (day->closed || run->options.dry_run || day->changed > 0 ||
        day->table_rows < run->options.rewrite_rows_min || day->day + REWRITE_AGE_DAYS > now_day ||
        !reprice_takes_all(run, day))
        return true;
    if (!sample_run(run, day, &share, err))
        return false;
    MUST(share >= 0 && share <= 1, day->day);
    if (share >= REWRITE_SHARE)
        *method = METHOD_REWRITE;
    return true;
}

/* What is the same in all records of the day: when it was come to (a default would be worked out
 * for each of them), and the day on which corrections of closed periods count. */
static bool records_begin(struct reprice *run, struct err *err)
{
    if (run->options.dry_run)
        return true;
    PGresult *res =
        pg_query(&run->write, "SELECT spendlog.posting_day(), now() AT TIME ZONE 'UTC'", NULL, err);
    MUST(!res || PQnfields(res) >= 2);
    if (res) {
        memcpy(run->posted_on, PQgetvalue(res, 0, 0), sizeof(run->posted_on));
        memcpy(run->adjusted_at, PQgetvalue(res, 0, 1), sizeof(run->adjusted_at));
    }
    PQclear(res);
    return res != NULL;
}

static bool day_rewrite(struct reprice *run, const struct reprice_day *day, struct stream *stream,
                        struct err *err)
{
    bool ok = reprice_swap_open(run, day, err);
    while (ok && reprice_swap_next(run))
        ok = stream_run(run, day, METHOD_REWRITE, stream, err) && reprice_swap_write(run, day, err);
    ok = ok && reprice_swap_close(run, day, err);
    if (!ok)
        reprice_swap_abandon(run);
    run->report.days_rewritten += ok;
    return ok;
}

bool reprice_day_run(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    struct stream stream;
    enum reprice_method method;
    MUST(day->there && run->options.slice_rows > 0, day->day, run->options.slice_rows);
    if (!lock_holder_await_rows(&run->read, err) || !method_choose(run, day, &method, err) ||
        !records_begin(run, err))
        return false;
    if (method == METHOD_REWRITE)
        return day_rewrite(run, day, &stream, err);
    return stream_run(run, day, method, &stream, err) &&
           (run->options.dry_run || reprice_slice_write(run, day, method, true, err));
}
