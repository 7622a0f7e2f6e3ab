/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading rejected events again, with the mappings and prices of now. What can be read becomes rows
 * once, under the old offsets; the counts move in the same transaction.
 */
#ifndef RUN_RETRY_H
#define RUN_RETRY_H

#include "core/config.h"
#include "pricing/book.h"
#include "store/rejected.h"

struct retry_counts {
    long long tried, rows, skipped, still_rejected, without_payload, locked;
    char locked_why[160]; /* of the last one that no key opened */
    struct rejected_left left;
};

/* Only events of the configuration's group are read, whatever the filter says. */
bool retry_run(const struct config *config, const struct book *book,
               const struct rejected_filter *filter, struct retry_counts *counts,
               struct err *err) MUST_CHECK;

#endif
