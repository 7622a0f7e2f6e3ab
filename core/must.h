/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What our own code guarantees, checked in every build: a process in which it does not hold ends
 * with the place and the state, before it writes a wrong row. The state are whole numbers, named as
 * they are written:
 *
 *     MUST(at < batch->row_count, at, batch->row_count);
 *
 * What comes from outside (messages, files, what a database holds) is an error of struct err, never
 * one of these.
 */
#ifndef CORE_MUST_H
#define CORE_MUST_H

#include <stddef.h>

#define MUST(condition, ...)                                                                       \
    ((condition)                                                                                   \
         ? (void)0                                                                                 \
         : must_fail(                                                                              \
               &(const struct must){#condition, __FILE__, __func__, "" #__VA_ARGS__, __LINE__},    \
               MUST_STATE(__VA_ARGS__), sizeof(MUST_STATE(__VA_ARGS__)) / sizeof(long long) - 1))
#define MUST_STATE(...)                                                                            \
    (const long long[])                                                                            \
    {                                                                                              \
        0, ##__VA_ARGS__                                                                           \
    }

struct must {
    const char *condition, *file, *function, *names;
    unsigned line;
};

/* state[0] is not one of the `count` numbers. */
_Noreturn void must_fail(const struct must *must, const long long *state, size_t count)
    __attribute__((cold));

#endif
