/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the statements of repricing do: days and their claims, rows read by COPY, adjustments that
 * change them, days that are rewritten into a shadow and swapped. As migrations/ have it: who may
 * do what to a day is asked here too, since a run relies on being refused.
 */
#include "tests/sim/statements.h"

#include "store/row_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#define ROWS_PER_BLOCK 4
#define ROWS_ESTIMATED 20 /* of a day, by the catalogue */
#define SWAP_LOCK_MS 500
#define READING_FLAGS 0xffffff /* of reading: no adjustment changes them */

static PGresult *not_as_expected(const char *what)
{
    return answer_error("55000", NULL, "%s", what);
}

/* --- numbers as texts ----------------------------------------------------------------------- */

static __int128 atto_of(struct text text)
{
    __int128 v = 0;
    int decimals = -1;
    bool negative = text.bytes > 0 && text.p[0] == '-';
    for (size_t i = negative; i < text.bytes; i++) {
        if (text.p[i] == '.') {
            decimals = 0;
            continue;
        }
        v = 10 * v + (text.p[i] - '0');
        decimals += decimals >= 0;
    }
    for (int i = decimals < 0 ? 0 : decimals; i < 18; i++)
        v *= 10;
    return negative ? -v : v;
}

static void answer_atto(PGresult *res, __int128 v)
{
    __int128 size = v < 0 ? -v : v, one = INT64_C(1000000000000000000);
    answer_word(res, sim_text("%s%lld.%018lld", v < 0 ? "-" : "", (long long)(size / one),
                              (long long)(size % one)));
}

static const char *day_text(int32_t day)
{
    time_t seconds = (time_t)day * 86400 + EPOCH_US / 1000000;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return sim_text("%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

/* 2025-07-14, or 20250714, behind `after`. */
static int32_t day_named(const char *sql, const char *after)
{
    struct tm tm = {0};
    const char *p = strstr(sql, after) + strlen(after);
    int digits[8], count = 0;
    for (; count < 8; p++)
        if (*p != '-')
            digits[count++] = *p - '0';
    tm.tm_year = digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 + digits[3] - 1900;
    tm.tm_mon = digits[4] * 10 + digits[5] - 1;
    tm.tm_mday = digits[6] * 10 + digits[7];
    return (int32_t)((timegm(&tm) - EPOCH_US / 1000000) / 86400);
}

static int64_t number_after(const char *sql, const char *after)
{
    const char *p = strstr(sql, after);
    return p ? strtoll(p + strlen(after), NULL, 10) : -1;
}

/* --- days ----------------------------------------------------------------------------------- */

static bool claim_lives(const struct row *claim)
{
    return !claim->v.claim.session->ended && claim->v.claim.replaced == server.replaced;
}

static const struct row *claim_of(int32_t day, const struct backend *not_of)
{
    for (const struct row *r = db.first[TABLE_CLAIMS]; r; r = r->next)
        if (row_is_seen(r, NULL) && r->v.claim.day == day && r->v.claim.session != not_of &&
            claim_lives(r))
            return r;
    return NULL;
}

bool day_is_claimed(int32_t day)
{
    return claim_of(day, NULL) != NULL;
}

bool day_is_closed(const struct tx *tx, int32_t day)
{
    for (const struct row *r = db.first[TABLE_CLOSED]; r; r = r->next)
        if (r->v.day.day == day && row_is_seen(r, tx))
            return true;
    return false;
}

/* day_expect_claimed(), of a day in a closed period or not. */
static PGresult *expect_claimed(const struct pg_conn *conn, int32_t day, bool closed)
{
    if (day_is_closed(conn->backend->tx, day) != closed)
        return not_as_expected("whether the day lies in a closed period is not as expected");
    for (const struct row *r = db.first[TABLE_CLAIMS]; r; r = r->next)
        if (row_is_seen(r, conn->backend->tx) && r->v.claim.day == day &&
            r->v.claim.session == conn->backend && claim_lives(r))
            return NULL;
    sim_happened(HAPPENED_CLAIM_LOST);
    return not_as_expected("the day is not claimed: days_claim() first");
}

STATEMENT(days_claim)
{
    size_t count;
    int64_t *day = param_ints(params, 1, &count);
    PGresult *res = answer_new(PGRES_TUPLES_OK, 2);
    for (size_t i = 0; i < count; i++)
        if (claim_of((int32_t)day[i], conn->backend)) {
            sim_happened(HAPPENED_CLAIMED);
            answer_word(res, day_text((int32_t)day[i]));
            answer_word(res, "spendlog reprice");
            return res;
        }
    for (size_t i = 0; i < count; i++) {
        struct row *r = db_add(conn->backend->tx, TABLE_CLAIMS, 0);
        r->v.claim.day = (int32_t)day[i];
        r->v.claim.session = conn->backend;
        r->v.claim.replaced = server.replaced; /* the one that is there now holds its lock */
    }
    return res;
}

static bool day_is_stored(const struct tx *tx, int32_t day)
{
    for (const struct row *r = db.first[TABLE_DAYS]; r; r = r->next)
        if (r->v.day.day == day && row_is_seen(r, tx))
            return true;
    return false;
}

static void answer_day(PGresult *res, const struct tx *tx, int32_t day, int64_t changed)
{
    bool there = day_is_stored(tx, day);
    answer_int4(res, day);
    answer_word(res, day_text(day));
    answer_bool(res, day_is_closed(tx, day));
    answer_bool(res, there);
    answer_int8(res, changed);
    answer_int8(res, there ? ROWS_ESTIMATED : 0);
}

static int32_t day_number(const struct row *r)
{
    return r->table == TABLE_DAYS ? r->v.day.day : r->v.run_day.day;
}

/* Those of a table, by day. */
static const struct row *day_after(const struct tx *tx, enum table table, const struct row *last,
                                   int64_t run)
{
    const struct row *next = NULL;
    for (const struct row *r = db.first[table]; r; r = r->next)
        if (row_is_seen(r, tx) && (!last || day_number(r) > day_number(last)) &&
            (!next || day_number(r) < day_number(next)) &&
            (table == TABLE_DAYS || (r->v.run_day.run == run && r->v.run_day.left)))
            next = r;
    return next;
}

STATEMENT(days_there)
{
    const struct tx *tx = conn->backend->tx;
    int64_t since = param_int(params, 1), until = param_int(params, 2);
    PGresult *res = answer_new(PGRES_TUPLES_OK, 6);
    for (const struct row *r = NULL; (r = day_after(tx, TABLE_DAYS, r, 0));) {
        int64_t start = r->v.day.day * DAY_US;
        if (start + DAY_US > since && start < until)
            answer_day(res, tx, r->v.day.day, 0);
    }
    return res;
}

STATEMENT(days_left)
{
    const struct tx *tx = conn->backend->tx;
    PGresult *res = answer_new(PGRES_TUPLES_OK, 6);
    for (const struct row *r = NULL; (r = day_after(tx, TABLE_RUN_DAYS, r, param_int(params, 1)));)
        answer_day(res, tx, r->v.run_day.day, r->v.run_day.changed);
    return res;
}

/* --- the record of a run -------------------------------------------------------------------- */

static uint64_t run_hash(int64_t run)
{
    return db_hash_int(9, run);
}

static bool is_run(const struct row *row, int64_t run)
{
    return row->v.run.id == run;
}

static const struct row *run_seen(const struct tx *tx, int64_t run)
{
    for (const struct row *r = db.first[TABLE_RUNS]; r; r = r->next)
        if (r->v.run.id == run && row_is_seen(r, tx))
            return r;
    return NULL;
}

static const struct row *book_numbered(const struct tx *tx, int64_t number)
{
    for (const struct row *r = db.first[TABLE_BOOKS]; r; r = r->next)
        if (row_is_seen(r, tx) && r->v.book.id == number)
            return r;
    return NULL;
}

STATEMENT(run_insert)
{
    const struct row *book = book_numbered(conn->backend->tx, param_int(params, 1));
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    if (!book || !text_eq(book->v.book.hash, param_text(params, 5)))
        return res;
    struct row *r = db_add(conn->backend->tx, TABLE_RUNS, run_hash(db.run_seq + 1));
    r->v.run.id = ++db.run_seq;
    r->v.run.begun = db.tx_seq;
    r->v.run.book = (int32_t)param_int(params, 1);
    r->v.run.filter = param_text(params, 2);
    r->v.run.since = param_int(params, 3);
    r->v.run.until = param_int(params, 4);
    answer_int8(res, r->v.run.id);
    return res;
}

STATEMENT(run_days_insert)
{
    size_t count;
    int64_t *day = param_ints(params, 2, &count);
    for (size_t i = 0; i < count; i++) {
        struct row *r =
            db_add(conn->backend->tx, TABLE_RUN_DAYS, db_hash_int(10, param_int(params, 1)));
        r->v.run_day.run = param_int(params, 1);
        r->v.run_day.day = (int32_t)day[i];
        r->v.run_day.left = true;
    }
    return answer_done();
}

STATEMENT(run_unfinished)
{
    int64_t newest = 0;
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    (void)params;
    for (const struct row *r = db.first[TABLE_RUNS]; r; r = r->next)
        if (row_is_seen(r, conn->backend->tx) && !r->v.run.done && r->v.run.id > newest)
            newest = r->v.run.id;
    if (newest)
        answer_int8(res, newest);
    else
        answer_null(res);
    return res;
}

STATEMENT(run_select)
{
    const struct row *r = run_seen(conn->backend->tx, param_int(params, 1));
    PGresult *res = answer_new(PGRES_TUPLES_OK, 11);
    if (!r)
        return res;
    answer_int4(res, r->v.run.book);
    answer_int8(res, r->v.run.considered);
    answer_int8(res, r->v.run.changed);
    answer_int8(res, r->v.run.unchanged);
    answer_int8(res, r->v.run.skipped);
    answer_int8(res, r->v.run.posted);
    answer_atto(res, r->v.run.before);
    answer_atto(res, r->v.run.after);
    answer_int8(res, r->v.run.since);
    answer_int8(res, r->v.run.until);
    answer_text(res, r->v.run.filter);
    return res;
}

STATEMENT(session_mark)
{
    (void)params;
    conn->backend->marked = 1 + server.replaced;
    return answer_done();
}

/* The statement asks for it, or not: then it is as if. */
static bool is_marked(const struct pg_conn *conn)
{
    return !strstr(conn->sql, "current_setting('spendlog.repricing', true) = 'on'") ||
           conn->backend->marked == 1 + server.replaced;
}

/* A version in place of the run's; *row NULL: there is no such run. */
static PGresult *run_change(struct pg_conn *conn, int64_t run, struct row **row)
{
    struct row *of;
    PGresult *failed = row_free(conn, TABLE_RUNS, run_hash(run), is_run, run, &of);
    *row = NULL;
    if (failed || !of || !is_marked(conn))
        return failed;
    *row = db_add(conn->backend->tx, TABLE_RUNS, of->hash);
    (*row)->v = of->v;
    db_end(conn->backend->tx, of);
    return NULL;
}

static PGresult *answer_changed(bool changed)
{
    PGresult *res = answer_done();
    answer_count(res, changed);
    return res;
}

STATEMENT(run_count)
{
    struct row *r;
    PGresult *failed = run_change(conn, param_int(params, 1), &r);
    if (failed || !r)
        return failed ? failed : answer_changed(false);
    r->v.run.considered += param_int(params, 2);
    r->v.run.changed += param_int(params, 3);
    r->v.run.unchanged += param_int(params, 4);
    r->v.run.skipped += param_int(params, 5);
    r->v.run.posted += param_int(params, 6);
    r->v.run.before += atto_of(param_text(params, 7));
    r->v.run.after += atto_of(param_text(params, 8));
    return answer_changed(true);
}

STATEMENT(run_finish)
{
    struct row *r;
    PGresult *failed = run_change(conn, param_int(params, 1), &r);
    if (failed || !r)
        return failed ? failed : answer_changed(false);
    r->v.run.done = true;
    return answer_changed(true);
}

static bool is_run_day(const struct row *row, int64_t day)
{
    return row->v.run_day.day == day;
}

/* Of a day that is pending. */
static PGresult *run_day_change(struct pg_conn *conn, const struct params *params, int day_param,
                                struct row **row)
{
    struct row *of;
    int64_t run = param_int(params, 1);
    PGresult *failed = row_free(conn, TABLE_RUN_DAYS, db_hash_int(10, run), is_run_day,
                                param_int(params, day_param), &of);
    *row = NULL;
    if (failed || !of || !of->v.run_day.left || !is_marked(conn))
        return failed;
    *row = db_add(conn->backend->tx, TABLE_RUN_DAYS, of->hash);
    (*row)->v = of->v;
    db_end(conn->backend->tx, of);
    return NULL;
}

STATEMENT(run_day_dropped)
{
    struct row *r;
    PGresult *failed = run_day_change(conn, params, 2, &r);
    if (failed || !r)
        return failed ? failed : answer_changed(false);
    r->v.run_day.left = false;
    return answer_changed(true);
}

STATEMENT(run_day_count)
{
    struct row *r;
    PGresult *failed = run_day_change(conn, params, 2, &r);
    if (failed || !r)
        return failed ? failed : answer_changed(false);
    r->v.run_day.changed += param_int(params, 3);
    r->v.run_day.left = r->v.run_day.left && param_int(params, 5) == 0;
    return answer_changed(true);
}

STATEMENT(tallies_insert)
{
    size_t count;
    struct text *dimension = param_array(params, 2, &count),
                *value = param_array(params, 3, &count), *before = param_array(params, 5, &count),
                *after = param_array(params, 6, &count);
    int64_t *rows = param_ints(params, 4, &count);
    if (!run_seen(conn->backend->tx, param_int(params, 1)))
        return answer_error("23503", "reprice_tallies_run_fkey", "there is no such run");
    for (size_t i = 0; i < count; i++) {
        struct row *r = db_add(conn->backend->tx, TABLE_TALLIES, 0);
        r->v.tally.run = param_int(params, 1);
        r->v.tally.dimension = dimension[i];
        r->v.tally.value = value[i];
        r->v.tally.rows = rows[i];
        r->v.tally.before = atto_of(before[i]);
        r->v.tally.after = atto_of(after[i]);
    }
    return answer_done();
}

STATEMENT(tallies_select)
{
    PGresult *res = answer_new(PGRES_TUPLES_OK, 5);
    for (const struct row *r = db.first[TABLE_TALLIES]; r; r = r->next) {
        if (!row_is_seen(r, conn->backend->tx) || r->v.tally.run != param_int(params, 1))
            continue;
        answer_text(res, r->v.tally.dimension);
        answer_text(res, r->v.tally.value);
        answer_int8(res, r->v.tally.rows);
        answer_atto(res, r->v.tally.before);
        answer_atto(res, r->v.tally.after);
    }
    return res;
}

STATEMENT(moves_none)
{
    (void)conn, (void)params;
    return answer_new(PGRES_TUPLES_OK, 7);
}

/* --- books ---------------------------------------------------------------------------------- */

STATEMENT(book_exists)
{
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    (void)params;
    if (book_numbered(conn->backend->tx, number_after(conn->sql, "price_book_id = ")))
        answer_bool(res, true);
    return res;
}

STATEMENT(book_text)
{
    const struct row *r = book_numbered(conn->backend->tx, param_int(params, 1));
    PGresult *res = answer_new(PGRES_TUPLES_OK, 2);
    if (r) {
        answer_text(res, r->v.book.hash);
        answer_text(res, r->v.book.json);
    }
    return res;
}

STATEMENT(book_begins)
{
    struct text hash = param_text(params, 1);
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    for (const struct row *r = db.first[TABLE_BOOKS]; r; r = r->next)
        if (row_is_seen(r, conn->backend->tx) && text_eq(r->v.book.hash, hash))
            answer_int4(res, r->v.book.id);
    return res;
}

STATEMENT(posting_day)
{
    (void)params;
    PGresult *res = answer_new(PGRES_TUPLES_OK, 2);
    int64_t now = conn->backend->tx->at_us - EPOCH_US;
    int32_t day = day_of(now);
    while (day_is_closed(conn->backend->tx, day))
        day++;
    answer_int4(res, day);
    answer_int8(res, now);
    return res;
}

/* --- rows, read ----------------------------------------------------------------------------- */

/* What pricing makes of a row, and its name in an adjustment. */
static const struct {
    const char *column, *adjusted;
} priced[] = {{"price_book_id", "new_price_book_id"},
              {"pricing_status", "new_status"},
              {"pricing_reason", "new_reason"},
              {"spend", "new_spend"},
              {"input_cost", "new_input_cost"},
              {"output_cost", "new_output_cost"},
              {"other_cost", "new_other_cost"},
              {"flags", "new_flags"},
              {"items", "new_items"}};

/* Taken apart once for all columns that are asked for one after another. */
static const struct fields *fields_of(const char *raw, const struct columns *columns)
{
    static struct {
        const char *raw;
        uint64_t seed;
        struct fields f;
    } kept[4];
    size_t at = ((uintptr_t)raw >> 3 ^ (uintptr_t)raw >> 9) % 4;
    if (kept[at].raw != raw || kept[at].seed != sim.seed) {
        kept[at].raw = raw;
        kept[at].seed = sim.seed;
        kept[at].f.columns = columns;
        fields_next(&kept[at].f, &raw);
    }
    return &kept[at].f;
}

static struct text field_raw(const char *raw, const struct columns *columns, int name)
{
    const struct fields *f = fields_of(raw, columns);
    int i = field_of(f, name);
    return i < 0 ? (struct text){NULL, 0} : (struct text){f->p[i], (size_t)f->bytes[i]};
}

/* The number of the name that a column has in an adjustment; -1: pricing does not make it. */
static int adjusted_name(int column)
{
    static int adjusted[NAMES_MAX]; /* + 2; 0: not looked up yet */
    if (adjusted[column] != 0)
        return adjusted[column] - 2;
    adjusted[column] = -1 + 2;
    for (size_t i = 0; i < sizeof(priced) / sizeof(priced[0]); i++)
        if (name_number(priced[i].column) == column)
            adjusted[column] = name_number(priced[i].adjusted) + 2;
    return adjusted[column] - 2;
}

/* p NULL: it is NULL. */
static struct text column_of(const struct row *row, int name)
{
    const struct row *a = row->v.row.adjusted;
    int adjusted = a ? adjusted_name(name) : -1;
    return adjusted >= 0 ? field_raw(a->v.adjustment.raw, a->v.adjustment.columns, adjusted)
                         : field_raw(row->v.row.raw, row->v.row.columns, name);
}

static bool is_adjusted_by(const struct row *row, int64_t run)
{
    uint64_t hash = db_hash(db_hash_int(11, row->v.row.start), row->v.row.identity, 16);
    for (const struct row *a = db_bucket(TABLE_ADJUSTMENTS, hash); a; a = a->chain)
        if (a->table == TABLE_ADJUSTMENTS && row_is_seen(a, NULL) && a->v.adjustment.run == run &&
            a->v.adjustment.start == row->v.row.start &&
            memcmp(a->v.adjustment.identity, row->v.row.identity, 16) == 0)
            return true;
    return false;
}

/* What a row of a closed period counts for now: the latest that is posted; NULL: as it stands. */
static const struct row *posted_for(const struct row *row, const struct tx *tx, int64_t snapshot,
                                    const struct row *but)
{
    uint64_t hash = db_hash(db_hash_int(11, row->v.row.start), row->v.row.identity, 16);
    const struct row *latest = NULL;
    for (const struct row *a = db_bucket(TABLE_ADJUSTMENTS, hash); a; a = a->chain)
        if (a != but && a->table == TABLE_ADJUSTMENTS && !a->v.adjustment.audit &&
            row_is_in(a, tx, snapshot) && a->v.adjustment.start == row->v.row.start &&
            memcmp(a->v.adjustment.identity, row->v.row.identity, 16) == 0 &&
            (!latest || latest->v.adjustment.run < a->v.adjustment.run))
            latest = a;
    return latest;
}

static struct text truth(bool is)
{
    return (struct text){is ? "\1" : "\0", 1};
}

/* --- the list that is selected ---------------------------------------------------------------- */

/* One expression of it, taken apart. */
struct shown {
    enum {
        SHOWN_COLUMN, /* s.x */
        SHOWN_EITHER, /* coalesce(s.x, ...): of the row, or of its words */
        SHOWN_WORD,   /* c.x */
        SHOWN_DONE,   /* whether this run has adjusted it */
        SHOWN_NEWER,  /* whether a later one has posted for it */
        SHOWN_ASIDE,  /* nobody sets rows aside */
        SHOWN_UNKNOWN
    } kind;
    int posted; /* the column of what is posted for the row, when something is; -1: none is asked */
    int column;
    bool usage;              /* jsonb: behind its version */
    int kind_of_words, word; /* -1: none */
    int64_t run;
};

#define EXPRESSIONS_MAX 64
struct list {
    char *text;
    size_t bytes, count;
    struct shown shown[EXPRESSIONS_MAX];
};

static bool skip(const char **p, const char *what)
{
    bool is = strncmp(*p, what, strlen(what)) == 0;
    *p += is ? strlen(what) : 0;
    return is;
}

/* "c.x" or "k.x" */
static void word_read(struct shown *to, const char *p)
{
    to->kind_of_words = *p == 'c' ? WORDS_CALL : WORDS_CALLER;
    const struct words_info *info = &words_info[to->kind_of_words];
    for (unsigned n = 0; n < info->column_count; n++)
        if (name_number(info->column[n]) == name_number(p + 2))
            to->word = (int)n;
}

static void shown_read(struct shown *to, const char *p)
{
    const char *word = strstr(p, ", c.") ? strstr(p, ", c.") : strstr(p, ", k.");
    *to = (struct shown){.kind = SHOWN_UNKNOWN, .posted = -1, .kind_of_words = -1, .word = -1};
    if (skip(&p, "CASE WHEN p.run_id IS NULL THEN "))
        to->posted = name_number(strstr(p, " ELSE p.") + 8);
    else if (skip(&p, "coalesce(p.new_flags, "))
        to->posted = FIELD_new_flags;
    if (skip(&p, "coalesce(p.run_id > ")) {
        to->kind = SHOWN_NEWER;
        to->run = strtoll(p, NULL, 10);
    } else if (skip(&p, "x.identity IS NOT NULL")) {
        to->kind = SHOWN_ASIDE;
    } else if (skip(&p, "d.identity IS NOT NULL")) {
        to->kind = SHOWN_DONE;
    } else if (strncmp(p, "c.usage_text", 12) == 0) {
        to->kind = SHOWN_WORD;
        word_read(to, p);
    } else if (skip(&p, "s.")) {
        to->kind = SHOWN_COLUMN;
        to->column = name_number(p);
    } else if (skip(&p, "coalesce(s.")) {
        to->kind = SHOWN_EITHER;
        to->column = name_number(p);
        to->usage = strncmp(p, "usage_text,", 11) == 0;
        if (word)
            word_read(to, word + 2);
    }
}

/* The expressions between SELECT and FROM: commas of the outermost list part them. */
static void list_read(struct list *list)
{
    const char *begin = list->text, *end = begin + list->bytes;
    list->count = 0;
    int depth = 0;
    for (const char *p = begin; p <= end; p++) {
        depth += (*p == '(') - (*p == ')');
        if ((p < end && (*p != ',' || depth > 0)) || list->count == EXPRESSIONS_MAX)
            continue;
        char *expression = text_lasting(begin, (size_t)(p - begin));
        shown_read(&list->shown[list->count++], expression);
        free(expression);
        begin = p + 2;
    }
}

/* Each text once, and again after another one took its place. */
static const struct list *list_of(const char *sql)
{
    static struct list kept[64];
    const char *p = strstr(sql, "SELECT ") + 7;
    size_t bytes = (size_t)(strstr(p, " FROM spendlog.stored_rows") - p);
    struct list *list = &kept[XXH3_64bits(p, bytes) % 64];
    if (!list->text || list->bytes != bytes || memcmp(list->text, p, bytes) != 0) {
        free(list->text);
        list->text = text_lasting(p, bytes);
        list->bytes = bytes;
        list_read(list);
    }
    return list;
}

/* A row that is read, and what belongs to it. */
struct row_view {
    const struct tx *tx;
    int64_t run; /* whose rows are left out */
    const struct row *row, *posted, *words[WORDS_COUNT];
};

static void view_begin(struct row_view *view, const struct row *row)
{
    const struct tx *in_way;
    bool lean = row->v.row.lean;
    view->row = row;
    view->posted = posted_for(row, view->tx, view->tx->snapshot, NULL);
    view->words[WORDS_CALL] =
        lean ? words_find(view->tx, TABLE_CALLS, row->v.row.call, &in_way) : NULL;
    view->words[WORDS_CALLER] =
        lean ? words_find(view->tx, TABLE_CALLERS, row->v.row.caller, &in_way) : NULL;
}

static struct text word_of(const struct row_view *view, const struct shown *shown)
{
    const struct row *entry = shown->word < 0 ? NULL : view->words[shown->kind_of_words];
    return entry ? entry->v.words.column[shown->word] : (struct text){NULL, 0};
}

static struct text either_of(const struct row_view *view, const struct shown *shown)
{
    struct text own = column_of(view->row, shown->column);
    if (own.p)
        return own;
    if (shown->usage) {
        struct text usage = column_of(view->row, FIELD_usage);
        return usage.p ? (struct text){usage.p + 1, usage.bytes - 1} : usage;
    }
    return shown->kind_of_words < 0 ? (struct text){"", 0} : word_of(view, shown);
}

static struct text shown_of(const struct row_view *view, const struct shown *shown)
{
    const struct row *p = view->posted;
    if (p && shown->posted >= 0)
        return field_raw(p->v.adjustment.raw, p->v.adjustment.columns, shown->posted);
    switch (shown->kind) {
    case SHOWN_COLUMN:
        return column_of(view->row, shown->column);
    case SHOWN_EITHER:
        return either_of(view, shown);
    case SHOWN_WORD:
        return word_of(view, shown);
    case SHOWN_DONE:
        return truth(is_adjusted_by(view->row, view->run));
    case SHOWN_NEWER:
        return truth(p && p->v.adjustment.run > shown->run);
    case SHOWN_UNKNOWN:
        sim_fail("an expression that the simulator does not know");
        return truth(false);
    default:
        return truth(false);
    }
}

/* --- rows, read, go on ------------------------------------------------------------------------ */

struct range {
    int64_t since, until, from, end; /* start times; blocks */
};

static struct range range_of(const char *sql)
{
    const char *where = strstr(sql, " WHERE s.start_time >= ");
    const char *piece = strstr(sql, "s.ctid >= '(");
    struct range range = {.from = 0, .end = INT64_MAX};
    range.since = number_after(where, "interval '") - EPOCH_US;
    range.until = number_after(strstr(where, "s.start_time < "), "interval '") - EPOCH_US;
    if (piece) {
        range.from = strtoll(piece + 12, NULL, 10);
        range.end = number_after(piece, "s.ctid < '(");
    }
    return range;
}

static bool is_in_range(const struct row *r, const struct range *range)
{
    int64_t block = r->v.row.place / ROWS_PER_BLOCK;
    return r->v.row.start >= range->since && r->v.row.start < range->until &&
           block >= range->from && block < range->end;
}

/* COPY's form of a row. */
static struct text message_of(const struct row_view *view, const struct list *list, bool first)
{
    size_t count = view ? list->count : 0;
    static const char header[COPY_HEADER_BYTES] = "PGCOPY\n\377\r\n";
    struct text value[EXPRESSIONS_MAX];
    size_t bytes = (first ? COPY_HEADER_BYTES : 0) + 2;
    for (size_t i = 0; i < count; i++) {
        value[i] = shown_of(view, &list->shown[i]);
        bytes += 4 + value[i].bytes;
    }
    char *p = sim_alloc(bytes), *at = p;
    if (first) {
        memcpy(at, header, COPY_HEADER_BYTES);
        at += COPY_HEADER_BYTES;
    }
    *at++ = (char)(view ? count >> 8 : 0xff);
    *at++ = (char)(view ? count & 0xff : 0xff);
    for (size_t i = 0; i < count; i++) {
        uint32_t length = value[i].p ? (uint32_t)value[i].bytes : UINT32_MAX;
        for (int shift = 24; shift >= 0; shift -= 8)
            *at++ = (char)(length >> shift & 0xff);
        if (value[i].bytes)
            memcpy(at, value[i].p, value[i].bytes);
        at += value[i].bytes;
    }
    return (struct text){p, bytes};
}

/* A filter that takes a part of the rows: those of a book. */
static bool filter_takes(const char *sql, const struct row *r, const struct tx *tx)
{
    int64_t book = number_after(sql, "AND s.price_book_id = ");
    if (book < 0)
        book = number_after(sql, "ELSE p.new_price_book_id END = ");
    const struct row *p = book < 0 ? NULL : posted_for(r, tx, tx->snapshot, NULL);
    return book < 0 || book == (p ? p->v.adjustment.book : r->v.row.book);
}

STATEMENT(rows_read)
{
    const struct tx *tx = conn->backend->tx;
    const struct range range = range_of(conn->sql);
    const struct list *list = list_of(conn->sql);
    struct row_view view = {.tx = tx, .run = number_after(conn->sql, "WHERE run_id = ")};
    size_t rows = 0;
    struct copy_out *out = sim_alloc(sizeof(*out));
    (void)params;
    for (const struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        rows++;
    out->message = sim_alloc((rows + 1) * sizeof(*out->message));
    for (const struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (row_is_in(r, tx, tx->snapshot) && is_in_range(r, &range) &&
            filter_takes(conn->sql, r, tx)) {
            view_begin(&view, r);
            out->message[out->count] = message_of(&view, list, out->count == 0);
            out->count++;
        }
    out->message[out->count] = message_of(NULL, list, out->count == 0);
    out->count++;
    conn->out = out;
    return answer_new(PGRES_COPY_OUT, 0);
}

/* --- adjustments ---------------------------------------------------------------------------- */

static void adjustment_fill(struct row *r, const struct fields *f, const char *raw)
{
    r->v.adjustment.run = field_int(f, FIELD_run_id);
    r->v.adjustment.start = field_int(f, FIELD_start_time);
    memcpy(r->v.adjustment.identity, f->p[field_of(f, FIELD_identity)], 16);
    r->v.adjustment.audit = text_eq(field_text(f, FIELD_kind), (struct text){"audit", 5});
    r->v.adjustment.had_spend = field_numeric(f, FIELD_old_spend, &r->v.adjustment.old_spend);
    r->v.adjustment.has_spend = field_numeric(f, FIELD_new_spend, &r->v.adjustment.spend);
    r->v.adjustment.old_book = (int32_t)field_int(f, FIELD_old_price_book_id);
    r->v.adjustment.book = (int32_t)field_int(f, FIELD_new_price_book_id);
    r->v.adjustment.flags = (int32_t)field_int(f, FIELD_new_flags);
    r->v.adjustment.old_status = field_text(f, FIELD_old_status);
    r->v.adjustment.old_reason = field_text(f, FIELD_old_reason);
    r->v.adjustment.raw = raw;
    r->v.adjustment.columns = f->columns;
    r->v.adjustment.place = db.places++;
}

static bool text_is_column(struct text text, const struct row *row, int column)
{
    struct text value = column_of(row, column);
    return text_eq(text, value.p ? value : (struct text){"", 0});
}

/* adjustment_fits() */
static bool fits(const struct row *a, const struct row *row)
{
    struct text flags = column_of(row, FIELD_flags);
    return a->v.adjustment.start == row->v.row.start &&
           memcmp(a->v.adjustment.identity, row->v.row.identity, 16) == 0 &&
           a->v.adjustment.old_book == row->v.row.book &&
           a->v.adjustment.had_spend == row->v.row.has_spend &&
           a->v.adjustment.old_spend == row->v.row.spend &&
           text_is_column(a->v.adjustment.old_status, row, FIELD_pricing_status) &&
           text_is_column(a->v.adjustment.old_reason, row, FIELD_pricing_reason) &&
           ((a->v.adjustment.flags ^ (int32_t)int_at(flags.p, (int)flags.bytes)) & READING_FLAGS) ==
               0;
}

/* The row as the adjustment says it is. */
static void adjusted_fill(struct row *to, const struct row *row, const struct row *a)
{
    to->v = row->v;
    to->v.row.place = db.places++;
    if (!a)
        return;
    to->v.row.adjusted = a;
    to->v.row.book = a->v.adjustment.book;
    to->v.row.has_spend = a->v.adjustment.has_spend;
    to->v.row.spend = a->v.adjustment.spend;
}

/* sums_audit(): the differences. */
static void sums_adjust(struct tx *tx, const struct row *a)
{
    struct row *delta = db_add(tx, TABLE_DELTAS, 0);
    delta->v.delta.spend = a->v.adjustment.spend - a->v.adjustment.old_spend;
}

/* posted_expect(), and the sums: the row stands in a closed period as the adjustment says. */
static PGresult *posted_expect(struct pg_conn *conn, const struct row *a)
{
    struct tx *tx = conn->backend->tx;
    const struct tx *in_way;
    const struct row *run = run_seen(tx, a->v.adjustment.run),
                     *row = key_find(tx, a->v.adjustment.start,
                                     (const char *)a->v.adjustment.identity, &in_way);
    PGresult *failed = expect_claimed(conn, day_of(a->v.adjustment.start), true);
    if (failed)
        return failed;
    struct row before = row ? *row : (struct row){0};
    for (const struct row *p = row ? db_bucket(TABLE_ADJUSTMENTS, a->hash) : NULL; p; p = p->chain)
        if (p != a && p->hash == a->hash && p->table == TABLE_ADJUSTMENTS && row_is_seen(p, tx) &&
            !p->v.adjustment.audit && p->v.adjustment.run == a->v.adjustment.run)
            return answer_error("23505", "spend_adjustments_posted_key", "posted already");
    const struct row *p = row ? posted_for(row, tx, -1, a) : NULL;
    if (p)
        adjusted_fill(&before, row, p);
    if (!row || !run || run->v.run.done || !fits(a, &before) ||
        (p && p->v.adjustment.run > a->v.adjustment.run))
        return not_as_expected("no adjustment of this run can be posted for the row");
    sums_adjust(tx, a);
    sim_happened(HAPPENED_POSTED);
    return NULL;
}

PGresult *adjustments_copy(struct pg_conn *conn, const struct copy *copy)
{
    struct fields *f = sim_alloc(sizeof(*f));
    const char *p = copy->p + COPY_HEADER_BYTES, *raw = p;
    size_t count = 0;
    f->columns = columns_of(copy->sql);
    enum table table = f->columns->table;
    for (; fields_next(f, &p); count++, raw = p) {
        uint64_t hash = db_hash(db_hash_int(11, field_int(f, FIELD_start_time)),
                                f->p[field_of(f, FIELD_identity)], 16);
        struct row *a = db_add(conn->backend->tx, table, hash);
        adjustment_fill(a, f, raw);
        PGresult *failed = a->v.adjustment.audit ? NULL : posted_expect(conn, a);
        if (failed)
            return failed;
    }
    PGresult *res = answer_done();
    answer_count(res, count);
    return res;
}

/* Waits for who holds the row. */
static PGresult *row_of_adjustment(struct pg_conn *conn, const struct row *a, struct row **row)
{
    const struct tx *in_way;
    for (;;) {
        *row = key_find(conn->backend->tx, a->v.adjustment.start,
                        (const char *)a->v.adjustment.identity, &in_way);
        in_way = *row ? row_in_way(*row, conn->backend->tx) : in_way;
        if (!in_way)
            return NULL;
        PGresult *failed = wait_for_tx(conn, in_way);
        if (failed)
            return failed;
    }
}

static bool is_mine(const struct row *a, const struct tx *tx, int64_t run, int64_t since,
                    int64_t until)
{
    return a->made == tx && !a->gone && a->v.adjustment.run == run && a->v.adjustment.audit &&
           a->v.adjustment.start >= since && a->v.adjustment.start <= until;
}

STATEMENT(adjust_rows)
{
    struct tx *tx = conn->backend->tx;
    int64_t run = param_int(params, 1), since = param_int(params, 3), until = param_int(params, 4),
            given = 0, changed = 0;
    int32_t day = (int32_t)param_int(params, 2);
    PGresult *failed = expect_claimed(conn, day, false);
    for (size_t n = 0; !failed && n < tx->count; n++) {
        struct row *row, *a = tx->journal[n].row;
        if (a->table != TABLE_ADJUSTMENTS || !is_mine(a, tx, run, since, until))
            continue;
        given++;
        failed = row_of_adjustment(conn, a, &row);
        if (failed || !row || row->v.row.day != day || !fits(a, row))
            continue;
        adjusted_fill(db_add(tx, TABLE_ROWS, row->hash), row, a);
        db_end(tx, row);
        sums_adjust(tx, a);
        changed++;
    }
    if (!failed && given != changed)
        failed =
            not_as_expected("rows are no longer as they were read: somebody else changed them");
    if (failed)
        return failed;
    sim_happened(HAPPENED_REPRICED);
    sim_trace("day %d: %lld rows are repriced", (int)day, (long long)changed);
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    answer_int8(res, changed);
    return res;
}

/* --- days, rewritten ------------------------------------------------------------------------ */

STATEMENT(snapshot_export)
{
    int32_t day = day_named(conn->sql, "partition_name('");
    int64_t blocks = 0;
    const struct tx *tx = conn->backend->tx;
    (void)params;
    for (const struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (r->v.row.day == day && r->v.row.place / ROWS_PER_BLOCK >= blocks)
            blocks = r->v.row.place / ROWS_PER_BLOCK + 1;
    PGresult *res = answer_new(PGRES_TUPLES_OK, 2);
    answer_word(res, sim_text("%lld", (long long)tx->snapshot));
    answer_int8(res, blocks);
    return res;
}

STATEMENT(snapshot_take)
{
    (void)params;
    conn->backend->tx->snapshot = number_after(conn->sql, "SNAPSHOT '");
    return answer_done();
}

static struct row *shadow_of(const struct tx *tx, int32_t day)
{
    for (struct row *r = db.first[TABLE_SHADOWS]; r; r = r->next)
        if (r->v.shadow.day == day && row_is_seen(r, tx))
            return r;
    return NULL;
}

/* The shadow's tables, and what is known of it; somebody else may be at them. */
static const struct tx *shadow_drop(struct tx *tx, int32_t day)
{
    static const enum table tables[] = {TABLE_SHADOWS, TABLE_SHADOW_ROWS, TABLE_STAGED};
    for (int pass = 0; pass < 2; pass++)
        for (size_t t = 0; t < 3; t++)
            for (struct row *r = db.first[tables[t]]; r; r = r->next) {
                int32_t of = tables[t] == TABLE_SHADOWS  ? r->v.shadow.day
                             : tables[t] == TABLE_STAGED ? day_of(r->v.adjustment.start)
                                                         : r->v.row.day;
                if (of != day)
                    continue;
                if (pass == 0 && row_in_way(r, tx))
                    return row_in_way(r, tx);
                if (pass == 1 && row_is_seen(r, tx))
                    db_end(tx, r);
            }
    return NULL;
}

STATEMENT(shadow_create)
{
    struct tx *tx = conn->backend->tx;
    int32_t day = day_named(conn->sql, "shadow_create('");
    const struct tx *other;
    (void)params;
    if (!day_is_claimed(day) || day_is_closed(tx, day))
        return not_as_expected("the day is not claimed, or closed");
    while ((other = shadow_drop(tx, day))) {
        PGresult *failed = wait_for_tx(conn, other);
        if (failed)
            return failed;
    }
    struct row *r = db_add(tx, TABLE_SHADOWS, db_hash_int(12, day));
    r->v.shadow.day = day;
    r->v.shadow.snapshot = tx->snapshot;
    return answer_done();
}

static const struct row *staged_for(const struct tx *tx, const struct row *row, int64_t from_block)
{
    for (const struct row *a = db.first[TABLE_STAGED]; a; a = a->next)
        if (row_is_seen(a, tx) && a->v.adjustment.place / ROWS_PER_BLOCK >= from_block &&
            fits(a, row))
            return a;
    return NULL;
}

static int64_t staged_until(const struct tx *tx, int32_t day)
{
    int64_t last = 0;
    for (const struct row *a = db.first[TABLE_STAGED]; a; a = a->next)
        if (row_is_seen(a, tx) && day_of(a->v.adjustment.start) == day &&
            a->v.adjustment.place / ROWS_PER_BLOCK > last)
            last = a->v.adjustment.place / ROWS_PER_BLOCK;
    return last;
}

/* A version of it in place of the one there is. */
static struct row *shadow_change(struct tx *tx, struct row *of)
{
    struct row *r = db_add(tx, TABLE_SHADOWS, of->hash);
    r->v = of->v;
    db_end(tx, of);
    return r;
}

STATEMENT(shadow_fill)
{
    struct tx *tx = conn->backend->tx;
    const char *p = strchr(strchr(conn->sql, '('), ',') + 1;
    char *rest;
    int32_t day = day_named(conn->sql, "shadow_fill('");
    int64_t blocks = strtoll(p, &rest, 10), staged_from = strtoll(rest + 1, NULL, 10), rows = 0;
    struct row *shadow = shadow_of(tx, day);
    (void)params;
    if (!shadow)
        return answer_error("P0002", NULL, "query returned no rows");
    int64_t from = shadow->v.shadow.filled_blocks;
    for (const struct row *r = db.first[TABLE_ROWS]; r; r = r->next) {
        int64_t block = r->v.row.place / ROWS_PER_BLOCK;
        if (r->v.row.day != day || block < from || block >= from + blocks ||
            !row_is_in(r, tx, tx->snapshot))
            continue;
        adjusted_fill(db_add(tx, TABLE_SHADOW_ROWS, r->hash), r, staged_for(tx, r, staged_from));
        rows++;
    }
    shadow = shadow_change(tx, shadow);
    shadow->v.shadow.filled_blocks += blocks;
    shadow->v.shadow.filled_rows += rows;
    PGresult *res = answer_new(PGRES_TUPLES_OK, 2);
    answer_word(res, sim_text("%lld", (long long)rows));
    answer_word(res, sim_text("%lld", (long long)staged_until(tx, day)));
    return res;
}

STATEMENT(staged_take)
{
    struct tx *tx = conn->backend->tx;
    int64_t run = param_int(params, 1), taken = 0;
    int32_t day = (int32_t)param_int(params, 2);
    PGresult *failed = expect_claimed(conn, day, false);
    const struct row *of = run_seen(tx, run);
    struct row *shadow = shadow_of(tx, day);
    if (failed)
        return failed;
    if (!of || of->v.run.done)
        return not_as_expected("there is no such run under way");
    if (!shadow || shadow->v.shadow.taken_in)
        return not_as_expected("the adjustments of the day were taken already");
    shadow_change(tx, shadow)->v.shadow.taken_in = tx;
    for (const struct row *a = db.first[TABLE_STAGED]; a; a = a->next) {
        if (!row_is_seen(a, tx) || day_of(a->v.adjustment.start) != day)
            continue;
        if (a->v.adjustment.run != run || !a->v.adjustment.audit)
            return not_as_expected("adjustments of the day are not of this run");
        db_add(tx, TABLE_ADJUSTMENTS, a->hash)->v = a->v;
        taken++;
    }
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    answer_int8(res, taken);
    return res;
}

/* Who else has the day's table. */
static const struct tx *day_user(const struct tx *tx, int32_t day)
{
    for (const struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (r->v.row.day == day && row_in_way(r, tx))
            return row_in_way(r, tx);
    return NULL;
}

struct day_digest {
    int64_t rows;
    uint64_t digest;
};

static void digest_add(struct day_digest *d, const struct row *r)
{
    uint64_t hash = db_hash(db_hash_int(r->v.row.start, r->v.row.content), r->v.row.identity, 16);
    d->rows++;
    d->digest ^= db_hash_int(db_hash_int(hash, r->v.row.offset), r->v.row.index);
}

/* What came since the snapshot, with the shadow's other rows. */
static int64_t late_take(struct tx *tx, int32_t day, int64_t snapshot)
{
    int64_t late = 0;
    for (const struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (r->v.row.day == day && row_is_seen(r, tx) && !row_is_in(r, tx, snapshot)) {
            adjusted_fill(db_add(tx, TABLE_SHADOW_ROWS, r->hash), r, NULL);
            late++;
        }
    if (late > 0)
        sim_happened(HAPPENED_LATE);
    return late;
}

static bool is_copied_whole(const struct tx *tx, int32_t day, int64_t rows)
{
    struct day_digest present = {0}, copied = {0};
    for (const struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (r->v.row.day == day && row_is_seen(r, tx))
            digest_add(&present, r);
    for (const struct row *r = db.first[TABLE_SHADOW_ROWS]; r; r = r->next)
        if (r->v.row.day == day && row_is_seen(r, tx))
            digest_add(&copied, r);
    return present.rows == copied.rows && present.digest == copied.digest && copied.rows == rows;
}

static void day_exchange(struct tx *tx, int32_t day)
{
    for (struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (r->v.row.day == day && row_is_seen(r, tx))
            db_end(tx, r);
    for (struct row *r = db.first[TABLE_SHADOW_ROWS]; r; r = r->next)
        if (r->v.row.day == day && row_is_seen(r, tx))
            db_add(tx, TABLE_ROWS, r->hash)->v = r->v;
    shadow_drop(tx, day);
}

/* The table of the day is had alone, within half a second; what it has is let go of with the
 * savepoint. */
static PGresult *swap_lock(struct pg_conn *conn, struct row **day, int32_t of)
{
    const struct tx *user;
    PGresult *failed = day_free(conn, of, day);
    if (failed || !*day)
        return failed ? failed : not_as_expected("the day is not there");
    (*day)->locker = conn->backend->tx;
    while ((user = day_user(conn->backend->tx, of)))
        if ((failed = wait_for_tx_ms(conn, user, SWAP_LOCK_MS))) {
            (*day)->locker = NULL;
            task_wake_waiting();
            return failed;
        }
    return NULL;
}

STATEMENT(swap_partition)
{
    struct tx *tx = conn->backend->tx;
    int32_t of = day_named(conn->sql, "swap_partition('");
    struct row *day, *shadow = shadow_of(tx, of);
    PGresult *failed = expect_claimed(conn, of, false);
    (void)params;
    if (!failed && (!shadow || shadow->v.shadow.taken_in != tx))
        failed = not_as_expected("the adjustments of the day are not in the books");
    if (failed || (failed = swap_lock(conn, &day, of)))
        return failed;
    for (const struct row *a = db.first[TABLE_STAGED]; a; a = a->next)
        if (row_is_seen(a, tx) && day_of(a->v.adjustment.start) == of)
            sums_adjust(tx, a);
    int64_t late = late_take(tx, of, shadow->v.shadow.snapshot);
    if (!is_copied_whole(tx, of, shadow->v.shadow.filled_rows + late))
        return not_as_expected("the day holds other rows than the copy");
    day_exchange(tx, of);
    sim_happened(HAPPENED_SWAPPED);
    sim_trace("reprice: day %d is swapped, %lld rows were late", (int)of, (long long)late);
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    answer_int8(res, late);
    return res;
}

STATEMENT(nothing)
{
    (void)conn, (void)params;
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    answer_null(res);
    return res;
}

STATEMENT(locks)
{
    (void)conn, (void)params;
    return answer_done();
}

/* --- all of them ---------------------------------------------------------------------------- */

static const struct statement statements[] = {
    {"LOCK TABLE spendlog.spend_logs", NULL, locks},
    {"SELECT d.day - date '2000-01-01'", "spendlog.reprice_days r", days_left},
    {"SELECT d.day - date '2000-01-01'", NULL, days_there},
    {"SELECT to_char(day, 'YYYY-MM-DD'), holder", NULL, days_claim},
    {"INSERT INTO spendlog.reprice_runs", NULL, run_insert},
    {"INSERT INTO spendlog.reprice_days", NULL, run_days_insert},
    {"SELECT max(run_id) FROM spendlog.reprice_runs", NULL, run_unfinished},
    {"SELECT price_book_id, considered", "spendlog.reprice_runs", run_select},
    {"UPDATE spendlog.reprice_runs SET considered", NULL, run_count},
    {"UPDATE spendlog.reprice_runs SET state = 'done'", NULL, run_finish},
    {"UPDATE spendlog.reprice_days SET state = 'dropped'", NULL, run_day_dropped},
    {"UPDATE spendlog.reprice_days SET changed", NULL, run_day_count},
    {"INSERT INTO spendlog.reprice_tallies", NULL, tallies_insert},
    {"SELECT dimension, value, rows", "spendlog.reprice_tallies", tallies_select},
    {"SELECT request_id, coalesce(model, ''), team_id", NULL, moves_none},
    {"SELECT t.start_time, t.identity", "spendlog.spend_adjustments", moves_none},
    {"SELECT FROM spendlog.price_books", NULL, book_exists},
    {"SELECT book_hash, book::text FROM spendlog.price_books", NULL, book_text},
    {"SELECT price_book_id FROM spendlog.price_books WHERE starts_with", NULL, book_begins},
    {"SELECT spendlog.posting_day()", NULL, posting_day},
    {"COPY (SELECT ", "FROM spendlog.stored_rows s", rows_read},
    {"SELECT spendlog.adjust_rows(", NULL, adjust_rows},
    {"SELECT pg_export_snapshot()", NULL, snapshot_export},
    {"SET TRANSACTION SNAPSHOT ", NULL, snapshot_take},
    {"SET spendlog.repricing = 'on'", NULL, session_mark},
    {"SELECT spendlog.shadow_create(", NULL, shadow_create},
    {"SELECT rows, staged_until FROM spendlog.shadow_fill(", NULL, shadow_fill},
    {"SELECT spendlog.shadow_index(", NULL, nothing},
    {"SELECT spendlog.older_snapshots_wait()", NULL, nothing},
    {"SELECT spendlog.staged_take(", NULL, staged_take},
    {"SELECT spendlog.swap_partition(", NULL, swap_partition},
};

const struct statement *statement_of_reprice(const char *sql)
{
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        const struct statement *s = &statements[i];
        if (strncmp(sql, s->begins, strlen(s->begins)) == 0 && (!s->holds || strstr(sql, s->holds)))
            return s;
    }
    return NULL;
}
