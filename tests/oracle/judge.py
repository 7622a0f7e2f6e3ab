# SPDX-License-Identifier: Apache-2.0
"""What spendlog makes of the cases, and how far that is from LiteLLM's figure."""
import collections
import json
import os
import subprocess

# A figure agrees within 1e-9 of it, or 1e-15 USD.
RELATIVE, ABSOLUTE = 1e-9, 1e-15
VERDICTS = ("agrees", "declines", "disagrees", "silent 0", "departs", "approx.", "not asked")

# Where LiteLLM finds no price and docs/pricing.md says that we have one: the tags of such an event.
DEPARTURES = ({"stream", "alias_of", "config:pricing_provider"},)

Verdict = collections.namedtuple("Verdict", "case verdict ours")


def configuration(map_file, config, mode, folder):
    """Ours: the gateway's own figure is never taken, so that a 0 or a copy of it cannot agree."""
    pricing = {"cost_map": map_file, "overrides": mode, "reported_cost": "ignore"}
    if config:
        pricing["litellm_config"] = os.path.join(folder, "config.yaml")
        with open(pricing["litellm_config"], "w") as out:
            json.dump(config, out)
    path = os.path.join(folder, "spendlog.yaml")
    with open(path, "w") as out:
        json.dump({"pricing": pricing}, out)
    return path


def price(binary, map_file, cases, config, mode, env, folder):
    """One result per case: what `spendlog price` says."""
    events = os.path.join(folder, "events.jsonl")
    with open(events, "w") as out:
        out.writelines(json.dumps(case["event"]) + "\n" for case in cases)
    command = [binary, "price", "--quiet", "--config", configuration(map_file, config, mode, folder),
               "--mapping", "litellm"]
    done = subprocess.run([*command, events], capture_output=True, text=True, env={**os.environ, **(env or {})})
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if len(lines) != len(cases):
        return [{"status": "failed", "reason": done.stderr.strip()[-300:] or "no line", "spend": None}] * len(cases)
    return lines


def close(got, want):
    return abs(got - want) <= max(ABSOLUTE, RELATIVE * abs(want))


def judge(case, ours):
    """LiteLLM logs 0 for what it cannot price, and takes a missing rate for 0: no price agrees with the one, and in
    mode merge declines the other. What guardrails cost beside such a 0 is no price of the call."""
    want, priced = case["expected"]["response_cost"] or 0.0, case["expected"]["priced"]
    guardrails = (case["expected"].get("cost_breakdown") or {}).get("guardrail_cost") or 0.0
    has = ours.get("spend") is not None
    agrees = has and close(float(ours["spend"]), want)
    if ours["status"] in ("rejected", "skipped", "failed"):
        return "disagrees"
    if "underivable" in case["tags"]:
        return "declines" if not has else "agrees" if agrees else "approx."
    if (not has and (not priced or close(want - guardrails, 0))) or (priced and agrees):
        return "agrees"
    if has and not priced and any(tags <= set(case["tags"]) for tags in DEPARTURES):
        return "departs"
    if not has and case.get("overrides") == "merge" and ours.get("reason") == "rate_missing":
        return "declines"
    return "silent 0" if has and float(ours["spend"]) == 0 else "disagrees"


def all_of(binary, map_file, cases, folder):
    groups = collections.defaultdict(list)
    verdicts = [Verdict(case, "not asked", None) for case in cases if "event" not in case]
    for case in cases:
        if "event" in case:
            key = (json.dumps(case.get("config")), case.get("overrides", "litellm"), json.dumps(case.get("env")))
            groups[key].append(case)
    for (config, mode, env), members in groups.items():
        results = price(binary, map_file, members, json.loads(config), mode, json.loads(env), folder)
        verdicts += [Verdict(case, judge(case, ours), ours) for case, ours in zip(members, results)]
    return sorted(verdicts, key=lambda v: v.case["id"])


def tell(verdict):
    case, ours = verdict.case, verdict.ours
    print(f"{verdict.verdict}: {case['id']} {case['event']['call_type']} {case['event']['model']}\n"
          f"  key      {case['key']}\n"
          f"  tags     {' '.join(case['tags'])}\n"
          f"  LiteLLM  {case['expected']['response_cost']!r}{'' if case['expected']['priced'] else ' (no price found)'}\n"
          f"  spendlog {ours.get('spend')} {ours['status']} {ours.get('reason') or ''}\n"
          f"  config   {json.dumps(case.get('config'))}\n"
          f"  event    {json.dumps(case['event'])}")


def table(verdicts):
    counts = collections.defaultdict(collections.Counter)
    for verdict in verdicts:
        for tag in [*verdict.case["tags"], "all events"]:
            counts[tag][verdict.verdict] += 1
    print(f"{'tag':34}" + "".join(f"{name:>11}" for name in VERDICTS))
    for tag in [*sorted(set(counts) - {"all events"}), "all events"]:
        print(f"{tag:34}" + "".join(f"{counts[tag][name]:>11}" for name in VERDICTS))
    return counts["all events"]


def not_asked(verdicts):
    why = collections.Counter(v.case["missing"] for v in verdicts if v.verdict == "not asked")
    for reason, count in why.most_common(20):
        print(f"not asked, {count} times: {reason}")


def report(verdicts, with_events):
    wrong = [v for v in verdicts if v.verdict in ("disagrees", "silent 0")]
    if with_events:
        for verdict in wrong:
            tell(verdict)
    not_asked(verdicts)
    total = table(verdicts)
    derivable = total["agrees"] + len(wrong)
    print(f"{total['agrees']} of {derivable} derivable events agree, "
          f"{100 * total['agrees'] / max(derivable, 1):.2f} %; {total['silent 0']} silent zeros")
    return 1 if wrong or not total["agrees"] else 0
