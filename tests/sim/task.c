/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coroutines: begun by ucontext, switched by setjmp, which asks the kernel nothing; time passes
 * when none of them can run.
 */
#undef _FORTIFY_SOURCE /* its longjmp does not know of other stacks */
#include "tests/sim/task.h"

#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK_BYTES (1u << 20)

struct task {
    const char *name;
    task_fn *run;
    void *context;
    ucontext_t beginning;
    jmp_buf place;
    void *stack; /* kept from seed to seed */
    int64_t wake_ms, frozen_ms;
    bool used, done, waiting, begun;
};

static struct task tasks[TASKS_MAX];
static struct task *current;
static ucontext_t unused;
static jmp_buf scheduler;

static void enter(void)
{
    current->run(current->context);
    current->done = true;
    _longjmp(scheduler, 1);
}

static void go_on(struct task *task)
{
    if (_setjmp(scheduler) != 0)
        return;
    if (task->begun)
        _longjmp(task->place, 1);
    task->begun = true;
    swapcontext(&unused, &task->beginning);
}

static struct task *free_task(void)
{
    for (size_t i = 0; i < TASKS_MAX; i++)
        if (!tasks[i].used)
            return &tasks[i];
    abort();
}

static void *stack_of(const struct task *task)
{
    void *stack = task->stack ? task->stack
                              : mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED)
        abort();
    return stack;
}

static void beginning_make(struct task *task)
{
    getcontext(&task->beginning);
    task->beginning.uc_stack.ss_sp = task->stack;
    task->beginning.uc_stack.ss_size = STACK_BYTES;
    makecontext(&task->beginning, enter, 0);
}

struct task *task_start(const char *name, task_fn *run, void *context)
{
    struct task *task = free_task();
    *task = (struct task){.name = name, .run = run, .context = context, .stack = stack_of(task)};
    task->used = true;
    task->wake_ms = sim.now_ms;
    beginning_make(task);
    return task;
}

struct task *task_self(void)
{
    return current;
}

const char *task_name(const struct task *task)
{
    return task ? task->name : "-";
}

static void leave(int64_t wake_ms, bool waiting)
{
    struct task *self = current;
    if (!self) /* of the scheduler itself: nobody else runs meanwhile */
        return;
    self->wake_ms = wake_ms;
    self->waiting = waiting;
    if (_setjmp(self->place) == 0)
        _longjmp(scheduler, 1);
}

void task_yield(void)
{
    leave(sim.now_ms, false);
}

void task_sleep(int64_t ms)
{
    leave(sim.now_ms + ms, false);
}

void task_await(int64_t until_ms)
{
    leave(until_ms, true);
}

void task_wake_waiting(void)
{
    for (size_t i = 0; i < TASKS_MAX; i++)
        if (tasks[i].waiting)
            tasks[i].wake_ms = sim.now_ms;
}

void task_freeze(struct task *task, int64_t until_ms)
{
    task->frozen_ms = until_ms;
}

bool task_is_frozen(const struct task *task)
{
    return task->frozen_ms > sim.now_ms;
}

static int64_t ready_ms(const struct task *task)
{
    return task->wake_ms > task->frozen_ms ? task->wake_ms : task->frozen_ms;
}

/* Those that can run now; when nobody can, time passes until somebody can. */
static unsigned able_find(struct task *able[TASKS_MAX])
{
    unsigned count = 0;
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < TASKS_MAX; i++) {
        if (!tasks[i].used || tasks[i].done)
            continue;
        int64_t ready = ready_ms(&tasks[i]);
        if (ready > sim.now_ms && ready > next)
            continue;
        if (next > sim.now_ms && ready < next) /* sooner than those that were found */
            count = 0;
        next = ready < next ? ready : next;
        able[count++] = &tasks[i];
    }
    if (count && next > sim.now_ms)
        sim.now_ms = next;
    return count;
}

bool task_step(void)
{
    struct task *able[TASKS_MAX];
    unsigned count = able_find(able);
    if (!count)
        return false;
    current = able[sim_below(count)];
    go_on(current);
    if (current->done)
        current->used = false;
    current = NULL;
    return true;
}

void tasks_reset(void)
{
    for (size_t i = 0; i < TASKS_MAX; i++)
        tasks[i].used = false;
}
