/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newest message of a topic takes the way that `run` would take with it, up to the charge;
 * nothing is written and no offset moves.
 */
#include "cli/sample.h"

#include "cli/records.h"

#include "core/arena.h"
#include "core/clock.h"
#include "run/topics.h"
#include "store/batch.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES 67108864 /* as much as a batch may take */

/* The topics of the cluster that one entry of the configuration reads. */
struct found {
    const struct topics *topics;
    const struct topic *wanted;
    char name[256]; /* the first of them that has partitions */
    int32_t partitions, count;
};

static void on_topic(const char *name, int32_t partitions, void *context)
{
    struct found *found = context;
    if (partitions <= 0 || topics_find(found->topics, name) != found->wanted)
        return;
    if (found->count++ == 0) {
        snprintf(found->name, sizeof(found->name), "%s", name);
        found->partitions = partitions;
    }
}

/* --- one message ----------------------------------------------------------------------------- */

struct pricing {
    const struct sample *sample;
    struct pricer *pricer;
    char place[320];                      /* topic/partition/offset */
    unsigned records, rejected, unpriced; /* the last two but for the first record */
};

static void charge_tell(struct pricing *p, const struct record *record, const struct charge *charge)
{
    const struct facts *facts = &record->event->facts;
    struct slice provider = facts_text(facts, FACT_PROVIDER), model = facts_text(facts, FACT_MODEL);
    char text[1024], money[DECIMAL_TEXT_MAX] = "none";
    if (charge->has_spend)
        money_format(charge->spend, money);
    snprintf(text, sizeof(text),
             "sample %s: read by %s, " SLICE_FMT "%s" SLICE_FMT ", %s%s%s, spend %s", p->place,
             record->mapping, SLICE_ARG(provider), provider.bytes ? " " : "", SLICE_ARG(model),
             charge_status_name[charge->status], charge->reason ? ": " : "",
             charge->reason ? reason_info[charge->reason].name : "", money);
    if (charge->status == CHARGE_UNPRICED)
        p->sample->finding(FINDING_WARNING, text, p->sample->context);
    else
        p->sample->line(text, p->sample->context);
}

/* As `run` would take it, limits of the configuration and start times included. */
static void judge(const struct pricing *p, const struct record *record, const struct charge *charge,
                  struct record *shown, struct implausible *why)
{
    const struct config *config = p->sample->config;
    struct err err = {0};
    int64_t min_us, max_us;
    records_judge(&config->limits, record, charge, shown, why);
    if (shown->outcome != RECORD_EVENT || !facts_has(&record->event->facts, FACT_STARTED_AT))
        return;
    batch_times((int)config->retain_days, (int)config->future_days, clock_now_us(), &min_us,
                &max_us);
    if (batch_time_holds(min_us, max_us, record->event->facts.v[FACT_STARTED_AT].i, &err))
        return;
    snprintf(why->detail, sizeof(why->detail), "%.120s", err.text);
    shown->outcome = RECORD_REJECTED;
    shown->reason = REASON_TIME_OUT_OF_RANGE;
    shown->detail = why->detail;
}

/* The detail of what was read quotes the message, which is not shown. */
static void no_event_tell(const struct pricing *p, const struct record *shown,
                          const struct record *record)
{
    const char *detail = record->outcome == RECORD_EVENT ? shown->detail : NULL;
    char text[512];
    snprintf(text, sizeof(text), "sample %s: %s: %s%s%s%s%s", p->place,
             shown->outcome == RECORD_SKIPPED ? "skipped" : "rejected",
             reason_info[shown->reason].name, detail && shown->field ? ": " : "",
             detail && shown->field ? shown->field : "", detail ? ": " : "", detail ? detail : "");
    p->sample->finding(shown->outcome == RECORD_SKIPPED ? FINDING_INFO : FINDING_WARNING, text,
                       p->sample->context);
}

/* The first record speaks for its message; the others are counted. */
static void on_record(const struct record *record, void *context)
{
    struct pricing *p = context;
    struct record shown;
    struct charge charge;
    struct implausible why;
    bool event = record->outcome == RECORD_EVENT;
    if (event)
        pricer_price(p->pricer, &record->event->facts, &charge, NULL);
    judge(p, record, event ? &charge : NULL, &shown, &why);
    event = shown.outcome == RECORD_EVENT;
    if (p->records++ == 0 && event)
        charge_tell(p, record, &charge);
    else if (p->records == 1)
        no_event_tell(p, &shown, record);
    else if (shown.outcome == RECORD_REJECTED)
        p->rejected++;
    else if (event && charge.status == CHARGE_UNPRICED)
        p->unpriced++;
}

static void others_tell(const struct pricing *p)
{
    char text[512];
    if (p->records < 2)
        return;
    snprintf(text, sizeof(text),
             "sample %s: %u more records in it, %u of them rejected, %u without a price", p->place,
             p->records - 1, p->rejected, p->unpriced);
    if (p->rejected + p->unpriced > 0)
        p->sample->finding(FINDING_WARNING, text, p->sample->context);
    else
        p->sample->line(text, p->sample->context);
}

static bool message_price(const struct sample *sample, const struct topic *topic,
                          const struct kafka_message *message, struct err *err)
{
    struct pricing pricing = {.sample = sample, .pricer = pricer_new(sample->book)};
    struct mapper *mapper = mapper_new(topic->mappings);
    struct arena arena;
    const struct message m = topic_message(message);
    bool ok = pricing.pricer && mapper;
    arena_init(&arena, ARENA_BYTES);
    snprintf(pricing.place, sizeof(pricing.place), "%s/%d/%lld", message->topic,
             (int)message->partition, (long long)message->offset);
    if (ok && !mapper_ready(mapper, m.bytes, err))
        ok = false;
    else if (ok) {
        mapper_read(mapper, &m, &arena, on_record, &pricing);
        others_tell(&pricing);
    } else {
        err_set(err, ERR_FATAL, "out of memory");
    }
    arena_free(&arena);
    mapper_free(mapper);
    pricer_free(pricing.pricer);
    return ok;
}

/* --- topics ---------------------------------------------------------------------------------- */

static bool newest_tell(const struct sample *sample, const struct topic *topic,
                        const struct found *found, struct err *err)
{
    struct kafka_message message;
    char text[512];
    if (!consumer_newest(sample->consumer, found->name, found->partitions, &message, err))
        return false;
    bool ok = true;
    if (message.kind == POLL_MESSAGE) {
        ok = message_price(sample, topic, &message, err);
    } else {
        snprintf(text, sizeof(text), "sample: topic %s holds no message yet", found->name);
        sample->line(text, sample->context);
    }
    consumer_release(&message);
    return ok;
}

static bool missing(const struct sample *sample, const struct config_topic *topic, struct err *err)
{
    char text[512];
    if (topic->name[0] != '^')
        return err_set(err, ERR_CONFIG, "%s:%u: topic %s does not exist", sample->config->path,
                       topic->line, topic->name);
    snprintf(text, sizeof(text), "%s:%u: no topic matches %s yet", sample->config->path,
             topic->line, topic->name);
    sample->finding(FINDING_WARNING, text, sample->context);
    return true;
}

static bool topic_tell(const struct sample *sample, const struct topics *topics, size_t i,
                       struct err *err)
{
    struct found found = {.topics = topics, .wanted = &topics->topic[i]};
    char text[640], more[300] = "";
    if (!consumer_each_topic(sample->consumer, on_topic, &found, err))
        return false;
    if (found.count == 0)
        return missing(sample, &sample->config->topic[i], err);
    if (found.wanted->pattern[0] == '^')
        snprintf(more, sizeof(more), ", the first of %d that match %.250s", (int)found.count,
                 found.wanted->pattern);
    snprintf(text, sizeof(text), "topic %s: %d partition%s%s", found.name, (int)found.partitions,
             found.partitions == 1 ? "" : "s", more);
    sample->line(text, sample->context);
    return newest_tell(sample, found.wanted, &found, err);
}

bool sample_topics(const struct sample *sample, struct err *err)
{
    struct topics topics;
    if (!topics_open(&topics, sample->config, err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < topics.count; i++)
        ok = topic_tell(sample, &topics, i, err);
    topics_free(&topics);
    return ok;
}
