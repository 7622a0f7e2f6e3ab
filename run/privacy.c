/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A label that is to be hidden is replaced by its SHA-256 or dropped, in the event, before anything
 * is encoded from it.
 */
#include "run/privacy.h"

#include "core/hash.h"

static void label_apply(enum privacy_policy policy, struct event *event, enum label label,
                        struct arena *batch)
{
    if (policy == PRIVACY_KEEP || !labels_has(&event->labels, label))
        return;
    char *hex = policy == PRIVACY_HASH ? arena_alloc(batch, SHA256_HEX_BYTES) : NULL;
    if (!hex) {
        event->labels.present &= ~(UINT64_C(1) << label);
        return;
    }
    hash_sha256_hex(event->labels.v[label].s, hex);
    event->labels.v[label].s = (struct slice){hex, SHA256_HEX_BYTES - 1};
}

void privacy_apply(const struct config_privacy *policy, struct event *event, struct arena *batch)
{
    label_apply(policy->end_user, event, LABEL_END_USER, batch);
    label_apply(policy->ip, event, LABEL_IP, batch);
}
