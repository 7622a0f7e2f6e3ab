/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog map: the tool with which a mapping is developed: canonical events out of messages. */
#include "cli/command.h"
#include "cli/records.h"

#include "core/embed.h"
#include "core/show.h"

#include <stdio.h>
#include <string.h>

static struct {
    bool list, json, explain;
    const char *print;
} options;

const struct option_row map_options[] = {
    {"list", 0, NULL,
     "the built-in mappings, in the order in which they are tried: who writes such events, which "
     "versions were tried, how counts are read and what decides it",
     OPTION_FLAG, &options.list},
    {"json", 0, NULL, "list: one JSON object per mapping", OPTION_FLAG, &options.json},
    {"print", 0, "NAME", "the text of a built-in mapping file, to copy and change", OPTION_TEXT,
     &options.print},
    {"explain", 0, NULL, "which alternative of each field was taken, on stderr", OPTION_FLAG,
     &options.explain},
    {0},
};

const struct option_use map_uses[] = {
    {"json", "--list", NULL},
    {"explain", NULL, "--list --print"},
    {"mapping", NULL, "--list --print"},
    {"list", NULL, "--print"},
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

static void about_json(const struct mapping_about *about)
{
    struct buf line;
    buf_init(&line, RESULT_LINE_MAX_BYTES);
    buf_add_char(&line, '{');
    result_text(&line, "mapping", slice_of(about->name));
    result_text(&line, "file", slice_of(about->group));
    result_text(&line, "emitters", slice_of(about->emitters));
    result_text(&line, "tried", slice_of(about->tried));
    result_text(&line, "cache", slice_of(about->cache));
    result_text(&line, "reasoning", slice_of(about->reasoning));
    result_text(&line, "evidence", slice_of(about->evidence));
    result_print(&line);
    buf_free(&line);
}

static void about_print(const struct mapping_about *about, void *context)
{
    const struct {
        const char *what, *text;
    } lines[] = {{"emitters", about->emitters},
                 {"tried", about->tried},
                 {"cached", about->cache},
                 {"reasoning", about->reasoning},
                 {"decided by", about->evidence}};
    (void)context;
    if (options.json) {
        about_json(about);
        return;
    }
    printf("%s", about->name);
    if (strcmp(about->name, about->group) != 0)
        printf(" (in %s)", about->group);
    printf("\n");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        printf("  %-10s  %s\n", lines[i].what, lines[i].text ? lines[i].text : "");
}

static int list_print(void)
{
    struct err err = {0};
    struct mappings *set = mappings_compile(NULL, 0, NULL, &err);
    if (!set)
        return fail(&err);
    mappings_about(set, about_print, NULL);
    mappings_free(set);
    return 0;
}

static int text_print(const struct command *command, const char *name)
{
    for (const struct embedded *file = embedded_mappings; file->name; file++)
        if (slice_is(name_of(file), name)) {
            fwrite(file->text, 1, file->bytes, stdout);
            return 0;
        }
    return usage_error(command, "no built-in mapping \"%s\"; `spendlog map --list` names them",
                       name);
}

int begin_map(const struct command *command, const struct operands *given)
{
    int code = options.list || options.print ? operands_none(command, given) : GO_ON;
    if (code != GO_ON)
        return code;
    if (options.list)
        return list_print();
    return options.print ? text_print(command, options.print) : GO_ON;
}

int cmd_map(const struct config *config, const struct operands *given, struct err *err)
{
    struct records records = {.files = given->text,
                              .file_count = given->count,
                              .limits = &config->limits,
                              .print = print};
    struct mappings *mappings = mappings_open(config, err);
    records.mappings = mappings;
    bool ok = mappings && records_run(&records, err);
    mappings_free(mappings);
    if (!ok)
        return fail(err);
    return records.rejected ? err_exit_code(ERR_INPUT) : 0;
}
