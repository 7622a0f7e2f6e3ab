/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An allocation that failed while an event was read, priced or encoded leaves something out: a name
 * that is not found, a record that is "too large". Who allocates notes it here, who writes asks
 * before it writes. A ceiling that is reached is not a shortage: it is the same for the same event.
 */
#ifndef CORE_SHORTAGE_H
#define CORE_SHORTAGE_H

#include "core/err.h"

void shortage_note(void);
/* Whether an allocation of this thread has failed since this was asked last: then an ERR_FATAL. */
bool shortage_was(struct err *err);

#endif
