/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rejected events: what could not be read, as the database holds it. A retry reads them here, makes
 * rows of them in a batch with `retry` set (store/batch.h) and commits it: counts move from
 * rejected to rows, duplicates or skipped in that transaction, offsets do not move.
 *
 * The application name of a retry's writer has no spaces ("spendlog-retry"): with spaces the writer
 * would take a busy lane for a frozen member of its own.
 */
#ifndef STORE_REJECTED_H
#define STORE_REJECTED_H

#include "core/err.h"
#include "core/seal.h"
#include "core/slice.h"

#include <stdint.h>

struct rejected_filter {
    const char *group, *topic, *reason, *mapping; /* NULL: any */
    int32_t partition;                            /* -1: any */
    int64_t kafka_offset;                         /* -1: any */
    bool one_record;                              /* only the record of that index */
    unsigned record_index;
    int64_t since_us, until_us;   /* rejected in [since, until); INT64_MIN, INT64_MAX: open */
    bool resolved_too;            /* false: only those still open */
    bool payloads;                /* read them as well; for a spendlog_writer alone */
    unsigned limit;               /* 0 = all */
    const struct seal_keys *keys; /* that open what is encrypted; may be NULL */
};

struct rejected_event {
    int64_t partition_id, partition_created; /* as partition_state has them */
    struct slice cluster, group, topic;
    int32_t partition, incarnation;
    int64_t kafka_offset, batch_id;
    unsigned record_index;
    struct slice reason, mapping, field;
    struct slice detail;   /* may quote the message: p NULL when the login may not read it */
    int64_t byte;          /* -1 = unknown */
    bool has_payload;      /* its message is kept, with this record or with another one of it */
    struct slice payload;  /* the message; only with filter.payloads, and when it is not locked */
    struct slice envelope; /* its key and headers, for envelope_read(); as the payload */
    struct slice key;      /* id of the key it is encrypted with, "" = it is not */
    const char *locked;    /* why what is encrypted cannot be read; NULL = it can */
    int64_t payload_bytes;
    uint64_t payload_hash;
    int64_t message_ms; /* Kafka timestamp of the message, -1 = none */
    int64_t rejected_at_us;
    struct slice resolution; /* "" = still open */
    int64_t resolved_at_us;
};

/* Valid until the callback returns. false ends the list. */
typedef bool rejected_fn(const struct rejected_event *event, void *context);

/* Oldest first. ERR_CONFIG: payloads are asked for by a login that may not read them. */
bool rejected_list(const char *conninfo, const struct rejected_filter *filter, rejected_fn *event,
                   void *context, struct err *err) MUST_CHECK;

/* What a list of the filter's group leaves out. */
struct rejected_left {
    int64_t beyond;    /* of the group, beyond the limit */
    int64_t of_others; /* of other groups, that the rest of the filter lets through */
};

bool rejected_left_out(const char *conninfo, const struct rejected_filter *filter,
                       struct rejected_left *left, struct err *err) MUST_CHECK;

#endif
