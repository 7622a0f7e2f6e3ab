/* SPDX-License-Identifier: Apache-2.0 */
/* The command table; --help on every level, dispatch and the version are made from it. */
#include "cli/command.h"

#include "core/show.h"
#include "core/yaml.h"

#include "ingest/kafka.h"
#include "store/migrate.h"
#include "store/server_check.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <microhttpd.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

static const struct command commands[] = {
    {"init", "write a commented configuration", "", TAKES_NEITHER,
     "Asks for brokers, topic and database, or takes them from options; then says what comes next.",
     init_options, NULL, NULL, NEEDS_NOTHING, cmd_init},
    {"run", "consume, price, store, until SIGTERM", "[--exit-eof]", TAKES_NEITHER,
     "SIGTERM and SIGINT end after the batch under way; SIGHUP loads prices again, whole or not at "
     "all.",
     run_options, NULL, begin_run, NEEDS_CONFIG, cmd_run},
    {"status", "what a running service does and waits for", "", TAKES_NEITHER,
     "Asks it by control.socket of the configuration: lanes, partitions with their lag, the age of "
     "the last commit, prices, memory.",
     status_options, NULL, NULL, NEEDS_DEFAULTS, cmd_status},
    {"reload", "have a running service load its prices again", "", TAKES_NEITHER,
     "As SIGHUP does, with an answer: what was loaded, or why not (exit 78, the old prices stay).",
     reload_options, NULL, NULL, NEEDS_DEFAULTS, cmd_reload},
    {"price", "price events of files or stdin", "[FILE...]", TAKES_BOOK | TAKES_MAPPINGS,
     "One message a line; a FILE that is one JSON value over several lines is one message. Prints "
     "one JSON object per record; exit 65 if any was rejected.",
     price_options, price_uses, begin_price, NEEDS_DEFAULTS, cmd_price},
    {"map", "print the events a mapping makes of messages", "[FILE...]", TAKES_MAPPINGS, NULL,
     map_options, map_uses, begin_map, NEEDS_DEFAULTS, cmd_map},
    {"explain", "the derivation of one charge", "REQUEST_ID | --event FILE",
     TAKES_BOOK | TAKES_MAPPINGS, NULL, explain_options, explain_uses, begin_explain,
     NEEDS_DEFAULTS, cmd_explain},
    {"check", "validate the configuration", "", TAKES_BOOK,
     "Exit 0 when all is well, 1 when prices of the last day are apart from the gateway's own, or "
     "with --strict when there are warnings, 78 when it is broken.",
     check_options, check_uses, NULL, NEEDS_CONFIG, cmd_check},
    {"prices", "rates of a model; what moved between two maps or configurations; providers",
     "show MODEL | diff OLD NEW | import FILE --effective-from TIME | providers", TAKES_BOOK, NULL,
     prices_options, prices_uses, begin_prices, NEEDS_DEFAULTS, cmd_prices},
    {"migrate", "create or update the database schema", "", TAKES_NEITHER, NULL, migrate_options,
     migrate_uses, begin_migrate, NEEDS_POSTGRES, cmd_migrate},
    {"report", "spend by model, team, key, tag, meter, day ..., or as FinOps FOCUS",
     "[--by DIMENSION,...] [--month MONTH | --last TIME] [--format FORMAT]", TAKES_NEITHER, NULL,
     report_options, report_uses, NULL, NEEDS_POSTGRES, cmd_report},
    {"reprice", "price stored rows again", "[--dry-run] [--resume] [FILTER...]", TAKES_NEITHER,
     "Changes only rows that come out different, each with a record. Rows of closed months stay; "
     "the difference is posted. Can be killed at any point and gone on with by --resume. What if: "
     "--dry-run with --as-model, or with another --config, changes nothing.",
     reprice_options, NULL, begin_reprice, NEEDS_POSTGRES, cmd_reprice},
    {"periods", "closed months, in which corrections are posted", "close MONTH | list",
     TAKES_NEITHER, NULL, periods_options, periods_uses, begin_periods, NEEDS_POSTGRES,
     cmd_periods},
    {"exclude", "set a stored row aside, so that it counts in no sum",
     "REQUEST_ID | --identity UUID [--restore] --why TEXT | --list", TAKES_NEITHER,
     "The row stays; what it comes to leaves all sums by a recorded entry, and comes back with "
     "--restore. Repricing leaves an excluded row alone.",
     exclude_options, exclude_uses, begin_exclude, NEEDS_POSTGRES, cmd_exclude},
    {"retention", "how long the database keeps what", "show | set DAYS [--rollups DAYS]",
     TAKES_NEITHER,
     "Rows older than DAYS (0: for ever) are dropped, day by day, by whichever member makes a new "
     "day; a process can keep them longer (storage.retain_days), never shorter. Only the owner of "
     "the schema can set it.",
     retention_options, retention_uses, begin_retention, NEEDS_POSTGRES, cmd_retention},
    {"budget", "what may be spent by whom, and what was",
     "set SCOPE ID AMOUNT [--period P] [--tz ZONE] | list | status [--fail-over] | remove SCOPE ID",
     TAKES_NEITHER,
     "SCOPE is team, key, user, organization, provider, model, tag or end_user, with an ID as the "
     "column of spend_logs has it, or all, without one. AMOUNT is in US dollars a period. What was "
     "spent is what the rows come to, at every commit. Only the owner of the schema can set one.",
     budget_options, budget_uses, begin_budget, NEEDS_POSTGRES, cmd_budget},
    {"compact", "merge the sums that were appended, make the names of days", "[--status]",
     TAKES_NEITHER,
     "`spendlog run` does it by itself when there is time. Changes no sum and no row.",
     compact_options, NULL, NULL, NEEDS_POSTGRES, cmd_compact},
    {"verify", "prove that nothing was lost or doubled", "", TAKES_NEITHER,
     "Exit 1 with the place when a difference is found, or prices are apart from the gateway's "
     "own.",
     verify_options, verify_uses, NULL, NEEDS_POSTGRES, cmd_verify},
    {"rejected", "what could not be read, and reading it again",
     "list | show TOPIC/PARTITION/OFFSET[/INDEX] | retry", TAKES_NEITHER, NULL, rejected_options,
     rejected_uses, begin_rejected, NEEDS_POSTGRES, cmd_rejected},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
    fprintf(out, "spendlog: prices LLM usage events from Kafka and stores them in PostgreSQL\n\n"
                 "Usage: spendlog COMMAND [OPTION...] [ARGUMENT...]\n\nCommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\n`spendlog COMMAND --help` tells the options of one; `spendlog --version` the "
                 "versions.\n"
                 "Exit codes: 0 ok, 1 a check found differences, 64 usage, 65 bad input data,\n"
                 "69 service unavailable, 70 internal, 75 try again, 78 configuration.\n");
}

static void print_version(void)
{
    int major, minor, patch;
    yaml_get_version(&major, &minor, &patch);
    printf("spendlog %s\nlibrdkafka %s, libpq %s, jansson %s, libyaml %d.%d.%d, libmicrohttpd %s\n"
           "pricing rules version %d (LiteLLM " PRICING_RULES "), schema version %d\n",
           SPENDLOG_VERSION, kafka_version(), server_client_version(), jansson_version_str(), major,
           minor, patch, MHD_get_version(), PRICING_VERSION, migrate_newest());
}

static int unknown_command(const char *word)
{
    const char *names[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i].name;
    const char *near = yaml_suggest(slice_of(word), names, COMMAND_COUNT);
    if (word[0] == '-')
        show_line(stderr,
                  "spendlog: \"%s\" stands where the command belongs: spendlog COMMAND "
                  "[OPTION...]; see `spendlog --help`",
                  word);
    else
        show_line(stderr, "spendlog: unknown command \"%s\"%s%s%s; see `spendlog --help`", word,
                  near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
    return err_exit_code(ERR_USAGE);
}

/* A descriptor that is closed would be the next connection's, and what is printed would go there.
 * One that refuses stands in its place. */
static bool descriptors_hold(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

/* A command whose output could not be written has failed. */
static int printed(int code)
{
    if (show_left_out()) {
        show_line(stderr, "spendlog: the output is not whole: a part of it does not fit into "
                          "memory, or into what is put together at once");
        code = code ? code : err_exit_code(ERR_FATAL);
    }
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    show_line(stderr, "spendlog: standard output: %s", strerror(errno ? errno : EIO));
    return code ? code : err_exit_code(ERR_FATAL);
}

static int begin(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return err_exit_code(ERR_USAGE);
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return command_run(&commands[i], argc - 1, argv + 1);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        print_version();
        return 0;
    }
    return unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
    return descriptors_hold() ? printed(begin(argc, argv)) : err_exit_code(ERR_FATAL);
}
