/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row is split where it lies in libpq's buffer, without copying; a field whose length does not
 * fit its type is an error.
 */
#include "store/copy.h"

#include "core/big_endian.h"
#include "core/must.h"
#include "store/numeric.h"
#include "store/pg_wait.h"

#include <stdlib.h>
#include <string.h>

/* Signature, flags, length of the header's extension; a row; the trailer. */
#define SIGNATURE "PGCOPY\n\377\r\n\0"
#define HEADER_BYTES 19

/* --- out ------------------------------------------------------------------------------------ */

bool copy_out_open(struct copy_out *copy, struct pg *pg, const char *sql, struct err *err)
{
    *copy = (struct copy_out){.pg = pg};
    if (!pg->conn)
        return err_set(err, ERR_UNAVAILABLE, "postgres: not connected");
    PGresult *res = pg_exec(pg, sql);
    copy->open = PQresultStatus(res) == PGRES_COPY_OUT;
    if (!copy->open)
        pg_fail(pg, res, "reading rows", err);
    PQclear(res);
    return copy->open;
}

/* The stream has ended: what the server says about it. */
static bool out_finish(struct copy_out *copy, struct err *err)
{
    bool ok = true;
    PGresult *res;
    MUST(copy->open && copy->pg->conn);
    copy->open = false;
    while ((res = pg_result(copy->pg))) {
        if (ok && PQresultStatus(res) != PGRES_COMMAND_OK)
            ok = pg_fail(copy->pg, res, "reading rows", err);
        PQclear(res);
    }
    return ok;
}

static bool out_malformed(struct err *err)
{
    return err_set(err, ERR_FATAL, "postgres: malformed binary COPY");
}

static bool split(const char *p, int bytes, struct row_field *field, int count, struct err *err)
{
    const char *end = p + bytes;
    MUST(count > 0 && count <= INT16_MAX, count);
    if (bytes < 2 || get_be16(p) != count)
        return out_malformed(err);
    p += 2;
    for (int i = 0; i < count; i++) {
        if (end - p < 4)
            return out_malformed(err);
        int length = (int)get_be32(p);
        p += 4;
        if (length > end - p)
            return out_malformed(err);
        field[i] = (struct row_field){p, length < 0 ? -1 : length};
        p += length > 0 ? length : 0;
    }
    return p == end ? true : out_malformed(err);
}

bool copy_out_text(struct copy_out *copy, struct slice *line, bool *end, struct err *err)
{
    *end = false;
    MUST(copy->open);
    PQfreemem(copy->message);
    copy->message = NULL;
    int bytes = pg_copy_get(copy->pg, &copy->message);
    if (bytes == -2) {
        copy->open = false;
        return pg_fail(copy->pg, NULL, "reading rows", err);
    }
    *end = bytes == -1;
    *line = *end ? SLICE("") : (struct slice){copy->message, (size_t)bytes};
    return !*end || out_finish(copy, err);
}

bool copy_out_row(struct copy_out *copy, struct row_field *field, int count, bool *end,
                  struct err *err)
{
    struct slice message;
    if (!copy_out_text(copy, &message, end, err))
        return false;
    if (*end)
        return true;
    const char *p = message.p;
    int bytes = (int)message.bytes;
    if (!copy->started) {
        if (bytes < HEADER_BYTES || memcmp(p, SIGNATURE, 11) != 0)
            return out_malformed(err);
        int header = HEADER_BYTES + (int)get_be32(p + 15);
        if (header > bytes)
            return out_malformed(err);
        copy->started = true;
        p += header;
        bytes -= header;
    }
    if (bytes == 2 && get_be16(p) == UINT16_MAX) /* the trailer: the end follows */
        return copy_out_row(copy, field, count, end, err);
    return split(p, bytes, field, count, err);
}

void copy_out_close(struct copy_out *copy)
{
    PQfreemem(copy->message);
    copy->message = NULL;
    if (copy->open)
        pg_close(copy->pg);
    copy->open = false;
}

/* --- in ------------------------------------------------------------------------------------- */

void copy_in_start(struct buf *rows)
{
    buf_reset(rows);
    buf_add(rows, SLICE(SIGNATURE));
    buf_add_be32(rows, 0);
    buf_add_be32(rows, 0);
}

_Static_assert(sizeof(SIGNATURE) - 1 + 8 == HEADER_BYTES, "the signature's own NUL is part of it");

static bool in_send(struct pg *pg, const struct buf *rows, struct err *err)
{
    if (pg_copy_put(pg, rows->p, rows->bytes) && pg_copy_put(pg, "\377\377", 2) &&
        PQputCopyEnd(pg->conn, NULL) == 1)
        return true;
    pg_fail(pg, NULL, "writing rows", err);
    pg_close(pg); /* without memory for all of it libpq stays within COPY */
    return false;
}

bool copy_in(struct pg *pg, const char *sql, const struct buf *rows, int64_t *count,
             struct err *err)
{
    if (!buf_ok(rows))
        return err_set(err, ERR_FATAL, "rows larger than their buffer");
    MUST(rows->bytes >= HEADER_BYTES, rows->bytes);
    MUST(pg_inside(pg), rows->bytes); /* alone, a part of the work would stay without the rest */
    if (!pg_command(pg, sql, err) || !in_send(pg, rows, err))
        return false;
    PGresult *res = pg_receive(pg, "writing rows", err);
    if (res)
        *count = strtoll(PQcmdTuples(res), NULL, 10);
    PQclear(res);
    return res != NULL;
}

/* --- fields --------------------------------------------------------------------------------- */

void copy_add_null(struct buf *rows)
{
    buf_add_be32(rows, UINT32_MAX);
}

void copy_add_int4(struct buf *rows, int32_t v)
{
    buf_add_be32(rows, 4);
    buf_add_be32(rows, (uint32_t)v);
}

void copy_add_int8(struct buf *rows, int64_t v)
{
    buf_add_be32(rows, 8);
    buf_add_be64(rows, (uint64_t)v);
}

void copy_add_bytes(struct buf *rows, struct slice v)
{
    MUST(v.bytes <= INT32_MAX, v.bytes);
    buf_add_be32(rows, (uint32_t)v.bytes);
    buf_add(rows, v);
}

void copy_add_text(struct buf *rows, const char *text)
{
    copy_add_bytes(rows, slice_of(text));
}

void copy_add_money(struct buf *rows, bool present, struct money m)
{
    char numeric[NUMERIC_BYTES_MAX];
    if (present)
        copy_add_bytes(rows, (struct slice){numeric, numeric_encode_money(numeric, m)});
    else
        copy_add_null(rows);
}

void copy_add_field(struct buf *rows, const struct row_field *field)
{
    if (field->bytes < 0)
        copy_add_null(rows);
    else
        copy_add_bytes(rows, (struct slice){field->p, (size_t)field->bytes});
}

int64_t copy_int(const struct row_field *field)
{
    uint64_t v = 0;
    for (int i = 0; i < field->bytes; i++)
        v = v << 8 | (unsigned char)field->p[i];
    return (int64_t)v;
}

static bool atto_of(const struct row_field *field, struct money *out)
{
    struct decimal d;
    if (!numeric_decode(field->p, (size_t)field->bytes, &d) || d.scale > MONEY_SCALE)
        return false;
    u128 atto = d.coef;
    for (unsigned i = d.scale; i < MONEY_SCALE; i++)
        if (__builtin_mul_overflow(atto, (u128)10, &atto))
            return false;
    if (atto >> 127)
        return false;
    out->atto = d.negative ? -(i128)atto : (i128)atto;
    return true;
}

bool copy_money(const struct row_field *field, bool *has, struct money *out, struct err *err)
{
    *has = field->bytes >= 0;
    out->atto = 0;
    if (!*has || atto_of(field, out))
        return true;
    return err_set(err, ERR_INPUT, "a stored amount is not a numeric(38,18)");
}
