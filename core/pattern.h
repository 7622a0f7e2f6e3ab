/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions: of mappings, and of a cost map's families. Matching allocates nothing, takes
 * slices, and is bounded: a pattern that would run away does not match, and says so.
 *
 * Understood: literals, ., \d \w \s, escaped punctuation, [classes], (groups), (?:groups), |, ^, $,
 * and behind a piece * + ? {n} {n,} {n,m}. Of several alternatives the first that leads to a match
 * wins, as in Python and unlike POSIX. Bytes, not characters: beyond ASCII a class or a dot matches
 * single bytes. What else there is depends on the syntax.
 */
#ifndef CORE_PATTERN_H
#define CORE_PATTERN_H

#include "core/arena.h"
#include "core/err.h"

enum pattern_syntax {
    PATTERN_POSIX, /* extended, without back references: [:names:] in classes, group 1 is kept, and
                      {n,m} stands behind single characters only */
    PATTERN_PYTHON /* re.search with IGNORECASE: any case, (?=...) and (?!...); no group is kept */
};

struct pattern;

/* ERR_CONFIG with what is wrong and where in the pattern, without place in a file. */
const struct pattern *pattern_compile(struct slice text, enum pattern_syntax syntax,
                                      struct arena *arena, struct err *err);

/* Searches; `out` is group 1 where one is kept, else the whole match. A match in which group 1
 * takes no part counts as none. `*gave_up` is set where no match means that it ran away. */
bool pattern_match(const struct pattern *pattern, struct slice text, struct slice *out,
                   bool *gave_up);

#endif
