/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The regular expressions of a cost map's family rules (fallback_generalizations), which use
 * lookahead and so are beyond POSIX. Case is ignored, as LiteLLM 1.106.2 does.
 *
 * Understood: literals, ., \d \w \s and escaped punctuation, [classes], (?:groups), (groups), |,
 * ? * + {n} {n,m}, ^, $, (?=...) and (?!...).
 */
#ifndef PRICING_FAMILY_H
#define PRICING_FAMILY_H

#include "core/slice.h"

/* Whether it is understood at all; a pattern that is not never matches. */
bool family_pattern_valid(struct slice pattern);
/* Whether it matches anywhere in `text`. Bounded: gives up (no match) after FAMILY_STEPS_MAX. */
bool family_pattern_search(struct slice pattern, struct slice text);

#define FAMILY_STEPS_MAX 100000

#endif
