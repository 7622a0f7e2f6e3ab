/* SPDX-License-Identifier: Apache-2.0 */
/* The patterns of a cost map's family rules (fallback_generalizations): Python's, found anywhere in
 * a name in any case, as LiteLLM 1.106.2 does. */
#ifndef PRICING_MAP_FAMILY_H
#define PRICING_MAP_FAMILY_H

#include "core/pattern.h"

struct family {
    struct slice text; /* the pattern as it is written */
    const struct pattern *pattern;
};

/* False when the pattern is not understood: it is then not a rule. `text` must outlive `out`. */
bool family_compile(struct slice text, struct arena *book, struct family *out);
/* One that would run away does not match. */
bool family_matches(const struct family *family, struct slice name);

#endif
