/* SPDX-License-Identifier: Apache-2.0 */
/* What is left out is a table: facts of the model, of its provider, and what tells usage by model.
 */
#include "cli/as_model.h"

#include "core/log.h"
#include "core/providers.h"

#include <string.h>

/* Of the model that did answer, whoever answers instead. */
static const enum fact of_model[] = {
    FACT_MODEL_ANSWERED, FACT_MODEL_GROUP,   FACT_MODEL_ID,
    FACT_GATEWAY_COST,   FACT_UPSTREAM_COST, FACT_PROVIDER_COST,
    FACT_VIDEO_COST,     FACT_BATCH_MODELS,  FACT_SESSION_MODELS,
};

/* Words of one provider that say nothing at another. */
static const enum fact of_provider[] = {
    FACT_SERVICE_TIER,
    FACT_SERVICE_TIER_RESOLVED,
    FACT_SERVICE_TIER_REQUESTED,
    FACT_DATA_RESIDENCY,
    FACT_REGION,
    FACT_VERTEX_LOCATION,
    FACT_API_HOST,
    FACT_INFERENCE_GEO,
    FACT_SPEED,
    FACT_CACHE_TYPE,
    FACT_SPILLED_OVER,
};

/* What was used, told model by model: nobody knows what of it was of which. */
static const enum fact of_several[] = {FACT_BATCH_ROWS, FACT_BATCH_LINE_MODELS, FACT_SESSION_LOG};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- what was asked */

static void target_split(struct as_model *it)
{
    const char *slash = memchr(it->whole.p, '/', it->whole.bytes);
    it->model = it->whole;
    if (!slash)
        return;
    struct slice word = {it->whole.p, (size_t)(slash - it->whole.p)};
    enum provider_id provider = provider_find_word(word);
    if (provider == PROVIDER_OTHER)
        return;
    it->provider = slice_of(provider_table[provider].name);
    it->model = (struct slice){slash + 1, it->whole.bytes - word.bytes - 1};
}

static bool take(struct as_models *models, const char *text, struct err *err)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return err_set(err, ERR_USAGE,
                       "--as-model: \"%s\" is not MODEL=OTHER, as "
                       "openai/gpt-4o=anthropic/claude-sonnet-4-5",
                       text);
    struct as_model it = {.from = {text, (size_t)(equals - text)}, .whole = slice_of(equals + 1)};
    for (size_t i = 0; i < models->count; i++)
        if (slice_eq(models->item[i].from, it.from))
            return err_set(err, ERR_USAGE, "--as-model: " SLICE_FMT " twice", SLICE_ARG(it.from));
    target_split(&it);
    models->item[models->count++] = it;
    return true;
}

bool as_models_take(struct as_models *models, const struct option_list *list, struct err *err)
{
    models->count = 0;
    for (size_t i = 0; i < list->count; i++)
        if (!take(models, list->value[i], err))
            return false;
    return true;
}

/* --- a row */

/* Without the row's provider in front. */
static struct slice bare(struct slice name, struct slice provider)
{
    if (provider.bytes && name.bytes > provider.bytes && name.p[provider.bytes] == '/' &&
        memcmp(name.p, provider.p, provider.bytes) == 0)
        return (struct slice){name.p + provider.bytes + 1, name.bytes - provider.bytes - 1};
    return name;
}

static bool is_of(struct slice text, const struct facts *facts)
{
    static const enum fact named[] = {FACT_MODEL, FACT_MODEL_REQUESTED};
    struct slice provider = facts_text(facts, FACT_PROVIDER);
    for (size_t i = 0; i < COUNT(named); i++) {
        struct slice model = facts_text(facts, named[i]);
        if (model.bytes && slice_eq(bare(text, provider), bare(model, provider)))
            return true;
    }
    return false;
}

static struct as_model *find(struct as_models *models, const struct facts *facts)
{
    for (size_t i = 0; i < models->count; i++)
        if (is_of(models->item[i].from, facts))
            return &models->item[i];
    return NULL;
}

static void leave_out(struct facts *facts, const enum fact *fact, size_t count)
{
    for (size_t i = 0; i < count; i++)
        facts_clear(facts, fact[i]);
}

static bool has_any(const struct facts *facts, const enum fact *fact, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (facts_has(facts, fact[i]))
            return true;
    return false;
}

static void replace(const struct as_model *by, struct facts *facts)
{
    leave_out(facts, of_model, COUNT(of_model));
    if (by->provider.bytes && !slice_eq(by->provider, facts_text(facts, FACT_PROVIDER))) {
        leave_out(facts, of_provider, COUNT(of_provider));
        facts_set_text(facts, FACT_PROVIDER, by->provider);
    }
    facts_set_text(facts, FACT_MODEL, by->model);
    facts_set_text(facts, FACT_MODEL_REQUESTED, by->whole);
}

void as_models_price(struct as_models *models, struct pricer *pricer, const struct facts *facts,
                     struct charge *charge)
{
    struct as_model *by = find(models, facts);
    if (!by) {
        pricer_price(pricer, facts, charge, NULL);
        return;
    }
    struct facts supposed = *facts;
    by->rows++;
    replace(by, &supposed);
    if (has_any(facts, of_several, COUNT(of_several)))
        *charge = (struct charge){.status = CHARGE_UNPRICED,
                                  .reason = REASON_UNDERIVABLE_MIXED_BATCH,
                                  .rule = "",
                                  .missing = UNIT_COUNT};
    else
        pricer_price(pricer, &supposed, charge, NULL);
}

void as_models_tell_unused(const struct as_models *models)
{
    for (size_t i = 0; i < models->count; i++)
        if (models->item[i].rows == 0)
            log_warn("--as-model: no row is of " SLICE_FMT ": nothing was replaced by it",
                     SLICE_ARG(models->item[i].from));
}
