/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spendlog check: reads the configuration as `run` would, says what every configured model will
 * cost and what looks wrong, runs the tests of the mappings, and asks the servers unless told not
 * to.
 */
#include "cli/command.h"
#include "run/ready.h"

#include "core/clock.h"
#include "core/show.h"
#include "ingest/kafka.h"
#include "store/server_check.h"
#include "store/stored_drift.h"

#include <stdlib.h>
#include <string.h>

static struct {
    bool strict, offline, print, json;
} options;

const struct option_row check_options[] = {
    {"strict", 0, NULL, "warnings are failures: exit 1", OPTION_FLAG, &options.strict},
    {"offline", 0, NULL, "ask no server", OPTION_FLAG, &options.offline},
    {"print", 0, NULL, "print the effective configuration, secrets left out", OPTION_FLAG,
     &options.print},
    {"json", 0, NULL, "one JSON object per configured deployment", OPTION_FLAG, &options.json},
    {0},
};

static void on_finding(enum finding_level level, const char *text, void *context)
{
    size_t *warnings = context;
    if (level == FINDING_WARNING)
        (*warnings)++;
    show_line(stderr, "%s: %s", level == FINDING_WARNING ? "warning" : "note", text);
}

static void line_print(const char *text, void *context)
{
    (void)context;
    show_line(stdout, "%s", text);
}

static bool check_prices(const struct config *config, size_t *warnings, struct err *err)
{
    struct book *book = book_open(config, on_finding, warnings, err);
    if (!book)
        return false;
    book_describe(book, options.json, line_print, NULL);
    if (!options.json)
        printf("price book %s\n", book_id(book));
    book_free(book);
    return true;
}

static bool check_mapping_set(const char *const names[], size_t count, const struct config *config,
                              const struct yaml_node *defaults, size_t *tests, struct err *err)
{
    size_t run = 0;
    struct mappings *set = mappings_compile(names, count, config->mappings, err);
    bool ok = set && mappings_test(set, &run, err) &&
              (!defaults || mappings_defaults(set, defaults, err));
    mappings_free(set);
    *tests += run;
    return ok;
}

static bool check_mappings(const struct config *config, size_t *tests, struct err *err)
{
    if (!check_mapping_set(NULL, 0, config, NULL, tests, err))
        return false;
    for (size_t i = 0; i < config->topic_count; i++) {
        const struct config_topic *topic = &config->topic[i];
        size_t again = 0; /* the same tests as above */
        if (!check_mapping_set(topic->mappings, topic->mapping_count, config, topic->defaults,
                               &again, err))
            return err_prefix(err, "topic %s", topic->name);
    }
    return true;
}

static void handler_assigned(void *context, const struct kafka_partition *partitions, size_t count)
{
    (void)context, (void)partitions, (void)count;
}

static void handler_revoked(void *context, bool lost)
{
    (void)context, (void)lost;
}

static bool check_topics(const struct config *config, struct consumer *consumer, struct err *err)
{
    const char *missing;
    if (!consumer_topic_missing(consumer, &missing, err))
        return false;
    for (size_t i = 0; missing && i < config->topic_count; i++)
        if (strcmp(config->topic[i].name, missing) == 0)
            return err_set(err, ERR_CONFIG, "%s:%u: topic %s does not exist", config->path,
                           config->topic[i].line, missing);
    return true;
}

static bool check_kafka(const struct config *config, struct err *err)
{
    char id[128];
    const char **names = calloc(config->topic_count, sizeof(*names));
    if (!names)
        return err_set(err, ERR_FATAL, "out of memory");
    for (size_t i = 0; i < config->topic_count; i++)
        names[i] = config->topic[i].name;
    struct consumer_options consumer_options = {
        .property = config->kafka,
        .property_count = config->kafka_count,
        .topic = names,
        .topic_count = config->topic_count,
        .lanes = 1,
        .handler = {handler_assigned, handler_revoked},
    };
    struct consumer *consumer = consumer_new(&consumer_options, err);
    bool ok = consumer && consumer_cluster_id(consumer, 10000, id, sizeof(id), err);
    if (ok && !options.json)
        show_line(stdout, "kafka: cluster %s answers", id);
    ok = ok && check_topics(config, consumer, err);
    consumer_close(consumer);
    free(names);
    return ok;
}

static void on_books(const char *text, void *context)
{
    on_finding(FINDING_WARNING, text, context);
}

static void on_drift(const char *text, void *context)
{
    (*(size_t *)context)++;
    show_line(stderr, "drift: %s", text);
}

static bool check_postgres(const struct config *config, size_t *warnings, struct err *err)
{
    char text[256];
    if (options.offline || !config->postgres)
        return true;
    if (!server_check(config->postgres, text, sizeof(text), err))
        return false;
    show_line(stdout, "postgres: %s", text);
    return server_check_books(config->postgres, on_books, warnings, err) &&
           server_check_retention(config->postgres, config->retain_days, on_books, warnings, err);
}

/* Rows of the last day: what lies further back is `verify`'s. */
static bool check_drift(const struct config *config, size_t *apart, struct err *err)
{
    if (options.offline || !config->postgres)
        return true;
    return drift_stored(config->postgres, &config->drift, clock_now_us() - CLOCK_DAY_US, INT64_MAX,
                        on_drift, apart, err);
}

static void on_clear(const char *text, void *context)
{
    char warning[256];
    snprintf(warning, sizeof(warning),
             "%s stands in the configuration in the clear: os.environ/NAME or file:PATH", text);
    on_finding(FINDING_WARNING, warning, context);
}

static int check(const struct config *config, struct err *err)
{
    size_t warnings = 0, tests = 0, apart = 0;
    if (options.print) {
        /* A name that nobody knows may be a misspelt one whose value is a secret. */
        if (!names_ready(config, err))
            return fail(err);
        config_print(config, stdout);
        return 0;
    }
    config_clear_secrets(config, on_clear, &warnings);
    if (!check_prices(config, &warnings, err) || !check_mappings(config, &tests, err))
        return fail(err);
    if (config_reads_kafka(config) &&
        (!run_ready(config, err) || (!options.offline && !check_kafka(config, err))))
        return fail(err);
    if (!check_postgres(config, &warnings, err) || !check_drift(config, &apart, err))
        return fail(err);
    if (!options.json)
        printf("configuration OK: %zu topics, %zu mapping tests passed, %zu warnings\n",
               config->topic_count, tests, warnings);
    return apart > 0 || (options.strict && warnings > 0) ? EXIT_DIFFERENCES : 0;
}

int cmd_check(const struct command *command, int argc, char **argv)
{
    struct config config;
    struct err err = {0};
    int first;
    int code = options_parse(command, argc, argv, &first);

    if (code >= 0)
        return code;
    if (first < argc)
        return usage_error(command, "unexpected argument \"%s\"", argv[first]);
    if (!config_open(&config, true, &err))
        return fail(&err);
    code = check(&config, &err);
    config_free(&config);
    return code;
}
