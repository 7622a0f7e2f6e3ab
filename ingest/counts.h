/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether cached and reasoning tokens stand inside the totals differs by who wrote the event, not
 * by its format. It is decided for each event, and the ground is kept (core/flags.h):
 *
 *   emitter   an entry of the mapping's `cache:` or `reasoning:` that names an emitter holds
 *   numbers   a part is above its whole, or the stated total tells
 *   declared  what the mapping says otherwise
 *
 * A part that does not fit into its whole is outside of it, whatever an emitter is known for, and
 * is never cut; `parts: keep` alone takes the emitter's word against the numbers.
 */
#ifndef INGEST_COUNTS_H
#define INGEST_COUNTS_H

#include "ingest/field.h"

/* Totals are made to contain their parts; `provider` and `model` are in their final form. false: a
 * sum exceeds a count, the record is to be rejected. */
bool counts_read(struct eval *eval, const struct mapping *mapping, struct event *event,
                 struct fault *fault) MUST_CHECK;

#endif
