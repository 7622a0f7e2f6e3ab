/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 (RFC 4648 section 4): read padded or not, written padded. Into memory of the caller, who
 * asks for its size first; texts do not end in a NUL.
 */
#ifndef CORE_BASE64_H
#define CORE_BASE64_H

#include "core/err.h"
#include "core/slice.h"

/* Room that is enough for what so many characters stand for. */
static inline size_t base64_room(size_t characters)
{
    return characters / 4 * 3 + 3;
}

/* Into `out`, of base64_room(). false: it is not base64. */
bool base64_decode(struct slice text, char *out, size_t *bytes) MUST_CHECK;

/* Characters that so many bytes are written as. */
static inline size_t base64_characters(size_t bytes)
{
    return (bytes + 2) / 3 * 4;
}

/* Into `out`, of base64_characters(). */
void base64_encode(struct slice bytes, char *out);

#endif
