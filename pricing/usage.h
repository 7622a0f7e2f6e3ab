/* SPDX-License-Identifier: Apache-2.0 */
/* Reading usage (docs/pricing.md section 6): from the facts' totals and parts to what is billed
 * apart. */
#ifndef PRICING_USAGE_H
#define PRICING_USAGE_H

#include "core/event.h"

struct input_usage {
    int64_t prompt;                    /* all input: what thresholds look at */
    int64_t text, audio, image, video; /* less what the cache covered */
    int64_t cached, cached_audio;
    int64_t written;
    bool has_split; /* the write is split by TTL; the split then replaces it */
    int64_t written_5m, written_1h;
    int64_t characters, images, queries;
    const struct decimal *video_seconds, *audio_seconds; /* NULL: none */
};

struct output_usage {
    int64_t completion;
    int64_t text, audio, reasoning, image, video;
};

struct usage {
    struct input_usage in;
    struct output_usage out;
};

void usage_read(const struct facts *facts, struct usage *usage);
/* Input as if nothing of it were itemised by kind but cache (dashscope, batches read it so). */
void usage_read_parts(const struct facts *facts, struct input_usage *in);
/* Output with nothing itemised: all of it is text. */
struct output_usage usage_plain_output(int64_t completion);
/* Image calls (8.3): text and image only, an output that is not itemised is all image. */
void usage_read_image(const struct facts *facts, struct usage *usage);

#endif
