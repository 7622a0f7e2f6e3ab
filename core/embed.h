/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the project inside the binary, made by scripts/embed.sh at build time. */
#ifndef CORE_EMBED_H
#define CORE_EMBED_H

#include <stddef.h>

struct embedded {
    const char *name; /* file name without folder; NULL ends a table */
    const char *text; /* NUL-terminated */
    size_t bytes;     /* without the NUL */
};

extern const struct embedded embedded_mappings[];   /* ingest/mappings, in order */
extern const struct embedded embedded_migrations[]; /* migrations, in order */
extern const struct embedded embedded_citus[];      /* store/citus.sql */
extern const struct embedded embedded_cost_map[];   /* pricing/data: one file */
extern const struct embedded embedded_example[];    /* examples/spendlog.yaml */

#endif
