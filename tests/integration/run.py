#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The program between a real Kafka and a real PostgreSQL.

    tests/integration/run.py [NAME...]      --list names the scenarios; SEED=n repeats the random ones

The servers live in a folder of their own (--folder, default .local/integration), removed at the end unless
--keep is given or something failed.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.dont_write_bytecode = True

from harness import report, servers  # noqa: E402
from integration import (boards, budgets, callback, calls, citus, drift, entry, focus, litellm, observing, operations,  # noqa: E402
                         pipeline, postgresql, programs, repricing, runs, sessions, summing, upgrading, wires)

ALL = (programs.ALL + pipeline.ALL + operations.ALL + repricing.ALL + sessions.ALL + callback.ALL + entry.ALL
       + drift.ALL + postgresql.ALL + observing.ALL
       + upgrading.ALL + summing.ALL + wires.ALL + budgets.ALL + boards.ALL + calls.ALL + runs.ALL + litellm.ALL + focus.ALL + citus.ALL)


def run(chosen, options):
    seed = report.seed_of_environment()

    def suite(place):
        return report.run([(s, (place, seed) if "seed" in s.__code__.co_varnames[:2] else (place,)) for s in chosen], seed)
    return servers.host(options.folder, options.keep, suite)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--folder", default=os.path.join(servers.ROOT, ".local/integration"))
    parser.add_argument("name", nargs="*")
    options = parser.parse_args()
    if options.list:
        for scenario in ALL:
            print(f"{scenario.__name__:44} {scenario.__doc__.strip().splitlines()[0]}")
        return 0
    chosen = [s for s in ALL if not options.name or s.__name__ in options.name]
    if len(chosen) < len(set(options.name)):
        parser.error("no such scenario; see --list")
    return run(chosen, options)


if __name__ == "__main__":
    sys.exit(main())
