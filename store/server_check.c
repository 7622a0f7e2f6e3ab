/* SPDX-License-Identifier: Apache-2.0 */
/* Each check opens a connection of its own, asks one thing, and says it in a line for people. */
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
    snprintf(text, capacity, "postgres: %s answers (version %d.%d), the schema is up to date",
             pg.place, version / 10000, version % 10000);
    pg_close(&pg);
    return ok;
}

/* All that was granted to the role of the writers, on tables, functions and schemas, and that the
 * login has not got. */
static const char missing_rights[] =
    "WITH granted AS ("
    " SELECT a.privilege_type AS may, c.oid::regclass::text AS object,"
    "  has_table_privilege(c.oid, a.privilege_type) AS has"
    " FROM pg_class c, aclexplode(c.relacl) a"
    " WHERE c.relnamespace = 'spendlog'::regnamespace AND c.relkind <> 'S'"
    "  AND a.grantee = 'spendlog_writer'::regrole"
    " UNION ALL SELECT a.privilege_type, p.oid::regprocedure::text,"
    "  has_function_privilege(p.oid, a.privilege_type)"
    " FROM pg_proc p, aclexplode(p.proacl) a"
    " WHERE p.pronamespace = 'spendlog'::regnamespace AND a.grantee = 'spendlog_writer'::regrole"
    " UNION ALL SELECT a.privilege_type, n.nspname::text,"
    "  has_schema_privilege(n.oid, a.privilege_type)"
    " FROM pg_namespace n, aclexplode(n.nspacl) a"
    " WHERE n.nspname = 'spendlog' AND a.grantee = 'spendlog_writer'::regrole)"
    " SELECT current_user::text, count(*), count(*) FILTER (WHERE NOT has),"
    "  (min(may || ' on ' || object) FILTER (WHERE NOT has)) FROM granted";

bool server_check_rights(const char *conninfo, char *text, size_t capacity, struct err *err)
{
    struct pg pg = {0};
    if (!open_for_check(&pg, conninfo, err))
        return false;
    PGresult *res = pg_query(&pg, missing_rights, NULL, err);
    bool ok = res != NULL;
    if (ok && pg_int(res, 0, 2) > 0)
        ok = err_set(err, ERR_CONFIG,
                     "%s: %s lacks %lld of the %lld rights of a writer, among them %s; an "
                     "administrator gives them by GRANT spendlog_writer TO \"%s\"",
                     pg.place, PQgetvalue(res, 0, 0), (long long)pg_int(res, 0, 2),
                     (long long)pg_int(res, 0, 1), PQgetvalue(res, 0, 3), PQgetvalue(res, 0, 0));
    else if (ok)
        snprintf(text, capacity, "rights: %s may do what a writer does", PQgetvalue(res, 0, 0));
    PQclear(res);
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
        " string_agg(format('%s by %s', book_hash, members), '; ' ORDER BY book_hash))"
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
