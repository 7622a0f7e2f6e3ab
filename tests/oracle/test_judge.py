#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The oracle's judge: which of two figures is called what. Without LiteLLM."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
from oracle import judge  # noqa: E402

DEPARTS = "stream alias_of config:pricing_provider"
# LiteLLM's cost, whether it found a price, of it guardrails, tags, mode; our spend, status, reason; the verdict.
CASES = (
    (0.5, True, 0, "", "litellm", "0.5", "priced", None, "agrees"),
    (0.5, True, 0, "", "litellm", "0.5000001", "priced", None, "disagrees"),
    (0.5, True, 0, "", "litellm", "0", "free", "zero_rate", "silent 0"),
    (0.5, True, 0, "", "litellm", None, "unpriced", "no_rate", "disagrees"),
    (0.0, True, 0, "", "litellm", None, "unpriced", "no_rate", "agrees"),
    (0.02, True, 0.02, "", "litellm", None, "unpriced", "no_rate", "agrees"),
    (0.03, True, 0.02, "", "litellm", None, "unpriced", "no_rate", "disagrees"),
    (0.0, False, 0, "", "litellm", None, "unpriced", "no_rate", "agrees"),
    (0.0, False, 0, "", "litellm", "0.5", "priced", None, "disagrees"),
    (0.0, False, 0, DEPARTS, "litellm", "0.5", "priced", None, "departs"),
    (0.5, True, 0, DEPARTS, "litellm", "0.7", "priced", None, "disagrees"),
    (0.5, True, 0, "", "merge", None, "unpriced", "rate_missing", "declines"),
    (0.5, True, 0, "underivable", "litellm", None, "unpriced", "x", "declines"),
    (0.5, True, 0, "underivable", "litellm", "0.7", "priced", None, "approx."),
    (0.5, True, 0, "underivable", "litellm", None, "rejected", None, "disagrees"),
)


def main():
    wrong = 0
    for cost, priced, guardrails, tags, mode, spend, status, reason, verdict in CASES:
        case = {"tags": tags.split(), "overrides": mode, "expected": {
            "response_cost": cost, "priced": priced, "cost_breakdown": {"guardrail_cost": guardrails}}}
        got = judge.judge(case, {"spend": spend, "status": status, "reason": reason})
        if got != verdict:
            wrong += 1
            print(f"LiteLLM {cost} ({priced}), ours {spend} {status}: {got}, not {verdict}")
    print(f"{len(CASES)} verdicts, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
