/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY takes no parameters, so the operator's filter becomes quoted literals. The day's bounds are
 * constants too: only that way the planner prunes before it plans.
 *
 * In a closed period the row itself never changes. What it counts for now is what the latest posted
 * adjustment says, so that is what is compared; a second run then finds nothing to do.
 */
#include "store/reprice_impl.h"

#include "core/must.h"
#include "store/row.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const column_name[COLUMN_COUNT] = {
    [COLUMN_START_TIME] = "start_time", [COLUMN_IDENTITY] = "identity",
    [COLUMN_TEAM] = "team_id",          [COLUMN_BOOK] = "price_book_id",
    [COLUMN_STATUS] = "pricing_status", [COLUMN_REASON] = "pricing_reason",
    [COLUMN_SPEND] = "spend",           [COLUMN_INPUT] = "input_cost",
    [COLUMN_OUTPUT] = "output_cost",    [COLUMN_OTHER] = "other_cost",
    [COLUMN_FLAGS] = "flags",           [COLUMN_ITEMS] = "items",
};

/* Their names in spend_adjustments when pricing makes them; NULL: it does not. */
static const char *const posted_name[COLUMN_COUNT] = {
    [COLUMN_BOOK] = "new_price_book_id", [COLUMN_STATUS] = "new_status",
    [COLUMN_REASON] = "new_reason",      [COLUMN_SPEND] = "new_spend",
    [COLUMN_INPUT] = "new_input_cost",   [COLUMN_OUTPUT] = "new_output_cost",
    [COLUMN_OTHER] = "new_other_cost",   [COLUMN_FLAGS] = "new_flags",
    [COLUMN_ITEMS] = "new_items",
};

/* `p` is the adjustment that overlays the row, if there is one. */
static void add_column(struct buf *sql, enum reprice_column column, bool overlaid)
{
    if (overlaid && column == COLUMN_FLAGS) /* NULL: as they were (0.1.0) */
        buf_add_text(sql, "coalesce(p.new_flags, s.flags)");
    else if (overlaid && posted_name[column]) {
        buf_add_text(sql, "CASE WHEN p.run_id IS NULL THEN ");
        row_column_show(sql, column_name[column]);
        buf_printf(sql, " ELSE p.%s END", posted_name[column]);
    } else
        row_column_show(sql, column_name[column]);
}

/* --- columns -------------------------------------------------------------------------------- */

static bool fact_stored(int fact)
{
    return fact_info[fact].store == STORE_COLUMN;
}

/* The columns above, then the facts that are not among them, then usage in
 * its two parts. */
static void columns_needed(struct reprice *run, bool closed, struct reprice_shape *shape)
{
    for (int c = 0; c < COLUMN_COUNT; c++) {
        if (c)
            buf_add_text(&run->sql, ", ");
        add_column(&run->sql, (enum reprice_column)c, closed);
        shape->column[c] = shape->count++;
    }
    for (int f = 0; f < FACT_COUNT; f++) {
        if (!fact_stored(f))
            continue;
        if (f == FACT_STARTED_AT) {
            shape->fact[shape->fact_count++] = shape->column[COLUMN_START_TIME];
            continue;
        }
        buf_add_text(&run->sql, ", ");
        row_column_show(&run->sql, row_fact_column((enum fact)f));
        shape->fact[shape->fact_count++] = shape->count++;
    }
    buf_add_text(&run->sql, ", coalesce(s.usage_text, s.usage::text), c.usage_text");
    shape->fact[shape->fact_count++] = shape->count++;
    shape->usage = shape->count++;
}

/* --- conditions ----------------------------------------------------------------------------- */

static void add_time(struct buf *sql, int64_t us)
{
    buf_printf(sql, "timestamp '1970-01-01' + interval '%lld microseconds'", (long long)us);
}

static bool add_literal(struct reprice *run, const char *text, struct err *err)
{
    char *quoted = PQescapeLiteral(run->read.conn, text, strlen(text));
    if (!quoted)
        return err_set(err, ERR_INPUT, "\"%s\" is not a text: %s", text,
                       PQerrorMessage(run->read.conn));
    buf_add_text(&run->sql, quoted);
    PQfreemem(quoted);
    return true;
}

static bool add_list(struct reprice *run, const struct reprice_list *list,
                     const char *const columns[], struct err *err)
{
    if (list->count == 0)
        return true;
    for (int c = 0; columns[c]; c++) {
        buf_add_text(&run->sql, c ? " OR " : " AND (");
        row_column_show(&run->sql, columns[c]);
        buf_add_text(&run->sql, " IN (");
        for (size_t i = 0; i < list->count; i++) {
            if (i)
                buf_add_text(&run->sql, ", ");
            if (!add_literal(run, list->value[i], err))
                return false;
        }
        buf_add_char(&run->sql, ')');
    }
    buf_add_char(&run->sql, ')');
    return true;
}

static bool add_filter(struct reprice *run, bool closed, struct err *err)
{
    const struct reprice_filter *filter = &run->filter;
    const struct {
        const struct reprice_list *list;
        const char *columns[4];
    } lists[] = {
        {&filter->model, {"model", "model_requested", "model_group"}},
        {&filter->provider, {"provider"}},
        {&filter->team, {"team_id", "team_alias"}},
        {&filter->key, {"api_key", "api_key_alias"}},
        {&filter->mapping, {"mapping"}},
    };
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (!add_list(run, lists[i].list, lists[i].columns, err))
            return false;
    if (filter->unpriced) {
        buf_add_text(&run->sql, " AND ");
        add_column(&run->sql, COLUMN_STATUS, closed);
        buf_add_text(&run->sql, " = 'unpriced'");
    }
    if (filter->book) {
        buf_add_text(&run->sql, " AND ");
        add_column(&run->sql, COLUMN_BOOK, closed);
        buf_printf(&run->sql, " = %d", run->filter_book_id);
    }
    return true;
}

static int64_t day_start_us(const struct reprice_day *day)
{
    return PG_EPOCH_US + day->day * US_PER_DAY;
}

bool reprice_takes_all(const struct reprice *run, const struct reprice_day *day)
{
    const struct reprice_filter *f = &run->filter;
    return f->model.count + f->provider.count + f->team.count + f->key.count + f->mapping.count ==
               0 &&
           !f->unpriced && !f->book && f->since_us <= day_start_us(day) &&
           f->until_us >= day_start_us(day) + US_PER_DAY;
}

static bool add_where(struct reprice *run, const struct reprice_day *day, struct err *err)
{
    int64_t from_us = day_start_us(day), until_us = from_us + US_PER_DAY;
    if (run->filter.since_us > from_us)
        from_us = run->filter.since_us;
    if (run->filter.until_us < until_us)
        until_us = run->filter.until_us;
    buf_add_text(&run->sql, " WHERE s.start_time >= ");
    add_time(&run->sql, from_us);
    buf_add_text(&run->sql, " AND s.start_time < ");
    add_time(&run->sql, until_us);
    return add_filter(run, day->closed, err);
}

/* --- the statement -------------------------------------------------------------------------- */

static void add_columns(struct reprice *run, const struct reprice_day *day,
                        struct reprice_shape *shape)
{
    columns_needed(run, day->closed, shape);
    if (!run->options.book) { /* deriving again changes nothing: all rows are looked at */
        buf_add_text(&run->sql, ", x.identity IS NOT NULL");
        shape->excluded = shape->count++;
    }
    /* What is posted last has the greatest number: an older run leaves such rows to it. */
    if (run->resumed && day->closed) {
        buf_printf(&run->sql, ", coalesce(p.run_id > %lld, false)", (long long)run->run_id);
        shape->newer = shape->count++;
    }
    if (reprice_group_column(run->options.by)) {
        buf_add_text(&run->sql, ", ");
        row_column_show(&run->sql, reprice_group_column(run->options.by));
        shape->group = shape->count++;
    }
    if (day->changed == 0)
        return;
    buf_add_text(&run->sql, ", d.identity IS NOT NULL");
    shape->done = shape->count++;
}

/* Joins instead of subqueries, as they can be sent to where the rows are. */
static void add_joins(struct reprice *run, const struct reprice_day *day)
{
    buf_add_text(&run->sql, row_words_joins);
    if (!run->options.book)
        buf_add_text(&run->sql, " LEFT JOIN spendlog.excluded_rows x"
                                " ON x.start_time = s.start_time AND x.identity = s.identity");
    if (day->changed > 0)
        buf_printf(
            &run->sql,
            " LEFT JOIN (SELECT DISTINCT start_time, identity FROM spendlog.spend_adjustments"
            " WHERE run_id = %lld AND start_time >= date '%s'"
            " AND start_time < date '%s' + 1) d"
            " ON d.start_time = s.start_time AND d.identity = s.identity",
            (long long)run->run_id, day->text, day->text);
    if (day->closed)
        buf_printf(&run->sql,
                   " LEFT JOIN (SELECT DISTINCT ON (a.start_time, a.identity) a.*"
                   " FROM spendlog.spend_adjustments a WHERE a.kind = 'posted'"
                   " AND a.start_time >= date '%s' AND a.start_time < date '%s' + 1"
                   " ORDER BY a.start_time, a.identity, a.run_id DESC) p"
                   " ON p.start_time = s.start_time AND p.identity = s.identity",
                   day->text, day->text);
}

static void add_piece(struct reprice *run)
{
    buf_printf(&run->sql, " AND s.ctid >= '(%lld,0)' AND s.ctid < '(%lld,0)'",
               (long long)run->piece.from, (long long)run->piece.until);
}

bool reprice_sql_read(struct reprice *run, const struct reprice_day *day,
                      enum reprice_method method, double sample_percent,
                      struct reprice_shape *shape, struct err *err)
{
    *shape = (struct reprice_shape){.excluded = -1, .newer = -1, .done = -1, .group = -1};
    MUST(method != METHOD_REWRITE || (!day->closed && run->piece.until > run->piece.from), method,
         day->closed, run->piece.from, run->piece.until);
    buf_reset(&run->sql);
    buf_add_text(&run->sql, "COPY (SELECT ");
    add_columns(run, day, shape);
    buf_add_text(&run->sql, " FROM spendlog.stored_rows s");
    if (sample_percent > 0)
        buf_printf(&run->sql, " TABLESAMPLE SYSTEM (%.4f) REPEATABLE (1)", sample_percent);
    add_joins(run, day);
    MUST(shape->count <= REPRICE_COLUMNS_MAX && shape->fact_count <= FACT_COUNT + 1, shape->count,
         shape->fact_count);
    if (!add_where(run, day, err))
        return false;
    if (method == METHOD_REWRITE)
        add_piece(run);
    buf_add_text(&run->sql, ") TO STDOUT (FORMAT binary)");
    return reprice_sql_text(run) ? true : err_set(err, ERR_INPUT, "the filter is too long");
}

const char *reprice_sql_text(struct reprice *run)
{
    if (run->sql.bytes == 0 || run->sql.p[run->sql.bytes - 1] != '\0')
        buf_add_char(&run->sql, '\0');
    return buf_ok(&run->sql) ? run->sql.p : NULL;
}
