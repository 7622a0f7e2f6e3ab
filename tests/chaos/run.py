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
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.dont_write_bytecode = True

from chaos import (bounds, broker, crashes, database, failover, maintenance, records, retention,  # noqa: E402
                   signals)
from harness import report, servers, world  # noqa: E402

ALL = (crashes.ALL + database.ALL + failover.ALL + maintenance.ALL + retention.ALL + records.ALL + broker.ALL
       + signals.ALL + bounds.ALL)
# What `make check` can afford: kinds of fault, in small. A broker killed with -9 takes half a minute to
# be let back into its own cluster, so that one is left to the long form.
SHORT = ((crashes.kill_nine, (6,)), (crashes.frozen_owner_holds_nobody, ()),
         (database.commit_answer_lost, (12,)), (database.postgres_stopped_immediately, (1,)),
         (database.refused_row_is_bisected, ()), (records.siblings_retried, ()),
         (broker.aborted_transactions, ()),
         (broker.topic_recreated, ()), (signals.second_signal, ()))

MOCK = os.path.join(servers.ROOT, "build/release/tests/integration/test_mock")


def protocol_errors(_servers, _seed, process):
    """Errors injected into the Kafka protocol (fetch, group, coordinator, commit) lose and repeat nothing."""
    out, _ = process.communicate(timeout=150)
    report.check_equal(process.returncode, 0, f"exit code of test_mock:\n{out.decode(errors='replace')}")
    return f"{out.count(b'[       OK ]')} claims"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--folder", default=os.path.join(servers.ROOT, ".local/chaos"))
    parser.add_argument("name", nargs="*")
    options = parser.parse_args()
    if options.list:
        for scenario in (*ALL, protocol_errors):
            print(f"{scenario.__name__:32} {scenario.__doc__.strip().splitlines()[0]}")
        return 0
    every = [(s, ()) for s in ALL] + [(protocol_errors, ())]
    chosen = every if not options.short else [*SHORT, every[-1]]
    if options.name:
        chosen = [(s, more) for s, more in every if s.__name__ in options.name]
        if len(chosen) != len(set(options.name)):
            parser.error("no such scenario; see --list")
    if chosen[-1][0] is not protocol_errors:
        return run(chosen, options)
    # It waits for a mock cluster most of the time: it runs beside the others and is asked at the end.
    with subprocess.Popen([MOCK], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as mock:
        try:
            return run([*chosen[:-1], (protocol_errors, (mock,))], options)
        finally:
            mock.kill()


def table_print():
    """What survived what, counted in the database: the suite's result."""
    names = ("faults", "records", "rows", "duplicates", "rejected", "skipped", "lost", "doubled")
    lines = [*world.VERDICTS, ("together", *(sum(line[i] for line in world.VERDICTS) for i in range(1, 9)))]
    print(f"{'':16}" + "".join(f"{name:>11}" for name in names))
    for name, *numbers in lines:
        print(f"{name:16}" + "".join(f"{number:11}" for number in numbers), flush=True)


def run(chosen, options):
    seed = report.seed_of_environment()
    # For messages of 64 MiB, of which the small heap of scripts/local.sh holds few (java(1)).
    os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:MaxDirectMemorySize=1g")

    def suite(place):
        code = report.run([(s, (place, seed, *more)) for s, more in chosen], seed)
        table_print()
        return code
    return servers.host(options.folder, options.keep, suite)


if __name__ == "__main__":
    sys.exit(main())
