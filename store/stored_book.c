/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A book is found by its hash and written once, whoever comes first; its number is what rows carry.
 */
#include "store/stored_book.h"

#include "core/must.h"

static bool id_of(struct pg *pg, const char *hash, int32_t *id, bool *found, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_text(&args, slice_of(hash));
    PGresult *res = pg_query(
        pg, "SELECT price_book_id FROM spendlog.price_books WHERE book_hash = $1", &args, err);
    *found = res && PQntuples(res) == 1;
    if (*found)
        *id = (int32_t)pg_int(res, 0, 0);
    PQclear(res);
    pg_args_free(&args);
    return res != NULL;
}

bool stored_book_put(struct pg *pg, const char *hash, struct slice json, int32_t *id,
                     struct err *err)
{
    struct pg_args args;
    bool found;
    MUST(pg_outside(pg)); /* it is there for all before a batch names it */
    if (!id_of(pg, hash, id, &found, err))
        return false;
    if (found) /* the usual case: no megabytes are sent for nothing */
        return true;
    pg_args_init(&args);
    pg_arg_text(&args, slice_of(hash));
    pg_arg_text(&args, json);
    PGresult *res = pg_query(pg,
                             "INSERT INTO spendlog.price_books (book_hash, book)"
                             " VALUES ($1, $2::text::json)"
                             " ON CONFLICT ON CONSTRAINT price_books_hash_key DO NOTHING",
                             &args, err);
    PQclear(res);
    pg_args_free(&args);
    if (!res || !id_of(pg, hash, id, &found, err))
        return false;
    /* Between the two statements the database went back. */
    return found ? true : err_set(err, ERR_RETRY, "price book %.12s is not stored any more", hash);
}

bool stored_book_find(struct pg *pg, const char *hash, int32_t *id, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_text(&args, slice_of(hash));
    PGresult *res = pg_query(pg,
                             "SELECT price_book_id FROM spendlog.price_books"
                             " WHERE starts_with(book_hash, $1) ORDER BY 1 LIMIT 2",
                             &args, err);
    int count = res ? PQntuples(res) : 0;
    *id = count == 1 ? (int32_t)pg_int(res, 0, 0) : count == 0 ? 0 : -1;
    PQclear(res);
    pg_args_free(&args);
    if (!res)
        return false;
    if (count == 0 || !hash[0])
        return err_set(err, ERR_INPUT, "no price book \"%s\" is stored", hash);
    return count == 1
               ? true
               : err_set(err, ERR_INPUT, "\"%s\" begins several price books: more digits", hash);
}

bool stored_book_read(struct pg *pg, int32_t id, char hash[BOOK_HASH_DIGITS + 1], struct buf *json,
                      struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_int4(&args, id);
    PGresult *res = pg_query(
        pg, "SELECT book_hash, book::text FROM spendlog.price_books WHERE price_book_id = $1",
        &args, err);
    bool found = res && PQntuples(res) == 1;
    buf_reset(json);
    if (found) {
        struct slice text = pg_text(res, 0, 0);
        size_t bytes = text.bytes < BOOK_HASH_DIGITS ? text.bytes : BOOK_HASH_DIGITS;
        memcpy(hash, text.p, bytes);
        hash[bytes] = '\0';
        buf_add(json, pg_text(res, 0, 1));
    }
    PQclear(res);
    pg_args_free(&args);
    if (!res)
        return false;
    if (!found)
        return err_set(err, ERR_INPUT, "price book %d is not stored", id);
    return buf_ok(json) ? true : err_set(err, ERR_FATAL, "price book %d is too large", id);
}
