# SPDX-License-Identifier: Apache-2.0
"""Token usage, in the shapes that providers' answers have once LiteLLM has read them."""
import math


def logarithmic(rng, low, high):
    return int(math.exp(rng.uniform(math.log(low), math.log(high))))


def prompt_size(rng, row):
    """Around a threshold when the row has one: below, at, just above, far above."""
    edges = row.thresholds()
    if edges and rng.random() < 0.75:
        edge = rng.choice(edges)
        return max(1, rng.choice((edge - 1, edge, edge + 1, edge + rng.randint(2, 90000), edge // 2)))
    return logarithmic(rng, 1, 60000)


def share(rng, left):
    return rng.randint(0, max(left, 0))


def lifetimes(rng, key, written):
    """How long what was written lives; the sum may fall short of it, and the total may be missing."""
    wanted = ["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"]
    if "12hr" in key or rng.random() < 0.15:
        wanted.append("ephemeral_12h_input_tokens")
    if rng.random() < 0.15:
        wanted.append("ephemeral_30m_input_tokens")
    left, made = written, {}
    for name in rng.sample(wanted, rng.randint(1, len(wanted))):
        made[name] = share(rng, left) if rng.random() < 0.5 else left
        left -= made[name]
    return made


def cache_parts(rng, key, prompt, details):
    left = prompt
    if "cache_read" in key or rng.random() < 0.3:
        details["cached_tokens"] = share(rng, left)
        left -= details["cached_tokens"]
        if "audio" in key or "image" in key or rng.random() < 0.08:
            kind = "audio_tokens" if "audio" in key or rng.random() < 0.5 else "image_tokens"
            details["cached_tokens_details"] = {kind: share(rng, details["cached_tokens"])}
        if "explicit" in key or rng.random() < 0.04:
            details["cache_type"] = "ephemeral"
    if "cache_creation" in key or rng.random() < 0.2:
        details["cache_creation_tokens"] = share(rng, left)
        left -= details["cache_creation_tokens"]
        if "hr" in key or rng.random() < 0.35:
            details["cache_creation_token_details"] = lifetimes(rng, key, details["cache_creation_tokens"])
    return left


def modal_parts(rng, key, left, details, side):
    for kind in ("audio", "image", "video"):
        named = f"{side}_cost_per_{kind}" in key or (side == "input" and f"{kind}_token_cost" in key)
        if named or rng.random() < 0.05:
            details[f"{kind}_tokens"] = share(rng, left)
            left -= details[f"{kind}_tokens"]
    return left


def prompt_details(rng, key, prompt):
    details = {}
    left = cache_parts(rng, key, prompt, details)
    left = modal_parts(rng, key, left, details, "input")
    if rng.random() < 0.25:
        details["text_tokens"] = left
    for name, token in (("character_count", "input_cost_per_character"), ("image_count", "input_cost_per_image"),
                        ("video_length_seconds", "video_per_second"), ("audio_length_seconds", "audio_per_second"),
                        ("query_count", "input_cost_per_query")):
        if token in key and rng.random() < 0.6:
            details[name] = rng.randint(1, 40)
    return details


def completion_details(rng, key, completion):
    details, left = {}, completion
    if "reasoning" in key or rng.random() < 0.25:
        details["reasoning_tokens"] = share(rng, left)
        left -= details["reasoning_tokens"]
    left = modal_parts(rng, key, left, details, "output")
    if rng.random() < 0.35:
        details["text_tokens"] = left if rng.random() < 0.8 else completion
    return details


def chat(rng, key, row):
    prompt, completion = prompt_size(rng, row), logarithmic(rng, 1, 9000)
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    inside, outside = prompt_details(rng, key, prompt), completion_details(rng, key, completion)
    if inside:
        usage["prompt_tokens_details"] = inside
    if outside:
        usage["completion_tokens_details"] = outside
    if rng.random() < 0.02:
        usage["cost"] = round(rng.uniform(0, 0.2), 6)
    return usage


def anthropic(rng, usage, row):
    """What Anthropic's own usage adds: the cache beside the prompt, speed, country and searches."""
    details = usage.get("prompt_tokens_details", {})
    if "cached_tokens" in details:
        usage["cache_read_input_tokens"] = details["cached_tokens"]
    if "cache_creation_tokens" in details:
        usage["cache_creation_input_tokens"] = details["cache_creation_tokens"]
    if row.has("provider_specific_entry"):
        own = row.entry.get("provider_specific_entry") or {}
        if "fast" in own and rng.random() < 0.5:
            usage["speed"] = rng.choice(("fast", "standard"))
        if rng.random() < 0.5:
            usage["inference_geo"] = rng.choice([*own, "global", "not_available", "US", "eu"])
    if rng.random() < 0.1:
        usage["server_tool_use"] = {"web_search_requests": rng.randint(0, 5)}
    return usage
