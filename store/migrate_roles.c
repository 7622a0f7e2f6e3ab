/* SPDX-License-Identifier: Apache-2.0 */
/* The script for an administrator, whose login `migrate` has not got. */
#include "store/migrate.h"

#include "store/conninfo.h"

#include <libpq-fe.h>
#include <string.h>

static const struct {
    const char *name, *what;
} roles[] = {
    {"spendlog_owner", "owns all objects; nobody logs in as it"}, {"spendlog_writer", "run"},
    {"spendlog_repricer", "reprice, periods, exclude"},           {"spendlog_reader", "dashboards"},
    {"spendlog_tenant", "teams that look at their own spend"},
};

static void add_identifier(struct buf *sql, const char *name)
{
    buf_add_char(sql, '"');
    for (; *name; name++) {
        if (*name == '"')
            buf_add_char(sql, '"');
        buf_add_char(sql, *name);
    }
    buf_add_char(sql, '"');
}

static void add_roles(struct buf *sql)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        buf_printf(sql,
                   "-- %s\nSELECT 'CREATE ROLE %s NOLOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles "
                   "WHERE rolname = '%s') \\gexec\n",
                   roles[i].what, roles[i].name, roles[i].name);
}

static void add_statement(struct buf *sql, const char *before, const char *name,
                          const char *between, const char *other, const char *after)
{
    buf_add_text(sql, before);
    add_identifier(sql, name);
    buf_add_text(sql, between);
    if (other)
        add_identifier(sql, other);
    buf_add_text(sql, after);
}

static void script(struct buf *sql, const char *login, const char *database)
{
    buf_add_text(sql,
                 "-- For psql, as a role that may create roles and owns the database. It can be "
                 "run again.\n");
    add_roles(sql);
    buf_add_text(sql, "-- The login that migrates acts as the owner and makes the schemas.\n");
    add_statement(sql, "GRANT spendlog_owner TO ", login, "", NULL, ";\n");
    add_statement(sql, "GRANT CONNECT, CREATE, TEMPORARY ON DATABASE ", database, " TO ", login,
                  ";\n");
    add_statement(sql, "ALTER DATABASE ", database, " SET timezone = 'UTC'", NULL, ";\n");
    buf_add_text(sql, "-- The login of the service may be another one, which needs less:\n"
                      "--   GRANT spendlog_writer TO its_login;\n");
}

bool migrate_roles(const char *conninfo, struct buf *sql, struct err *err)
{
    const char *login = NULL, *database = NULL;
    if (!conninfo_check(conninfo, err))
        return false;
    /* What the environment says counts too, as it does when we connect. */
    PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL), *usual = PQconndefaults();
    for (int pass = 0; pass < 2; pass++)
        for (const PQconninfoOption *o = pass ? parsed : usual; o && o->keyword; o++) {
            if (strcmp(o->keyword, "user") == 0 && o->val)
                login = o->val;
            if (strcmp(o->keyword, "dbname") == 0 && o->val)
                database = o->val;
        }
    if (login)
        script(sql, login, database ? database : login);
    else
        err_set(err, ERR_CONFIG, "postgres: the connection string names no user");
    PQconninfoFree(parsed);
    PQconninfoFree(usual);
    return login && (buf_ok(sql) || err_set(err, ERR_FATAL, "out of memory"));
}
