/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows into the table. What is a duplicate is found out as cheaply as possible, in this order:
 *
 *   1. sorted by key, equal neighbours in the batch: no database
 *   2. keys that this writer wrote lately (store/recent_keys.h) are asked for before the COPY. The
 * database says whether their rows are there: it may have gone back since
 *   3. the COPY itself: PostgreSQL refuses a key that is there (23505), and the batch is begun
 * again
 *   4. then, and for as long as duplicates keep coming: ask for all keys of the batch before the
 * COPY. Another member may still insert one in between; the COPY waits for it and is refused again,
 * and the next look sees it
 *   5. rows whose time is not their own (a resend has another key): identity_guard
 *
 * Of rows with one key the first stays. Later ones are duplicates, conflicts when their content
 * differs.
 */
#include "store/writer_impl.h"

#include "core/must.h"
#include "store/copy.h"
#include "store/pg_wait.h"
#include "store/row.h"
#include "store/row_order.h"

#include <stdlib.h>

/* libpq copies what it is given and sends it at once. Client CPU for 10,000 rows of 800 bytes: row
 * by row 2.0 ms, in pieces of 8 KB 1.9, 64 KB 1.7, 256 KB 1.8, 1 MB 2.3, whole 3.0. */
#define CHUNK_BYTES (64u << 10)
#define CLEAN_BATCHES 16 /* without a stored duplicate, until the COPY goes first again */

/* --- without the database ------------------------------------------------------------------- */

static void mark_duplicate(struct batch_row *row, enum row_fate fate, uint64_t first_hash)
{
    MUST(fate == ROW_DUPLICATE_NEAR || fate == ROW_DUPLICATE_STORED, fate);
    row->fate = fate;
    row->first_hash = first_hash;
    row->conflict = row->content_hash != first_hash;
}

void rows_mark_near(struct writer *w, struct batch *batch)
{
    w->refusal_count = 0;
    for (size_t i = 0; i < batch->message_count; i++)
        batch->messages[i].payload_used = false;
    rows_sort(batch->rows, batch->row_count);
    for (size_t i = 0, first = 0; i < batch->row_count; i++) {
        struct batch_row *row = &batch->rows[i];
        int order = row_key_compare(&batch->rows[first], row);
        MUST(order <= 0, first, i,
             batch->row_count); /* sorted: neighbours are all that are equal */
        if (order != 0)
            first = i;
        row->fate = ROW_NEW;
        row->conflict = false;
        row->suspected =
            first == i && recent_keys_has(&w->recent, row->start_time_us, row->identity);
        if (first != i)
            mark_duplicate(row, ROW_DUPLICATE_NEAR, batch->rows[first].content_hash);
    }
}

/* Resends within the batch of a row that is in the table are duplicates of that one. */
static void rows_follow(struct batch *batch)
{
    for (size_t i = 1, first = 0; i < batch->row_count; i++) {
        const struct batch_row *of = &batch->rows[first];
        if (row_key_compare(of, &batch->rows[i]) != 0)
            first = i;
        else if (of->fate == ROW_DUPLICATE_STORED)
            mark_duplicate(&batch->rows[i], ROW_DUPLICATE_STORED, of->first_hash);
    }
}

void rows_learn(struct writer *w, const struct batch *batch)
{
    for (size_t i = 0; i < batch->row_count; i++) {
        const struct batch_row *row = &batch->rows[i];
        if (row->fate == ROW_NEW)
            recent_keys_learn(&w->recent, row->start_time_us, row->identity);
    }
}

/* --- looking first -------------------------------------------------------------------------- */

/* $3 and $4 let partitions that cannot hold any of the keys stay closed. */
static const struct pg_statement look = {
    STATEMENT_LOOK,
    "SELECT k.place, l.content_hash"
    " FROM unnest($1::timestamp[], $2::uuid[]) WITH ORDINALITY AS k (start_time, identity, place)"
    " JOIN spendlog.stored_rows l ON l.start_time = k.start_time AND l.identity = k.identity"
    " WHERE l.start_time BETWEEN $3::timestamp AND $4::timestamp"};

/* One index lookup per key: joined as sets, a day of rows would be read for one batch of keys. */
static const char look_by_key[] = "SET LOCAL enable_hashjoin = off;"
                                  "SET LOCAL enable_mergejoin = off";

/* Rows a statement is about: of those still new, in their order, all or some. */
enum select { SELECT_ALL, SELECT_GUARDED, SELECT_SUSPECTED };

struct selection {
    struct batch *batch;
    enum select which;
    size_t count;
};

static bool is_selected(const struct batch_row *row, enum select which)
{
    if (row->fate != ROW_NEW)
        return false;
    if (which == SELECT_GUARDED)
        return row->time_not_own && !row->unguarded;
    return which == SELECT_ALL || row->suspected;
}

static struct batch_row *next_selected(const struct selection *s, size_t *from)
{
    while (*from < s->batch->row_count) {
        struct batch_row *row = &s->batch->rows[(*from)++];
        if (is_selected(row, s->which))
            return row;
    }
    return NULL;
}

static struct selection select_new(struct batch *batch, enum select which)
{
    struct selection s = {batch, which, 0};
    for (size_t from = 0; next_selected(&s, &from) != NULL;)
        s.count++;
    return s;
}

static void args_add_keys(struct pg_args *args, const struct selection *s)
{
    const struct batch_row *row;
    MUST(s->count > 0 && s->count <= s->batch->row_count, s->count, s->batch->row_count);
    pg_array_open(args, PG_TIMESTAMP, s->count);
    for (size_t from = 0; (row = next_selected(s, &from)) != NULL;)
        pg_array_int8(args, row->start_time_us - PG_EPOCH_US);
    pg_array_close(args);
    pg_array_open(args, PG_UUID, s->count);
    for (size_t from = 0; (row = next_selected(s, &from)) != NULL;)
        pg_array_bytes(args, (struct slice){(const char *)row->identity, sizeof(row->identity)});
    pg_array_close(args);
}

/* Marks the rows of a result of (place, content hash): places count the selection from 1, come in
 * any order, each once. */
static bool mark_stored(const struct selection *s, const PGresult *res, struct err *err)
{
    if (PQntuples(res) == 0)
        return true;
    struct batch_row **at = calloc(s->count, sizeof(struct batch_row *));
    if (!at)
        return err_set(err, ERR_FATAL, "out of memory");
    for (size_t n = 0, from = 0; n < s->count; n++)
        at[n] = next_selected(s, &from);
    for (int i = 0; i < PQntuples(res); i++) {
        size_t place = (size_t)pg_int(res, i, 0);
        MUST(place > 0 && place <= s->count, place, s->count);
        MUST(at[place - 1]->fate == ROW_NEW, place, at[place - 1]->fate); /* each once */
        mark_duplicate(at[place - 1], ROW_DUPLICATE_STORED, (uint64_t)pg_int(res, i, 1));
    }
    free(at);
    return true;
}

bool rows_look(struct writer *w, struct batch *batch, struct err *err)
{
    const struct selection s = select_new(batch, w->look_first ? SELECT_ALL : SELECT_SUSPECTED);
    if (s.count == 0)
        return true;
    MUST(pg_inside(&w->pg), s.count);
    pg_args_reset(&w->args);
    args_add_keys(&w->args, &s);
    pg_arg_time(&w->args, batch->rows[0].start_time_us); /* sorted by time */
    pg_arg_time(&w->args, batch->rows[batch->row_count - 1].start_time_us);
    PGresult *res =
        pg_command(&w->pg, look_by_key, err) ? pg_run(&w->pg, &look, &w->args, err) : NULL;
    if (!res)
        return false;
    bool found = PQntuples(res) > 0, ok = mark_stored(&s, res, err);
    PQclear(res);
    rows_follow(batch);
    if (s.which == SELECT_ALL)
        w->batches_clean = found ? 0 : w->batches_clean + 1;
    if (w->batches_clean >= CLEAN_BATCHES)
        w->look_first = false;
    return ok;
}

/* --- identities whose time is not their own ------------------------------------------------- */

/* Two statements: only a second one sees what another member committed while the first waited. */
static const struct pg_statement guard = {
    STATEMENT_GUARD,
    "INSERT INTO spendlog.identity_guard (identity, start_time, content_hash)"
    " SELECT g.identity, g.start_time, g.content_hash"
    " FROM unnest($1::timestamp[], $2::uuid[], $3::bigint[]) AS g (start_time, identity, "
    "content_hash)"
    " ORDER BY g.identity, g.start_time ON CONFLICT ON CONSTRAINT identity_guard_pkey DO NOTHING"};

static const struct pg_statement guarded = {
    STATEMENT_GUARDED,
    "SELECT g.place, i.content_hash"
    " FROM unnest($1::timestamp[], $2::uuid[]) WITH ORDINALITY AS g (start_time, identity, place)"
    " JOIN spendlog.identity_guard i ON i.identity = g.identity AND i.start_time <> g.start_time"};

bool rows_guard(struct writer *w, struct batch *batch, struct err *err)
{
    const struct selection s = select_new(batch, SELECT_GUARDED);
    const struct batch_row *row;
    if (s.count == 0)
        return true;
    MUST(pg_inside(&w->pg), s.count);
    pg_args_reset(&w->args);
    args_add_keys(&w->args, &s);
    pg_array_open(&w->args, PG_INT8, s.count);
    for (size_t from = 0; (row = next_selected(&s, &from)) != NULL;)
        pg_array_int8(&w->args, (int64_t)row->content_hash);
    pg_array_close(&w->args);
    PGresult *res = pg_run(&w->pg, &guard, &w->args, err);
    PQclear(res);
    if (!res)
        return false;

    pg_args_reset(&w->args);
    args_add_keys(&w->args, &s);
    res = pg_run(&w->pg, &guarded, &w->args, err);
    bool ok = res && mark_stored(&s, res, err);
    PQclear(res);
    rows_follow(batch);
    return ok;
}

/* --- COPY ----------------------------------------------------------------------------------- */

struct chunk {
    struct pg *pg;
    size_t bytes;
    bool failed;
    char p[CHUNK_BYTES];
};

static void chunk_flush(struct chunk *chunk)
{
    if (chunk->bytes && !pg_copy_put(chunk->pg, chunk->p, chunk->bytes))
        chunk->failed = true;
    chunk->bytes = 0;
}

static void chunk_add(struct chunk *chunk, const char *p, size_t bytes)
{
    while (bytes && !chunk->failed) {
        MUST(chunk->bytes < CHUNK_BYTES, chunk->bytes);
        size_t part = CHUNK_BYTES - chunk->bytes < bytes ? CHUNK_BYTES - chunk->bytes : bytes;
        memcpy(chunk->p + chunk->bytes, p, part);
        chunk->bytes += part;
        p += part;
        bytes -= part;
        if (chunk->bytes == CHUNK_BYTES)
            chunk_flush(chunk);
    }
}

/* A trigger that gives back nothing takes a row away without an error: refused as with one. */
static bool copy_took(struct writer *w, uint64_t taken, uint64_t sent, struct err *err)
{
    if (taken == sent)
        return true;
    snprintf(w->pg.sqlstate, sizeof(w->pg.sqlstate), "23000");
    snprintf(w->pg.message, sizeof(w->pg.message), "a trigger lets rows vanish");
    return err_set(err, ERR_INPUT, "COPY stored_rows: a trigger let %llu of %llu rows vanish",
                   (unsigned long long)(sent - taken), (unsigned long long)sent);
}

/* Without memory for the data or their end libpq stays within COPY, whatever it is asked. */
static bool copy_abandon(struct writer *w, struct err *err)
{
    pg_fail(&w->pg, NULL, "COPY stored_rows", err);
    pg_close(&w->pg);
    return false;
}

/* The server may refuse half-way and goes on reading: its verdict is the result after the end. */
static bool copy_end(struct writer *w, struct chunk *chunk, uint64_t sent, struct err *err)
{
    uint64_t taken = 0;
    bool ok = !chunk->failed && PQputCopyEnd(w->pg.conn, NULL) == 1, told = false;
    PGresult *res;
    while ((res = pg_result(&w->pg)) != NULL) {
        if (PQresultStatus(res) == PGRES_COPY_IN) {
            PQclear(res);
            return copy_abandon(w, err);
        }
        if (PQresultStatus(res) != PGRES_COMMAND_OK && !told) {
            ok = pg_fail(&w->pg, res, "COPY stored_rows", err);
            told = true;
        }
        taken += strtoull(PQcmdTuples(res), NULL, 10);
        PQclear(res);
    }
    if (!ok)
        return told ? false : pg_fail(&w->pg, NULL, "COPY stored_rows", err);
    return copy_took(w, taken, sent, err);
}

static void row_add(struct writer *w, struct batch *batch, const struct batch_row *row,
                    struct chunk *chunk)
{
    char *p = batch->encoded.p + row->offset;
    const struct words_table *table = batch->words.table;
    MUST(w->batch_id > 0 && w->book_id > 0, w->batch_id, w->book_id);
    MUST(row->offset + row->bytes <= batch->encoded.bytes, row->offset, row->bytes,
         batch->encoded.bytes);
    MUST(row->fate == ROW_NEW, row->fate);
    MUST(!row->lean || (table[WORDS_CALL].entry[row->words[WORDS_CALL]].wanted &&
                        table[WORDS_CALLER].entry[row->words[WORDS_CALLER]].wanted));
    if (row->lean)
        row_patch_lean(p, w->batch_id, w->book_id,
                       table[WORDS_CALL].entry[row->words[WORDS_CALL]].number,
                       table[WORDS_CALLER].entry[row->words[WORDS_CALLER]].number);
    else
        row_patch(p, w->batch_id, w->book_id);
    chunk_add(chunk, p, row->bytes);
}

static bool is_copied(const struct batch_row *row, bool lean)
{
    return row->fate == ROW_NEW && row->lean == lean;
}

/* The rows of [from, to) that are new and of this form. */
static bool copy_form(struct writer *w, struct batch *batch, size_t from, size_t to, bool lean,
                      struct err *err)
{
    static const char head[19] = "PGCOPY\n\377\r\n\0"; /* then 32 bits of flags, 32 of extension */
    struct chunk chunk;
    size_t first = from;
    uint64_t sent = 0;
    MUST(from <= to && to <= batch->row_count, from, to, batch->row_count);
    MUST(pg_inside(&w->pg), from, to);

    while (first < to && !is_copied(&batch->rows[first], lean))
        first++;
    if (first == to)
        return true;
    PGresult *res = pg_exec(&w->pg, lean ? w->copy_lean_sql.p : w->copy_sql.p);
    if (PQresultStatus(res) != PGRES_COPY_IN) {
        pg_fail(&w->pg, res, "COPY stored_rows", err);
        PQclear(res);
        return false;
    }
    PQclear(res);
    chunk.pg = &w->pg;
    chunk.bytes = 0;
    chunk.failed = false;
    chunk_add(&chunk, head, sizeof(head));
    for (size_t i = first; i < to; i++)
        if (is_copied(&batch->rows[i], lean)) {
            row_add(w, batch, &batch->rows[i], &chunk);
            sent++;
        }
    chunk_add(&chunk, "\377\377", 2);
    chunk_flush(&chunk);
    return copy_end(w, &chunk, sent, err);
}

/* Copies the rows of [from, to) that are new. */
static bool copy_range(struct writer *w, struct batch *batch, size_t from, size_t to,
                       struct err *err)
{
    return words_write(w, batch, from, to, err) && copy_form(w, batch, from, to, true, err) &&
           copy_form(w, batch, from, to, false, err);
}

/* --- bisection ------------------------------------------------------------------------------ */

/* Class 22 or 23, but for a key that is there (the batch is begun again) and for a day whose
 * partition is gone (23514 without a constraint). */
/* What a trigger of somebody's own raises: P0001, or a class of his that PostgreSQL has not. */
static bool is_raised(const char *sqlstate)
{
    static const char classes[] = "00 01 02 03 08 09 0A 0B 0F 0L 0P 0Z 20 21 22 23 24 25 26 27 28 "
                                  "2B 2D 2F 34 38 39 3B 3D 3F 40 42 44 53 54 55 57 58 72 F0 HV P0 "
                                  "XX";
    const char class[] = {sqlstate[0], sqlstate[0] ? sqlstate[1] : '\0', '\0'};
    return strcmp(sqlstate, "P0001") == 0 || (class[0] && !strstr(classes, class));
}

bool record_refused(const struct writer *w)
{
    return pg_err_kind(w->pg.sqlstate) == ERR_INPUT || is_raised(w->pg.sqlstate);
}

bool row_refusable(const struct writer *w)
{
    return record_refused(w) && strcmp(w->pg.sqlstate, "23505") != 0 &&
           !(strcmp(w->pg.sqlstate, "23514") == 0 && !w->pg.constraint[0]);
}

static bool payload_take(struct batch *batch, unsigned message)
{
    struct batch_message *of = message ? &batch->messages[message - 1] : NULL;
    MUST(message <= batch->message_count, message, batch->message_count);
    if (!of || of->payload_used)
        return false;
    return of->payload_used = of->payload.p != NULL;
}

static bool refuse(struct writer *w, struct batch *batch, size_t at, struct err *err)
{
    MUST(at < batch->row_count && w->refusal_count < batch->row_count, at, batch->row_count,
         w->refusal_count);
    MUST(batch->rows[at].fate != ROW_REFUSED, at);
    if (w->refusal_count == w->refusal_capacity) {
        size_t capacity = w->refusal_capacity ? w->refusal_capacity * 2 : 16;
        struct refusal *larger = realloc(w->refusal, capacity * sizeof(*larger));
        if (!larger)
            return err_set(err, ERR_FATAL, "out of memory");
        w->refusal = larger;
        w->refusal_capacity = capacity;
    }
    struct refusal *refusal = &w->refusal[w->refusal_count++];
    refusal->row = at;
    refusal->has_payload = payload_take(batch, batch->rows[at].message);
    snprintf(refusal->text, sizeof(refusal->text), "%s [%s]", w->pg.message, w->pg.sqlstate);
    batch->rows[at].fate = ROW_REFUSED;
    return true;
}

/* Resends in the batch of a row that was refused are not duplicates of anything stored. */
static bool refuse_with_resends(struct writer *w, struct batch *batch, size_t at, struct err *err)
{
    size_t i = at;
    bool ok = refuse(w, batch, at, err);
    while (ok && ++i < batch->row_count &&
           row_key_compare(&batch->rows[at], &batch->rows[i]) == 0) {
        batch->rows[i].conflict = false;
        ok = refuse(w, batch, i, err);
    }
    return ok;
}

/* Depth is the logarithm of the batch. What fails for another reason than a row ends the search. */
static bool copy_bisect(struct writer *w, struct batch *batch, size_t from, size_t to,
                        struct err *err)
{
    struct err why = {0};
    MUST(from < to && pg_inside(&w->pg), from, to);
    if (!pg_command(&w->pg, "SAVEPOINT half", err))
        return false;
    w->pg.sqlstate[0] = '\0'; /* what fails before the server is asked is not its refusal */
    if (copy_range(w, batch, from, to, &why))
        return pg_command(&w->pg, "RELEASE SAVEPOINT half", err);
    if (!row_refusable(w))
        return err_set(err, why.kind, "%s", why.text);
    if (!pg_command(&w->pg, "ROLLBACK TO SAVEPOINT half; RELEASE SAVEPOINT half", err))
        return false;
    if (to - from == 1)
        return refuse_with_resends(w, batch, from, err);
    size_t middle = from + (to - from) / 2;
    return copy_bisect(w, batch, from, middle, err) && copy_bisect(w, batch, middle, to, err);
}

bool rows_copy(struct writer *w, struct batch *batch, struct err *err)
{
    MUST(!w->copying && !w->rejecting);
    w->copying = true;
    bool ok = w->bisect ? copy_bisect(w, batch, 0, batch->row_count, err)
                        : copy_range(w, batch, 0, batch->row_count, err);
    if (ok)
        w->copying = false;
    return ok;
}

/* Whoever has the identity of a guard that was refused may be refused as well: one after the other
 * as guard, each would take a try. The next one tells of all of them. */
static void identity_unguard(struct batch *batch, const struct batch_row *refused)
{
    for (size_t i = 0; i < batch->row_count; i++) {
        struct batch_row *row = &batch->rows[i];
        if (row->time_not_own &&
            memcmp(row->identity, refused->identity, sizeof(row->identity)) == 0)
            row->unguarded = true;
    }
}

/* A row that is refused must not guard its identity: what comes again would be taken for a
 * duplicate of what is not there. */
bool rows_guard_stands(struct writer *w, struct batch *batch)
{
    w->guard_again = false;
    for (size_t i = 0; i < batch->row_count; i++) {
        struct batch_row *row = &batch->rows[i];
        if (!row->time_not_own || row->fate != (row->unguarded ? ROW_NEW : ROW_REFUSED))
            continue;
        w->guard_again = true;
        if (row->unguarded)
            row->unguarded = false;
        else
            identity_unguard(batch, row);
    }
    return !w->guard_again;
}

/* --- sums ----------------------------------------------------------------------------------- */

/* As of rows: what somebody's trigger takes away would be missing from the sums for ever. */
static bool lines_vanished(size_t sent, int64_t stored, struct err *err)
{
    return err_set(err, ERR_INPUT, "COPY spend_deltas: a trigger let %lld of %zu lines vanish",
                   (long long)sent - (long long)stored, sent);
}

static bool sums_copy(struct writer *w, const struct batch *batch, bool wide, struct err *err)
{
    char sql[1024];
    size_t from = 0, lines;
    snprintf(sql, sizeof(sql), "COPY spendlog.spend_deltas (%s) FROM STDIN (FORMAT binary)",
             wide ? sums_columns_wide : sums_columns_lean);
    while (from < batch->sums.group_count) {
        int64_t stored;
        copy_in_start(&w->sums);
        if (!sums_encode(&batch->sums, &batch->words, wide, &w->sums, &from, &lines))
            return err_set(err, ERR_FATAL, "the sums of the batch do not fit into memory");
        w->sum_lines += lines;
        MUST(pg_inside(&w->pg), lines);
        if (lines == 0)
            continue;
        if (!copy_in(&w->pg, sql, &w->sums, &stored, err))
            return false;
        if (stored != (int64_t)lines)
            return lines_vanished(lines, stored, err);
    }
    return true;
}

bool rows_sum(struct writer *w, struct batch *batch, struct err *err)
{
    w->sum_lines = 0;
    MUST(!w->copying, batch->row_count); /* what was refused is known by now */
    bool ok = sums_begin(&batch->sums);
    for (size_t i = 0; ok && i < batch->row_count; i++)
        if (batch->rows[i].fate == ROW_NEW)
            sums_count(&batch->sums, batch->rows[i].figures);
    if (!ok || !sums_fold(&batch->sums))
        return err_set(err, ERR_FATAL, "the sums of the batch do not fit into memory");
    return sums_copy(w, batch, false, err) && sums_copy(w, batch, true, err);
}
