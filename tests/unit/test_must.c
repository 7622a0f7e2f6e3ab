/* SPDX-License-Identifier: Apache-2.0 */
/* What does not hold ends the process, with the place and the state. */
#include "core/must.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int asked;

static long long ask(long long v)
{
    asked++;
    return v;
}

static void on_abort(int signal)
{
    (void)signal;
    exit(3); /* writes what coverage has counted */
}

/* What a child says in which the condition is false, and how it ends: the signal, or its code. */
static int said(void (*fails)(void), void (*on_signal)(int), char *text, size_t capacity)
{
    int pipes[2], status;
    size_t bytes = 0;
    ssize_t piece;
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], STDERR_FILENO);
        signal(SIGABRT, on_signal);
        fails();
        _exit(0);
    }
    close(pipes[1]);
    while (bytes < capacity - 1 && (piece = read(pipes[0], text + bytes, capacity - 1 - bytes)) > 0)
        bytes += (size_t)piece;
    text[bytes] = '\0';
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void with_state(void)
{
    size_t rows = 7, room = 5;
    MUST(rows <= room, rows, room, ask(-1));
}

static void without(void)
{
    MUST(asked == 9);
}

static void what_does_not_hold_ends_the_process_with_place_and_state(void **state)
{
    char text[1024];
    (void)state;
    assert_int_equal(said(with_state, SIG_DFL, text, sizeof(text)), SIGABRT);
    assert_non_null(strstr(text, "tests/unit/test_must.c:"));
    assert_non_null(strstr(text, "with_state() ends the process: it has to be that rows <= room; "
                                 "rows, room, ask(-1) = 7, 5, -1"));
    assert_int_equal(said(without, SIG_DFL, text, sizeof(text)), SIGABRT);
    assert_non_null(strstr(text, "it has to be that asked == 9\n"));
    assert_int_equal(said(with_state, on_abort, text, sizeof(text)), 3);
}

static void what_holds_costs_one_comparison(void **state)
{
    (void)state;
    asked = 0;
    MUST(asked == 0, ask(1), ask(2));
    assert_int_equal(asked, 0); /* the state is worked out when it is told */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_hold_ends_the_process_with_place_and_state),
        cmocka_unit_test(what_holds_costs_one_comparison),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
