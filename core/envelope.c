/* SPDX-License-Identifier: Apache-2.0 */
/* The key, then name and value of each header: 32 bits of length and the bytes; all bits set: none.
 */
#include "core/envelope.h"

#include "core/big_endian.h"

#define NONE UINT32_MAX

const struct header *envelope_header(const struct envelope *envelope, struct slice name)
{
    for (size_t i = envelope->header_count; i-- > 0;)
        if (slice_eq(envelope->headers[i].name, name))
            return &envelope->headers[i];
    return NULL;
}

static void bytes_write(struct slice bytes, struct buf *out)
{
    buf_add_be32(out, bytes.p ? (uint32_t)bytes.bytes : NONE);
    if (bytes.p)
        buf_add(out, bytes);
}

void envelope_write(const struct envelope *envelope, struct buf *out)
{
    bytes_write(envelope->key, out);
    for (size_t i = 0; i < envelope->header_count; i++) {
        bytes_write(envelope->headers[i].name, out);
        bytes_write(envelope->headers[i].value, out);
    }
}

static bool bytes_read(struct slice *rest, struct slice *bytes)
{
    if (rest->bytes < 4)
        return false;
    uint32_t length = get_be32(rest->p);
    *rest = (struct slice){rest->p + 4, rest->bytes - 4};
    *bytes = (struct slice){NULL, 0};
    if (length == NONE)
        return true;
    if (length > rest->bytes)
        return false;
    *bytes = (struct slice){rest->p, length};
    *rest = (struct slice){rest->p + length, rest->bytes - length};
    return true;
}

bool envelope_read(struct slice bytes, struct header *headers, struct envelope *envelope)
{
    *envelope = (struct envelope){.headers = headers};
    if (bytes.bytes == 0)
        return true;
    if (!bytes_read(&bytes, &envelope->key))
        return false;
    while (bytes.bytes > 0) {
        struct header header;
        if (envelope->header_count == HEADERS_MAX || !bytes_read(&bytes, &header.name) ||
            !bytes_read(&bytes, &header.value))
            return false;
        headers[envelope->header_count++] = header;
    }
    return true;
}
