/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/* A pattern, a zero byte, a text: it compiles or says why not, and what it finds is in the text. */
#include "ingest/pattern.h"

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
    struct err err = {0};
    bool gave_up = false;
    arena_init(&arena, 1u << 20);
    const struct pattern *compiled = pattern_compile(pattern, &arena, &err);
    if ((compiled == NULL) != (err.kind == ERR_CONFIG))
        abort();
    if (compiled && pattern_match(compiled, text, &group, &gave_up) &&
        (group.p < text.p || group.p + group.bytes > text.p + text.bytes))
        abort();
    arena_free(&arena);
    return 0;
}
