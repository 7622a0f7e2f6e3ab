/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written beside the rows, in their transaction: rejected events, conflicts, counters, the
 * batch itself, and how far its partitions have been read. Per partition, records = rows +
 * duplicates + rejected + skipped holds before and after, and a CHECK of kafka_offsets refuses all
 * else.
 */
#include "store/writer_impl.h"

#include "core/must.h"
#include "store/row_digest.h"

#include <stdlib.h>

#define SAMPLES_MAX 16 /* of the duplicates of a batch */

/* --- counts --------------------------------------------------------------------------------- */

static struct range_counts total(const struct writer *w, const struct batch *batch)
{
    struct range_counts sum = {0};
    for (size_t i = 0; i < batch->range_count; i++) {
        sum.rows += w->counts[i].rows;
        sum.duplicates += w->counts[i].duplicates;
        sum.rejected += w->counts[i].rejected;
        sum.conflicts += w->counts[i].conflicts;
        sum.flagged += w->counts[i].flagged;
    }
    return sum;
}

/* Rows, rejected records and sums, each counted by other hands. */
static void totals_agree(const struct writer *w, const struct batch *batch)
{
    const struct range_counts sum = total(w, batch);
    int64_t rows = 0, rejected = 0;
    for (size_t i = 0; i < batch->range_count; i++) {
        rows += batch->range[i].rows;
        rejected += batch->range[i].rejected;
    }
    MUST(rows == (int64_t)batch->row_count, rows, batch->row_count);
    MUST(rejected + (int64_t)batch->resolved_count == (int64_t)batch->reject_count, rejected,
         batch->resolved_count, batch->reject_count);
    MUST(sum.rows == (int64_t)batch->sums.rows_counted, sum.rows, batch->sums.rows_counted);
    MUST(sum.rejected == rejected + (int64_t)w->refusal_count, sum.rejected, rejected,
         w->refusal_count);
}

bool counts_tally(struct writer *w, const struct batch *batch, struct err *err)
{
    if (batch->range_count > w->counts_capacity) {
        struct range_counts *larger = realloc(w->counts, batch->range_count * sizeof(*larger));
        if (!larger)
            return err_set(err, ERR_FATAL, "out of memory");
        w->counts = larger;
        w->counts_capacity = batch->range_count;
    }
    for (size_t i = 0; i < batch->range_count; i++)
        w->counts[i] = (struct range_counts){.rejected = batch->range[i].rejected};
    for (size_t i = 0; i < batch->row_count; i++) {
        const struct batch_row *row = &batch->rows[i];
        MUST(row->range < batch->range_count && row->fate <= ROW_REFUSED, row->range, row->fate);
        MUST(!row->conflict || row->fate == ROW_DUPLICATE_NEAR || row->fate == ROW_DUPLICATE_STORED,
             row->fate);
        struct range_counts *tally = &w->counts[row->range];
        tally->rows += row->fate == ROW_NEW;
        tally->rejected += row->fate == ROW_REFUSED;
        tally->duplicates += row->fate == ROW_DUPLICATE_NEAR || row->fate == ROW_DUPLICATE_STORED;
        tally->conflicts += row->conflict;
        tally->by_status[row->status] += row->fate == ROW_NEW;
        tally->flagged += row->fate == ROW_NEW && row->flagged;
        tally->doubtful += row->fate == ROW_NEW && row->doubtful;
        if (row->fate == ROW_NEW)
            tally->digest ^= row_digest(row->labels_digest, row->start_time_us, row->identity,
                                        row->content_hash, row->kafka_offset, row->record_index);
    }
    for (size_t i = 0; i < batch->range_count; i++) {
        const struct range_counts *t = &w->counts[i];
        MUST(t->rows + t->duplicates + t->rejected ==
                 batch->range[i].rows + batch->range[i].rejected,
             t->rows, t->duplicates, t->rejected, batch->range[i].rows, batch->range[i].rejected);
        MUST(t->conflicts <= t->duplicates, t->conflicts, t->duplicates);
        MUST(t->flagged <= t->rows && t->doubtful <= t->flagged, t->rows, t->flagged, t->doubtful);
        MUST(t->rows == t->by_status[CHARGE_PRICED] + t->by_status[CHARGE_FREE] +
                            t->by_status[CHARGE_REPORTED] + t->by_status[CHARGE_UNPRICED],
             t->rows);
    }
    totals_agree(w, batch);
    return true;
}

/* --- conflicts ------------------------------------------------------------------------------ */

/* A record of a message that is read again whole comes again: what was noted of it stays. Says how
 * many are new, by partition. */
static const struct pg_statement conflict = {
    STATEMENT_CONFLICT,
    "WITH noted AS (INSERT INTO spendlog.ingest_conflicts (batch_id, partition_id, kafka_offset,"
    "  record_index, start_time, identity, content_hash, stored_content_hash)"
    " SELECT $1::bigint, c.partition_id, c.kafka_offset, c.record_index, c.start_time, c.identity,"
    "  c.content_hash, c.stored_content_hash"
    " FROM unnest($2::bigint[], $3::bigint[], $4::integer[], $5::timestamp[], $6::uuid[],"
    "  $7::bigint[], $8::bigint[])"
    " AS c (partition_id, kafka_offset, record_index, start_time, identity, content_hash,"
    "  stored_content_hash)"
    " ON CONFLICT ON CONSTRAINT ingest_conflicts_pkey DO NOTHING RETURNING partition_id)"
    " SELECT partition_id, count(*) FROM noted GROUP BY 1"};

/* A column of what is noted of a row: its record, its key, the hashes of a conflict. */
static void key_add(struct pg_args *args, const struct batch *batch, const struct batch_row *row,
                    int column)
{
    switch (column) {
    case 0:
        pg_array_int8(args, batch->range[row->range].state->id);
        break;
    case 1:
        pg_array_int8(args, row->kafka_offset);
        break;
    case 2:
        pg_array_int4(args, (int32_t)row->record_index);
        break;
    case 3:
        pg_array_int8(args, row->start_time_us - PG_EPOCH_US);
        break;
    case 4:
        pg_array_bytes(args, (struct slice){(const char *)row->identity, sizeof(row->identity)});
        break;
    case 5:
        pg_array_int8(args, (int64_t)row->content_hash);
        break;
    default:
        pg_array_int8(args, (int64_t)row->first_hash);
    }
}

/* An offset row counts those that are listed. */
static void count_noted(struct writer *w, const struct batch *batch, const PGresult *res)
{
    for (size_t i = 0; i < batch->range_count; i++) {
        int64_t noted = 0;
        for (int row = 0; row < PQntuples(res); row++)
            if (batch->range[i].state->id == pg_int(res, row, 0))
                noted += pg_int(res, row, 1);
        MUST(noted <= w->counts[i].conflicts, noted, w->counts[i].conflicts);
        w->counts[i].conflicts = noted;
    }
}

static bool write_conflicts(struct writer *w, const struct batch *batch, size_t count,
                            struct err *err)
{
    static const enum pg_type type[] = {PG_INT8, PG_INT8, PG_INT4, PG_TIMESTAMP,
                                        PG_UUID, PG_INT8, PG_INT8};
    if (count == 0)
        return true;
    pg_args_reset(&w->args);
    pg_arg_int8(&w->args, w->batch_id);
    for (int c = 0; c < (int)(sizeof(type) / sizeof(type[0])); c++) {
        pg_array_open(&w->args, type[c], count);
        for (size_t i = 0; i < batch->row_count; i++)
            if (batch->rows[i].conflict)
                key_add(&w->args, batch, &batch->rows[i], c);
        pg_array_close(&w->args);
    }
    PGresult *res = pg_run(&w->pg, &conflict, &w->args, err);
    if (res)
        count_noted(w, batch, res);
    PQclear(res);
    return res != NULL;
}

/* --- samples of duplicates ------------------------------------------------------------------- */

static const struct pg_statement sample = {
    STATEMENT_SAMPLE,
    "INSERT INTO spendlog.duplicate_samples (batch_id, partition_id, kafka_offset, record_index,"
    "  start_time, identity)"
    " SELECT $1::bigint, d.partition_id, d.kafka_offset, d.record_index, d.start_time, d.identity"
    " FROM unnest($2::bigint[], $3::bigint[], $4::integer[], $5::timestamp[], $6::uuid[])"
    "  AS d (partition_id, kafka_offset, record_index, start_time, identity)"
    " ON CONFLICT ON CONSTRAINT duplicate_samples_pkey DO NOTHING"};

/* The row of a guarded identity has another key. */
static bool can_be_sampled(const struct batch_row *row)
{
    return !row->time_not_own &&
           (row->fate == ROW_DUPLICATE_NEAR || row->fate == ROW_DUPLICATE_STORED);
}

/* Spread evenly over the batch. */
static size_t samples_choose(const struct batch *batch, const struct batch_row **chosen)
{
    size_t all = 0, seen = 0, count = 0;
    for (size_t i = 0; i < batch->row_count; i++)
        all += can_be_sampled(&batch->rows[i]);
    for (size_t i = 0; i < batch->row_count && count < SAMPLES_MAX; i++)
        if (can_be_sampled(&batch->rows[i]) && seen++ * SAMPLES_MAX >= count * all)
            chosen[count++] = &batch->rows[i];
    MUST(count <= SAMPLES_MAX && count <= all, count, all);
    return count;
}

static bool write_samples(struct writer *w, const struct batch *batch, struct err *err)
{
    static const enum pg_type type[] = {PG_INT8, PG_INT8, PG_INT4, PG_TIMESTAMP, PG_UUID};
    const struct batch_row *chosen[SAMPLES_MAX];
    size_t count = samples_choose(batch, chosen);
    if (count == 0)
        return true;
    pg_args_reset(&w->args);
    pg_arg_int8(&w->args, w->batch_id);
    for (int c = 0; c < (int)(sizeof(type) / sizeof(type[0])); c++) {
        pg_array_open(&w->args, type[c], count);
        for (size_t i = 0; i < count; i++)
            key_add(&w->args, batch, chosen[i], c);
        pg_array_close(&w->args);
    }
    return writer_run(w, &sample, err);
}

/* --- counters ------------------------------------------------------------------------------- */

/* Each member has rows of its own: no waiting for another lane. */
static const struct pg_statement count_up = {
    STATEMENT_COUNT_UP,
    "INSERT INTO spendlog.ingest_counters AS c (group_id, member, counter, count)"
    " SELECT $1, $2, n.counter, n.count FROM unnest($3::text[], $4::bigint[]) AS n (counter, count)"
    " ORDER BY n.counter"
    " ON CONFLICT ON CONSTRAINT ingest_counters_pkey DO UPDATE SET count = c.count + "
    "excluded.count"};

static void counter_name(struct pg_args *args, int reason)
{
    char name[64];
    snprintf(name, sizeof(name), "skipped_%s", reason_info[reason].name);
    pg_array_bytes(args, slice_of(name));
}

static bool write_counters(struct writer *w, const struct batch *batch, struct err *err)
{
    int64_t flagged = total(w, batch).flagged;
    size_t count = flagged != 0;
    for (int r = 0; r < REASON_COUNT; r++)
        count += batch->skipped_by_reason[r] != 0;
    if (count == 0)
        return true;
    pg_args_reset(&w->args);
    pg_arg_text(&w->args, slice_of(w->group_id));
    pg_arg_text(&w->args, slice_of(w->member));
    pg_array_open(&w->args, PG_TEXT, count);
    for (int r = 0; r < REASON_COUNT; r++)
        if (batch->skipped_by_reason[r])
            counter_name(&w->args, r);
    if (flagged)
        pg_array_bytes(&w->args, SLICE("flagged"));
    pg_array_close(&w->args);
    pg_array_open(&w->args, PG_INT8, count);
    for (int r = 0; r < REASON_COUNT; r++)
        if (batch->skipped_by_reason[r])
            pg_array_int8(&w->args, batch->skipped_by_reason[r]);
    if (flagged)
        pg_array_int8(&w->args, flagged);
    pg_array_close(&w->args);
    return writer_run(w, &count_up, err);
}

/* --- offsets -------------------------------------------------------------------------------- */

/* The offsets move by compare-and-set; the batch is noted when it wrote rows. Says how many moved.
 */
static const struct pg_statement advance = {
    STATEMENT_ADVANCE,
    "WITH r AS ("
    "  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],"
    "   $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],"
    "   $12::bigint[], $13::bigint[], $14::bigint[], $22::bigint[], $23::bytea[])"
    "  AS r (partition_id, first_offset, next_offset, last_ms, last_hash, messages, rows,"
    "   duplicates, rejected, skipped, conflicts, first_index, next_index, digest, mappings,"
    "   last_messages)),"
    " moved AS ("
    "  UPDATE spendlog.kafka_offsets o SET next_offset = r.next_offset,"
    "   next_index = r.next_index, row_digest = o.row_digest # r.digest,"
    "   last_message_ms = CASE WHEN $20 THEN o.last_message_ms ELSE r.last_ms END,"
    "   last_message_hash = CASE WHEN $20 THEN o.last_message_hash ELSE r.last_hash END,"
    "   last_messages = CASE WHEN $20 THEN o.last_messages ELSE r.last_messages END,"
    "   next_mappings = CASE WHEN $20 THEN o.next_mappings ELSE r.mappings END,"
    "   messages = o.messages + r.messages,"
    "   records = o.records + r.rows + r.duplicates + r.rejected + r.skipped,"
    "   rows = o.rows + r.rows, duplicates = o.duplicates + r.duplicates,"
    "   rejected = o.rejected + r.rejected, skipped = o.skipped + r.skipped,"
    "   conflicts = o.conflicts + r.conflicts, updated_at = now()"
    "  FROM r WHERE o.partition_id = r.partition_id AND o.next_offset = r.first_offset"
    "   AND o.next_index = r.first_index AND (o.replaced_at IS NULL OR $20) RETURNING 1),"
    " noted AS ("
    "  INSERT INTO spendlog.ingest_batches (batch_id, group_id, member, rows, duplicates, rejected,"
    "   skipped, conflicts, first_start_time, last_start_time, partition_ids, first_offsets,"
    "   next_offsets, first_indexes, next_indexes, price_book_id)"
    "  SELECT $15::bigint, $16, $17, sum(r.rows), sum(r.duplicates), sum(r.rejected),"
    "   sum(r.skipped), sum(r.conflicts), $18::timestamp, $19::timestamp, $1, $2, $3, $12, $13,"
    "   $21::integer"
    "  FROM r HAVING sum(r.rows) > 0)"
    " SELECT count(*), now() AT TIME ZONE 'UTC' FROM moved"};

enum range_column {
    RANGE_ID,
    RANGE_FIRST,
    RANGE_NEXT,
    RANGE_LAST_MS,
    RANGE_LAST_HASH,
    RANGE_MESSAGES,
    RANGE_ROWS,
    RANGE_DUPLICATES,
    RANGE_REJECTED,
    RANGE_SKIPPED,
    RANGE_CONFLICTS,
    RANGE_FIRST_INDEX,
    RANGE_NEXT_INDEX,
    RANGE_DIGEST,
    RANGE_COLUMNS
};

static int64_t range_value(const struct batch_range *r, const struct range_counts *t, int column)
{
    switch ((enum range_column)column) {
    case RANGE_ID:
        return r->state->id;
    case RANGE_FIRST:
        return r->first_offset;
    case RANGE_NEXT:
        return r->next_offset;
    case RANGE_LAST_MS:
        return r->last_time_ms;
    case RANGE_LAST_HASH:
        return (int64_t)r->last_hash;
    case RANGE_MESSAGES:
        return r->messages;
    case RANGE_ROWS:
        return t->rows;
    case RANGE_DUPLICATES:
        return t->duplicates;
    case RANGE_REJECTED:
        return t->rejected;
    case RANGE_SKIPPED:
        return r->skipped;
    case RANGE_CONFLICTS:
        return t->conflicts;
    case RANGE_FIRST_INDEX:
        return r->first_index;
    case RANGE_NEXT_INDEX:
        return r->next_index;
    default:
        return (int64_t)t->digest;
    }
}

static void args_add_ranges(struct writer *w, const struct batch *batch)
{
    for (int c = 0; c < RANGE_COLUMNS; c++) {
        pg_array_open(&w->args, PG_INT8, batch->range_count);
        for (size_t i = 0; i < batch->range_count; i++) {
            const struct batch_range *r = &batch->range[i];
            if ((c == RANGE_LAST_MS || c == RANGE_LAST_HASH) && r->last_time_ms < 0)
                pg_array_null(&w->args);
            else
                pg_array_int8(&w->args, range_value(r, &w->counts[i], c));
        }
        pg_array_close(&w->args);
    }
}

static void args_add_times(struct writer *w, const struct batch *batch)
{
    const struct batch_row *first = NULL, *last = NULL;
    for (size_t i = 0; i < batch->row_count; i++)
        if (batch->rows[i].fate == ROW_NEW) { /* sorted by time */
            first = first ? first : &batch->rows[i];
            last = &batch->rows[i];
        }
    if (!first) {
        pg_arg_null(&w->args);
        pg_arg_null(&w->args);
        return;
    }
    MUST(first->start_time_us <= last->start_time_us, first->start_time_us, last->start_time_us);
    pg_arg_time(&w->args, first->start_time_us);
    pg_arg_time(&w->args, last->start_time_us);
}

static void args_add_mappings(struct writer *w, const struct batch *batch)
{
    pg_array_open(&w->args, PG_INT8, batch->range_count);
    for (size_t i = 0; i < batch->range_count; i++)
        if (batch->range[i].next_index > 0)
            pg_array_int8(&w->args, (int64_t)batch->range[i].mappings);
        else
            pg_array_null(&w->args);
    pg_array_close(&w->args);
}

static void args_add_last_messages(struct writer *w, const struct batch *batch)
{
    char bytes[LAST_MESSAGES_BYTES];
    pg_array_open(&w->args, PG_BYTEA, batch->range_count);
    for (size_t i = 0; i < batch->range_count; i++)
        pg_array_bytes(&w->args, last_messages_put(&batch->range[i].last, bytes));
    pg_array_close(&w->args);
}

static bool write_offsets(struct writer *w, const struct batch *batch, struct err *err)
{
    MUST(pg_inside(&w->pg) && w->batch_id > 0, w->batch_id);
    pg_args_reset(&w->args);
    args_add_ranges(w, batch);
    pg_arg_int8(&w->args, w->batch_id);
    pg_arg_text(&w->args, slice_of(w->group_id));
    pg_arg_text(&w->args, slice_of(w->member));
    args_add_times(w, batch);
    pg_arg_bool(&w->args, batch->retry);
    pg_arg_int4(&w->args, w->book_id);
    args_add_mappings(w, batch);
    args_add_last_messages(w, batch);
    PGresult *res = pg_run(&w->pg, &advance, &w->args, err);
    if (!res)
        return false;
    MUST((size_t)pg_int(res, 0, 0) <= batch->range_count, pg_int(res, 0, 0), batch->range_count);
    bool all = (size_t)pg_int(res, 0, 0) == batch->range_count;
    w->written_at = pg_int(res, 0, 1);
    PQclear(res);
    if (all)
        return true;
    w->fenced = true;
    return err_set(err, ERR_RETRY, "another member has moved an offset of this batch");
}

bool counts_write(struct writer *w, struct batch *batch, struct err *err)
{
    MUST(!w->copying && w->counts_capacity >= batch->range_count, w->copying, w->counts_capacity);
    return rejects_resolve(w, batch, err) && rejects_write(w, batch, err) &&
           write_conflicts(w, batch, (size_t)total(w, batch).conflicts, err) &&
           write_samples(w, batch, err) && write_counters(w, batch, err) &&
           write_offsets(w, batch, err);
}
