/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog migrate: applies what is pending of migrations/; shows what is, or the SQL itself. */
#include "cli/command.h"
#include "cli/result.h"

#include "core/embed.h"
#include "core/show.h"
#include "store/carry.h"
#include "store/migrate.h"

static struct {
    bool status, print, print_roles, carry, json;
} options;

const struct option_row migrate_options[] = {
    {"status", 0, NULL, "what is applied and what is pending; exit 1 when something is",
     OPTION_FLAG, &options.status},
    {"print", 0, NULL, "print the SQL of all migrations, in order", OPTION_FLAG, &options.print},
    {"print-roles", 0, NULL,
     "print what an administrator runs first when the login may not create roles", OPTION_FLAG,
     &options.print_roles},
    {"carry", 0, NULL, "then store the days of earlier versions in today's form, one after another",
     OPTION_FLAG, &options.carry},
    {"json", 0, NULL, "one JSON object per migration, resp. day", OPTION_FLAG, &options.json},
    {0},
};

const struct option_use migrate_uses[] = {
    {"json", NULL, "--print --print-roles"},
    {"carry", NULL, "--status --print --print-roles"},
    {"status", NULL, "--print --print-roles"},
    {"print", NULL, "--print-roles"},
    {0},
};

static void status_print(const struct migration_status *status, void *context)
{
    static const char *const state[] = {"applied", "pending", "mended", "changed", "unknown"};
    bool *differs = context;
    *differs |= status->state != MIGRATION_APPLIED && status->state != MIGRATION_MENDED;
    if (!options.json) {
        printf("%-40s %-8s %s\n", status->name, state[status->state], status->applied_at);
        return;
    }
    struct buf line;
    buf_init(&line, RESULT_LINE_MAX_BYTES);
    buf_add_char(&line, '{');
    result_int(&line, "version", status->version);
    result_text(&line, "name", slice_of(status->name));
    result_text(&line, "state", slice_of(state[status->state]));
    result_text(&line, "applied_at", slice_of(status->applied_at));
    result_print(&line);
    buf_free(&line);
}

static void sql_print(void)
{
    for (const struct embedded *file = embedded_migrations; file->name; file++)
        printf("-- %s\n%s\n", file->name, file->text);
}

static int roles_print(const struct config *config, struct err *err)
{
    struct buf sql;
    buf_init(&sql, RESULT_LINE_MAX_BYTES);
    bool ok = migrate_roles(config->postgres, &sql, err);
    if (ok)
        show_buf(stdout, &sql);
    buf_free(&sql);
    return ok ? 0 : fail(err);
}

static void carried_print(const struct carried_day *day, void *context)
{
    struct buf line;
    unsigned *held = context;
    *held += day->held != NULL;
    if (!options.json && day->held)
        printf("%s stays for another time: %s works on it\n", day->day, day->held);
    else if (!options.json)
        printf("%s carried over: %lld rows, %lld of them do not fit\n", day->day,
               (long long)day->rows, (long long)day->wide);
    fflush(stdout);
    if (!options.json)
        return;
    buf_init(&line, RESULT_LINE_MAX_BYTES);
    buf_add_char(&line, '{');
    result_text(&line, "day", slice_of(day->day));
    result_text(&line, "held", slice_of(day->held ? day->held : ""));
    result_int(&line, "rows", day->rows);
    result_int(&line, "wide", day->wide);
    result_print(&line);
    buf_free(&line);
}

int begin_migrate(const struct command *command, const struct operands *given)
{
    int code = operands_none(command, given);
    if (code != GO_ON || !options.print)
        return code;
    sql_print();
    return 0;
}

/* A day that is left is told by the exit code too: who waits for all days tries again. */
static bool carry(const struct config *config, struct err *err)
{
    unsigned held = 0;
    if (!carry_run(config->postgres, carried_print, &held, err))
        return false;
    return held == 0 || err_set(err, ERR_RETRY, "%u days stay as they are for now", held);
}

int cmd_migrate(const struct config *config, const struct operands *given, struct err *err)
{
    bool differs = false;
    (void)given;
    if (options.print_roles)
        return roles_print(config, err);
    if (options.status && migrate_status(config->postgres, status_print, &differs, err))
        return differs ? EXIT_DIFFERENCES : 0;
    else if (!options.status && migrate_apply(config->postgres, status_print, &differs, err) &&
             (!options.carry || carry(config, err)))
        return 0;
    return fail(err);
}
