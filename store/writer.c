/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer's life (connection, what is believed of the database, offset rows, the price book's
 * number). How a batch is written: writer_commit.c.
 */
#include "store/writer_impl.h"

#include "core/log.h"
#include "core/must.h"
#include "store/migrate.h"
#include "store/numbers.h"
#include "store/retention.h"
#include "store/row.h"
#include "store/sealed.h"
#include "store/stored_book.h"

#include <stdlib.h>

#define LOCK_TIMEOUT_MS 2000
#define STATEMENT_TIMEOUT_MS 30000
#define IDLE_TIMEOUT_MS 15000 /* a transaction of ours never waits for us: a frozen member does */
#define SQL_BYTES_MAX (1u << 16)

/* --- life ----------------------------------------------------------------------------------- */

static void copy_sql_make(struct buf *sql, void (*columns)(struct buf *sql))
{
    buf_init(sql, SQL_BYTES_MAX);
    buf_add_text(sql, "COPY spendlog.stored_rows (");
    columns(sql);
    buf_add_text(sql, ") FROM STDIN (FORMAT binary)");
    buf_add_char(sql, '\0');
}

struct writer *writer_new(const struct writer_options *o)
{
    MUST(o->conninfo && o->group_id && o->application_name);
    struct writer *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    w->conninfo = strdup(o->conninfo);
    w->group_id = strdup(o->group_id);
    w->cluster_id = strdup(o->cluster_id ? o->cluster_id : "");
    w->application_name = strdup(o->application_name);
    w->member = strdup(o->member ? o->member : o->application_name);
    w->lock_timeout_ms = o->lock_timeout_ms ? o->lock_timeout_ms : LOCK_TIMEOUT_MS;
    w->statement_timeout_ms =
        o->statement_timeout_ms ? o->statement_timeout_ms : STATEMENT_TIMEOUT_MS;
    w->stop = o->stop;
    w->tell_retention = o->tell_retention;
    w->retain_days = o->retain_days;
    w->seal = o->payload_keys ? &o->payload_keys->key[0] : NULL;
    pg_args_init(&w->args);
    buf_init(&w->sealed, PG_ARGS_BYTES_MAX);
    buf_init(&w->place, SEALED_PLACE_BYTES);
    buf_init(&w->sums, 4 * (size_t)BATCH_BYTES_MAX);
    copy_sql_make(&w->copy_sql, row_columns);
    copy_sql_make(&w->copy_lean_sql, row_columns_lean);
    if (recent_keys_init(&w->recent) && words_known_init(&w->known) && w->conninfo && w->group_id &&
        w->cluster_id && w->application_name && w->member && buf_ok(&w->copy_sql) &&
        buf_ok(&w->copy_lean_sql))
        return w;
    writer_free(w);
    return NULL;
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    pg_close(&w->pg);
    pg_args_free(&w->args);
    buf_free(&w->copy_sql);
    buf_free(&w->copy_lean_sql);
    words_known_free(&w->known);
    buf_free(&w->sums);
    buf_free(&w->sealed);
    buf_free(&w->place);
    recent_keys_free(&w->recent);
    free(w->conninfo);
    free(w->group_id);
    free(w->cluster_id);
    free(w->application_name);
    free(w->member);
    free(w->counts);
    free(w->refusal);
    free(w);
}

void writer_set_cluster_id(struct writer *w, const char *cluster_id)
{
    char *copy = strdup(cluster_id);
    if (!copy)
        abort(); /* a few bytes, once */
    free(w->cluster_id);
    w->cluster_id = copy;
}

const char *writer_cluster_id(const struct writer *w)
{
    return w->cluster_id;
}

void writer_forget(struct writer *w)
{
    recent_keys_forget(&w->recent);
    w->book_hash[0] = '\0';
    w->numbers_stand = false;
    days_known_forget(&w->days);
    words_known_forget(&w->known);
}

static bool retention_told(struct writer *w, struct err *err)
{
    char text[RETENTION_TEXT_MAX];
    if (!w->tell_retention)
        return true;
    if (!retention_compare(&w->pg, w->retain_days, text, err))
        return false;
    if (text[0])
        log_warn("%s", text);
    w->tell_retention = false;
    return true;
}

bool writer_connect(struct writer *w, struct err *err)
{
    const struct pg_options options = {
        .conninfo = w->conninfo,
        .application_name = w->application_name,
        .lock_timeout_ms = w->lock_timeout_ms,
        .statement_timeout_ms = w->statement_timeout_ms,
        .idle_in_transaction_timeout_ms = IDLE_TIMEOUT_MS,
        .stop = w->stop,
    };
    if (!w->pg.conn) {
        writer_forget(w);
        if (!migrate_open(&w->pg, &options, err))
            return false;
        MUST(!w->book_hash[0] && w->days.count == 0 && w->known.batch_id == 0, w->days.count,
             w->known.batch_id);
        log_info("connected to %s", w->pg.place);
    }
    if (!w->numbers_stand && !numbers_forward(&w->pg, err))
        return false;
    w->numbers_stand = true;
    return retention_told(w, err);
}

/* --- offset rows ---------------------------------------------------------------------------- */

/* Of partitions $4, $4 + 1, ... */
static const char offsets_insert[] =
    "INSERT INTO spendlog.kafka_offsets"
    " (cluster_id, group_id, topic, partition, incarnation, first_offset, next_offset)"
    " SELECT $1, $2, $3, $4::integer + s.place::integer - 1, 1, s.start, s.start"
    " FROM unnest($5::bigint[]) WITH ORDINALITY AS s (start, place) ORDER BY s.place"
    " ON CONFLICT ON CONSTRAINT kafka_offsets_place_key DO NOTHING";

static const char offset_select[] =
    "SELECT partition_id, incarnation, first_offset, next_offset, last_message_ms,"
    " last_message_hash, next_index, next_mappings, last_messages, created_at"
    " FROM spendlog.kafka_offsets"
    " WHERE cluster_id = $1 AND group_id = $2 AND topic = $3 AND partition = $4::integer"
    " ORDER BY incarnation DESC LIMIT 1";

static void arg_place(struct writer *w, const char *topic)
{
    pg_args_reset(&w->args);
    pg_arg_text(&w->args, slice_of(w->cluster_id));
    pg_arg_text(&w->args, slice_of(w->group_id));
    pg_arg_text(&w->args, slice_of(topic));
}

static bool offset_select_into(struct writer *w, const char *topic, int32_t partition,
                               struct partition_state *state, struct err *err)
{
    arg_place(w, topic);
    pg_arg_int4(&w->args, partition);
    PGresult *res = pg_query(&w->pg, offset_select, &w->args, err);
    if (!res)
        return false;
    state->id = 0;
    state->partition = partition;
    MUST(partition >= 0 && PQntuples(res) <= 1, partition, PQntuples(res));
    if (PQntuples(res) == 1) {
        state->id = pg_int(res, 0, 0);
        state->incarnation = (int32_t)pg_int(res, 0, 1);
        state->first_offset = pg_int(res, 0, 2);
        state->next_offset = pg_int(res, 0, 3);
        state->last_time_ms = pg_null(res, 0, 4) ? -1 : pg_int(res, 0, 4);
        state->last_hash = pg_null(res, 0, 5) ? 0 : (uint64_t)pg_int(res, 0, 5);
        state->next_index = (unsigned)pg_int(res, 0, 6);
        state->mappings = pg_null(res, 0, 7) ? 0 : (uint64_t)pg_int(res, 0, 7);
        last_messages_take(&state->last, pg_text(res, 0, 8), state->next_offset);
        state->created = pg_int(res, 0, 9);
    }
    PQclear(res);
    return true;
}

static bool offsets_begin(struct writer *w, const char *topic, int32_t partition,
                          const int64_t start[], size_t count, struct err *err)
{
    arg_place(w, topic);
    pg_arg_int4(&w->args, partition);
    pg_array_open(&w->args, PG_INT8, count);
    for (size_t i = 0; i < count; i++)
        pg_array_int8(&w->args, start[i]);
    pg_array_close(&w->args);
    PGresult *res = pg_query(&w->pg, offsets_insert, &w->args, err);
    PQclear(res);
    return res != NULL;
}

bool writer_offset_load(struct writer *w, const char *topic, int32_t partition,
                        int64_t start_offset, struct partition_state *state, struct err *err)
{
    if (!writer_connect(w, err) || !offset_select_into(w, topic, partition, state, err))
        return false;
    if (state->id != 0 || start_offset < 0)
        return true;
    if (!offsets_begin(w, topic, partition, &start_offset, 1, err) ||
        !offset_select_into(w, topic, partition, state, err))
        return false;
    /* Between the two statements the database went back. */
    return state->id != 0 ? true
                          : err_set(err, ERR_RETRY, "%s/%d: the offset row is not there any more",
                                    topic, (int)partition);
}

bool writer_topic_begin(struct writer *w, const char *topic, const int64_t start[], size_t count,
                        struct err *err)
{
    MUST(count > 0, count);
    return writer_connect(w, err) && offsets_begin(w, topic, 0, start, count, err);
}

bool writer_topic_known(struct writer *w, const char *topic, bool *known, struct err *err)
{
    if (!writer_connect(w, err))
        return false;
    arg_place(w, topic);
    PGresult *res = pg_query(&w->pg,
                             "SELECT 1 FROM spendlog.kafka_offsets"
                             " WHERE cluster_id = $1 AND group_id = $2 AND topic = $3 LIMIT 1",
                             &w->args, err);
    if (!res)
        return false;
    *known = PQntuples(res) > 0;
    PQclear(res);
    return true;
}

/* --- going back ----------------------------------------------------------------------------- */

static const struct pg_statement standing = {
    STATEMENT_STAND,
    "SELECT count(*) FROM unnest($1::bigint[], $2::timestamp[], $3::bigint[], $4::integer[])"
    "  AS k (partition_id, created_at, next_offset, next_index)"
    " JOIN spendlog.kafka_offsets o USING (partition_id, created_at)"
    " WHERE (o.next_offset, o.next_index) >= (k.next_offset, k.next_index)"};

static void args_add_states(struct pg_args *args, struct partition_state *const state[],
                            size_t count)
{
    pg_array_open(args, PG_INT8, count);
    for (size_t i = 0; i < count; i++)
        pg_array_int8(args, state[i]->id);
    pg_array_close(args);
    pg_array_open(args, PG_TIMESTAMP, count);
    for (size_t i = 0; i < count; i++)
        pg_array_int8(args, state[i]->created);
    pg_array_close(args);
    pg_array_open(args, PG_INT8, count);
    for (size_t i = 0; i < count; i++)
        pg_array_int8(args, state[i]->next_offset);
    pg_array_close(args);
    pg_array_open(args, PG_INT4, count);
    for (size_t i = 0; i < count; i++)
        pg_array_int4(args, (int32_t)state[i]->next_index);
    pg_array_close(args);
}

bool writer_offsets_stand(struct writer *w, struct partition_state *const state[], size_t count,
                          bool *stand, struct err *err)
{
    MUST(count > 0 && pg_outside(&w->pg), count);
    pg_args_reset(&w->args);
    args_add_states(&w->args, state, count);
    PGresult *res = pg_run(&w->pg, &standing, &w->args, err);
    if (!res)
        return false;
    *stand = (size_t)pg_int(res, 0, 0) == count;
    MUST((size_t)pg_int(res, 0, 0) <= count, pg_int(res, 0, 0), count);
    PQclear(res);
    return true;
}

/* A number alone does not say which row it is: another history may have given it again. */
#define OF_STATE                                                                                   \
    "partition_id = $1::bigint AND created_at = $2::timestamp AND next_offset = $3::bigint"

static void args_of_state(struct writer *w, const struct partition_state *state)
{
    pg_args_reset(&w->args);
    pg_arg_int8(&w->args, state->id);
    pg_arg_int8(&w->args, state->created);
    pg_arg_int8(&w->args, state->next_offset);
}

bool writer_setback(struct writer *w, const struct partition_state *state, int64_t known_offset,
                    struct err *err)
{
    MUST(state->id > 0 && known_offset > state->next_offset, state->id, known_offset,
         state->next_offset);
    args_of_state(w, state);
    pg_arg_int8(&w->args, known_offset);
    pg_arg_text(&w->args, slice_of(w->member));
    PGresult *res = pg_query(&w->pg,
                             "INSERT INTO spendlog.kafka_setbacks"
                             " (partition_id, known_offset, stored_offset, member)"
                             " SELECT partition_id, $4::bigint, next_offset, $5"
                             " FROM spendlog.kafka_offsets WHERE " OF_STATE " RETURNING 1",
                             &w->args, err);
    bool told = res && PQntuples(res) == 1;
    PQclear(res);
    return !res || told
               ? told
               : err_set(err, ERR_RETRY, "%s/%d/%lld: the offset row is another one by now",
                         state->topic, (int)state->partition, (long long)state->next_offset);
}

/* --- gaps ----------------------------------------------------------------------------------- */

/* Both move the offset row by compare-and-set and book the gap in the same statement. The log has
 * nothing before the gap's end, which is its start: from 0 on there are no last messages. */
static const char gap_same_incarnation[] =
    "WITH moved AS ("
    "  UPDATE spendlog.kafka_offsets SET next_offset = $4::bigint, next_index = 0,"
    "    last_message_ms = NULL, last_message_hash = NULL, last_messages = int8send(0),"
    "    updated_at = now()"
    "  WHERE " OF_STATE " AND replaced_at IS NULL RETURNING partition_id, created_at),"
    " booked AS ("
    "  INSERT INTO spendlog.kafka_gaps"
    "   (partition_id, next_partition_id, stored_offset, resumed_offset, why)"
    "  SELECT partition_id, partition_id, $3::bigint, $4::bigint, $5 FROM moved)"
    " SELECT partition_id, 0, created_at FROM moved";

static const char gap_new_incarnation[] =
    "WITH old AS ("
    "  UPDATE spendlog.kafka_offsets SET replaced_at = now(), updated_at = now()"
    "  WHERE " OF_STATE " AND replaced_at IS NULL"
    "  RETURNING cluster_id, group_id, topic, partition, incarnation),"
    " new AS ("
    "  INSERT INTO spendlog.kafka_offsets"
    "   (cluster_id, group_id, topic, partition, incarnation, first_offset, next_offset,"
    "    last_messages)"
    "  SELECT cluster_id, group_id, topic, partition, incarnation + 1, $4::bigint, $4::bigint,"
    "   int8send(0)"
    "  FROM old RETURNING partition_id, created_at),"
    " booked AS ("
    "  INSERT INTO spendlog.kafka_gaps"
    "   (partition_id, next_partition_id, stored_offset, resumed_offset, why)"
    "  SELECT $1::bigint, partition_id, $3::bigint, $4::bigint, $5 FROM new)"
    " SELECT partition_id, 1, created_at FROM new";

bool writer_offset_gap(struct writer *w, struct partition_state *state, bool new_incarnation,
                       int64_t next_offset, const char *why, struct err *err)
{
    MUST(state->id > 0 && next_offset >= 0, state->id, next_offset);
    MUST(new_incarnation || next_offset > state->next_offset, next_offset, state->next_offset);
    if (!writer_connect(w, err))
        return false;
    args_of_state(w, state);
    pg_arg_int8(&w->args, next_offset);
    pg_arg_text(&w->args, slice_of(why));
    PGresult *res = pg_query(&w->pg, new_incarnation ? gap_new_incarnation : gap_same_incarnation,
                             &w->args, err);
    if (!res)
        return false;
    bool moved = PQntuples(res) == 1;
    if (moved) {
        MUST((pg_int(res, 0, 1) == 1) == new_incarnation, pg_int(res, 0, 1), new_incarnation);
        state->id = pg_int(res, 0, 0);
        state->incarnation += (int32_t)pg_int(res, 0, 1);
        state->created = pg_int(res, 0, 2);
        if (new_incarnation)
            state->first_offset = next_offset;
        state->next_offset = next_offset;
        state->next_index = 0;
        state->last_time_ms = -1;
        state->last = (struct last_messages){.from = 0};
    }
    PQclear(res);
    return moved ? true
                 : err_set(err, ERR_RETRY, "%s/%d/%lld: another member has moved the offset",
                           state->topic, (int)state->partition, (long long)state->next_offset);
}

/* --- price books ---------------------------------------------------------------------------- */

bool writer_put_book(struct writer *w, const char *book_id, struct slice json, struct err *err)
{
    if (!writer_connect(w, err) || !stored_book_put(&w->pg, book_id, json, &w->book_id, err))
        return false;
    MUST(strlen(book_id) + 1 == sizeof(w->book_hash) && w->book_id > 0, strlen(book_id),
         w->book_id);
    memcpy(w->book_hash, book_id, sizeof(w->book_hash));
    return true;
}

bool writer_has_book(const struct writer *w, const char *book_id)
{
    return strcmp(w->book_hash, book_id) == 0;
}
