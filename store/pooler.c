/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pooler makes up the backend's pid that it tells a client, so that the client's cancelling comes
 * to it: where that differs from what the server says, there is one. Whether it keeps sessions
 * shows beside a second one: ours has a backend; while the other is in a transaction, does it have
 * the same one, or have we got another now? With either our session is given away.
 */
#include "store/pooler.h"

#include "store/first.h"

#include <string.h>

static bool refuse(const struct pg *pg, const char *mode, struct err *err)
{
    return err_set(err, ERR_CONFIG,
                   "postgres: %s: a pooler in %s mode stands before the database; spendlog needs "
                   "one in session mode, or none",
                   pg->place, mode);
}

static bool backend_of(struct pg *pg, int64_t *pid, struct err *err)
{
    PGresult *res;
    for (int tries = 0; !(res = pg_query(pg, "SELECT pg_catalog.pg_backend_pid()", NULL, err));)
        if (!first_again(pg, &tries, err))
            return false;
    *pid = pg_int(res, 0, 0);
    PQclear(res);
    return true;
}

/* The other session, in a transaction. A pooler of statements refuses the BEGIN. */
static bool other_begin(struct pg *other, const struct pg *pg, struct err *err)
{
    struct err why = {0};
    if (pg_command(other, "BEGIN", &why))
        return true;
    if (strstr(why.text, "statement pooling") || strcmp(other->sqlstate, "08P01") == 0)
        return refuse(pg, "statement", err);
    return err_set(err, why.kind, "%s", why.text);
}

static bool sessions_differ(struct pg *pg, struct pg *other, int64_t first, struct err *err)
{
    int64_t theirs, again;
    if (!other_begin(other, pg, err) || !backend_of(other, &theirs, err))
        return false;
    if (theirs == first)
        return refuse(pg, "transaction", err);
    if (!backend_of(pg, &again, err))
        return false;
    return again == first || refuse(pg, "transaction", err);
}

bool pooler_check(struct pg *pg, const struct pg_options *options, struct err *err)
{
    struct pg other = {0};
    int64_t first;
    if (!backend_of(pg, &first, err))
        return false;
    if (first == PQbackendPID(pg->conn))
        return true;
    bool ok = pg_connect(&other, options, err) && sessions_differ(pg, &other, first, err);
    pg_close(&other);
    return ok;
}
