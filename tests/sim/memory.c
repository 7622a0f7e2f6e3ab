/* SPDX-License-Identifier: Apache-2.0 */
/* The C library's allocation, linked in its place (--wrap): of a member it may fail. */
#include "tests/sim/member.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Named by the linker. */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
char *__real_strdup(const char *text);
void __real_free(void *p);
_Noreturn void __real_abort(void);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
char *__wrap_strdup(const char *text);
void __wrap_free(void *p);
_Noreturn void __wrap_abort(void);

void *sim_malloc(size_t bytes)
{
    return __real_malloc(bytes);
}

/* --- large tables that begin as zeros ------------------------------------------------------- */

/* Members begin often and fill little of what they have room for: such a table is pages of its
 * own, which cost when they are touched, not when they are cleared. */
#define TABLE_BYTES_MIN ((size_t)128 << 10)
#define TABLE_BYTES_MAX ((size_t)4 << 20)
#define TABLE_COUNT 128

static char *tables_at; /* NULL: not yet */
static bool table_used[TABLE_COUNT];

static void tables_open(void)
{
    static const int pages = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *p = mmap(NULL, TABLE_COUNT * TABLE_BYTES_MAX, PROT_READ | PROT_WRITE, pages, -1, 0);
    if (p == MAP_FAILED)
        __real_abort();
    madvise(p, TABLE_COUNT * TABLE_BYTES_MAX, MADV_NOHUGEPAGE);
    tables_at = p;
}

static bool is_table(const void *p)
{
    uintptr_t begin = (uintptr_t)tables_at;
    return tables_at && (uintptr_t)p >= begin &&
           (uintptr_t)p < begin + TABLE_COUNT * TABLE_BYTES_MAX;
}

static void *table_new(void)
{
    size_t i = 0;
    if (!tables_at)
        tables_open();
    while (i < TABLE_COUNT && table_used[i])
        i++;
    if (i == TABLE_COUNT)
        return NULL;
    table_used[i] = true;
    return tables_at + i * TABLE_BYTES_MAX;
}

void __wrap_free(void *p)
{
    if (!is_table(p)) {
        __real_free(p);
        return;
    }
    madvise(p, TABLE_BYTES_MAX, MADV_DONTNEED);
    table_used[(size_t)((char *)p - tables_at) / TABLE_BYTES_MAX] = false;
}

/* --- allocations ---------------------------------------------------------------------------- */

void *__wrap_malloc(size_t bytes)
{
    return member_starves() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    size_t product;
    if (member_starves())
        return NULL;
    bool large = !__builtin_mul_overflow(count, bytes, &product) && product >= TABLE_BYTES_MIN &&
                 product <= TABLE_BYTES_MAX;
    void *table = large ? table_new() : NULL;
    return table ? table : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *p, size_t bytes)
{
    if (member_starves())
        return NULL;
    if (is_table(p)) /* nobody makes one larger */
        __real_abort();
    return __real_realloc(p, bytes);
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
