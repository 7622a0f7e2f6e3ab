/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a configuration has all that a command needs: one row per setting without a default. */
#include "core/config_impl.h"

static bool has_brokers(const struct config *config)
{
    const char *brokers = config_kafka(config, "bootstrap.servers");
    if (!brokers)
        brokers = config_kafka(config, "metadata.broker.list"); /* librdkafka's older name */
    return brokers && brokers[0];
}

static bool has_group(const struct config *config)
{
    const char *group = config_kafka(config, "group.id");
    return group && group[0];
}

static bool has_topics(const struct config *config)
{
    return config->topic_count > 0;
}

static bool has_postgres(const struct config *config)
{
    return config->postgres && config->postgres[0];
}

static const struct need {
    unsigned uses; /* enum config_use, as bits */
    bool (*there)(const struct config *config);
    const char *section, *key, *example;
} need[] = {
    {CONFIG_RUN, has_brokers, "kafka", "kafka: bootstrap.servers", "localhost:9092"},
    {CONFIG_RUN | CONFIG_RETRY, has_group, "kafka", "kafka: group.id", "spendlog"},
    {CONFIG_RUN | CONFIG_RETRY, has_topics, "topics", "topics", "[{name: llm.usage}]"},
    {CONFIG_RUN | CONFIG_RETRY, has_postgres, "postgres", "postgres",
     "host=localhost dbname=spend"},
};

unsigned config_line(const struct config *config, const char *section)
{
    const struct yaml_node *root = config->tree ? yaml_root(config->tree) : NULL;
    const struct yaml_node *node = yaml_get(root, section);
    return node ? node->key->line : 1;
}

static bool missing(const struct config *config, const struct need *row, struct err *err)
{
    return err_set(err, ERR_CONFIG, "%s:%u: %s is not set, for example %s", config->path,
                   config_line(config, row->section), row->key, row->example);
}

bool config_ready(const struct config *config, enum config_use use, struct err *err)
{
    for (size_t i = 0; i < sizeof(need) / sizeof(need[0]); i++)
        if ((need[i].uses & use) && !need[i].there(config))
            return missing(config, &need[i], err);
    return true;
}

bool config_reads_kafka(const struct config *config)
{
    return config->kafka_count > 0 || config->topic_count > 0;
}
