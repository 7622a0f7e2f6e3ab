/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of a partition that were stored last: a ring that is shifted, it is short. */
#include "store/last_messages.h"

#include "core/big_endian.h"
#include "core/must.h"

#include <string.h>

uint64_t last_messages_hash(uint64_t value_hash, int64_t time_ms)
{
    return value_hash ^ ((uint64_t)time_ms * 0x9e3779b97f4a7c15u);
}

void last_messages_add(struct last_messages *last, int64_t offset, uint64_t hash)
{
    MUST(last->count <= LAST_MESSAGES_MAX, last->count);
    while (last->count > 0 && last->offset[last->count - 1] >= offset)
        last->count--;
    if (last->from > offset)
        last->from = offset;
    if (last->count == LAST_MESSAGES_MAX) {
        last->count--;
        last->from = last->offset[0] + 1;
        memmove(last->offset, last->offset + 1, last->count * sizeof(last->offset[0]));
        memmove(last->hash, last->hash + 1, last->count * sizeof(last->hash[0]));
    }
    last->offset[last->count] = offset;
    last->hash[last->count++] = hash;
}

bool last_messages_contradict(const struct last_messages *last, int64_t offset, uint64_t hash)
{
    if (offset < last->from)
        return false;
    for (unsigned i = 0; i < last->count; i++)
        if (last->offset[i] == offset)
            return last->hash[i] != hash;
    return true;
}

struct slice last_messages_put(const struct last_messages *last, char *bytes)
{
    char *end = put_be64(bytes, (uint64_t)last->from);
    MUST(last->count <= LAST_MESSAGES_MAX, last->count);
    for (unsigned i = 0; i < last->count; i++)
        end = put_be64(put_be64(end, (uint64_t)last->offset[i]), last->hash[i]);
    return (struct slice){bytes, (size_t)(end - bytes)};
}

void last_messages_take(struct last_messages *last, struct slice bytes, int64_t next_offset)
{
    *last = (struct last_messages){.from = next_offset};
    if (bytes.bytes % 16 != 8 || bytes.bytes > LAST_MESSAGES_BYTES)
        return;
    struct last_messages taken = {.from = (int64_t)get_be64(bytes.p)};
    int64_t least = taken.from;
    for (const char *p = bytes.p + 8; p < bytes.p + bytes.bytes; p += 16) {
        int64_t offset = (int64_t)get_be64(p);
        if (offset < least || offset > next_offset)
            return;
        taken.offset[taken.count] = offset;
        taken.hash[taken.count++] = get_be64(p + 8);
        least = offset + 1;
    }
    *last = taken;
}
