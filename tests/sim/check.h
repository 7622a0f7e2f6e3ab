/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the database holds what it has to. It shares no code with the product: from what was
 * produced it knows the rows that must be, from the offset rows how far they must be there.
 */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include <stdbool.h>

struct tx;

void check_reset(void);
/* A transaction is committed, or a server comes back without it. */
void check_journal(const struct tx *tx, bool back);

/* After each commit: rows, sums and offsets agree; the rows that are new are those of their
 * records. */
void check_commit(void);
/* Of the first message of some log a part is stored. */
bool check_first_in_part(void);
/* All logs are read out. */
bool check_read_out(void);
/* When they are: nothing is missing, nothing is there twice, each difference is noted. */
void check_end(void);

#endif
