/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the books agree with the rows: nothing lost, nothing doubled. Reads one snapshot, so that
 * it may run beside live ingest; it scans all rows once.
 */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include "core/sum.h"

enum verify_kind {
    VERIFY_CONSERVATION, /* records are not rows + duplicates + rejected + skipped */
    VERIFY_ROWS,         /* another number of rows than was counted */
    VERIFY_DIGEST,       /* as many rows as were counted, but not the ones that were stored */
    VERIFY_OFFSETS,      /* a row from an offset that was not read */
    VERIFY_REJECTED,     /* another number of rejected events than was counted */
    VERIFY_CONFLICTS,    /* another number of conflicts than was counted */
    VERIFY_BATCHES,      /* batches of a group wrote another number of rows than was counted */
    VERIFY_BOOK,         /* rows whose price book is not stored */
    VERIFY_SUMS,         /* sums that are not what the rows come to */
    VERIFY_EXCLUDED,     /* entries of a row (spendlog exclude) that do not cancel it, or remain */
    VERIFY_CHARGE,       /* a stored charge that its own book gives differently (cli/rederive.h) */
    VERIFY_DUPLICATE,    /* a record counted as a duplicate of a row that is nowhere */
    VERIFY_DRIFT,        /* prices apart from the gateway's own (store/stored_drift.h) */
    VERIFY_GAP,          /* a recorded gap: told, but no difference */
    VERIFY_SETBACK,      /* the database went back, and reading with it: the same */
    VERIFY_HAND,         /* rows were changed by a statement that is not ours: the same */
    VERIFY_KINDS
};

extern const char *const verify_kind_name[VERIFY_KINDS];

struct verify_finding {
    enum verify_kind kind;
    bool difference;
    const char *place;       /* "group g, topic [3]" or "" */
    const char *text;        /* "1000 rows were counted, 999 are there" */
    int64_t expected, found; /* where the finding is about a number; else 0 */
};

struct verify_totals {
    int64_t partitions, messages, records, rows, duplicates, rejected, skipped, gaps, setbacks,
        hands;
    int64_t rows_stored, differences;
    struct sum spend; /* US dollars: of the rows; 0 when none has any */
};

typedef void verify_fn(const struct verify_finding *finding, void *context);

/* true: it could be checked; whether there were differences, say totals and the findings. */
bool verify_run(const char *conninfo, verify_fn *finding, void *context,
                struct verify_totals *totals, struct err *err) MUST_CHECK;

/* Every line of the sums (spend_sums) against the rows, in one snapshot; differences are added to
 * those of totals. Of days whose rows are gone: against what they held. */
bool verify_sums(const char *conninfo, verify_fn *finding, void *context,
                 struct verify_totals *totals, struct err *err) MUST_CHECK;

#endif
