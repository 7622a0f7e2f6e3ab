# SPDX-License-Identifier: Apache-2.0
"""
Override mode `merge` (docs/pricing.md, 5.4): the configuration with every price spelled out, under which LiteLLM's
own figure is the one that the short configuration has to come to.
"""
import json
import os
import re

# What LiteLLM takes from litellm_params for a price; other keys of it are parameters of the call, and no price.
LISTS = os.path.join(os.path.dirname(__file__), "..", "..", "pricing", "map", "lists.def")
with open(LISTS) as source:
    CUSTOM = frozenset(re.findall(r'^CUSTOM\("([^"]+)"\)', source.read(), re.M))

CLOCK = ("cost_per_second", "input_cost_per_second", "output_cost_per_second")
CLOCK_MODES = (None, "chat", "completion", "embedding", "responses", "audio_transcription")
# What a row of tiered_pricing takes from a set rate of the same name.
TIER_KEYS = ("input_cost_per_token", "output_cost_per_token", "output_cost_per_reasoning_token",
             "cache_read_input_token_cost", "cache_creation_input_token_cost",
             "cache_creation_input_token_cost_above_1hr", "input_cost_per_query")
NAMES_WITH_RULES = ("together_ai", "replicate", "huggingface", "lemonade", "ollama", "ai21")


def number(value):
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def is_token_rate(key):
    return "token" in key and "cost" in key


def beaten(base, own):
    """Keys of the map's entry that would beat what was set."""
    made = set()
    token_set = any((number(own.get(f"{side}_cost_per_token")) or 0) > 0 for side in ("input", "output"))
    if any(key in own for key in CLOCK) and not token_set and "tiered_pricing" not in own:
        if base.get("mode") in CLOCK_MODES:
            made |= {key for key in base if key in CLOCK or is_token_rate(key) or key in ("tiered_pricing", "off_peak_pricing")}
    elif "tiered_pricing" in own or "input_cost_per_token" in own or "output_cost_per_token" in own:
        if base.get("mode") in CLOCK_MODES and base.get("mode") != "audio_transcription":
            made |= set(CLOCK)
    for side in ("input", "output"):
        if f"{side}_cost_per_token" in own:
            made |= {key for key in base if key.startswith(f"{side}_cost_per_character")}
    if "output_cost_per_token" in own and number(own["output_cost_per_token"]) == 0:
        made.add("output_cost_per_image_token")
    if any(re.match(r"output_cost_per_second(_|$)", key) for key in own):
        made.add("output_cost_per_video_per_second")
    return made


def merged(base, own):
    entry = {key: value for key, value in base.items() if key not in ("litellm_provider", "alias_of")}
    for key in beaten(base, own):
        entry.pop(key, None)
    if isinstance(entry.get("tiered_pricing"), list) and "tiered_pricing" not in own:
        over = {key: number(own[key]) for key in TIER_KEYS if key in own}
        entry["tiered_pricing"] = [{**tier, **over} for tier in entry["tiered_pricing"]]
    return {**entry, **own}


def can_be_spelled(row, family):
    """Where LiteLLM's figure under such a configuration is that of the entry: elsewhere its name rules get in."""
    rates = [number(row.entry.get(f"{side}_cost_per_token")) or 0 for side in ("input", "output")]
    return (max(rates) > 0 and row.provider not in NAMES_WITH_RULES and "claude" not in row.name
            and family in ("chat", "embedding", "responses", "batch"))


def config(short, row):
    """None when the deployment sets no price: then the two modes are one."""
    whole = json.loads(json.dumps(short))
    deployment = whole["model_list"][0]
    info, params = deployment.get("model_info", {}), deployment["litellm_params"]
    own = {key: value for key, value in info.items() if key not in ("id", "base_model")}
    own.update({key: value for key, value in params.items() if key in CUSTOM})
    if not own or "ptu_count" in own or set(own) == {"pricing_provider"}:
        return None
    kept = {key: info[key] for key in ("id", "base_model") if key in info}
    for key in [key for key in params if "cost" in key or "pricing" in key]:
        del params[key]
    deployment["model_info"] = {**merged(row.called.entry, own), **kept}
    return whole
