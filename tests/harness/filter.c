/* SPDX-License-Identifier: Apache-2.0 */
/* Linked into every program of cmocka: TEST='pattern' (with * and ?) in the environment runs only
 * the tests of that name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void filter(void)
{
    const char *pattern = getenv("TEST");
    if (pattern && pattern[0])
        cmocka_set_test_filter(pattern);
}
