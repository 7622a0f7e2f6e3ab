/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads can be large and many: the list comes through single-row mode, one event in memory at
 * once. A message is kept once, with one of its rejected records, and fetched once for all of them,
 * over a connection of its own. */
#include "store/rejected.h"

#include "store/migrate.h"
#include "store/pg.h"
#include "store/sealed.h"

#include <stdio.h>

#define OPENED_BYTES_MAX (64u << 20)
#define LOCKED_BYTES_MAX 160

enum {
    R_ID,
    R_GROUP,
    R_TOPIC,
    R_PARTITION,
    R_INCARNATION,
    R_OFFSET,
    R_BATCH,
    R_INDEX,
    R_REASON,
    R_MAPPING,
    R_FIELD,
    R_DETAIL,
    R_BYTE,
    R_HAS_PAYLOAD,
    R_KEY,
    R_SEALED_DETAIL,
    R_PAYLOAD_BYTES,
    R_PAYLOAD_HASH,
    R_MESSAGE_MS,
    R_REJECTED_AT,
    R_RESOLUTION,
    R_RESOLVED_AT,
    R_CLUSTER,
    R_CREATED
};

static const char select_head[] =
    "SELECT e.partition_id, o.group_id, o.topic, o.partition, o.incarnation, e.kafka_offset,"
    " e.batch_id, e.record_index, e.reason, e.mapping, e.field,";

/* What holds or quotes the message: the reader's columns do not have it. */
static const char select_content[] =
    " e.detail, e.byte, EXISTS (SELECT FROM spendlog.rejected_events s"
    "  WHERE s.partition_id = e.partition_id AND s.kafka_offset = e.kafka_offset"
    "   AND s.payload IS NOT NULL), e.payload_key, e.sealed_detail,";
static const char select_hidden[] = " NULL::text, e.byte, false, NULL::text, NULL::bytea,";

/* All of a filter but its group and its limit. */
#define FROM_FILTERED                                                                              \
    " FROM spendlog.rejected_events e"                                                             \
    " JOIN spendlog.kafka_offsets o ON o.partition_id = e.partition_id"                            \
    " WHERE ($2::text IS NULL OR o.topic = $2)"                                                    \
    " AND ($3::text IS NULL OR e.reason = $3) AND ($4::text IS NULL OR e.mapping = $4)"            \
    " AND ($5::integer < 0 OR o.partition = $5) AND ($6::bigint < 0 OR e.kafka_offset = $6)"       \
    " AND ($7::timestamp IS NULL OR e.rejected_at >= $7)"                                          \
    " AND ($8::timestamp IS NULL OR e.rejected_at < $8)"                                           \
    " AND ($9 OR e.resolved_at IS NULL)"                                                           \
    " AND ($11::bigint IS NULL OR e.record_index = $11)"

static const char select_tail[] =
    " e.payload_bytes, e.payload_hash, e.message_ms, e.rejected_at, e.resolution, e.resolved_at,"
    " o.cluster_id, o.created_at" FROM_FILTERED " AND ($1::text IS NULL OR o.group_id = $1)"
    " ORDER BY e.batch_id, e.partition_id, e.kafka_offset, e.record_index LIMIT $10::bigint";

static bool content_readable(struct pg *pg, bool *readable, struct err *err)
{
    PGresult *res = pg_query(pg,
                             "SELECT has_column_privilege('spendlog.rejected_events', 'payload',"
                             " 'SELECT')",
                             NULL, err);
    *readable = res && pg_int(res, 0, 0) != 0;
    PQclear(res);
    return res != NULL;
}

static void arg_text_open(struct pg_args *args, const char *text)
{
    if (text)
        pg_arg_text(args, slice_of(text));
    else
        pg_arg_null(args);
}

static void args_of(struct pg_args *args, const struct rejected_filter *f)
{
    arg_text_open(args, f->group);
    arg_text_open(args, f->topic);
    arg_text_open(args, f->reason);
    arg_text_open(args, f->mapping);
    pg_arg_int4(args, f->partition);
    pg_arg_int8(args, f->kafka_offset);
    pg_arg_time_open(args, f->since_us);
    pg_arg_time_open(args, f->until_us);
    pg_arg_bool(args, f->resolved_too);
    if (f->limit)
        pg_arg_int8(args, f->limit);
    else
        pg_arg_null(args);
    if (f->one_record)
        pg_arg_int8(args, f->record_index);
    else
        pg_arg_null(args);
}

/* What is encrypted, opened; or why it cannot be. */
struct opened {
    struct buf text;
    char locked[LOCKED_BYTES_MAX]; /* "" = it is open */
};

/* The message that was fetched last, and the detail of the record at hand. */
struct payload {
    struct pg pg;
    PGresult *res;
    int64_t partition_id, kafka_offset;
    const struct seal_keys *keys;
    struct opened message, envelope, detail;
};

static void payload_init(struct payload *payload, const struct seal_keys *keys)
{
    *payload = (struct payload){.keys = keys};
    buf_init(&payload->message.text, OPENED_BYTES_MAX);
    buf_init(&payload->envelope.text, OPENED_BYTES_MAX);
    buf_init(&payload->detail.text, OPENED_BYTES_MAX);
}

static void payload_free(struct payload *payload)
{
    PQclear(payload->res);
    buf_free(&payload->message.text);
    buf_free(&payload->envelope.text);
    buf_free(&payload->detail.text);
    pg_close(&payload->pg);
}

static void open_sealed(struct opened *opened, const struct seal_keys *keys, struct slice id,
                        struct slice place, struct slice sealed)
{
    const struct seal_key *key = seal_key_find(keys, id);
    opened->locked[0] = '\0';
    buf_reset(&opened->text);
    if (!key)
        snprintf(opened->locked, sizeof(opened->locked),
                 "encrypted with key " SLICE_FMT ", which storage.payload_key does not hold",
                 SLICE_ARG(id));
    else if (!seal_open(key, place, sealed, &opened->text))
        snprintf(opened->locked, sizeof(opened->locked),
                 "not what was encrypted here with key " SLICE_FMT, SLICE_ARG(id));
}

static void open_at(struct opened *opened, const struct seal_keys *keys, struct slice id,
                    enum sealed_column column, const struct payload *of, int64_t record_index,
                    struct slice sealed)
{
    struct buf place;
    buf_init(&place, SEALED_PLACE_BYTES);
    sealed_place(&place, column, of->partition_id, of->kafka_offset, (unsigned)record_index);
    open_sealed(opened, keys, id, buf_slice(&place), sealed);
    buf_free(&place);
}

static void payload_open(struct payload *payload, struct opened *opened, enum sealed_column column,
                         int at)
{
    const PGresult *res = payload->res;
    opened->locked[0] = '\0';
    if (res && PQntuples(res) == 1 && !pg_null(res, 0, 2) && !pg_null(res, 0, at))
        open_at(opened, payload->keys, pg_text(res, 0, 2), column, payload, pg_int(res, 0, 1),
                pg_text(res, 0, at));
}

static bool payload_fetch(struct payload *payload, const PGresult *event, struct err *err)
{
    int64_t partition_id = pg_int(event, 0, R_ID), kafka_offset = pg_int(event, 0, R_OFFSET);
    struct pg_args args;
    if (payload->res && partition_id == payload->partition_id &&
        kafka_offset == payload->kafka_offset)
        return true;
    PQclear(payload->res);
    payload->partition_id = partition_id;
    payload->kafka_offset = kafka_offset;
    pg_args_init(&args);
    pg_arg_int8(&args, partition_id);
    pg_arg_int8(&args, kafka_offset);
    payload->res =
        pg_query(&payload->pg,
                 "SELECT payload, record_index, payload_key, envelope FROM spendlog.rejected_events"
                 " WHERE partition_id = $1::bigint AND kafka_offset = $2::bigint"
                 "  AND payload IS NOT NULL ORDER BY record_index LIMIT 1",
                 &args, err);
    pg_args_free(&args);
    payload_open(payload, &payload->message, SEALED_PAYLOAD, 0);
    payload_open(payload, &payload->envelope, SEALED_ENVELOPE, 3);
    return payload->res != NULL;
}

/* The message, or its envelope, which may not be there. */
static struct slice payload_slice(const struct payload *payload, const struct opened *opened,
                                  int column)
{
    if (!payload->res || PQntuples(payload->res) != 1 || opened->locked[0] ||
        pg_null(payload->res, 0, column))
        return (struct slice){NULL, 0};
    return pg_null(payload->res, 0, 2) ? pg_text(payload->res, 0, column)
                                       : buf_slice(&opened->text);
}

static struct slice detail_slice(struct payload *payload, const PGresult *res)
{
    const struct payload of = {.partition_id = pg_int(res, 0, R_ID),
                               .kafka_offset = pg_int(res, 0, R_OFFSET)};
    payload->detail.locked[0] = '\0';
    if (pg_null(res, 0, R_DETAIL))
        return (struct slice){NULL, 0};
    if (pg_null(res, 0, R_SEALED_DETAIL))
        return pg_text(res, 0, R_DETAIL);
    open_at(&payload->detail, payload->keys, pg_text(res, 0, R_KEY), SEALED_DETAIL, &of,
            pg_int(res, 0, R_INDEX), pg_text(res, 0, R_SEALED_DETAIL));
    return payload->detail.locked[0] ? slice_of(payload->detail.locked)
                                     : buf_slice(&payload->detail.text);
}

static const char *locked_of(const struct payload *payload)
{
    return payload->message.locked[0]    ? payload->message.locked
           : payload->envelope.locked[0] ? payload->envelope.locked
           : payload->detail.locked[0]   ? payload->detail.locked
                                         : NULL;
}

static bool tell(const PGresult *res, struct payload *payload, rejected_fn *fn, void *context)
{
    const struct slice detail = detail_slice(payload, res);
    const struct rejected_event event = {
        .partition_id = pg_int(res, 0, R_ID),
        .group = pg_text(res, 0, R_GROUP),
        .topic = pg_text(res, 0, R_TOPIC),
        .partition = (int32_t)pg_int(res, 0, R_PARTITION),
        .incarnation = (int32_t)pg_int(res, 0, R_INCARNATION),
        .kafka_offset = pg_int(res, 0, R_OFFSET),
        .batch_id = pg_int(res, 0, R_BATCH),
        .record_index = (unsigned)pg_int(res, 0, R_INDEX),
        .reason = pg_text(res, 0, R_REASON),
        .mapping = pg_text(res, 0, R_MAPPING),
        .field = pg_text(res, 0, R_FIELD),
        .detail = detail.p || pg_null(res, 0, R_DETAIL) ? detail : SLICE(""),
        .byte = pg_null(res, 0, R_BYTE) ? -1 : pg_int(res, 0, R_BYTE),
        .has_payload = pg_int(res, 0, R_HAS_PAYLOAD) != 0,
        .payload = payload_slice(payload, &payload->message, 0),
        .envelope = payload_slice(payload, &payload->envelope, 3),
        .key = pg_text(res, 0, R_KEY),
        .locked = locked_of(payload),
        .payload_bytes = pg_int(res, 0, R_PAYLOAD_BYTES),
        .payload_hash = (uint64_t)pg_int(res, 0, R_PAYLOAD_HASH),
        .message_ms = pg_null(res, 0, R_MESSAGE_MS) ? -1 : pg_int(res, 0, R_MESSAGE_MS),
        .rejected_at_us = pg_time_us(res, 0, R_REJECTED_AT),
        .resolution = pg_text(res, 0, R_RESOLUTION),
        .resolved_at_us = pg_time_us(res, 0, R_RESOLVED_AT),
        .cluster = pg_text(res, 0, R_CLUSTER),
        .partition_created = pg_int(res, 0, R_CREATED),
    };
    return fn(&event, context);
}

static bool events_read(struct pg *pg, struct payload *payload,
                        const struct rejected_filter *filter, bool readable, rejected_fn *fn,
                        void *context, struct err *err)
{
    char sql[sizeof(select_head) + sizeof(select_content) + sizeof(select_tail)];
    struct pg_args args;
    PGresult *res;
    bool more = true;
    snprintf(sql, sizeof(sql), "%s%s%s", select_head, readable ? select_content : select_hidden,
             select_tail);
    pg_args_init(&args);
    args_of(&args, filter);
    bool ok = pg_stream(pg, sql, &args, err);
    while (ok && more && (ok = pg_stream_next(pg, &res, err)) && res) {
        ok = !filter->payloads || payload_fetch(payload, res, err);
        more = ok && tell(res, payload, fn, context);
        PQclear(res);
    }
    pg_args_free(&args);
    return ok;
}

bool rejected_list(const char *conninfo, const struct rejected_filter *filter, rejected_fn *fn,
                   void *context, struct err *err)
{
    const struct pg_options options = {.conninfo = conninfo,
                                       .application_name = "spendlog rejected"};
    struct payload payload;
    struct pg pg;
    bool readable;
    if (!migrate_open(&pg, &options, err))
        return false;
    payload_init(&payload, filter->keys);
    bool ok = content_readable(&pg, &readable, err);
    if (ok && filter->payloads && !readable)
        ok = err_set(err, ERR_CONFIG, "%s: rejected messages are read by a spendlog_writer alone",
                     pg.place);
    ok = ok && (!filter->payloads || pg_open(&payload.pg, &options, err)) &&
         events_read(&pg, &payload, filter, readable, fn, context, err);
    payload_free(&payload);
    pg_close(&pg); /* ends a list that was broken off, too */
    return ok;
}

bool rejected_left_out(const char *conninfo, const struct rejected_filter *filter,
                       struct rejected_left *left, struct err *err)
{
    const struct pg_options options = {
        .conninfo = conninfo, .application_name = "spendlog rejected", .read_only = true};
    struct pg pg;
    struct pg_args args;
    if (!migrate_open(&pg, &options, err))
        return false;
    pg_args_init(&args);
    args_of(&args, filter);
    PGresult *res = pg_query(&pg,
                             "SELECT greatest(0, count(*) FILTER (WHERE o.group_id = $1::text)"
                             " - coalesce($10::bigint, 9223372036854775807)),"
                             " count(*) FILTER (WHERE o.group_id <> $1)" FROM_FILTERED,
                             &args, err);
    pg_args_free(&args);
    if (res)
        *left = (struct rejected_left){.beyond = pg_int(res, 0, 0), .of_others = pg_int(res, 0, 1)};
    PQclear(res);
    pg_close(&pg);
    return res != NULL;
}
