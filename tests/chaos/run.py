#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Exactly once, proved: a real Kafka and a real PostgreSQL, and everything that can go wrong with them.

    tests/chaos/run.py [--short] [NAME...]      SEED=n repeats a run; --list names the scenarios

Everything happens in a folder of its own (--folder, default .local/chaos), which is removed at the end
unless --keep is given or something failed.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.dont_write_bytecode = True

from chaos import bounds, broker, crashes, database  # noqa: E402
from harness import report, servers  # noqa: E402

ALL = crashes.ALL + database.ALL + broker.ALL + bounds.ALL
# What `make check` can afford: each kind of fault once, in small.
SHORT = ((crashes.kill_nine, (10,)), (crashes.frozen_owner_holds_nobody, ()),
         (database.commit_answer_lost, (12,)), (database.postgres_stopped_immediately, (1,)),
         (database.refused_row_is_bisected, ()), (broker.broker_restarted, (1,)),
         (broker.topic_recreated, ()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--folder", default=os.path.join(servers.ROOT, ".local/chaos"))
    parser.add_argument("name", nargs="*")
    options = parser.parse_args()
    if options.list:
        for scenario in ALL:
            print(f"{scenario.__name__:32} {scenario.__doc__.strip().splitlines()[0]}")
        return 0
    chosen = [(s, ()) for s in ALL] if not options.short else list(SHORT)
    if options.name:
        chosen = [(s, ()) for s in ALL if s.__name__ in options.name]
        if len(chosen) != len(set(options.name)):
            parser.error("no such scenario; see --list")
    return run(chosen, options)


def run(chosen, options):
    seed = report.seed_of_environment()
    place = servers.Servers(options.folder)
    code = 1
    try:
        place.up()
        code = report.run([(s, (place, seed, *more)) for s, more in chosen], seed)
    finally:
        if code == 0 and not options.keep:
            place.clean()
        else:
            place.local("down")
            print(f"logs are in {place.folder}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
