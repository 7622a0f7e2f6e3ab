/* SPDX-License-Identifier: Apache-2.0 */
/* links: store */
/* ldflags: -Wl,--wrap=pg_command */
/* The first statement of a session, under a timeout of the operator's that may be a millisecond. */
#include "store/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static unsigned cut;      /* so many statements from now on end at the timeout */
static unsigned commands; /* that were sent */

bool __wrap_pg_command(struct pg *pg, const char *sql, struct err *err);

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

static enum err_kind pinned(unsigned cuts)
{
    static char connection;
    struct pg pg = {.conn = (void *)&connection};
    struct err err = {0};
    const struct pg_options options = {.application_name = "test"};
    cut = cuts;
    commands = 0;
    assert_false(session_pin(&pg, &options, &err));
    return err.kind;
}

static void a_session_that_is_cut_off_is_begun_five_times(void **state)
{
    (void)state;
    assert_int_equal(pinned(4), ERR_UNAVAILABLE); /* the fifth gets through, to another end */
    assert_int_equal(commands, 5);
    assert_int_equal(pinned(5), ERR_RETRY);
    assert_int_equal(commands, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_that_is_cut_off_is_begun_five_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
