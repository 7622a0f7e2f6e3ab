/* SPDX-License-Identifier: Apache-2.0 */
#include "store/server_check.h"

#include "store/conninfo.h"
#include "store/migrate.h"
#include "store/pg.h"
#include "store/retention.h"

#include <stdio.h>

const char *server_client_version(void)
{
    static char text[16];
    snprintf(text, sizeof(text), "%d.%d", PQlibVersion() / 10000, PQlibVersion() % 10000);
    return text;
}

bool server_conninfo_check(const char *conninfo, struct err *err)
{
    return conninfo_check(conninfo, err);
}

static bool open_for_check(struct pg *pg, const char *conninfo, struct err *err)
{
    const struct pg_options options = {.conninfo = conninfo,
                                       .application_name = "spendlog check",
                                       .statement_timeout_ms = 10000,
                                       .read_only = true};
    return pg_open(pg, &options, err);
}

bool server_check(const char *conninfo, char *text, size_t capacity, struct err *err)
{
    struct pg pg = {0};
    if (!open_for_check(&pg, conninfo, err))
        return false;
    bool ok = migrate_check(&pg, err);
    int version = PQserverVersion(pg.conn);
    snprintf(text, capacity, "%s answers (version %d.%d), the schema is up to date", pg.place,
             version / 10000, version % 10000);
    pg_close(&pg);
    return ok;
}

bool server_check_books(const char *conninfo, void (*each)(const char *text, void *context),
                        void *context, struct err *err)
{
    struct pg pg = {0};
    char text[1024];
    if (!open_for_check(&pg, conninfo, err))
        return false;
    PGresult *res = pg_query(
        &pg,
        "SELECT format('group %s prices with different books: %s', group_id,"
        " string_agg(format('%s by %s', left(book_hash, 12), members), '; ' ORDER BY book_hash))"
        " FROM (SELECT group_id, book_hash, string_agg(member, ', ' ORDER BY member) AS members"
        "  FROM spendlog.group_books GROUP BY 1, 2) b GROUP BY group_id HAVING count(*) > 1"
        " ORDER BY group_id",
        NULL, err);
    for (int i = 0; res && i < PQntuples(res); i++) {
        snprintf(text, sizeof(text), SLICE_FMT, SLICE_ARG(pg_text(res, i, 0)));
        each(text, context);
    }
    PQclear(res);
    pg_close(&pg);
    return res != NULL;
}

bool server_check_retention(const char *conninfo, unsigned retain_days,
                            void (*each)(const char *text, void *context), void *context,
                            struct err *err)
{
    struct pg pg = {0};
    char text[RETENTION_TEXT_MAX];
    if (!open_for_check(&pg, conninfo, err))
        return false;
    bool ok = retention_compare(&pg, retain_days, text, err);
    if (ok && text[0])
        each(text, context);
    pg_close(&pg);
    return ok;
}
