/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY, streamed: rows out one at a time, rows in a buffer at a time. Binary (PostgreSQL manual,
 * COPY, "Binary Format") but for copy_out_text(). Neither side ever holds a table in memory.
 * Internal to store/.
 */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include "store/pg.h"
#include "store/row_read.h"

struct copy_out {
    struct pg *pg;
    char *message; /* libpq's: what the fields point into */
    bool started;  /* the file header was skipped */
    bool open;
};

/* `sql` is COPY (SELECT ...) TO STDOUT. */
bool copy_out_open(struct copy_out *copy, struct pg *pg, const char *sql,
                   struct err *err) MUST_CHECK;
/* The next row's `count` fields, valid until the next call; *end: there was none. */
bool copy_out_row(struct copy_out *copy, struct row_field *field, int count, bool *end,
                  struct err *err) MUST_CHECK;
/* The next line of a COPY in another format, as the server wrote it; valid until the next call. */
bool copy_out_text(struct copy_out *copy, struct slice *line, bool *end,
                   struct err *err) MUST_CHECK;
/* Given up before its end, the connection is closed: the server learns of it at once. */
void copy_out_close(struct copy_out *copy);

/* Rows to go in; the first bytes of a COPY are its header. */
void copy_in_start(struct buf *rows);
/* `sql` is COPY ... FROM STDIN (FORMAT binary); *count is how many rows the server took. */
bool copy_in(struct pg *pg, const char *sql, const struct buf *rows, int64_t *count,
             struct err *err) MUST_CHECK;

/* A numeric field; NULL gives *has false and 0. ERR_INPUT: it is not an amount, which is not the
 * same as none. */
bool copy_money(const struct row_field *field, bool *has, struct money *out,
                struct err *err) MUST_CHECK;
int64_t copy_int(const struct row_field *field); /* of up to 8 bytes, unsigned below 8 */

/* One field of a row that goes in. */
void copy_add_null(struct buf *rows);
void copy_add_int4(struct buf *rows, int32_t v);
void copy_add_int8(struct buf *rows, int64_t v);
void copy_add_bytes(struct buf *rows, struct slice v);
void copy_add_text(struct buf *rows, const char *text);
void copy_add_money(struct buf *rows, bool present, struct money m);
void copy_add_field(struct buf *rows, const struct row_field *field); /* as it was read */

#endif
