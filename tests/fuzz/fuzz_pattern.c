/* SPDX-License-Identifier: Apache-2.0 */
/* A pattern, a zero byte, a text: in either syntax it compiles or says why not, and what it finds
 * is in the text. */
#include "core/pattern.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *p = (const char *)data;
    const char *zero = bytes > 0 ? memchr(p, '\0', bytes) : NULL;
    if (!zero)
        return 0;
    struct slice pattern = {p, (size_t)(zero - p)}, group;
    struct slice text = {zero + 1, bytes - pattern.bytes - 1};
    struct arena arena;
    struct err err;
    bool gave_up = false;
    arena_init(&arena, 1u << 20);
    for (enum pattern_syntax syntax = PATTERN_POSIX; syntax <= PATTERN_PYTHON; syntax++) {
        err = (struct err){0};
        const struct pattern *compiled = pattern_compile(pattern, syntax, &arena, &err);
        if ((compiled == NULL) != (err.kind == ERR_CONFIG))
            abort();
        if (compiled && pattern_match(compiled, text, &group, &gave_up) &&
            (group.p < text.p || group.p + group.bytes > text.p + text.bytes))
            abort();
    }
    arena_free(&arena);
    return 0;
}
