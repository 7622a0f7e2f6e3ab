/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets are named in a configuration, not written there:
 *
 *     os.environ/NAME  the environment variable; when unset, the file $CREDENTIALS_DIRECTORY/NAME
 *                      (systemd's LoadCredential=)
 *     file:/path       the file's content, without a newline at its end; when there is a credential
 *                      of the file's name, that
 *     anything else    itself
 *
 * Errors name the reference, never the value.
 */
#ifndef CORE_SECRET_H
#define CORE_SECRET_H

#include "core/arena.h"
#include "core/err.h"

/* Whether the value of a librdkafka property is a secret, by its name. */
bool secret_property(const char *name);

bool secret_is_reference(const char *text);

/* The value, in the arena; NULL on failure. A relative path starts at `folder`. ERR_CONFIG. */
const char *secret_resolve(const char *text, const char *folder, struct arena *process,
                           struct err *err);

#endif
