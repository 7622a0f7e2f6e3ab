/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema's migrations: the files of migrations/, embedded, applied in order, each once and in a
 * transaction of its own, under the lock of their own table, recorded with the SHA-256 of their
 * text.
 */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "core/buf.h"
#include "core/err.h"

#include <stddef.h>

enum migration_state {
    MIGRATION_APPLIED,
    MIGRATION_PENDING,
    MIGRATION_MENDED,  /* applied from a text of ours that was mended since; counts as applied */
    MIGRATION_CHANGED, /* applied from another text than ours */
    MIGRATION_UNKNOWN, /* applied, but not among ours: the schema is newer */
};

struct migration_status {
    int version;
    const char *name; /* file name */
    enum migration_state state;
    const char *applied_at; /* "2026-07-15 08:00:00", UTC; "" when pending */
};

typedef void migration_fn(const struct migration_status *status, void *context);

/* Applies what is pending; `applied` (may be NULL) is called after each. ERR_CONFIG: an applied
 * file was changed, the schema is newer, or the user may not do it (the message says what he
 * needs). */
bool migrate_apply(const char *conninfo, migration_fn *applied, void *context,
                   struct err *err) MUST_CHECK;
bool migrate_status(const char *conninfo, migration_fn *status, void *context,
                    struct err *err) MUST_CHECK;

/* Number of the newest migration of this program. */
int migrate_newest(void);

/* What an administrator runs when the login may not create roles: all roles, what the login of the
 * connection string needs, and its rights in the database. SQL for psql; repeatable. */
bool migrate_roles(const char *conninfo, struct buf *sql, struct err *err) MUST_CHECK;

/* For store/: the schema is exactly the one this program was built for. ERR_CONFIG otherwise. */
struct pg;
struct pg_options;
bool migrate_check(struct pg *pg, struct err *err) MUST_CHECK;
/* pg_open(), then migrate_check(); closed again when that fails. */
bool migrate_open(struct pg *pg, const struct pg_options *options, struct err *err) MUST_CHECK;

#endif
