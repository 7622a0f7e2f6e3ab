/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One query a check, all in one snapshot; each row that differs is told as a finding, with what was
 * counted and what is there.
 */
#include "store/verify.h"

#include "core/must.h"
#include "store/lock_holder.h"
#include "store/migrate.h"
#include "store/pg.h"

#include <stdio.h>

const char *const verify_kind_name[VERIFY_KINDS] = {
    [VERIFY_CONSERVATION] = "conservation",
    [VERIFY_ROWS] = "rows",
    [VERIFY_DIGEST] = "digest",
    [VERIFY_OFFSETS] = "offsets",
    [VERIFY_REJECTED] = "rejected",
    [VERIFY_CONFLICTS] = "conflicts",
    [VERIFY_BATCHES] = "batches",
    [VERIFY_BOOK] = "book",
    [VERIFY_SUMS] = "sums",
    [VERIFY_EXCLUDED] = "excluded",
    [VERIFY_CHARGE] = "charge",
    [VERIFY_DUPLICATE] = "duplicate",
    [VERIFY_DRIFT] = "drift",
    [VERIFY_GAP] = "gap",
    [VERIFY_SETBACK] = "setback",
    [VERIFY_HAND] = "hand",
};

struct verify {
    struct pg pg;
    verify_fn *tell;
    void *context;
    struct verify_totals *totals;
};

static void tell(struct verify *v, enum verify_kind kind, const char *place, const char *text,
                 int64_t expected, int64_t found)
{
    const struct verify_finding finding = {kind, kind < VERIFY_GAP, place, text, expected, found};
    v->totals->differences += finding.difference;
    v->tell(&finding, v->context);
}

static void compare(struct verify *v, enum verify_kind kind, const char *place, const char *what,
                    int64_t expected, int64_t found)
{
    char text[160];
    if (expected == found)
        return;
    snprintf(text, sizeof(text), "%s: %lld were counted, %lld are there", what, (long long)expected,
             (long long)found);
    tell(v, kind, place, text, expected, found);
}

typedef void row_fn(struct verify *v, const PGresult *res, int row);

static bool each_row(struct verify *v, const char *sql, row_fn *on_row, struct err *err)
{
    PGresult *res = pg_query(&v->pg, sql, NULL, err);
    if (!res)
        return false;
    for (int i = 0; i < PQntuples(res); i++)
        on_row(v, res, i);
    PQclear(res);
    return true;
}

/* --- strange hands --------------------------------------------------------------------------- */

/* What a repair by hand has changed the checks above may find or not: that there was one is told
 * until somebody answers for it (strange_hands.accepted_by). */
static void tell_hand(struct verify *v, const PGresult *res, int row)
{
    char place[100], text[300];
    snprintf(place, sizeof(place), SLICE_FMT, SLICE_ARG(pg_text(res, row, 0)));
    snprintf(text, sizeof(text), SLICE_FMT " by hand: %.64s (%.64s), " SLICE_FMT,
             SLICE_ARG(pg_text(res, row, 1)), PQgetvalue(res, row, 2), PQgetvalue(res, row, 3),
             SLICE_ARG(pg_text(res, row, 4)));
    tell(v, VERIFY_HAND, place, text, 0, 1);
    v->totals->hands++;
}

static bool tell_hands(struct verify *v, struct err *err)
{
    return each_row(v,
                    "SELECT relation::text, action, done_by, application,"
                    " to_char(done_at, 'YYYY-MM-DD HH24:MI:SS')"
                    " FROM spendlog.strange_hands WHERE accepted_by IS NULL"
                    " ORDER BY hand_id",
                    tell_hand, err);
}

/* --- partitions ----------------------------------------------------------------------------- */

/* One scan of the rows. Rows of a partition nobody knows come out with a NULL group. */
static const char partitions[] =
    "WITH stored AS ("
    "  SELECT l.partition_id, count(*) AS rows, min(l.kafka_offset) AS first,"
    "   max(l.kafka_offset) AS last, sum(l.spend) AS spend,"
    "   count(*) FILTER (WHERE b.price_book_id IS NULL) AS without_book,"
    "   bit_xor(spendlog.row_digest(l.start_time, l.identity, l.content_hash, l.kafka_offset,"
    "    l.record_index, l.team_id, l.user_id, l.api_key, l.organization_id, l.model)) AS digest"
    "  FROM spendlog.spend_logs l LEFT JOIN spendlog.price_books b"
    "   ON b.price_book_id = l.price_book_id GROUP BY 1),"
    " open_rejects AS ("
    "  SELECT partition_id, count(*) AS count FROM spendlog.rejected_events"
    "  WHERE resolved_at IS NULL GROUP BY 1),"
    " conflicts AS ("
    "  SELECT partition_id, count(*) AS count FROM spendlog.ingest_conflicts GROUP BY 1)"
    " SELECT o.group_id, o.topic, o.partition, o.incarnation, o.first_offset,"
    "  o.next_offset + (o.next_index > 0)::integer,"
    "  o.messages, o.records, o.rows, o.duplicates, o.rejected, o.skipped, o.conflicts,"
    "  o.rows_dropped, coalesce(s.rows, 0), s.first, s.last, coalesce(s.without_book, 0),"
    "  coalesce(r.count, 0), coalesce(c.count, 0), coalesce(s.partition_id, 0), s.spend::text,"
    "  coalesce(s.digest, 0) IS DISTINCT FROM o.row_digest"
    " FROM spendlog.kafka_offsets o"
    " FULL JOIN stored s ON s.partition_id = o.partition_id"
    " LEFT JOIN open_rejects r ON r.partition_id = o.partition_id"
    " LEFT JOIN conflicts c ON c.partition_id = o.partition_id"
    " ORDER BY o.group_id, o.topic, o.partition, o.incarnation";

enum {
    P_GROUP,
    P_TOPIC,
    P_PARTITION,
    P_INCARNATION,
    P_FIRST,
    P_NEXT,
    P_MESSAGES,
    P_RECORDS,
    P_ROWS,
    P_DUPLICATES,
    P_REJECTED,
    P_SKIPPED,
    P_CONFLICTS,
    P_DROPPED,
    P_STORED,
    P_STORED_FIRST,
    P_STORED_LAST,
    P_WITHOUT_BOOK,
    P_OPEN_REJECTS,
    P_STORED_CONFLICTS,
    P_STORED_ID,
    P_SPEND,
    P_DIFFERS
};

static void place_of(const PGresult *res, int row, char *place, size_t capacity)
{
    int incarnation = (int)pg_int(res, row, P_INCARNATION);
    snprintf(place, capacity, "group " SLICE_FMT ", " SLICE_FMT "/%d",
             SLICE_ARG(pg_text(res, row, P_GROUP)), SLICE_ARG(pg_text(res, row, P_TOPIC)),
             (int)pg_int(res, row, P_PARTITION));
    if (incarnation > 1)
        snprintf(place + strlen(place), capacity - strlen(place), " incarnation %d", incarnation);
}

static void add_totals(struct verify_totals *t, const PGresult *res, int row)
{
    t->partitions++;
    t->messages += pg_int(res, row, P_MESSAGES);
    t->records += pg_int(res, row, P_RECORDS);
    t->rows += pg_int(res, row, P_ROWS);
    t->duplicates += pg_int(res, row, P_DUPLICATES);
    t->rejected += pg_int(res, row, P_REJECTED);
    t->skipped += pg_int(res, row, P_SKIPPED);
}

static void check_offsets(struct verify *v, const PGresult *res, int row, const char *place)
{
    char text[160];
    if (pg_int(res, row, P_STORED) == 0 ||
        (pg_int(res, row, P_STORED_FIRST) >= pg_int(res, row, P_FIRST) &&
         pg_int(res, row, P_STORED_LAST) < pg_int(res, row, P_NEXT)))
        return;
    snprintf(text, sizeof(text), "rows of offsets %lld to %lld, but %lld to %lld were read",
             (long long)pg_int(res, row, P_STORED_FIRST),
             (long long)pg_int(res, row, P_STORED_LAST), (long long)pg_int(res, row, P_FIRST),
             (long long)pg_int(res, row, P_NEXT) - 1);
    tell(v, VERIFY_OFFSETS, place, text, 0, 0);
}

static void check_partition(struct verify *v, const PGresult *res, int row)
{
    char place[512];
    place_of(res, row, place, sizeof(place));
    add_totals(v->totals, res, row);
    compare(v, VERIFY_CONSERVATION, place, "records",
            pg_int(res, row, P_ROWS) + pg_int(res, row, P_DUPLICATES) +
                pg_int(res, row, P_REJECTED) + pg_int(res, row, P_SKIPPED),
            pg_int(res, row, P_RECORDS));
    compare(v, VERIFY_ROWS, place, "rows", pg_int(res, row, P_ROWS) - pg_int(res, row, P_DROPPED),
            pg_int(res, row, P_STORED));
    if (pg_int(res, row, P_DIFFERS) != 0 &&
        pg_int(res, row, P_ROWS) - pg_int(res, row, P_DROPPED) == pg_int(res, row, P_STORED))
        tell(v, VERIFY_DIGEST, place,
             "as many rows as were counted, but not those that were stored: one was changed or"
             " replaced",
             0, 0);
    check_offsets(v, res, row, place);
    compare(v, VERIFY_REJECTED, place, "rejected events", pg_int(res, row, P_REJECTED),
            pg_int(res, row, P_OPEN_REJECTS));
    compare(v, VERIFY_CONFLICTS, place, "conflicts", pg_int(res, row, P_CONFLICTS),
            pg_int(res, row, P_STORED_CONFLICTS));
}

static void check_stranger(struct verify *v, const PGresult *res, int row)
{
    char place[64];
    snprintf(place, sizeof(place), "partition_id %lld, which is unknown",
             (long long)pg_int(res, row, P_STORED_ID));
    compare(v, VERIFY_ROWS, place, "rows", 0, pg_int(res, row, P_STORED));
}

static bool add_spend(struct verify_totals *totals, const PGresult *res, int row, struct err *err)
{
    struct sum spend;
    if (!pg_sum(res, row, P_SPEND, &spend, err))
        return false;
    sum_add(&totals->spend, spend);
    return true;
}

static bool check_partitions(struct verify *v, struct err *err)
{
    MUST(pg_inside(&v->pg)); /* one snapshot for all that is compared */
    PGresult *res = pg_query(&v->pg, partitions, NULL, err);
    if (!res)
        return false;
    int64_t without_book = 0;
    bool ok = true;
    for (int i = 0; ok && i < PQntuples(res); i++) {
        if (pg_null(res, i, P_GROUP))
            check_stranger(v, res, i);
        else
            check_partition(v, res, i);
        v->totals->rows_stored += pg_int(res, i, P_STORED);
        without_book += pg_int(res, i, P_WITHOUT_BOOK);
        ok = add_spend(v->totals, res, i, err);
    }
    PQclear(res);
    compare(v, VERIFY_BOOK, "", "rows whose price book is not stored", 0, without_book);
    return ok;
}

/* --- groups, days, gaps --------------------------------------------------------------------- */

static void check_batch(struct verify *v, const PGresult *res, int row)
{
    char place[300];
    snprintf(place, sizeof(place), "group " SLICE_FMT, SLICE_ARG(pg_text(res, row, 0)));
    compare(v, VERIFY_BATCHES, place, "rows of batches", pg_int(res, row, 1), pg_int(res, row, 2));
}

static bool check_batches(struct verify *v, struct err *err)
{
    return each_row(
        v,
        "SELECT group_id, coalesce(o.rows, 0)::bigint, coalesce(b.rows, 0)::bigint"
        " FROM (SELECT group_id, sum(rows) AS rows FROM spendlog.kafka_offsets GROUP BY 1) o"
        " FULL JOIN (SELECT group_id, sum(rows) AS rows FROM spendlog.ingest_batches GROUP BY 1) b"
        " USING (group_id)",
        check_batch, err);
}

/* What a row is set aside by takes out all that it comes to, posted corrections included; what puts
 * it back leaves nothing. A row that retention dropped is known by its entries alone. */
static const char excluded[] =
    "WITH entries AS (SELECT e.start_time, e.identity, coalesce(sum(e.spend), 0) AS spend,"
    "  coalesce(sum(e.input_cost), 0) AS input_cost, coalesce(sum(e.output_cost), 0) AS "
    "output_cost,"
    "  coalesce(sum(e.other_cost), 0) AS other_cost,"
    "  coalesce(sum(e.gateway_cost), 0) AS gateway_cost,"
    "  coalesce(sum(e.input_tokens), 0) AS input_tokens,"
    "  coalesce(sum(e.output_tokens), 0) AS output_tokens"
    " FROM spendlog.exclusions e GROUP BY 1, 2),"
    " both_sides AS (SELECT e.*, x.identity IS NOT NULL AS in_force, l.identity IS NULL AS gone,"
    "  coalesce(l.spend, 0) + coalesce((SELECT"
    "   sum(coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0)) FROM spendlog.spend_adjustments a"
    "   WHERE a.kind = 'posted' AND a.start_time = e.start_time AND a.identity = e.identity), 0)"
    "   AS row_spend, coalesce(l.input_cost, 0) AS row_input_cost,"
    "  coalesce(l.output_cost, 0) AS row_output_cost, coalesce(l.other_cost, 0) AS row_other_cost,"
    "  coalesce(l.gateway_cost, 0) AS row_gateway_cost,"
    "  coalesce(l.input_tokens, 0) AS row_input_tokens,"
    "  coalesce(l.output_tokens, 0) AS row_output_tokens"
    " FROM entries e"
    " LEFT JOIN spendlog.excluded_rows x ON x.start_time = e.start_time AND x.identity = e.identity"
    " LEFT JOIN spendlog.spend_logs l ON l.start_time = e.start_time AND l.identity = e.identity)"
    " SELECT b.identity::text, b.in_force FROM both_sides b WHERE NOT (b.in_force AND b.gone)"
    "  AND (b.spend, b.input_cost, b.output_cost, b.other_cost, b.gateway_cost, b.input_tokens,"
    "   b.output_tokens) IS DISTINCT FROM"
    "  CASE WHEN b.in_force THEN (-b.row_spend, -b.row_input_cost, -b.row_output_cost,"
    "   -b.row_other_cost, -b.row_gateway_cost, -b.row_input_tokens::numeric,"
    "   -b.row_output_tokens::numeric) ELSE (0::numeric, 0::numeric, 0::numeric, 0::numeric,"
    "   0::numeric, 0::numeric, 0::numeric) END"
    " UNION ALL SELECT x.identity::text, true FROM spendlog.excluded_rows x"
    "  WHERE NOT EXISTS (SELECT FROM entries e"
    "   WHERE e.start_time = x.start_time AND e.identity = x.identity)"
    " ORDER BY 1";

static void check_exclusion(struct verify *v, const PGresult *res, int row)
{
    char place[64];
    snprintf(place, sizeof(place), "row " SLICE_FMT, SLICE_ARG(pg_text(res, row, 0)));
    tell(v, VERIFY_EXCLUDED, place,
         pg_int(res, row, 1) ? "set aside by entries that do not cancel it"
                             : "put back by entries that do not cancel each other",
         0, 1);
}

static void check_duplicate(struct verify *v, const PGresult *res, int row)
{
    char place[512], text[160];
    place_of(res, row, place, sizeof(place));
    snprintf(text, sizeof(text),
             "%lld sampled duplicates, the first at offset %lld, are of rows that are nowhere",
             (long long)pg_int(res, row, 4), (long long)pg_int(res, row, 5));
    tell(v, VERIFY_DUPLICATE, place, text, 0, pg_int(res, row, 4));
}

/* Of each batch some duplicates are noted with the key of their row (duplicate_samples). A row that
 * retention dropped since is not missing. */
static bool check_duplicates(struct verify *v, struct err *err)
{
    return each_row(
        v,
        "WITH samples AS MATERIALIZED ("
        "  SELECT d.* FROM spendlog.duplicate_samples d WHERE NOT EXISTS"
        "   (SELECT FROM spendlog.dropped_partitions p WHERE p.day = d.start_time::date)),"
        " found AS MATERIALIZED ("
        "  SELECT d.start_time, d.identity FROM samples d JOIN spendlog.stored_rows s"
        "   ON s.start_time = d.start_time AND s.identity = d.identity)"
        " SELECT o.group_id, o.topic, o.partition, o.incarnation, count(*), min(d.kafka_offset)"
        " FROM samples d JOIN spendlog.kafka_offsets o ON o.partition_id = d.partition_id"
        " WHERE NOT EXISTS (SELECT FROM found f"
        "   WHERE f.start_time = d.start_time AND f.identity = d.identity)"
        " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
        check_duplicate, err);
}

static void tell_setback(struct verify *v, const PGresult *res, int row)
{
    char place[512], text[160];
    place_of(res, row, place, sizeof(place));
    snprintf(text, sizeof(text),
             "the database went back from offset %lld to %lld, which was read again",
             (long long)pg_int(res, row, 4), (long long)pg_int(res, row, 5));
    tell(v, VERIFY_SETBACK, place, text, pg_int(res, row, 4), pg_int(res, row, 5));
    v->totals->setbacks++;
}

static bool tell_setbacks(struct verify *v, struct err *err)
{
    return each_row(v,
                    "SELECT o.group_id, o.topic, o.partition, o.incarnation,"
                    " s.known_offset, s.stored_offset"
                    " FROM spendlog.kafka_setbacks s JOIN spendlog.kafka_offsets o"
                    " ON o.partition_id = s.partition_id ORDER BY s.setback_id",
                    tell_setback, err);
}

static void tell_gap(struct verify *v, const PGresult *res, int row)
{
    char place[512], text[512];
    place_of(res, row, place, sizeof(place));
    snprintf(text, sizeof(text), "offset %lld was to come, %lld did: " SLICE_FMT,
             (long long)pg_int(res, row, 4), (long long)pg_int(res, row, 5),
             SLICE_ARG(pg_text(res, row, 6)));
    tell(v, VERIFY_GAP, place, text, pg_int(res, row, 4), pg_int(res, row, 5));
    v->totals->gaps++;
}

static bool tell_gaps(struct verify *v, struct err *err)
{
    return each_row(v,
                    "SELECT o.group_id, o.topic, o.partition, o.incarnation,"
                    " g.stored_offset, g.resumed_offset, g.why"
                    " FROM spendlog.kafka_gaps g JOIN spendlog.kafka_offsets o"
                    " ON o.partition_id = g.partition_id ORDER BY g.gap_id",
                    tell_gap, err);
}

bool verify_run(const char *conninfo, verify_fn *finding, void *context,
                struct verify_totals *totals, struct err *err)
{
    struct verify v = {.tell = finding, .context = context, .totals = totals};
    const struct pg_options options = {
        .conninfo = conninfo, .application_name = "spendlog verify", .read_only = true};
    memset(totals, 0, sizeof(*totals));
    if (!migrate_open(&v.pg, &options, err))
        return false;
    bool ok = lock_holder_await_rows(&v.pg, err) && pg_begin(&v.pg, PG_SNAPSHOT, err) &&
              tell_hands(&v, err) && check_partitions(&v, err) && check_batches(&v, err) &&
              each_row(&v, excluded, check_exclusion, err) && check_duplicates(&v, err) &&
              tell_gaps(&v, err) && tell_setbacks(&v, err);
    pg_close(&v.pg);
    return ok;
}

/* --- sums ----------------------------------------------------------------------------------- */

enum { S_LEVEL, S_DAY, S_LINES, S_CALLS, S_ROW_CALLS, S_SPEND, S_ROW_SPEND, S_MERGED };

static void tell_sums(struct verify *v, const PGresult *res, int row)
{
    char place[64], text[320];
    snprintf(place, sizeof(place), SLICE_FMT ", level " SLICE_FMT,
             SLICE_ARG(pg_text(res, row, S_DAY)), SLICE_ARG(pg_text(res, row, S_LEVEL)));
    snprintf(text, sizeof(text),
             "%lld lines: the sums say " SLICE_FMT " calls, " SLICE_FMT " USD, the %s " SLICE_FMT
             " calls, " SLICE_FMT " USD",
             (long long)pg_int(res, row, S_LINES), SLICE_ARG(pg_text(res, row, S_CALLS)),
             SLICE_ARG(pg_text(res, row, S_SPEND)),
             pg_int(res, row, S_MERGED) ? "merged lines" : "rows",
             SLICE_ARG(pg_text(res, row, S_ROW_CALLS)), SLICE_ARG(pg_text(res, row, S_ROW_SPEND)));
    tell(v, VERIFY_SUMS, place, text, 0, pg_int(res, row, S_LINES));
}

static bool check_sums(struct verify *v, struct err *err)
{
    return each_row(v,
                    "SELECT level, day::text, lines, sum_calls::text, row_calls::text,"
                    " trim_scale(sum_spend)::text, trim_scale(row_spend)::text,"
                    " grain <> 'slot' FROM (SELECT * FROM spendlog.sums_differ(true)"
                    " UNION ALL SELECT * FROM spendlog.totals_differ()) d",
                    tell_sums, err);
}

bool verify_sums(const char *conninfo, verify_fn *finding, void *context,
                 struct verify_totals *totals, struct err *err)
{
    struct verify v = {.tell = finding, .context = context, .totals = totals};
    const struct pg_options options = {
        .conninfo = conninfo, .application_name = "spendlog verify", .read_only = true};
    if (!migrate_open(&v.pg, &options, err))
        return false;
    bool ok = lock_holder_await_rows(&v.pg, err) && pg_begin(&v.pg, PG_SNAPSHOT, err) &&
              check_sums(&v, err);
    pg_close(&v.pg);
    return ok;
}
