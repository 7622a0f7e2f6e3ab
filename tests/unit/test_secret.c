/* SPDX-License-Identifier: Apache-2.0 */
/* References to secrets, and where each is looked for. */
#include "core/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/spendlog-test-secret-XXXXXX";
static struct arena process;

static void file_write(const char *name, struct slice text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    fwrite(text.p, 1, text.bytes, out);
    assert_int_equal(fclose(out), 0);
}

static int setup(void **state)
{
    (void)state;
    arena_init(&process, 1 << 20);
    if (!mkdtemp(folder))
        return -1;
    file_write("plain", SLICE("s3cret\n"));
    file_write("crlf", SLICE("s3cret\r\n"));
    file_write("two", SLICE("line 1\nline 2\n\n"));
    file_write("nul", SLICE("a\0b"));
    unsetenv("CREDENTIALS_DIRECTORY");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const names[] = {"plain", "crlf", "two", "nul", "large"};
    char path[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    arena_free(&process);
    return rmdir(folder);
}

static void expect(const char *text, const char *value)
{
    struct err err = {0};
    const char *got = secret_resolve(text, folder, &process, &err);
    if (!got)
        fail_msg("%s", err.text);
    assert_string_equal(got, value);
}

static void refuse(const char *text, const char *message)
{
    struct err err = {0};
    assert_null(secret_resolve(text, folder, &process, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    if (!strstr(err.text, message))
        fail_msg("\"%s\" lacks \"%s\"", err.text, message);
}

static void what_is_no_reference_is_itself(void **state)
{
    (void)state;
    expect("host=localhost", "host=localhost");
    expect("", "");
    expect("profile:x", "profile:x");
    assert_false(secret_is_reference("host=localhost"));
    assert_true(secret_is_reference("os.environ/X"));
    assert_true(secret_is_reference("file:x"));
}

static void files_lose_the_newline_at_their_end(void **state)
{
    (void)state;
    expect("file:plain", "s3cret");
    expect("file:crlf", "s3cret");
    expect("file:two", "line 1\nline 2\n");
    refuse("file:missing", "No such file");
    refuse("file:nul", "cannot be read as a secret");
}

static void environment_comes_before_credentials(void **state)
{
    (void)state;
    setenv("SPENDLOG_TEST_SECRET", "from env", 1);
    expect("os.environ/SPENDLOG_TEST_SECRET", "from env");
    refuse("os.environ/plain", "environment variable plain is not set");
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    expect("os.environ/plain", "s3cret");
    expect("os.environ/SPENDLOG_TEST_SECRET", "from env");
    refuse("os.environ/../plain", "environment variable ../plain is not set");
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void a_file_beyond_64_kib_is_no_secret(void **state)
{
    (void)state;
    static char text[(64 << 10) + 1];
    memset(text, 's', sizeof(text));
    for (size_t bytes = sizeof(text) - 1; bytes <= sizeof(text); bytes++) {
        struct err err = {0};
        file_write("large", (struct slice){text, bytes});
        const char *got = secret_resolve("file:large", folder, &process, &err);
        assert_int_equal(got != NULL, bytes < sizeof(text));
        if (!got)
            assert_non_null(strstr(err.text, "large: larger than 64 KiB"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_reference_is_itself),
        cmocka_unit_test(files_lose_the_newline_at_their_end),
        cmocka_unit_test(environment_comes_before_credentials),
        cmocka_unit_test(a_file_beyond_64_kib_is_no_secret),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
