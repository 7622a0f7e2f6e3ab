/* SPDX-License-Identifier: Apache-2.0 */
/* What the rules distinguish among call types and providers (docs/pricing.md section 8). */
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
    CALL_BATCH,
    CALL_MCP_TOOL,
    CALL_AGENT,
    CALL_MANAGEMENT,
    CALL_NON_INFERENCE,
};

enum call_class call_class_of(struct slice call_type);

/* Providers with rules of their own; all others are P_OTHER. */
enum provider_id {
    P_OTHER,
    P_AIML,
    P_ANTHROPIC,
    P_AZURE,
    P_AZURE_AI,
    P_BEDROCK,
    P_COMETAPI,
    P_DASHSCOPE,
    P_DATABRICKS,
    P_DEEPSEEK,
    P_FAL_AI,
    P_FIREWORKS,
    P_GEMINI,
    P_GROQ,
    P_JINA,
    P_LEMONADE,
    P_OPENAI,
    P_PARALLEL_AI,
    P_PERPLEXITY,
    P_RECRAFT,
    P_RUNWAYML,
    P_TENCENT,
    P_TOGETHER,
    P_VERTEX,
    P_VERTEX_BETA,
    P_VOYAGE,
    P_XAI,
};

enum provider_id provider_id_of(struct slice provider);

#endif
