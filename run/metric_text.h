/* SPDX-License-Identifier: Apache-2.0 */
/* Text of a label of a metric, quoted as Prometheus reads it; control characters become blanks. */
#ifndef RUN_METRIC_TEXT_H
#define RUN_METRIC_TEXT_H

#include "core/buf.h"

/* name="text"; name with the comma before it where there is one. */
void metric_label_add(struct buf *page, const char *name, struct slice text);

#endif
