/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that are trees: kafka, topics, pricing.cost_map, mappings. */
#include "core/clock.h"
#include "core/config_impl.h"

#include <regex.h>
#include <stdlib.h>

#define TOPIC_NAME_MAX 249 /* Kafka's org.apache.kafka.common.internals.Topic */

static void *list_alloc(struct config *config, size_t count, size_t bytes, struct err *err)
{
    void *list = arena_zalloc(&config->arena, (count ? count : 1) * bytes);
    if (!list)
        err_set(err, ERR_CONFIG, "%s: too large", config->path);
    return list;
}

/* --- kafka ----------------------------------------------------------------------------------- */

bool config_kafka_refused(const char *name)
{
    static const char *const prefixes[] = {"enable.auto.",    "auto.offset.reset",
                                           "isolation.level", "partition.assignment.strategy",
                                           "group.protocol",  "enable.partition.eof"};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

#define REFUSED "cannot be set: exactly-once depends on spendlog's own value"

bool config_origin(struct config *config, const struct yaml_node *node, const char **origin,
                   struct err *err)
{
    size_t bytes = strlen(node->file) + 16;
    char *text = list_alloc(config, bytes, 1, err);
    if (text)
        snprintf(text, bytes, "%s:%u", node->file, node->key ? node->key->line : node->line);
    *origin = text;
    return text != NULL;
}

static bool read_kafka(struct config *config, const struct yaml_node *node, struct err *err)
{
    if (node->kind != YAML_MAP)
        return yaml_err(err, node, "kafka: a map of librdkafka properties expected");
    config->kafka = list_alloc(config, node->count, sizeof(*config->kafka), err);
    config->kafka_written = list_alloc(config, node->count, sizeof(*config->kafka_written), err);
    if (!config->kafka || !config->kafka_written)
        return false;
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        struct kafka_property *property = &config->kafka[config->kafka_count];
        struct config_secret *written = &config->kafka_written[config->kafka_count];
        property->name = child->key->text.p;
        if (config_kafka_refused(property->name))
            return yaml_err(err, child->key, "\"%s\" " REFUSED, property->name);
        if (child->kind != YAML_SCALAR)
            return yaml_err(err, child, "%s: a single value expected", property->name);
        if (!config_secret_read(config, child->text.p, child, written, err) ||
            !config_origin(config, child, &property->origin, err))
            return false;
        property->value = written->value;
        config->kafka_count++;
    }
    return true;
}

const char *config_kafka(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->kafka_count; i++)
        if (strcmp(config->kafka[i].name, name) == 0)
            return config->kafka[i].value;
    return NULL;
}

/* The property of that name, or a new one at the end of longer lists; NULL: no memory. */
static struct kafka_property *kafka_slot(struct config *config, const char *name, struct err *err)
{
    size_t count = config->kafka_count;
    for (size_t i = 0; i < count; i++)
        if (strcmp(config->kafka[i].name, name) == 0)
            return &config->kafka[i];
    struct kafka_property *kafka = list_alloc(config, count + 1, sizeof(*kafka), err);
    struct config_secret *written = list_alloc(config, count + 1, sizeof(*written), err);
    if (!kafka || !written)
        return NULL;
    if (count > 0) {
        memcpy(kafka, config->kafka, count * sizeof(*kafka));
        memcpy(written, config->kafka_written, count * sizeof(*written));
    }
    config->kafka = kafka;
    config->kafka_written = written;
    kafka[count].name = name;
    return &config->kafka[config->kafka_count++];
}

bool config_kafka_set(struct config *config, const char *assignment, struct err *err)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return err_set(err, ERR_USAGE, "-X %s: name=value expected", assignment);
    char *name =
        arena_text(&config->arena, (struct slice){assignment, (size_t)(equals - assignment)});
    char *value = arena_text(&config->arena, slice_of(equals + 1));
    if (!name || !value)
        return err_set(err, ERR_CONFIG, "-X %.200s: too large", assignment);
    if (config_kafka_refused(name))
        return err_set(err, ERR_CONFIG, "-X: \"%s\" " REFUSED, name);
    struct kafka_property *property = kafka_slot(config, name, err);
    if (!property)
        return false;
    struct config_secret *written = &config->kafka_written[property - config->kafka];
    property->origin = "-X";
    if (!config_secret_read(config, value, NULL, written, err))
        return err_prefix(err, "-X %s", name);
    property->value = written->value;
    return true;
}

/* --- topics ---------------------------------------------------------------------------------- */

static bool topic_name_check(const struct yaml_node *node, struct err *err)
{
    regex_t regex;
    const char *name = node->text.p;
    if (name[0] == '^') {
        /* libc's, not core/pattern.h: what librdkafka subscribes by. */
        if (regcomp(&regex, name, REG_EXTENDED | REG_NOSUB) != 0)
            return yaml_err(err, node, "name: \"%s\" is not a regular expression", name);
        regfree(&regex);
        return true;
    }
    for (const char *p = name; *p; p++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *p))
            return yaml_err(err, node,
                            "name: \"%s\" is not a topic name; a regular expression starts with ^",
                            name);
    if (name[0] == '\0' || strlen(name) > TOPIC_NAME_MAX)
        return yaml_err(err, node, "name: 1 to %d characters expected", TOPIC_NAME_MAX);
    return true;
}

static bool topic_mappings(struct config *config, const struct yaml_node *node,
                           struct config_topic *topic, struct err *err)
{
    if (!node || node->kind == YAML_NULL)
        return true;
    if (node->kind != YAML_LIST || node->count == 0)
        return yaml_err(err, node, "mappings: a list of names expected");
    const char **names = list_alloc(config, node->count, sizeof(*names), err);
    if (!names)
        return false;
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        if (child->kind != YAML_SCALAR)
            return yaml_err(err, child, "mappings: a list of names expected");
        names[topic->mapping_count++] = child->text.p;
    }
    topic->mappings = names;
    return true;
}

static bool topic_start(const struct yaml_node *node, struct config_topic *topic, struct err *err)
{
    if (!node || node->kind == YAML_NULL)
        return true;
    topic->start_latest = slice_is(node->text, "latest");
    if (node->kind == YAML_SCALAR && (topic->start_latest || slice_is(node->text, "earliest")))
        return true;
    return yaml_err(err, node, "start: earliest or latest expected");
}

static bool topic_format(const struct yaml_node *node, struct config_topic *topic, struct err *err)
{
    if (!node || node->kind == YAML_NULL)
        return true;
    topic->otlp = slice_is(node->text, "otlp");
    if (node->kind == YAML_SCALAR && (topic->otlp || slice_is(node->text, "auto")))
        return true;
    return yaml_err(err, node, "format: auto or otlp expected");
}

static bool read_topic(struct config *config, const struct yaml_node *node,
                       struct config_topic *topic, struct err *err)
{
    static const char *const keys[] = {"name", "mappings", "defaults", "start", "format"};
    if (node->kind != YAML_MAP)
        return yaml_err(err, node, "topics: a list of maps with a name expected");
    if (!yaml_only(node, keys, sizeof(keys) / sizeof(keys[0]), err))
        return false;
    const struct yaml_node *name = yaml_get(node, "name");
    const struct yaml_node *defaults = yaml_get(node, "defaults");
    if (!name || name->kind != YAML_SCALAR)
        return yaml_err(err, name ? name : node, "topics: a topic needs a name");
    if (defaults && defaults->kind != YAML_MAP && defaults->kind != YAML_NULL)
        return yaml_err(err, defaults, "defaults: a map of fields expected");
    topic->name = name->text.p;
    topic->line = name->line;
    topic->defaults = defaults && defaults->kind == YAML_MAP ? defaults : NULL;
    for (const struct config_topic *other = config->topic; other < topic; other++)
        if (strcmp(other->name, topic->name) == 0)
            return yaml_err(err, name, "topic \"%s\" is in the list already", topic->name);
    return topic_name_check(name, err) &&
           topic_mappings(config, yaml_get(node, "mappings"), topic, err) &&
           topic_start(yaml_get(node, "start"), topic, err) &&
           topic_format(yaml_get(node, "format"), topic, err);
}

static bool read_topics(struct config *config, const struct yaml_node *node, struct err *err)
{
    if (node->kind != YAML_LIST)
        return yaml_err(err, node, "topics: a list expected");
    config->topic = list_alloc(config, node->count, sizeof(*config->topic), err);
    if (!config->topic)
        return false;
    for (const struct yaml_node *child = node->children; child; child = child->next)
        if (!read_topic(config, child, &config->topic[config->topic_count++], err))
            return false;
    return true;
}

/* --- pricing.cost_map ------------------------------------------------------------------------ */

static bool cost_map_file(struct config *config, const struct yaml_node *node,
                          struct cost_map_source *source, struct err *err)
{
    if (slice_is(node->text, "builtin"))
        return true;
    source->file = config_path(config, node->text.p, err);
    return source->file && config_origin(config, node, &source->origin, err);
}

static bool read_cost_map_entry(struct config *config, const struct yaml_node *node,
                                struct cost_map_source *source, struct err *err)
{
    static const char *const keys[] = {"file", "effective_from"};
    if (node->kind != YAML_MAP)
        return yaml_err(err, node, "cost_map: a list of {file, effective_from} expected");
    if (!yaml_only(node, keys, sizeof(keys) / sizeof(keys[0]), err))
        return false;
    const struct yaml_node *file = yaml_get(node, "file");
    const struct yaml_node *from = yaml_get(node, "effective_from");
    if (!file || file->kind != YAML_SCALAR)
        return yaml_err(err, file ? file : node, "cost_map: an entry needs a file, or builtin");
    source->effective_from_us = INT64_MIN;
    if (from && from->kind != YAML_NULL && !clock_parse(from->text, &source->effective_from_us))
        return yaml_err(err, from, "effective_from: an RFC 3339 time expected");
    if (source > config->cost_map && source->effective_from_us <= source[-1].effective_from_us)
        return yaml_err(err, from ? from : node,
                        "effective_from: must be later than the entry's before");
    return cost_map_file(config, file, source, err);
}

static bool read_cost_map(struct config *config, const struct yaml_node *node, struct err *err)
{
    bool builtin = node->kind == YAML_SCALAR && slice_is(node->text, "builtin");
    if (builtin)
        return true;
    if (node->kind != YAML_LIST && node->kind != YAML_SCALAR)
        return yaml_err(err, node, "cost_map: builtin, a file, or a list expected");
    size_t count = node->kind == YAML_LIST ? node->count : 1;
    if (count == 0 || (node->kind == YAML_SCALAR && node->text.bytes == 0))
        return yaml_err(err, node, "cost_map: nothing named");
    config->cost_map = list_alloc(config, count, sizeof(*config->cost_map), err);
    if (!config->cost_map)
        return false;
    if (node->kind == YAML_SCALAR) {
        config->cost_map[config->cost_map_count++].effective_from_us = INT64_MIN;
        return cost_map_file(config, node, config->cost_map, err);
    }
    for (const struct yaml_node *child = node->children; child; child = child->next)
        if (!read_cost_map_entry(config, child, &config->cost_map[config->cost_map_count++], err))
            return false;
    return true;
}

/* --- mappings -------------------------------------------------------------------------------- */

/* Kept as they are: ingest compiles them. */
static bool read_mappings(struct config *config, const struct yaml_node *node, struct err *err)
{
    if (node->kind != YAML_LIST)
        return yaml_err(err, node, "mappings: a list expected");
    config->mappings = node->count > 0 ? node : NULL;
    return true;
}

bool node_read(struct config *config, const struct setting *row, const struct yaml_node *node,
               struct err *err)
{
    static const struct {
        const char *name;
        bool (*read)(struct config *config, const struct yaml_node *node, struct err *err);
    } readers[] = {
        {"kafka", read_kafka},
        {"topics", read_topics},
        {"pricing.cost_map", read_cost_map},
        {"mappings", read_mappings},
    };
    size_t i = 0;
    while (strcmp(readers[i].name, row->name) != 0)
        i++;
    return readers[i].read(config, node, err);
}
