/* SPDX-License-Identifier: Apache-2.0 */
/* Options: rows of tables, parsed by getopt_long(3); help is printed from the same rows. */
#include "cli/command.h"
#include "cli/imports.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/must.h"
#include "core/show.h"
#include "core/yaml.h"
#include "ingest/registry.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS_MAX 48

struct common_options common;

static bool help_wanted;

static const struct option_row common_rows[] = {
    {"config", 'c', "FILE",
     "configuration (default $SPENDLOG_CONFIG, ./spendlog.yaml, "
     "/etc/spendlog/spendlog.yaml)",
     OPTION_TEXT, &common.config},
    {"property", 'X', "KEY=VALUE", "a librdkafka property", OPTION_LIST, &common.properties},
    {"verbose", 'v', NULL, "log more", OPTION_FLAG, &common.verbose},
    {"log-level", 0, "LEVEL", "error, warn, info or debug", OPTION_TEXT, &common.log_level},
    {"log-format", 0, "FORMAT", "text or json", OPTION_TEXT, &common.log_format},
    {"quiet", 'q', NULL, "no progress, and only warnings and errors in the log", OPTION_FLAG,
     &common.quiet},
    {"help", 'h', NULL, "this text", OPTION_FLAG, &help_wanted},
    {0},
};

static const struct option_row book_rows[] = {
    {"cost-map", 0, "FILE", "another cost map than the builtin one", OPTION_TEXT, &common.cost_map},
    {"overrides", 0, "MODE", "merge or litellm", OPTION_TEXT, &common.overrides},
    {0},
};

static const struct option_row mapping_rows[] = {
    {"mapping", 0, "NAME", "read with this mapping only (may be repeated)", OPTION_LIST,
     &common.mappings},
    {0},
};

static size_t rows_collect(const struct command *command, const struct option_row *all[ROWS_MAX])
{
    size_t count = 0;
    const struct option_row *tables[] = {
        command->options, command->takes & TAKES_BOOK ? book_rows : NULL,
        command->takes & TAKES_MAPPINGS ? mapping_rows : NULL, common_rows};
    for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
        for (const struct option_row *row = tables[t]; row && row->name && count < ROWS_MAX; row++)
            all[count++] = row;
    return count;
}

static void help_print(const struct command *command, const struct option_row *const all[],
                       size_t count)
{
    printf("spendlog %s: %s\n\nUsage: spendlog %s %s\n\n", command->name, command->help,
           command->name, command->usage);
    if (command->more)
        printf("%s\n\n", command->more);
    puts("Options:");
    for (size_t i = 0; i < count; i++) {
        char left[64];
        const struct option_row *row = all[i];
        snprintf(left, sizeof(left), "%c%c%s--%s%s%s", row->letter ? '-' : ' ',
                 row->letter ? row->letter : ' ', row->letter ? ", " : "  ", row->name,
                 row->arg ? " " : "", row->arg ? row->arg : "");
        printf("  %-28s %s\n", left, row->help);
    }
}

static bool option_take(const struct option_row *row, const char *value)
{
    if (row->kind == OPTION_FLAG) {
        *(bool *)row->target = true;
        return true;
    }
    if (row->kind == OPTION_TEXT) {
        *(const char **)row->target = value;
        return true;
    }
    struct option_list *list = row->target;
    if (list->count == sizeof(list->value) / sizeof(list->value[0]))
        return false;
    list->value[list->count++] = value;
    return true;
}

static bool log_setup(void)
{
    const char *level = common.log_level ? common.log_level
                        : common.verbose ? "debug"
                        : common.quiet   ? "warn"
                                         : "info";
    return log_init(level, common.log_format ? common.log_format : "text");
}

/* Always usage_error(), with the option that was meant. */
static int unknown_option(const struct command *command, const char *word,
                          const struct option_row *const row[], size_t count)
{
    const char *names[ROWS_MAX], *bare = word + strspn(word, "-");
    for (size_t i = 0; i < count; i++)
        names[i] = row[i]->name;
    const char *near = strncmp(word, "--", 2) == 0
                           ? yaml_suggest((struct slice){bare, strcspn(bare, "=")}, names, count)
                           : NULL;
    return usage_error(
        command, near ? "unknown option \"%s\" (did you mean --%s?)" : "unknown option \"%s\"",
        word, near);
}

static bool row_given(const struct option_row *row)
{
    return row->kind == OPTION_FLAG   ? *(const bool *)row->target
           : row->kind == OPTION_TEXT ? *(const char *const *)row->target != NULL
                                      : ((const struct option_list *)row->target)->count > 0;
}

/* Whether a word of a table of uses stands on the command line. */
static bool word_given(struct slice word, const struct option_row *const row[], size_t count,
                       const struct operands *given)
{
    if (!slice_starts(word, SLICE("--")))
        return given->count > 0 && slice_is(word, given->text[0]);
    for (size_t i = 0; i < count; i++)
        if (slice_is((struct slice){word.p + 2, word.bytes - 2}, row[i]->name))
            return row_given(row[i]);
    return false;
}

/* The first of the words that stands there; no text: none does. */
static struct slice any_given(const char *words, const struct option_row *const row[], size_t count,
                              const struct operands *given)
{
    while (words && *words) {
        struct slice word = {words, strcspn(words, " ")};
        if (word_given(word, row, count, given))
            return word;
        words += word.bytes + strspn(words + word.bytes, " ");
    }
    return (struct slice){0};
}

static int use_missed(const struct command *command, const struct option_use *use)
{
    struct buf words;
    buf_init(&words, 256);
    for (const char *c = use->with; *c; c++)
        buf_add_text(&words, *c == ' ' ? " or " : (const char[]){*c, '\0'});
    int code = usage_error(command, "--%s goes with " SLICE_FMT, use->option,
                           SLICE_ARG(buf_slice(&words)));
    buf_free(&words);
    return code;
}

static int uses_check(const struct command *command, const struct option_row *const row[],
                      size_t count, const struct operands *given)
{
    for (const struct option_use *use = command->uses; use && use->option; use++) {
        size_t i = 0;
        while (i < count && strcmp(row[i]->name, use->option) != 0)
            i++;
        MUST(i < count, i); /* a table names options of its command */
        if (!row_given(row[i]))
            continue;
        if (use->with && !any_given(use->with, row, count, given).bytes)
            return use_missed(command, use);
        struct slice other = any_given(use->not_with, row, count, given);
        if (other.bytes)
            return usage_error(command, "--%s and " SLICE_FMT " exclude each other", use->option,
                               SLICE_ARG(other));
    }
    return GO_ON;
}

/* What getopt_long() stumbled over. Of several letters behind one dash it has not left the word
 * yet. */
static int refused_option(const struct command *command, char **argv,
                          const struct option_row *const row[], size_t count)
{
    const char *last = argv[optind - 1];
    if (optopt >= 256)
        return usage_error(command, "--%s takes no value", row[optopt - 256]->name);
    if (!optopt)
        return unknown_option(command, last, row, count);
    bool left = last[0] == '-' && last[strlen(last) - 1] == optopt;
    const char letter[] = {'-', (char)optopt, '\0'};
    if (optopt >= '0' && optopt <= '9')
        return usage_error(command, "\"%s\": a negative number is not taken here",
                           left ? last : argv[optind]);
    return unknown_option(command, letter, row, count);
}

int options_parse(const struct command *command, int argc, char **argv, struct operands *given)
{
    const struct option_row *row[ROWS_MAX];
    struct option longs[ROWS_MAX + 1] = {0};
    char shorts[ROWS_MAX * 2 + 2] = ":";
    size_t count = rows_collect(command, row), used = 1;
    int code;

    for (size_t i = 0; i < count; i++) {
        longs[i] = (struct option){row[i]->name, row[i]->arg ? required_argument : no_argument,
                                   NULL, 256 + (int)i};
        if (row[i]->letter) {
            shorts[used++] = row[i]->letter;
            if (row[i]->arg)
                shorts[used++] = ':';
        }
    }
    optind = 1;
    while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        size_t i = code >= 256 ? (size_t)code - 256 : 0;
        if (code < 256)
            while (i < count && row[i]->letter != code)
                i++;
        if (code == ':')
            return usage_error(command, "\"%s\" needs a value", argv[optind - 1]);
        if (code == '?')
            return refused_option(command, argv, row, count);
        if (!option_take(row[i], optarg))
            return usage_error(command, "--%s: at most %d times", row[i]->name, OPTION_VALUES_MAX);
    }
    if (help_wanted) {
        help_print(command, row, count);
        return 0;
    }
    if (!log_setup())
        return usage_error(command, "--log-level or --log-format: unknown word");
    *given = (struct operands){argc - optind, argv + optind};
    return uses_check(command, row, count, given);
}

bool option_time(const char *option, const char *text, int64_t *us, struct err *err)
{
    char whole[CLOCK_TEXT_MAX];
    size_t bytes = text ? strlen(text) : 0;
    if (!text)
        return true;
    int written = snprintf(whole, sizeof(whole), "%s%s", text,
                           bytes == 7    ? "-01T00:00:00Z"
                           : bytes == 10 ? "T00:00:00Z"
                                         : "");
    if (written > 0 && (size_t)written < sizeof(whole) && clock_parse(slice_of(whole), us))
        return true;
    return err_set(err, ERR_USAGE,
                   "--%s: \"%s\" is not a time: write 2026-10, 2026-10-03 or 2026-10-03T12:00:00Z",
                   option, text);
}

int fail(const struct err *err)
{
    show_line(stderr, "spendlog: %s", err->text);
    return err_exit_code(err->kind);
}

int usage_error(const struct command *command, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    show_line(stderr, "spendlog %s: %s; see `spendlog %s --help`", command->name, text,
              command->name);
    return err_exit_code(ERR_USAGE);
}

static const char *config_path(void)
{
    static const char *const usual[] = {"./spendlog.yaml", "/etc/spendlog/spendlog.yaml"};
    const char *path = common.config ? common.config : getenv("SPENDLOG_CONFIG");
    if (path && path[0])
        return path;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        if (access(usual[i], F_OK) == 0) /* one that cannot be read is told, not passed over */
            return usual[i];
    return NULL;
}

int operands_none(const struct command *command, const struct operands *given)
{
    return given->count == 0 ? GO_ON
                             : usage_error(command, "unexpected argument \"%s\"", given->text[0]);
}

bool operands_are(const struct operands *given, const char *verb, int count)
{
    return given->count == count && strcmp(given->text[0], verb) == 0;
}

bool config_has_postgres(const struct config *config, struct err *err)
{
    return config->postgres || err_set(err, ERR_CONFIG, "%s: postgres is not set", config->path);
}

bool config_open(struct config *config, bool may_be_absent, struct err *err)
{
    const char *path = config_path();
    bool ok = true;
    if (common.config && !common.config[0])
        return err_set(err, ERR_USAGE, "-c names no file: it is empty");
    if (!path && !may_be_absent)
        return err_set(
            err, ERR_CONFIG,
            "no configuration: neither ./spendlog.yaml nor /etc/spendlog/spendlog.yaml is "
            "there; `spendlog init` writes one, -c FILE names another");
    if (path)
        ok = config_load(config, path, err);
    else
        config_default(config);
    for (size_t i = 0; ok && i < common.properties.count; i++)
        ok = config_kafka_set(config, common.properties.value[i], err);
    if (!ok)
        config_free(config);
    return ok;
}

static bool overrides_of(const struct config *config, enum overrides_mode *mode, struct err *err)
{
    *mode = config->overrides_litellm ? OVERRIDES_LITELLM : OVERRIDES_MERGE;
    if (!common.overrides)
        return true;
    *mode = strcmp(common.overrides, "litellm") == 0 ? OVERRIDES_LITELLM : OVERRIDES_MERGE;
    return *mode == OVERRIDES_LITELLM || strcmp(common.overrides, "merge") == 0 ||
           err_set(err, ERR_USAGE, "--overrides: \"%s\" is neither merge nor litellm",
                   common.overrides);
}

/* What the options point to lives until they are made again. */
bool book_options_of(const struct config *config, struct book_options *options, struct err *err)
{
    static struct cost_map_source from_command_line;
    static struct imports imports;
    imports_free(&imports);
    *options = (struct book_options){
        .cost_maps = config->cost_map,
        .cost_map_count = config->cost_map_count,
        .litellm_config = config->litellm_config,
        .litellm_origin = config->litellm_origin,
        .reported_cost = (enum reported_cost_mode)config->reported_cost,
        .unknown_keys = (enum unknown_keys_mode)config->unknown_price_keys,
    };
    if (!overrides_of(config, &options->overrides, err))
        return false;
    if (common.cost_map) {
        from_command_line = (struct cost_map_source){common.cost_map, INT64_MIN, NULL};
        options->cost_maps = &from_command_line;
        options->cost_map_count = 1;
        return true;
    }
    if (!imports_read(&imports, config, err))
        return false;
    if (imports.count > 0) {
        options->cost_maps = imports.source;
        options->cost_map_count = imports.count;
    }
    return true;
}

struct book *book_open(const struct config *config, finding_fn *finding, void *context,
                       struct err *err)
{
    struct book_options options;
    return book_options_of(config, &options, err) ? book_load(&options, finding, context, err)
                                                  : NULL;
}

struct mappings *mappings_open(const struct config *config, struct err *err)
{
    static struct registry *registry; /* of the process: the set borrows it */
    if (!registry && !registry_open(config, &registry, err))
        return NULL;
    struct mappings *set =
        mappings_compile(common.mappings.value, common.mappings.count, config->mappings, err);
    if (set)
        mappings_registry(set, registry);
    return set;
}
