/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A schema registry (Confluent's REST interface, as Karapace and Apicurio have it too): what the
 * ids in front of messages stand for. Schemas never change, so each is asked for once and kept; all
 * lanes share them. Away is not unknown: an id that could not be asked for is ERR_UNAVAILABLE, and
 * the caller pauses; one that the registry does not know is known to be absent, for a while.
 *
 *     if (registry_frame(value, &id) && !registry_load(registry, id, &err)) pause
 *     mapper_read(...)        finds it by registry_find()
 */
#ifndef INGEST_REGISTRY_H
#define INGEST_REGISTRY_H

#include "core/config.h"
#include "ingest/schema.h"

#include <stdatomic.h>

struct registry;

struct registry_options {
    const char *url;
    const char *credentials; /* user:password, or NULL */
    const char *ca;          /* file of certificates, or NULL: the system's */
};

/* ERR_CONFIG: the URL is not one of HTTP. */
struct registry *registry_new(const struct registry_options *options, struct err *err);
void registry_free(struct registry *registry);

/* The registry of a configuration; NULL when it has none. false: ERR_CONFIG. */
bool registry_open(const struct config *config, struct registry **registry,
                   struct err *err) MUST_CHECK;
/* A request under way is given up when this is set. */
void registry_stop_on(struct registry *registry, const atomic_bool *stop);

/* Whether a message is framed and not JSON: the id of its schema. */
bool registry_frame(struct slice message, uint32_t *id);

/* Sees to it that registry_find() finds the schema; asks the registry when it must, for at most
 * three seconds a request. NULL: there is no registry, and nothing to see to. ERR_UNAVAILABLE. */
bool registry_load(struct registry *registry, uint32_t id, struct err *err) MUST_CHECK;

/* Lives as long as the registry; NULL: not loaded, or the registry does not know it. */
const struct schema *registry_find(struct registry *registry, uint32_t id);

#endif
