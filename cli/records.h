/* SPDX-License-Identifier: Apache-2.0 */
/* From files to result lines: reads messages, maps them and prints one line per record. */
#ifndef CLI_RECORDS_H
#define CLI_RECORDS_H

#include "cli/input.h"
#include "cli/kcat.h"
#include "cli/result.h"
#include "core/sanity.h"
#include "pricing/book.h"

struct records {
    const struct mappings *mappings;
    char *const *files;
    int file_count;        /* 0: stdin */
    struct pricer *pricer; /* NULL: records are not priced */
    const struct sanity_limits *limits;
    /* Adds to `rest` what follows line and index in the record's line. `charge` is NULL unless the
     * record is an event and priced. */
    void (*print)(struct buf *rest, const struct record *record, const struct charge *charge,
                  struct mapper *mapper);
    bool rejected; /* out: at least one record was */
};

/* ERR_INPUT: a file cannot be read; ERR_FATAL: stdout cannot be written. */
bool records_run(struct records *records, struct err *err) MUST_CHECK;

/* What `run` makes of a record: an event that no call can be is rejected, as *shown. The charge may
 * be NULL; `why` holds the texts. */
void records_judge(const struct sanity_limits *limits, const struct record *record,
                   const struct charge *charge, struct record *shown, struct implausible *why);

/* The message of an input, as `run` would have it: a line of `kcat -J` is unwrapped, and what the
 * mapper needs of a schema registry is there. false: ERR_UNAVAILABLE, the registry is away. */
bool records_message(const struct input_message *input, struct kcat *kcat, struct mapper *mapper,
                     struct arena *arena, struct message *m, struct err *err) MUST_CHECK;

#endif
