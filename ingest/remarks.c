/* SPDX-License-Identifier: Apache-2.0 */
/* What `check` tells of mappings that compile: a status that is stated and passed over. */
#include "ingest/mapping.h"
#include "ingest/program.h"

#include <stdio.h>

#define TEXT_BYTES 256

struct remarks {
    const char *mapping;
    remark_fn *on_remark;
    void *context;
};

static void remark(const struct remarks *to, const char *text)
{
    char line[TEXT_BYTES];
    snprintf(line, sizeof line, "mapping %s: status: %s", to->mapping, text);
    to->on_remark(line, to->context);
}

/* A word that no gateway says stands for all that its writer did not think of. */
static bool takes_all(const struct pattern *pattern)
{
    struct slice out;
    bool gave_up = false;
    return pattern_match(pattern, SLICE("unheard of"), &out, &gave_up);
}

static void status_look(const struct remarks *to, const struct expr *expr)
{
    const struct filters *filters = expr->filters;
    bool fails = filters && filters->fallback && slice_is(*filters->fallback, "failure");
    if (filters && filters->match && !fails && !takes_all(filters->match))
        remark(to, "a text that `match` does not take counts as absent, which is a success");
    if (filters && filters->map_count > 0 && !filters->map_rest)
        remark(
            to,
            "a word that `map` does not name stays as it is, and is billed as a success: add '*'");
    for (size_t i = 0; expr->op == EXPR_FIRST && i < expr->arg_count; i++)
        status_look(to, expr->args[i]);
}

void mappings_remarks(const struct mappings *set, remark_fn *on_remark, void *context)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct mapping *mapping = set->list[i];
        const struct remarks to = {mapping->name, on_remark, context};
        for (size_t j = 0; j < mapping->field_count; j++)
            if (mapping->fields[j].id == FACT_STATUS)
                status_look(&to, mapping->fields[j].expr);
    }
}
