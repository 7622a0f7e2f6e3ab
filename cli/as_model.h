/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of one model priced as if another had answered: `reprice --dry-run --as-model A=B`. What was
 * used stays as the event says; what belongs to the model that did answer (its deployment, the
 * costs that were stated for it; at another provider also its tiers and places) is left out.
 */
#ifndef CLI_AS_MODEL_H
#define CLI_AS_MODEL_H

#include "cli/command.h"

struct as_model {
    struct slice from;            /* model, or provider/model */
    struct slice provider, model; /* provider empty: that of the row */
    struct slice whole;           /* as it was written */
    int64_t rows;                 /* that were priced so */
};

struct as_models {
    size_t count;
    struct as_model item[OPTION_VALUES_MAX];
};

/* Texts of `list` are borrowed. ERR_USAGE: not MODEL=OTHER, or a MODEL twice. */
bool as_models_take(struct as_models *models, const struct option_list *list,
                    struct err *err) MUST_CHECK;

/* The first that fits the row decides; a row that none fits is priced as it is. */
void as_models_price(struct as_models *models, struct pricer *pricer, const struct facts *facts,
                     struct charge *charge);

/* Warns of each that fitted no row. */
void as_models_tell_unused(const struct as_models *models);

#endif
