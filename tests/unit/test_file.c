/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the operator: what is opened, and what is refused with words instead of a hang. */
#include "core/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/spendlog-file-XXXXXX", path[64];

static int setup(void **state)
{
    (void)state;
    strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/it", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void expect_refused(const char *what, const char *why)
{
    struct err err = {0};
    assert_null(file_open(what, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, what));
    assert_non_null(strstr(err.text, why));
}

static void expect_line(FILE *in, const char *line)
{
    char text[32] = "";
    assert_non_null(in);
    assert_non_null(fgets(text, sizeof(text), in));
    assert_string_equal(text, line);
    fclose(in);
}

static void a_file_is_read(void **state)
{
    struct err err = {0};
    FILE *out = fopen(path, "w");
    (void)state;
    fputs("words\n", out);
    fclose(out);
    expect_line(file_open(path, &err), "words\n");
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    expect_refused(path, "No such file");
    expect_refused(folder, "directory");
}

static void a_pipe_is_read_once_somebody_writes(void **state)
{
    struct err err = {0};
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    pid_t writer = fork();
    if (writer == 0) {
        FILE *out = fopen(path, "w"); /* waits for the reader */
        usleep(50000);
        fputs("late\n", out);
        fclose(out);
        _exit(0);
    }
    expect_line(file_open(path, &err), "late\n");
}

static void a_pipe_that_nobody_writes_to_is_given_up(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_refused(path, "a pipe that nobody writes to");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_read),
        TEST(what_cannot_be_read_is_named),
        TEST(a_pipe_is_read_once_somebody_writes),
        TEST(a_pipe_that_nobody_writes_to_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
