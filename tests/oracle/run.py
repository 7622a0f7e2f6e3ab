#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Agreement with a LiteLLM from PyPI: it makes events and prices them, spendlog prices the same events.

    tests/oracle/run.py VERSION [--seed N] [--events N] [--tag TAG] [--map FILE] [--keep FILE] [--quiet]
    tests/oracle/run.py VERSION --cases FILE      kept cases once more: spendlog alone, LiteLLM does not run

The first run of a version makes a virtual environment in build/oracle/ with pip; nothing else reaches a network,
no key is needed, and LiteLLM runs without this process's environment. Prints agreement by tag, and each
disagreement with its event, both figures and the key of the map it was made for. Exit 1 when anything disagrees.
"""
import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
sys.dont_write_bytecode = True

from oracle import generate, judge, place  # noqa: E402

BINARY = os.environ.get("SPENDLOG", os.path.join(ROOT, "spendlog"))


def one_driver(python, requests, cases, map_file):
    folder = os.path.dirname(cases)
    command = [python, os.path.join(HERE, "litellm_driver.py"), requests, cases, *([map_file] if map_file else [])]
    with open(cases + ".log", "w") as log:
        return subprocess.Popen(command, env=place.clean_environment(folder), stdout=log, stderr=log, cwd=folder)


def ask_litellm(python, specs, folder, map_file, workers):
    """The cases, in the order of their ids; several LiteLLMs share the work."""
    running = []
    for worker in range(workers):
        requests, cases = (os.path.join(folder, f"{name}-{worker}.jsonl") for name in ("requests", "cases"))
        with open(requests, "w") as out:
            out.writelines(json.dumps(spec) + "\n" for spec in specs[worker::workers])
        running.append((one_driver(python, requests, cases, map_file), cases))
    made = []
    for process, cases in running:
        if process.wait() != 0:
            with open(cases + ".log") as log:
                sys.exit(f"oracle: LiteLLM's side failed:\n{log.read()[-3000:]}")
        with open(cases) as source:
            made += [json.loads(line) for line in source]
    return sorted(made, key=lambda case: case["id"])


def kept(path):
    with open(path) as source:
        return [json.loads(line) for line in source]


def made(options, python, map_file, seed, folder):
    with open(map_file) as source:
        specs = list(generate.specs(json.load(source), seed, options.events, options.tag))
    return ask_litellm(python, specs, folder, options.map and map_file, options.workers)


def versions(map_file):
    with open(map_file, "rb") as source:
        digest = hashlib.sha256(source.read()).hexdigest()
    said = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True).stdout
    return digest, said.strip().splitlines()[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("version")
    parser.add_argument("--seed", default=None)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--tag", help="only events with this tag, to look into one thing")
    parser.add_argument("--map", help="another map than the one that this LiteLLM brings")
    parser.add_argument("--keep", help="write the cases to this file")
    parser.add_argument("--cases", help="judge the cases of this file, which --keep wrote")
    parser.add_argument("--quiet", action="store_true", help="no disagreement is printed, only the tables")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else str(random.SystemRandom().randrange(1, 10**6))
    python = place.environment(options.version)
    map_file = os.path.abspath(options.map) if options.map else place.bundled_map(python)
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
        cases = kept(options.cases) if options.cases else made(options, python, map_file, seed, folder)
        verdicts = judge.all_of(BINARY, map_file, cases, folder)
    if options.keep:
        with open(options.keep, "w") as out:
            out.writelines(json.dumps(case) + "\n" for case in cases if "event" in case)
    digest, rules = versions(map_file)
    print(f"LiteLLM {options.version}, map {digest[:12]}, {rules}; SEED={seed} N={options.events}")
    return judge.report(verdicts, not options.quiet)


if __name__ == "__main__":
    sys.exit(main())
