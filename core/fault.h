/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crash points for the fault tests. SPENDLOG_FAULT="after_copy:3" makes the third passage of the
 * point "after_copy" in this process end it as kill -9 would: no flush, no handler. Without the
 * variable a point is one load and one branch.
 */
#ifndef CORE_FAULT_H
#define CORE_FAULT_H

void fault_init(void); /* reads the environment; once, before threads start */
void fault_point(const char *name);

#endif
