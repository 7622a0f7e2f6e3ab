/* SPDX-License-Identifier: Apache-2.0 */
/* What sums_groups.c (groups and texts by number), sums_meters.c (what a row's items say), sums.c
 * (rows taken down and counted) and sums_lines.c (groups into lines) share. */
#ifndef STORE_SUMS_IMPL_H
#define STORE_SUMS_IMPL_H

#include "core/sum.h"
#include "store/sums.h"

#define SLOT_US (INT64_C(900) * 1000000)
#define SLOTS_OF_A_DAY 96
#define SLOT_NONE UINT8_MAX
#define TOKENS 5 /* kinds of tokens: token_fact */

/* What a line counts for; spend_deltas.about. */
enum about {
    ABOUT_ALL = 1,
    ABOUT_DRIFT = 2,
    ABOUT_OPEN = 4,
    ABOUT_DOUBT = 8,
    ABOUT_END_USER = 16,
    ABOUT_UNTOLD = 32, /* of a line; of a key: the rows name an end user, who may not be told */
    ABOUT_LABEL_ALONE = 64,
    ABOUT_METER = 128,
};

/* Costs within those of a side that nearly all rows have: columns of a line. What else is not text
 * has lines of its own. */
enum part { PART_CACHE_READ, PART_CACHE_WRITE, PART_REASONING, PARTS };

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

/* What is looked for stands apart from what is added to, which has ten times the bytes. */
struct sums_group {
    struct group_key key;
    uint64_t hash;
    int64_t calls;    /* rows that were counted; 0: it has no line */
    uint32_t into;    /* the group that its rows add to: itself, a coarser one; GROUP_NONE */
    uint32_t figures; /* place of its figures, once they are added up */
};

struct sums_figures {
    int64_t spent, gateway_calls, token_calls[TOKENS], timed_calls, differing, by_clock;
    struct sum spend, side[3], part[PARTS];
    struct deep_sum gateway, quantity; /* the latter of a meter, whose amount is the spend */
    i128 tokens[TOKENS], duration_us;
};

#define GROUP_NONE UINT32_MAX

struct sums_meter {
    uint32_t group;
    struct deep_sum quantity;
    struct money amount;
};

struct sums_row {
    uint32_t group, end_user; /* GROUP_NONE: the row names none */
    bool has_spend, has_gateway, timed, differing, by_clock;
    uint8_t tokens_present; /* bits of token_fact */
    struct money spend, side[3];
    struct sum part[PARTS];
    size_t first_meter, meters; /* of sums.meter */
    struct decimal gateway;
    int64_t tokens[TOKENS], duration_us;
};

/* The group of a key, made on first use. false: out of memory. */
bool sums_group_of(struct sums *sums, const struct group_key *key, uint32_t *number) MUST_CHECK;
/* What the counted rows come to, by groups that have a line. false: out of memory. */
bool sums_add_up(struct sums *sums) MUST_CHECK;
/* The first `kept` groups stay, the others go. */
void sums_groups_keep(struct sums *sums, size_t kept);
/* The number of a text, from 1. false: out of memory. */
bool sums_text_of(struct sums *sums, struct slice text, uint32_t *number) MUST_CHECK;
/* Room for one more element. false: out of memory. */
bool sums_grow(void **items, size_t count, size_t *capacity, size_t item_bytes) MUST_CHECK;

void deep_add(struct deep_sum *to, const struct decimal *d);

/* Parts and meters of a row; `key` is that of its group. false: out of memory. */
bool sums_meters_of(struct sums *sums, const struct event *event, const struct charge *charge,
                    const struct group_key *key, struct sums_row *row) MUST_CHECK;

#endif
