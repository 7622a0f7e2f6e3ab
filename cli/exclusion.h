/* SPDX-License-Identifier: Apache-2.0 */
/* An entry that set a row aside or put it back, for people or as members of a JSON object. */
#ifndef CLI_EXCLUSION_H
#define CLI_EXCLUSION_H

#include "core/buf.h"
#include "store/exclude.h"

/* The members, without braces. */
void exclusion_add_json(struct buf *line, const struct exclusion *exclusion);
/* With a newline. */
void exclusion_add_text(struct buf *line, const struct exclusion *exclusion);

#endif
