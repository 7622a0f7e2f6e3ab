/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cost maps with a date that `spendlog prices import` keeps in the folder pricing.imported: one
 * file each, named by the time from which it holds. They come to those of pricing.cost_map; of two
 * of the same time the imported one holds.
 */
#ifndef CLI_IMPORTS_H
#define CLI_IMPORTS_H

#include "core/config.h"

struct imports {
    struct cost_map_source *source; /* ascending in time; NULL: only what the configuration says */
    size_t count;
    struct arena arena;
};

/* What the configuration and the folder say together, as the folder is now. ERR_CONFIG. */
bool imports_read(struct imports *imports, const struct config *config, struct err *err) MUST_CHECK;
void imports_free(struct imports *imports);

/* Keeps a copy of the file, which must load as a cost map: whole or not at all. *path: where, in
 * the arena of `imports`. */
bool imports_add(struct imports *imports, const struct config *config, const char *file,
                 int64_t from_us, const char **path, struct err *err) MUST_CHECK;

#endif
