/* SPDX-License-Identifier: Apache-2.0 */
/* What could not be read or written, and in a retry, what could be after all. */
#include "core/must.h"
#include "core/utf8.h"
#include "store/sealed.h"
#include "store/writer_impl.h"

#include <stdio.h>
#include <stdlib.h>

/* In a retry a record is listed already, and so it may be of a message that is read again whole.
 * Says how many are new, by partition. */
static const struct pg_statement reject = {
    STATEMENT_REJECT,
    "WITH listed AS (INSERT INTO spendlog.rejected_events (batch_id, partition_id, kafka_offset, "
    "record_index,"
    "  reason, mapping, field, byte, detail, payload, payload_hash, payload_bytes,"
    "  message_ms, payload_key, sealed_detail, envelope)"
    " SELECT $1::bigint, r.partition_id, r.kafka_offset, r.record_index,"
    "  r.reason, r.mapping, r.field, r.byte, r.detail, r.payload, r.payload_hash, r.payload_bytes,"
    "  r.message_ms, r.payload_key, r.sealed_detail, r.envelope"
    " FROM unnest($2::bigint[], $3::bigint[], $4::integer[], $5::text[], $6::text[], $7::text[],"
    "  $8::bigint[], $9::text[], $10::bytea[], $11::bigint[], $12::bigint[],"
    "  $13::bigint[], $14::text[], $15::bytea[], $16::bytea[])"
    " AS r (partition_id, kafka_offset, record_index, reason, mapping, field, byte, detail,"
    "  payload, payload_hash, payload_bytes, message_ms, payload_key, sealed_detail, envelope)"
    " ON CONFLICT ON CONSTRAINT rejected_events_pkey DO NOTHING RETURNING partition_id)"
    " SELECT partition_id, count(*) FROM listed GROUP BY 1"};

/* A rejected record and a refused row are one list here: the n-th of both. */
static struct batch_reject reject_at(const struct writer *w, const struct batch *batch, size_t n)
{
    MUST(n < batch->reject_count + w->refusal_count, n, batch->reject_count, w->refusal_count);
    if (n < batch->reject_count)
        return batch->rejects[n];
    const struct refusal *refusal = &w->refusal[n - batch->reject_count];
    const struct batch_row *row = &batch->rows[refusal->row];
    MUST(refusal->row < batch->row_count && row->fate == ROW_REFUSED, refusal->row, row->fate);
    MUST(row->message <= batch->message_count, row->message, batch->message_count);
    const struct batch_message unknown = {
        .time_ms = -1, .hash = row->content_hash, .bytes = row->bytes};
    const struct batch_message *message =
        row->message ? &batch->messages[row->message - 1] : &unknown;
    return (struct batch_reject){
        .range = row->range,
        .kafka_offset = row->kafka_offset,
        .record_index = row->record_index,
        .reason = REASON_DATABASE_REFUSED,
        .detail = slice_of(refusal->text),
        .field = SLICE(""),
        .mapping = row->mapping,
        .payload = refusal->has_payload ? message->payload : (struct slice){NULL, 0},
        .envelope = refusal->has_payload ? message->envelope : (struct slice){NULL, 0},
        .byte = -1,
        .time_ms = message->time_ms,
        .payload_hash = message->hash,
        .payload_bytes = message->bytes,
    };
}

enum reject_column {
    REJECT_PARTITION,
    REJECT_OFFSET,
    REJECT_INDEX,
    REJECT_REASON,
    REJECT_MAPPING,
    REJECT_FIELD,
    REJECT_BYTE,
    REJECT_DETAIL,
    REJECT_PAYLOAD,
    REJECT_HASH,
    REJECT_BYTES,
    REJECT_TIME,
    REJECT_KEY,
    REJECT_SEALED_DETAIL,
    REJECT_ENVELOPE,
    REJECT_COLUMNS
};

static const enum pg_type reject_type[REJECT_COLUMNS] = {
    PG_INT8,  PG_INT8, PG_INT4, PG_TEXT, PG_TEXT, PG_TEXT,  PG_INT8, PG_TEXT,
    PG_BYTEA, PG_INT8, PG_INT8, PG_INT8, PG_TEXT, PG_BYTEA, PG_BYTEA};

static void bytes_or_null(struct pg_args *args, struct slice bytes)
{
    if (bytes.p)
        pg_array_bytes(args, bytes);
    else
        pg_array_null(args);
}

/* As it is to be stored: sealed when there is a key. A failure is latched in `sealed`. */
static struct slice stored(struct writer *w, const struct batch *batch,
                           const struct batch_reject *r, enum sealed_column column,
                           struct slice bytes)
{
    if (!w->seal || !bytes.p)
        return bytes;
    if (!buf_ok(&w->sealed))
        return (struct slice){NULL, 0};
    sealed_place(&w->place, column, batch->range[r->range].state->id, r->kafka_offset,
                 r->record_index);
    buf_reset(&w->sealed);
    if (!seal_close(w->seal, buf_slice(&w->place), bytes, &w->sealed))
        w->sealed.failed = true;
    return buf_slice(&w->sealed);
}

static void reject_add(struct writer *w, const struct batch *batch, const struct batch_reject *r,
                       enum reject_column column)
{
    struct pg_args *args = &w->args;
    MUST(r->range < batch->range_count && r->reason < REASON_COUNT, r->range, r->reason);
    switch (column) {
    case REJECT_PARTITION:
        pg_array_int8(args, batch->range[r->range].state->id);
        break;
    case REJECT_OFFSET:
        pg_array_int8(args, r->kafka_offset);
        break;
    case REJECT_INDEX:
        pg_array_int4(args, (int32_t)r->record_index);
        break;
    case REJECT_REASON:
        pg_array_bytes(args, slice_of(reason_info[r->reason].name));
        break;
    case REJECT_MAPPING:
        pg_array_bytes(args, r->mapping ? slice_of(r->mapping) : SLICE(""));
        break;
    case REJECT_FIELD:
        pg_array_bytes(args, r->field);
        break;
    case REJECT_BYTE:
        if (r->byte < 0)
            pg_array_null(args);
        else
            pg_array_int8(args, r->byte);
        break;
    case REJECT_DETAIL:
        pg_array_bytes(args, w->seal ? SLICE("") : r->detail);
        break;
    case REJECT_PAYLOAD:
        bytes_or_null(args, stored(w, batch, r, SEALED_PAYLOAD, r->payload));
        break;
    case REJECT_HASH:
        pg_array_int8(args, (int64_t)r->payload_hash);
        break;
    case REJECT_BYTES:
        pg_array_int8(args, (int64_t)r->payload_bytes);
        break;
    case REJECT_KEY:
        bytes_or_null(args, slice_of(w->seal ? w->seal->id : NULL));
        break;
    case REJECT_ENVELOPE:
        bytes_or_null(args, stored(w, batch, r, SEALED_ENVELOPE, r->envelope));
        break;
    case REJECT_SEALED_DETAIL:
        if (w->seal)
            pg_array_bytes(args,
                           stored(w, batch, r, SEALED_DETAIL, r->detail.p ? r->detail : SLICE("")));
        else
            pg_array_null(args);
        break;
    default:
        if (r->time_ms < 0)
            pg_array_null(args);
        else
            pg_array_int8(args, r->time_ms);
    }
}

/* What is left of a record whose row PostgreSQL refuses: that it was, and why it is not here. */
static void make_bare(const struct writer *w, struct batch_reject *r, char why[REFUSAL_TEXT_MAX])
{
    snprintf(why, REFUSAL_TEXT_MAX, "PostgreSQL refused what is kept of it: %s [%s]",
             w->reject_refused.message, w->reject_refused.sqlstate);
    r->detail = slice_of(why);
    r->field = SLICE("");
    r->mapping = NULL;
    r->payload = r->envelope = (struct slice){NULL, 0}; /* a key and headers only with a message */
    r->byte = -1;
}

/* Whether it is one that a retry had resolved, and PostgreSQL refuses again. */
static bool is_of_retry(const struct batch *batch, const struct batch_reject *r)
{
    for (size_t i = 0; i < batch->resolved_count; i++)
        if (batch->resolved[i].range == r->range &&
            batch->resolved[i].kafka_offset == r->kafka_offset &&
            batch->resolved[i].record_index == r->record_index)
            return true;
    return false;
}

/* What is listed already was counted as rejected when it came first. */
static void count_listed(struct writer *w, const struct batch *batch, size_t from, size_t to,
                         const PGresult *res)
{
    for (size_t n = from; n < to; n++) {
        const struct batch_reject r = reject_at(w, batch, n);
        if (is_of_retry(batch, &r))
            continue;
        w->counts[r.range].rejected--;
        w->counts[r.range].duplicates++;
    }
    for (int row = 0; row < PQntuples(res); row++)
        for (size_t i = 0; i < batch->range_count; i++)
            if (batch->range[i].state->id == pg_int(res, row, 0)) {
                w->counts[i].rejected += pg_int(res, row, 1);
                w->counts[i].duplicates -= pg_int(res, row, 1);
                MUST(w->counts[i].duplicates >= 0, w->counts[i].duplicates, pg_int(res, row, 1));
            }
}

/* Of both lists, those from `from` up to `to`. */
static bool rejects_insert(struct writer *w, const struct batch *batch, size_t from, size_t to,
                           bool bare, struct err *err)
{
    char why[REFUSAL_TEXT_MAX];
    MUST(from < to && w->batch_id > 0, from, to, w->batch_id);
    MUST(pg_inside(&w->pg), from, to);
    pg_args_reset(&w->args);
    pg_arg_int8(&w->args, w->batch_id);
    buf_reset(&w->sealed);
    for (int c = 0; c < REJECT_COLUMNS; c++) {
        pg_array_open(&w->args, reject_type[c], to - from);
        for (size_t n = from; n < to; n++) {
            struct batch_reject r = reject_at(w, batch, n);
            if (bare)
                make_bare(w, &r, why);
            reject_add(w, batch, &r, (enum reject_column)c);
        }
        pg_array_close(&w->args);
    }
    if (!buf_ok(&w->sealed))
        return err_set(err, ERR_FATAL,
                       "rejected messages cannot be encrypted: no memory, or no "
                       "random numbers");
    PGresult *res = pg_run(&w->pg, &reject, &w->args, err);
    if (res)
        count_listed(w, batch, from, to, res);
    PQclear(res);
    return res != NULL;
}

/* As copy_bisect(). One that is refused is kept bare; if that is refused too, the batch is. */
static bool rejects_bisect(struct writer *w, const struct batch *batch, size_t from, size_t to,
                           struct err *err)
{
    struct err why = {0};
    if (!pg_command(&w->pg, "SAVEPOINT part", err))
        return false;
    w->pg.sqlstate[0] = '\0'; /* what fails before the server is asked is not its refusal */
    if (rejects_insert(w, batch, from, to, false, &why))
        return pg_command(&w->pg, "RELEASE SAVEPOINT part", err);
    if (!record_refused(w))
        return err_set(err, why.kind, "%s", why.text);
    w->reject_refused = (struct reject_refused){.count = w->reject_refused.count};
    utf8_copy(w->reject_refused.message, sizeof(w->reject_refused.message),
              slice_of(w->pg.message));
    snprintf(w->reject_refused.sqlstate, sizeof(w->reject_refused.sqlstate), "%s", w->pg.sqlstate);
    if (!pg_command(&w->pg, "ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part", err))
        return false;
    if (to - from == 1)
        return ++w->reject_refused.count && rejects_insert(w, batch, from, to, true, err);
    size_t middle = from + (to - from) / 2;
    return rejects_bisect(w, batch, from, middle, err) && rejects_bisect(w, batch, middle, to, err);
}

bool rejects_write(struct writer *w, const struct batch *batch, struct err *err)
{
    size_t count = batch->reject_count + w->refusal_count;
    MUST(!w->rejecting, count);
    if (count == 0)
        return true;
    w->rejecting = true;
    w->reject_refused.count = 0;
    bool ok = w->bisect_rejects ? rejects_bisect(w, batch, 0, count, err)
                                : rejects_insert(w, batch, 0, count, false, err);
    if (ok)
        w->rejecting = false;
    return ok;
}

/* --- retries -------------------------------------------------------------------------------- */

/* What PostgreSQL refuses again stays as it is, and has to be there: it is counted. */
static const struct pg_statement resolve = {
    STATEMENT_RESOLVE, "UPDATE spendlog.rejected_events e"
                       " SET resolved_at = CASE WHEN r.resolution IS NOT NULL THEN now() END, "
                       "resolution = r.resolution"
                       " FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::text[])"
                       "  AS r (partition_id, kafka_offset, record_index, resolution)"
                       " WHERE e.partition_id = r.partition_id AND e.kafka_offset = r.kafka_offset"
                       "  AND e.record_index = r.record_index AND e.resolved_at IS NULL"};

/* What became of its row; NULL when PostgreSQL refuses that again: then it stays rejected. */
static const char *resolution_of(const struct batch *batch, const struct batch_resolved *resolved)
{
    if (resolved->skipped)
        return "skipped";
    for (size_t i = 0; i < batch->row_count; i++) {
        const struct batch_row *row = &batch->rows[i];
        if (row->range == resolved->range && row->kafka_offset == resolved->kafka_offset &&
            row->record_index == resolved->record_index)
            return row->fate == ROW_NEW ? "row" : row->fate == ROW_REFUSED ? NULL : "duplicate";
    }
    MUST(!"the row of a resolved record is in the batch");
    return NULL;
}

static void resolve_add(struct pg_args *args, const struct batch *batch,
                        const struct batch_resolved *r, int column)
{
    switch (column) {
    case 0:
        pg_array_int8(args, batch->range[r->range].state->id);
        break;
    case 1:
        pg_array_int8(args, r->kafka_offset);
        break;
    case 2:
        pg_array_int4(args, (int32_t)r->record_index);
        break;
    default:
        bytes_or_null(args, slice_of(r->resolution));
    }
}

bool rejects_resolve(struct writer *w, struct batch *batch, struct err *err)
{
    static const enum pg_type type[] = {PG_INT8, PG_INT8, PG_INT4, PG_TEXT};
    size_t count = batch->resolved_count;
    MUST(batch->retry || count == 0, count);
    if (count == 0)
        return true;
    for (size_t i = 0; i < count; i++)
        batch->resolved[i].resolution = resolution_of(batch, &batch->resolved[i]);
    pg_args_reset(&w->args);
    for (int c = 0; c < 4; c++) {
        pg_array_open(&w->args, type[c], count);
        for (size_t i = 0; i < count; i++)
            resolve_add(&w->args, batch, &batch->resolved[i], c);
        pg_array_close(&w->args);
    }
    PGresult *res = pg_run(&w->pg, &resolve, &w->args, err);
    if (!res)
        return false;
    MUST(strtoull(PQcmdTuples(res), NULL, 10) <= count, count);
    bool all = strtoull(PQcmdTuples(res), NULL, 10) == count;
    PQclear(res);
    if (all)
        return true;
    w->fenced = true;
    return err_set(err, ERR_RETRY,
                   "a rejected record is not there any more as it was read: another retry was "
                   "faster, or the database went back");
}
