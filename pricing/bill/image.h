/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The formulas of images (docs/pricing.md 8.3), one per provider that has its own, and what they
 * share. A name in a buffer of NAME_MAX_BYTES is NUL-terminated.
 */
#ifndef PRICING_BILL_IMAGE_H
#define PRICING_BILL_IMAGE_H

#include "pricing/bill/call.h"

#define NAME_MAX_BYTES 640
#define DEFAULT_SIZE "1024-x-1024"

enum outcome image_keyed(struct call *call);
enum outcome image_flat(struct call *call);
enum outcome image_google(struct call *call);
enum outcome image_openai(struct call *call);
enum outcome image_azure_ai(struct call *call);
enum outcome image_bedrock(struct call *call);
enum outcome image_xai(struct call *call);
enum outcome image_dashscope(struct call *call);
enum outcome image_tencent(struct call *call);
enum outcome image_fal(struct call *call);

/* ---- what the call asked for -------------------------------------------------------------------
 */

struct slice image_first_text(const struct facts *facts, enum fact first, enum fact second);
int64_t images_made(const struct call *call);
/* The size of the answer; a requested one only if it is a size; else the default. */
void image_size(const struct call *call, char out[NAME_MAX_BYTES]);
/* "640x480", "640*480" and "640-x-480" to "640-x-480"; other texts as they are. */
void image_dashed_size(struct slice size, char out[NAME_MAX_BYTES]);
bool image_pixels(const char *size, int64_t *pixels, int64_t *width, int64_t *height);

/* ---- rules -------------------------------------------------------------------------------------
 */

/* The map's entry of the candidate with the deployment's prices over it. */
const struct rule *image_rule(const struct call *call);
/* What the deployment itself sets, or NULL. */
const struct rule *image_own_table(const struct call *call);
/* The map's entry of exactly that name. */
const struct rule *image_raw_rule(const struct call *call, const char *name);
const struct rule *image_keyed_rule(const struct call *call, const char *name, const char *size,
                                    struct slice quality);
const struct rate *plain_rate(const struct rule *rule, enum rate_kind kind);

/* ---- billing -----------------------------------------------------------------------------------
 */

/* false: the answer has no usage, or the entry no token rate. */
bool image_bill_tokens(struct call *call, const struct rule *rule);
void image_bill_each(struct call *call, const struct rule *rule);
/* The first price there is: per image in, per image out, per pixel. */
bool image_bill_table(struct call *call, const struct rule *rule, int64_t pixels, int64_t count);
/* By the key made of quality, size and name. */
enum outcome image_bill_keyed(struct call *call, const char *name, const char *size);

#endif
