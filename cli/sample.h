/* SPDX-License-Identifier: Apache-2.0 */
/* What `check` shows of the topics: are they there, and what would become of a message of theirs.
 */
#ifndef CLI_SAMPLE_H
#define CLI_SAMPLE_H

#include "core/config.h"
#include "ingest/kafka.h"
#include "pricing/book.h"

struct sample {
    const struct config *config;
    struct consumer *consumer;
    const struct book *book;
    finding_fn *finding; /* a pattern that matches nothing, a message without a price */
    void (*line)(const char *text, void *context);
    void *context;
};

/* One line per topic of the configuration with its partitions, and one for its newest message:
 * read, mapped and priced, none of its words shown. ERR_CONFIG: a topic does not exist. */
bool sample_topics(const struct sample *sample, struct err *err) MUST_CHECK;

#endif
