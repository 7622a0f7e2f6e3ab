/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable byte buffer, born with a ceiling. Appends after a failure do nothing and the failure
 * stays latched, so that code stays linear and is checked once, at the end, with buf_ok().
 */
#ifndef CORE_BUF_H
#define CORE_BUF_H

#include "core/err.h"
#include "core/slice.h"

#include <stdint.h>

struct buf {
    char *p;
    size_t bytes;
    size_t capacity;
    size_t ceiling_bytes;
    bool failed;
};

void buf_init(struct buf *buf, size_t ceiling_bytes);
void buf_reset(struct buf *buf); /* empties, keeps the memory, clears the failure */
void buf_free(struct buf *buf);
static inline bool buf_ok(const struct buf *buf)
{
    return !buf->failed;
}
static inline struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){buf->p, buf->bytes};
}

/* Room for `bytes` more; the pointer is where they start, NULL once failed. Does not move `bytes`.
 */
char *buf_reserve(struct buf *buf, size_t bytes);
void buf_add(struct buf *buf, struct slice text);
/* What another holds; that it is not whole is taken over as well. */
void buf_add_buf(struct buf *buf, const struct buf *text);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_add_be16(struct buf *buf, uint16_t v);
void buf_add_be32(struct buf *buf, uint32_t v);
void buf_add_be64(struct buf *buf, uint64_t v);
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A JSON string with its quotes; the text must be valid UTF-8. */
void buf_add_json_string(struct buf *buf, struct slice text);
/* The same at `p`, where there is room for BUF_JSON_STRING_MAX bytes; returns its end. */
char *buf_put_json_string(char *p, struct slice text);
#define BUF_JSON_STRING_MAX(bytes) (6 * (bytes) + 2)

#endif
