/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The regular expressions of a cost map's family rules (fallback_generalizations), which use
 * lookahead and so are beyond POSIX. Case is ignored, as LiteLLM 1.106.2 does.
 *
 * Understood: literals, ., \d \w \s and escaped punctuation, [classes], (?:groups), (groups), |,
 * ? * + {n} {n,m}, ^, $, (?=...) and (?!...).
 */
#ifndef PRICING_MAP_FAMILY_H
#define PRICING_MAP_FAMILY_H

#include "core/slice.h"

struct family {
    struct slice pattern;
    struct slice literal; /* every match has it, in some case; empty when none is known */
    bool anchored;        /* matches at the start of a name only */
};

#define FAMILY_STEPS_MAX 100000

/* False when the pattern is not understood: it is then not a rule. `pattern` must outlive `out`. */
bool family_compile(struct slice pattern, struct family *out);
/* Whether it matches anywhere in `text`. Bounded: gives up (no match) after FAMILY_STEPS_MAX. */
bool family_matches(const struct family *family, struct slice text);

#endif
