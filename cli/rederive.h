/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deriving stored charges again, each with the book that its row names: what is stored must be what
 * comes out, to the last digit. Part of `spendlog verify`.
 */
#ifndef CLI_REDERIVE_H
#define CLI_REDERIVE_H

#include "core/config.h"

#include <stdint.h>

struct rederive {
    int64_t since_us, until_us; /* start times; INT64_MIN, INT64_MAX: open */
    /* Called per difference that is shown (the greatest ones), and once per book that cannot be
     * restored: no difference when other rules made it, for what came of them cannot be derived. */
    void (*finding)(const char *text, bool difference, void *context);
    void *context;
    /* out */
    int64_t checked, differing; /* charges; unreadable books are among the differing */
    int64_t skipped; /* rows of books that cannot be restored, rows that cannot be read */
};

/* false: it could not be done. Differences are counted, not an error. */
bool verify_rederive(const struct config *config, struct rederive *rederive,
                     struct err *err) MUST_CHECK;

#endif
