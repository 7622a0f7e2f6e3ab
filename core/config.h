/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spendlog.yaml, read into plain fields. One row of config.def per setting; everything that is
 * wrong with a file is ERR_CONFIG with file, line, column and, for words, a suggestion.
 *
 *     struct config config;
 *     if (!config_load(&config, path, &err)) ...
 *     config_free(&config);
 *
 * Immutable once loaded and overridden from the command line; shared by all lanes.
 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include "core/arena.h"
#include "core/sanity.h"
#include "core/seal.h"
#include "core/sources.h"
#include "core/yaml.h"

#include <stdio.h>

#define LANES_MAX 64

enum payload_policy { PAYLOADS_DROP, PAYLOADS_KEEP, PAYLOADS_ENCRYPT };

enum privacy_policy { PRIVACY_KEEP, PRIVACY_HASH, PRIVACY_DROP };

struct config_privacy {
    unsigned end_user, ip; /* enum privacy_policy */
};

struct config_topic {
    const char *name; /* or a regular expression that starts with ^ */
    unsigned line;
    const char *const *mappings; /* in order; count 0 = all built in */
    size_t mapping_count;
    const struct yaml_node *defaults; /* a map, or NULL */
    unsigned start_latest;            /* 0: earliest */
    bool otlp;                        /* `format: otlp`: what is not JSON is OTLP as protobuf */
};

struct config_secret {
    const char *written; /* may be a reference (secret.h); NULL = not set */
    const char *value;   /* never printed */
};

/* When our price and the gateway's own are an alarm: core/drift.h. */
struct config_drift {
    unsigned events;    /* so many of one way of pricing; 0: never */
    unsigned tolerance; /* hundredths of a percent of the gateway's figure */
};

struct config {
    const char *path; /* as given; "defaults" without a file */

    struct kafka_property *kafka;
    struct config_secret *kafka_written; /* one per property */
    size_t kafka_count;
    unsigned kafka_gap_skip; /* 0: stop */
    struct config_topic *topic;
    size_t topic_count;

    const char *postgres; /* NULL = not set */
    struct config_secret postgres_secret;

    struct cost_map_source *cost_map; /* ascending in time; count 0 = the builtin map */
    size_t cost_map_count;
    const char *litellm_config;  /* or NULL */
    const char *litellm_origin;  /* "file:line" of the setting; NULL: it is the file itself */
    unsigned overrides_litellm;  /* 0: merge */
    unsigned reported_cost;      /* 0 fallback, 1 prefer, 2 ignore */
    unsigned watch_s;            /* 0: never */
    const char *imported;        /* folder; "" = none */
    unsigned unknown_price_keys; /* 0 flag, 1 unprice, 2 refuse */

    struct config_drift drift;
    const struct yaml_node *mappings; /* a list, or NULL */

    const char *member;     /* "" = host and file */
    unsigned lanes;         /* at least 1 */
    unsigned lanes_setting; /* 0: auto */
    unsigned batch_rows, batch_wait_ms, batch_bytes;

    unsigned retain_days, future_days; /* retain_days 0: for ever */
    unsigned payloads;                 /* enum payload_policy */
    struct config_secret registry_url, registry_credentials;
    const char *registry_ca;          /* or NULL */
    struct config_secret payload_key; /* always a reference */
    struct seal_keys payload_keys;    /* read from it; count 0: not set */
    struct sanity_limits limits;
    struct config_privacy privacy;
    const char *metrics_listen; /* "host:port"; "" = none */
    unsigned ready_s;
    const char *control_socket; /* "" = none */

    struct arena arena; /* holds all of the above */
    struct yaml_tree *tree;
    const char *folder; /* of the file; "" = the working directory */
};

/* A LiteLLM config.yaml (it has model_list or litellm_settings and no key of ours) gives the
 * defaults with pricing.litellm_config set to it. On failure nothing needs to be freed. */
bool config_load(struct config *config, const char *path, struct err *err) MUST_CHECK;
void config_default(struct config *config);
void config_free(struct config *config);

/* Whether its file says nothing at all. */
bool config_is_empty(const struct config *config);

/* Keys that rejected messages are stored with; NULL: in the clear, or not at all. */
const struct seal_keys *config_sealing(const struct config *config);

/* The value of a librdkafka property, NULL when it is not set. */
const char *config_kafka(const struct config *config, const char *name);

/* Sets a property from "name=value" (-X). ERR_USAGE: no such form; ERR_CONFIG: a refused property.
 */
bool config_kafka_set(struct config *config, const char *assignment, struct err *err) MUST_CHECK;

/* Whether every setting that a command needs and that has no default is there. ERR_CONFIG with file
 * and line. `run` and `check` ask before they open anything. */
enum config_use { CONFIG_RUN = 1, CONFIG_RETRY = 2 };
bool config_ready(const struct config *config, enum config_use use, struct err *err) MUST_CHECK;
/* What went wrong with the file, folder or address that a setting names: where the setting stands
 * goes before the error's text. Always false. */
bool config_blame(const struct config *config, const char *name, struct err *err);
/* Line of a section of the file, or where it would stand: the first. */
unsigned config_line(const struct config *config, const char *section);
/* Whether it is meant for `run`; many are only prices, or a database to report from. */
bool config_reads_kafka(const struct config *config);

/* Properties that exactly-once depends on and spendlog sets itself. */
bool config_kafka_refused(const char *name);

/* Settings whose secret stands in the file itself, instead of os.environ/NAME or file:PATH; calls
 * back with "postgres: password" or "kafka: sasl.password". */
void config_clear_secrets(const struct config *config,
                          void (*each)(const char *text, void *context), void *context);

/* The effective configuration as YAML that reads back to itself. Secrets stay references; those
 * written out in the file are left out. */
void config_print(const struct config *config, FILE *out);

#endif
