/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of facts.def and labels.def as tables that other files loop over, and a look-up by name.
 */
#include "core/event.h"

const struct fact_info fact_info[FACT_COUNT] = {
#define FACT(id, kind, store, name, doc) [FACT_##id] = {name, KIND_##kind, STORE_##store, doc},
#include "core/facts.def"
#undef FACT
};

const struct label_info label_info[LABEL_COUNT] = {
#define LABEL(id, kind, name, column, doc) [LABEL_##id] = {name, KIND_##kind, column, doc},
#include "core/labels.def"
#undef LABEL
};

/* Beside the names, so that a search does not measure each of them. */
static const unsigned char fact_name_bytes[FACT_COUNT] = {
#define FACT(id, kind, store, name, doc) [FACT_##id] = sizeof(name) - 1,
#include "core/facts.def"
#undef FACT
};

/* Linear: names are looked up when a mapping is compiled, never while messages are read; and for
 * the few members of a stored row's usage, where the length alone tells most names apart. */
enum fact fact_find(struct slice name)
{
    size_t i = 0;
    while (i < FACT_COUNT &&
           (fact_name_bytes[i] != name.bytes || memcmp(fact_info[i].name, name.p, name.bytes) != 0))
        i++;
    return (enum fact)i;
}

enum label label_find(struct slice name)
{
    size_t i = 0;
    while (i < LABEL_COUNT && !slice_is(name, label_info[i].name))
        i++;
    return (enum label)i;
}
