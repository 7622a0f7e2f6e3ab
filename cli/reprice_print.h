/* SPDX-License-Identifier: Apache-2.0 */
/* The report of a reprice run, the same for a dry run and a real one: table, CSV or JSON. */
#ifndef CLI_REPRICE_PRINT_H
#define CLI_REPRICE_PRINT_H

#include "cli/as_model.h"

#include "store/reprice.h"

enum reprice_format { REPRICE_TABLE, REPRICE_CSV, REPRICE_JSON };

/* What a dry run was asked to suppose; by NULL: nothing. */
struct reprice_supposed {
    const char *by;
    const struct as_models *models;
};

void reprice_print(const struct reprice_report *report, const char *book_id,
                   const struct reprice_supposed *supposed, enum reprice_format format);

/* Progress on stderr: a bar on a terminal, else a line now and then; nothing when quiet. */
struct reprice_progress {
    bool quiet, terminal, drawn;
    int64_t started_ms, told_ms;
    int64_t considered_first; /* of a resumed run: what was there when it began */
};

void reprice_progress_start(struct reprice_progress *progress, bool quiet);
void reprice_progress_tell(struct reprice_progress *progress, const struct reprice_totals *totals,
                           int64_t expected);
void reprice_progress_end(struct reprice_progress *progress);

#endif
