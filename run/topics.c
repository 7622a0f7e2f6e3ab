/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each topic's mappings are compiled once, when the service starts. A name is looked for among the
 * topics that are written out first, then among the patterns, each in the order of the
 * configuration.
 */
#include "run/topics.h"

#include "core/must.h"

#include <stdlib.h>
#include <string.h>

static bool topic_open(struct topic *to, const struct config *config,
                       const struct config_topic *from, struct registry *registry, struct err *err)
{
    to->start_latest = from->start_latest;
    to->mappings = mappings_compile(from->mappings, from->mapping_count, config->mappings, err);
    if (!to->mappings)
        return err_prefix(err, "%s:%u: topic %s", config->path, from->line, from->name);
    mappings_registry(to->mappings, registry);
    if (from->otlp)
        mappings_otlp(to->mappings);
    if ((from->defaults && !mappings_defaults(to->mappings, from->defaults, err)))
        return false;
    /* libc's, not core/pattern.h: what librdkafka subscribes by. */
    if (from->name[0] == '^' && regcomp(&to->regex, from->name, REG_EXTENDED | REG_NOSUB) != 0)
        return err_set(err, ERR_CONFIG, "%s:%u: \"%s\" is not a regular expression", config->path,
                       from->line, from->name);
    to->pattern = from->name;
    return true;
}

bool topics_open(struct topics *topics, const struct config *config, struct err *err)
{
    *topics = (struct topics){0};
    if (config->topic_count == 0)
        return err_set(err, ERR_CONFIG, "%s: no topics to read", config->path);
    topics->topic = calloc(config->topic_count, sizeof(*topics->topic));
    topics->pattern = calloc(config->topic_count, sizeof(*topics->pattern));
    if (!topics->topic || !topics->pattern) {
        topics_free(topics);
        return err_set(err, ERR_FATAL, "out of memory");
    }
    topics->count = config->topic_count;
    if (!registry_open(config, &topics->registry, err)) {
        topics_free(topics);
        return false;
    }
    for (size_t i = 0; i < topics->count; i++)
        topics->pattern[i] = config->topic[i].name;
    for (size_t i = 0; i < topics->count; i++)
        if (!topic_open(&topics->topic[i], config, &config->topic[i], topics->registry, err)) {
            topics_free(topics);
            return false;
        }
    return true;
}

void topics_free(struct topics *topics)
{
    for (size_t i = 0; i < topics->count; i++) {
        struct topic *topic = &topics->topic[i];
        if (topic->pattern && topic->pattern[0] == '^')
            regfree(&topic->regex);
        mappings_free(topic->mappings);
    }
    registry_free(topics->registry);
    free(topics->topic);
    free(topics->pattern);
    *topics = (struct topics){0};
}

static bool topic_matches(const struct topic *topic, const char *name)
{
    return topic->pattern[0] == '^' ? regexec(&topic->regex, name, 0, NULL, 0) == 0
                                    : strcmp(topic->pattern, name) == 0;
}

const struct topic *topics_find(const struct topics *topics, const char *name)
{
    MUST(topics->count > 0);
    for (int pattern = 0; pattern < 2; pattern++)
        for (size_t i = 0; i < topics->count; i++) {
            const struct topic *topic = &topics->topic[i];
            if ((topic->pattern[0] == '^') == pattern && topic_matches(topic, name))
                return topic;
        }
    return NULL;
}

struct message topic_message(const struct kafka_message *message)
{
    return (struct message){
        .bytes = message->value,
        .tombstone = message->tombstone,
        .kafka_time_us = message->time_ms > 0 ? message->time_ms * 1000 : 0,
        .envelope = message->envelope,
        .topic = slice_of(message->topic),
        .partition = message->partition,
    };
}
