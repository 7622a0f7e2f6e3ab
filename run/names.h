/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has the names of days that are over made, by which one call is found. Of several members one is
 * at it at a time.
 */
#ifndef RUN_NAMES_H
#define RUN_NAMES_H

#include "core/err.h"

struct names;

/* conninfo is borrowed. ERR_FATAL: no memory, no thread; *names is to be stopped all the same. */
bool names_start(struct names **names, const char *conninfo, struct err *err) MUST_CHECK;
/* Waits for a step that is under way. */
void names_stop(struct names *names);

#endif
