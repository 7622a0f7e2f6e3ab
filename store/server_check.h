/* SPDX-License-Identifier: Apache-2.0 */
/* What `check` and `--version` ask of PostgreSQL: is it there, is its schema ours. */
#ifndef STORE_SERVER_CHECK_H
#define STORE_SERVER_CHECK_H

#include "core/err.h"

#include <stddef.h>

/* "15.3": the version of libpq. */
const char *server_client_version(void);

/* Whether libpq can read the connection string; nothing is opened. ERR_CONFIG. */
bool server_conninfo_check(const char *conninfo, struct err *err) MUST_CHECK;

#define SERVER_TEXT_BYTES 512

/* Connects and compares the schema's version. text: one line for people, without secrets.
 * ERR_UNAVAILABLE, ERR_CONFIG. */
bool server_check(const char *conninfo, char *text, size_t capacity, struct err *err) MUST_CHECK;

/* Whether the login may do all that a spendlog_writer may. text: one line for people. ERR_CONFIG
 * says what is missing and which GRANT gives it. */
bool server_check_rights(const char *conninfo, char *text, size_t capacity,
                         struct err *err) MUST_CHECK;

/* Groups whose members price with different books now. Calls back with one line for each. */
bool server_check_books(const char *conninfo, void (*each)(const char *text, void *context),
                        void *context, struct err *err) MUST_CHECK;

/* Where a process that keeps rows for so many days (0: for ever) differs from what the database
 * says, and its clock from the database's. Calls back with one line, or not at all. */
bool server_check_retention(const char *conninfo, unsigned retain_days,
                            void (*each)(const char *text, void *context), void *context,
                            struct err *err) MUST_CHECK;

#endif
