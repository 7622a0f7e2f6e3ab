# SPDX-License-Identifier: Apache-2.0
"""Configurations: a deployment with prices of its own, a base model, discounts and margins."""

# Keys an operator sets although the map's row has none of them.
COMMON = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost",
          "cache_creation_input_token_cost", "input_cost_per_second", "output_cost_per_reasoning_token",
          "input_cost_per_audio_token", "output_cost_per_image", "input_cost_per_query", "input_cost_per_character",
          "input_cost_per_token_priority", "output_cost_per_token_above_200k_tokens", "input_cost_per_token_batches")


def price(rng, old):
    if isinstance(old, (int, float)) and not isinstance(old, bool) and old > 0:
        made = float(f"{old * rng.choice((0.5, 0.75, 1.25, 2, 3)):.6g}")
    else:
        made = rng.choice((1e-6, 2.5e-6, 4e-5, 0.01))
    return rng.choice((made, made, made, f"{made:.10g}", 0))


def own_prices(rng, key, row):
    plain = [k for k, v in row.entry.items() if k in row.keys and isinstance(v, (int, float)) and "multiplier" not in k]
    pool = sorted(set(plain) | set(rng.sample(COMMON, 3)))
    wanted = rng.sample(pool, min(len(pool), rng.choice((1, 1, 2, 3, 5))))
    if key in plain and rng.random() < 0.5:
        wanted.append(key)
    if rng.random() < 0.5:
        wanted += ["input_cost_per_token", "output_cost_per_token"]
    return {k: price(rng, row.entry.get(k)) for k in dict.fromkeys(wanted)}


def through_another(params, info, request, row):
    """An endpoint that speaks OpenAI's language and is billed as somebody else."""
    params["model"] = request["model"] = f"openai/{row.full_name().split('/', 1)[-1]}"
    params["api_base"] = "https://gateway.example/v1"
    request["provider"] = "openai"
    info["pricing_provider"] = row.provider
    return ["config:pricing_provider"]


def reserved(rng, info, request):
    """Capacity that is paid by the hour: what a team holds, or what several do."""
    info.update({"id": f"ptu-{rng.randint(0, 9999)}", "ptu_count": 100, "cost_per_ptu_per_hour": 2.5,
                 "ptu_effective_from": "2026-01-01T00:00:00Z"})
    info.update(rng.choice(({"team_id": "team-a"}, {"ptu_shares": {"team-a": 60, "team-b": 40}}, {"team_id": "team-a"})))
    if rng.random() < 0.3:
        request["spilled"] = True
    request["environment"] = {"LITELLM_ENABLE_PTU_COST_ATTRIBUTION": rng.choice(("true", "true", "True", "false"))}
    return ["config:ptu"]


def rates(rng, row):
    return {"input_cost_per_token": price(rng, row.entry.get("input_cost_per_token")),
            "output_cost_per_token": price(rng, row.entry.get("output_cost_per_token"))}


def off_peak(rng, row):
    """Cheaper hours, by list, by text or by windows of weekdays."""
    hours = rng.choice(("16:30-00:30", ["00:00-08:00", "20:00-22:15"], "00:00-12:00"))
    made = {"hours_utc": hours} if rng.random() < 0.6 else \
        {"windows": [{"hours_utc": hours, "weekdays": rng.sample((1, 2, 3, 4, 5, 6, 7, "mon", "Saturday", "sun"), 4)}], "weekday_timezone": "Asia/Shanghai"}
    wanted = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")
    return {"off_peak_pricing": {**made, **{k: price(rng, row.entry.get(k)) for k in rng.sample(wanted, rng.randint(1, 3))}}}


def tiered(rng, row):
    edges = sorted(rng.sample((1000, 32000, 128000, 200000, 256000), rng.randint(1, 3)))
    bounds = list(zip([0, *edges], [*edges, 10**9]))
    return {"tiered_pricing": [{"range": list(bound), **dict(list(rates(rng, row).items())[:rng.choice((1, 2, 2))]),
                                **({"cache_read_input_token_cost": price(rng, None)} if rng.random() < 0.3 else {})}
                               for bound in bounds]}


def searches(rng, row):
    return {"search_context_cost_per_query": {f"search_context_size_{size}": rng.choice((0.01, 0.03, 0))
                                              for size in ("low", "medium", "high")}}


def uplifts(rng, row):
    key = rng.choice(("regional_processing_uplift_multiplier_eu", "regional_endpoint_uplift_multiplier",
                      "fedramp_uplift_multiplier", "provider_specific_entry"))
    return {key: {"us": 1.5, "fast": 2.0} if key == "provider_specific_entry" else rng.choice((1.2, 2, 1))}


TABLES = (off_peak, tiered, searches, uplifts, lambda rng, row: {"mode": rng.choice(("chat", "completion", "embedding"))},
          lambda rng, row: {"input_cost_per_token": None}, lambda rng, row: {"cost_per_second": 0.0004})


def of_environment(rng, params, info, request):
    """A price that the environment holds, or should."""
    where = rng.choice([where for where in (params, info) if any("cost" in key for key in where)] or [info])
    key = rng.choice(sorted(key for key in where if "cost_per" in key and not isinstance(where[key], dict)) or ["output_cost_per_token"])
    where[key] = "os.environ/ORACLE_PRICE"
    request["environment"] = {**request.get("environment", {}), "ORACLE_PRICE": rng.choice(("0.000003", "4e-6", "0"))}
    return ["config:environment"]


def deployment(rng, request, key, row, alias):
    params, info, tags = {"model": request["model"], "api_key": "sk-oracle"}, {}, []
    base = (request.get("litellm_params") or {}).get("api_base")
    if base:
        params["api_base"] = base
    kind = rng.choice(("prices",) * 8 + ("base_model", "base_model", "plain", "plain", "id", "id", "provider", "ptu"))
    if kind == "base_model":
        # Azure names a deployment as it likes; only the base model says what it is.
        params["model"] = f"{row.provider}/my-own-name"
        (info if rng.random() < 0.7 else params)["base_model"] = rng.choice((row.name, row.full_name()))
        request["model"] = params["model"]
        tags.append("config:base_model")
    if kind in ("prices", "id") or rng.random() < 0.2:
        for name, value in own_prices(rng, key, row).items():
            (info if rng.random() < 0.6 else params)[name] = value
        tags.append("config:prices")
    if kind == "prices" and rng.random() < 0.35:
        info.update(rng.choice(TABLES)(rng, row))
        tags.append("config:table")
    if kind in ("prices", "id") and rng.random() < 0.06:
        tags += of_environment(rng, params, info, request)
    if row.provider == "bedrock" and rng.random() < 0.4:
        params["aws_region_name"] = rng.choice(("us-east-1", "eu-central-1", "us-gov-west-1"))
        tags.append("config:region")
    if kind == "provider":
        tags += through_another(params, info, request, row)
    if kind == "ptu":
        tags += reserved(rng, info, request)
    if row.provider == "vertex_ai" and rng.random() < 0.6:
        params["vertex_location"] = rng.choice(("global", "us-central1", "europe-west1"))
        tags.append("config:vertex_location")
    if kind == "id":
        info["id"] = f"dep-{rng.randint(0, 9999)}"
        tags.append("config:id")
    return {"model_name": alias, "litellm_params": params, **({"model_info": info} if info else {})}, tags


def settings(rng, provider, name):
    made, tags = {}, []
    if rng.random() < 0.25:
        made["cost_discount_config"] = {provider: rng.choice((0.05, 0.1, 0.25))}
        tags.append("config:discount")
        if rng.random() < 0.4:
            bare = name.split("/")[-1]
            pattern = rng.choice((bare, bare[:4] + "*", "*" + bare[-3:], bare[:2] + "?*", "*", "no-such-model"))
            made["cost_discount_config"][f"{provider}/{pattern}"] = rng.choice((0.5, 0.33))
            tags.append("config:discount_pattern")
    if rng.random() < 0.25:
        margin = rng.choice((0.1, 0.03, {"percentage": 0.08, "fixed_amount": 0.0005}, {"fixed_amount": 0.001}))
        made["cost_margin_config"] = {rng.choice((provider, "global")): margin}
        tags.append("config:margin")
    return made, tags


def config(rng, request, key, row):
    alias = "my-model"
    made, tags = deployment(rng, request, key, row, alias)
    shared, more = settings(rng, row.provider, request["model"])
    request["deployment"] = 0
    whole = {"model_list": [made]}
    if "config:id" in tags and rng.random() < 0.5:
        other = {"model_name": alias, "litellm_params": {"model": made["litellm_params"]["model"], "api_key": "sk-oracle"},
                 "model_info": {"id": f"other-{rng.randint(0, 9999)}", **rates(rng, row)}}
        whole["model_list"].insert(rng.randint(0, 1), other)
        request["deployment"] = rng.randint(0, 1)
        tags.append("config:two")
    if shared:
        whole["litellm_settings"] = shared
    for name, value in (shared.get("cost_discount_config") or {}).items():
        if rng.random() < 0.2:
            shared["cost_discount_config"] = {**shared["cost_discount_config"], "a-provider-nobody-knows": value}
    return whole, ["config", *tags, *more]
