/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The row is looked for first, so that an id that means several rows is refused; then a function of
 * the schema makes the entry.
 */
#include "store/exclude.h"

#include "store/migrate.h"
#include "store/pg.h"

#include <stdio.h>

#define LOCK_TIMEOUT_MS 5000
#define NAMED_MAX 8 /* of several rows, those that the message names */

static bool connect(struct pg *pg, const char *conninfo, struct err *err)
{
    const struct pg_options options = {.conninfo = conninfo,
                                       .application_name = "spendlog exclude",
                                       .lock_timeout_ms = LOCK_TIMEOUT_MS};
    return migrate_open(pg, &options, err);
}

/* --- entries -------------------------------------------------------------------------------- */

#define ENTRIES                                                                                    \
    "SELECT e.exclusion_id, e.start_time, e.done_at, e.identity::text,"                            \
    " coalesce(l.request_id, ''), e.action, e.counts_on::text,"                                    \
    " coalesce(trim_scale(e.spend)::text, ''), e.why, e.done_by, x.exclusion_id IS NOT NULL"       \
    " FROM spendlog.exclusions e"                                                                  \
    " LEFT JOIN spendlog.spend_logs l ON l.start_time = e.start_time AND l.identity = e.identity"  \
    " LEFT JOIN spendlog.excluded_rows x ON x.exclusion_id = e.exclusion_id"

static void entries_give(const PGresult *res, exclusion_fn *each, void *context)
{
    for (int i = 0; i < PQntuples(res); i++) {
        const struct exclusion exclusion = {
            .exclusion_id = pg_int(res, i, 0),
            .start_time_us = pg_time_us(res, i, 1),
            .done_at_us = pg_time_us(res, i, 2),
            .identity = pg_text(res, i, 3),
            .request_id = pg_text(res, i, 4),
            .action = pg_text(res, i, 5),
            .counts_on = pg_text(res, i, 6),
            .spend = pg_text(res, i, 7),
            .why = pg_text(res, i, 8),
            .done_by = pg_text(res, i, 9),
            .in_force = pg_int(res, i, 10) != 0,
        };
        each(&exclusion, context);
    }
}

bool exclude_list(const char *conninfo, exclusion_fn *each, void *context, struct err *err)
{
    struct pg pg;
    if (!connect(&pg, conninfo, err))
        return false;
    PGresult *res = pg_query(&pg, ENTRIES " ORDER BY e.exclusion_id", NULL, err);
    if (res)
        entries_give(res, each, context);
    PQclear(res);
    pg_close(&pg);
    return res != NULL;
}

bool exclude_of_row(struct pg *pg, int64_t start_time, struct slice identity, exclusion_fn *each,
                    void *context, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_int8(&args, start_time);
    pg_arg_text(&args, identity);
    PGresult *res = pg_query(pg,
                             ENTRIES " WHERE e.start_time = $1::timestamp AND e.identity = $2::uuid"
                                     " ORDER BY e.exclusion_id",
                             &args, err);
    if (res)
        entries_give(res, each, context);
    PQclear(res);
    pg_args_free(&args);
    return res != NULL;
}

/* --- one row -------------------------------------------------------------------------------- */

/* A row that retention dropped while it was set aside can still be put back: its entry may count on
 * another day. */
static const char rows_find[] =
    "SELECT *, count(*) OVER () FROM ("
    "SELECT start_time, identity, identity::text FROM spendlog.spend_logs"
    " WHERE $2 AND identity::text = lower($1)"
    " UNION SELECT start_time, identity, identity::text FROM spendlog.calls_named($1) WHERE NOT $2"
    " UNION SELECT start_time, identity, identity::text FROM spendlog.excluded_rows"
    " WHERE $2 AND identity::text = lower($1)"
    ") found (start_time, identity, name) ORDER BY 1, 2 LIMIT $3::integer";

static bool several(const PGresult *res, const char *name, struct err *err)
{
    char list[NAMED_MAX * 40] = "", more[32] = "";
    int64_t rows = pg_int(res, 0, 3);
    for (int i = 0; i < PQntuples(res); i++)
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s" SLICE_FMT, i ? ", " : "",
                 SLICE_ARG(pg_text(res, i, 2)));
    if (rows > NAMED_MAX)
        snprintf(more, sizeof(more), " and %lld more", (long long)(rows - NAMED_MAX));
    return err_set(err, ERR_INPUT, "%lld rows are of %s: say which, with --identity: %s%s",
                   (long long)rows, name, list, more);
}

static PGresult *row_find(struct pg *pg, const struct exclude_request *request, struct err *err)
{
    const char *name = request->identity ? request->identity : request->request_id;
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_text(&args, slice_of(name));
    pg_arg_bool(&args, request->identity != NULL);
    pg_arg_int4(&args, NAMED_MAX);
    PGresult *res = pg_query(pg, rows_find, &args, err);
    pg_args_free(&args);
    if (res && PQntuples(res) == 1)
        return res;
    if (res && PQntuples(res) == 0)
        err_set(err, ERR_INPUT, "no row is of %s", name);
    else if (res)
        several(res, name, err);
    PQclear(res);
    return NULL;
}

static bool entry_make(struct pg *pg, const PGresult *row, const struct exclude_request *request,
                       int64_t *entry, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_int8(&args, pg_int(row, 0, 0));
    pg_arg_text(&args, pg_text(row, 0, 1));
    pg_arg_text(&args, slice_of(request->why));
    PGresult *res = pg_query(pg,
                             request->restore ? "SELECT spendlog.restore_row($1, $2, $3)"
                                              : "SELECT spendlog.exclude_row($1, $2, $3)",
                             &args, err);
    *entry = res ? pg_int(res, 0, 0) : 0;
    PQclear(res);
    pg_args_free(&args);
    return res != NULL;
}

static bool entry_tell(struct pg *pg, int64_t entry, exclusion_fn *made, void *context,
                       struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_int8(&args, entry);
    PGresult *res = pg_query(pg, ENTRIES " WHERE e.exclusion_id = $1", &args, err);
    if (res)
        entries_give(res, made, context);
    PQclear(res);
    pg_args_free(&args);
    return res != NULL;
}

bool exclude_run(const char *conninfo, const struct exclude_request *request, exclusion_fn *made,
                 void *context, struct err *err)
{
    struct pg pg;
    int64_t entry;
    if (!connect(&pg, conninfo, err))
        return false;
    PGresult *row = row_find(&pg, request, err);
    bool ok = row && entry_make(&pg, row, request, &entry, err) &&
              entry_tell(&pg, entry, made, context, err);
    PQclear(row);
    pg_close(&pg);
    return ok;
}
