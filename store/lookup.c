/* SPDX-License-Identifier: Apache-2.0 */
#include "store/lookup.h"

#include "store/migrate.h"
#include "store/row_read.h"

#include <stdio.h>

#define SQL_BYTES_MAX 16384
#define ROW_ARENA_MAX (1u << 20)

enum {
    L_START,
    L_IDENTITY,
    L_REQUEST_ID,
    L_CALL_ID,
    L_MAPPING,
    L_TIME_SOURCE,
    L_TOPIC,
    L_PARTITION,
    L_INCARNATION,
    L_OFFSET,
    L_BATCH,
    L_INDEX,
    L_FLAGS,
    L_SPEND,
    L_INPUT,
    L_OUTPUT,
    L_OTHER,
    L_STATUS,
    L_REASON,
    L_HASH,
    L_BOOK,
    L_FACTS
};

static const char head[] =
    "SELECT l.start_time, l.identity::text, l.request_id, l.call_id, l.mapping, l.time_source,"
    " o.topic, o.partition, o.incarnation, l.kafka_offset, l.batch_id, l.record_index, l.flags,"
    " l.spend, l.input_cost, l.output_cost, l.other_cost, l.pricing_status, l.pricing_reason,"
    " b.book_hash, b.book::text, ";

static const char tail[] = " FROM spendlog.spend_logs l"
                           " LEFT JOIN spendlog.kafka_offsets o ON o.partition_id = l.partition_id"
                           " LEFT JOIN spendlog.price_books b ON b.price_book_id = l.price_book_id"
                           " WHERE (l.request_id = $1 OR l.call_id = $1 OR l.identity::text = $1)"
                           " AND ($2::timestamp IS NULL OR l.start_time >= $2)"
                           " AND ($3::timestamp IS NULL OR l.start_time < $3)"
                           " ORDER BY l.start_time DESC, l.identity LIMIT $4::integer";

static bool row_of(const PGresult *res, int i, struct arena *arena, struct stored_row *row,
                   struct err *err)
{
    struct slice identity = pg_text(res, i, L_IDENTITY);
    snprintf(row->identity, sizeof(row->identity), SLICE_FMT, SLICE_ARG(identity));
    row->start_time_us = pg_time_us(res, i, L_START);
    row->request_id = pg_text(res, i, L_REQUEST_ID);
    row->call_id = pg_text(res, i, L_CALL_ID);
    row->mapping = pg_text(res, i, L_MAPPING);
    row->time_source = pg_text(res, i, L_TIME_SOURCE);
    row->topic = pg_text(res, i, L_TOPIC);
    row->partition = (int32_t)pg_int(res, i, L_PARTITION);
    row->incarnation = (int32_t)pg_int(res, i, L_INCARNATION);
    row->kafka_offset = pg_int(res, i, L_OFFSET);
    row->batch_id = pg_int(res, i, L_BATCH);
    row->record_index = (unsigned)pg_int(res, i, L_INDEX);
    row->flags = (unsigned)pg_int(res, i, L_FLAGS);
    row->has_spend = row_money(res, i, L_SPEND, &row->spend);
    for (int side = 0; side < 3; side++)
        if (!row_money(res, i, L_INPUT + side, &row->side[side]))
            row->side[side].atto = 0;
    row->pricing_status = pg_text(res, i, L_STATUS);
    row->pricing_reason = pg_text(res, i, L_REASON);
    row->book_hash = pg_text(res, i, L_HASH);
    row->book_json = pg_text(res, i, L_BOOK);
    return row_facts_of_result(res, i, L_FACTS, arena, &row->facts, err);
}

static PGresult *select_rows(struct pg *pg, const char *id, int64_t since_us, int64_t until_us,
                             struct err *err)
{
    struct buf sql;
    struct pg_args args;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_add_text(&sql, head);
    row_facts_columns(&sql);
    buf_add_text(&sql, tail);
    buf_add_char(&sql, '\0');
    pg_args_init(&args);
    pg_arg_text(&args, slice_of(id));
    pg_arg_time_open(&args, since_us);
    pg_arg_time_open(&args, until_us);
    pg_arg_int4(&args, LOOKUP_ROWS_MAX);
    PGresult *res = pg_query(pg, sql.p, &args, err);
    pg_args_free(&args);
    buf_free(&sql);
    return res;
}

bool lookup_rows(const char *conninfo, const char *id, int64_t since_us, int64_t until_us,
                 stored_row_fn *tell, void *context, int *count, struct err *err)
{
    const struct pg_options options = {.conninfo = conninfo,
                                       .application_name = "spendlog explain"};
    struct pg pg;
    struct arena arena;
    struct stored_row row;
    if (!migrate_open(&pg, &options, err))
        return false;
    arena_init(&arena, ROW_ARENA_MAX);
    PGresult *res = select_rows(&pg, id, since_us, until_us, err);
    *count = res ? PQntuples(res) : 0;
    bool ok = res != NULL;
    for (int i = 0; ok && i < *count; i++) {
        arena_reset(&arena);
        ok = row_of(res, i, &arena, &row, err);
        if (ok)
            tell(&row, context);
    }
    PQclear(res);
    arena_free(&arena);
    pg_close(&pg);
    return ok;
}
