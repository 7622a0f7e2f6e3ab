/* SPDX-License-Identifier: Apache-2.0 */
/* What surrounds the JSON of a Kafka message, before a mapping can look at it. */
#ifndef INGEST_FRAME_H
#define INGEST_FRAME_H

#include "core/charge.h"
#include "core/slice.h"

#define MESSAGE_BYTES_MAX (8u << 20)

/* Takes off schema registry framing. REASON_NONE: `json` is what to read; otherwise why not. */
enum reason frame_open(struct slice message, struct slice *json, const char **detail);

#endif
