/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator does not want stored: keep, hash or drop, per label. */
#ifndef RUN_PRIVACY_H
#define RUN_PRIVACY_H

#include "core/config.h"
#include "core/event.h"

/* Hashes go to the batch arena; when it is full the label is dropped, never kept in clear. */
void privacy_apply(const struct config_privacy *policy, struct event *event, struct arena *batch);

#endif
