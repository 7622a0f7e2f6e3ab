#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Transport, rights and secrecy, tried against real servers. SEED=n repeats a run.

    tests/security/run.py [NAME...]      --list names the claims
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.dont_write_bytecode = True

from harness import report, servers  # noqa: E402
from security import absurd, rights, sealed, secrecy, stored, table, tenants, transport  # noqa: E402

ALL = absurd.ALL + rights.ALL + sealed.ALL + secrecy.ALL + stored.ALL + table.ALL + tenants.ALL + transport.ALL


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--folder", default=os.path.join(servers.ROOT, ".local/security"))
    parser.add_argument("name", nargs="*")
    options = parser.parse_args()
    if options.list:
        for scenario in ALL:
            print(f"{scenario.__name__:32} {scenario.__doc__.strip().splitlines()[0]}")
        return 0
    chosen = [s for s in ALL if not options.name or s.__name__ in options.name]
    if len(chosen) < len(set(options.name)):
        parser.error("no such claim; see --list")
    return run(chosen, options)


def run(chosen, options):
    seed = report.seed_of_environment()

    def suite(place):
        return report.run([(s, (place, seed)) for s in chosen], seed)
    return servers.host(options.folder, options.keep, suite)


if __name__ == "__main__":
    sys.exit(main())
