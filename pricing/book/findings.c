/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each check looks at one deployment's prices, or at the configuration as a whole. A finding names
 * file and line, what was found, and what it will do to a bill.
 */
#include "pricing/book/findings.h"

#include "core/providers.h"
#include "pricing/book/deployment_prices.h"
#include "pricing/book/inside.h"
#include "pricing/book/targets.h"
#include "pricing/book/unread.h"
#include "pricing/map/gate.h"
#include "pricing/map/lists.h"

#include <stdio.h>
#include <stdlib.h>

#define SCRATCH_BYTES_MAX (8u << 20)

struct reporter {
    const struct book *book;
    const struct edition *edition;
    finding_fn *finding;
    void *context;
};

static void report(const struct reporter *to, enum finding_level level,
                   const struct deployment *deployment, unsigned line, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
static void report(const struct reporter *to, enum finding_level level,
                   const struct deployment *deployment, unsigned line, const char *fmt, ...)
{
    char what[768], text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    if (deployment)
        snprintf(text, sizeof(text), "%s:%u: model \"%.100s\": %s", deployment->file,
                 line ? line : deployment->line, deployment->model_name, what);
    else
        snprintf(text, sizeof(text), "%s", what);
    to->finding(level, text, to->context);
}

/* ---- keys --------------------------------------------------------------------------------------
 */

static void unknown_key(const struct reporter *to, const struct deployment *d,
                        const struct node *member)
{
    const char *near = price_key_suggest(slice_of(member->key));
    report(to, FINDING_WARNING, d, member->line,
           "%s: looks like a price but is not a known one%s%s%s", member->key,
           near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static bool is_known(const struct reporter *to, const char *key)
{
    struct price_key parsed;
    struct slice text = slice_of(key);
    return price_key_parse(text, &to->edition->catalog->variants, NULL, &parsed) ||
           price_key_inert(text);
}

static void check_keys(const struct reporter *to, const struct deployment *d)
{
    for (const struct node *n = d->info->children; n; n = n->next) {
        const struct node *within = gate_is_table(slice_of(n->key))
                                        ? gate_unknown(n, &to->edition->catalog->variants)
                                        : NULL;
        if (price_key_suspect(slice_of(n->key)) && !is_known(to, n->key))
            unknown_key(to, d, n);
        else if (within)
            unknown_key(to, d, within);
        else if (n->kind == NODE_NULL && is_known(to, n->key))
            report(to, FINDING_INFO, d, n->line, "%s is null, so it is not set", n->key);
    }
    for (const struct node *n = d->params->children; n; n = n->next) {
        if (list_has(&list_custom, slice_of(n->key)) || strcmp(n->key, "cost_per_query") == 0)
            continue;
        if (is_known(to, n->key))
            report(to, FINDING_WARNING, d, n->line,
                   "%s is not read in litellm_params: put it into model_info", n->key);
        else
            unknown_key(to, d, n);
    }
}

/* ---- slips -------------------------------------------------------------------------------------
 */

static bool at_least(const struct decimal *a, int64_t times, const struct decimal *b)
{
    struct decimal factor = decimal_from_int(times), product;
    return decimal_mul(b, &factor, &product) && decimal_cmp(a, &product) >= 0;
}

/* How many times larger a is than b, where that is a likely slip: 10, 1,000 or 1,000,000; 0 if not.
 */
static int64_t slip(const struct decimal *a, const struct decimal *b)
{
    static const struct {
        int64_t from, shown;
    } steps[] = {{500000, 1000000}, {500, 1000}, {10, 10}};
    if (decimal_is_zero(a) || decimal_is_zero(b))
        return 0;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (at_least(a, steps[i].from, b))
            return steps[i].shown;
    return 0;
}

static const char *slip_hint(int64_t times)
{
    return times == 1000000 ? " (a price per million?)"
           : times == 1000  ? " (a price per thousand?)"
                            : "";
}

/* Without the map to compare with: no token costs a cent. */
static void check_absolute(const struct reporter *to, const struct deployment *d,
                           const struct node *ours, const struct decimal *price)
{
    static const struct decimal cent = {1, 2, false};
    if (strstr(ours->key, "token") && strstr(ours->key, "cost") && decimal_cmp(price, &cent) >= 0)
        report(to, FINDING_WARNING, d, ours->line, "%s is %s USD per token (a price per million?)",
               ours->key, ours->text);
}

static void check_slips(const struct reporter *to, const struct deployment_prices *prices)
{
    const struct deployment *d = prices->priced->deployment;
    const struct node *map = prices->base ? prices->base->raw : NULL;
    for (size_t i = 0; i < prices->set.count; i++) {
        const struct node *ours = prices->set.field[i].value;
        struct decimal set_price, map_price;
        struct err ignored = {0};
        bool has_set, has_map;
        if (!node_price(ours, &set_price, &has_set, &ignored) ||
            !node_price(node_get(map, ours->key), &map_price, &has_map, &ignored) || !has_set)
            continue;
        if (!has_map) {
            check_absolute(to, d, ours, &set_price);
            continue;
        }
        int64_t up = slip(&set_price, &map_price), down = slip(&map_price, &set_price);
        if (up)
            report(to, FINDING_WARNING, d, ours->line, "%s is %lld times the cost map's or more%s",
                   ours->key, (long long)up, slip_hint(up));
        if (down)
            report(to, FINDING_WARNING, d, ours->line, "%s is a %lldth of the cost map's or less",
                   ours->key, (long long)down);
    }
}

/* ---- quirks ------------------------------------------------------------------------------------
 */

static bool has(const struct fields *fields, const char *key)
{
    return fields_get(fields, key) != NULL;
}

static bool any_with(const struct fields *fields, const char *part)
{
    for (size_t i = 0; i < fields->count; i++)
        if (strstr(fields->field[i].value->key, part))
            return true;
    return false;
}

/* Section 5.3: what LiteLLM 1.106.2 makes of this entry. */
static void check_litellm(const struct reporter *to, const struct deployment_prices *prices)
{
    const struct deployment *d = prices->priced->deployment;
    const struct fields *set = &prices->set;
    bool input = has(set, "input_cost_per_token"), output = has(set, "output_cost_per_token");
    bool tiers = has(set, "tiered_pricing"), off_peak = has(set, "off_peak_pricing");
    if (!prices->priced->override.entry->prices_something)
        report(to, FINDING_WARNING, d, 0,
               "LiteLLM ignores what is set here, the cost map's prices apply");
    else if (input && !output && !tiers && !off_peak)
        report(to, FINDING_WARNING, d, 0, "only the input has a price: output is free");
    else if (output && !input && !tiers)
        report(to, FINDING_WARNING, d, 0, "only the output has a price: input is free");
    else if (!input && !output && any_with(set, "_batches"))
        report(to, FINDING_WARNING, d, 0, "only batches have a price: other calls are free");
    if ((input || output) && any_with(&prices->inherited, "_priority"))
        report(to, FINDING_WARNING, d, 0,
               "calls at a service tier are billed at the cost map's rates, not at these");
    if (prices->lost.count)
        report(to, FINDING_WARNING, d, 0, "%zu prices of the cost map's entry are lost, %s first",
               prices->lost.count, prices->lost.field[0].value->key);
}

/* Section 5.4: what was not overridden is the map's, also where it takes the place of what was. */
static void check_merge(const struct reporter *to, const struct deployment_prices *prices)
{
    static const struct {
        const char *part, *when;
    } stand_ins[] = {
        {"_above_", "above a threshold"}, {"_priority", "at tier priority"},
        {"_flex", "at tier flex"},        {"_batches", "in batches"},
        {"off_peak_pricing", "off-peak"},
    };
    const struct deployment *d = prices->priced->deployment;
    if (!has(&prices->set, "input_cost_per_token") && !has(&prices->set, "output_cost_per_token"))
        return;
    for (size_t i = 0; i < sizeof(stand_ins) / sizeof(stand_ins[0]); i++)
        for (size_t j = 0; j < prices->inherited.count; j++) {
            const char *key = prices->inherited.field[j].value->key;
            if (!strstr(key, stand_ins[i].part) ||
                strcmp(key, "cache_creation_input_token_cost_above_1hr") == 0)
                continue;
            report(to, FINDING_INFO, d, 0, "%s the cost map's rates are billed (%s)",
                   stand_ins[i].when, key);
            break;
        }
}

static void check_uplift(const struct reporter *to, const struct deployment_prices *prices)
{
    const struct deployment *d = prices->priced->deployment;
    if (strncmp(prices->priced->provider, "vertex_ai", 9) == 0 && !d->vertex_location[0] &&
        any_with(&prices->inherited, "regional_endpoint_uplift_multiplier"))
        report(to, FINDING_INFO, d, 0,
               "without vertex_location calls count as regional, with the uplift of the cost map");
}

/* Of two rows that hold a number the one that begins lower bills, of results the one that comes
 * first. */
static bool rows_overlap(const struct tier_row *a, const struct tier_row *b)
{
    if (a->has_results && b->has_results)
        return decimal_cmp(&a->above, &b->upto) <= 0 && decimal_cmp(&b->above, &a->upto) <= 0;
    return a->has_range && b->has_range && decimal_cmp(&a->above, &b->upto) < 0 &&
           decimal_cmp(&b->above, &a->upto) < 0;
}

static void range_text(const struct tier_row *row, char *text, size_t capacity)
{
    char from[DECIMAL_TEXT_MAX], to[DECIMAL_TEXT_MAX];
    decimal_format(&row->above, from);
    decimal_format(&row->upto, to);
    snprintf(text, capacity, "[%s, %s]", from, to);
}

static void check_tiers(const struct reporter *to, const struct deployment_prices *prices)
{
    const struct rule *rule = prices->priced->override.entry;
    const struct node *ours = fields_get(&prices->set, "tiered_pricing");
    char one[2 * DECIMAL_TEXT_MAX + 5], other[2 * DECIMAL_TEXT_MAX + 5];
    for (size_t i = 0; ours && i < rule->tier_count; i++)
        for (size_t j = i + 1; j < rule->tier_count; j++) {
            if (!rows_overlap(&rule->tier[i], &rule->tier[j]))
                continue;
            range_text(&rule->tier[i], one, sizeof(one));
            range_text(&rule->tier[j], other, sizeof(other));
            report(to, FINDING_WARNING, prices->priced->deployment, ours->line,
                   "tiered_pricing: the ranges %s and %s overlap, the first of them is billed", one,
                   other);
        }
}

static void check_zone(const struct reporter *to, const struct deployment *d, struct arena *scratch)
{
    const char *zone = node_text(node_get(d->info, "off_peak_pricing"), "weekday_timezone");
    if (zone[0] && !zone_load(scratch, zone))
        report(to, FINDING_WARNING, d, 0, "weekday_timezone %s is not known here: UTC is used",
               zone);
}

/* ---- whole configuration -----------------------------------------------------------------------
 */

static bool same_prices(const struct deployment *a, const struct deployment *b)
{
    struct buf left, right;
    buf_init(&left, 1u << 20);
    buf_init(&right, 1u << 20);
    node_write(a->info, &left);
    node_write(a->params, &left);
    node_write(b->info, &right);
    node_write(b->params, &right);
    bool same = slice_eq(buf_slice(&left), buf_slice(&right));
    buf_free(&left);
    buf_free(&right);
    return same;
}

/* Of a group: its first deployment, and the first one with other prices. */
struct alike {
    const struct deployment *first, *other;
};

/* Per edition: groups of one alias and model, deployments with an id left aside. */
struct ambiguity {
    struct targets *targets;
    struct alike *group;
};

/* The first one before it that has other prices, NULL: none. */
static const struct deployment *alike_take(struct alike *group, const struct deployment *ours)
{
    if (!group->first) {
        group->first = ours;
        return NULL;
    }
    if (same_prices(ours, group->first))
        return group->other;
    if (!group->other)
        group->other = ours;
    return group->first;
}

/* Deployments of one alias and model that nothing but LiteLLM's secret hash tells apart; told in
 * the first edition in which ours holds. */
static void check_ambiguous(const struct reporter *to, struct ambiguity *ambiguity,
                            const struct deployment *ours)
{
    for (size_t i = 0; i < to->book->edition_count && !ours->id[0]; i++) {
        const struct edition *edition = &to->book->edition[i];
        struct ambiguity *a = &ambiguity[i];
        if (!a->targets || !a->group || !deployment_in_edition(edition, ours))
            continue;
        const struct deployment *other =
            alike_take(&a->group[targets_group(a->targets, ours)], ours);
        if (other && edition == to->edition)
            report(to, FINDING_WARNING, ours, 0,
                   "cannot be told from line %u, which has other prices: the first is used; set "
                   "model_info.id",
                   other->line);
    }
}

static struct ambiguity *ambiguity_new(const struct book *book)
{
    struct ambiguity *ambiguity = calloc(book->edition_count + 1, sizeof(*ambiguity));
    for (size_t i = 0; ambiguity && i < book->edition_count; i++) {
        size_t count = book->edition[i].deployments.count;
        ambiguity[i].targets = targets_new(count);
        ambiguity[i].group = calloc(count + 1, sizeof(struct alike));
    }
    return ambiguity;
}

static void ambiguity_free(struct ambiguity *ambiguity, size_t count)
{
    for (size_t i = 0; ambiguity && i < count; i++) {
        targets_free(ambiguity[i].targets);
        free(ambiguity[i].group);
    }
    free(ambiguity);
}

/* What stands where nobody reads it. */
static void check_places(const struct reporter *to)
{
    const struct litellm_config *config = &to->book->config;
    for (size_t i = 0; i < config->misplaced_count; i++) {
        const struct misplaced *m = &config->misplaced[i];
        const char *place = m->place[0] ? m->place : "the top level";
        if (m->instead)
            report(to, FINDING_WARNING, NULL, 0, "%s:%u: %s in %s is not read: did you mean %s?",
                   m->file, m->line, m->key, place, m->instead);
        else
            report(
                to, FINDING_WARNING, NULL, 0,
                "%s:%u: %s is not read in %s: prices belong into model_info or litellm_params of "
                "a model_list entry, discounts and margins into litellm_settings",
                m->file, m->line, m->key, place);
    }
    if (config->misplaced_more)
        report(to, FINDING_WARNING, NULL, 0, "%s: %zu more keys stand where they are not read",
               config->file, config->misplaced_more);
}

/* Of "openai/gpt-4o*" what stands before the pattern; a provider's own name may have a "/". */
static bool has_provider(const char *key)
{
    const char *slash = strchr(key, '/');
    struct slice before = {key, slash ? (size_t)(slash - key) : 0};
    return provider_is_known(slice_of(key)) || (slash && provider_is_known(before));
}

static void check_adjustments(const struct reporter *to)
{
    const struct litellm_config *config = &to->book->config;
    for (size_t i = 0; i < config->discount_count; i++)
        if (!has_provider(config->discount[i].provider))
            report(to, FINDING_WARNING, NULL, 0, "%s:%u: cost_discount_config: no provider \"%s\"",
                   config->discount[i].rate.source.file, config->discount[i].rate.source.line,
                   config->discount[i].provider);
    for (size_t i = 0; i < config->margin_count; i++)
        if (strcmp(config->margin[i].provider, "global") != 0 &&
            !provider_is_known(slice_of(config->margin[i].provider)))
            report(to, FINDING_WARNING, NULL, 0, "cost_margin_config: no provider \"%s\"",
                   config->margin[i].provider);
}

/* ---- cost maps ---------------------------------------------------------------------------------
 */

#define TOLD_MAX 64

struct told {
    const char *key;
    const struct entry *first;
    size_t rows;
};

/* False: there is no room for another key. */
static bool tell_key(struct told told[TOLD_MAX], size_t *count, const struct node *member,
                     const struct entry *entry)
{
    size_t i = 0;
    while (i < *count && strcmp(told[i].key, member->key) != 0)
        i++;
    if (i == TOLD_MAX)
        return false;
    if (i == *count)
        told[(*count)++] = (struct told){member->key, entry, 0};
    told[i].rows++;
    return true;
}

/* Keys of the map that look like money and are not known (gate.h). */
static void check_map(const struct reporter *to, const struct catalog *catalog)
{
    struct told told[TOLD_MAX];
    size_t count = 0, untold = 0;
    for (size_t i = 0; i < catalog->count; i++) {
        const struct entry *entry = &catalog->entry[i];
        const struct node *n = entry->rule->unknown_key ? entry->raw->children : NULL;
        for (; n; n = n->next)
            if (gate_member(n, &catalog->variants) == MEMBER_UNKNOWN)
                untold += !tell_key(told, &count, n, entry);
    }
    size_t rows = catalog_unknown_rows(catalog);
    if (rows > 0)
        report(to, FINDING_WARNING, NULL, 0,
               "%s is newer than the pricing rules, which follow LiteLLM " PRICING_RULES
               ": %zu rows hold price keys that they do not know",
               catalog->file ? catalog->file : "builtin cost map", rows);
    for (size_t i = 0; i < count; i++)
        report(to, FINDING_WARNING, NULL, 0,
               "%s:%u: %s looks like money and is not known: %zu rows of the cost map, \"%.100s\" "
               "first, are %s",
               catalog->file ? catalog->file : "builtin cost map", told[i].first->raw->line,
               told[i].key, told[i].rows, told[i].first->name,
               to->book->policies.unknown_keys == UNKNOWN_KEYS_UNPRICE ? "not priced" : "flagged");
    if (untold)
        report(to, FINDING_WARNING, NULL, 0, "%s: %zu more keys look like money and are not known",
               catalog->file ? catalog->file : "builtin cost map", untold);
}

/* By the mode of the deployment or of its map entry; without one, as chat. */
static void check_unread(const struct reporter *to, const struct deployment_prices *prices)
{
    const struct deployment *d = prices->priced->deployment;
    const char *mode = node_text(d->info, "mode"), *key;
    enum call_class class = CALL_CHAT;
    size_t at = 0;
    if (!mode[0] && prices->base)
        mode = node_text(prices->base->raw, "mode");
    if (!prices->custom) {
        while ((key = unread_next(d, NULL, class, &to->edition->catalog->variants, &at)))
            report(to, FINDING_WARNING, d, 0, "%s alone is read by no formula", key);
        return;
    }
    if (!mode[0] || !unread_class_of_mode(mode, &class))
        return;
    while ((key = unread_next(d, prices->priced->override.entry, class,
                              &to->edition->catalog->variants, &at)))
        report(to, FINDING_WARNING, d, 0, "%s is read by no formula of mode %s", key, mode);
}

static void check_deployment(const struct reporter *to, const struct priced_deployment *priced,
                             struct arena *scratch)
{
    struct deployment_prices prices;
    const struct deployment *d = priced->deployment;
    deployment_prices_read(to->book, to->edition, priced, scratch, &prices);
    check_keys(to, d);
    check_zone(to, d, scratch);
    check_uplift(to, &prices);
    check_unread(to, &prices);
    if (!priced->custom) {
        if (!prices.base && !strchr(d->model, '*'))
            report(to, FINDING_WARNING, d, 0, "%s is in no cost map: its calls will be unpriced",
                   d->model);
        return;
    }
    check_slips(to, &prices);
    check_tiers(to, &prices);
    if (to->book->policies.overrides == OVERRIDES_LITELLM)
        check_litellm(to, &prices);
    else
        check_merge(to, &prices);
}

void findings_report(const struct book *book, finding_fn *finding, void *context)
{
    struct reporter to = {book, NULL, finding, context};
    struct ambiguity *ambiguity = ambiguity_new(book);
    struct arena scratch;
    arena_init(&scratch, SCRATCH_BYTES_MAX);
    for (size_t i = 0; i < book->config.deployment_count; i++) {
        const struct priced_deployment *priced =
            deployment_first_edition(book, &book->config.deployment[i], &to.edition);
        arena_reset(&scratch);
        if (!priced)
            continue;
        check_deployment(&to, priced, &scratch);
        if (ambiguity)
            check_ambiguous(&to, ambiguity, priced->deployment);
    }
    for (size_t i = 0; i < book->catalog_count; i++)
        check_map(&to, book->catalog[i]);
    check_places(&to);
    check_adjustments(&to);
    ambiguity_free(ambiguity, book->edition_count);
    arena_free(&scratch);
}
