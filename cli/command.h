/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command table and what all commands share: options, configuration, price book, mappings.
 * A command is one function in cmd_<name>.c; main.c dispatches and prints help from the table.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "core/config.h"
#include "ingest/mapping.h"
#include "pricing/book.h"

#include <stdio.h>

#define EXIT_DIFFERENCES 1

struct command {
    const char *name;
    const char *help;  /* one line */
    const char *usage; /* after "spendlog <name> " */
    bool prices;       /* takes --cost-map, --overrides, --mapping */
    const char *more;  /* a paragraph for --help, or NULL */
    const struct option_row *options;
    int (*run)(const struct command *command, int argc, char **argv);
};

/* One long option. target points into the command's static options struct. */
struct option_row {
    const char *name; /* without dashes; NULL ends the table */
    char letter;      /* short form, or 0 */
    const char *arg;  /* NULL: a flag */
    const char *help;
    enum { OPTION_FLAG, OPTION_TEXT, OPTION_LIST } kind;
    void *target; /* bool *, const char **, struct option_list * */
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
    /* price, map, explain, check */
    const char *cost_map, *overrides;
    struct option_list mappings;
};

extern struct common_options common;

/* Defined by the command of the name; NULL-terminated. */
extern const struct option_row run_options[], price_options[], map_options[], explain_options[],
    check_options[], prices_options[], migrate_options[], report_options[], verify_options[],
    rejected_options[], reprice_options[], periods_options[], retention_options[],
    exclude_options[], init_options[], status_options[], reload_options[], compact_options[];

/* Parses options and sets up logging; *first is the index of the first operand. Returns -1 to go
 * on, else an exit code (help was printed, or a usage error told). */
int options_parse(const struct command *command, int argc, char **argv, int *first);
/* The same for a command without operands. */
int options_parse_all(const struct command *command, int argc, char **argv);

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

int cmd_run(const struct command *command, int argc, char **argv);
int cmd_price(const struct command *command, int argc, char **argv);
int cmd_map(const struct command *command, int argc, char **argv);
int cmd_explain(const struct command *command, int argc, char **argv);
int cmd_init(const struct command *command, int argc, char **argv);
int cmd_status(const struct command *command, int argc, char **argv);
int cmd_reload(const struct command *command, int argc, char **argv);
int cmd_check(const struct command *command, int argc, char **argv);
int cmd_prices(const struct command *command, int argc, char **argv);
int cmd_migrate(const struct command *command, int argc, char **argv);
int cmd_report(const struct command *command, int argc, char **argv);
int cmd_exclude(const struct command *command, int argc, char **argv);
int cmd_reprice(const struct command *command, int argc, char **argv);
int cmd_periods(const struct command *command, int argc, char **argv);
int cmd_retention(const struct command *command, int argc, char **argv);
int cmd_compact(const struct command *command, int argc, char **argv);
int cmd_verify(const struct command *command, int argc, char **argv);
int cmd_rejected(const struct command *command, int argc, char **argv);

#endif
