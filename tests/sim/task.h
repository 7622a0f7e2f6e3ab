/* SPDX-License-Identifier: Apache-2.0 */
/* Coroutines that take turns in made-up time. Who runs is drawn among those that could. */
#ifndef TESTS_SIM_TASK_H
#define TESTS_SIM_TASK_H

#include "tests/sim/sim.h"

#define TASKS_MAX 16

struct task;
typedef void task_fn(void *context);

struct task *task_start(const char *name, task_fn *run, void *context);
struct task *task_self(void); /* NULL: the scheduler */
const char *task_name(const struct task *task);
void task_yield(void);
void task_sleep(int64_t ms);
/* Until somebody wakes all that wait, or until then. */
void task_await(int64_t until_ms);
void task_wake_waiting(void);
void task_freeze(struct task *task, int64_t until_ms);
bool task_is_frozen(const struct task *task);

/* One turn of one task; false: there is none left. */
bool task_step(void);
void tasks_reset(void);

#endif
