/* SPDX-License-Identifier: Apache-2.0 */
/* What the rules distinguish among call types (docs/pricing.md section 8). */
#ifndef PRICING_NAMES_CALL_TYPES_H
#define PRICING_NAMES_CALL_TYPES_H

#include "core/slice.h"

enum call_class {
    CALL_CHAT,
    CALL_EMBEDDING,
    CALL_RESPONSES,
    CALL_TEXT, /* like chat, but its answer has no annotations */
    CALL_IMAGE,
    CALL_VIDEO,
    CALL_SPEECH,
    CALL_TRANSCRIPTION,
    CALL_RERANK,
    CALL_OCR,
    CALL_SEARCH,
    CALL_VECTOR_SEARCH,
    CALL_REALTIME,
    CALL_JOB,
    CALL_MCP_TOOL,
    CALL_AGENT,
    CALL_MANAGEMENT,
    CALL_NON_INFERENCE,
};

enum call_class call_class_of(struct slice call_type);

#endif
