/* SPDX-License-Identifier: Apache-2.0 */
/* One value of a mapping into one field of the event, checked. */
#ifndef INGEST_FIELD_H
#define INGEST_FIELD_H

#include "ingest/eval.h"

#define TEXT_BYTES_MAX 8192      /* longer texts are cut, FLAG_TEXT_CUT */
#define METADATA_BYTES_MAX 32768 /* longer objects are left out, FLAG_TEXT_CUT */
#define TAGS_MAX 256

/* Why a record cannot become an event. */
struct fault {
    enum reason reason;
    const char *field;
    const char *detail; /* static text */
    struct slice at;    /* in the message if it can be told, p == NULL otherwise */
};

/* Evaluates a field and sets it, or leaves it absent. false: the record is to be rejected. A label
 * or an optional fact that cannot be read is left absent, with a flag: FLAG_LABEL_DROPPED,
 * FLAG_FACT_DROPPED. */
bool field_read(struct eval *eval, const struct field *field, struct event *event,
                struct fault *fault) MUST_CHECK;

/* Facts and labels in one numbering, as struct field has it. */
static inline unsigned label_field(enum label label)
{
    return (unsigned)FACT_COUNT + label;
}

static inline enum field_kind field_kind_of(unsigned field)
{
    return field < FACT_COUNT ? fact_info[field].kind : label_info[field - FACT_COUNT].kind;
}

static inline bool event_has(const struct event *event, unsigned field)
{
    return field < FACT_COUNT ? facts_has(&event->facts, (enum fact)field)
                              : labels_has(&event->labels, (enum label)(field - FACT_COUNT));
}

static inline union value event_value(const struct event *event, unsigned field)
{
    return field < FACT_COUNT ? event->facts.v[field] : event->labels.v[field - FACT_COUNT];
}

static inline void event_set(struct event *event, unsigned field, union value value)
{
    if (field < FACT_COUNT) {
        event->facts.v[field] = value;
        facts_mark(&event->facts, (enum fact)field);
    } else {
        event->labels.v[field - FACT_COUNT] = value;
        event->labels.present |= UINT64_C(1) << (field - FACT_COUNT);
    }
}

#endif
