/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look-up by any name that a call has (spendlog.calls_named) gives the rows as one result; a
 * row's facts are read out of it into an event, its adjustments are asked for one row at a time.
 */
#include "store/stored_row.h"

#include "store/copy.h"
#include "store/lock_holder.h"
#include "store/migrate.h"
#include "store/row_read.h"
#include "store/stored_book.h"

#include <stdlib.h>

#define SQL_BYTES_MAX (1u << 16)
#define CALL_BYTES_MAX (1u << 20)

enum row_column {
    COLUMN_START_TIME,
    COLUMN_IDENTITY,
    COLUMN_MAPPING,
    COLUMN_REQUEST_ID,
    COLUMN_CALL_ID,
    COLUMN_STATUS,
    COLUMN_REASON,
    COLUMN_SPEND,
    COLUMN_BOOK,
    COLUMN_HASH,
    COLUMN_TOPIC,
    COLUMN_PARTITION,
    COLUMN_OFFSET,
    COLUMN_INDEX,
    COLUMN_FACTS
};

static const char row_select[] =
    "SELECT l.start_time, l.identity, l.mapping, l.request_id, l.call_id, l.pricing_status,"
    " l.pricing_reason, l.spend, l.price_book_id, b.book_hash, coalesce(o.topic, ''),"
    " coalesce(o.partition, -1), l.kafka_offset, l.record_index, ";

static const char row_from[] =
    " FROM spendlog.calls_named($1) f (found_at, found_as) JOIN spendlog.spend_logs l"
    " ON l.start_time = f.found_at AND l.identity = f.found_as"
    " JOIN spendlog.price_books b USING (price_book_id)"
    " LEFT JOIN spendlog.kafka_offsets o USING (partition_id)"
    " ORDER BY l.start_time, l.identity LIMIT $2::integer";

struct stored_rows {
    struct pg pg;
    PGresult *found;
    struct arena call;
    char mapping[128]; /* of the row read last */
};

struct stored_rows *stored_rows_open(const char *conninfo, struct err *err)
{
    const struct pg_options options = {
        .conninfo = conninfo, .application_name = "spendlog explain", .read_only = true};
    struct stored_rows *rows = calloc(1, sizeof(*rows));
    if (!rows) {
        err_set(err, ERR_FATAL, "out of memory");
        return NULL;
    }
    arena_init(&rows->call, CALL_BYTES_MAX);
    if (migrate_open(&rows->pg, &options, err) && lock_holder_await_rows(&rows->pg, err))
        return rows;
    stored_rows_close(rows);
    return NULL;
}

void stored_rows_close(struct stored_rows *rows)
{
    if (!rows)
        return;
    PQclear(rows->found);
    pg_close(&rows->pg);
    arena_free(&rows->call);
    free(rows);
}

/* Facts are read from columns that some facts share with what is selected before them: all of them
 * are of spend_logs, and none of the joined tables has a column of that name. */
bool stored_rows_find(struct stored_rows *rows, const char *request_id, int *count, struct err *err)
{
    struct pg_args args;
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    pg_args_init(&args);
    buf_add_text(&sql, row_select);
    row_facts_columns(&sql);
    buf_add_text(&sql, row_from);
    buf_add_char(&sql, '\0');
    pg_arg_text(&args, slice_of(request_id));
    pg_arg_int4(&args, STORED_ROWS_MAX + 1); /* whether there are more */
    PQclear(rows->found);
    rows->found = buf_ok(&sql) ? pg_query(&rows->pg, sql.p, &args, err) : NULL;
    *count = rows->found ? PQntuples(rows->found) : 0;
    pg_args_free(&args);
    buf_free(&sql);
    return rows->found || err_set(err, ERR_FATAL, "out of memory");
}

static void label_set(struct labels *labels, enum label label, struct slice text)
{
    if (text.bytes == 0)
        return;
    labels->v[label].s = text;
    labels->present |= UINT64_C(1) << label;
}

static bool money_at(const PGresult *res, int row, int column, bool *has, struct money *m,
                     struct err *err)
{
    struct row_field field = {PQgetvalue(res, row, column),
                              pg_null(res, row, column) ? -1 : PQgetlength(res, row, column)};
    return copy_money(&field, has, m, err);
}

bool stored_rows_get(struct stored_rows *rows, int index, struct stored_row *row, struct err *err)
{
    const PGresult *res = rows->found;
    struct slice mapping = pg_text(res, index, COLUMN_MAPPING);
    size_t bytes =
        mapping.bytes < sizeof(rows->mapping) ? mapping.bytes : sizeof(rows->mapping) - 1;
    memset(row, 0, sizeof(*row));
    memcpy(rows->mapping, mapping.p, bytes);
    rows->mapping[bytes] = '\0';
    row->event.mapping = rows->mapping;
    label_set(&row->event.labels, LABEL_REQUEST_ID, pg_text(res, index, COLUMN_REQUEST_ID));
    label_set(&row->event.labels, LABEL_CALL_ID, pg_text(res, index, COLUMN_CALL_ID));
    row->status = pg_text(res, index, COLUMN_STATUS);
    row->reason = pg_text(res, index, COLUMN_REASON);

    row->book_id = (int32_t)pg_int(res, index, COLUMN_BOOK);
    row->book_hash = pg_text(res, index, COLUMN_HASH);
    row->topic = pg_text(res, index, COLUMN_TOPIC);
    row->partition = pg_int(res, index, COLUMN_PARTITION);
    row->kafka_offset = pg_int(res, index, COLUMN_OFFSET);
    row->record_index = pg_int(res, index, COLUMN_INDEX);
    arena_reset(&rows->call);
    return money_at(res, index, COLUMN_SPEND, &row->has_spend, &row->spend, err) &&
           row_facts_of_result(res, index, COLUMN_FACTS, &rows->call, &row->event.facts, err);
}

static bool adjustment_take(const PGresult *res, int i, struct stored_adjustment *a,
                            struct err *err)
{
    memset(a, 0, sizeof(*a));
    a->run_id = pg_int(res, i, 0);
    a->adjusted_at_us = pg_time_us(res, i, 1);
    a->kind = pg_text(res, i, 2);
    a->posted_on = pg_text(res, i, 3);
    a->status_before = pg_text(res, i, 6);
    a->status_after = pg_text(res, i, 7);
    a->book_id = (int32_t)pg_int(res, i, 8);
    a->book_before = pg_text(res, i, 9);
    a->book_after = pg_text(res, i, 10);
    a->started_by = pg_text(res, i, 11);
    return money_at(res, i, 4, &a->had_spend, &a->before, err) &&
           money_at(res, i, 5, &a->has_spend, &a->after, err);
}

bool stored_rows_adjustments(struct stored_rows *rows, int index,
                             void (*each)(const struct stored_adjustment *adjustment,
                                          void *context),
                             void *context, struct err *err)
{
    struct pg_args args;
    struct stored_adjustment adjustment;
    pg_args_init(&args);
    pg_arg_int8(&args, pg_int(rows->found, index, COLUMN_START_TIME));
    pg_arg_text(&args, pg_text(rows->found, index, COLUMN_IDENTITY));
    PGresult *res = pg_query(
        &rows->pg,
        "SELECT a.run_id, a.adjusted_at, a.kind, coalesce(a.posted_on::text, ''), a.old_spend,"
        " a.new_spend, a.old_status, a.new_status, a.new_price_book_id, o.book_hash, n.book_hash,"
        " r.started_by FROM spendlog.spend_adjustments a"
        " JOIN spendlog.reprice_runs r USING (run_id)"
        " JOIN spendlog.price_books o ON o.price_book_id = a.old_price_book_id"
        " JOIN spendlog.price_books n ON n.price_book_id = a.new_price_book_id"
        " WHERE a.start_time = $1::timestamp AND a.identity = $2::uuid ORDER BY a.run_id",
        &args, err);
    bool ok = res != NULL;
    for (int i = 0; ok && i < PQntuples(res); i++) {
        ok = adjustment_take(res, i, &adjustment, err);
        if (ok)
            each(&adjustment, context);
    }
    PQclear(res);
    pg_args_free(&args);
    return ok;
}

bool stored_rows_exclusions(struct stored_rows *rows, int index, exclusion_fn *each, void *context,
                            struct err *err)
{
    return exclude_of_row(&rows->pg, pg_int(rows->found, index, COLUMN_START_TIME),
                          pg_text(rows->found, index, COLUMN_IDENTITY), each, context, err);
}

bool stored_rows_book(struct stored_rows *rows, int32_t book_id, struct buf *json, struct err *err)
{
    char hash[BOOK_HASH_DIGITS + 1];
    return stored_book_read(&rows->pg, book_id, hash, json, err);
}
