/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded files beside the rows of schema_migrations: a recorded file whose text is another
 * one, or that we do not have, is an error; those that are missing are applied in order.
 */
#include "store/migrate.h"

#include "core/embed.h"
#include "core/hash.h"
#include "core/must.h"
#include "store/citus.h"
#include "store/lock_holder.h"
#include "store/pg.h"

#include <stdlib.h>

#define LOCK_TIMEOUT_MS 10000

struct applied {
    int version;
    char name[128];
    char sha256[SHA256_HEX_BYTES];
    char at[32];
};

struct history {
    struct applied *item; /* by version */
    int count;
};

static int version_of(const char *name)
{
    return (int)strtol(name, NULL, 10); /* 0001_roles_and_schema.sql */
}

static void sha256_of(const struct embedded *file, char hex[SHA256_HEX_BYTES])
{
    hash_sha256_hex((struct slice){file->text, file->bytes}, hex);
}

/* --- history -------------------------------------------------------------------------------- */

static bool schema_exists(struct pg *pg, bool *exists, struct err *err)
{
    PGresult *res =
        pg_query(pg, "SELECT to_regclass('spendlog.schema_migrations') IS NOT NULL", NULL, err);
    if (!res)
        return false;
    *exists = pg_int(res, 0, 0) != 0;
    PQclear(res);
    return true;
}

static void text_of(const PGresult *res, int row, int column, char *to, size_t capacity)
{
    snprintf(to, capacity, SLICE_FMT, SLICE_ARG(pg_text(res, row, column)));
}

static bool history_read(struct pg *pg, struct history *history, struct err *err)
{
    bool exists;
    history->item = NULL;
    history->count = 0;
    if (!schema_exists(pg, &exists, err))
        return false;
    if (!exists)
        return true;
    PGresult *res = pg_query(pg,
                             "SELECT version, name, sha256,"
                             " to_char(applied_at, 'YYYY-MM-DD HH24:MI:SS')"
                             " FROM spendlog.schema_migrations ORDER BY version",
                             NULL, err);
    if (!res)
        return false;
    history->count = PQntuples(res);
    history->item = calloc((size_t)history->count + 1, sizeof(*history->item));
    if (!history->item) {
        PQclear(res);
        return err_set(err, ERR_FATAL, "out of memory");
    }
    for (int i = 0; i < history->count; i++) {
        struct applied *a = &history->item[i];
        a->version = (int)pg_int(res, i, 0);
        text_of(res, i, 1, a->name, sizeof(a->name));
        text_of(res, i, 2, a->sha256, sizeof(a->sha256));
        text_of(res, i, 3, a->at, sizeof(a->at));
    }
    PQclear(res);
    return true;
}

static const struct applied *history_find(const struct history *history, int version)
{
    for (int i = 0; i < history->count; i++)
        if (history->item[i].version == version)
            return &history->item[i];
    return NULL;
}

/* Texts that were applied before they were mended, by others than those who have them: what they
 * made is the same schema. */
static const struct mended {
    int version;
    const char *sha256;
} mended[] = {
    /* asked for membership alone, which since PostgreSQL 16 does not let one act as the role */
    {1, "2797af7dd4352e8b4b1072cd228b34fa5dd6df893640039de17a4a69b3e777d6"},
};

static bool is_mended(const struct applied *applied)
{
    for (size_t i = 0; i < sizeof(mended) / sizeof(mended[0]); i++)
        if (mended[i].version == applied->version && strcmp(mended[i].sha256, applied->sha256) == 0)
            return true;
    return false;
}

static enum migration_state state_of(const struct history *history, const struct embedded *file)
{
    char sha256[SHA256_HEX_BYTES];
    const struct applied *applied = history_find(history, version_of(file->name));
    if (!applied)
        return MIGRATION_PENDING;
    sha256_of(file, sha256);
    if (strcmp(sha256, applied->sha256) == 0)
        return MIGRATION_APPLIED;
    return is_mended(applied) ? MIGRATION_MENDED : MIGRATION_CHANGED;
}

static bool is_ours(int version)
{
    for (const struct embedded *file = embedded_migrations; file->name; file++)
        if (version_of(file->name) == version)
            return true;
    return false;
}

/* Nothing was applied that is not ours, word for word. */
static bool history_agrees(const struct pg *pg, const struct history *history, struct err *err)
{
    for (int i = 0; i < history->count; i++)
        if (!is_ours(history->item[i].version))
            return err_set(err, ERR_CONFIG,
                           "%s: the schema is newer than this program: %s was applied", pg->place,
                           history->item[i].name);
    for (const struct embedded *file = embedded_migrations; file->name; file++)
        if (state_of(history, file) == MIGRATION_CHANGED)
            return err_set(err, ERR_CONFIG,
                           "%s: migration %s was applied with another content than this program's",
                           pg->place, file->name);
    return true;
}

/* --- apply ---------------------------------------------------------------------------------- */

static bool record(struct pg *pg, const struct embedded *file, struct err *err)
{
    char sha256[SHA256_HEX_BYTES];
    struct pg_args args;
    MUST(pg_inside(pg), version_of(file->name)); /* a file is recorded with what it does */
    sha256_of(file, sha256);
    pg_args_init(&args);
    pg_arg_int4(&args, version_of(file->name));
    pg_arg_text(&args, slice_of(file->name));
    pg_arg_text(&args, slice_of(sha256));
    PGresult *res = pg_query(pg,
                             "INSERT INTO spendlog.schema_migrations (version, name, sha256)"
                             " VALUES ($1::integer, $2, $3)",
                             &args, err);
    pg_args_free(&args);
    PQclear(res);
    return res != NULL;
}

/* Who may migrate is a member of the owner, and only the owner can lock its table in this mode: an
 * advisory lock could be anybody's. Before there is a table, making the schema is what only one
 * can do. */
static bool history_lock(struct pg *pg, struct err *err)
{
    bool exists;
    MUST(pg_inside(pg));
    if (!schema_exists(pg, &exists, err))
        return false;
    return !exists ||
           pg_command(pg,
                      "SET LOCAL ROLE spendlog_owner;"
                      "LOCK TABLE spendlog.schema_migrations IN SHARE ROW EXCLUSIVE MODE;"
                      "RESET ROLE",
                      err);
}

/* Under the lock the history is read again: another process may have been faster. */
static bool apply_locked(struct pg *pg, const struct embedded *file, bool *done, struct err *err)
{
    struct history history;
    if (!history_lock(pg, err) || !history_read(pg, &history, err))
        return false;
    *done = state_of(&history, file) == MIGRATION_PENDING;
    free(history.item);
    if (!*done)
        return true;
    if (!pg_command(pg, file->text, err) || !record(pg, file, err))
        return err_prefix(err, "%s", file->name);
    return true;
}

/* The schema came to be while we made it: another process migrates as well. */
static bool overtaken(const struct pg *pg)
{
    return strcmp(pg->sqlstate, "42P06") == 0 || strcmp(pg->sqlstate, "23505") == 0;
}

static bool apply(struct pg *pg, const struct embedded *file, bool *done, struct err *err)
{
    for (bool again = false;; again = true) {
        if (!pg_begin(pg, PG_WRITE, err))
            return false;
        if (apply_locked(pg, file, done, err) && pg_command(pg, "COMMIT", err))
            return true;
        pg_rollback(pg);
        lock_holder_blame(pg, err);
        if (again || !pg->conn || !overtaken(pg))
            return false;
        err_clear(err);
    }
}

static bool open_for_migration(struct pg *pg, const char *conninfo, struct err *err)
{
    const struct pg_options options = {
        .conninfo = conninfo,
        .application_name = "spendlog migrate",
        .lock_timeout_ms = LOCK_TIMEOUT_MS,
    };
    if (!pg_open(pg, &options, err))
        return false;
    const char *encoding = PQparameterStatus(pg->conn, "server_encoding");
    if (encoding && strcmp(encoding, "UTF8") == 0)
        return true;
    err_set(err, ERR_CONFIG, "%s: the database's encoding is %s, it has to be UTF8", pg->place,
            encoding ? encoding : "unknown");
    pg_close(pg);
    return false;
}

static bool apply_all(struct pg *pg, migration_fn *applied, void *context, struct err *err)
{
    int last = 0;
    for (const struct embedded *file = embedded_migrations; file->name; file++) {
        bool done;
        MUST(version_of(file->name) > last, version_of(file->name), last);
        last = version_of(file->name);
        if (!apply(pg, file, &done, err))
            return false;
        struct migration_status status = {version_of(file->name), file->name, MIGRATION_APPLIED,
                                          ""};
        if (done && applied)
            applied(&status, context);
    }
    return true;
}

bool migrate_apply(const char *conninfo, migration_fn *applied, void *context, struct err *err)
{
    struct pg pg;
    struct history history;
    if (!open_for_migration(&pg, conninfo, err))
        return false;
    bool citus, ok = history_read(&pg, &history, err) && history_agrees(&pg, &history, err);
    free(history.item);
    ok = ok && citus_find(&pg, &citus, err) && (!citus || citus_begin(&pg, err)) &&
         apply_all(&pg, applied, context, err) && (!citus || citus_spread(&pg, err));
    pg_close(&pg);
    return ok;
}

int migrate_newest(void)
{
    int newest = 0;
    for (const struct embedded *file = embedded_migrations; file->name; file++)
        newest = version_of(file->name) > newest ? version_of(file->name) : newest;
    MUST(newest > 0, newest);
    return newest;
}

/* --- status --------------------------------------------------------------------------------- */

static void tell(const struct history *history, migration_fn *status, void *context)
{
    for (const struct embedded *file = embedded_migrations; file->name; file++) {
        const struct applied *applied = history_find(history, version_of(file->name));
        struct migration_status s = {version_of(file->name), file->name, state_of(history, file),
                                     applied ? applied->at : ""};
        status(&s, context);
    }
    for (int i = 0; i < history->count; i++) {
        const struct applied *a = &history->item[i];
        struct migration_status s = {a->version, a->name, MIGRATION_UNKNOWN, a->at};
        if (!is_ours(a->version))
            status(&s, context);
    }
}

bool migrate_status(const char *conninfo, migration_fn *status, void *context, struct err *err)
{
    struct pg pg;
    struct history history;
    if (!open_for_migration(&pg, conninfo, err))
        return false;
    bool ok = history_read(&pg, &history, err);
    if (ok)
        tell(&history, status, context);
    free(history.item);
    pg_close(&pg);
    return ok;
}

bool migrate_check(struct pg *pg, struct err *err)
{
    struct history history;
    bool ok = history_read(pg, &history, err) && history_agrees(pg, &history, err);
    for (const struct embedded *file = embedded_migrations; ok && file->name; file++)
        if (state_of(&history, file) == MIGRATION_PENDING)
            ok = err_set(err, ERR_CONFIG, "%s: %s; run spendlog migrate", pg->place,
                         history.count ? "the schema is older than this program"
                                       : "there is no spendlog schema");
    free(history.item);
    return ok;
}

bool migrate_open(struct pg *pg, const struct pg_options *options, struct err *err)
{
    if (!pg_open(pg, options, err))
        return false;
    if (migrate_check(pg, err))
        return true;
    pg_close(pg);
    return false;
}
