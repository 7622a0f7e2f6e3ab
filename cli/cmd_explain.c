/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spendlog explain: the derivation of one charge. From a file it maps and prices the event as `run`
 * would, with the decisions traced; from the database it shows the stored row and derives it again.
 */
#include "cli/command.h"
#include "cli/explain.h"
#include "cli/records.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_MAX_BYTES (64u << 20)

static struct {
    bool json;
    const char *event;
} options;

const struct option_row explain_options[] = {
    {"event", 0, "FILE", "explain the events of a file (- is stdin) instead of a stored row",
     OPTION_TEXT, &options.event},
    {"json", 0, NULL, "one JSON object per event", OPTION_FLAG, &options.json},
    {0},
};

const struct option_use explain_uses[] = {
    {"cost-map", "--event", NULL},
    {"overrides", "--event", NULL},
    {"mapping", "--event", NULL},
    {0},
};

struct run {
    const struct sanity_limits *limits;
    struct mapper *mapper;
    struct explain explain;
    struct arena arena;
    struct kcat kcat;
    struct err *err; /* ERR_UNAVAILABLE: the schema registry is away */
    bool rejected;
    unsigned events;
};

static void on_record(const struct record *record, void *context)
{
    struct run *run = context;
    struct record shown;
    struct charge charge;
    struct implausible why;
    if (record->outcome == RECORD_EVENT)
        pricer_price(run->explain.pricer, &record->event->facts, &charge, NULL);
    records_judge(run->limits, record, record->outcome == RECORD_EVENT ? &charge : NULL, &shown,
                  &why);
    if (shown.outcome == RECORD_EVENT) {
        explain_event(&run->explain, record->event);
        run->events++;
        return;
    }
    run->rejected |= shown.outcome == RECORD_REJECTED;
    explain_no_event(&run->explain, &shown);
}

static bool on_message(const struct input_message *message, void *context)
{
    struct run *run = context;
    struct message m;
    arena_reset(&run->arena);
    if (!records_message(message, &run->kcat, run->mapper, &run->arena, &m, run->err))
        return false;
    mapper_read(run->mapper, &m, &run->arena, on_record, run);
    return true;
}

static int explain_file(const struct config *config, struct err *err)
{
    static char stdin_name[] = "-";
    char *file[1] = {stdin_name};
    struct run run = {.limits = &config->limits, .explain = {.json = options.json}, .err = err};
    char *copy = strdup(options.event);
    struct book *book = copy ? book_open(config, NULL, NULL, err) : NULL;
    struct mappings *mappings = book ? mappings_open(config, err) : NULL;
    bool ok = false;

    arena_init(&run.arena, ARENA_MAX_BYTES);
    run.mapper = mappings ? mapper_new(mappings) : NULL;
    run.explain.pricer = run.mapper ? pricer_new(book) : NULL;
    if (run.explain.pricer) {
        file[0] = copy;
        ok = input_read(file, 1, on_message, &run, err) && err->kind == ERR_NONE;
        if (ok && run.events == 0 && !run.rejected)
            ok = err_set(err, ERR_INPUT, "%s: no event in it", options.event);
    } else {
        err_set(err, ERR_FATAL, "out of memory");
    }
    pricer_free(run.explain.pricer);
    mapper_free(run.mapper);
    mappings_free(mappings);
    book_free(book);
    arena_free(&run.arena);
    free(copy);
    if (!ok)
        return fail(err);
    return run.rejected ? err_exit_code(ERR_INPUT) : 0;
}

int begin_explain(const struct command *command, const struct operands *given)
{
    if (!options.event == (given->count == 0))
        return usage_error(command, "give a REQUEST_ID or --event FILE");
    return GO_ON;
}

int cmd_explain(const struct config *config, const struct operands *given, struct err *err)
{
    return options.event ? explain_file(config, err)
                         : explain_stored(config, given->text[0], options.json, err);
}
