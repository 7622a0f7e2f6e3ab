/* SPDX-License-Identifier: Apache-2.0 */
/* The counts of an event as the formulas want them: totals taken apart, images with rules of their
 * own. */
#include "pricing/bill/usage.h"

static i128 least(i128 a, i128 b)
{
    return a < b ? a : b;
}

static i128 at_least_0(i128 a)
{
    return a > 0 ? a : 0;
}

/* A quantity of 0 counts as none, as LiteLLM 1.106.2 has it. */
static const struct decimal *seconds_of(const struct facts *facts, enum fact fact)
{
    const struct decimal *seconds = facts_decimal(facts, fact);
    return seconds && !decimal_is_zero(seconds) ? seconds : NULL;
}

/* Writes by lifetime; what was written beyond them is a short one (LiteLLM 1.110.2). */
static void split_writes(const struct facts *facts, struct input_usage *in)
{
    in->has_split = facts_has(facts, FACT_CACHE_WRITE_5M_TOKENS) ||
                    facts_has(facts, FACT_CACHE_WRITE_30M_TOKENS) ||
                    facts_has(facts, FACT_CACHE_WRITE_1H_TOKENS) ||
                    facts_has(facts, FACT_CACHE_WRITE_12H_TOKENS);
    in->written_short = in->written;
    if (!in->has_split)
        return;
    i128 brief = (i128)facts_int(facts, FACT_CACHE_WRITE_5M_TOKENS) +
                 facts_int(facts, FACT_CACHE_WRITE_30M_TOKENS);
    in->written_1h = facts_int(facts, FACT_CACHE_WRITE_1H_TOKENS);
    in->written_12h = facts_int(facts, FACT_CACHE_WRITE_12H_TOKENS);
    in->written_short = brief + at_least_0(in->written - brief - in->written_1h - in->written_12h);
}

void usage_read_parts(const struct facts *facts, struct input_usage *in)
{
    i128 cached = facts_int(facts, FACT_CACHE_READ_TOKENS);
    i128 cached_audio = least(facts_int(facts, FACT_CACHE_READ_AUDIO_TOKENS), cached);
    i128 cached_text = least(facts_int(facts, FACT_CACHE_READ_TEXT_TOKENS), cached - cached_audio);
    i128 cached_image =
        least(facts_int(facts, FACT_CACHE_READ_IMAGE_TOKENS), cached - cached_audio - cached_text);
    *in = (struct input_usage){
        .prompt = facts_int(facts, FACT_INPUT_TOKENS),
        .text = at_least_0(facts_int(facts, FACT_INPUT_TEXT_TOKENS) - cached_text),
        .audio = at_least_0(facts_int(facts, FACT_INPUT_AUDIO_TOKENS) - cached_audio),
        .image = at_least_0(facts_int(facts, FACT_INPUT_IMAGE_TOKENS) - cached_image),
        .video = facts_int(facts, FACT_INPUT_VIDEO_TOKENS),
        .cached = cached,
        .cached_audio = cached_audio,
        .cached_image = cached_image,
        .written = facts_int(facts, FACT_CACHE_WRITE_TOKENS),
        .characters = facts_int(facts, FACT_INPUT_CHARACTERS),
        .images = facts_int(facts, FACT_INPUT_IMAGES),
        .queries = facts_int(facts, FACT_INPUT_QUERIES),
        .video_seconds = seconds_of(facts, FACT_INPUT_VIDEO_SECONDS),
        .audio_seconds = seconds_of(facts, FACT_INPUT_AUDIO_SECONDS),
    };
    split_writes(facts, in);
}

/* Parts that overlap the cache are billed only as far as the cache did not cover them; a text count
 * that is missing is what is left. */
static void reconcile(struct input_usage *in)
{
    i128 others = in->cached + in->audio + in->written + in->image + in->video;
    if ((in->cached > 0 || in->written > 0) && in->text + others > in->prompt) {
        i128 budget = at_least_0(in->prompt - in->cached - in->written);
        in->audio = least(in->audio, budget);
        in->image = least(in->image, budget - in->audio);
        in->video = least(in->video, budget - in->audio - in->image);
        in->text = budget - in->audio - in->image - in->video;
    } else if (in->text == 0 && in->images == 0) {
        in->text = at_least_0(in->prompt - others);
    }
}

struct output_usage usage_plain_output(i128 completion)
{
    return (struct output_usage){.completion = completion, .text = completion};
}

static void read_output(const struct facts *facts, struct output_usage *out)
{
    i128 completion = facts_int(facts, FACT_OUTPUT_TOKENS);
    i128 text = facts_int(facts, FACT_OUTPUT_TEXT_TOKENS);
    *out = (struct output_usage){
        .completion = completion,
        .audio = facts_int(facts, FACT_OUTPUT_AUDIO_TOKENS),
        .reasoning = facts_int(facts, FACT_REASONING_TOKENS),
        .image = facts_int(facts, FACT_OUTPUT_IMAGE_TOKENS),
        .video = facts_int(facts, FACT_OUTPUT_VIDEO_TOKENS),
    };
    i128 itemised = out->audio + out->reasoning + out->image + out->video;
    i128 overlap = at_least_0(text + itemised - completion);
    text -= least(out->reasoning, least(text, overlap));
    if (text == 0)
        text = itemised > 0 ? at_least_0(completion - itemised) : completion;
    out->text = text;
}

void usage_read(const struct facts *facts, struct usage *usage)
{
    usage_read_parts(facts, &usage->in);
    reconcile(&usage->in);
    read_output(facts, &usage->out);
}

void usage_read_image(const struct facts *facts, struct usage *usage)
{
    struct input_usage *in = &usage->in;
    struct output_usage *out = &usage->out;
    bool itemised =
        facts_has(facts, FACT_OUTPUT_TEXT_TOKENS) || facts_has(facts, FACT_OUTPUT_IMAGE_TOKENS) ||
        facts_has(facts, FACT_OUTPUT_AUDIO_TOKENS) || facts_has(facts, FACT_REASONING_TOKENS);
    *in = (struct input_usage){
        .prompt = facts_int(facts, FACT_INPUT_TOKENS),
        .text = facts_int(facts, FACT_INPUT_TEXT_TOKENS),
        .image = facts_int(facts, FACT_INPUT_IMAGE_TOKENS),
    };
    reconcile(in);
    read_output(facts, out);
    if (!itemised) {
        *out = (struct output_usage){.completion = out->completion, .image = out->completion};
        return;
    }
    i128 text = facts_int(facts, FACT_OUTPUT_TEXT_TOKENS);
    i128 known = text + out->image + out->audio + out->reasoning;
    /* The unexplained rest is text; nested reasoning is then taken out of it as everywhere. */
    text += at_least_0(out->completion - known);
    i128 overlap = at_least_0(text + out->image + out->audio + out->reasoning - out->completion);
    text -= least(out->reasoning, least(text, overlap));
    out->text = text;
    out->video = 0;
}
