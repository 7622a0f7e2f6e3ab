/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mappings: declarative descriptions of event formats (docs/mappings.md), compiled once, immutable
 * and shared by all lanes. A mapper is one lane's scratch state for reading messages with them.
 *
 *     struct mappings *set = mappings_compile(names, count, extra, &err);
 *     struct mapper *mapper = mapper_new(set);
 *     mapper_read(mapper, &message, &batch, on_record, lane);
 *
 * Reading is a single strict pass over the bytes: the mappings of a set share one trie of paths.
 * The world's faults never stop it: each record ends as an event, skipped or rejected.
 */
#ifndef INGEST_MAPPING_H
#define INGEST_MAPPING_H

#include "core/charge.h"
#include "core/envelope.h"
#include "core/event.h"
#include "core/yaml.h"

struct mappings;
struct mapper;

/*
 * Compiles the named mappings, in the order given; count 0 = all of `extra`, then all built in (the
 * files of ingest/mappings in the order of their numbers, core/embed.h).
 * `extra` is the configuration's `mappings:` list (or NULL): a mapping there replaces a built-in
 * one of the same name, in its place. A name may also be that of a built-in file that holds several
 * ("litellm" = "litellm-slp" and "litellm-spendlogs"). `extra` must live as long as the set.
 * ERR_CONFIG with file:line:column.
 */
struct mappings *mappings_compile(const char *const names[], size_t count,
                                  const struct yaml_node *extra, struct err *err);
void mappings_free(struct mappings *set);

/* Fields that `defaults:` of a topic fill in when a record leaves them absent (a map of field:
 * value); NULL for none. ERR_CONFIG. To be called before the set is shared. */
bool mappings_defaults(struct mappings *set, const struct yaml_node *defaults,
                       struct err *err) MUST_CHECK;

struct registry;
/* Where the schemas of framed messages come from; NULL: nowhere. To be called before the set is
 * shared; the registry outlives it. */
void mappings_registry(struct mappings *set, struct registry *registry);
/* What is not JSON is OTLP as protobuf, whatever its bytes look like. */
void mappings_otlp(struct mappings *set);

/* What decides how many records a message has and which number each of them gets: of other
 * definitions, in another order or read by another version it is another one. Never 0. */
uint64_t mappings_fingerprint(const struct mappings *set);

/* What a mapping is for, and how it reads counts: for people. */
struct mapping_about {
    const char *name, *group; /* group: the built-in file it is from, by its short name */
    const char *emitters;     /* NULL: not said */
    const char *tried;        /* which versions, and by what; NULL: not said */
    const char *cache;        /* where cached tokens are, by emitter */
    const char *reasoning;    /* where reasoning is, by emitter */
    const char *evidence;     /* what decides it, in order */
};
typedef void about_fn(const struct mapping_about *about, void *context);
/* Texts that are made live until the callback returns. */
void mappings_about(const struct mappings *set, about_fn *on_mapping, void *context);

/* What is allowed and likely a slip, a line each. */
typedef void remark_fn(const char *text, void *context);
void mappings_remarks(const struct mappings *set, remark_fn *on_remark, void *context);

/* Runs the `tests:` of every mapping of the set. ERR_CONFIG names mapping, test, field, both
 * values. */
bool mappings_test(const struct mappings *set, size_t *tests_run, struct err *err) MUST_CHECK;

enum record_outcome { RECORD_EVENT, RECORD_SKIPPED, RECORD_REJECTED };

struct message {
    struct slice bytes;
    bool tombstone;        /* a Kafka message without a value */
    int64_t kafka_time_us; /* its timestamp; 0 = none. Start time of events that carry none */
    struct envelope envelope;
    struct slice topic; /* p == NULL: unknown, as in a file */
    int32_t partition;
    unsigned first_index; /* records before it have been dealt with: counted, not reported */
};

struct record {
    enum record_outcome outcome;
    unsigned index;      /* place in the message, from 0 */
    struct event *event; /* RECORD_EVENT; the callback's to change; valid until it returns, what
                            it points to until the batch arena is reset or the message released */
    enum reason reason;  /* otherwise */
    const char *detail;  /* RECORD_REJECTED: for people; valid until the callback returns */
    const char *field;   /* RECORD_REJECTED: JSON Pointer or field at fault, or NULL */
    int64_t byte;        /* RECORD_REJECTED: offset in the message, -1 = unknown */
    const char *mapping; /* the mapping that took it, or NULL */
};

typedef void record_fn(const struct record *record, void *context);

struct mapper *mapper_new(const struct mappings *set);
void mapper_free(struct mapper *mapper);

/* Sees to it that the schema of a framed message is there, which may ask the schema registry for
 * it. ERR_UNAVAILABLE: it is away; the caller pauses, since the message could be read later. */
bool mapper_ready(const struct mapper *mapper, struct slice message, struct err *err) MUST_CHECK;

/* Calls `on_record` max(1, elements) times, in order. Texts that need repair or parsing go to
 * `batch`; an exhausted arena latches batch->full and the records from there on are rejected
 * TOO_LARGE. */
void mapper_read(struct mapper *mapper, const struct message *message, struct arena *batch,
                 record_fn *on_record, void *context);

/* Inside the callback: no record of the message is reported any more, and those not yet reached are
 * not read. A caller whose memory is full goes on with `first_index` later. */
void mapper_stop(struct mapper *mapper);

/* For `spendlog map --explain`: which alternative of each field was taken in the record now being
 * reported; only inside the callback. `line` gets "field <- alternative" lines. */
void mapper_explain(const struct mapper *mapper, void (*line)(const char *text, void *context),
                    void *context);

#endif
