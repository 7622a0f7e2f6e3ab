/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no single call can be: bounds of one event, from the configuration, far below those of any
 * sum. An event beyond them is rejected as implausible, with its payload: a broken emitter harms
 * nobody's reports, and what was bounded too narrowly is read again with `spendlog rejected retry`.
 */
#ifndef CORE_SANITY_H
#define CORE_SANITY_H

#include "core/charge.h"
#include "core/event.h"

struct sanity_limits {
    int64_t tokens; /* the most of any one quantity: tokens, characters, seconds, images */
    int64_t cost;   /* US dollars: of the charge, and of any cost the event states */
};

struct implausible {
    const char *field; /* name of the fact; NULL: the charge */
    char detail[128];
};

/* The charge may be NULL. false: `why` says what is beyond its bound. */
bool sanity_holds(const struct sanity_limits *limits, const struct facts *facts,
                  const struct charge *charge, struct implausible *why);

#endif
