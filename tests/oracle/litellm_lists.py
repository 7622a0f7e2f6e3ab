# SPDX-License-Identifier: Apache-2.0
"""
Runs inside the oracle's virtual environment: the closed lists of this LiteLLM that the pricing rules name, as JSON.

A list comes from the object that LiteLLM itself asks, never from its source text. What has moved in a version
is named on standard error, and the maintainer finds its new place (docs/contributing/litellm.md).
"""
import importlib
import json
import os
import re
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm  # noqa: E402


MONEY = re.compile("cost|price|pricing|uplift|multiplier")


def visible_keys():
    """The keys about money that LiteLLM keeps of any entry: probed with one that has a single price."""
    litellm.model_cost["oracle-probe"] = {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-6}
    try:
        kept = litellm.get_model_info("oracle-probe", custom_llm_provider="openai")
        return {key for key in kept if MONEY.search(key)}
    finally:
        litellm.model_cost.pop("oracle-probe")


def attribute(path, made=lambda value: value):
    """The first of several places that has it."""
    def look():
        for place in path.split("|"):
            module, name = place.strip().rsplit(".", 1)
            try:
                return made(getattr(importlib.import_module(module), name))
            except (ImportError, AttributeError):
                continue
        raise LookupError(path)
    return look


BEDROCK = "litellm.llms.bedrock.common_utils."
# The lists of pricing/map/lists.def, in its order.
WORDS = {
    "VISIBLE": visible_keys,
    "CUSTOM": attribute("litellm.types.router.CustomPricingLiteLLMParams", lambda model: set(model.model_fields)),
    "NON_INFERENCE": attribute("litellm.constants.NON_INFERENCE_CALL_TYPES",
                               lambda names: {name[1:] if name.startswith("a") and name[1:] in names else name
                                              for name in names}),
    "BEDROCK_REGION": attribute(BEDROCK + "AmazonBedrockGlobalConfig", lambda made: set(made().get_all_regions())),
    "BEDROCK_GEO": attribute(BEDROCK + "get_bedrock_cross_region_inference_regions", lambda call: set(call())),
    "REPLICATE": attribute("litellm.constants.replicate_models", set),
}
# Rows of core/providers.def.
PROVIDERS = attribute("litellm.types.utils.LlmProviders", lambda enum: {member.value for member in enum})
# What stands in the code as a table of its own: a change here is a change there.
TABLES = {
    "azure_aliases": attribute("litellm.azure_llms"),
    "azure_embedding_aliases": attribute("litellm.azure_embedding_models"),
    "wall_clock_modes": attribute("litellm.cost_calculator._WALL_CLOCK_PRICED_MODES|"
                                  "litellm.cost_calculator.WALL_CLOCK_PRICED_MODES", lambda v: sorted(map(str, v))),
    "model_info_custom_keys": attribute("litellm.litellm_core_utils.litellm_logging._MODEL_INFO_CUSTOM_PRICING_KEYS",
                                        lambda keys: sorted(set(keys) - WORDS["CUSTOM"]())),
    "openai_hosts": attribute("litellm.llms.openai.data_residency.infer_openai_data_residency",
                              lambda ask: {host: ask("openai", f"https://{host}/v1") for host in
                                           ("api.openai.com", "eu.api.openai.com", "us.api.openai.com",
                                            "gov.api.openai.com", "ap.api.openai.com", "jp.api.openai.com")}),
    "capability_rules": lambda: litellm.model_cost.get("fallback_generalizations") or _rules(),
}


def _rules():
    from importlib.resources import files
    whole = json.loads(files("litellm").joinpath("model_prices_and_context_window_backup.json").read_text())
    return whole.get("fallback_generalizations")


def collect(sources):
    made = {}
    for name, look in sources.items():
        try:
            made[name] = look()
        except Exception as error:
            print(f"{name}: not where it was ({error})", file=sys.stderr)
            made[name] = None
    return made


def main():
    words = {name: sorted(found) if found is not None else None for name, found in collect(WORDS).items()}
    providers = collect({"providers": PROVIDERS})["providers"]
    json.dump({"words": words, "providers": sorted(providers or ()), "tables": collect(TABLES)}, sys.stdout, default=str, sort_keys=True)


main()
