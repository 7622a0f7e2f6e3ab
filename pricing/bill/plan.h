/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan: everything about an event's price that depends on its names alone. Made once per
 * combination of names and remembered by the pricer; what is left per event is arithmetic.
 */
#ifndef PRICING_BILL_PLAN_H
#define PRICING_BILL_PLAN_H

#include "core/providers.h"
#include "pricing/book/editions.h"
#include "pricing/names/call_types.h"
#include "pricing/names/names.h"

/* One name LiteLLM would try, with the rules each calculator finds under it. */
struct candidate {
    struct slice name;         /* qualified: provider first */
    const struct rule *base;   /* under the token name (4.2): wall clock, "other" */
    const struct rule *rule;   /* what the provider's calculator bills by; NULL: unmapped */
    enum provider_id provider; /* whose calculator prices it */
    bool by_family;            /* known by a capability rule alone: tried last (4.1) */
    const struct rule *tools;  /* 9.1: looked up again by name */
    const struct rule *served; /* 9.1: of the model that answered, for its search price */
    enum provider_id tools_provider;
    bool bills_tokens;         /* Vertex: by tokens whatever its entry says (8.2) */
    bool is_claude;            /* of the tools' entry (Vertex) */
    bool on_replicate;         /* unknown hardware: billed by the second */
    bool is_router;            /* an Azure Model Router name */
    const struct rule *router; /* the router's own entry, when this name carries its fee */
    bool found_by_name;        /* video without a duration: any raw key of that name */
};

#define CANDIDATES_TRIED_MAX 4

/* A rule under a name that a part of the event says. */
struct named_rule {
    struct slice name;
    const struct rule *rule; /* NULL: unmapped */
};

const struct named_rule *named_rule_find(const struct named_rule *list, size_t count,
                                         struct slice name);

struct plan {
    enum call_class class;
    enum provider_id provider;
    struct slice provider_name;
    enum reason refusal;                        /* the names alone decide that there is no price */
    const struct priced_deployment *deployment; /* NULL: none configured */
    bool custom;
    const char *unread;       /* a price it sets that these calls do not read, or NULL (unread.h) */
    bool provisioned;         /* paid by the hour: what has no rate is free (5.5) */
    struct override override; /* of a custom-priced deployment */
    struct candidate candidate[CANDIDATES_TRIED_MAX];
    size_t candidate_count;
    const struct rule *router;   /* 9.3: the requested name is a Model Router's */
    const struct entry *regions; /* Vertex: supported_regions of the model */
    const char *vertex_location; /* of the deployment, or "" */
    struct slice region;         /* Mantle's, which its priced names may have behind the provider */
    /* Realtime: rules in the order they are tried, and the input transcription's. */
    const struct rule *session[3];
    size_t session_count;
    const struct rule *transcription;
    const struct rule *named;              /* under the session's name alone */
    const struct named_rule *transcribers; /* of the input, by model */
    const struct named_rule *answerers;    /* live sessions: of single answers */
    size_t transcriber_count, answerer_count;
    const struct named_rule *line; /* a job: of single requests, by model */
    size_t line_count;
    const struct rule *image_tool; /* of the model that a Responses tool made images with */
    struct slice image_tool_name;
    const struct rule *line_own; /* a job: a deployment's own prices, for all lines */
    bool is_decision;            /* a decisions endpoint: prices of its own (8.1) */
    bool single_model;           /* a job: one model, or none named */
    bool is_job;                 /* a job: all lines of a job in one event */
};

/* Fills `plan`; texts and compiled wildcards live in `memo`, garbage in the resolver's scratch. */
void plan_make(const struct edition *edition, const struct facts *facts, struct arena *memo,
               struct arena *scratch, const struct trace *trace, struct plan *plan);

/* The model as it was sent, with its provider. */
struct slice plan_full_name(const struct facts *facts);

/* The facts a plan depends on, as a key: length-prefixed texts. Returns its bytes, 0 if too long.
 */
size_t plan_key(const struct edition *edition, const struct facts *facts, char *key,
                size_t capacity);

#endif
