/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog price: the same mapping and pricing as `run`, from files or stdin to result lines. */
#include "cli/command.h"
#include "cli/records.h"

#include "core/log.h"

static struct {
    bool items, reasons, flags;
} options;

const struct option_row price_options[] = {
    {"items", 0, NULL, "with the items that sum to the spend", OPTION_FLAG, &options.items},
    {"reasons", 0, NULL, "print the closed list of reasons", OPTION_FLAG, &options.reasons},
    {"flags", 0, NULL, "print the closed list of flags, with their bits in spend_logs.flags",
     OPTION_FLAG, &options.flags},
    {0},
};

const struct option_use price_uses[] = {
    {"items", NULL, "--reasons --flags"},
    {"cost-map", NULL, "--reasons --flags"},
    {"overrides", NULL, "--reasons --flags"},
    {"mapping", NULL, "--reasons --flags"},
    {"reasons", NULL, "--flags"},
    {0},
};

static void print(struct buf *rest, const struct record *record, const struct charge *charge,
                  struct mapper *mapper)
{
    (void)mapper;
    if (record->outcome == RECORD_EVENT)
        result_charge(rest, record->event, charge, options.items);
    else
        result_no_event(rest, record);
}

static void log_finding(enum finding_level level, const char *text, void *context)
{
    (void)context;
    if (level == FINDING_WARNING && !common.quiet)
        log_warn("%s", text);
}

static int reasons_print(void)
{
    for (int i = 1; i < REASON_COUNT; i++)
        printf("%-32s %s\n", reason_info[i].name, reason_info[i].doc);
    return 0;
}

static int flags_print(void)
{
    for (unsigned i = 0; i < flag_count; i++)
        printf("%10u  %-20s %s%s\n", flag_info[i].bit, flag_info[i].name,
               flag_info[i].doubt ? "doubtful: " : "", flag_info[i].doc);
    return 0;
}

int begin_price(const struct command *command, const struct operands *given)
{
    int code = options.reasons || options.flags ? operands_none(command, given) : GO_ON;
    if (code != GO_ON)
        return code;
    if (options.reasons)
        return reasons_print();
    return options.flags ? flags_print() : GO_ON;
}

int cmd_price(const struct config *config, const struct operands *given, struct err *err)
{
    struct records records = {.files = given->text,
                              .file_count = given->count,
                              .limits = &config->limits,
                              .print = print};
    struct book *book = book_open(config, log_finding, NULL, err);
    struct mappings *mappings = book ? mappings_open(config, err) : NULL;
    struct pricer *pricer = mappings ? pricer_new(book) : NULL;
    bool ok = false;

    if (pricer) {
        records.mappings = mappings;
        records.pricer = pricer;
        ok = records_run(&records, err);
    } else {
        err_set(err, ERR_FATAL, "out of memory");
    }
    pricer_free(pricer);
    mappings_free(mappings);
    book_free(book);
    if (!ok)
        return fail(err);
    return records.rejected ? err_exit_code(ERR_INPUT) : 0;
}
