/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words for statuses, reasons, units and rate sources, expanded from units.def and reasons.def.
 */
#include "core/charge.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const struct unit_info unit_info[UNIT_COUNT] = {
#define UNIT(id, side, code, name) [UNIT_##id] = {name, SIDE_##side, code},
#include "core/units.def"
#undef UNIT
};

const struct reason_info reason_info[REASON_COUNT] = {
    [REASON_NONE] = {NULL, ""},
#define REASON(id, name, doc) [REASON_##id] = {name, doc},
#include "core/reasons.def"
#undef REASON
};

const char *const charge_status_name[CHARGE_STATUS_COUNT] = {
    [CHARGE_PRICED] = "priced",
    [CHARGE_FREE] = "free",
    [CHARGE_REPORTED] = "reported",
    [CHARGE_UNPRICED] = "unpriced",
};

bool unit_is_tokens(enum unit unit)
{
    static const char end[] = "_tokens";
    const char *name = unit_info[unit].name;
    size_t bytes = strlen(name);
    return bytes >= sizeof(end) && strcmp(name + bytes - (sizeof(end) - 1), end) == 0;
}

size_t rate_source_format(const struct rate_source *source, char *text, size_t capacity)
{
    assert(capacity > 0);
    int n;
    if (!source->file)
        n = snprintf(text, capacity, "cost_map:%s#%s", source->entry, source->key);
    else if (source->line == 0)
        n = snprintf(text, capacity, "%s#%s.%s", source->file, source->entry, source->key);
    else
        n = snprintf(text, capacity, "%s:%u#%s.%s", source->file, source->line, source->entry,
                     source->key);
    if (n < 0)
        n = 0;
    return (size_t)n < capacity ? (size_t)n : capacity - 1;
}
