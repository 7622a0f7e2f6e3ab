/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules A to E of docs/pricing.md section 7.2, LiteLLM 1.106.2. The comparison with a threshold is
 * on the whole prompt, and the whole request moves: never marginal.
 */
#include "pricing/map/rates.h"

const struct decimal decimal_half = {5, 1, false};

static struct use use_of(const struct rate *rate)
{
    return (struct use){rate, NULL};
}

static bool is_zero(const struct rate *rate)
{
    return !rate || decimal_is_zero(&rate->value);
}

const struct tier_row *rates_tier(const struct rule *rule, int64_t tokens)
{
    const struct tier_row *last = NULL;
    if (tokens <= 0 || rule->tier_count == 0)
        return NULL;
    struct decimal n = decimal_from_int(tokens);
    for (size_t i = 0; i < rule->tier_count; i++) {
        const struct tier_row *row = &rule->tier[i];
        if (!row->has_range)
            continue;
        if (decimal_cmp(&row->above, &n) < 0 && decimal_cmp(&n, &row->upto) <= 0)
            return row;
        last = row;
    }
    return last;
}

/* A: a tier with an input rate takes the whole request; service tier and thresholds are ignored. */
static void choose_tier(const struct rule *rule, const struct tier_row *tier,
                        struct base_rates *out)
{
    const struct rate *const *rate = tier->rate;
    const struct rate *write = rate[TIER_WRITE] ? rate[TIER_WRITE] : rate[TIER_INPUT];
    out->input = use_of(rate[TIER_INPUT]);
    out->output =
        use_of(rate[TIER_OUTPUT] ? rate[TIER_OUTPUT] : rule_rate(rule, RATE_OUTPUT, VARIANT_PLAIN));
    out->write = use_of(write);
    out->write_1h = use_of(rate[TIER_WRITE_1H]);
    out->write_12h = use_of(rate[TIER_WRITE_12H]);
    out->read = use_of(rate[TIER_READ] ? rate[TIER_READ] : rate[TIER_INPUT]);
}

static bool crosses(int64_t tokens, uint32_t above, bool inclusive)
{
    return tokens > above || (inclusive && tokens == above);
}

static void step_up(const struct band *band, enum rate_kind kind, unsigned variant, struct use *use)
{
    const struct rate *rate = band->rate[kind][variant];
    if (!rate)
        rate = band->rate[kind][VARIANT_PLAIN];
    if (rate)
        *use = use_of(rate);
}

/* Writes of a long lifetime: the threshold's rate at the very tier, or none (LiteLLM 1.110.2). */
static void step_up_exactly(const struct band *band, enum rate_kind kind, unsigned variant,
                            struct use *use)
{
    if (band->rate[kind][variant])
        *use = use_of(band->rate[kind][variant]);
}

/* A threshold counts when a plain key or one of this request's variant names it. */
static bool names_threshold(const struct band *band, unsigned variant)
{
    for (enum rate_kind kind = RATE_INPUT; kind <= RATE_WRITE_12H; kind++)
        if (band->rate[kind][VARIANT_PLAIN] || band->rate[kind][variant])
            return true;
    return false;
}

/* Fireworks: half the input rate; an input without a price is read for nothing at any threshold. */
static struct use half_of_input(const struct rule *rule)
{
    static const struct rate nothing = CONSTANT_RATE(0, 0, "no_input_price");
    const struct rate *input = rule_rate(rule, RATE_INPUT, VARIANT_PLAIN);
    return (struct use){input ? input : &nothing, &decimal_half};
}

/* B: base rates of the tier, then every threshold the prompt crosses. */
static void choose_flat(const struct rule *rule, const struct rate_choice *choice,
                        struct base_rates *out)
{
    unsigned variant = choice->variant;
    out->input = use_of(rule_tier_rate(rule, RATE_INPUT, variant));
    out->output = use_of(rule_tier_rate(rule, RATE_OUTPUT, variant));
    out->write = use_of(rule_tier_rate(rule, RATE_WRITE, variant));
    out->read = use_of(rule_tier_rate(rule, RATE_READ, variant));
    out->write_1h = use_of(rule_tier_rate(rule, RATE_WRITE_1H, variant));
    out->write_12h = use_of(rule_tier_rate(rule, RATE_WRITE_12H, variant));
    const struct rate *image = rule_rate(rule, RATE_OUTPUT_IMAGE_TOKEN, VARIANT_PLAIN);
    if (is_zero(out->output.rate) && image)
        out->output = use_of(image);
    if (choice->half_cache_read && !rule_rate(rule, RATE_READ, VARIANT_PLAIN)) {
        const struct rate *read = rule_rate(rule, RATE_READ, variant);
        out->read = read ? use_of(read) : half_of_input(rule);
    }
    for (size_t i = 0; i < rule->band_count; i++) {
        const struct band *band = &rule->band[i];
        if (!crosses(choice->prompt_tokens, band->above_tokens, choice->inclusive) ||
            !names_threshold(band, variant))
            continue;
        step_up(band, RATE_INPUT, variant, &out->input);
        step_up(band, RATE_OUTPUT, variant, &out->output);
        step_up(band, RATE_WRITE, variant, &out->write);
        step_up(band, RATE_READ, variant, &out->read);
        step_up_exactly(band, RATE_WRITE_1H, variant, &out->write_1h);
        step_up_exactly(band, RATE_WRITE_12H, variant, &out->write_12h);
    }
}

static void replace(struct use *use, const struct rate *rate)
{
    if (rate)
        *use = use_of(rate);
}

/* D: an open off-peak window's rates replace the result outright. */
static void apply_off_peak(const struct off_peak *off_peak, struct base_rates *out)
{
    replace(&out->input, off_peak->input);
    replace(&out->output, off_peak->output);
    replace(&out->read, off_peak->read);
    replace(&out->write, off_peak->write);
}

/* Fireworks inside off-peak: half the off-peak input rate, where that is set. */
static bool off_peak_halves(const struct rule *rule, const struct rate_choice *choice)
{
    return choice->half_cache_read && !rule_rate(rule, RATE_READ, VARIANT_PLAIN) &&
           !rule->off_peak->read;
}

/* The row of tiered_pricing that bills a prompt; one without an input rate bills nothing. */
static const struct tier_row *priced_tier(const struct rule *rule, int64_t prompt_tokens)
{
    const struct tier_row *tier = rates_tier(rule, prompt_tokens);
    return tier && tier->rate[TIER_INPUT] ? tier : NULL;
}

/* A row of tiered_pricing without such a rate reads at its cache rate, an open window likewise. */
const struct rate *rates_explicit_read(const struct rule *rule, const struct rate_choice *choice)
{
    const struct rate *flat = rule_tier_rate(rule, RATE_EXPLICIT_READ, choice->variant);
    const struct tier_row *tier = priced_tier(rule, choice->prompt_tokens);
    const struct off_peak *open =
        off_peak_open(rule->off_peak, choice->billed_at_us) ? rule->off_peak : NULL;
    if (!flat && !(tier && tier->rate[TIER_EXPLICIT_READ]) && !(open && open->explicit_read))
        return NULL;
    if (open && (open->explicit_read || open->read))
        return open->explicit_read ? open->explicit_read : open->read;
    if (!tier)
        return flat;
    if (tier->rate[TIER_EXPLICIT_READ])
        return tier->rate[TIER_EXPLICIT_READ];
    return tier->rate[TIER_READ] ? tier->rate[TIER_READ] : tier->rate[TIER_INPUT];
}

/* E: the first that exists. */
static const struct rate *reasoning_rate(const struct rule *rule, const struct tier_row *tier,
                                         unsigned variant, const struct off_peak *open)
{
    if (open && open->reasoning)
        return open->reasoning;
    if (tier && (tier->rate[TIER_REASONING] || tier->rate[TIER_OUTPUT]))
        return tier->rate[TIER_REASONING] ? tier->rate[TIER_REASONING] : tier->rate[TIER_OUTPUT];
    const struct rate *own = rule_rate(rule, RATE_REASONING, variant);
    if (own || (variant != VARIANT_PLAIN && rule_rate(rule, RATE_OUTPUT, variant)))
        return own;
    return rule_rate(rule, RATE_REASONING, VARIANT_PLAIN);
}

void rates_choose(const struct rule *rule, const struct rate_choice *choice, struct base_rates *out)
{
    const struct off_peak *open =
        off_peak_open(rule->off_peak, choice->billed_at_us) ? rule->off_peak : NULL;
    const struct tier_row *tier = priced_tier(rule, choice->prompt_tokens);
    if (tier)
        choose_tier(rule, tier, out);
    else
        choose_flat(rule, choice, out);
    /* C: what is missing is billed as input; a missing write of a long lifetime as the write. */
    bool no_read = !out->read.rate, no_write = !out->write.rate;
    if (open)
        apply_off_peak(open, out);
    if (open && off_peak_halves(rule, choice))
        out->read = open->input ? (struct use){open->input, &decimal_half} : half_of_input(rule);
    if (no_read && !(open && open->read))
        out->read = out->input;
    if (no_write && !(open && open->write))
        out->write = out->input;
    if (!out->write_1h.rate)
        out->write_1h = out->write;
    if (!out->write_12h.rate)
        out->write_12h = out->write;
    if (choice->explicit_cache)
        replace(&out->read, rates_explicit_read(rule, choice));
    const struct rate *reasoning = reasoning_rate(rule, tier, choice->variant, open);
    out->reasoning = reasoning ? use_of(reasoning) : out->output;
}

const struct rate *rates_above(const struct rule *rule, enum rate_kind kind, int64_t prompt_tokens,
                               bool inclusive, unsigned variant)
{
    for (size_t i = rule->band_count; i-- > 0;) {
        const struct rate *const *rate = rule->band[i].rate[kind];
        if (crosses(prompt_tokens, rule->band[i].above_tokens, inclusive) &&
            (rate[variant] || rate[VARIANT_PLAIN]))
            return rate[variant] ? rate[variant] : rate[VARIANT_PLAIN];
    }
    return NULL;
}

const struct rate *rates_batch(const struct rule *rule, enum rate_kind kind, int64_t prompt_tokens,
                               bool inclusive, bool *crossed)
{
    for (size_t i = rule->band_count; i-- > 0;) {
        const struct band *band = &rule->band[i];
        if (!band->rate[kind][VARIANT_BATCHES] ||
            !crosses(prompt_tokens, band->above_tokens, inclusive))
            continue;
        *crossed = true;
        return band->rate[kind][VARIANT_BATCHES];
    }
    return rule_rate(rule, kind, VARIANT_BATCHES);
}
