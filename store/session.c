/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings are a table: one statement sets them all and gives back what they are now; one that
 * is not as it was set refuses the session.
 */
#include "store/session.h"

#include "store/first.h"

#include <stdio.h>

#define PINNED_MAX 40
#define VALUE_MAX 40

struct pin {
    const char *name, *value; /* as pg_settings has them */
};

/* What a default of the operator's could change, and what would go wrong. A setting that the server
 * does not know (its version is older) is left out. */
static const struct pin pinned[] = {
    /* other objects than ours would answer to our names */
    {"search_path", "pg_catalog, spendlog, pg_temp"},
    /* a count would be of an older snapshot than the lock it is made under */
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_deferrable", "off"},
    /* triggers and foreign keys would not fire */
    {"session_replication_role", "origin"},
    {"row_security", "on"},
    /* times and texts would be read otherwise than they were written */
    {"TimeZone", "UTC"},
    {"DateStyle", "ISO, YMD"},
    {"IntervalStyle", "postgres"},
    {"client_encoding", "UTF8"},
    {"bytea_output", "hex"},
    {"extra_float_digits", "1"},
    {"standard_conforming_strings", "on"},
    {"backslash_quote", "safe_encoding"},
    {"array_nulls", "on"},
    {"transform_null_equals", "off"},
    {"quote_all_identifiers", "off"},
    /* a lane that has nothing to write would be cut off */
    {"idle_session_timeout", "0"},
    {"transaction_timeout", "0"},
};

#define PINNED_COUNT (sizeof(pinned) / sizeof(pinned[0]))

struct pins {
    struct pin item[PINNED_MAX];
    size_t count;
    char text[4][VALUE_MAX];
};

static void pins_add(struct pins *pins, const char *name, unsigned milliseconds)
{
    char *text = pins->text[pins->count - PINNED_COUNT];
    snprintf(text, VALUE_MAX, "%u", milliseconds);
    pins->item[pins->count++] = (struct pin){name, text};
}

static void pins_of(const struct pg_options *o, struct pins *pins)
{
    _Static_assert(PINNED_COUNT + 5 <= PINNED_MAX, "room for all");
    memcpy(pins->item, pinned, sizeof(pinned));
    pins->count = PINNED_COUNT;
    pins_add(pins, "lock_timeout", o->lock_timeout_ms);
    pins_add(pins, "statement_timeout", o->statement_timeout_ms);
    pins_add(pins, "idle_in_transaction_session_timeout", o->idle_in_transaction_timeout_ms);
    pins->item[pins->count++] =
        (struct pin){"default_transaction_read_only", o->read_only ? "on" : "off"};
}

static void args_of(const struct pins *pins, struct pg_args *args)
{
    pg_args_init(args);
    pg_array_open(args, PG_TEXT, pins->count);
    for (size_t i = 0; i < pins->count; i++)
        pg_array_bytes(args, slice_of(pins->item[i].name));
    pg_array_close(args);
    pg_array_open(args, PG_TEXT, pins->count);
    for (size_t i = 0; i < pins->count; i++)
        pg_array_bytes(args, slice_of(pins->item[i].value));
    pg_array_close(args);
}

#define DIFFERENT                                                                                  \
    " FROM pg_settings s JOIN unnest($1::text[], $2::text[])"                                      \
    " AS w (name, value) ON w.name = s.name WHERE s.setting <> w.value"

static bool session_check(struct pg *pg, const struct pg_args *args, struct err *err)
{
    PGresult *res = pg_query(pg, "SELECT s.name, s.setting, w.value" DIFFERENT, args, err);
    bool ok = res && PQntuples(res) == 0;
    if (res && !ok)
        err_set(err, ERR_CONFIG,
                "%s: %.64s is \"%.80s\" in this session and does not become \"%.80s\"", pg->place,
                PQgetvalue(res, 0, 0), PQgetvalue(res, 0, 1), PQgetvalue(res, 0, 2));
    PQclear(res);
    return ok;
}

/* First the time to set the others in, and the way to the functions that do. */
static bool session_begin(struct pg *pg, struct err *err)
{
    static const char first[] =
        "SET statement_timeout = 0; SET search_path = pg_catalog, spendlog, pg_temp";
    for (int tries = 0; !pg_command(pg, first, err);)
        if (!first_again(pg, &tries, err))
            return false;
    return true;
}

bool session_pin(struct pg *pg, const struct pg_options *options, struct err *err)
{
    struct pins pins;
    struct pg_args args;
    pins_of(options, &pins);
    args_of(&pins, &args);
    bool ok = session_begin(pg, err);
    PGresult *res =
        ok ? pg_query(pg, "SELECT set_config(s.name, w.value, false)" DIFFERENT, &args, err) : NULL;
    PQclear(res);
    ok = res && session_check(pg, &args, err);
    pg_args_free(&args);
    return ok;
}
