/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command table and what all commands share: options, configuration, price book, mappings.
 *
 * A command is a row of the table in main.c, which prints help from it. Its life is
 * command_run(): options are parsed, begin_<name>() looks at them and at the operands before
 * anything is opened, then what the row says it needs is opened, cmd_<name>() does the work, and
 * the configuration is freed. Both are in cmd_<name>.c.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "core/config.h"
#include "ingest/mapping.h"
#include "pricing/book.h"

#include <stdio.h>

#define EXIT_DIFFERENCES 1

/* What command_run() opens for a command; the command does not run without. */
enum command_needs {
    NEEDS_NOTHING,
    NEEDS_DEFAULTS, /* the configuration, or the builtin defaults where there is no file */
    NEEDS_CONFIG,   /* its file; with --cost-map the builtin defaults will do */
    NEEDS_POSTGRES, /* its file, and in it the database */
};

/* Options that commands share because they say what is worked with. */
enum command_takes {
    TAKES_NEITHER = 0,
    TAKES_BOOK = 1,     /* --cost-map, --overrides */
    TAKES_MAPPINGS = 2, /* --mapping */
};

/* The words after the options. */
struct operands {
    int count;
    char *const *text; /* of argv */
};

#define GO_ON (-1) /* beside exit codes: nothing has ended the command */

struct command {
    const char *name;
    const char *help;  /* one line */
    const char *usage; /* after "spendlog <name> " */
    unsigned takes;    /* of enum command_takes */
    const char *more;  /* a paragraph for --help, or NULL */
    const struct option_row *options;
    const struct option_use *uses; /* or NULL: each option counts wherever it stands */
    /* GO_ON, or the exit code: of a usage error that it told, or of what needs no configuration.
     * NULL: a command without operands, whose options stand in each other's way nowhere. */
    int (*begin)(const struct command *command, const struct operands *given);
    enum command_needs needs;
    /* The exit code; an error is told by fail(). config is NULL if nothing is needed. */
    int (*run)(const struct config *config, const struct operands *given, struct err *err);
};

/* The whole life of a command; argv[0] is its name. Gives its exit code. */
int command_run(const struct command *command, int argc, char **argv);

/* One long option. target points into the command's static options struct. */
struct option_row {
    const char *name; /* without dashes; NULL ends the table */
    char letter;      /* short form, or 0 */
    const char *arg;  /* NULL: a flag */
    const char *help;
    enum { OPTION_FLAG, OPTION_TEXT, OPTION_LIST } kind;
    void *target; /* bool *, const char **, struct option_list * */
};

/* An option that counts only beside another word would be passed over beside the rest: refused.
 * Words are verbs, or options with their dashes, with blanks between. */
struct option_use {
    const char *option; /* without dashes; NULL ends the table */
    const char *with;   /* one of these has to stand there; NULL: nothing has to */
    const char *not_with;
};

#define OPTION_VALUES_MAX 64

struct option_list {
    size_t count;
    const char *value[OPTION_VALUES_MAX];
};

/* Options every command takes; filled by options_parse(). */
struct common_options {
    const char *config;
    struct option_list properties; /* -X */
    bool verbose, quiet;
    const char *log_level, *log_format;
    const char *cost_map, *overrides; /* TAKES_BOOK */
    struct option_list mappings;      /* TAKES_MAPPINGS */
};

extern struct common_options common;

/* Defined by the command of the name; NULL-terminated. */
extern const struct option_row run_options[], price_options[], map_options[], explain_options[],
    check_options[], prices_options[], migrate_options[], report_options[], verify_options[],
    rejected_options[], reprice_options[], periods_options[], retention_options[],
    exclude_options[], init_options[], status_options[], reload_options[], compact_options[],
    budget_options[];

extern const struct option_use price_uses[], map_uses[], explain_uses[], check_uses[],
    prices_uses[], migrate_uses[], report_uses[], verify_uses[], rejected_uses[], periods_uses[],
    retention_uses[], exclude_uses[], budget_uses[];

/* Parses options and sets up logging; *given: what follows them. GO_ON, else an exit code: help was
 * printed, or a usage error told. */
int options_parse(const struct command *command, int argc, char **argv, struct operands *given);
/* GO_ON when there are none; else a usage error was told. */
int operands_none(const struct command *command, const struct operands *given);
/* Whether they are `count` words, the first of them this verb. */
bool operands_are(const struct operands *given, const char *verb, int count);

/* The value of a time option, in microseconds since 1970; a month or a day is its beginning. NULL
 * leaves *us as it is. ERR_USAGE. */
bool option_time(const char *option, const char *text, int64_t *us, struct err *err) MUST_CHECK;

/* Tells an error once, on stderr, and gives its exit code. */
int fail(const struct err *err);
int usage_error(const struct command *command, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* -c, else the usual places; may_be_absent: builtin defaults when there is no file at all. */
bool config_open(struct config *config, bool may_be_absent, struct err *err) MUST_CHECK;
/* What a command that asks the database cannot do without. ERR_CONFIG. */
bool config_has_postgres(const struct config *config, struct err *err) MUST_CHECK;

/* The book that configuration and command line ask for. */
bool book_options_of(const struct config *config, struct book_options *options,
                     struct err *err) MUST_CHECK;
struct book *book_open(const struct config *config, finding_fn *finding, void *context,
                       struct err *err);

/* The mappings that command line (--mapping) and configuration ask for. */
struct mappings *mappings_open(const struct config *config, struct err *err);

/* What the fields begin and run of struct command say. */
int begin_run(const struct command *command, const struct operands *given);
int begin_price(const struct command *command, const struct operands *given);
int begin_map(const struct command *command, const struct operands *given);
int begin_explain(const struct command *command, const struct operands *given);
int begin_prices(const struct command *command, const struct operands *given);
int begin_migrate(const struct command *command, const struct operands *given);
int begin_exclude(const struct command *command, const struct operands *given);
int begin_reprice(const struct command *command, const struct operands *given);
int begin_periods(const struct command *command, const struct operands *given);
int begin_retention(const struct command *command, const struct operands *given);
int begin_budget(const struct command *command, const struct operands *given);
int begin_rejected(const struct command *command, const struct operands *given);

int cmd_run(const struct config *config, const struct operands *given, struct err *err);
int cmd_price(const struct config *config, const struct operands *given, struct err *err);
int cmd_map(const struct config *config, const struct operands *given, struct err *err);
int cmd_explain(const struct config *config, const struct operands *given, struct err *err);
int cmd_init(const struct config *config, const struct operands *given, struct err *err);
int cmd_status(const struct config *config, const struct operands *given, struct err *err);
int cmd_reload(const struct config *config, const struct operands *given, struct err *err);
int cmd_check(const struct config *config, const struct operands *given, struct err *err);
int cmd_prices(const struct config *config, const struct operands *given, struct err *err);
int cmd_migrate(const struct config *config, const struct operands *given, struct err *err);
int cmd_report(const struct config *config, const struct operands *given, struct err *err);
int cmd_exclude(const struct config *config, const struct operands *given, struct err *err);
int cmd_reprice(const struct config *config, const struct operands *given, struct err *err);
int cmd_periods(const struct config *config, const struct operands *given, struct err *err);
int cmd_retention(const struct config *config, const struct operands *given, struct err *err);
int cmd_budget(const struct config *config, const struct operands *given, struct err *err);
int cmd_compact(const struct config *config, const struct operands *given, struct err *err);
int cmd_verify(const struct config *config, const struct operands *given, struct err *err);
int cmd_rejected(const struct config *config, const struct operands *given, struct err *err);

#endif
