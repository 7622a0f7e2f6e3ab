/* SPDX-License-Identifier: Apache-2.0 */
/* The C library's allocation, linked in its place (--wrap): of a member it may fail. */
#include "tests/sim/member.h"

#include <stdlib.h>
#include <string.h>

/* Named by the linker. */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
char *__real_strdup(const char *text);
_Noreturn void __real_abort(void);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
char *__wrap_strdup(const char *text);
_Noreturn void __wrap_abort(void);

void *sim_malloc(size_t bytes)
{
    return __real_malloc(bytes);
}

void *__wrap_malloc(size_t bytes)
{
    return member_starves() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return member_starves() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *p, size_t bytes)
{
    return member_starves() ? NULL : __real_realloc(p, bytes);
}

char *__wrap_strdup(const char *text)
{
    return member_starves() ? NULL : __real_strdup(text);
}

/* What cannot go on without memory ends its process, not ours. */
_Noreturn void __wrap_abort(void)
{
    member_abort();
    __real_abort();
}
