/* SPDX-License-Identifier: Apache-2.0 */
/* What a run of repricing holds: its connections and its memory, and the books it asks for. */
#include "store/reprice_impl.h"

#include "store/migrate.h"
#include "store/numbers.h"
#include "store/stored_book.h"

#include <jansson.h>
#include <stdlib.h>

#define SLICE_ROWS_USUAL 25000
#define REWRITE_ROWS_MIN_USUAL 20000 /* a small day is not worth the lock */
#define SLICE_BYTES_MAX (64u << 20)
#define SQL_BYTES_MAX (1u << 20)
#define CALL_BYTES_MAX (1u << 20)
#define LOCK_TIMEOUT_MS 5000

const char *const reprice_method_name[] = {
    [METHOD_UPDATE] = "update", [METHOD_REWRITE] = "rewrite", [METHOD_POST] = "post"};

const char *const reprice_skip_name[SKIP_COUNT] = {[SKIP_REPORTED] = "reported",
                                                   [SKIP_UNREADABLE] = "unreadable",
                                                   [SKIP_BOOK] = "book_not_restorable",
                                                   [SKIP_EXCLUDED] = "excluded",
                                                   [SKIP_NEWER] = "repriced_since"};

static bool connection_open(struct reprice *run, struct pg *pg, struct err *err)
{
    struct pg_options options = {
        .conninfo = run->conninfo,
        .application_name = "spendlog reprice",
        .lock_timeout_ms = LOCK_TIMEOUT_MS,
    };
    return migrate_open(pg, &options, err);
}

struct reprice *reprice_open(const struct reprice_options *options, struct err *err)
{
    struct reprice *run = calloc(1, sizeof(*run));
    if (!run) {
        err_set(err, ERR_FATAL, "out of memory");
        return NULL;
    }
    run->options = *options;
    if (!run->options.slice_rows)
        run->options.slice_rows = SLICE_ROWS_USUAL;
    if (!run->options.rewrite_rows_min)
        run->options.rewrite_rows_min = REWRITE_ROWS_MIN_USUAL;
    run->conninfo = strdup(options->conninfo);
    buf_init(&run->staged, SLICE_BYTES_MAX);
    buf_init(&run->sql, SQL_BYTES_MAX);
    arena_init(&run->call, CALL_BYTES_MAX);
    if (!run->conninfo)
        err_set(err, ERR_FATAL, "out of memory");
    else if (tally_init(&run->tally, err) && connection_open(run, &run->read, err) &&
             (options->dry_run ||
              (connection_open(run, &run->write, err) && numbers_forward(&run->write, err))))
        return run;
    reprice_close(run);
    return NULL;
}

void reprice_close(struct reprice *run)
{
    if (!run)
        return;
    pg_close(&run->read);
    pg_close(&run->shadow);
    pg_close(&run->write);
    tally_free(&run->tally);
    buf_free(&run->staged);
    buf_free(&run->sql);
    arena_free(&run->call);
    json_decref(run->filter_json);
    free(run->day);
    free(run->conninfo);
    free(run);
}

bool reprice_book(struct reprice *run, int32_t book_id, struct buf *json, struct err *err)
{
    char hash[BOOK_HASH_DIGITS + 1];
    if (!run->write.conn && !connection_open(run, &run->write, err)) /* `read` is busy with rows */
        return false;
    return stored_book_read(&run->write, book_id, hash, json, err);
}

bool reprice_book_stored(struct reprice *run, int32_t book_id)
{
    char sql[96];
    if (!run->write.conn && !connection_open(run, &run->write, NULL)) /* `read` is busy with rows */
        return true;
    snprintf(sql, sizeof(sql), "SELECT FROM spendlog.price_books WHERE price_book_id = %d",
             (int)book_id);
    PGresult *res = pg_query(&run->write, sql, NULL, NULL);
    bool stored = !res || PQntuples(res) > 0;
    PQclear(res);
    return stored;
}
