/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stored row back to facts, exactly as the mapping made them: price(event) = price(stored row).
 * Reads binary results only. Internal to store/.
 */
#ifndef STORE_ROW_READ_H
#define STORE_ROW_READ_H

#include "core/arena.h"
#include "core/event.h"
#include "store/pg.h"

/* One field of a row, as COPY and binary results have it. */
struct row_field {
    const char *p;
    int bytes; /* -1 = NULL */
};

/* Appends the SELECT list that row_facts() reads, "provider, model, ..., usage"; returns how many.
 */
int row_facts_columns(struct buf *sql);

/* Texts point into the fields or into `call`.
 * ERR_INPUT: not something row_encode() wrote. */
bool row_facts(const struct row_field *field, struct arena *call, struct facts *facts,
               struct err *err) MUST_CHECK;

/* And the members of usage that its dictionary has; NULL: none. */
bool row_usage_add(const struct row_field *usage, struct arena *call, struct facts *facts,
                   struct err *err) MUST_CHECK;

/* The same from columns `first`... of a row of a result; texts live as long as the result. */
bool row_facts_of_result(const PGresult *res, int row, int first, struct arena *call,
                         struct facts *facts, struct err *err) MUST_CHECK;

#endif
