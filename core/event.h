/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event: one billable call, as a mapping has read it from a message.
 *
 * Facts are the closed list pricing may look at (facts.def), labels the rest (labels.def). Both are
 * arrays indexed by an enum with a presence bit each, so that mapping, COPY and repricing are loops
 * over one table. Texts, decimals and lists live in the batch arena or in the message: an event
 * lives as long as the shorter of the two.
 */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "core/arena.h"
#include "core/decimal.h"
#include "core/flags.h"

enum fact {
#define FACT(id, kind, store, name, doc) FACT_##id,
#include "core/facts.def"
#undef FACT
    FACT_COUNT
};

enum label {
#define LABEL(id, kind, name, column, doc) LABEL_##id,
#include "core/labels.def"
#undef LABEL
    LABEL_COUNT
};

enum field_kind {
    KIND_TEXT,
    KIND_COUNT,
    KIND_DECIMAL,
    KIND_BOOL,
    KIND_TIME,
    KIND_TAGS,
    KIND_JSON,
};

enum fact_store { STORE_COLUMN, STORE_USAGE };

struct tags {
    size_t count;
    const struct slice *tag;
};

union value {
    int64_t i;               /* COUNT; BOOL 0 or 1; TIME in microseconds since 1970, UTC */
    struct slice s;          /* TEXT: valid UTF-8 without U+0000; JSON: one valid object */
    const struct decimal *d; /* DECIMAL */
    const struct tags *t;    /* TAGS */
};

#define FACT_WORDS ((FACT_COUNT + 63) / 64)

struct facts {
    uint64_t present[FACT_WORDS];
    union value v[FACT_COUNT];
};

struct labels {
    uint64_t present;
    union value v[LABEL_COUNT];
};

_Static_assert(LABEL_COUNT <= 64, "labels.present is one word");

struct fact_info {
    const char *name;
    enum field_kind kind;
    enum fact_store store;
    const char *doc;
};

struct label_info {
    const char *name;
    enum field_kind kind;
    const char *column; /* "" = not a column of its own */
    const char *doc;
};

extern const struct fact_info fact_info[FACT_COUNT];
extern const struct label_info label_info[LABEL_COUNT];

/* FACT_COUNT / LABEL_COUNT when there is none of that name. */
enum fact fact_find(struct slice name);
enum label label_find(struct slice name);

static inline bool facts_has(const struct facts *facts, enum fact fact)
{
    return facts->present[fact / 64] >> (fact % 64) & 1;
}

/* A set of facts as bits, `|` of some FACT_BIT, and those of it that an event has, word by word. */
#define FACT_BIT(fact) ((u128)1 << (fact))
_Static_assert(FACT_WORDS == 2, "a set of facts is a u128");

static inline uint64_t facts_of(const struct facts *facts, u128 set, unsigned word)
{
    return facts->present[word] & (uint64_t)(set >> 64 * word);
}

static inline void facts_mark(struct facts *facts, enum fact fact)
{
    facts->present[fact / 64] |= UINT64_C(1) << (fact % 64);
}

/* 0 resp. the empty slice when absent: where absence matters, ask facts_has(). */
static inline int64_t facts_int(const struct facts *facts, enum fact fact)
{
    return facts_has(facts, fact) ? facts->v[fact].i : 0;
}

static inline struct slice facts_text(const struct facts *facts, enum fact fact)
{
    return facts_has(facts, fact) ? facts->v[fact].s : (struct slice){"", 0};
}

/* NULL when absent. */
static inline const struct decimal *facts_decimal(const struct facts *facts, enum fact fact)
{
    return facts_has(facts, fact) ? facts->v[fact].d : NULL;
}

static inline void facts_set_int(struct facts *facts, enum fact fact, int64_t v)
{
    facts->v[fact].i = v;
    facts_mark(facts, fact);
}

static inline void facts_set_text(struct facts *facts, enum fact fact, struct slice v)
{
    facts->v[fact].s = v;
    facts_mark(facts, fact);
}

static inline void facts_set_decimal(struct facts *facts, enum fact fact, const struct decimal *v)
{
    facts->v[fact].d = v;
    facts_mark(facts, fact);
}

static inline void facts_clear(struct facts *facts, enum fact fact)
{
    facts->present[fact / 64] &= ~(UINT64_C(1) << (fact % 64));
}

static inline bool labels_has(const struct labels *labels, enum label label)
{
    return labels->present >> label & 1;
}

static inline struct slice labels_text(const struct labels *labels, enum label label)
{
    return labels_has(labels, label) ? labels->v[label].s : (struct slice){"", 0};
}

enum time_source { TIME_EVENT, TIME_DERIVED, TIME_KAFKA };

struct event {
    struct facts facts;
    struct labels labels;
    const char *mapping;   /* its name; lives as long as the compiled mappings */
    uint8_t identity[16];  /* what makes the event unique; all 0 when has_identity is false */
    bool has_identity;     /* false: the caller derives it from topic, partition and offset */
    uint64_t content_hash; /* of all facts and labels: tells a resend from a conflict */
    enum time_source time_source;
    unsigned flags; /* flags.h: what reading remarked, and the reading taken */
};

#endif
