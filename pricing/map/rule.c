/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling the members of an entry to a rule: rates by kind and variant, bands, tiers, tables. */
#include "pricing/map/rule.h"

#include "pricing/map/gate.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define RATES_MAX 255
_Static_assert(FIELDS_MAX <= RATES_MAX, "each field of an entry has at most one rate in it");

const char *const tier_rate_key[TIER_RATE_COUNT] = {
    [TIER_INPUT] = "input_cost_per_token",
    [TIER_OUTPUT] = "output_cost_per_token",
    [TIER_REASONING] = "output_cost_per_reasoning_token",
    [TIER_READ] = "cache_read_input_token_cost",
    [TIER_WRITE] = "cache_creation_input_token_cost",
    [TIER_WRITE_1H] = "cache_creation_input_token_cost_above_1hr",
    [TIER_WRITE_12H] = "cache_creation_input_token_cost_above_12hr",
    [TIER_EXPLICIT_READ] = "explicit_cache_read_input_token_cost",
    [TIER_QUERY] = "input_cost_per_query",
};

static const char *const context_key[CONTEXT_COUNT] = {
    "search_context_size_low", "search_context_size_medium", "search_context_size_high"};

/* The modes of section 8.1's wall clock; no mode counts as one of them. */
static const char *const wall_clock_modes[] = {"audio_transcription", "chat", "completion",
                                               "embedding", "responses"};

struct compiler {
    struct arena *arena;
    const struct rule_options *options;
    struct rule *rule;
    const struct rate *rates[RATES_MAX + 1];
    size_t rate_count; /* rates[0] is the absent one */
    struct err *err;
};

/* ---- raw entries ------------------------------------------------------------------------------
 */

/* Where `key` is; the count when it is nowhere. */
static size_t fields_find(const struct fields *fields, const char *key)
{
    size_t i = 0;
    while (i < fields->count && strcmp(fields->field[i].value->key, key) != 0)
        i++;
    return i;
}

const struct node *fields_get(const struct fields *fields, const char *key)
{
    size_t at = fields_find(fields, key);
    return at < fields->count && fields->field[at].value->kind != NODE_NULL
               ? fields->field[at].value
               : NULL;
}

void fields_remove(struct fields *fields, const char *key)
{
    size_t at = fields_find(fields, key);
    if (at < fields->count)
        fields->field[at] = fields->field[--fields->count];
}

bool fields_set(struct fields *fields, const struct node *value, const char *entry)
{
    size_t at = fields_find(fields, value->key);
    if (at == FIELDS_MAX)
        return false;
    fields->count += at == fields->count;
    fields->field[at] = (struct field){value, entry};
    return true;
}

/* ---- compiling --------------------------------------------------------------------------------
 */

static void *allocate(struct compiler *c, size_t bytes)
{
    void *p = arena_zalloc(c->arena, bytes ? bytes : 1);
    if (!p)
        err_set(c->err, ERR_CONFIG, "the price book is too large");
    return p;
}

/* *rate stays NULL when the value is null. */
static bool make_rate(struct compiler *c, const struct node *value, const char *entry,
                      const char *table, const struct rate **rate)
{
    struct decimal price;
    bool set;
    if (!node_price(value, &price, &set, c->err))
        return false;
    if (!set)
        return true;
    struct rate *made = allocate(c, sizeof(*made));
    if (!made)
        return false;
    const char *key = value->key;
    if (table) {
        size_t bytes = strlen(table) + strlen(key) + 2;
        char *text = allocate(c, bytes);
        if (!text)
            return false;
        snprintf(text, bytes, "%s.%s", table, key);
        key = text;
    }
    made->value = price;
    made->source = (struct rate_source){value->file, value->file ? value->line : 0, entry, key};
    *rate = made;
    return true;
}

static struct band *band_get(struct compiler *c, uint32_t above_tokens)
{
    struct rule *rule = c->rule;
    size_t at = 0;
    while (at < rule->band_count && rule->band[at].above_tokens < above_tokens)
        at++;
    if (at < rule->band_count && rule->band[at].above_tokens == above_tokens)
        return &rule->band[at];
    struct band *grown = allocate(c, (rule->band_count + 1) * sizeof(*grown));
    if (!grown)
        return NULL;
    if (at)
        memcpy(grown, rule->band, at * sizeof(*grown));
    if (rule->band_count > at)
        memcpy(grown + at + 1, rule->band + at, (rule->band_count - at) * sizeof(*grown));
    grown[at].above_tokens = above_tokens;
    rule->band = grown;
    rule->band_count++;
    return &rule->band[at];
}

static bool add_named(struct compiler *c, struct named_rate **list, size_t *count,
                      struct named_rate added)
{
    struct named_rate *grown = allocate(c, (*count + 1) * sizeof(*grown));
    if (!grown)
        return false;
    if (*count)
        memcpy(grown, *list, *count * sizeof(*grown));
    grown[(*count)++] = added;
    *list = grown;
    return true;
}

/* "_above_128k_tokens" and "_above_128000_tokens": which of the two is meant, nothing tells. */
static bool place_in_band(struct compiler *c, const struct price_key *key, const struct rate *rate,
                          const struct node *value)
{
    struct band *band = band_get(c, key->above_tokens);
    const struct rate *before = band ? band->rate[key->kind][key->variant] : NULL;
    if (!band)
        return false;
    band->rate[key->kind][key->variant] = rate;
    if (!before)
        return true;
    const struct rate_source *other = &before->source;
    if (other->file)
        return node_err(c->err, value, "%s: %s at %s:%u is the same threshold", value->key,
                        other->key, other->file, other->line);
    return node_err(c->err, value, "%s: %s of %s is the same threshold", value->key, other->key,
                    other->entry);
}

static bool place_rate(struct compiler *c, const struct price_key *key, const struct rate *rate,
                       const struct node *value)
{
    if (key->detail.bytes) {
        const char *name = value->key + strlen(rate_base[key->kind]) + 1;
        return add_named(c, &c->rule->detail, &c->rule->detail_count,
                         (struct named_rate){key->kind, name, rate});
    }
    if (key->above_tokens)
        return place_in_band(c, key, rate, value);
    assert(c->rate_count <= RATES_MAX);
    c->rule->slot[key->kind][key->variant] = (uint8_t)c->rate_count;
    c->rates[c->rate_count++] = rate;
    return true;
}

static bool compile_price(struct compiler *c, const struct field *field, struct slice name)
{
    struct price_key key;
    const struct rate *rate = NULL;
    bool known = price_key_parse(name, c->options->variants, NULL, &key);
    if (!known && (!price_key_inert(name) || field->value->kind > NODE_TEXT))
        return true;
    /* What is billed nowhere is still checked: a bad price is a bad file. */
    if (!make_rate(c, field->value, field->entry, NULL, &rate))
        return false;
    if (!rate || !known || !price_key_visible(name, &key, c->options->exact_keys))
        return true;
    return place_rate(c, &key, rate, field->value);
}

static bool read_range(struct compiler *c, const struct node *range, struct tier_row *row)
{
    bool set;
    if (range->kind != NODE_LIST)
        return node_err(c->err, range, "%s must be a list of two numbers", range->key);
    if (range->count != 2)
        return true;
    struct node low = *range->children, high = *range->children->next;
    low.key = high.key = range->key;
    if (!node_price(&low, &row->above, &set, c->err) ||
        !node_price(&high, &row->upto, &set, c->err))
        return false;
    row->has_range = strcmp(range->key, "range") == 0;
    row->has_results = !row->has_range;
    return true;
}

static bool compile_tier(struct compiler *c, const struct node *tier, const char *entry,
                         unsigned index, struct tier_row *row)
{
    char table[40];
    snprintf(table, sizeof(table), "tiered_pricing[%u]", index);
    if (tier->kind != NODE_MAP)
        return node_err(c->err, tier, "tiered_pricing: each tier must be a map");
    for (const struct node *member = tier->children; member; member = member->next) {
        if (strcmp(member->key, "range") == 0 || strcmp(member->key, "max_results_range") == 0) {
            if (!read_range(c, member, row))
                return false;
            continue;
        }
        for (size_t i = 0; i < TIER_RATE_COUNT; i++)
            if (strcmp(member->key, tier_rate_key[i]) == 0 &&
                !make_rate(c, member, entry, table, &row->rate[i]))
                return false;
    }
    return true;
}

static int tier_order(const void *a, const void *b)
{
    const struct tier_row *left = a, *right = b;
    return decimal_cmp(&left->above, &right->above);
}

static bool compile_tiers(struct compiler *c, const struct field *field)
{
    const struct node *list = field->value;
    if (list->kind != NODE_LIST)
        return node_err(c->err, list, "tiered_pricing must be a list");
    c->rule->has_tiers = true;
    c->rule->tier = allocate(c, (list->count + 1) * sizeof(*c->rule->tier));
    if (!c->rule->tier)
        return false;
    bool by_tokens = false;
    for (const struct node *tier = list->children; tier; tier = tier->next) {
        struct tier_row *row = &c->rule->tier[c->rule->tier_count];
        if (!compile_tier(c, tier, field->entry, (unsigned)c->rule->tier_count++, row))
            return false;
        by_tokens |= row->has_range;
    }
    if (by_tokens)
        qsort(c->rule->tier, c->rule->tier_count, sizeof(*c->rule->tier), tier_order);
    return true;
}

static bool read_clock(const char **p, uint16_t *minute)
{
    unsigned hours, minutes;
    int used = 0;
    if (sscanf(*p, " %2u:%2u%n", &hours, &minutes, &used) != 2 || used == 0 || hours > 23 ||
        minutes > 59)
        return false;
    *minute = (uint16_t)(hours * 60 + minutes);
    *p += used + (int)strspn(*p + used, " ");
    return true;
}

static bool read_window(const char *text, struct off_peak_window *window)
{
    return read_clock(&text, &window->start_minute) && *text++ == '-' &&
           read_clock(&text, &window->end_minute) && *text == '\0';
}

static bool add_window(struct compiler *c, struct off_peak *off_peak, const struct node *hours,
                       uint8_t weekdays, const struct zone *zone)
{
    struct off_peak_window window = {0, 0, weekdays, zone};
    if (hours->kind != NODE_TEXT || !read_window(hours->text, &window))
        return node_err(c->err, hours, "off_peak_pricing: hours_utc must be \"HH:MM-HH:MM\"");
    struct off_peak_window *grown = allocate(c, (off_peak->window_count + 1) * sizeof(*grown));
    if (!grown)
        return false;
    if (off_peak->window_count)
        memcpy(grown, off_peak->window, off_peak->window_count * sizeof(*grown));
    grown[off_peak->window_count++] = window;
    off_peak->window = grown;
    return true;
}

static bool add_windows(struct compiler *c, struct off_peak *off_peak, const struct node *hours,
                        uint8_t weekdays, const struct zone *zone)
{
    if (!hours || hours->kind == NODE_NULL)
        return true;
    if (hours->kind != NODE_LIST)
        return add_window(c, off_peak, hours, weekdays, zone);
    for (const struct node *one = hours->children; one; one = one->next)
        if (!add_window(c, off_peak, one, weekdays, zone))
            return false;
    return true;
}

/* 1 (Monday) to 7, or the name of a day; 0: neither. */
static unsigned read_weekday(const struct node *day)
{
    static const char *const names[7][5] = {
        {"mon", "monday"},    {"tue", "tues", "tuesday"},
        {"wed", "wednesday"}, {"thu", "thur", "thurs", "thursday"},
        {"fri", "friday"},    {"sat", "saturday"},
        {"sun", "sunday"},
    };
    if (day->kind == NODE_NUMBER && day->text[0] >= '1' && day->text[0] <= '7' && !day->text[1])
        return (unsigned)(day->text[0] - '0');
    for (unsigned i = 0; day->kind == NODE_TEXT && i < 7; i++)
        for (size_t j = 0; j < 5 && names[i][j]; j++)
            if (strcasecmp(day->text, names[i][j]) == 0)
                return i + 1;
    return 0;
}

static bool read_weekdays(struct compiler *c, const struct node *days, uint8_t *mask)
{
    *mask = 0x7f;
    if (!days || days->kind == NODE_NULL)
        return true;
    if (days->kind != NODE_LIST)
        return node_err(c->err, days, "off_peak_pricing: weekdays must be a list");
    *mask = 0;
    for (const struct node *day = days->children; day; day = day->next) {
        unsigned n = read_weekday(day);
        if (n == 0)
            return node_err(c->err, day, "off_peak_pricing: no weekday (1 = Monday to 7)");
        *mask |= (uint8_t)(1u << (n - 1));
    }
    return true;
}

static bool compile_windows(struct compiler *c, const struct node *table, struct off_peak *out)
{
    const char *zone_name = node_text(table, "weekday_timezone");
    const struct zone *zone = zone_name[0] ? zone_load(c->arena, zone_name) : NULL;
    const struct node *windows = node_get(table, "windows");
    if (!add_windows(c, out, node_get(table, "hours_utc"), 0x7f, NULL))
        return false;
    if (!windows || windows->kind == NODE_NULL)
        return true;
    if (windows->kind != NODE_LIST)
        return node_err(c->err, windows, "off_peak_pricing: windows must be a list");
    for (const struct node *window = windows->children; window; window = window->next) {
        uint8_t weekdays;
        if (!read_weekdays(c, node_get(window, "weekdays"), &weekdays) ||
            !add_windows(c, out, node_get(window, "hours_utc"), weekdays, zone))
            return false;
    }
    return true;
}

static bool compile_off_peak(struct compiler *c, const struct field *field)
{
    const struct node *table = field->value;
    struct off_peak *off_peak = allocate(c, sizeof(*off_peak));
    if (!off_peak)
        return false;
    if (table->kind != NODE_MAP)
        return node_err(c->err, table, "off_peak_pricing must be a map");
    const struct {
        const char *key;
        const struct rate **rate;
    } rates[] = {
        {"input_cost_per_token", &off_peak->input},
        {"output_cost_per_token", &off_peak->output},
        {"cache_read_input_token_cost", &off_peak->read},
        {"cache_creation_input_token_cost", &off_peak->write},
        {"output_cost_per_reasoning_token", &off_peak->reasoning},
        {"explicit_cache_read_input_token_cost", &off_peak->explicit_read},
    };
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
        if (!make_rate(c, node_get(table, rates[i].key), field->entry, "off_peak_pricing",
                       rates[i].rate))
            return false;
    c->rule->off_peak = off_peak;
    return compile_windows(c, table, off_peak);
}

static bool compile_context(struct compiler *c, const struct field *field)
{
    if (field->value->kind != NODE_MAP)
        return node_err(c->err, field->value, "%s must be a map of sizes", field->value->key);
    c->rule->has_context = true;
    for (size_t i = 0; i < CONTEXT_COUNT; i++)
        if (!make_rate(c, node_get(field->value, context_key[i]), field->entry, field->value->key,
                       &c->rule->context[i]))
            return false;
    return true;
}

/* Only numbers are multipliers; the table also holds settings of providers. */
static bool compile_multipliers(struct compiler *c, const struct field *field)
{
    if (field->value->kind != NODE_MAP)
        return node_err(c->err, field->value, "%s must be a map", field->value->key);
    for (const struct node *one = field->value->children; one; one = one->next) {
        const struct rate *rate = NULL;
        if (one->kind != NODE_NUMBER)
            continue;
        if (!make_rate(c, one, field->entry, field->value->key, &rate))
            return false;
        if (rate && !add_named(c, &c->rule->multiplier, &c->rule->multiplier_count,
                               (struct named_rate){RATE_COUNT, one->key, rate}))
            return false;
    }
    return true;
}

static bool compile_mode(struct compiler *c, const struct field *field)
{
    c->rule->wall_clock_mode = false;
    for (size_t i = 0; i < sizeof(wall_clock_modes) / sizeof(wall_clock_modes[0]); i++)
        if (field->value->kind == NODE_TEXT && strcmp(field->value->text, wall_clock_modes[i]) == 0)
            c->rule->wall_clock_mode = true;
    return true;
}

static bool compile_billing_unit(struct compiler *c, const struct field *field)
{
    c->rule->per_query =
        field->value->kind == NODE_TEXT && strcmp(field->value->text, "per_query") == 0;
    return true;
}

static bool compile_regions(struct compiler *c, const struct field *field)
{
    if (field->value->kind != NODE_LIST)
        return true;
    c->rule->region = allocate(c, field->value->count * sizeof(*c->rule->region));
    if (!c->rule->region)
        return false;
    for (const struct node *region = field->value->children; region; region = region->next)
        if (region->kind == NODE_TEXT)
            c->rule->region[c->rule->region_count++] = region->text;
    return true;
}

static bool compile_lyria(struct compiler *c, const struct field *field)
{
    c->rule->is_lyria = field->value->kind == NODE_TEXT;
    return true;
}

static const struct {
    const char *key;
    bool (*compile)(struct compiler *, const struct field *);
} tables[] = {
    {"tiered_pricing", compile_tiers},
    {"off_peak_pricing", compile_off_peak},
    {"search_context_cost_per_query", compile_context},
    {"provider_specific_entry", compile_multipliers},
    {"web_search_billing_unit", compile_billing_unit},
    {"mode", compile_mode},
    {"supported_regions", compile_regions},
    {"vertex_ai_audio_api", compile_lyria},
};

/* 4.1: what makes LiteLLM 1.106.2 take an entry as one that prices anything, by the names of its
 * keys. */
static bool key_prices_something(const char *key)
{
    static const char *const others[] = {"cost_per_second", "input_cost_per_second",
                                         "output_cost_per_second", "input_cost_per_query",
                                         "tiered_pricing"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strcmp(key, others[i]) == 0)
            return true;
    return strstr(key, "cost_per") && strstr(key, "token");
}

/* No formula reads it (section 3); that it is there is known. */
static bool is_request_price(const struct node *value)
{
    struct decimal price;
    struct err ignored = {0};
    bool set = false;
    return strcmp(value->key, "input_cost_per_request") == 0 && value->kind != NODE_MAP &&
           value->kind != NODE_LIST && node_price(value, &price, &set, &ignored) && set &&
           !decimal_is_zero(&price);
}

static bool compile_field(struct compiler *c, const struct field *field)
{
    const char *key = field->value->key;
    c->rule->per_request |= is_request_price(field->value);
    c->rule->names_input_rate |= strcmp(key, "input_cost_per_token") == 0;
    if (field->value->kind == NODE_NULL)
        return true;
    c->rule->prices_something |= key_prices_something(key);
    if (!c->rule->unknown_key && gate_member(field->value, c->options->variants) == MEMBER_UNKNOWN)
        c->rule->unknown_key = key;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        if (strcmp(key, tables[i].key) == 0)
            return tables[i].compile(c, field);
    return compile_price(c, field, slice_of(key));
}

static struct rule *compile_plain(struct arena *arena, const struct fields *fields,
                                  const struct rule_options *options, struct err *err)
{
    struct compiler c = {.arena = arena, .options = options, .rate_count = 1, .err = err};
    c.rule = allocate(&c, sizeof(*c.rule));
    if (!c.rule)
        return NULL;
    c.rule->name = options->name;
    c.rule->provider = options->provider;
    c.rule->wall_clock_mode = true;
    for (size_t i = 0; i < fields->count; i++)
        if (!compile_field(&c, &fields->field[i]))
            return NULL;
    const struct rate **rates = allocate(&c, c.rate_count * sizeof(*rates));
    if (!rates)
        return NULL;
    memcpy(rates, c.rates, c.rate_count * sizeof(*rates));
    c.rule->rate = rates;
    return c.rule;
}

#define DECISIONS_SUFFIX "_decisions"

/* "input_cost_per_token_decisions": how many bytes stand before the suffix; 0: it has none. */
static size_t decisions_base(const char *key)
{
    size_t bytes = strlen(key), suffix = sizeof(DECISIONS_SUFFIX) - 1;
    return bytes > suffix && strcmp(key + bytes - suffix, DECISIONS_SUFFIX) == 0 ? bytes - suffix
                                                                                 : 0;
}

/* Lays the _decisions prices over the plain ones of the same name. */
static bool overlay_decisions(struct arena *arena, struct fields *fields)
{
    size_t count = fields->count;
    for (size_t i = 0; i < count; i++) {
        struct field field = fields->field[i];
        size_t base = decisions_base(field.value->key);
        struct node *copy = base ? node_copy(arena, field.value) : NULL;
        if (base &&
            (!copy || !(copy->key = arena_text(arena, (struct slice){field.value->key, base})) ||
             !fields_set(fields, copy, field.entry)))
            return false;
    }
    return true;
}

struct rule *rule_compile(struct arena *arena, const struct fields *fields,
                          const struct rule_options *options, struct err *err)
{
    struct rule *rule = compile_plain(arena, fields, options, err);
    bool any = false;
    for (size_t i = 0; i < fields->count; i++)
        any |= decisions_base(fields->field[i].value->key) > 0;
    if (!rule || !any)
        return rule;
    struct fields laid = *fields;
    if (!overlay_decisions(arena, &laid)) {
        err_set(err, ERR_CONFIG, "the price book is too large");
        return NULL;
    }
    rule->decisions = compile_plain(arena, &laid, options, err);
    return rule->decisions ? rule : NULL;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* An uplift alone multiplies nothing, so it is not a price. */
static bool has_plain_price(const struct rule *rule)
{
    for (enum rate_kind kind = 0; kind < RATE_UPLIFT_EU; kind++)
        for (unsigned variant = 0; variant < VARIANTS_MAX; variant++)
            if (rule->slot[kind][variant])
                return true;
    return false;
}

bool rate_positive(const struct rate *rate)
{
    return rate && !decimal_is_zero(&rate->value);
}

bool rule_prices_tokens(const struct rule *rule)
{
    return rule->has_tiers || rate_positive(rule_rate(rule, RATE_INPUT, VARIANT_PLAIN)) ||
           rate_positive(rule_rate(rule, RATE_OUTPUT, VARIANT_PLAIN));
}

bool rule_has_price(const struct rule *rule)
{
    return rule->band_count || rule->tier_count || rule->detail_count || rule->off_peak ||
           rule->has_context || has_plain_price(rule);
}

const struct rate *rule_detail(const struct rule *rule, enum rate_kind kind, struct slice name)
{
    for (size_t i = 0; i < rule->detail_count; i++)
        if (rule->detail[i].kind == kind && slice_is(name, rule->detail[i].name))
            return rule->detail[i].rate;
    return NULL;
}

const struct rate *rule_multiplier(const struct rule *rule, struct slice name)
{
    for (size_t i = 0; i < rule->multiplier_count; i++)
        if (slice_is(name, rule->multiplier[i].name))
            return rule->multiplier[i].rate;
    return NULL;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Section 7.2 D: start inclusive, end exclusive, over midnight when end < start. */
static bool window_open(const struct off_peak_window *window, int64_t time_s)
{
    int64_t day = floor_div(time_s, 86400), minute = (time_s - day * 86400) / 60;
    int64_t local_day = floor_div(time_s + zone_offset_s(window->weekday_zone, time_s), 86400);
    unsigned weekday = (unsigned)((local_day % 7 + 7 + 3) % 7); /* 1970-01-01 was a Thursday */
    if (!(window->weekdays >> weekday & 1))
        return false;
    if (window->start_minute < window->end_minute)
        return minute >= window->start_minute && minute < window->end_minute;
    return minute >= window->start_minute || minute < window->end_minute;
}

bool off_peak_open(const struct off_peak *off_peak, int64_t time_us)
{
    if (!off_peak)
        return false;
    for (size_t i = 0; i < off_peak->window_count; i++)
        if (window_open(&off_peak->window[i], floor_div(time_us, 1000000)))
            return true;
    return false;
}
