/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule of families asks of a pattern is a verdict alone. */
#include "pricing/map/family.h"

bool family_compile(struct slice text, struct arena *book, struct family *out)
{
    struct err err = {0};
    *out = (struct family){text, pattern_compile(text, PATTERN_PYTHON, book, &err)};
    return out->pattern != NULL;
}

bool family_matches(const struct family *family, struct slice name)
{
    struct slice where;
    bool gave_up = false;
    return pattern_match(family->pattern, name.p ? name : SLICE(""), &where, &gave_up);
}
