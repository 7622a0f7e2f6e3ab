/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole Kafka record in a line, as `kcat -C -J` prints it: topic, partition, time, headers, key
 * and value. So what `run` would make of a real record can be tried: `kcat -C -J … | spendlog
 * price`.
 */
#ifndef CLI_KCAT_H
#define CLI_KCAT_H

#include "ingest/mapping.h"

struct kcat {
    struct header headers[HEADERS_MAX];
};

/* Fills *message from such a line, with memory of the arena; false: it is not such a line, and is
 * left alone.
 */
bool kcat_read(struct slice line, struct kcat *kcat, struct message *message,
               struct arena *batch) MUST_CHECK;

#endif
