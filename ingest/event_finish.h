/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is the same for every format once the fields are read: totals made inclusive, parts kept
 * within their wholes, times completed, names and secrets brought into their form, the identity.
 */
#ifndef INGEST_EVENT_FINISH_H
#define INGEST_EVENT_FINISH_H

#include "ingest/field.h"

/* `kafka_time_us` 0: none. false: the record is to be rejected. */
bool event_finish(struct eval *eval, const struct mappings *set, const struct mapping *mapping,
                  int64_t kafka_time_us, struct event *event, struct fault *fault) MUST_CHECK;

#endif
