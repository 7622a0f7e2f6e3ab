#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Situations of public bug reports: each file through `spendlog price`, beside what is right.

    run.py SPENDLOG [FILE]...     ends 1 when any record comes out otherwise than expected.json says
"""
import json
import os
import subprocess
import sys
import tempfile
from decimal import Decimal

HERE = os.path.dirname(os.path.abspath(__file__))


def configuration(folder, model_list):
    path = os.path.join(folder, "spendlog.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write("pricing:\n  cost_map: builtin\n")
        if model_list:
            out.write(f"  litellm_config: {os.path.join(HERE, model_list)}\n")
    return path


def results(program, name, model_list):
    """The result lines of a file, and what it said to stderr."""
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "price", "--items", "-c", configuration(folder, model_list),
                   os.path.join(HERE, name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [json.loads(line, parse_float=Decimal) for line in done.stdout.splitlines()], done.stderr


def fault(want, got):
    """What is wrong with one result, or None."""
    if "status" in want and got["status"] not in want["status"]:
        return f"status {got['status']} ({got.get('reason')}), not {' or '.join(want['status'])}"
    if "spend" in want and (got.get("spend") is None or Decimal(got["spend"]) != Decimal(want["spend"])):
        return f"spend {got.get('spend')} ({got['status']}, {got.get('reason')}), not {want['spend']}"
    return None


def check(program, name, expected):
    lines, said = results(program, name, expected[0].get("model_list"))
    if len(lines) != len(expected):
        return [f"{name}: {len(lines)} results, not {len(expected)} {said}"]
    faults = [fault(want, got) for want, got in zip(expected, lines)]
    return [f"{name}: record {i + 1}: {what}" for i, what in enumerate(faults) if what]


def main(program, names):
    with open(os.path.join(HERE, "expected.json"), encoding="utf-8") as file:
        expected = json.load(file)
    wrong = []
    for name in names or sorted(expected):
        wrong += check(program, name, expected[name])
    print("\n".join(wrong + [f"{len(names or expected)} files of public bug reports, {len(wrong)} records wrong"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
