# SPDX-License-Identifier: Apache-2.0
"""Requests from a map and a seed: the same two give the same requests, and more of them begin with the same."""
import random

from oracle import absent, configs, families, spelled
from oracle.rows import Map


def special(rng, request, tags):
    """What costs nothing, whatever was asked."""
    roll = rng.random()
    if roll < 0.01:
        request["cache_hit"] = True
        tags.append("cache_hit")
    elif roll < 0.02:
        request["failure"] = True
        tags.append("failure")


def failed_attempts(rng, request, answer, tags):
    """Attempts before the answer that used tokens and failed: their cost and their usage come with the answer's."""
    if request["call_type"] == "acompletion" and "deployment" not in request and rng.random() < 0.04:
        request["failed_attempts"] = [answer["body"]["usage"]] * rng.randint(1, 2)
        tags.append("failed_attempts")


def through_proxies(rng, request, answer, tags):
    """A proxy before the provider says what it was billed; one before the client calls the model as the client does."""
    if request["call_type"] in ("completion", "acompletion", "embedding", "aembedding") and rng.random() < 0.04:
        cost = f"{rng.uniform(0, 0.1):.6f}"
        answer["hidden"] = {"additional_headers": {"llm_provider-x-litellm-response-cost": cost}}
        tags.append("upstream_cost")
    if "deployment" in request and isinstance(answer["body"], dict) and "model" in answer["body"] and rng.random() < 0.4:
        answer["body"]["model"] = "my-model"
        tags.append("served:rewritten")


# What the configuration with every price spelled out does not say in full.
NOT_SPELLED = {"named", "config:environment", "config:table", "config:two"}


def spec(entries, seed, index):
    rng = random.Random(f"{seed}/{index}")
    key, row = entries.pick(rng)
    ident = f"{seed}-{index:05d}"
    family = families.family_of(rng, key, row)
    request, answer, tags = family(rng, ident, key, row)
    request["answer"] = answer
    if "alias_of" in row.keys:
        tags.append("alias_of")
    made = {"id": f"oracle-{ident}", "key": f"{row.name}#{key}", "request": request}
    if rng.random() < 0.2 and family not in (families.search, families.mcp_tool):
        made["config"], more = configs.config(rng, request, key, row)
        tags += more
        if rng.random() < 0.35 and not NOT_SPELLED & set(tags) and spelled.can_be_spelled(row, family.__name__):
            made["spelled"] = spelled.config(made["config"], row)
            tags += ["merge"] if made["spelled"] else []
    failed_attempts(rng, request, answer, tags)
    tags += absent.tags(request, answer, row, made.get("config"))
    through_proxies(rng, request, answer, tags)
    special(rng, request, tags)
    if rng.random() < 0.15 and not request.get("stream"):
        made["drift"] = True
        tags.append("gateway_drift")
    made["tags"] = [*dict.fromkeys(tags), f"provider:{row.provider}"]
    return made


def specs(map_entries, seed, count, wanted=None):
    """`count` requests; with `wanted`, those that have this tag, of a hundred times as many at most."""
    entries, made = Map(map_entries), 0
    for index in range(100 * count if wanted else count):
        if made == count:
            return
        one = spec(entries, seed, index)
        if not wanted or wanted in one["tags"]:
            made += 1
            yield one
