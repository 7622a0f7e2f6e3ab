/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the statements of the writer's path do. They are known by how they begin and by one thing
 * that they hold; one that is not known fails the run. Results have the columns that the product
 * reads, in their order.
 */
#include "tests/sim/statements.h"

#include "core/big_endian.h"
#include "core/embed.h"
#include "core/hash.h"
#include "tests/sim/others.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* --- parameters ----------------------------------------------------------------------------- */

int64_t int_at(const char *p, int bytes)
{
    switch (bytes) {
    case 8:
        return (int64_t)get_be64(p);
    case 4:
        return (int32_t)get_be32(p);
    case 2:
        return (int16_t)get_be16(p);
    default:
        return bytes ? (unsigned char)*p : 0;
    }
}

bool param_is_null(const struct params *params, int n)
{
    return !params->value[n - 1];
}

int64_t param_int(const struct params *params, int n)
{
    return param_is_null(params, n) ? 0 : int_at(params->value[n - 1], params->length[n - 1]);
}

struct text text_copy(const char *p, size_t bytes)
{
    char *copy = sim_alloc(bytes + 1);
    if (bytes)
        memcpy(copy, p, bytes);
    return (struct text){copy, bytes};
}

/* For all seeds. */
char *text_lasting(const char *p, size_t bytes)
{
    char *copy = sim_malloc(bytes + 1);
    if (!copy)
        abort();
    memcpy(copy, p, bytes);
    copy[bytes] = '\0';
    return copy;
}

struct text param_text(const struct params *params, int n)
{
    return text_copy(params->value[n - 1], (size_t)params->length[n - 1]);
}

bool text_eq(struct text a, struct text b)
{
    return a.bytes == b.bytes && memcmp(a.p, b.p, a.bytes) == 0;
}

struct text *param_array(const struct params *params, int n, size_t *count)
{
    const char *p = params->value[n - 1];
    *count = int_at(p, 4) ? (size_t)int_at(p + 12, 4) : 0;
    struct text *item = sim_alloc((*count + 1) * sizeof(*item));
    p += 20;
    for (size_t i = 0; i < *count; i++) {
        int bytes = (int)int_at(p, 4);
        p += 4;
        item[i] = bytes < 0 ? (struct text){NULL, 0} : text_copy(p, (size_t)bytes);
        p += bytes < 0 ? 0 : bytes;
    }
    return item;
}

int64_t *param_ints(const struct params *params, int n, size_t *count)
{
    const char *p = params->value[n - 1];
    *count = int_at(p, 4) ? (size_t)int_at(p + 12, 4) : 0;
    int64_t *v = sim_alloc((*count + 1) * sizeof(*v));
    p += 20;
    for (size_t i = 0; i < *count; i++) {
        int bytes = (int)int_at(p, 4);
        p += 4;
        v[i] = bytes < 0 ? 0 : int_at(p, bytes);
        p += bytes < 0 ? 0 : bytes;
    }
    return v;
}

/* --- the session ---------------------------------------------------------------------------- */

STATEMENT(does_nothing)
{
    (void)conn, (void)params;
    return answer_done();
}

STATEMENT(finds_nothing)
{
    (void)conn, (void)params;
    return answer_new(PGRES_TUPLES_OK, 3);
}

STATEMENT(backend_pid)
{
    (void)params;
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    answer_int4(res, conn->backend->pid);
    return res;
}

STATEMENT(says_yes)
{
    (void)conn, (void)params;
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    answer_bool(res, true);
    return res;
}

STATEMENT(says_zero)
{
    (void)conn, (void)params;
    PGresult *res = answer_new(PGRES_TUPLES_OK, 2);
    answer_int8(res, 0);
    answer_int8(res, 0);
    return res;
}

/* In place of the migrations: what they make is not simulated, and hashing them costs more than a
 * history. */
const struct embedded embedded_migrations[] = {{"0001_sim.sql", "-- a schema", 11},
                                               {NULL, NULL, 0}};

/* The built-in mappings neither: none of these topics reads by them. */
const struct embedded embedded_mappings[] = {{NULL, NULL, 0}};

STATEMENT(migrations)
{
    static char hex[SHA256_HEX_BYTES]; /* of the only one */
    PGresult *res = answer_new(PGRES_TUPLES_OK, 4);
    (void)conn, (void)params;
    for (const struct embedded *file = embedded_migrations; file->name; file++) {
        if (!hex[0])
            hash_sha256_hex((struct slice){file->text, file->bytes}, hex);
        answer_int4(res, (int32_t)strtol(file->name, NULL, 10));
        answer_word(res, file->name);
        answer_word(res, hex);
        answer_word(res, "2025-01-01 00:00:00");
    }
    return res;
}

STATEMENT(retention)
{
    (void)conn, (void)params;
    PGresult *res = answer_new(PGRES_TUPLES_OK, 2);
    answer_int4(res, 0);
    answer_word(res, "");
    return res;
}

/* --- offsets -------------------------------------------------------------------------------- */

static struct row *offsets_seen(const struct tx *tx, int64_t id)
{
    uint64_t hash = db_hash_int(0, id);
    for (struct row *r = db_bucket(TABLE_OFFSETS, hash); r; r = r->chain)
        if (r->table == TABLE_OFFSETS && r->v.offsets.id == id && row_is_seen(r, tx))
            return r;
    return NULL;
}

/* The newest incarnation that is seen. */
static struct row *offsets_of(const struct tx *tx, struct text cluster, struct text group,
                              struct text topic, int64_t partition)
{
    struct row *best = NULL;
    for (struct row *r = db.first[TABLE_OFFSETS]; r; r = r->next)
        if (row_is_seen(r, tx) && (partition < 0 || r->v.offsets.partition == partition) &&
            text_eq(r->v.offsets.topic, topic) && text_eq(r->v.offsets.cluster, cluster) &&
            text_eq(r->v.offsets.group, group) &&
            (!best || best->v.offsets.incarnation < r->v.offsets.incarnation))
            best = r;
    return best;
}

STATEMENT(offsets_select)
{
    PGresult *res = answer_new(PGRES_TUPLES_OK, 10);
    const struct row *r =
        offsets_of(conn->backend->tx, param_text(params, 1), param_text(params, 2),
                   param_text(params, 3), param_int(params, 4));
    if (!r)
        return res;
    answer_int8(res, r->v.offsets.id);
    answer_int4(res, r->v.offsets.incarnation);
    answer_int8(res, r->v.offsets.first);
    answer_int8(res, r->v.offsets.next);
    if (r->v.offsets.has_last) {
        answer_int8(res, r->v.offsets.last_ms);
        answer_int8(res, r->v.offsets.last_hash);
    } else {
        answer_null(res);
        answer_null(res);
    }
    answer_int4(res, r->v.offsets.next_index);
    if (r->v.offsets.has_mappings)
        answer_int8(res, r->v.offsets.mappings);
    else
        answer_null(res);
    answer_text(res, r->v.offsets.last_messages);
    answer_int8(res, r->v.offsets.created);
    return res;
}

static struct row *offsets_add(struct tx *tx, struct text cluster, struct text group,
                               struct text topic, int32_t partition, int32_t incarnation,
                               int64_t first)
{
    int64_t id = ++db.partition_seq;
    struct row *r = db_add(tx, TABLE_OFFSETS, db_hash_int(0, id));
    r->v.offsets.id = id;
    r->v.offsets.created = tx->at_us; /* in no history the same */
    r->v.offsets.cluster = cluster;
    r->v.offsets.group = group;
    r->v.offsets.topic = topic;
    r->v.offsets.partition = partition;
    r->v.offsets.incarnation = incarnation;
    r->v.offsets.first = r->v.offsets.next = first;
    return r;
}

/* A version in place of another. */
static struct row *offsets_change(struct tx *tx, struct row *of)
{
    struct row *r = db_add(tx, TABLE_OFFSETS, of->hash);
    r->v = of->v;
    db_end(tx, of);
    return r;
}

STATEMENT(offsets_insert)
{
    struct text cluster = param_text(params, 1), group = param_text(params, 2),
                topic = param_text(params, 3);
    int32_t partition = (int32_t)param_int(params, 4);
    size_t count;
    int64_t *start = param_ints(params, 5, &count);
    for (size_t i = 0; i < count; i++, partition++)
        if (!offsets_of(conn->backend->tx, cluster, group, topic, partition))
            offsets_add(conn->backend->tx, cluster, group, topic, partition, 1, start[i]);
    return answer_done();
}

STATEMENT(topic_known)
{
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    if (offsets_of(conn->backend->tx, param_text(params, 1), param_text(params, 2),
                   param_text(params, 3), -1))
        answer_int4(res, 1);
    return res;
}

STATEMENT(offsets_stand)
{
    size_t count;
    int64_t *id = param_ints(params, 1, &count), *created = param_ints(params, 2, &count),
            *next = param_ints(params, 3, &count), *index = param_ints(params, 4, &count),
            standing = 0;
    for (size_t i = 0; i < count; i++) {
        const struct row *r = offsets_seen(conn->backend->tx, id[i]);
        standing += r && r->v.offsets.created == created[i] &&
                    (r->v.offsets.next > next[i] ||
                     (r->v.offsets.next == next[i] && r->v.offsets.next_index >= index[i]));
    }
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    answer_int8(res, standing);
    return res;
}

/* $1 to $3. */
static bool is_of_state(const struct row *r, const struct params *params)
{
    return r && r->v.offsets.created == param_int(params, 2) &&
           r->v.offsets.next == param_int(params, 3);
}

STATEMENT(setback)
{
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    const struct row *of = offsets_seen(conn->backend->tx, param_int(params, 1));
    if (!is_of_state(of, params))
        return res;
    struct row *r = db_add(conn->backend->tx, TABLE_SETBACKS, 0);
    r->v.gap.from_id = param_int(params, 1);
    r->v.gap.stored = param_int(params, 4);
    r->v.gap.resumed = param_int(params, 3);
    answer_int4(res, 1);
    return res;
}

PGresult *row_free(struct pg_conn *conn, enum table table, uint64_t hash, row_is_fn *is,
                   int64_t which, struct row **row)
{
again:
    *row = NULL;
    for (struct row *r = db_bucket(table, hash); r; r = r->chain) {
        if (r->table != table || !is(r, which))
            continue;
        const struct tx *other = row_in_way(r, conn->backend->tx);
        if (other) {
            PGresult *failed = wait_for_tx(conn, other);
            if (failed)
                return failed;
            goto again;
        }
        if (row_is_seen(r, conn->backend->tx)) { /* what comes after it is older */
            *row = r;
            break;
        }
    }
    return NULL;
}

static bool is_offsets(const struct row *row, int64_t id)
{
    return row->v.offsets.id == id;
}

static PGresult *offsets_free(struct pg_conn *conn, int64_t id, struct row **row)
{
    return row_free(conn, TABLE_OFFSETS, db_hash_int(0, id), is_offsets, id, row);
}

static PGresult *gap(struct pg_conn *conn, const struct params *params, bool anew)
{
    struct tx *tx = conn->backend->tx;
    struct row *row, *to;
    PGresult *res = offsets_free(conn, param_int(params, 1), &row);
    if (res)
        return res;
    res = answer_new(PGRES_TUPLES_OK, 3);
    if (!is_of_state(row, params) || row->v.offsets.replaced)
        return res;
    to = offsets_change(tx, row);
    if (anew) {
        to->v.offsets.replaced = true;
        to = offsets_add(tx, row->v.offsets.cluster, row->v.offsets.group, row->v.offsets.topic,
                         row->v.offsets.partition, row->v.offsets.incarnation + 1,
                         param_int(params, 4));
    } else {
        to->v.offsets.next = param_int(params, 4);
        to->v.offsets.next_index = 0;
        to->v.offsets.has_last = false;
    }
    to->v.offsets.last_messages = text_copy("\0\0\0\0\0\0\0\0", 8); /* int8send(0) */
    struct row *noted = db_add(tx, TABLE_GAPS, 0);
    noted->v.gap.from_id = row->v.offsets.id;
    noted->v.gap.to_id = to->v.offsets.id;
    noted->v.gap.stored = param_int(params, 3);
    noted->v.gap.resumed = param_int(params, 4);
    answer_int8(res, to->v.offsets.id);
    answer_int4(res, anew);
    answer_int8(res, to->v.offsets.created);
    return res;
}

STATEMENT(gap_within)
{
    return gap(conn, params, false);
}

STATEMENT(gap_anew)
{
    return gap(conn, params, true);
}

/* --- books and days ------------------------------------------------------------------------- */

static struct row *book_seen(const struct tx *tx, struct text hash)
{
    for (struct row *r = db.first[TABLE_BOOKS]; r; r = r->next)
        if (row_is_seen(r, tx) && text_eq(r->v.book.hash, hash))
            return r;
    return NULL;
}

STATEMENT(book_select)
{
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    const struct row *r = book_seen(conn->backend->tx, param_text(params, 1));
    if (r)
        answer_int4(res, r->v.book.id);
    return res;
}

STATEMENT(book_insert)
{
    struct text hash = param_text(params, 1);
    if (book_seen(conn->backend->tx, hash))
        return answer_done();
    struct row *r = db_add(conn->backend->tx, TABLE_BOOKS, 0);
    r->v.book.id = (int32_t)++db.book_seq;
    r->v.book.hash = hash;
    r->v.book.json = param_text(params, 2);
    return answer_done();
}

STATEMENT(sequences_forward)
{
    int64_t moved = 0;
    for (struct row *r = db.first[TABLE_BATCHES]; r; r = r->next)
        if (row_is_seen(r, conn->backend->tx) && r->v.batch.batch > db.batch_seq) {
            db.batch_seq = r->v.batch.batch;
            moved = 1;
        }
    (void)params;
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    answer_int8(res, moved);
    return res;
}

static bool is_day(const struct row *row, int64_t of)
{
    return row->v.day.day == of;
}

PGresult *day_free(struct pg_conn *conn, int32_t of, struct row **day)
{
    return row_free(conn, TABLE_DAYS, db_hash_int(1, of), is_day, of, day);
}

STATEMENT(day_ensure)
{
    struct row *day;
    int32_t of = (int32_t)param_int(params, 1);
    PGresult *res = day_free(conn, of, &day);
    if (res)
        return res;
    res = answer_new(PGRES_TUPLES_OK, 1);
    answer_bool(res, !day);
    if (!day)
        db_add(conn->backend->tx, TABLE_DAYS, db_hash_int(1, of))->v.day.day = of;
    return res;
}

STATEMENT(expired)
{
    PGresult *res = answer_new(PGRES_TUPLES_OK, 4);
    (void)params;
    if (sim_fault(sim.dials.drop_day * 5) && others_drop_a_day(conn->backend->tx)) {
        sim_happened(HAPPENED_DAY_EXPIRED);
        answer_word(res, "2025-07-14");
        answer_int8(res, 1);
        answer_word(res, "0");
    } else {
        for (int i = 0; i < 3; i++)
            answer_null(res);
    }
    answer_null(res);
    return res;
}

/* --- the transaction of a batch ------------------------------------------------------------- */

static uint64_t batch_hash(int64_t batch)
{
    return db_hash_int(6, batch);
}

STATEMENT(lock)
{
    struct tx *tx = conn->backend->tx;
    size_t count;
    int64_t *id = param_ints(params, 1, &count), batch = ++db.batch_seq;
    bool known = false;
    const struct row *book = NULL;
    for (struct row *r = db.first[TABLE_BOOKS]; r; r = r->next)
        if (row_is_seen(r, tx) && r->v.book.id == param_int(params, 3))
            book = r;
    for (struct row *r = db_bucket(TABLE_BATCHES, batch_hash(param_int(params, 4))); r;
         r = r->chain)
        known |= r->table == TABLE_BATCHES && row_is_seen(r, tx) &&
                 r->v.batch.batch == param_int(params, 4) &&
                 r->v.batch.written_at == param_int(params, 5);
    PGresult *res = answer_new(PGRES_TUPLES_OK, 7);
    for (int64_t last = 0, next; count; last = next) { /* by number */
        struct row *r;
        next = INT64_MAX;
        for (size_t i = 0; i < count; i++)
            if (id[i] > last && id[i] < next)
                next = id[i];
        if (next == INT64_MAX)
            break;
        PGresult *failed = offsets_free(conn, next, &r);
        if (failed) {
            PQclear(res);
            return failed;
        }
        if (!r || (r->v.offsets.replaced && !param_int(params, 2)))
            continue;
        r->locker = tx;
        answer_int8(res, r->v.offsets.id);
        answer_int8(res, r->v.offsets.created);
        answer_int8(res, r->v.offsets.next);
        answer_int4(res, r->v.offsets.next_index);
        answer_int8(res, batch);
        if (book)
            answer_text(res, book->v.book.hash);
        else
            answer_null(res);
        answer_bool(res, known);
    }
    return res;
}

struct row *key_find(const struct tx *tx, int64_t start, const char *identity,
                     const struct tx **in_way)
{
    uint64_t hash = db_hash(db_hash_int(2, start), identity, 16);
    *in_way = NULL;
    for (struct row *r = db_bucket(TABLE_ROWS, hash); r; r = r->chain) {
        if (r->table != TABLE_ROWS || r->hash != hash || r->v.row.start != start ||
            memcmp(r->v.row.identity, identity, 16) != 0)
            continue;
        if (row_is_seen(r, tx))
            return r;
        *in_way = *in_way ? *in_way : row_in_way(r, tx);
    }
    return NULL;
}

STATEMENT(look)
{
    size_t count;
    int64_t *start = param_ints(params, 1, &count), first = param_int(params, 3),
            last = param_int(params, 4);
    struct text *identity = param_array(params, 2, &count);
    PGresult *res = answer_new(PGRES_TUPLES_OK, 2);
    for (size_t i = 0; i < count; i++) {
        const struct tx *in_way;
        const struct row *r = key_find(conn->backend->tx, start[i], identity[i].p, &in_way);
        if (!r || start[i] < first || start[i] > last)
            continue;
        answer_int8(res, (int64_t)i + 1);
        answer_int8(res, r->v.row.content);
    }
    return res;
}

static struct row *guard_find(const struct tx *tx, const char *identity, const struct tx **in_way)
{
    uint64_t hash = db_hash(3, identity, 16);
    *in_way = NULL;
    for (struct row *r = db_bucket(TABLE_GUARD, hash); r; r = r->chain) {
        if (r->table != TABLE_GUARD || memcmp(r->v.guard.identity, identity, 16) != 0)
            continue;
        if (row_is_seen(r, tx))
            return r;
        *in_way = *in_way ? *in_way : row_in_way(r, tx);
    }
    return NULL;
}

/* By identity, then by time. */
static size_t *guard_order(const struct text *identity, const int64_t *start, size_t count)
{
    size_t *order = sim_alloc((count + 1) * sizeof(*order));
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0; at--) {
            int c = memcmp(identity[order[at - 1]].p, identity[i].p, 16);
            if (c < 0 || (c == 0 && start[order[at - 1]] <= start[i]))
                break;
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    return order;
}

STATEMENT(guard)
{
    struct tx *tx = conn->backend->tx;
    size_t count;
    int64_t *start = param_ints(params, 1, &count), *content = param_ints(params, 3, &count);
    struct text *identity = param_array(params, 2, &count);
    size_t *order = guard_order(identity, start, count);
    for (size_t n = 0; n < count; n++) {
        const struct tx *in_way;
        size_t i = order[n];
        struct row *r;
        while (!(r = guard_find(tx, identity[i].p, &in_way)) && in_way) {
            PGresult *failed = wait_for_tx(conn, in_way);
            if (failed)
                return failed;
        }
        if (r)
            continue;
        r = db_add(tx, TABLE_GUARD, db_hash(3, identity[i].p, 16));
        memcpy(r->v.guard.identity, identity[i].p, 16);
        r->v.guard.start = start[i];
        r->v.guard.content = content[i];
    }
    return answer_done();
}

STATEMENT(guarded)
{
    size_t count;
    int64_t *start = param_ints(params, 1, &count);
    struct text *identity = param_array(params, 2, &count);
    PGresult *res = answer_new(PGRES_TUPLES_OK, 2);
    for (size_t i = 0; i < count; i++) {
        const struct tx *in_way;
        const struct row *r = guard_find(conn->backend->tx, identity[i].p, &in_way);
        if (!r || r->v.guard.start == start[i])
            continue;
        answer_int8(res, (int64_t)i + 1);
        answer_int8(res, r->v.guard.content);
    }
    return res;
}

/* --- words ---------------------------------------------------------------------------------- */

struct row *words_find(const struct tx *tx, enum table table, int64_t number,
                       const struct tx **in_way)
{
    uint64_t hash = db_hash_int(4, number);
    *in_way = NULL;
    for (struct row *r = db_bucket(table, hash); r; r = r->chain) {
        if (r->table != table || r->v.words.number != number)
            continue;
        if (row_is_seen(r, tx))
            return r;
        *in_way = *in_way ? *in_way : row_in_way(r, tx);
    }
    return NULL;
}

/* All texts of an entry in one, each with its length. */
static struct text words_content(const struct params *params, struct text **column, size_t i)
{
    size_t bytes = 0;
    for (int c = 2; c <= params->count; c++)
        bytes += 4 + column[c][i].bytes;
    char *p = sim_alloc(bytes + 1);
    struct text content = {p, bytes};
    for (int c = 2; c <= params->count; c++) {
        uint32_t length = column[c][i].p ? (uint32_t)column[c][i].bytes : UINT32_MAX;
        memcpy(p, &length, 4);
        p += 4;
        if (column[c][i].bytes)
            memcpy(p, column[c][i].p, column[c][i].bytes);
        p += column[c][i].bytes;
    }
    return content;
}

static struct text **words_columns(const struct params *params, size_t *count)
{
    struct text **column = sim_alloc(((size_t)params->count + 1) * sizeof(*column));
    for (int c = 2; c <= params->count; c++)
        column[c] = param_array(params, c, count);
    return column;
}

static struct text *words_entry(const struct params *params, struct text **column, size_t i)
{
    struct text *entry = sim_alloc((size_t)params->count * sizeof(*entry));
    for (int c = 2; c <= params->count; c++)
        entry[c - 2] = column[c][i];
    return entry;
}

static PGresult *words_add(struct pg_conn *conn, const struct params *params, enum table table)
{
    struct tx *tx = conn->backend->tx;
    size_t count;
    int64_t *number = param_ints(params, 1, &count);
    struct text **column = words_columns(params, &count);
    for (size_t i = 0; i < count; i++) {
        const struct tx *in_way;
        struct row *r;
        while (!(r = words_find(tx, table, number[i], &in_way)) && in_way) {
            PGresult *failed = wait_for_tx(conn, in_way);
            if (failed)
                return failed;
        }
        if (r)
            continue;
        r = db_add(tx, table, db_hash_int(4, number[i]));
        r->v.words.number = number[i];
        r->v.words.content = words_content(params, column, i);
        r->v.words.column = words_entry(params, column, i);
        r->v.words.model = column[3][i]; /* $3 of a call */
        r->v.words.team = column[5][i];  /* $5 of a caller */
        r->v.words.tags = column[8][i];  /* $8 of one */
    }
    return answer_done();
}

static PGresult *words_apart(struct pg_conn *conn, const struct params *params, enum table table)
{
    size_t count;
    int64_t *number = param_ints(params, 1, &count);
    struct text **column = words_columns(params, &count);
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    for (size_t i = 0; i < count; i++) {
        const struct tx *in_way;
        const struct row *r = words_find(conn->backend->tx, table, number[i], &in_way);
        if (!r || !text_eq(r->v.words.content, words_content(params, column, i)))
            answer_int8(res, (int64_t)i + 1);
    }
    return res;
}

STATEMENT(calls_add)
{
    return words_add(conn, params, TABLE_CALLS);
}

STATEMENT(calls_apart)
{
    return words_apart(conn, params, TABLE_CALLS);
}

STATEMENT(callers_add)
{
    return words_add(conn, params, TABLE_CALLERS);
}

STATEMENT(callers_apart)
{
    return words_apart(conn, params, TABLE_CALLERS);
}

/* --- beside the rows ------------------------------------------------------------------------ */

/* By partition, offset and index: the key of three tables. Whoever adds to them has the offset row.
 */
static bool is_listed(const struct tx *tx, enum table table, uint64_t hash)
{
    for (const struct row *r = db_bucket(table, hash); r; r = r->chain)
        if (r->table == table && r->hash == hash && row_is_seen(r, tx))
            return true;
    return false;
}

/* A constraint of somebody's on what is kept of a rejected record; of what is bare nothing is. */
static PGresult *reject_refused(const struct text *detail, int64_t offset, int64_t index)
{
    static const char bare[] = "PostgreSQL refused what is kept";
    bool is_bare =
        detail->bytes >= sizeof(bare) - 1 && memcmp(detail->p, bare, sizeof(bare) - 1) == 0;
    if (is_bare || (uint64_t)(offset * 7 + index) % 10 >= sim.dials.theirs)
        return NULL;
    sim_happened(HAPPENED_REJECT_REFUSED);
    return answer_error("23514", "theirs", "new row violates check constraint \"theirs\"");
}

/* Says how many are new, one by one: whoever reads it adds them up. */
STATEMENT(reject)
{
    struct tx *tx = conn->backend->tx;
    size_t count;
    int64_t *partition = param_ints(params, 2, &count), *offset = param_ints(params, 3, &count),
            *index = param_ints(params, 4, &count);
    struct text *reason = param_array(params, 5, &count), *detail = param_array(params, 9, &count),
                *payload = param_array(params, 10, &count),
                *mapping = param_array(params, 6, &count), *ms = param_array(params, 13, &count),
                *envelope = param_array(params, 16, &count);
    PGresult *res, *refused;
    for (size_t i = 0; i < count; i++)
        if ((refused = reject_refused(&detail[i], offset[i], index[i])))
            return refused;
        else if (envelope[i].p && !payload[i].p)
            return answer_error("23514", "rejected_events_envelope",
                                "new row violates check constraint \"rejected_events_envelope\"");
    res = answer_new(PGRES_TUPLES_OK, 2);
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = db_place_hash(partition[i], offset[i], index[i]);
        if (is_listed(tx, TABLE_REJECTED, hash))
            continue;
        struct row *r = db_add(tx, TABLE_REJECTED, hash);
        r->v.rejected.batch = param_int(params, 1);
        r->v.rejected.partition_id = partition[i];
        r->v.rejected.offset = offset[i];
        r->v.rejected.index = (int32_t)index[i];
        r->v.rejected.reason = reason[i];
        r->v.rejected.mapping = mapping[i];
        r->v.rejected.detail = detail[i];
        r->v.rejected.payload = payload[i];
        r->v.rejected.envelope = envelope[i];
        r->v.rejected.message_ms = ms[i].p ? int_at(ms[i].p, 8) : -1;
        answer_int8(res, partition[i]);
        answer_int8(res, 1);
    }
    return res;
}

/* --- rejected records, tried again ---------------------------------------------------------- */

static bool has_payload(const struct tx *tx, const struct row *of)
{
    for (const struct row *r = db.first[TABLE_REJECTED]; r; r = r->next)
        if (row_is_seen(r, tx) && r->v.rejected.partition_id == of->v.rejected.partition_id &&
            r->v.rejected.offset == of->v.rejected.offset && r->v.rejected.payload.p)
            return true;
    return false;
}

static bool comes_before(const struct row *a, const struct row *b)
{
    if (a->v.rejected.batch != b->v.rejected.batch)
        return a->v.rejected.batch < b->v.rejected.batch;
    if (a->v.rejected.partition_id != b->v.rejected.partition_id)
        return a->v.rejected.partition_id < b->v.rejected.partition_id;
    if (a->v.rejected.offset != b->v.rejected.offset)
        return a->v.rejected.offset < b->v.rejected.offset;
    return a->v.rejected.index < b->v.rejected.index;
}

static void answer_rejected(PGresult *res, const struct tx *tx, const struct row *r)
{
    const struct row *of = offsets_seen(tx, r->v.rejected.partition_id);
    answer_int8(res, r->v.rejected.partition_id);
    answer_text(res, of->v.offsets.group);
    answer_text(res, of->v.offsets.topic);
    answer_int4(res, of->v.offsets.partition);
    answer_int4(res, of->v.offsets.incarnation);
    answer_int8(res, r->v.rejected.offset);
    answer_int8(res, r->v.rejected.batch);
    answer_int4(res, r->v.rejected.index);
    answer_text(res, r->v.rejected.reason);
    answer_text(res, r->v.rejected.mapping.p ? r->v.rejected.mapping : (struct text){"", 0});
    answer_word(res, "");
    answer_text(res, r->v.rejected.detail.p ? r->v.rejected.detail : (struct text){"", 0});
    answer_null(res); /* byte */
    answer_bool(res, has_payload(tx, r));
    answer_null(res); /* key, sealed detail */
    answer_null(res);
    answer_int8(res, (int64_t)r->v.rejected.payload.bytes);
    answer_int8(res, 0);
    if (r->v.rejected.message_ms >= 0)
        answer_int8(res, r->v.rejected.message_ms);
    else
        answer_null(res);
    answer_int8(res, 0); /* rejected at */
    answer_null(res);    /* resolution, resolved at */
    answer_null(res);
    answer_text(res, of->v.offsets.cluster);
    answer_int8(res, of->v.offsets.created);
}

#define REJECTED_MAX 4096

static bool is_unresolved(const struct tx *tx, const struct row *r)
{
    return row_is_seen(r, tx) && !r->v.rejected.resolved &&
           offsets_seen(tx, r->v.rejected.partition_id);
}

/* All are of one group. */
STATEMENT(rejected_left)
{
    int64_t count = 0, limit = param_is_null(params, 10) ? INT64_MAX : param_int(params, 10);
    PGresult *res = answer_new(PGRES_TUPLES_OK, 2);
    for (const struct row *r = db.first[TABLE_REJECTED]; r; r = r->next)
        count += is_unresolved(conn->backend->tx, r);
    answer_int8(res, count > limit ? count - limit : 0);
    answer_int8(res, 0);
    return res;
}

STATEMENT(rejected_select)
{
    const struct tx *tx = conn->backend->tx;
    const struct row **found = sim_alloc(REJECTED_MAX * sizeof(*found));
    size_t count = 0, limit = param_is_null(params, 10) ? SIZE_MAX : (size_t)param_int(params, 10);
    PGresult *res = answer_new(PGRES_TUPLES_OK, 24);
    for (const struct row *r = db.first[TABLE_REJECTED]; r && count < REJECTED_MAX; r = r->next) {
        if (!is_unresolved(tx, r))
            continue;
        size_t at = count++;
        for (; at > 0 && comes_before(r, found[at - 1]); at--)
            found[at] = found[at - 1];
        found[at] = r;
    }
    for (size_t i = 0; i < count && i < limit; i++)
        answer_rejected(res, tx, found[i]);
    return res;
}

STATEMENT(payload_select)
{
    const struct row *first = NULL;
    PGresult *res = answer_new(PGRES_TUPLES_OK, 4);
    for (const struct row *r = db.first[TABLE_REJECTED]; r; r = r->next)
        if (row_is_seen(r, conn->backend->tx) && r->v.rejected.payload.p &&
            r->v.rejected.partition_id == param_int(params, 1) &&
            r->v.rejected.offset == param_int(params, 2) &&
            (!first || r->v.rejected.index < first->v.rejected.index))
            first = r;
    if (!first)
        return res;
    answer_text(res, first->v.rejected.payload);
    answer_int4(res, first->v.rejected.index);
    answer_null(res);
    if (first->v.rejected.envelope.p)
        answer_text(res, first->v.rejected.envelope);
    else
        answer_null(res);
    return res;
}

static enum resolution resolution_of(struct text word)
{
    static const struct {
        const char *word;
        enum happening what;
    } kinds[RESOLUTIONS] = {[RESOLVED_ROW] = {"row", HAPPENED_RETRIED_ROW},
                            [RESOLVED_DUPLICATE] = {"duplicate", HAPPENED_RETRIED_DUPLICATE},
                            [RESOLVED_SKIPPED] = {"skipped", HAPPENED_RETRIED_SKIPPED}};
    for (int i = 0; i < RESOLUTIONS; i++)
        if (text_eq(word, (struct text){kinds[i].word, strlen(kinds[i].word)})) {
            sim_happened(kinds[i].what);
            return (enum resolution)i;
        }
    sim_fail("a resolution that is none: %.*s", (int)word.bytes, word.p);
    return RESOLVED_ROW;
}

static bool is_place(const struct row *r, int64_t hash)
{
    return r->hash == (uint64_t)hash;
}

STATEMENT(resolve)
{
    struct tx *tx = conn->backend->tx;
    size_t count, done = 0;
    int64_t *partition = param_ints(params, 1, &count), *offset = param_ints(params, 2, &count),
            *index = param_ints(params, 3, &count);
    struct text *resolution = param_array(params, 4, &count);
    for (size_t i = 0; i < count; i++) {
        struct row *row;
        uint64_t hash = db_place_hash(partition[i], offset[i], index[i]);
        PGresult *failed = row_free(conn, TABLE_REJECTED, hash, is_place, (int64_t)hash, &row);
        if (failed)
            return failed;
        if (!row || row->v.rejected.resolved)
            continue;
        done++;
        if (!resolution[i].p) /* it stays */
            continue;
        struct row *to = db_add(tx, TABLE_REJECTED, row->hash);
        to->v = row->v;
        to->v.rejected.resolved = true;
        to->v.rejected.resolution = resolution_of(resolution[i]);
        db_end(tx, row);
    }
    PGresult *res = answer_done();
    answer_count(res, done);
    return res;
}

/* --- counts --------------------------------------------------------------------------------- */

/* Says how many are new, one by one. */
STATEMENT(conflict)
{
    size_t count;
    int64_t *partition = param_ints(params, 2, &count), *offset = param_ints(params, 3, &count),
            *index = param_ints(params, 4, &count), *content = param_ints(params, 7, &count),
            *stored = param_ints(params, 8, &count);
    PGresult *res = answer_new(PGRES_TUPLES_OK, 2);
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = db_place_hash(partition[i], offset[i], index[i]);
        if (is_listed(conn->backend->tx, TABLE_CONFLICTS, hash))
            continue;
        struct row *r = db_add(conn->backend->tx, TABLE_CONFLICTS, hash);
        r->v.conflict.batch = param_int(params, 1);
        r->v.conflict.partition_id = partition[i];
        r->v.conflict.offset = offset[i];
        r->v.conflict.index = (int32_t)index[i];
        r->v.conflict.content = content[i];
        r->v.conflict.stored = stored[i];
        answer_int8(res, partition[i]);
        answer_int8(res, 1);
    }
    return res;
}

STATEMENT(sample)
{
    size_t count;
    int64_t *partition = param_ints(params, 2, &count), *offset = param_ints(params, 3, &count),
            *index = param_ints(params, 4, &count);
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = db_place_hash(partition[i], offset[i], index[i]);
        if (is_listed(conn->backend->tx, TABLE_SAMPLES, hash))
            continue;
        struct row *r = db_add(conn->backend->tx, TABLE_SAMPLES, hash);
        r->v.conflict.partition_id = partition[i];
        r->v.conflict.offset = offset[i];
    }
    return answer_done();
}

STATEMENT(count_up)
{
    size_t count;
    struct text *name = param_array(params, 3, &count);
    int64_t *n = param_ints(params, 4, &count);
    for (size_t i = 0; i < count; i++) {
        struct row *r = db_add(conn->backend->tx, TABLE_COUNTERS, 0);
        r->v.counter.name = name[i];
        r->v.counter.count = n[i];
    }
    return answer_done();
}

enum {
    FIRST = 2,
    NEXT,
    LAST_MS,
    LAST_HASH,
    MESSAGES,
    ROWS,
    DUPLICATES,
    REJECTED,
    SKIPPED,
    CONFLICTS,
    FIRST_INDEX,
    NEXT_INDEX,
    DIGEST,
    ADVANCE_COLUMNS
};

static struct row *offsets_move(struct tx *tx, struct row *row, int64_t *const v[], size_t i,
                                bool has_last, bool retry)
{
    struct row *to = offsets_change(tx, row);
    to->v.offsets.next = v[NEXT][i];
    to->v.offsets.next_index = (int32_t)v[NEXT_INDEX][i];
    if (!retry) {
        to->v.offsets.has_last = has_last;
        to->v.offsets.last_ms = v[LAST_MS][i];
        to->v.offsets.last_hash = v[LAST_HASH][i];
    }
    to->v.offsets.messages += v[MESSAGES][i];
    to->v.offsets.rows += v[ROWS][i];
    to->v.offsets.duplicates += v[DUPLICATES][i];
    to->v.offsets.rejected += v[REJECTED][i];
    to->v.offsets.skipped += v[SKIPPED][i];
    to->v.offsets.conflicts += v[CONFLICTS][i];
    to->v.offsets.digest ^= v[DIGEST][i];
    return to;
}

STATEMENT(advance)
{
    struct tx *tx = conn->backend->tx;
    size_t count;
    int64_t *id = param_ints(params, 1, &count), *v[ADVANCE_COLUMNS], moved = 0, rows = 0;
    struct text *last = param_array(params, LAST_MS, &count),
                *mappings = param_array(params, 22, &count),
                *last_messages = param_array(params, 23, &count);
    bool retry = param_int(params, 20) != 0;
    for (int c = FIRST; c < ADVANCE_COLUMNS; c++)
        v[c] = param_ints(params, c, &count);
    for (size_t i = 0; i < count; i++) {
        struct row *row;
        PGresult *failed = offsets_free(conn, id[i], &row);
        if (failed)
            return failed;
        rows += v[ROWS][i];
        if (!row || row->v.offsets.next != v[FIRST][i] ||
            row->v.offsets.next_index != v[FIRST_INDEX][i] || (row->v.offsets.replaced && !retry))
            continue;
        row = offsets_move(tx, row, v, i, last[i].p != NULL, retry);
        sim_trace("partition %d/%d: %lld/%lld to %lld/%lld", (int)row->v.offsets.partition,
                  (int)row->v.offsets.incarnation, (long long)v[FIRST][i],
                  (long long)v[FIRST_INDEX][i], (long long)v[NEXT][i], (long long)v[NEXT_INDEX][i]);
        if (!retry) {
            row->v.offsets.has_mappings = mappings[i].p != NULL;
            row->v.offsets.mappings = mappings[i].p ? int_at(mappings[i].p, 8) : 0;
            row->v.offsets.last_messages = text_copy(last_messages[i].p, last_messages[i].bytes);
        }
        moved++;
    }
    if (rows > 0) {
        struct row *batch = db_add(tx, TABLE_BATCHES, batch_hash(param_int(params, 15)));
        batch->v.batch.batch = param_int(params, 15);
        batch->v.batch.written_at = tx->at_us - EPOCH_US;
        batch->v.batch.rows = rows;
        batch->v.batch.book = (int32_t)param_int(params, 21);
    }
    PGresult *res = answer_new(PGRES_TUPLES_OK, 2);
    answer_int8(res, moved);
    answer_int8(res, tx->at_us - EPOCH_US);
    return res;
}

/* --- who is in the way ---------------------------------------------------------------------- */

static bool holds_one_of(const struct tx *tx, const int64_t *id, size_t count)
{
    for (struct row *r = db.first[TABLE_OFFSETS]; r; r = r->next)
        for (size_t i = 0; i < count; i++)
            if (r->v.offsets.id == id[i] && (r->locker == tx || r->gone == tx))
                return true;
    return false;
}

STATEMENT(blockers_end)
{
    size_t count;
    int64_t *id = param_ints(params, 1, &count), silent_ms = param_int(params, 3);
    struct text family = param_text(params, 2);
    PGresult *res = answer_new(PGRES_TUPLES_OK, 3);
    for (struct backend *b = server.backends; b; b = b->next) {
        if (b == conn->backend || b->ended || !b->tx ||
            strncmp(b->name, family.p, family.bytes) != 0)
            continue;
        bool silent = !b->busy && sim.now_ms - b->idle_ms > silent_ms;
        if (!silent && !holds_one_of(b->tx, id, count))
            continue;
        answer_int4(res, b->pid);
        answer_word(res, b->name);
        answer_bool(res, true);
        sim_happened(HAPPENED_BACKEND_ENDED);
        backend_end(b);
    }
    return res;
}

STATEMENT(holders)
{
    PGresult *res = answer_new(PGRES_TUPLES_OK, 1);
    (void)conn, (void)params;
    answer_null(res);
    return res;
}

/* --- COPY ----------------------------------------------------------------------------------- */

static const char *names[NAMES_MAX] = {
#define X(name) #name,
    FIELDS(X)
#undef X
};
static int name_count = FIELDS_COUNT;

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyz_0123456789"

int name_number(const char *name)
{
    size_t bytes = strspn(name, NAME_LETTERS);
    int n = 0;
    while (n < name_count && (strncmp(names[n], name, bytes) != 0 || names[n][bytes]))
        n++;
    if (n < name_count)
        return n;
    if (n == NAMES_MAX)
        abort();
    name_count++;
    names[n] = text_lasting(name, bytes);
    return n;
}

static void columns_read(struct columns *c, const char *sql)
{
    memset(c->place, -1, sizeof(c->place));
    for (const char *p = strchr(sql, '(') + 1;; p += strspn(p, ", ")) {
        c->place[name_number(p)] = c->count++;
        p += strcspn(p, ",) ");
        if (*p == ')')
            return;
    }
}

static enum table table_of_copy(const char *sql)
{
    return strstr(sql, "reprice_staged")      ? TABLE_STAGED
           : strstr(sql, "spend_adjustments") ? TABLE_ADJUSTMENTS
           : strstr(sql, "spend_deltas")      ? TABLE_DELTAS
                                              : TABLE_ROWS;
}

const struct columns *columns_of(const char *sql)
{
    static struct columns *all;
    for (const struct columns *c = all; c; c = c->next)
        if (strcmp(c->sql, sql) == 0)
            return c;
    struct columns *c = sim_malloc(sizeof(*c));
    *c = (struct columns){.next = all, .sql = text_lasting(sql, strlen(sql))};
    c->table = table_of_copy(sql);
    columns_read(c, sql);
    return all = c;
}

int field_of(const struct fields *f, int name)
{
    int i = f->columns->place[name];
    return i < 0 || f->bytes[i] < 0 ? -1 : i;
}

int64_t field_int(const struct fields *f, int name)
{
    int i = field_of(f, name);
    return i < 0 ? 0 : int_at(f->p[i], f->bytes[i]);
}

struct text field_text(const struct fields *f, int name)
{
    int i = field_of(f, name);
    return i < 0 ? (struct text){"", 0} : (struct text){f->p[i], (size_t)f->bytes[i]};
}

bool field_numeric(const struct fields *f, int name, __int128 *atto)
{
    int i = field_of(f, name);
    *atto = 0;
    if (i < 0)
        return false;
    const char *p = f->p[i];
    int digits = (int)int_at(p, 2), weight = (int)int_at(p + 2, 2), sign = (int)int_at(p + 4, 2);
    for (int d = 0; d < digits; d++) {
        __int128 part = int_at(p + 8 + 2 * d, 2);
        int exponent = 18 + 4 * (weight - d);
        for (; exponent > 0; exponent--)
            part *= 10;
        for (; exponent < 0; exponent++)
            part /= 10;
        *atto += part;
    }
    if (sign)
        *atto = -*atto;
    return true;
}

bool fields_next(struct fields *f, const char **p)
{
    int count = (int)int_at(*p, 2);
    *p += 2;
    if (count < 0)
        return false;
    if (count != f->columns->count) {
        sim_fail("a row of %d fields for %d columns", count, f->columns->count);
        abort();
    }
    for (int i = 0; i < count; i++) {
        f->bytes[i] = (int)int_at(*p, 4);
        *p += 4;
        f->p[i] = *p;
        *p += f->bytes[i] > 0 ? f->bytes[i] : 0;
    }
    return true;
}

static void row_fill(struct row *r, const struct fields *f)
{
    r->v.row.start = field_int(f, FIELD_start_time);
    r->v.row.batch = field_int(f, FIELD_batch_id);
    r->v.row.book = (int32_t)field_int(f, FIELD_price_book_id);
    r->v.row.partition_id = field_int(f, FIELD_partition_id);
    r->v.row.offset = field_int(f, FIELD_kafka_offset);
    r->v.row.index = (int32_t)field_int(f, FIELD_record_index);
    r->v.row.content = field_int(f, FIELD_content_hash);
    r->v.row.call = field_int(f, FIELD_call_no);
    r->v.row.caller = field_int(f, FIELD_caller_no);
    r->v.row.input_tokens = field_int(f, FIELD_input_tokens);
    r->v.row.lean = field_of(f, FIELD_call_no) >= 0;
    r->v.row.has_spend = field_numeric(f, FIELD_spend, &r->v.row.spend);
    r->v.row.request_id = field_text(f, FIELD_request_id);
    r->v.row.model = field_text(f, FIELD_model);
    r->v.row.team = field_text(f, FIELD_team_id);
    struct text tags = field_text(f, FIELD_request_tags); /* an array */
    r->v.row.tags = tags.bytes > 16 ? (int32_t)int_at(tags.p + 12, 4) : 0;
    memcpy(r->v.row.identity, f->p[field_of(f, FIELD_identity)], 16);
}

int32_t day_of(int64_t start)
{
    return (int32_t)(start / DAY_US - (start % DAY_US < 0));
}

/* What a table of an operator's would refuse. */
static PGresult *row_refused(const struct fields *f)
{
    struct text id = field_text(f, FIELD_request_id);
    if (id.bytes > 4 && memcmp(id.p, "bad-", 4) == 0) {
        sim_happened(HAPPENED_ROW_REFUSED);
        return answer_error("23514", "of_somebody",
                            "new row violates check constraint \"of_somebody\"");
    }
    return NULL;
}

static PGresult *row_copy(struct pg_conn *conn, const struct fields *f, const char *raw)
{
    struct tx *tx = conn->backend->tx;
    int64_t start = field_int(f, FIELD_start_time);
    const char *identity = f->p[field_of(f, FIELD_identity)];
    const struct tx *in_way;
    struct row *day;
    PGresult *failed = day_free(conn, day_of(start), &day);
    if (!failed && !day) {
        sim_happened(HAPPENED_NO_DAY);
        failed =
            answer_error("23514", NULL, "no partition of relation \"stored_rows\" found for row");
    }
    if (!failed)
        failed = row_refused(f);
    while (!failed) {
        if (key_find(tx, start, identity, &in_way)) {
            sim_happened(HAPPENED_KEY_MET);
            return answer_error("23505", "stored_rows_pkey",
                                "duplicate key value violates unique constraint");
        }
        if (!in_way)
            break;
        failed = wait_for_tx(conn, in_way);
    }
    if (failed)
        return failed;
    struct row *r = db_add(tx, TABLE_ROWS, db_hash(db_hash_int(2, start), identity, 16));
    row_fill(r, f);
    r->v.row.day = day_of(start);
    r->v.row.raw = raw;
    r->v.row.columns = f->columns;
    r->v.row.born = tx;
    r->v.row.place = db.places++;
    return NULL;
}

static PGresult *line_copy(struct pg_conn *conn, const struct fields *f)
{
    if (!(field_int(f, FIELD_about) & 1)) /* of an end user alone: its rows are in another line */
        return NULL;
    struct row *r = db_add(conn->backend->tx, TABLE_DELTAS, 0);
    r->v.delta.calls = field_int(f, FIELD_entries);
    field_numeric(f, FIELD_spend, &r->v.delta.spend);
    return NULL;
}

PGresult *copy_rows(struct pg_conn *conn, const struct copy *copy)
{
    struct fields *f = sim_alloc(sizeof(*f));
    const char *p = copy->p + COPY_HEADER_BYTES, *raw = p;
    size_t count = 0;
    f->columns = columns_of(copy->sql);
    enum table table = f->columns->table;
    if (table == TABLE_ADJUSTMENTS || table == TABLE_STAGED)
        return adjustments_copy(conn, copy);
    for (PGresult *failed; fields_next(f, &p); count++, raw = p)
        if ((failed = table == TABLE_DELTAS ? line_copy(conn, f) : row_copy(conn, f, raw)))
            return failed;
    PGresult *res = answer_done();
    answer_count(res, count);
    return res;
}

/* --- all of them ---------------------------------------------------------------------------- */

static const struct statement statements[] = {
    {"SELECT pg_catalog.pg_backend_pid()", NULL, backend_pid},
    {"SET ", NULL, does_nothing},
    {"SELECT set_config(", NULL, finds_nothing},
    {"SELECT s.name, s.setting", NULL, finds_nothing},
    {"SELECT to_regclass('spendlog.schema_migrations')", NULL, says_yes},
    {"SELECT version, name, sha256", NULL, migrations},
    {"SELECT spendlog.sequences_forward()", NULL, sequences_forward},
    {"SELECT coalesce(keep_days, 0)", NULL, retention},
    {"SELECT partition_id, incarnation", NULL, offsets_select},
    {"INSERT INTO spendlog.kafka_offsets", NULL, offsets_insert},
    {"SELECT 1 FROM spendlog.kafka_offsets", NULL, topic_known},
    {"SELECT count(*) FROM unnest($1", "spendlog.kafka_offsets", offsets_stand},
    {"INSERT INTO spendlog.kafka_setbacks", NULL, setback},
    {"WITH moved AS (", "spendlog.kafka_gaps", gap_within},
    {"WITH old AS (", "spendlog.kafka_gaps", gap_anew},
    {"SELECT price_book_id FROM spendlog.price_books WHERE book_hash = $1", NULL, book_select},
    {"INSERT INTO spendlog.price_books", NULL, book_insert},
    {"SELECT spendlog.ensure_partition(", NULL, day_ensure},
    {"SELECT spendlog.guard_prune(", NULL, finds_nothing},
    {"SELECT spendlog.summarize_days(", NULL, finds_nothing},
    {"SELECT to_char(day", "spendlog.drop_expired(", expired},
    {"SELECT coalesce(taken, 0) FROM spendlog.sums_compact(", NULL, says_zero},
    {"SELECT deltas, merged_age_us FROM spendlog.sums_state()", NULL, says_zero},
    {"WITH batch AS MATERIALIZED (", "FOR UPDATE", lock},
    {"SELECT k.place, l.content_hash", NULL, look},
    {"INSERT INTO spendlog.identity_guard", NULL, guard},
    {"SELECT g.place, i.content_hash", NULL, guarded},
    {"INSERT INTO spendlog.shared_calls", NULL, calls_add},
    {"INSERT INTO spendlog.shared_callers", NULL, callers_add},
    {"SELECT g.place FROM", "spendlog.shared_callers", callers_apart},
    {"SELECT g.place FROM", "spendlog.shared_calls", calls_apart},
    {"WITH listed AS (", "spendlog.rejected_events", reject},
    {"SELECT has_column_privilege('spendlog.rejected_events'", NULL, says_yes},
    {"SELECT e.partition_id, o.group_id", "spendlog.rejected_events", rejected_select},
    {"SELECT greatest(0, count(*) FILTER (WHERE o.group_id", NULL, rejected_left},
    {"SELECT payload, record_index", "spendlog.rejected_events", payload_select},
    {"UPDATE spendlog.rejected_events e SET resolved_at", NULL, resolve},
    {"WITH noted AS (", "ON CONSTRAINT ingest_conflicts_pkey DO NOTHING", conflict},
    {"INSERT INTO spendlog.duplicate_samples", "ON CONSTRAINT duplicate_samples_pkey DO NOTHING",
     sample},
    {"INSERT INTO spendlog.ingest_counters", NULL, count_up},
    {"WITH r AS (", "spendlog.ingest_batches", advance},
    {"SELECT a.pid, a.application_name", NULL, blockers_end},
    {"SELECT string_agg(h.what", NULL, holders},
};

static const struct statement *statement_find(const char *sql)
{
    const struct statement *of_reprice = statement_of_reprice(sql);
    if (of_reprice)
        return of_reprice;
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        const struct statement *s = &statements[i];
        if (strncmp(sql, s->begins, strlen(s->begins)) == 0 && (!s->holds || strstr(sql, s->holds)))
            return s;
    }
    return NULL;
}

/* Texts come again and again: each is looked up once, and again after another one took its place.
 */
const struct statement *statement_of(const char *sql)
{
    static const struct statement unknown = {"?", NULL, does_nothing};
    static struct {
        char *sql;
        const struct statement *statement;
    } kept[1024];
    size_t bytes = strlen(sql), at = XXH3_64bits(sql, bytes) % 1024;
    if (!kept[at].sql || strcmp(kept[at].sql, sql) != 0) {
        free(kept[at].sql);
        kept[at].sql = text_lasting(sql, bytes);
        kept[at].statement = statement_find(sql);
    }
    if (!kept[at].statement)
        sim_fail("a statement that the simulator does not know: %.200s", sql);
    return kept[at].statement ? kept[at].statement : &unknown;
}
