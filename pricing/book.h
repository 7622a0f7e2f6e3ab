/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The price book: cost map(s), the operator's overrides, discounts and margins, compiled. Immutable
 * once loaded, shared by all lanes, identified by the SHA-256 of its canonical compiled rules,
 * policies and pricing_version. Pricing is a pure function of (facts, book): no clock, no I/O.
 *
 *     struct book *book = book_load(&options, NULL, NULL, &err);
 *     struct pricer *pricer = pricer_new(book);      // one per lane: its memo of resolved names
 *     pricer_price(pricer, &event->facts, &charge, NULL);
 *
 * Rules: docs/pricing.md, numbered as in the code. Oracle: LiteLLM, see PRICING_RULES.
 */
#ifndef PRICING_BOOK_H
#define PRICING_BOOK_H

#include "core/buf.h"
#include "core/charge.h"
#include "core/event.h"
#include "core/sources.h"
#include "core/yaml.h"

#define PRICING_VERSION 2       /* raised when the engine's rules change */
#define PRICING_RULES "1.110.2" /* LiteLLM's version that they follow: an upper bound for a map */

struct book;
struct pricer;

enum overrides_mode { OVERRIDES_MERGE, OVERRIDES_LITELLM };
enum reported_cost_mode { REPORTED_FALLBACK, REPORTED_PREFER, REPORTED_IGNORE };

/* A key of a map's row that looks like money and is not known (gate.h): the row's charges are
 * flagged, are not priced, or the map is refused. */
enum unknown_keys_mode { UNKNOWN_KEYS_FLAG, UNKNOWN_KEYS_UNPRICE, UNKNOWN_KEYS_REFUSE };

struct book_options {
    const struct cost_map_source *cost_maps; /* NULL or count 0: the builtin map */
    size_t cost_map_count;
    const char *litellm_config; /* LiteLLM's config.yaml; NULL: no overrides */
    const char *litellm_origin; /* "file:line" that names it; NULL: none does */
    enum overrides_mode overrides;
    enum reported_cost_mode reported_cost;
    enum unknown_keys_mode unknown_keys;
    bool whole_maps; /* keep what means nothing to a price: for `prices` */
};

/* Findings of a load or a check: never fatal by themselves. Called once per finding. */
enum finding_level { FINDING_INFO, FINDING_WARNING };
typedef void finding_fn(enum finding_level level, const char *text, void *context);

/* ERR_CONFIG with file, line and key: broken file, bad price (negative, NaN, boolean, text, nested,
 * too long), duplicate key, an id that rewrites a map entry, bad include. */
struct book *book_load(const struct book_options *options, finding_fn *finding, void *context,
                       struct err *err);
void book_free(struct book *book);

const char *book_id(const struct book *book); /* 64 hex digits */

/* Rows of its cost maps with price keys that the rules do not know: above 0, a map is newer than
 * PRICING_RULES. */
size_t book_unknown_rows(const struct book *book);

/* The book as one JSON object that stands alone: policies, all models of the cost maps with what
 * prices depend on, deployments, discounts and margins, each with file:line, about 1 MB; secrets
 * and other litellm_params left out. What price_books stores; book_restore() makes a book of the
 * same id from it; ERR_INPUT: rules of another version made it. */
bool book_dump(const struct book *book, struct buf *json, struct err *err) MUST_CHECK;
struct book *book_restore(struct slice json, struct err *err);

/* For `check` and `prices show`: what each configured deployment will cost, what it sets, inherits,
 * loses. Lines of plain text, or one JSON object per deployment. */
void book_describe(const struct book *book, bool json,
                   void (*line)(const char *text, void *context), void *context);

struct pricer *pricer_new(const struct book *book);
void pricer_free(struct pricer *pricer);
/* How many names its memo holds, in how many bytes. */
size_t pricer_names(const struct pricer *pricer, size_t *bytes);

/* How a decision was taken, for `explain`: each candidate name, deployment and rule with why it won
 * or lost. NULL costs nothing. */
typedef void trace_fn(const char *text, void *context);
struct trace {
    trace_fn *line;
    void *context;
};

/* Prices one event; never fails. Allocates nothing once the names are known to the memo. */
void pricer_price(struct pricer *pricer, const struct facts *facts, struct charge *charge,
                  const struct trace *trace);

#endif
