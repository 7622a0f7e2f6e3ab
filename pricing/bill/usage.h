/* SPDX-License-Identifier: Apache-2.0 */
/* Reading usage (docs/pricing.md section 6): from the facts' totals and parts to what is billed
 * apart. */
#ifndef PRICING_BILL_USAGE_H
#define PRICING_BILL_USAGE_H

#include "core/event.h"

struct input_usage {
    i128 prompt;                    /* all input: what thresholds look at */
    i128 text, audio, image, video; /* less what the cache covered */
    i128 cached, cached_audio, cached_image;
    i128 written;
    bool has_split;     /* the write is split by lifetime */
    i128 written_short; /* 5 and 30 minutes, and what no lifetime covers */
    i128 written_1h, written_12h;
    i128 characters, images, queries;
    const struct decimal *video_seconds, *audio_seconds; /* NULL: none */
};

struct output_usage {
    i128 completion;
    i128 text, audio, reasoning, image, video;
};

struct usage {
    struct input_usage in;
    struct output_usage out;
};

void usage_read(const struct facts *facts, struct usage *usage);
/* Input as if nothing of it were itemised by kind but cache (dashscope, batches read it so). */
void usage_read_parts(const struct facts *facts, struct input_usage *in);
/* Output with nothing itemised: all of it is text. */
struct output_usage usage_plain_output(i128 completion);
/* Image calls (8.3): text and image only, an output that is not itemised is all image. */
void usage_read_image(const struct facts *facts, struct usage *usage);

#endif
