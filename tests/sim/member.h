/* SPDX-License-Identifier: Apache-2.0 */
/* Processes of the product: each a group of one lane, in a task of its own. */
#ifndef TESTS_SIM_MEMBER_H
#define TESTS_SIM_MEMBER_H

#include "tests/sim/sim.h"

#define MEMBERS_MAX 3

/* What all seeds share: mappings, prices. */
void members_open(void);

void members_start(unsigned count);
void members_free(void);
/* The member whose task runs; NULL: none. */
const void *member_self(void);
/* It was killed: nothing that it does has an effect any more. */
bool member_is_dead(const void *member);

/* It does not beat: dead, stopped or frozen. */
bool member_is_silent(const void *member);

void member_kill(unsigned number);
void member_stop(unsigned number); /* SIGTERM */
void member_freeze(unsigned number, int64_t ms);
void member_freeze_self(int64_t ms);
void members_reload(void);

/* Commands of operators' are processes, too: they are killed, frozen, short of memory. */
#define OPERATORS_MAX 2
/* In the task that runs: a command from its beginning to its end. */
void operator_process(unsigned number, void (*work)(void *), void *context);
void operator_starve(unsigned number, unsigned nth);
bool operator_is_self(void);
/* Of the one whose task runs: in the midst of whatever it does. */
void operator_kill_self(void);
/* Its n-th allocation from now on fails. */
void member_starve(unsigned number, unsigned nth);
/* Whether the allocation at hand fails. */
bool member_starves(void);
/* The product aborts: if it wants for memory its process ends, and this does not return. */
void member_abort(void);
/* All are to run, and nobody is stopped any more. */
void members_revive(void);
/* Why a member ended that was not told to; NULL: none did. */
const char *members_ended(void);

/* What a command of an operator's reads: as members do, figures beyond their limit too, or nothing
 * of a message. */
enum operator_wants { OPERATOR_SAME, OPERATOR_BELIEVES, OPERATOR_SKIPS, OPERATOR_KINDS };
struct config;
void operator_config(struct config *config, enum operator_wants wants);

struct book;
const struct book *book_of(unsigned book);
/* Hash of the price book of a number, and what it asks for a token, in 10^-18 dollars. */
unsigned books_count(void);
const char *book_hash(unsigned book);
__int128 book_price(unsigned book);

#endif
