/* SPDX-License-Identifier: Apache-2.0 */
/* What sealed bytes of rejected_events are bound to: their column and the key of their row. */
#ifndef STORE_SEALED_H
#define STORE_SEALED_H

#include "core/buf.h"

#define SEALED_PLACE_BYTES 21

enum sealed_column { SEALED_PAYLOAD = 'p', SEALED_DETAIL = 'd', SEALED_ENVELOPE = 'e' };

static inline void sealed_place(struct buf *out, enum sealed_column column, int64_t partition_id,
                                int64_t kafka_offset, unsigned record_index)
{
    buf_reset(out);
    buf_add_char(out, (char)column);
    buf_add_be64(out, (uint64_t)partition_id);
    buf_add_be64(out, (uint64_t)kafka_offset);
    buf_add_be32(out, record_index);
}

#endif
