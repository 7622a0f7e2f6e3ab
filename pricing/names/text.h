/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of names: cut, joined, compared. A slice that is returned is part of its argument, or lives
 * in the resolver's scratch arena until that is reset; without memory it is empty.
 */
#ifndef PRICING_NAMES_TEXT_H
#define PRICING_NAMES_TEXT_H

#include "pricing/names/names.h"

struct slice names_join(const struct resolver *r, struct slice a, const char *between,
                        struct slice b);
struct slice names_lower(const struct resolver *r, struct slice name);

bool names_contain(struct slice name, const char *part);
bool names_contain_folded(struct slice name, const char *part);
bool names_equal_folded(struct slice name, const char *lower);
struct slice names_without_prefix(struct slice name, const char *prefix);

/* Splits at the first '/': false when there is none, and `head` is the whole name. */
bool names_split(struct slice name, struct slice *head, struct slice *tail);
struct slice names_first_segment(struct slice name);
/* Whether the name is "provider/...". */
bool names_has_segment(struct slice name, struct slice provider);

bool names_all_digits(struct slice text);
/* Where the last `c` is; NULL when there is none. */
const char *names_find_last(struct slice name, char c);
/* Without "-<digits>" at the end. */
struct slice names_strip_digits(struct slice name);
/* Without "-YYYY-MM-DD" at the end, or the last three fields of a fine-tuned model. */
struct slice names_strip_version(struct slice name);

#endif
