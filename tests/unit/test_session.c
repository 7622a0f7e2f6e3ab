/* SPDX-License-Identifier: Apache-2.0 */
/* links: store */
/* ldflags: -Wl,--wrap=pg_command,--wrap=pg_query */
/* The first statements of a session, under a timeout of the operator's that may be a millisecond.
 */
#include "store/session.h"

#include "store/pooler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static unsigned cut;      /* so many statements from now on end at the timeout */
static unsigned commands; /* that were sent */

bool __wrap_pg_command(struct pg *pg, const char *sql, struct err *err);

PGresult *__wrap_pg_query(struct pg *pg, const char *sql, const struct pg_args *args,
                          struct err *err);

bool __wrap_pg_command(struct pg *pg, const char *sql, struct err *err)
{
    (void)sql;
    commands++;
    if (cut > 0) {
        cut--;
        snprintf(pg->sqlstate, sizeof(pg->sqlstate), "57014");
        return err_set(err, ERR_RETRY, "canceling statement due to statement timeout");
    }
    snprintf(pg->sqlstate, sizeof(pg->sqlstate), "08006");
    pg->conn = NULL; /* what follows has no connection */
    return err_set(err, ERR_UNAVAILABLE, "the connection broke");
}

PGresult *__wrap_pg_query(struct pg *pg, const char *sql, const struct pg_args *args,
                          struct err *err)
{
    (void)args;
    (void)__wrap_pg_command(pg, sql, err);
    return NULL;
}

typedef bool step(struct pg *pg, const struct pg_options *options, struct err *err);

static enum err_kind after(unsigned cuts, step *begin)
{
    static char connection;
    struct pg pg = {.conn = (void *)&connection};
    struct err err = {0};
    const struct pg_options options = {.application_name = "test"};
    cut = cuts;
    commands = 0;
    assert_false(begin(&pg, &options, &err));
    return err.kind;
}

static void begun_again(step *begin)
{
    assert_int_equal(after(999, begin), ERR_UNAVAILABLE); /* the last: another end */
    assert_int_equal(commands, 1000);
    assert_int_equal(after(1000, begin), ERR_RETRY);
    assert_int_equal(commands, 1000);
}

static void a_session_that_is_cut_off_is_begun_again(void **state)
{
    (void)state;
    begun_again(pooler_check);
    begun_again(session_pin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_that_is_cut_off_is_begun_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
