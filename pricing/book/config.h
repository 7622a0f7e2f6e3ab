/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LiteLLM's config.yaml, read as it is (docs/pricing.md section 5): model_list, include, and the
 * discounts and margins of litellm_settings. Its routing keys are ignored. Secrets stay in the YAML
 * tree, which ends with the load: only names, prices and their places are copied.
 */
#ifndef PRICING_BOOK_CONFIG_H
#define PRICING_BOOK_CONFIG_H

#include "pricing/map/rule.h"

#define WINDOW_ALWAYS INT64_MIN  /* no beginning */
#define WINDOW_FOREVER INT64_MAX /* no end */

struct deployment {
    const char *model_name; /* the alias; may hold * */
    const char *model;      /* litellm_params.model */
    const char
        *pricing_provider;  /* model_info.pricing_provider: whose rows and rules price it; "" */
    const char *provider;   /* litellm_params.custom_llm_provider, or "" */
    const char *base_model; /* "" = none */
    const char *id;         /* model_info.id, or "" */
    const char *vertex_location;
    const char *region; /* aws_region_name, or "" */
    const char *file;
    unsigned line;
    const struct node *info;       /* a map: the members of model_info that matter to prices */
    const struct node *params;     /* a map: members of litellm_params that look like prices */
    const struct node *call_price; /* litellm_params.cost_per_query (A2A), or NULL */
    bool is_ptu;                   /* provisioned throughput, attributed: its token rates are 0 */
    bool has_window;
    int64_t from_us, until_us; /* its prices hold for calls started in [from, until) */
};

struct discount {
    const char *provider;
    struct rate rate;
};

struct margin {
    const char *provider; /* "global" = all others */
    bool has_percentage, has_fixed;
    struct rate percentage, fixed;
};

/* A key that looks like a price where nobody reads it. Only keys and places: values may be secret.
 */
struct misplaced {
    const char *file, *key, *place; /* place: "litellm_settings" */
    const char *instead;            /* the key that was meant, or NULL: it is in the wrong place */
    unsigned line;
};

#define MISPLACED_MAX 256

struct litellm_config {
    const char *file; /* NULL: none */
    struct deployment *deployment;
    size_t deployment_count;
    struct discount *discount;
    size_t discount_count;
    struct margin *margin;
    size_t margin_count;
    struct misplaced *misplaced;            /* the first MISPLACED_MAX */
    size_t misplaced_count, misplaced_more; /* more: those beyond */
};

/* ERR_CONFIG with file:line. `file` NULL: an empty configuration. */
bool litellm_config_load(struct arena *book, const char *file, struct litellm_config *config,
                         struct err *err) MUST_CHECK;

#endif
