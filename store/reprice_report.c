/* SPDX-License-Identifier: Apache-2.0 */
/* What a run did. Totals and tallies of a dry run are in memory, those of others in the database.
 * The rows that moved most are noted on the way; only a resumed run has to look for them among all
 * its records. */
#include "store/reprice_impl.h"

#include "core/must.h"
#include "core/utf8.h"

#include <stdlib.h>

/* --- the rows that moved most --------------------------------------------------------------- */

static i128 size_of(const struct reprice_move *move)
{
    i128 size = move->after.atto - move->before.atto;
    return size < 0 ? -size : size;
}

/* Whether a comes before b: by size, then by key, so that the list does not depend on the order of
 * reading. */
static bool precedes(const struct reprice_move *a, const struct reprice_move *b)
{
    if (size_of(a) != size_of(b))
        return size_of(a) > size_of(b);
    if (a->start_time_us != b->start_time_us)
        return a->start_time_us < b->start_time_us;
    return memcmp(a->identity, b->identity, sizeof(a->identity)) < 0;
}

void reprice_move_note(struct reprice *run, const struct row_field *start_time,
                       const struct row_field *identity, bool had_spend, struct money before,
                       const struct charge *charge)
{
    struct reprice_report *report = &run->report;
    struct reprice_move move = {
        .start_time_us = copy_int(start_time) + PG_EPOCH_US,
        .had_spend = had_spend,
        .has_spend = charge->has_spend,
        .before = before,
        .after = charge->has_spend ? charge->spend : (struct money){0},
    };
    if (run->resumed)
        return;
    MUST(report->move_count <= REPRICE_TOP_MAX, report->move_count);
    memcpy(move.identity, identity->p, sizeof(move.identity));
    size_t i = report->move_count;
    if (i == REPRICE_TOP_MAX) {
        if (!precedes(&move, &report->move[i - 1]))
            return;
        i--;
    } else {
        report->move_count++;
    }
    for (; i > 0 && precedes(&move, &report->move[i - 1]); i--)
        report->move[i] = report->move[i - 1];
    report->move[i] = move;
}

static void text_take(char *to, size_t capacity, const PGresult *res, int row, int column)
{
    utf8_copy(to, capacity, pg_text(res, row, column));
}

static void labels_take(struct reprice_move *move, const PGresult *res, int row, int column)
{
    text_take(move->request_id, sizeof(move->request_id), res, row, column);
    text_take(move->model, sizeof(move->model), res, row, column + 1);
    text_take(move->team, sizeof(move->team), res, row, column + 2);
}

static bool moves_describe(struct reprice *run, struct err *err)
{
    for (size_t i = 0; i < run->report.move_count; i++) {
        struct reprice_move *move = &run->report.move[i];
        struct pg_args args;
        pg_args_init(&args);
        pg_arg_time(&args, move->start_time_us);
        pg_arg_text(&args, (struct slice){(const char *)move->identity, sizeof(move->identity)});
        PGresult *res = pg_query(&run->read,
                                 "SELECT request_id, coalesce(model, ''), team_id"
                                 " FROM spendlog.spend_logs"
                                 " WHERE start_time = $1::timestamp AND identity = $2::uuid",
                                 &args, err);
        if (res && PQntuples(res) == 1)
            labels_take(move, res, 0, 0);
        PQclear(res);
        pg_args_free(&args);
        if (!res)
            return false;
    }
    return true;
}

static bool money_at(const PGresult *res, int row, int column, bool *has, struct money *m,
                     struct err *err)
{
    struct row_field field = {PQgetvalue(res, row, column),
                              pg_null(res, row, column) ? -1 : PQgetlength(res, row, column)};
    return copy_money(&field, has, m, err);
}

static bool moves_load(struct reprice *run, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_int8(&args, run->run_id);
    pg_arg_int4(&args, REPRICE_TOP_MAX);
    PGresult *res = pg_query(
        &run->read,
        "SELECT t.start_time, t.identity, t.old_spend, t.new_spend, coalesce(l.request_id, ''),"
        " coalesce(l.model, ''), coalesce(l.team_id, '') FROM"
        " (SELECT start_time, identity, old_spend, new_spend,"
        "   abs(coalesce(new_spend, 0) - coalesce(old_spend, 0)) AS size"
        "  FROM spendlog.spend_adjustments WHERE run_id = $1"
        "  ORDER BY size DESC, start_time, identity LIMIT $2::int) t"
        " LEFT JOIN spendlog.spend_logs l ON l.start_time = t.start_time AND l.identity = "
        "t.identity"
        " ORDER BY t.size DESC, t.start_time, t.identity",
        &args, err);
    bool ok = res != NULL;
    for (int i = 0; ok && i < PQntuples(res); i++) {
        struct reprice_move *move = &run->report.move[i];
        MUST(i < REPRICE_TOP_MAX, i); /* LIMIT */
        move->start_time_us = pg_time_us(res, i, 0);
        MUST(PQgetlength(res, i, 1) == (int)sizeof(move->identity));
        memcpy(move->identity, PQgetvalue(res, i, 1), sizeof(move->identity));
        ok = money_at(res, i, 2, &move->had_spend, &move->before, err) &&
             money_at(res, i, 3, &move->has_spend, &move->after, err);
        labels_take(move, res, i, 4);
        run->report.move_count = (size_t)i + 1;
    }
    PQclear(res);
    pg_args_free(&args);
    return ok;
}

/* --- tallies -------------------------------------------------------------------------------- */

static enum tally_dimension dimension_of(struct slice name)
{
    for (int d = 0; d < TALLY_DIMENSIONS; d++)
        if (slice_is(name, tally_dimension_name[d]))
            return (enum tally_dimension)d;
    return TALLY_DIMENSIONS;
}

static bool tallies_load(struct reprice *run, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_int8(&args, run->run_id);
    PGresult *res = pg_query(&run->read,
                             "SELECT dimension, value, rows, spend_before::text, spend_after::text"
                             " FROM spendlog.reprice_tallies WHERE run_id = $1",
                             &args, err);
    tally_reset(&run->tally);
    bool ok = res != NULL;
    for (int i = 0; ok && i < PQntuples(res); i++) {
        enum tally_dimension dimension = dimension_of(pg_text(res, i, 0));
        struct sum before, after;
        ok = pg_sum(res, i, 3, &before, err) && pg_sum(res, i, 4, &after, err);
        if (ok && dimension < TALLY_DIMENSIONS)
            tally_add(&run->tally, dimension, pg_text(res, i, 1), pg_int(res, i, 2), before, after);
    }
    PQclear(res);
    pg_args_free(&args);
    return ok;
}

const struct reprice_report *reprice_report(struct reprice *run, struct err *err)
{
    struct reprice_report *report = &run->report;
    if (!run->options.dry_run && (!reprice_run_load(run, err) || !tallies_load(run, err)))
        return NULL;
    if (run->resumed ? !moves_load(run, err) : !moves_describe(run, err))
        return NULL;
    tally_sort(&run->tally);
    report->run_id = run->run_id;
    report->totals = run->total;
    report->tally = &run->tally;
    return report;
}
