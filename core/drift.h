/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drift: our price against the gateway's own, event by event, so that a price which went wrong is
 * an alarm and not a line in a view. One table for all lanes of a process, of bounded size; it is
 * locked only for an event that is apart.
 *
 * Two things are told. At once: a spend of 0, though no rule says that the call costs nothing and
 * the gateway says more. After `events` events of one provider, model and way of pricing (rule and
 * call type): prices that are further apart than the tolerance. A gateway's 0 says nothing: it is
 * what LiteLLM writes where it failed to price.
 */
#ifndef CORE_DRIFT_H
#define CORE_DRIFT_H

#include "core/charge.h"
#include "core/config.h"
#include "core/event.h"

enum drift_kind { DRIFT_NONE, DRIFT_APART, DRIFT_ZERO };

/* Of one event; `tolerance` in hundredths of a percent of the gateway's figure. */
enum drift_kind drift_of(const struct facts *facts, const struct charge *charge,
                         unsigned tolerance);

#define DRIFT_WAYS_MAX 1024 /* ways of pricing that are kept apart; further ones are one */

/* One way of pricing whose events are apart. Texts are cut to their room. */
struct drift_way {
    char provider[64], model[160], rule[160], call_type[48];
    uint64_t key;               /* 0: none */
    int64_t events, zeros;      /* apart, and those of them that are a silent 0 */
    struct money ours, gateway; /* sums; what does not fit is left out */
};

struct drift;

struct drift *drift_new(const struct config_drift *limits); /* NULL: out of memory */
void drift_free(struct drift *drift);

/* Whether an event is apart, and then what is to be noted of it: a way of one event. */
bool drift_judge(const struct drift *drift, const struct facts *facts, const struct charge *charge,
                 struct drift_way *one);
/* When its row is stored: a batch that is read again would count twice. */
void drift_note(struct drift *drift, const struct drift_way *one);
/* What was apart under the old prices is not an alarm under new ones. By drift_log()'s thread. */
void drift_forget(struct drift *drift);

int64_t drift_events(struct drift *drift); /* apart, since the start */
/* Each way that is an alarm, in no order; returns their number. `each` may be NULL. */
size_t drift_alarms(struct drift *drift, void (*each)(const struct drift_way *way, void *context),
                    void *context);
/* Logs the worst of them: at once when there are any, then once an hour. */
void drift_log(struct drift *drift, int64_t now_ms);

#endif
