/* SPDX-License-Identifier: Apache-2.0 */
#include "store/server.h"

#include "store/migrate.h"
#include "store/pg.h"

#include <stdio.h>

const char *server_client_version(void)
{
    static char text[16];
    snprintf(text, sizeof(text), "%d.%d", PQlibVersion() / 10000, PQlibVersion() % 10000);
    return text;
}

bool server_check(const char *conninfo, char *text, size_t capacity, struct err *err)
{
    struct pg pg = {0};
    struct pg_options options = {
        .conninfo = conninfo, .application_name = "spendlog check", .statement_timeout_ms = 10000};
    if (!pg_open(&pg, &options, err))
        return false;
    bool ok = migrate_check(&pg, err);
    int version = PQserverVersion(pg.conn);
    snprintf(text, capacity, "%s answers (version %d.%d), the schema is up to date", pg.place,
             version / 10000, version % 10000);
    pg_close(&pg);
    return ok;
}
