/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns of mappings: POSIX extended regular expressions without back references, plus (?:...)
 * and \d \w \s. Matching allocates nothing, takes slices, and is bounded: a pattern that would run
 * away does not match, and says so. Unlike POSIX, of several alternatives the first that leads to a
 * match wins. Bytes, not characters: beyond ASCII a class or a dot matches single bytes.
 */
#ifndef INGEST_PATTERN_H
#define INGEST_PATTERN_H

#include "core/arena.h"
#include "core/err.h"

struct pattern;

/* ERR_CONFIG with what is wrong and where in the pattern, without place in a file. */
const struct pattern *pattern_compile(struct slice text, struct arena *process, struct err *err);

/* Searches; `out` is group 1 where the pattern has a group, else the whole match. A match in which
 * group 1 takes no part counts as none. `*gave_up` is set where no match means that it ran away. */
bool pattern_match(const struct pattern *pattern, struct slice text, struct slice *out,
                   bool *gave_up);

#endif
