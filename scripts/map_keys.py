#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The keys of cost maps that mean nothing to a price, as rows of pricing/map/map_keys.def.

    scripts/map_keys.py MAP.json... >pricing/map/map_keys.def

What looks like money is left out: it is a price, or somebody must decide what it is.
"""
import json
import re
import sys

MONEY = re.compile("cost|price|pricing|uplift|multiplier|alias")
READ = {"litellm_provider", "mode", "supported_regions", "vertex_ai_audio_api", "web_search_billing_unit",
        "provider_specific_entry"}
HEAD = """/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of the cost map that mean nothing to a price: limits, capabilities, remarks. Made by
 * scripts/map_keys.py from the maps of LiteLLM; a key that is neither here nor a price is told.
 */
"""


def keys(paths):
    for path in paths:
        with open(path, encoding="utf-8") as file:
            rows = json.load(file)
        for name, row in rows.items():
            if name not in ("sample_spec", "fallback_generalizations"):
                yield from row


def main(paths):
    print(HEAD, end="")
    for key in sorted(set(keys(paths)) - READ):
        if not MONEY.search(key):
            print(f'HARMLESS("{key}")')


if __name__ == "__main__":
    main(sys.argv[1:])
