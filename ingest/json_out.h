/* SPDX-License-Identifier: Apache-2.0 */
/* Values written as JSON text: what the decoders of schema.h share. */
#ifndef INGEST_JSON_OUT_H
#define INGEST_JSON_OUT_H

#include "core/buf.h"

void json_out_base64(struct buf *out, struct slice bytes);
/* The shortest text that reads back as the same number; what is not finite is null. */
void json_out_double(struct buf *out, double d);
void json_out_float(struct buf *out, float f);

#endif
