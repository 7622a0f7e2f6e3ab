/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connection strings, and what to say about them. libpq's own messages quote what they could not
 * read, which may be a piece of a password: they are never passed on. Ours name the kind of mistake
 * and quote nothing. Internal to store/.
 */
#ifndef STORE_CONNINFO_H
#define STORE_CONNINFO_H

#include "core/err.h"

#include <stddef.h>

/* ERR_CONFIG: it cannot be read, or was read otherwise than it was meant: a password that was not
 * encoded in a URI becomes host, port and database. */
bool conninfo_check(const char *conninfo, struct err *err) MUST_CHECK;

/* What a message of libpq about a connection without an SQLSTATE means, in our words. */
const char *conninfo_trouble(const char *message);

#endif
