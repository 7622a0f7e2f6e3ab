/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spendlog check: reads the configuration as `run` would, says what every configured model will
 * cost and what looks wrong, runs the tests of the mappings, and asks the servers unless told not
 * to.
 */
#include "cli/command.h"
#include "cli/sample.h"
#include "run/ready.h"

#include "core/clock.h"
#include "core/show.h"
#include "ingest/kafka.h"
#include "ingest/registry.h"
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

const struct option_use check_uses[] = {
    {"strict", NULL, "--print"},
    {"json", NULL, "--print"},
    {"cost-map", NULL, "--print"},
    {"overrides", NULL, "--print"},
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

/* What the steps share, and what came of them. */
struct walk {
    const struct config *config;
    struct book *book;
    size_t warnings, tests, apart;
    int code; /* of the first step that failed */
};

static void told(const char *text, void *context)
{
    (void)context;
    if (!options.json)
        show_line(stdout, "%s", text);
}

static bool check_prices(struct walk *walk, struct err *err)
{
    walk->book = book_open(walk->config, on_finding, &walk->warnings, err);
    if (!walk->book)
        return false;
    book_describe(walk->book, options.json, line_print, NULL);
    if (!options.json)
        printf("price book %s\n", book_id(walk->book));
    return true;
}

static void on_remark(const char *text, void *context)
{
    on_finding(FINDING_WARNING, text, context);
}

static bool check_mapping_set(const char *const names[], size_t count, const struct config *config,
                              const struct yaml_node *defaults, size_t *warnings, size_t *tests,
                              struct err *err)
{
    size_t run = 0;
    struct mappings *set = mappings_compile(names, count, config->mappings, err);
    bool ok = set && mappings_test(set, &run, err) &&
              (!defaults || mappings_defaults(set, defaults, err));
    if (ok && warnings)
        mappings_remarks(set, on_remark, warnings);
    mappings_free(set);
    *tests += run;
    return ok;
}

/* Its certificates and its URL are looked at, it is not asked. */
static bool check_registry(const struct config *config, struct err *err)
{
    struct registry *registry;
    bool ok = registry_open(config, &registry, err);
    registry_free(registry);
    return ok;
}

static bool check_mappings(struct walk *walk, struct err *err)
{
    const struct config *config = walk->config;
    if (!check_registry(config, err) ||
        !check_mapping_set(NULL, 0, config, NULL, &walk->warnings, &walk->tests, err))
        return false;
    for (size_t i = 0; i < config->topic_count; i++) {
        const struct config_topic *topic = &config->topic[i];
        size_t again = 0; /* the same tests as above */
        if (!check_mapping_set(topic->mappings, topic->mapping_count, config, topic->defaults, NULL,
                               &again, err))
            return err_prefix(err, "%s:%u: topic %s", config->path, topic->line, topic->name);
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

static struct consumer *consumer_open(const struct config *config, const char **names,
                                      struct err *err)
{
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
    return consumer_new(&consumer_options, err);
}

/* Broker, topics with their partitions, and the newest message of each, mapped and priced. */
static bool check_kafka(struct walk *walk, struct err *err)
{
    const struct config *config = walk->config;
    char id[128], text[192];
    const char **names = calloc(config->topic_count + 1, sizeof(*names));
    if (!names)
        return err_set(err, ERR_FATAL, "out of memory");
    struct sample sample = {.config = config,
                            .consumer = consumer_open(config, names, err),
                            .book = walk->book,
                            .finding = on_finding,
                            .line = told,
                            .context = &walk->warnings};
    bool ok = sample.consumer && consumer_cluster_id(sample.consumer, 10000, id, sizeof(id), err);
    if (ok) {
        snprintf(text, sizeof(text), "kafka: cluster %s answers", id);
        told(text, NULL);
        ok = sample_topics(&sample, err);
    }
    consumer_close(sample.consumer);
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

static bool check_postgres(struct walk *walk, struct err *err)
{
    const struct config *config = walk->config;
    char text[SERVER_TEXT_BYTES];
    if (!server_check(config->postgres, text, sizeof(text), err))
        return false;
    told(text, NULL);
    return server_check_books(config->postgres, on_books, &walk->warnings, err) &&
           server_check_retention(config->postgres, config->retain_days, on_books, &walk->warnings,
                                  err);
}

/* Only who consumes needs to write. */
static bool check_rights(struct walk *walk, struct err *err)
{
    char text[SERVER_TEXT_BYTES];
    if (!config_reads_kafka(walk->config))
        return true;
    if (!server_check_rights(walk->config->postgres, text, sizeof(text), err))
        return false;
    told(text, NULL);
    return true;
}

/* Rows of the last day: what lies further back is `verify`'s. */
static bool check_drift(struct walk *walk, struct err *err)
{
    return drift_stored(walk->config->postgres, &walk->config->drift, clock_now_us() - CLOCK_DAY_US,
                        INT64_MAX, on_drift, &walk->apart, err);
}

static bool check_ready(struct walk *walk, struct err *err)
{
    return !config_reads_kafka(walk->config) || run_ready(walk->config, err);
}

static bool has_kafka(const struct config *config)
{
    return !options.offline && config_reads_kafka(config);
}

static bool has_postgres(const struct config *config)
{
    return !options.offline && config->postgres;
}

static bool always(const struct config *config)
{
    (void)config;
    return true;
}

enum step {
    STEP_PRICES,
    STEP_MAPPINGS,
    STEP_READY,
    STEP_KAFKA,
    STEP_POSTGRES,
    STEP_RIGHTS,
    STEP_DRIFT,
    STEP_COUNT
};

/* The way of an event, place by place. A step that fails is told and the way goes on where it can,
 * so that one look shows all that is to be mended. */
static const struct {
    bool (*wanted)(const struct config *config);
    unsigned needs; /* steps that it cannot do without, as bits */
    bool (*walk)(struct walk *walk, struct err *err);
} steps[STEP_COUNT] = {
    [STEP_PRICES] = {always, 0, check_prices},
    [STEP_MAPPINGS] = {always, 0, check_mappings},
    [STEP_READY] = {always, 0, check_ready},
    [STEP_KAFKA] = {has_kafka, 1u << STEP_PRICES | 1u << STEP_MAPPINGS | 1u << STEP_READY,
                    check_kafka},
    [STEP_POSTGRES] = {has_postgres, 1u << STEP_READY, check_postgres},
    [STEP_RIGHTS] = {has_postgres, 1u << STEP_POSTGRES, check_rights},
    [STEP_DRIFT] = {has_postgres, 1u << STEP_POSTGRES, check_drift},
};

static void walk_all(struct walk *walk)
{
    unsigned failed = 0;
    for (unsigned i = 0; i < STEP_COUNT; i++) {
        struct err err = {0};
        if (!steps[i].wanted(walk->config))
            continue;
        if ((steps[i].needs & failed) == 0 && steps[i].walk(walk, &err))
            continue;
        failed |= 1u << i;
        if (err.kind != ERR_NONE && walk->code == 0)
            walk->code = fail(&err);
        else if (err.kind != ERR_NONE)
            fail(&err);
    }
}

static void on_clear(const char *text, void *context)
{
    char warning[256];
    snprintf(warning, sizeof(warning),
             "%s stands in the configuration in the clear: os.environ/NAME or file:PATH", text);
    on_finding(FINDING_WARNING, warning, context);
}

int cmd_check(const struct config *config, const struct operands *given, struct err *err)
{
    (void)given;
    struct walk walk = {.config = config};
    if (options.print) {
        /* A name that nobody knows may be a misspelt one whose value is a secret. */
        if (!names_ready(config, err))
            return fail(err);
        config_print(config, stdout);
        return 0;
    }
    if (config_is_empty(config)) {
        err_set(err, ERR_CONFIG, "%s: the file is empty; `spendlog init` writes one", config->path);
        return fail(err);
    }
    if (!options.json && config->tree)
        show_line(stdout, "configuration %s", config->path);
    config_clear_secrets(config, on_clear, &walk.warnings);
    walk_all(&walk);
    book_free(walk.book);
    if (walk.code != 0)
        return walk.code;
    if (!options.json)
        printf("configuration OK: %zu topics, %zu mapping tests passed, %zu warnings\n",
               config->topic_count, walk.tests, walk.warnings);
    return walk.apart > 0 || (options.strict && walk.warnings > 0) ? EXIT_DIFFERENCES : 0;
}
