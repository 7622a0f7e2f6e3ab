/* SPDX-License-Identifier: Apache-2.0 */
/* Crash points: they end the process at the passage that is asked for, and are nothing otherwise.
 */
#include "core/fault.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* How many times a child passes the point "here" before it ends, and by what; at most five. */
static int passages(const char *fault, int *by_signal)
{
    int pipes[2], status;
    char mark;
    int count = 0;
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        setenv("SPENDLOG_FAULT", fault, 1);
        fault_init();
        for (int i = 0; i < 5; i++) {
            fault_point("elsewhere");
            fault_point("here");
            if (write(pipes[1], "x", 1) != 1)
                _exit(2);
        }
        _exit(0);
    }
    close(pipes[1]);
    while (read(pipes[0], &mark, 1) == 1)
        count++;
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    *by_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return count;
}

static void a_process_ends_at_the_passage_that_is_asked_for(void **state)
{
    int by_signal;
    (void)state;
    assert_int_equal(passages("here:1", &by_signal), 0);
    assert_int_equal(by_signal, SIGKILL);
    assert_int_equal(passages("here:3", &by_signal), 2);
    assert_int_equal(by_signal, SIGKILL);
}

static void what_is_not_passed_so_often_ends_nothing(void **state)
{
    static const char *const fault[] = {"nowhere:1", "here:9", "here", "",
                                        "a name that is longer than any point may be: 40:1"};
    (void)state;
    for (size_t i = 0; i < sizeof(fault) / sizeof(fault[0]); i++) {
        int by_signal;
        assert_int_equal(passages(fault[i], &by_signal), 5);
        assert_int_equal(by_signal, 0);
    }
}

/* In this process: a point that is passed once less than it is armed for. */
static void each_passage_counts(void **state)
{
    (void)state;
    setenv("SPENDLOG_FAULT", "here:1000", 1);
    fault_init();
    for (int i = 0; i < 999; i++)
        fault_point("here");
    fault_point("elsewhere");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_ends_at_the_passage_that_is_asked_for),
        cmocka_unit_test(what_is_not_passed_so_often_ends_nothing),
        cmocka_unit_test(each_passage_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
