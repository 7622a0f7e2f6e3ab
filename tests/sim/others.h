/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of operators on the same database, while members write to it. */
#ifndef TESTS_SIM_OTHERS_H
#define TESTS_SIM_OTHERS_H

#include "tests/sim/db.h"

/* In the task of the faults. */
void others_turn(void);
/* retry.c: a task of its own. */
void operator_main(void *context);
/* reprice.c: the same, for each operator; the context is its number. */
void repricer_main(void *context);
/* When faults have stopped: no run is left that did not end. */
bool repricers_are_done(void);
void repricers_reset(void);
/* A day with all its rows, by retention or by hand; NULL: somebody is at it, or there is none. */
const struct row *others_drop_a_day(struct tx *tx);

#endif
