/* SPDX-License-Identifier: Apache-2.0 */
/* The page is made when the answer comes, and copied when somebody scrapes. */
#include "run/budgets.h"

#include "core/log.h"
#include "run/every.h"
#include "run/metric_text.h"
#include "store/budget.h"

#include <pthread.h>
#include <stdlib.h>

#define EVERY_MS 30000
#define PAGE_MAX_BYTES (1u << 20)
#define BUDGET_LINES_MAX 64 /* those used up most */

struct budgets {
    const char *conninfo;
    struct every *every;
    pthread_mutex_t lock;
    struct buf page; /* under the lock */
};

/* --- a page */

static const struct {
    const char *name, *help;
} figure[] = {
    {"spendlog_budget_usd", "what may be spent in the period of now, the 64 budgets used up most"},
    {"spendlog_budget_spent_usd",
     "what was spent of it; none where calls of days that were dropped are missing"},
    {"spendlog_budget_forecast_usd", "what it is likely to be at the end of the period"},
};

#define FIGURES (sizeof(figure) / sizeof(figure[0]))

struct answer {
    struct buf lines[FIGURES];
    unsigned count, over;
};

static void budget_line(const struct budget *budget, void *context)
{
    struct answer *answer = context;
    const struct slice value[FIGURES] = {budget->amount, budget->spent, budget->forecast};
    answer->count++;
    answer->over += budget->over;
    for (size_t i = 0; i < FIGURES; i++) {
        struct buf *line = &answer->lines[i];
        if (i > 0 && budget->missing_calls > 0)
            continue; /* what is not known has no sample */
        buf_printf(line, "%s{", figure[i].name);
        metric_label_add(line, "scope", budget->scope);
        metric_label_add(line, ",id", budget->id);
        metric_label_add(line, ",period", budget->period);
        buf_printf(line, "} " SLICE_FMT "\n", SLICE_ARG(value[i]));
    }
}

static void answer_print(const struct answer *answer, struct buf *page)
{
    buf_reset(page);
    if (answer->count == 0)
        return;
    for (size_t i = 0; i < FIGURES; i++) {
        buf_printf(page, "# HELP %s %s\n# TYPE %s gauge\n", figure[i].name, figure[i].help,
                   figure[i].name);
        buf_add(page, buf_slice(&answer->lines[i]));
    }
    buf_printf(page,
               "# HELP spendlog_budgets_over of these, how many are used up\n"
               "# TYPE spendlog_budgets_over gauge\nspendlog_budgets_over %u\n",
               answer->over);
}

static void ask(void *context, const atomic_bool *stop)
{
    struct budgets *budgets = context;
    struct answer answer = {0};
    struct err err = {0};
    (void)stop; /* it takes milliseconds */
    for (size_t i = 0; i < FIGURES; i++)
        buf_init(&answer.lines[i], PAGE_MAX_BYTES);
    bool ok = budget_each(budgets->conninfo, BUDGET_LINES_MAX, budget_line, &answer, &err);
    if (!ok)
        log_debug("budgets: %s", err.text);
    pthread_mutex_lock(&budgets->lock);
    answer.count = ok ? answer.count : 0; /* an old figure is worse than none */
    answer_print(&answer, &budgets->page);
    pthread_mutex_unlock(&budgets->lock);
    for (size_t i = 0; i < FIGURES; i++)
        buf_free(&answer.lines[i]);
}

bool budgets_start(struct budgets **out, const char *conninfo, struct err *err)
{
    struct budgets *budgets = calloc(1, sizeof(*budgets));
    if (!budgets)
        return err_set(err, ERR_FATAL, "out of memory");
    budgets->conninfo = conninfo;
    buf_init(&budgets->page, PAGE_MAX_BYTES);
    pthread_mutex_init(&budgets->lock, NULL);
    *out = budgets;
    const struct every_job job = {"budgets", 0, EVERY_MS, ask, budgets};
    return every_start(&budgets->every, &job, err);
}

void budgets_stop(struct budgets *budgets)
{
    if (!budgets)
        return;
    every_stop(budgets->every);
    pthread_mutex_destroy(&budgets->lock);
    buf_free(&budgets->page);
    free(budgets);
}

void budgets_print(struct budgets *budgets, struct buf *page)
{
    if (!budgets)
        return;
    pthread_mutex_lock(&budgets->lock);
    buf_add(page, buf_slice(&budgets->page));
    pthread_mutex_unlock(&budgets->lock);
}
