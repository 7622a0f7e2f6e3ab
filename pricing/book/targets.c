/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing; the table is never more than half full. */
#include "pricing/book/targets.h"

#include "core/hash.h"

#include <stdlib.h>
#include <string.h>

struct targets {
    size_t slots, count;
    struct slot {
        const struct deployment *first; /* NULL: free */
        size_t group;
    } slot[];
};

struct targets *targets_new(size_t deployments)
{
    size_t slots = 2 * deployments + 1;
    struct targets *targets = calloc(1, sizeof(*targets) + slots * sizeof(targets->slot[0]));
    if (targets)
        targets->slots = slots;
    return targets;
}

void targets_free(struct targets *targets)
{
    free(targets);
}

static bool same_target(const struct deployment *a, const struct deployment *b)
{
    if (a->id[0] || b->id[0])
        return strcmp(a->id, b->id) == 0;
    return strcmp(a->model_name, b->model_name) == 0 && strcmp(a->model, b->model) == 0;
}

static uint64_t hash_of(const struct deployment *d)
{
    if (d->id[0])
        return hash_xxh64(slice_of(d->id));
    return hash_xxh64(slice_of(d->model_name)) * 31 + hash_xxh64(slice_of(d->model));
}

size_t targets_group(struct targets *targets, const struct deployment *deployment)
{
    size_t i = hash_of(deployment) % targets->slots;
    while (targets->slot[i].first && !same_target(targets->slot[i].first, deployment))
        i = (i + 1) % targets->slots;
    if (!targets->slot[i].first)
        targets->slot[i] = (struct slot){deployment, targets->count++};
    return targets->slot[i].group;
}
