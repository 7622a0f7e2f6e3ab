/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: levels, one line each, cut where they are too long, repeats held back. */
#include "core/clock.h"
#include "core/log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* stderr goes into a file while `say` runs; its content comes back. */
static void captured(void (*say)(void), char *text, size_t capacity)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    say();
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    text[fread(text, 1, capacity - 1, file)] = '\0';
    fclose(file);
}

static void say_all(void)
{
    log_error("e %d", 1);
    log_warn("w");
    log_info("i");
    log_debug("d");
}

static void say_hostile(void)
{
    log_set_prefix("lane 1");
    log_warn("topic \"a\nb\x1b[2J\xff\" Z\xc3\xbcrich \xe2\x82\xac");
    log_set_prefix("");
}

static void levels_above_the_chosen_one_are_silent(void **state)
{
    (void)state;
    char text[1024];
    assert_true(log_init("warn", "text"));
    captured(say_all, text, sizeof(text));
    assert_string_equal(text,
                        "1970-01-01T00:00:01.500Z error e 1\n1970-01-01T00:00:01.500Z warn  w\n");
}

static void a_message_is_one_line_whatever_it_holds(void **state)
{
    (void)state;
    char text[1024];
    assert_true(log_init("info", "text"));
    captured(say_hostile, text, sizeof(text));
    assert_string_equal(text, "1970-01-01T00:00:01.500Z warn  lane 1: topic \"a b [2J?\" "
                              "Z\xc3\xbcrich \xe2\x82\xac\n"); /* a byte is a control
                                       character to some
                                       terminals */
    assert_true(log_init("info", "json"));
    captured(say_hostile, text, sizeof(text));
    assert_string_equal(
        text, "{\"time\":\"1970-01-01T00:00:01.500Z\",\"level\":\"warn\",\"thread\":"
              "\"lane 1\",\"message\":\"topic \\\"a b [2J?\\\" Z\xc3\xbcrich \xe2\x82\xac\"}\n");
}

static char long_text[5000];

static void say_long(void)
{
    log_warn("%s", long_text);
}

static void a_message_that_is_too_long_says_that_it_is_cut(void **state)
{
    (void)state;
    char text[8192];
    assert_true(log_init("info", "text"));
    for (size_t bytes = 4095; bytes <= 4096; bytes++) {
        memset(long_text, 'm', bytes);
        captured(say_long, text, sizeof(text));
        assert_int_equal(strlen(text), strlen("1970-01-01T00:00:01.500Z warn  \n") + 4095);
        assert_int_equal(strstr(text, " (cut)\n") != NULL, bytes == 4096);
    }
}

static void unknown_words_are_refused(void **state)
{
    (void)state;
    assert_false(log_init("loud", "text"));
    assert_false(log_init("info", "xml"));
}

static void say_again_and_again(void)
{
    for (int i = 0; i < 3; i++) {
        log_warn("no broker Z\xc3\xbcrich");
        log_warn("no database");
    }
    log_debug("d");
    log_debug("d");
    log_flush();
    log_flush();
}

static void what_is_repeated_is_held_back_and_counted(void **state)
{
    (void)state;
    char text[2048];
    assert_true(log_init("debug", "text"));
    captured(say_again_and_again, text, sizeof(text));
#define AT "1970-01-01T00:00:01.500Z "
    assert_string_equal(text, AT "warn  no broker Z\xc3\xbcrich\n" AT "warn  no database\n" AT
                                 "debug d\n" AT "debug d\n" AT
                                 "warn  no broker Z\xc3\xbcrich (2 times more)\n" AT
                                 "warn  no database (2 times more)\n");
}

static void *say_from_thread(void *argument)
{
    log_set_prefix(argument);
    for (int i = 0; i < 200; i++)
        log_info("message %d", i);
    return NULL;
}

static void say_from_two_threads(void)
{
    pthread_t a, b;
    char one[] = "one", two[] = "two";
    assert_int_equal(pthread_create(&a, NULL, say_from_thread, one), 0);
    assert_int_equal(pthread_create(&b, NULL, say_from_thread, two), 0);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}

static void threads_do_not_mix_their_lines(void **state)
{
    (void)state;
    static char text[64 << 10];
    size_t lines = 0;
    assert_true(log_init("info", "text"));
    captured(say_from_two_threads, text, sizeof(text));
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest), lines++)
        assert_true(strncmp(line, "1970-01-01T00:00:01.500Z info  one: message ", 44) == 0 ||
                    strncmp(line, "1970-01-01T00:00:01.500Z info  two: message ", 44) == 0);
    assert_int_equal(lines, 400);
}

static int setup(void **state)
{
    (void)state;
    clock_fix(1500999);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_above_the_chosen_one_are_silent),
        cmocka_unit_test(a_message_is_one_line_whatever_it_holds),
        cmocka_unit_test(a_message_that_is_too_long_says_that_it_is_cut),
        cmocka_unit_test(unknown_words_are_refused),
        cmocka_unit_test(what_is_repeated_is_held_back_and_counted),
        cmocka_unit_test(threads_do_not_mix_their_lines),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
