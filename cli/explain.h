/* SPDX-License-Identifier: Apache-2.0 */
/* The derivation of a charge, for people or as JSON; from an event or from a stored row. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "core/config.h"
#include "ingest/mapping.h"
#include "pricing/book.h"

struct explain {
    struct pricer *pricer;
    bool json;
};

void explain_event(struct explain *explain, const struct event *event);
/* The JSON object of an event, without a newline. */
void explain_event_json(struct explain *explain, const struct event *event, struct buf *line);
void explain_no_event(struct explain *explain, const struct record *record);

/* From the database alone: the row, its price book as of then, the derivation, the adjustments
 * since. Exit code. */
int explain_stored(const struct config *config, const char *request_id, bool json, struct err *err);

#endif
