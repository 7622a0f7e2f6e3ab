/* SPDX-License-Identifier: Apache-2.0 */
/* What sums.c (rows taken down and counted) and sums_lines.c (groups into lines) share. */
#ifndef STORE_SUMS_IMPL_H
#define STORE_SUMS_IMPL_H

#include "core/sum.h"
#include "store/sums.h"

#define SLOT_NONE UINT8_MAX
#define STATUS_NONE UINT8_MAX
#define TOKENS 5 /* kinds of tokens: token_fact */

/* What a line counts for; spend_deltas.about. */
enum about {
    ABOUT_ALL = 1,
    ABOUT_DRIFT = 2,
    ABOUT_OPEN = 4,
    ABOUT_DOUBT = 8,
    ABOUT_END_USER = 16,
    ABOUT_UNTOLD = 32,
    ABOUT_LABEL_ALONE = 64,
    ABOUT_NAMED = 128, /* the rows name an end user: for us alone */
};

struct sums_text {
    struct slice text;
    uint64_t hash;
};

/* No padding: it is hashed and compared as bytes. */
struct group_key {
    int32_t day;
    uint8_t slot, about, status, reason;
    uint32_t call, caller; /* places in the batch's dictionaries; 0 where the words are our own */
    uint32_t words, label; /* numbers of texts; the words as COPY has them: the rows are wide */
};

/* Whole units, then 18 decimals, then the 22 that a gateway's figure may have beyond. */
struct deep_sum {
    struct sum sum;
    i128 deep; /* 10^-40 */
};

struct sums_group {
    struct group_key key;
    uint64_t hash;
    int64_t calls, spent, gateway_calls, token_calls[TOKENS], timed_calls, differing, by_clock;
    struct sum spend, side[3];
    struct deep_sum gateway;
    i128 tokens[TOKENS], duration_us;
};

#define GROUP_NONE UINT32_MAX

struct sums_row {
    uint32_t group, end_user; /* GROUP_NONE: the row names none */
    bool has_spend, has_gateway, timed, differing, by_clock;
    uint8_t tokens_present; /* bits of token_fact */
    struct money spend, side[3];
    struct decimal gateway;
    int64_t tokens[TOKENS], duration_us;
};

/* The group of a key, made on first use. false: out of memory. */
bool sums_group_of(struct sums *sums, const struct group_key *key, uint32_t *number) MUST_CHECK;

#endif
