/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog map: the tool with which a mapping is developed: canonical events out of messages. */
#include "cli/command.h"
#include "cli/records.h"

#include "core/embed.h"
#include "core/show.h"

#include <string.h>

static struct {
    bool list, explain;
    const char *print;
} options;

const struct option_row map_options[] = {
    {"list", 0, NULL, "the built-in mapping files, in the order in which they are tried",
     OPTION_FLAG, &options.list},
    {"print", 0, "NAME", "the text of a built-in mapping file, to copy and change", OPTION_TEXT,
     &options.print},
    {"explain", 0, NULL, "which alternative of each field was taken, on stderr", OPTION_FLAG,
     &options.explain},
    {0},
};

static void explain_line(const char *text, void *context)
{
    (void)context;
    show_line(stderr, "  %s", text);
}

static void print(struct buf *rest, const struct record *record, const struct charge *charge,
                  struct mapper *mapper)
{
    (void)charge;
    if (record->outcome != RECORD_EVENT) {
        result_no_event(rest, record);
        return;
    }
    result_event(rest, record->event);
    if (options.explain) {
        show_line(stderr, "record %u, mapping %s:", record->index, record->mapping);
        mapper_explain(mapper, explain_line, NULL);
    }
}

/* "10-litellm.yaml" is shown and found as "litellm". */
static struct slice name_of(const struct embedded *file)
{
    const char *dash = strchr(file->name, '-');
    const char *start = dash ? dash + 1 : file->name;
    const char *dot = strrchr(start, '.');
    return (struct slice){start, dot ? (size_t)(dot - start) : strlen(start)};
}

static int list_print(void)
{
    for (const struct embedded *file = embedded_mappings; file->name; file++)
        printf(SLICE_FMT "\n", SLICE_ARG(name_of(file)));
    return 0;
}

static int text_print(const struct command *command, const char *name)
{
    for (const struct embedded *file = embedded_mappings; file->name; file++)
        if (slice_is(name_of(file), name)) {
            fwrite(file->text, 1, file->bytes, stdout);
            return 0;
        }
    return usage_error(command, "no built-in mapping \"%s\"", name);
}

static int map_files(const struct config *config, char *const files[], int count, struct err *err)
{
    struct records records = {
        .files = files, .file_count = count, .limits = &config->limits, .print = print};
    struct mappings *mappings = mappings_open(config, err);
    records.mappings = mappings;
    bool ok = mappings && records_run(&records, err);
    mappings_free(mappings);
    if (!ok)
        return fail(err);
    return records.rejected ? err_exit_code(ERR_INPUT) : 0;
}

int cmd_map(const struct command *command, int argc, char **argv)
{
    struct config config;
    struct err err = {0};
    int first;
    int code = options_parse(command, argc, argv, &first);

    if (code >= 0)
        return code;
    if (options.list)
        return list_print();
    if (options.print)
        return text_print(command, options.print);
    if (!config_open(&config, true, &err))
        return fail(&err);
    code = map_files(&config, argv + first, argc - first, &err);
    config_free(&config);
    return code;
}
