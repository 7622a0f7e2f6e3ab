/* SPDX-License-Identifier: Apache-2.0 */
/* Producers: events once, again, otherwise, refusable, several in a message, and what is none. */
#include "tests/sim/load.h"

#include "core/buf.h"
#include "core/clock.h"
#include "tests/sim/broker.h"

#include <stdio.h>
#include <string.h>

#define TEAMS 6 /* and two with long names: at the limit, and beyond */
#define TEAM_BEYOND (TEAMS + 1)
#define TEXT_LIMIT 8192 /* TEXT_BYTES_MAX */
#define TAGS_LIMIT 256  /* TAGS_MAX */
#define KEPT 256
#define TOKENS_LIMIT INT64_C(1000000000000) /* limits.tokens */
#define LAST_BYTES                                                                                 \
    65536 /* a message of a partition that is kept to be hashed when its batch is written */
#define RECORDS_LIMIT 100000             /* of a message: RECORDS_MAX */
#define BYTES_LIMIT (8u << 20)           /* MESSAGE_BYTES_MAX */
#define HUGE_SELDOM 100                  /* they cost as much as some histories */
#define DEPTH_LIMIT 64                   /* JSON_DEPTH_MAX */
#define FUTURE_MS INT64_C(4102444800000) /* 2100 */

struct key *load_keys;
static struct sent_record kept[KEPT]; /* to be sent again */
static unsigned kept_count;
static unsigned ids;

void load_reset(void)
{
    load_keys = NULL;
    kept_count = ids = 0;
}

static struct key *key_new(bool refusable)
{
    struct key *key = sim_alloc(sizeof(*key));
    if (refusable)
        snprintf(key->id, sizeof(key->id), "bad-%u", ++ids);
    else if (!sim_chance(sim.dials.unnamed))
        snprintf(key->id, sizeof(key->id), "k%u", ++ids);
    /* Around now, over some days; in milliseconds. */
    key->start_us =
        sim_chance(sim.dials.untimed)
            ? -1
            : clock_now_us() / 1000 * 1000 - (int64_t)sim_below(LOAD_DAYS * 86400000) * 1000;
    key->next = load_keys;
    load_keys = key;
    return key;
}

static void keep(const struct sent_record *record)
{
    if (record->key->id[0])
        kept[kept_count++ % KEPT] = *record;
}

static struct sent_record record_again(void)
{
    unsigned have = kept_count < KEPT ? kept_count : KEPT;
    unsigned back = sim_below(2) && have > 8 ? 8 : have; /* near or far */
    struct sent_record record = kept[(kept_count - 1 - sim_below(back)) % KEPT];
    if (sim_chance(sim.dials.conflict) && record.tokens < TOKENS_LIMIT)
        record.tokens += 1 + sim_below(3);
    return record;
}

/* As many tokens as an event may have, or one more. */
static bool record_at_limit(struct sent_record *record)
{
    if (!sim_chance(sim.dials.limits))
        return false;
    bool beyond = sim_below(2);
    sim_happened(beyond ? HAPPENED_BEYOND : HAPPENED_AT_LIMIT);
    record->tokens = TOKENS_LIMIT + beyond;
    record->want = beyond ? WANT_REJECTED : WANT_ROW;
    record->key = key_new(false);
    keep(record);
    return true;
}

/* One whose name is as long as a text may be, or one byte longer and then cut. */
static unsigned team_draw(unsigned team)
{
    if (!sim_chance(sim.dials.texts))
        return team;
    bool beyond = sim_below(2);
    sim_happened(beyond ? HAPPENED_TEXT_BEYOND : HAPPENED_TEXT_AT_LIMIT);
    return TEAMS + beyond;
}

/* As many as there may be, or one more, which is left out. */
static unsigned tags_draw(void)
{
    if (!sim_chance(sim.dials.texts))
        return 0;
    bool beyond = sim_below(2);
    sim_happened(beyond ? HAPPENED_TAGS_BEYOND : HAPPENED_TAGS_AT_LIMIT);
    return TAGS_LIMIT + beyond;
}

static struct sent_record record_new(void)
{
    struct sent_record record = {.tokens = 1 + sim_below(1000), .team = sim_below(TEAMS)};
    if (record_at_limit(&record)) {
        record.key->count++;
        return record;
    }
    if (sim_chance(sim.dials.odd)) {
        record.want = sim_below(2) ? WANT_SKIPPED : WANT_REJECTED;
        return record;
    }
    if (kept_count > 0 && sim_chance(sim.dials.resend)) {
        record = record_again();
    } else {
        bool refusable = sim_chance(sim.dials.refusable);
        record.want = refusable ? WANT_REFUSED : WANT_ROW;
        record.key = key_new(refusable);
        record.team = team_draw(record.team);
        record.tags = tags_draw();
        keep(&record);
    }
    record.key->count++;
    return record;
}

/* --- as JSON -------------------------------------------------------------------------------- */

static void put_bad(struct buf *json)
{
    static const char *const bad[] = {"{\"id\":\"x\",\"m\":\"gpt-a\",\"n\":-5}",
                                      "{\"id\":\"x\",\"n\":1.5}"};
    if (sim_below(3)) {
        buf_add_text(json, bad[sim_below(2)]);
        return;
    }
    int64_t ts = sim_below(2) ? FUTURE_MS : clock_now_us() / 1000 - 30 * INT64_C(86400000);
    buf_printf(json, "{\"id\":\"f%u\",\"m\":\"gpt-a\",\"n\":3,\"ts\":%lld}", sim_below(100),
               (long long)ts);
}

/* As deep as it may be, in an array too: what lies one deeper would reject the message. */
static void put_deep(struct buf *json)
{
    sim_happened(HAPPENED_AT_LIMIT);
    buf_add_text(json, ",\"deep\":");
    for (int i = 0; i < DEPTH_LIMIT - 2; i++)
        buf_add_char(json, '[');
    for (int i = 0; i < DEPTH_LIMIT - 2; i++)
        buf_add_char(json, ']');
}

const char *load_team(unsigned team)
{
    static const char *const name[TEAMS] = {"t0", "t1", "t2", "t3", "t4", "t5"};
    static char longest[TEXT_LIMIT + 1];
    if (team >= TEAMS && !longest[0])
        memset(longest, 'x', TEXT_LIMIT);
    return team < TEAMS ? name[team] : longest;
}

unsigned load_tags(unsigned tags)
{
    return tags < TAGS_LIMIT ? tags : TAGS_LIMIT;
}

/* The first is said twice: it is one tag. */
static void put_tags(struct buf *json, unsigned tags)
{
    if (tags > 0)
        buf_add_text(json, ",\"tags\":[\"0\"");
    for (unsigned i = 0; i < tags; i++)
        buf_printf(json, ",\"%x\"", i);
    if (tags > 0)
        buf_add_char(json, ']');
}

static void put_number(struct buf *json, int64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    buf_add(json, (struct slice){digits + at, sizeof(digits) - at});
}

static void put_record(struct buf *json, const struct sent_record *record)
{
    if (record->want == WANT_SKIPPED) {
        buf_add_text(json, "{\"id\":\"of another\"}");
        return;
    }
    if (record->want == WANT_REJECTED && !record->key) {
        put_bad(json);
        return;
    }
    buf_add_text(json, "{\"m\":\"gpt-a\",\"n\":");
    put_number(json, record->tokens);
    buf_add_text(json, ",\"team\":\"");
    buf_add_text(json, load_team(record->team));
    if (record->team == TEAM_BEYOND)
        buf_add_char(json, 'x');
    buf_add_char(json, '"');
    if (record->key->id[0]) {
        buf_add_text(json, ",\"id\":\"");
        buf_add_text(json, record->key->id);
        buf_add_char(json, '"');
    }
    if (record->key->start_us >= 0) {
        buf_add_text(json, ",\"ts\":");
        put_number(json, record->key->start_us / 1000);
    }
    put_tags(json, record->tags);
    if (sim_chance(sim.dials.limits))
        put_deep(json);
    buf_add_char(json, '}');
}

/* To as many bytes as are kept of a message, or to one more. */
static void pad(struct buf *json)
{
    if (!sim_chance(sim.dials.limits / 3))
        return;
    bool beyond = sim_below(2);
    if (json->bytes > LAST_BYTES)
        return;
    sim_happened(beyond ? HAPPENED_BEYOND : HAPPENED_AT_LIMIT);
    static char spaces[LAST_BYTES + 1];
    memset(spaces, ' ', sizeof(spaces));
    buf_add(json, (struct slice){spaces, LAST_BYTES + (size_t)beyond - json->bytes});
}

static const char *text_kept(struct buf *json)
{
    char *text = sim_alloc(json->bytes + 1);
    memcpy(text, json->p, json->bytes);
    buf_free(json);
    return text;
}

static const char *text_of(const struct sent_record *record, unsigned count, bool array)
{
    struct buf json;
    buf_init(&json, 1u << 20);
    if (array)
        buf_add_char(&json, '[');
    for (unsigned i = 0; i < count; i++) {
        if (i)
            buf_add_char(&json, ',');
        put_record(&json, &record[i]);
    }
    if (array)
        buf_add_char(&json, ']');
    pad(&json);
    return text_kept(&json);
}

/* A message that is one odd record as a whole. */
static struct sent *message_odd(void)
{
    static char too_deep[2 * DEPTH_LIMIT + 3];
    static const struct {
        const char *value;
        enum want want;
    } odd[] = {{"{\"id\":", WANT_REJECTED},
               {"[]", WANT_SKIPPED},
               {"", WANT_SKIPPED},
               {"[1,2", WANT_REJECTED},
               {too_deep, WANT_REJECTED}};
    unsigned n = sim_below(sizeof(odd) / sizeof(odd[0]) - !sim.dials.limits);
    memset(too_deep, '[', DEPTH_LIMIT + 1);
    memset(too_deep + DEPTH_LIMIT + 1, ']', DEPTH_LIMIT + 1);
    struct sent *message = sim_alloc(sizeof(*message) + sizeof(message->record[0]));
    message->value = odd[n].value;
    message->count = 1;
    message->record[0].want = odd[n].want;
    return message;
}

/* As many records as a message may have, none of which is ours; the one beyond stands for the rest.
 */
static struct sent *message_of_many(bool beyond)
{
    struct buf json;
    size_t count = RECORDS_LIMIT + (size_t)beyond;
    struct sent *message = sim_alloc(sizeof(*message) + count * sizeof(message->record[0]));
    buf_init(&json, 1u << 20);
    buf_add_char(&json, '[');
    for (size_t i = 0; i < count; i++) {
        buf_add_text(&json, i ? ",{}" : "{}");
        message->record[i].want = i < RECORDS_LIMIT ? WANT_SKIPPED : WANT_REJECTED;
    }
    buf_add_text(&json, beyond ? ",{},{}]" : "]");
    message->count = (unsigned)count;
    message->others = RECORDS_LIMIT;
    message->value = text_kept(&json);
    return message;
}

/* As many bytes as a message may have. */
static struct sent *message_of_many_bytes(bool beyond)
{
    size_t bytes = BYTES_LIMIT + (size_t)beyond;
    struct sent *message = sim_alloc(sizeof(*message) + sizeof(message->record[0]));
    char *value = sim_alloc(bytes + 1);
    memset(value, ' ', bytes);
    memcpy(value, "{}", 2);
    message->value = value;
    message->count = 1;
    message->record[0].want = beyond ? WANT_REJECTED : WANT_SKIPPED;
    return message;
}

static struct sent *message_huge(void)
{
    bool beyond = sim_below(2);
    sim_happened(HAPPENED_HUGE);
    return sim_below(4) ? message_of_many(beyond) : message_of_many_bytes(beyond);
}

static struct sent *message_of_records(unsigned count, bool array)
{
    struct sent *message = sim_alloc(sizeof(*message) + count * sizeof(message->record[0]));
    message->count = count;
    for (unsigned i = 0; i < count; i++)
        message->record[i] = record_new();
    message->value = text_of(message->record, count, array);
    return message;
}

/* More than a batch takes, so that a part of it is stored for a while. */
static struct sent *message_of_parts(void)
{
    unsigned count = RECORDS_PER_MESSAGE_MAX / 2 + sim_below(RECORDS_PER_MESSAGE_MAX / 2);
    return message_of_records(count, true);
}

static struct sent *message_new(void)
{
    unsigned count = 1;
    if (sim_chance(sim.dials.in_part / 2))
        return message_of_parts();
    if (sim_chance(sim.dials.limits) && sim_below(HUGE_SELDOM) == 0)
        return message_huge();
    if (sim_chance(sim.dials.odd / 2))
        return message_odd();
    bool array = sim_chance(sim.dials.siblings);
    if (array)
        count += sim_below(sim_below(4) ? 5 : RECORDS_PER_MESSAGE_MAX - 1);
    return message_of_records(count, array);
}

void load_produce(void)
{
    int32_t partition = (int32_t)sim_below(sim.dials.partitions);
    for (unsigned n = 1 + sim_below(6); n > 0; n--) {
        if (sim_below(3) == 0)
            partition = (int32_t)sim_below(sim.dials.partitions);
        if (sim_chance(sim.dials.holes))
            broker_skip(partition, 1 + sim_below(3));
        broker_append(partition, message_new());
        if (sim_chance(sim.dials.holes)) /* the mark of its transaction */
            broker_skip(partition, 1);
    }
}
