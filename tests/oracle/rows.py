# SPDX-License-Identifier: Apache-2.0
"""The map as the oracle sees it: which keys are about money, and which rows have them."""
import re

MONEY = re.compile(r"cost|price|pricing|uplift|multiplier|alias_of|provider_specific_entry|billing_unit")
THRESHOLD = re.compile(r"_above_(\d+)(k?)_tokens")
NOT_MODELS = ("sample_spec", "fallback_generalizations")
TIERS = ("flex", "balanced", "priority", "ultrafast")
# A map's provider that is a family of one: the provider of a call is its first part.
FAMILIES = ("vertex_ai", "fireworks_ai", "bedrock")


class Row:
    def __init__(self, name, entry, target=None):
        self.name, self.entry = name, target or entry
        self.keys = sorted(k for k in entry if MONEY.search(k)) or ["no price"]
        owner = str(self.entry.get("litellm_provider") or "openai")
        self.provider = next((f for f in FAMILIES if owner.startswith(f) and owner != "bedrock_mantle"), owner)
        self.mode = str(self.entry.get("mode") or "chat")
        self.called = self  # the row that the name with its provider finds

    def thresholds(self):
        found = {int(n) * (1000 if k else 1) for key in self.entry for n, k in THRESHOLD.findall(key)}
        for tier in self.entry.get("tiered_pricing") or ():
            if isinstance(tier, dict):
                found.update(int(edge) for edge in tier.get("range") or () if isinstance(edge, (int, float)) and edge > 0)
        return sorted(found)

    def has(self, text):
        return any(text in key for key in self.entry)

    def full_name(self):
        """What a client says: the provider, and the model."""
        return self.name if self.name.startswith(self.provider + "/") else f"{self.provider}/{self.name}"


class Map:
    """Rows by key, so that a key which three rows have is asked for nearly as often as one that all have."""

    def __init__(self, entries):
        self.rows = {}
        for name, entry in entries.items():
            if name in NOT_MODELS or not isinstance(entry, dict):
                continue
            target = entries.get(entry["alias_of"]) if isinstance(entry.get("alias_of"), str) else None
            self.rows[name] = Row(name, entry, target)
        for row in self.rows.values():
            row.called = self.rows.get(row.full_name(), row)
        self.by_key = {}
        for row in self.rows.values():
            for key in row.keys:
                self.by_key.setdefault(key, []).append(row)
        self.keys = sorted(self.by_key)
        self.weights = [len(self.by_key[key]) ** 0.35 for key in self.keys]

    def pick(self, rng):
        key = rng.choices(self.keys, self.weights)[0]
        return key, rng.choice(self.by_key[key])
