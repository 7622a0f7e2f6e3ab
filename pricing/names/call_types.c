/* SPDX-License-Identifier: Apache-2.0 */
/* Call types, from words to what the rules distinguish (docs/pricing.md section 8).
 */
#include "pricing/names/call_types.h"

#include "pricing/map/lists.h"

/* LiteLLM's words without the "a" of their asynchronous twins, and the canonical ones. "completion"
 * is a canonical word, of texts; LiteLLM's chat comes as "chat" or "acompletion". */
static const struct {
    const char *word;
    enum call_class class;
} call_words[] = {
    {"chat", CALL_CHAT},
    {"completion", CALL_TEXT},
    {"acompletion", CALL_CHAT},
    {"chat_completion", CALL_CHAT},
    {"text_completion", CALL_TEXT},
    {"generate_content", CALL_TEXT},
    {"generate_content_stream", CALL_TEXT},
    {"anthropic_messages", CALL_TEXT},
    {"decisions", CALL_TEXT},
    {"responses", CALL_RESPONSES},
    {"embedding", CALL_EMBEDDING},
    {"embeddings", CALL_EMBEDDING},
    {"image", CALL_IMAGE},
    {"images", CALL_IMAGE},
    {"image_generation", CALL_IMAGE},
    {"image_edit", CALL_IMAGE},
    {"video", CALL_VIDEO},
    {"create_video", CALL_VIDEO},
    {"video_generation", CALL_VIDEO},
    {"video_edit", CALL_VIDEO},
    {"video_remix", CALL_VIDEO},
    {"speech", CALL_SPEECH},
    {"audio_speech", CALL_SPEECH},
    {"transcription", CALL_TRANSCRIPTION},
    {"audio_transcription", CALL_TRANSCRIPTION},
    {"rerank", CALL_RERANK},
    {"ocr", CALL_OCR},
    {"search", CALL_SEARCH},
    {"vector_store_search", CALL_VECTOR_SEARCH},
    {"realtime", CALL_REALTIME},
    {"retrieve_batch", CALL_JOB},
    {"batch", CALL_JOB},
    {"call_mcp_tool", CALL_MCP_TOOL},
    {"mcp_tool", CALL_MCP_TOOL},
    {"send_message", CALL_AGENT},
    {"create_batch", CALL_MANAGEMENT},
    {"cancel_batch", CALL_MANAGEMENT},
    {"list_batches", CALL_MANAGEMENT},
    {"create_file", CALL_MANAGEMENT},
    {"file_retrieve", CALL_MANAGEMENT},
    {"file_delete", CALL_MANAGEMENT},
    {"file_list", CALL_MANAGEMENT},
    {"file_content", CALL_MANAGEMENT},
    {"create_fine_tuning_job", CALL_MANAGEMENT},
    {"cancel_fine_tuning_job", CALL_MANAGEMENT},
    {"list_fine_tuning_jobs", CALL_MANAGEMENT},
    {"retrieve_fine_tuning_job", CALL_MANAGEMENT},
    {"list_mcp_tools", CALL_MANAGEMENT},
    {"video_list", CALL_MANAGEMENT},
    {"video_status", CALL_MANAGEMENT},
    {"video_retrieve", CALL_MANAGEMENT},
    {"video_content", CALL_MANAGEMENT},
    {"video_delete", CALL_MANAGEMENT},
};

static bool find_word(struct slice word, enum call_class *class)
{
    for (size_t i = 0; i < sizeof(call_words) / sizeof(call_words[0]); i++)
        if (slice_is(word, call_words[i].word)) {
            *class = call_words[i].class;
            return true;
        }
    if (!list_has(&list_non_inference, word))
        return false;
    *class = CALL_NON_INFERENCE;
    return true;
}

/* Any other word is billed like chat, as LiteLLM 1.106.2 does. */
enum call_class call_class_of(struct slice call_type)
{
    enum call_class class = CALL_CHAT;
    if (call_type.bytes && call_type.p[0] == '_')
        call_type = (struct slice){call_type.p + 1, call_type.bytes - 1};
    if (call_type.bytes == 0 || find_word(call_type, &class))
        return class;
    struct slice synchronous = {call_type.p + 1, call_type.bytes - 1};
    if (call_type.p[0] == 'a' && find_word(synchronous, &class))
        return class;
    return CALL_TEXT;
}
